use std::borrow::Cow;
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

/// What must not show up in an error, although a server may repeat it there.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Values too short to be secret, such as `true`, would only garble messages.
    pub(crate) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = Vec::new();
        for value in values {
            let secret = value.strip_prefix("Bearer ").unwrap_or(&value).trim();
            if secret.len() >= 8 {
                // A longer one may contain a shorter one.
                let place = secrets.partition_point(|other| other.len() >= secret.len());
                secrets.insert(place, secret.to_owned());
            }
        }
        Self(secrets)
    }

    /// `text` with `[key]` in the place of every secret.
    pub(crate) fn hide<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        self.0.iter().fold(text, |text, secret| {
            if text.contains(secret) { Cow::Owned(text.replace(secret, "[key]")) } else { text }
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_hidden_wherever_it_stands() {
        let secrets =
            Secrets::new(["sk-12345678", "Bearer sk-12345678-long", "short"].map(str::to_owned));
        for (text, expected) in [
            ("nothing here", "nothing here"),
            ("sk-12345678,sk-12345678", "[key],[key]"),
            ("bad key sk-12345678-long.", "bad key [key]."),
            ("a short one stays", "a short one stays"),
        ] {
            assert_eq!(secrets.hide(text.into()), expected);
        }
        assert!(!format!("{secrets:?}").contains("sk-1"));
    }
}
