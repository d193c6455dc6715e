//! The name of a provider.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A provider of models, by a short name such as `openai`, `groq` or `ollama`.
///
/// Any name is valid. [`Profile::all`](crate::provider::Profile::all) lists the ones this crate
/// knows.
///
/// ```
/// use tollgate::Provider;
///
/// assert_eq!(Provider::new("groq").as_str(), "groq");
/// assert_eq!(Provider::new("openai"), Provider::OPENAI);
/// ```
#[derive(Clone)]
pub struct Provider(Name);

#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Provider {
    /// OpenAI.
    pub const OPENAI: Self = Self(Name::Static("openai"));
    /// Anthropic.
    pub const ANTHROPIC: Self = Self(Name::Static("anthropic"));
    /// Cohere, in its own format.
    pub const COHERE: Self = Self(Name::Static("cohere"));
    /// Google's Gemini API, in its own format.
    pub const GEMINI: Self = Self(Name::Static("gemini"));
    /// Ollama on your own machine, in its own format.
    pub const OLLAMA: Self = Self(Name::Static("ollama"));

    /// Google's Vertex AI: Gemini and Claude, with Google Cloud's credentials.
    pub const VERTEX: Self = Self(Name::Static("vertex"));

    /// Amazon Bedrock, in its own format.
    pub const BEDROCK: Self = Self(Name::Static("bedrock"));

    /// Creates a provider from its name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(Name::Shared(name.into()))
    }

    /// Creates a provider from a static name, without allocating.
    pub const fn from_static(name: &'static str) -> Self {
        Self(Name::Static(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(name) => name,
            Name::Shared(name) => name,
        }
    }

    /// The environment variable that sets any provider's base URL, such as `GROQ_BASE_URL`.
    pub(crate) fn base_url_variable(&self) -> String {
        let upper = self.as_str().to_ascii_uppercase();
        let name: String =
            upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{name}_BASE_URL")
    }
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
    fn static_and_shared_names_compare_and_hash_alike() {
        use std::collections::HashSet;

        assert_eq!(Provider::new("openai"), Provider::OPENAI);
        assert_eq!(Provider::from("my-gateway"), "my-gateway");
        let set: HashSet<_> = [Provider::new("openai"), Provider::OPENAI].into();
        assert_eq!(set.len(), 1);
        assert_eq!(format!("{:?}", Provider::new("my-gateway")), "Provider(\"my-gateway\")");
    }

    #[test]
    fn a_provider_is_stored_as_its_name() {
        let stored = serde_json::to_string(&Provider::ANTHROPIC).unwrap();
        assert_eq!(stored, "\"anthropic\"");
        let read: Provider = serde_json::from_str("\"anthropic\"").unwrap();
        assert_eq!(read, Provider::ANTHROPIC);
        assert!(serde_json::from_str::<Provider>("7").is_err());
    }
}
