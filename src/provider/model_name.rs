//! How to name a model: `provider/model`.

use super::registry::{canonical, lookup, names};
use super::{ModelNames, Profile, Provider, similar};
use crate::error::{Error, ErrorKind};

/// A model of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelName<'a> {
    pub(crate) provider: Provider,
    /// The provider's own name for it.
    pub(crate) model: &'a str,
}

/// The provider of requests that name no other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) id: &'a Provider,
    pub(crate) names: ModelNames,
}

/// Publishers of open-weight models whose names are also names of providers. Many providers serve
/// these models under the publisher's name: Hugging Face's model ids, which Together, Groq,
/// DeepInfra and others use unchanged (<https://huggingface.co/models>).
const PUBLISHERS: [&str; 5] = ["openai/gpt-oss", "qwen/", "nvidia/", "mistralai/", "moonshotai/"];

/// Parses the name of a model in a request.
///
/// `own` is the client's own provider; `profiles` are known besides the built-in ones.
/// [`ChatRequest::model`](crate::ChatRequest::model) documents the rule.
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration), with similar names.
pub(crate) fn resolve<'a>(
    name: &'a str,
    own: Option<Own<'_>>,
    profiles: &[Profile],
) -> Result<ModelName<'a>, Error> {
    let name = name.trim();
    let refuse = |message: String| Err(Error::new(ErrorKind::Configuration, message));
    let Some((first, model)) = name.split_once('/') else {
        return match own {
            Some(own) => Ok(ModelName { provider: own.id.clone(), model: name }),
            None => refuse(format!(
                "the model {name:?} names no provider; write it as provider/model, such as \
                 \"openai/gpt-4o-mini\" or \"groq/llama-3.3-70b-versatile\""
            )),
        };
    };
    let provider = id(first, profiles);
    if let Some(own) = own {
        let is_publisher = || {
            PUBLISHERS.iter().any(|publisher| {
                name.get(..publisher.len()).is_some_and(|of| of.eq_ignore_ascii_case(publisher))
            })
        };
        let is_own = match (own.names, &provider) {
            (_, Some(id)) if id == own.id => false,
            (ModelNames::Gateway, _) => true,
            (ModelNames::Slashes, Some(_)) => is_publisher(),
            (ModelNames::Slashes, None) => {
                is_publisher() || !similar::is_misspelled(first, all_names(profiles))
            }
            (ModelNames::Plain, _) => false,
        };
        if is_own {
            return Ok(ModelName { provider: own.id.clone(), model: name });
        }
    }
    match provider {
        Some(_) if model.trim().is_empty() => refuse(format!(
            "the name {name:?} has no model after the slash; write it as provider/model"
        )),
        Some(provider) => Ok(ModelName { provider, model }),
        None => refuse(match (own, unknown(first, profiles)) {
            (Some(own), unknown) => format!(
                "{}{} if {name:?} is a model's own name at {}, write \"{}/{name}\"",
                unknown,
                if unknown.ends_with('?') { "" } else { ";" },
                own.id,
                own.id
            ),
            (None, unknown) => unknown,
        }),
    }
}

/// Parses `provider/model`.
///
/// The part before the first slash is the provider, by name or alias. The rest is the model's own
/// name, which may contain slashes:
///
/// | name | provider | model |
/// |---|---|---|
/// | `groq/llama-3.3-70b-versatile` | `groq` | `llama-3.3-70b-versatile` |
/// | `groq/openai/gpt-oss-120b` | `groq` | `openai/gpt-oss-120b` |
/// | `openrouter/anthropic/claude-sonnet-4.5` | `openrouter` | `anthropic/claude-sonnet-4.5` |
/// | `openrouter/openrouter/auto` | `openrouter` | `openrouter/auto` |
/// | `meta-llama/Llama-3.3-70B-Instruct` | error: no provider has that name | |
/// | `gpt-4o-mini` | error: no provider is named | |
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration), with similar names, if the name has no provider, no
/// model, or an unknown provider.
pub(crate) fn split(name: &str) -> Result<ModelName<'_>, Error> {
    resolve(name, None, &[])
}

/// The profile of a provider, by name or alias. `profiles` take precedence over the built-in ones.
pub(crate) fn find(name: &str, profiles: &[Profile]) -> Option<Profile> {
    let added = profiles.iter().find(|profile| has_name(profile, name));
    added.cloned().or_else(|| {
        let builtin = lookup(name)?;
        // An alias of a built-in provider that was replaced.
        let replaced = profiles.iter().find(|profile| profile.id == builtin.id);
        Some(replaced.cloned().unwrap_or(builtin))
    })
}

/// The id of a provider, by name or alias.
pub(crate) fn id(name: &str, profiles: &[Profile]) -> Option<Provider> {
    let added = profiles.iter().find(|profile| has_name(profile, name));
    added.map(|profile| profile.id.clone()).or_else(|| canonical(name).map(Provider::from_static))
}

fn has_name(profile: &Profile, name: &str) -> bool {
    profile.id.as_str().eq_ignore_ascii_case(name)
}

fn all_names<'a>(profiles: &'a [Profile]) -> impl Iterator<Item = &'a str> {
    let added = profiles.iter().map(|profile| profile.id.as_str());
    added.chain(names().map(|name| -> &'a str { name }))
}

/// The error text for an unknown provider.
pub(crate) fn unknown(provider: &str, profiles: &[Profile]) -> String {
    let mut nearest: Vec<_> = similar::nearest(provider, all_names(profiles))
        .into_iter()
        .map(|name| canonical(name).unwrap_or(name))
        .collect();
    nearest.dedup();
    let hint = match nearest.as_slice() {
        [] => "; see tollgate::provider for the names, or add a profile of your own".to_owned(),
        nearest => format!("; did you mean {}?", nearest.join(" or ")),
    };
    format!("unknown provider {provider:?}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_slash_separates_provider_and_model() {
        for (name, provider, model) in [
            ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
            (" groq/llama-3.3-70b-versatile ", "groq", "llama-3.3-70b-versatile"),
            ("groq/openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
            ("together_ai/meta-llama/Llama-3", "together", "meta-llama/Llama-3"),
            ("openrouter/openrouter/auto", "openrouter", "openrouter/auto"),
            ("openrouter/qwen/qwen3:free", "openrouter", "qwen/qwen3:free"),
            ("fireworks/accounts/fireworks/models/x", "fireworks", "accounts/fireworks/models/x"),
            ("cloudflare/@cf/meta/llama-3-8b", "cloudflare", "@cf/meta/llama-3-8b"),
            ("ollama/hf.co/unsloth/gemma:Q4", "ollama", "hf.co/unsloth/gemma:Q4"),
            ("Mistral/mistral-small", "mistral", "mistral-small"),
        ] {
            let split = split(name).unwrap();
            assert_eq!((split.provider.as_str(), split.model), (provider, model));
        }
    }

    #[test]
    fn an_ambiguous_name_stays_with_the_clients_own_provider() {
        use ModelNames::{Gateway, Plain, Slashes};

        for (own, names, name, provider, model) in [
            ("openai", Plain, "gpt-4o", "openai", "gpt-4o"),
            ("openai", Plain, "openai/gpt-4o", "openai", "gpt-4o"),
            ("openai", Plain, "groq/llama-3.3-70b", "groq", "llama-3.3-70b"),
            ("openai", Plain, "groq/openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
            ("anthropic", Plain, "claude/claude-haiku-4-5", "anthropic", "claude-haiku-4-5"),
            ("anthropic", Plain, "qwen/qwen-max", "alibaba", "qwen-max"),
            // A gateway's model names start with the names of other providers.
            ("openrouter", Gateway, "anthropic/claude-x", "openrouter", "anthropic/claude-x"),
            ("openrouter", Gateway, "openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o"),
            ("openrouter", Gateway, "some-lab/some-model", "openrouter", "some-lab/some-model"),
            ("litellm", Gateway, "gpt-4o", "litellm", "gpt-4o"),
            // These providers serve open-weight models under their publishers' names, and no
            // others.
            ("together", Slashes, "meta-llama/Llama-3.3", "together", "meta-llama/Llama-3.3"),
            ("together", Slashes, "Qwen/Qwen3-32B", "together", "Qwen/Qwen3-32B"),
            ("groq", Slashes, "openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
            ("groq", Slashes, "openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
            ("groq", Slashes, "anthropic/claude-x", "anthropic", "claude-x"),
            ("groq", Slashes, "groq/llama-3.3-70b", "groq", "llama-3.3-70b"),
            ("groq", Slashes, "moonshotai/kimi-k2", "groq", "moonshotai/kimi-k2"),
            ("huggingface", Slashes, "mistralai/Mixtral", "huggingface", "mistralai/Mixtral"),
            ("fireworks", Slashes, "accounts/x/models/y", "fireworks", "accounts/x/models/y"),
            ("ollama", Slashes, "deepseek-ai/x", "ollama", "deepseek-ai/x"),
        ] {
            let own = Provider::new(own);
            let found = resolve(name, Some(Own { id: &own, names }), &[]).unwrap();
            assert_eq!((found.provider.as_str(), found.model), (provider, model), "{own} {name}");
        }
        for (own, names, name, expected) in [
            ("openai", Plain, "gorq/llama", "did you mean groq?"),
            ("openai", Plain, "meta-llama/Llama-3", "write \"openai/meta-llama/Llama-3\""),
            ("together", Slashes, "gorq/llama", "did you mean groq?"),
            ("together", Slashes, "openai/", "has no model after the slash"),
        ] {
            let own = Provider::new(own);
            let error = resolve(name, Some(Own { id: &own, names }), &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn added_profiles_take_precedence_over_built_in_ones() {
        use crate::provider::Format;

        let acme = Profile::new("acme", Format::OpenAiChat, "https://a.example");
        let groq = Profile::new("groq", Format::OpenAiChat, "https://g.example");
        let profiles = [acme, groq];
        let found = resolve("Acme/acme-7b", None, &profiles).unwrap();
        assert_eq!((found.provider.as_str(), found.model), ("acme", "acme-7b"));
        assert_eq!(find("groq", &profiles).unwrap().base_url, "https://g.example");
        assert_eq!(find("mistral", &profiles).unwrap().id, "mistral");
        let error = resolve("acmee/x", None, &profiles).unwrap_err();
        assert!(error.message().contains("did you mean acme?"), "{error}");
    }

    #[test]
    fn a_name_without_a_known_provider_is_an_error_that_suggests_one() {
        for (name, expected) in [
            ("gpt-4o-mini", "names no provider; write it as provider/model"),
            ("", "names no provider"),
            ("gorq/llama-3", "unknown provider \"gorq\"; did you mean groq"),
            ("mistrall/small", "did you mean mistral?"),
            ("meta-llama/Llama-3.3-70B", "unknown provider \"meta-llama\""),
            ("/gpt-4o", "unknown provider \"\""),
            ("openai/", "has no model after the slash"),
            ("openai/  ", "has no model after the slash"),
        ] {
            let error = split(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
            assert!(error.message().contains(expected), "{name}: {error}");
        }
    }
}
