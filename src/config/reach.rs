//! Which providers a client can call, and where they are.

use super::{Environment, ProviderSettings, Settings};
use crate::provider::{self, Format, Profile};
use crate::url::Url;

/// A provider that a client can call.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    pub(crate) profile: Profile,
    /// Its name in the price table.
    pub(crate) price_provider: String,
    /// The region that its address names.
    pub(crate) region: Option<String>,
}

impl Reached {
    pub(crate) fn new(settings: &ProviderSettings) -> Self {
        Self {
            profile: settings.profile.clone(),
            price_provider: settings.price_provider.clone(),
            region: region(&settings.base).map(str::to_owned),
        }
    }
}

impl Settings {
    /// A provider that was not set up; `None` if its key is not in the environment, or its address
    /// is incomplete. One that needs no key is not reached either: whether its server runs, nobody
    /// knows.
    pub(crate) fn reached(&self, id: &str) -> Option<Reached> {
        let profile = provider::find(id, &self.profiles)?;
        if !has_key(&profile, &Environment::of_process()) {
            return None;
        }
        self.provider(&profile.id).ok().as_ref().map(Reached::new)
    }
}

/// Whether the environment has a key or other credentials for a provider.
fn has_key(profile: &Profile, environment: &Environment<'_>) -> bool {
    let usual: &[&str] = match profile.format {
        Some(Format::Bedrock) => &["AWS_ACCESS_KEY_ID", "AWS_PROFILE"],
        Some(Format::Vertex) => &["GOOGLE_APPLICATION_CREDENTIALS"],
        _ => &[],
    };
    let variables = profile.key_variables.iter().chain(&profile.token_variables).map(AsRef::as_ref);
    let is_set = |name: &str| matches!(environment.read(name), Ok(Some(_)));
    variables.chain(usual.iter().copied()).any(is_set)
}

/// The region in an address of AWS (`bedrock-runtime.eu-west-1.amazonaws.com`) or Vertex AI
/// (`…/locations/eu`).
fn region(base: &Url) -> Option<&str> {
    let of_path = || {
        let (_, after) = base.path().split_once("/locations/")?;
        after.split('/').next().filter(|name| !name.is_empty())
    };
    provider::region_of_host(base.host()).or_else(of_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_regions() {
        for (url, expected) in [
            ("https://bedrock-runtime.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://bedrock-mantle.us-east-2.api.aws/v1", Some("us-east-2")),
            ("https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu", Some("eu")),
            ("https://aiplatform.googleapis.com/v1", None),
            ("https://api.openai.com/v1", None),
        ] {
            assert_eq!(region(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_provider_has_a_key_if_one_of_its_variables_is_set() {
        for (provider, variable, value, expected) in [
            ("groq", "GROQ_API_KEY", "gsk", true),
            ("groq", "GROQ_API_KEY", " ", false),
            ("groq", "OPENAI_API_KEY", "sk", false),
            ("bedrock", "AWS_BEARER_TOKEN_BEDROCK", "t", true),
            ("bedrock", "AWS_ACCESS_KEY_ID", "AKIA", true),
            ("vertex", "GOOGLE_APPLICATION_CREDENTIALS", "/key.json", true),
            ("ollama", "OLLAMA_HOST", "localhost", false),
        ] {
            let environment = Environment::new(|name| (name == variable).then_some(value));
            let profile = Profile::builtin(provider).unwrap();
            assert_eq!(has_key(&profile, &environment), expected, "{provider} {variable}");
        }
    }
}
