//! Credentials made for each attempt.

use std::error::Error as StdError;

use crate::key::ApiKey;

/// Why credentials could not be made.
type Failure = Box<dyn StdError + Send + Sync>;

/// A request before signing, with everything a signature may cover.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Unsigned<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The absolute URL.
    pub url: &'a str,
    /// The body, exactly as it is sent.
    pub body: &'a [u8],
}

/// Makes the credentials of each attempt, for a provider that does not take a fixed key: expiring
/// tokens, such as those of Microsoft Entra ID or Google Cloud, and signatures over the request,
/// such as AWS's.
///
/// The client calls it on the calling thread, once before each attempt, with no lock held. It must
/// be quick: cache a token until shortly before it expires.
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
    /// and becomes its source. Nothing is sent, and there is no retry.
    fn headers(&self, request: &Unsigned<'_>) -> Result<Vec<(String, ApiKey)>, Failure>;
}

impl<F: Fn() -> Result<ApiKey, Failure> + Send + Sync> Credentials for F {
    fn headers(&self, _request: &Unsigned<'_>) -> Result<Vec<(String, ApiKey)>, Failure> {
        let token = self()?;
        Ok(vec![("authorization".to_owned(), ApiKey::from(format!("Bearer {}", token.expose())))])
    }
}
