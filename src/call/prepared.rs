//! A request, checked and encoded for one target.

use std::error::Error as StdError;
use std::sync::Arc;

use super::target::Target;
#[cfg(feature = "vertex")]
use super::token_requests::TokenRequests;
use super::{Caller, url};
use crate::bounds::Bounds;
use crate::config::ProviderSettings;
use crate::error::{Error, ErrorKind, Phase};
use crate::header::{HeaderValue, header_name};
use crate::key::Secrets;
use crate::provider::Unsigned;
use crate::replay::{self, Pieces};
use crate::retry;
use crate::transport::{Incoming, Method, Outgoing};
use crate::url::Url;
use crate::wire::{HeaderFields, Sent};

/// A request for one target, which can be sent any number of times.
pub(super) struct Prepared<C> {
    pub(super) target: Target,
    pub(super) method: Method,
    pub(super) uri: Url,
    pub(super) body: Vec<u8>,
    /// The betas to send, if the request asks for more than the client's.
    pub(super) betas: Option<HeaderValue>,
    /// What its operation keeps of it.
    pub(super) content: C,
}

/// A call's requests for the targets of a route. Most calls need one.
pub(super) struct PreparedRequests<C> {
    first: Option<(usize, Arc<Prepared<C>>)>,
    others: Vec<(usize, Arc<Prepared<C>>)>,
}

impl<C> Default for PreparedRequests<C> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

impl<C> PreparedRequests<C> {
    /// The request for a target.
    pub(super) fn get(&self, target: usize) -> Option<&Arc<Prepared<C>>> {
        let mut all = self.first.iter().chain(&self.others);
        all.find(|(at, _)| *at == target).map(|(_, prepared)| prepared)
    }

    pub(super) fn add(&mut self, target: usize, prepared: Arc<Prepared<C>>) {
        match &self.first {
            None => self.first = Some((target, prepared)),
            Some(_) => self.others.push((target, prepared)),
        }
    }

    /// Takes the request for a target out.
    pub(super) fn take(&mut self, target: usize) -> Option<Arc<Prepared<C>>> {
        let first = self.first.take_if(|(at, _)| *at == target);
        let other = || {
            let place = self.others.iter().position(|(at, _)| *at == target)?;
            Some(self.others.swap_remove(place))
        };
        first.or_else(other).map(|(_, prepared)| prepared)
    }
}

/// The credentials of one attempt.
pub(super) struct Signature {
    /// The address, if the credentials completed it.
    uri: Option<Url>,
    /// Sent besides the headers that are the same for every request.
    headers: Vec<(String, HeaderValue)>,
    /// The secrets that a server may echo and nobody may see.
    pub(super) secrets: Arc<Secrets>,
}

impl Signature {
    /// Signs a request over the bytes it sends, within `bounds`.
    ///
    /// # Errors
    ///
    /// [`Authentication`](ErrorKind::Authentication) if the credentials cannot be had.
    fn of(
        target: &Target,
        method: Method,
        uri: &Url,
        body: &[u8],
        caller: &Caller,
        bounds: &Bounds,
    ) -> Result<Self, Error> {
        let settings = &target.endpoint.settings;
        if let Some(lacking) = &settings.lacking {
            let message = format!("there is no recording of this request, and {lacking}");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let refused = |message: String| {
            Error::new(ErrorKind::Authentication, message).with_phase(Phase::Encode)
        };
        let Some(credentials) = &settings.credentials else { return Ok(Self::none(settings)) };
        #[cfg(not(feature = "vertex"))]
        let _ = caller;
        #[cfg(feature = "vertex")]
        let tokens = TokenRequests { caller, settings };
        let mut unsigned = Unsigned {
            method: method.as_str(),
            url: uri.as_str(),
            body,
            bounds,
            #[cfg(feature = "vertex")]
            tokens: &tokens,
        };
        let failed = |cause: Box<dyn StdError + Send + Sync>| match cause.downcast::<Error>() {
            Ok(error) => error.with_phase(Phase::Encode),
            Err(cause) => {
                let message = format!("cannot get credentials for {}", settings.profile.id);
                refused(message).with_source(cause)
            }
        };
        let completed = match url::lacks_project(uri) {
            false => None,
            true => {
                let project = credentials.project(&unsigned).map_err(failed)?;
                let project = project.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Configuration,
                        "the Google Cloud project is unknown; set GOOGLE_VERTEX_PROJECT, or call \
                         .project(…)",
                    )
                })?;
                Some(url::with_project(uri, &project)?)
            }
        };
        if let Some(url) = &completed {
            unsigned.url = url.as_str();
        }
        let made = credentials.headers(&unsigned).map_err(failed)?;
        let mut secrets = Secrets::clone(&settings.secrets);
        let mut headers = Vec::with_capacity(made.len());
        for (name, value) in &made {
            // AWS repeats the time in errors about the clock.
            if !name.eq_ignore_ascii_case("x-amz-date") {
                secrets.add_header(name, value.expose());
            }
            let name = header_name(name).ok_or_else(|| {
                refused(format!("the credentials set a header {name:?}, which is not a valid header name; correct it"))
            })?;
            let value = HeaderValue::new(value.expose()).ok_or_else(|| {
                refused(format!(
                    "the credentials set the header {name} to a value with a character that a header \
                     cannot carry; correct it"
                ))
            })?;
            headers.push((name, value.secret(true)));
        }
        Ok(Self { uri: completed, headers, secrets: Arc::new(secrets) })
    }

    /// That of a request that needs no credentials of its own.
    fn none(settings: &ProviderSettings) -> Self {
        Self { uri: None, headers: Vec::new(), secrets: Arc::clone(&settings.secrets) }
    }

    /// Adds headers of the request itself.
    pub(super) fn with_headers(mut self, headers: &[(String, HeaderValue)]) -> Self {
        self.headers.extend_from_slice(headers);
        self
    }
}

impl<C> retry::Target for Prepared<C> {
    fn provider(&self) -> &str {
        self.target.endpoint.id().as_str()
    }

    fn model(&self) -> &str {
        &self.target.model
    }
}

impl<C> Prepared<C> {
    /// Signs an attempt over the bytes it sends, within `bounds`.
    ///
    /// # Errors
    ///
    /// [`Authentication`](ErrorKind::Authentication) if the credentials cannot be had.
    pub(super) fn sign(&self, caller: &Caller, bounds: &Bounds) -> Result<Signature, Error> {
        let Self { target, method, uri, body, .. } = self;
        Signature::of(target, *method, uri, body, caller, bounds)
    }

    /// The signature of a request that needs no credentials of its own.
    pub(super) fn unsigned(&self) -> Signature {
        Signature::none(&self.target.endpoint.settings)
    }

    /// The request as its recording is found: all that is sent, except for credentials and for the
    /// headers that change no answer.
    pub(super) fn recorded_as(&self) -> replay::Request<'_> {
        // A new field must be part of the key if it changes the answer.
        let Self { target, method, uri, body, betas, content: _ } = self;
        recorded_as(target, *method, uri, betas.as_ref(), body)
    }

    /// The recorded response to this request, as if it had just come, and the body of a stream.
    pub(super) fn replayed(&self, recorded: replay::Response) -> (Incoming, Option<Pieces>) {
        let fields = recorded.headers.iter();
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let mut incoming = Incoming {
            status: recorded.status,
            headers: HeaderFields::kept(fields),
            body: Vec::new(),
            sent: Sent {
                provider: self.target.endpoint.id().clone(),
                url: self.uri.clone(),
                bytes: self.body.len(),
            },
        };
        if recorded.streamed {
            return (incoming, Some(Pieces::of(recorded)));
        }
        incoming.body = recorded.pieces.concat();
        (incoming, None)
    }

    /// The bytes of an attempt, the `retries`th after the first.
    pub(super) fn outgoing<'a>(
        &'a self,
        retries: u32,
        idempotency_key: Option<&'a HeaderValue>,
        signature: &'a Signature,
    ) -> Outgoing<'a> {
        let endpoint = &self.target.endpoint;
        Outgoing {
            provider: endpoint.id(),
            method: self.method,
            uri: signature.uri.as_ref().unwrap_or(&self.uri),
            headers: &endpoint.headers,
            credentials: &signature.headers,
            retries,
            idempotency_key,
            content_type: None,
            betas: self.betas.as_ref().or(endpoint.settings.betas.as_ref()),
            body: &self.body,
        }
    }
}

/// A request from its parts, as its recording is found.
pub(super) fn recorded_as<'a>(
    target: &'a Target,
    method: Method,
    url: &'a Url,
    betas: Option<&'a HeaderValue>,
    body: &'a [u8],
) -> replay::Request<'a> {
    let settings = &target.endpoint.settings;
    replay::Request {
        provider: settings.profile.id.as_str(),
        model: &target.model,
        method: method.as_str(),
        url,
        betas: betas.or(settings.betas.as_ref()).map(HeaderValue::as_str),
        body,
    }
}
