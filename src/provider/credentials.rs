//! Credentials that are made for each attempt.

use std::error::Error as StdError;

use crate::key::ApiKey;

/// Why credentials cannot be made.
type Failure = Box<dyn StdError + Send + Sync>;

/// A request that is about to be sent, as a signature may cover it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Unsigned<'a> {
    /// `POST` or another.
    pub method: &'a str,
    /// The absolute URL.
    pub url: &'a str,
    /// The body, byte for byte as it is sent.
    pub body: &'a [u8],
}

/// Makes the credentials of each attempt, for a provider where a fixed key does not do:
/// tokens that expire, such as those of Microsoft Entra ID or Google Cloud, and signatures
/// over the request, such as AWS's.
///
/// It is asked on the calling thread, once before each attempt, with no lock held, and must
/// be quick: a token belongs in a cache until shortly before it expires.
///
/// Any function that returns an [`ApiKey`] is one: the key is sent as
/// `Authorization: Bearer …` (RFC 6750).
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
    /// The headers to send with a request, by name and value. Their values are kept out of
    /// errors and logs, as a key is.
    ///
    /// # Errors
    ///
    /// Ends the call with [`ErrorKind::Authentication`](crate::ErrorKind::Authentication),
    /// this error as its source. Nothing is sent, and there is no retry.
    fn headers(&self, request: &Unsigned<'_>) -> Result<Vec<(String, ApiKey)>, Failure>;
}

impl<F: Fn() -> Result<ApiKey, Failure> + Send + Sync> Credentials for F {
    fn headers(&self, _request: &Unsigned<'_>) -> Result<Vec<(String, ApiKey)>, Failure> {
        let token = self()?;
        Ok(vec![("authorization".to_owned(), ApiKey::from(format!("Bearer {}", token.expose())))])
    }
}
