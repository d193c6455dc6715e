//! Reads the publisher from a model's name.

use crate::error::Error;

/// A model on Vertex AI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model<'a> {
    /// Who published it, such as `google`; empty for a tuned model, whose name is its endpoint's id.
    pub(super) publisher: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Model<'a> {
    /// Reads `publishers/{publisher}/models/{name}`, `{publisher}/{name}`, `models/{name}`,
    /// `endpoints/{id}` or a plain name, as python-genai does (`_transformers.py`, `t_model`). A
    /// plain name is Claude's if it starts with `claude`, otherwise Google's.
    pub(super) fn of(model: &'a str) -> Self {
        let model = model.strip_prefix("publishers/").unwrap_or(model);
        match model.split_once('/') {
            Some(("endpoints", id)) => Self { publisher: "", name: id },
            Some(("models", name)) => Self::plain(name),
            Some((publisher, name)) => {
                Self { publisher, name: name.strip_prefix("models/").unwrap_or(name) }
            }
            None => Self::plain(model),
        }
    }

    fn plain(name: &'a str) -> Self {
        let is_claude = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("claude"));
        Self { publisher: if is_claude { "anthropic" } else { "google" }, name }
    }
}

/// Returns true if Anthropic published the model, so that it speaks Anthropic's format.
pub(in crate::wire) fn is_claude(model: &str) -> bool {
    Model::of(model).publisher == "anthropic"
}

/// Refuses the models of other publishers, which have formats of their own.
pub(super) fn check(model: &str) -> Result<(), Error> {
    match Model::of(model).publisher {
        "google" | "anthropic" | "" => Ok(()),
        other => Err(Error::invalid_request(format!(
            "{model} is a model of {other}, but the provider vertex serves only Gemini and Claude; \
             use the publisher's own API, or Vertex AI's OpenAI-compatible endpoint with the \
             provider openai and its base URL"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_publisher() {
        for (model, publisher, name) in [
            ("gemini-2.5-flash", "google", "gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "google", "gemini-2.5-flash"),
            ("google/gemini-2.5-flash", "google", "gemini-2.5-flash"),
            ("publishers/google/models/gemini-2.5-flash", "google", "gemini-2.5-flash"),
            ("claude-sonnet-4-5@20250929", "anthropic", "claude-sonnet-4-5@20250929"),
            ("anthropic/claude-opus-5", "anthropic", "claude-opus-5"),
            ("publishers/anthropic/models/claude-opus-5", "anthropic", "claude-opus-5"),
            ("publishers/meta/models/llama-4", "meta", "llama-4"),
            ("endpoints/123", "", "123"),
            ("", "google", ""),
            ("claud\u{e9}", "google", "claud\u{e9}"),
        ] {
            assert_eq!(Model::of(model), Model { publisher, name }, "{model}");
            assert_eq!(check(model).is_ok(), publisher != "meta", "{model}");
        }
        assert!(is_claude("Claude-opus-5") && !is_claude("gemini-3-pro"));
    }
}
