//! How a model is named: `provider/model`.

use super::registry::{canonical, names};
use super::{Provider, similar};
use crate::error::{Error, ErrorKind};

/// A model of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelName {
    pub(crate) provider: Provider,
    /// As the provider itself names it.
    pub(crate) model: String,
}

/// Reads `provider/model`.
///
/// What stands before the first slash is the provider, by its name or an alias. All that
/// follows is the model's own name, slashes included:
///
/// | name | provider | model |
/// |---|---|---|
/// | `groq/llama-3.3-70b-versatile` | `groq` | `llama-3.3-70b-versatile` |
/// | `groq/openai/gpt-oss-120b` | `groq` | `openai/gpt-oss-120b` |
/// | `openrouter/anthropic/claude-sonnet-4.5` | `openrouter` | `anthropic/claude-sonnet-4.5` |
/// | `openrouter/openrouter/auto` | `openrouter` | `openrouter/auto` |
/// | `meta-llama/Llama-3.3-70B-Instruct` | an error: no provider has that name | |
/// | `gpt-4o-mini` | an error: it names no provider | |
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration), with the nearest names, for a name without
/// a provider, without a model, or with a provider that nobody knows.
pub(crate) fn split(name: &str) -> Result<ModelName, Error> {
    let name = name.trim();
    let refuse = |message: String| Err(Error::new(ErrorKind::Configuration, message));
    let Some((provider, model)) = name.split_once('/') else {
        return refuse(format!(
            "the model {name:?} names no provider; write provider/model, such as \
             \"openai/gpt-4o-mini\" or \"groq/llama-3.3-70b-versatile\""
        ));
    };
    if model.trim().is_empty() {
        return refuse(format!(
            "the name {name:?} has no model after the slash; write provider/model"
        ));
    }
    match canonical(provider) {
        Some(id) => Ok(ModelName { provider: Provider::from_static(id), model: model.to_owned() }),
        None => refuse(unknown(provider)),
    }
}

/// What to say of a provider that nobody knows.
pub(crate) fn unknown(provider: &str) -> String {
    let mut nearest: Vec<_> =
        similar::nearest(provider, names()).into_iter().filter_map(canonical).collect();
    nearest.dedup();
    let hint = match nearest.as_slice() {
        [] => "; see tollgate::provider for the names, or add a profile of your own".to_owned(),
        nearest => format!("; did you mean {}?", nearest.join(" or ")),
    };
    format!("there is no provider {provider:?}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_slash_ends_the_provider() {
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
            assert_eq!((split.provider.as_str(), split.model.as_str()), (provider, model));
        }
    }

    #[test]
    fn what_names_no_known_provider_is_an_error_that_helps() {
        for (name, expected) in [
            ("gpt-4o-mini", "names no provider; write provider/model"),
            ("", "names no provider"),
            ("gorq/llama-3", "there is no provider \"gorq\"; did you mean groq"),
            ("mistrall/small", "did you mean mistral?"),
            ("meta-llama/Llama-3.3-70B", "there is no provider \"meta-llama\""),
            ("/gpt-4o", "there is no provider \"\""),
            ("openai/", "has no model after the slash"),
            ("openai/  ", "has no model after the slash"),
        ] {
            let error = split(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
            assert!(error.message().contains(expected), "{name}: {error}");
        }
    }
}
