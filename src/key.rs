use std::fmt;

/// A provider's API key. `Debug` never shows it.
///
/// ```
/// use tollgate::ApiKey;
///
/// assert_eq!(format!("{:?}", ApiKey::from("sk-secret")), "ApiKey([hidden])");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key itself, without the white space that comes along when a key is read
    /// from a file.
    pub(crate) fn expose(&self) -> &str {
        self.0.trim()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([hidden])")
    }
}

impl From<&str> for ApiKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}
