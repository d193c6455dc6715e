//! A request, checked and encoded for one target.

use std::sync::Arc;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

use super::target::Target;
use crate::error::{Error, ErrorKind, Phase};
use crate::key::Secrets;
use crate::provider::Unsigned;
use crate::retry;
use crate::transport::Outgoing;

/// A request for one target, which can be sent any number of times.
pub(super) struct Prepared<C> {
    pub(super) target: Target,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) body: Vec<u8>,
    /// The betas to send, if the request asks for more than the client's.
    pub(super) betas: Option<HeaderValue>,
    /// What its operation keeps of it.
    pub(super) content: C,
}

/// The credentials of one attempt.
pub(super) struct Signature {
    /// Sent besides the headers that are the same for every request.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The secrets that a server may echo and nobody may see.
    pub(super) secrets: Arc<Secrets>,
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
    /// Signs an attempt over the bytes it sends.
    ///
    /// # Errors
    ///
    /// [`Authentication`](ErrorKind::Authentication) if the credentials cannot be had.
    pub(super) fn sign(&self) -> Result<Signature, Error> {
        let settings = &self.target.endpoint.settings;
        let Some(credentials) = &settings.credentials else {
            return Ok(Signature { headers: Vec::new(), secrets: Arc::clone(&settings.secrets) });
        };
        let url = self.uri.to_string();
        let made = credentials.headers(&Unsigned {
            method: self.method.as_str(),
            url: &url,
            body: &self.body,
        });
        let refused = |message: String| {
            Error::new(ErrorKind::Authentication, message).with_phase(Phase::Encode)
        };
        let made = made.map_err(|cause| {
            let message = format!("cannot get credentials for {}", settings.profile.id);
            refused(message).with_source(cause)
        })?;
        let mut secrets = Secrets::clone(&settings.secrets);
        let mut headers = Vec::with_capacity(made.len());
        for (name, value) in &made {
            secrets.add_header(name, value.expose());
            let name = HeaderName::try_from(name).map_err(|_| {
                refused(format!("the credentials set a header {name:?}, which is not a valid header name; correct it"))
            })?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
                refused(format!(
                    "the credentials set the header {name} to a value with a character that a header \
                     cannot carry; correct it"
                ))
            })?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        Ok(Signature { headers, secrets: Arc::new(secrets) })
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
            method: &self.method,
            uri: &self.uri,
            headers: &endpoint.headers,
            credentials: &signature.headers,
            retries,
            idempotency_key,
            betas: self.betas.as_ref().or(endpoint.settings.betas.as_ref()),
            body: &self.body,
        }
    }
}
