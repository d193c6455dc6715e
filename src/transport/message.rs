//! The request and the response of one exchange.

use super::Headers;
use crate::chat::Provider;
use crate::error::Error;
use crate::header::HeaderValue;
use crate::key::Secrets;
use crate::replay::Response;
use crate::url::Url;
use crate::wire::{self, HeaderFields, Reply, Sent};

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The request to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// Named in advice about the request.
    pub(crate) provider: &'a Provider,
    pub(crate) method: Method,
    pub(crate) uri: &'a Url,
    pub(crate) headers: &'a Headers,
    /// Headers of this attempt only.
    pub(crate) credentials: &'a [(String, HeaderValue)],
    /// How many attempts of the same call came before.
    pub(crate) retries: u32,
    pub(crate) idempotency_key: Option<&'a HeaderValue>,
    /// The value of `content-type`, if it is not the client's.
    pub(crate) content_type: Option<&'a HeaderValue>,
    /// The value of `anthropic-beta`.
    pub(crate) betas: Option<&'a HeaderValue>,
    pub(crate) body: &'a [u8],
}

/// The response.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) status: u16,
    pub(crate) headers: HeaderFields,
    /// Empty while the body is still to be read.
    pub(crate) body: Vec<u8>,
    /// What was sent.
    pub(crate) sent: Sent,
}

impl Incoming {
    /// Hides the secrets in an error body, because some providers quote the key they refuse. A
    /// successful body belongs to the caller. Of its headers only a few are read
    /// ([`request_id`](crate::wire::request_id)), and secrets are hidden there.
    pub(crate) fn hide_error(&mut self, secrets: &Secrets) {
        if (200..300).contains(&self.status) {
            return;
        }
        self.headers.hide(secrets);
        if secrets.are_in(&self.body) {
            self.body = secrets.hide(String::from_utf8_lossy(&self.body)).into_owned().into();
        }
    }

    /// Adds the status and the request id to an error that came after the head. The caller hides
    /// its secrets.
    pub(crate) fn identify(&self, error: Error) -> Error {
        let id = wire::request_id(self.reply(), &Secrets::default());
        error.with_status(self.status).with_request_id(id)
    }

    /// The response as it is recorded.
    pub(crate) fn recording(&self) -> Response {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = self.headers.named().map(|(name, value)| (name, text(value)));
        Response {
            status: self.status,
            headers: headers.collect(),
            pieces: vec![self.body.clone()],
            ..Response::default()
        }
    }

    /// The response as the pure modules see it.
    pub(crate) fn reply(&self) -> Reply<'_> {
        Reply {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
            sent: Some(&self.sent),
        }
    }
}
