//! The id of a provider.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Who serves the models, by a short name such as `openai`, `groq` or `ollama`.
///
/// Any name is possible. The names that the crate knows are those of
/// [`Profile::builtin`](crate::provider::Profile::builtin); their aliases, such as `together_ai`, mean the same provider.
///
/// ```
/// use tollgate::Provider;
///
/// assert_eq!(Provider::new("groq").as_str(), "groq");
/// assert_eq!(Provider::new("together_ai"), Provider::new("together"));
/// assert_eq!(Provider::new("openai"), Provider::OPENAI);
/// ```
#[derive(Clone)]
pub struct Provider(Name);

#[derive(Clone)]
enum Name {
    /// Of the registry, so that most clones copy a reference.
    Known(&'static str),
    Own(Arc<str>),
}

impl Provider {
    /// OpenAI.
    pub const OPENAI: Self = Self(Name::Known("openai"));
    /// Anthropic.
    pub const ANTHROPIC: Self = Self(Name::Known("anthropic"));

    /// The provider of this name. An alias that the crate knows becomes the provider's
    /// own name; any other name stays as it is.
    pub fn new(name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        Self(match super::registry::canonical(name) {
            Some(known) => Name::Known(known),
            None => Name::Own(name.into()),
        })
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Own(name) => name,
        }
    }
}

/// The provider of a row of the registry.
pub(super) fn known(id: &'static str) -> Provider {
    Provider(Name::Known(id))
}

impl From<&str> for Provider {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Provider {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<&Provider> for Provider {
    fn from(provider: &Provider) -> Self {
        provider.clone()
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.as_str()).finish()
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Provider {}

impl PartialEq<str> for Provider {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Provider {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Hash for Provider {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Provider {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Provider {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_alias_means_the_provider_and_any_other_name_stays() {
        assert_eq!(Provider::new("fireworks_ai").as_str(), "fireworks");
        assert_eq!(Provider::new("OpenAI"), Provider::OPENAI);
        assert_eq!(Provider::new("my-gateway").as_str(), "my-gateway");
        assert_eq!(format!("{:?}", Provider::new("my-gateway")), "Provider(\"my-gateway\")");
    }

    #[test]
    fn it_is_stored_as_its_name() {
        let stored = serde_json::to_string(&Provider::ANTHROPIC).unwrap();
        assert_eq!(stored, "\"anthropic\"");
        let read: Provider = serde_json::from_str("\"claude\"").unwrap();
        assert_eq!(read, Provider::ANTHROPIC);
        assert!(serde_json::from_str::<Provider>("7").is_err());
    }
}
