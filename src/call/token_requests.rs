//! Requests for the tokens of credentials, over the client's own connections.

use std::time::{Instant, SystemTime};

use super::Caller;
use crate::bounds::Bounds;
use crate::config::ProviderSettings;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::header::{HeaderList, HeaderValue};
use crate::provider::{TokenReply, TokenRequest, TokenServer};
use crate::time::header_date::http_date;
use crate::transport::{Headers, Method, OriginSettings, Outgoing};
use crate::url::Url;

/// Sends requests for tokens with the TLS and proxy settings of the client, and with the connect
/// timeout of the provider that the tokens are for.
pub(super) struct TokenRequests<'a> {
    pub(super) caller: &'a Caller,
    pub(super) settings: &'a ProviderSettings,
}

impl TokenServer for TokenRequests<'_> {
    fn send(&self, request: &TokenRequest, bounds: &Bounds) -> Result<TokenReply, Error> {
        let Self { caller, settings } = self;
        let uri: Url = request.url.parse().map_err(|cause| {
            let message = format!("the address {:?} is not a URL; correct it", request.url);
            Error::new(ErrorKind::Configuration, message).with_source(cause)
        })?;
        let mut headers = HeaderList::default();
        let (method, body, proxy) = match &request.form {
            Some(form) => {
                let kind = HeaderValue::new("application/x-www-form-urlencoded");
                headers.extend(kind.map(|kind| ("content-type", kind)));
                (Method::Post, form.as_bytes(), caller.settings.proxy_for(&uri)?)
            }
            // The metadata server is on this machine, so no proxy can reach it. It asks for this
            // header (docs.cloud.google.com/compute/docs/metadata/querying-metadata).
            None => {
                let flavor = HeaderValue::new("Google");
                headers.extend(flavor.map(|flavor| ("metadata-flavor", flavor)));
                (Method::Get, &b""[..], None)
            }
        };
        let mut bounds = bounds.clone();
        if let Some(limit) = request.limit {
            bounds.deadline = bounds.deadline.earlier(Deadline::after(Instant::now(), limit));
        }
        let origin = caller.transport.origin(&OriginSettings {
            base: &uri,
            connect_timeout: settings.timeouts.connect,
            proxy: proxy.as_ref(),
            tls: caller.settings.tls.as_ref(),
            root_files: &caller.settings.root_files,
        })?;
        let outgoing = Outgoing {
            provider: &settings.profile.id,
            method,
            uri: &uri,
            headers: &Headers::new(headers, &uri),
            credentials: &[],
            retries: 0,
            idempotency_key: None,
            betas: None,
            content_type: None,
            body,
        };
        let mut second = caller.bucket.second_sending();
        let incoming = caller.transport.exchange(&origin, outgoing, &bounds, &mut second)?;
        let date = incoming.reply().header("date");
        let date = date.and_then(|date| http_date(date, SystemTime::now()));
        Ok(TokenReply { status: incoming.status, date, body: incoming.body })
    }
}
