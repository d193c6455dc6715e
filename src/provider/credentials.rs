//! Credentials made for each attempt.

use std::error::Error as StdError;
use std::fmt;
use std::time::Instant;

#[cfg(feature = "vertex")]
use super::auth::google::TokenServer;
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::key::ApiKey;

/// Why credentials could not be made.
type Failure = Box<dyn StdError + Send + Sync>;

/// A request before signing, with everything a signature may cover.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Unsigned<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The absolute URL.
    pub url: &'a str,
    /// The body, exactly as it is sent.
    pub body: &'a [u8],
    /// What can end the call while its credentials are made.
    pub(crate) bounds: &'a Bounds,
    /// Sends requests for tokens with the client's connections.
    #[cfg(feature = "vertex")]
    pub(crate) tokens: &'a dyn TokenServer,
}

impl<'a> Unsigned<'a> {
    /// Returns when the attempt times out, if it does. Credentials that take time should give up
    /// by then.
    pub fn deadline(&self) -> Option<Instant> {
        self.bounds.deadline.at()
    }

    /// Returns the call's cancel token, if it has one. Credentials that take time should give up
    /// when it is cancelled.
    pub fn cancel_token(&self) -> Option<&'a CancelToken> {
        self.bounds.cancel.as_ref()
    }
}

/// Hides the body, which contains the prompt, and the URL's query, which may contain a key.
impl fmt::Debug for Unsigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Unsigned")
            .field("method", &self.method)
            .field("url", &url)
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

/// Makes the credentials of each attempt, for a provider that does not take a fixed key: expiring
/// tokens, such as those of Microsoft Entra ID or Google Cloud, and signatures over the request,
/// such as AWS's.
///
/// The client calls it on the calling thread, once before each attempt, with no lock held. It must
/// be quick: cache a token until shortly before it expires, and respect the
/// [deadline](Unsigned::deadline) and the [cancel token](Unsigned::cancel_token) where it waits.
///
/// A function that returns an [`ApiKey`] also works: the key is sent as `Authorization: Bearer …`
/// (RFC 6750).
///
/// ```
/// use tollgate::{ApiKey, Client, ProviderConfig};
///
/// fn entra_token() -> Result<ApiKey, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(ApiKey::from("eyJ…")) // from a cache, or a new one
/// }
///
/// let azure = ProviderConfig::new("azure")
///     .base_url("https://acme.openai.azure.com/openai/v1")
///     .credentials(entra_token);
/// let client = Client::builder().add_provider(azure).build();
/// # let _ = client;
/// ```
pub trait Credentials: Send + Sync {
    /// Returns the headers to send with a request, by name and value. Errors and logs never show
    /// their values, as for a key.
    ///
    /// # Errors
    ///
    /// An error ends the call with [`ErrorKind::Authentication`](crate::ErrorKind::Authentication)
    /// and becomes its source. Nothing is sent, and there is no retry. A [`tollgate::Error`
    /// ](crate::Error) keeps its kind instead, and is retried if it
    /// [may be](crate::Error::is_retryable).
    fn headers(&self, request: &Unsigned<'_>) -> Result<Vec<(String, ApiKey)>, Failure>;

    /// Returns the project that the credentials belong to, if they know it. The client asks before
    /// [`headers`](Self::headers) if its address needs a Google Cloud project and the settings name
    /// none. Default: `None`.
    ///
    /// # Errors
    ///
    /// As for [`headers`](Self::headers).
    fn project(&self, request: &Unsigned<'_>) -> Result<Option<String>, Failure> {
        let _ = request;
        Ok(None)
    }

    /// The provider rejected the credentials with status 401. If a token is cached, drop it, so
    /// that the next call makes a new one. Default: does nothing.
    fn rejected(&self) {}

    /// Returns the AWS region that the credentials are for, if they name one. The client uses it
    /// for Bedrock's address if the settings name no location. Default: `None`.
    fn region(&self) -> Option<&str> {
        None
    }
}

impl<F: Fn() -> Result<ApiKey, Failure> + Send + Sync> Credentials for F {
    fn headers(&self, _request: &Unsigned<'_>) -> Result<Vec<(String, ApiKey)>, Failure> {
        let token = self()?;
        Ok(vec![("authorization".to_owned(), ApiKey::from(format!("Bearer {}", token.expose())))])
    }
}
