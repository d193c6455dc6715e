//! The models that OpenAI serves only in the Responses API.

use crate::wire::openai_chat::is_newer;

/// Returns true if OpenAI serves `model` only in the Responses API. Chat Completions rejects such a
/// model: "This model is only supported in v1/responses and not in v1/chat/completions"
/// (avante-corp/avante.nvim #2225).
///
/// These are the models that openai-python lists in `ResponsesModel` but not in `ChatModel`, and
/// those for which LiteLLM's `model_prices_and_context_window.json` lists `/v1/responses` but not
/// chat: `o1-pro`, `o3-pro`, `gpt-5-pro` and its successors, all Codex models, deep research,
/// computer use, `gpt-5.6-cyber` and the `gpt-daybreak` models, with or without a date.
pub(crate) fn serves(model: &str) -> bool {
    let named = ["computer-use-preview", "codex-mini", "gpt-daybreak-"];
    if named.iter().any(|prefix| model.starts_with(prefix)) {
        return true;
    }
    let mut words = model.split('-');
    (words.any(|word| matches!(word, "pro" | "codex" | "cyber"))
        || model.contains("-deep-research"))
        && is_newer(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_served_only_in_the_responses_api_are_recognised() {
        for model in [
            "o1-pro",
            "o1-pro-2025-03-19",
            "o3-pro",
            "o3-pro-2025-06-10",
            "o3-deep-research",
            "o4-mini-deep-research-2025-06-26",
            "computer-use-preview",
            "computer-use-preview-2025-03-11",
            "codex-mini-latest",
            "codex-mini",
            "gpt-5-codex",
            "gpt-5.1-codex-max",
            "gpt-5.1-codex-mini",
            "gpt-5.3-codex",
            "gpt-5-pro",
            "gpt-5-pro-2025-10-06",
            "gpt-5.5-pro-2026-04-23",
            "gpt-5.6-cyber",
            "gpt-daybreak-red-latest",
        ] {
            assert!(serves(model), "{model}");
        }
        for model in [
            "o1",
            "o3-mini",
            "o4-mini-2025-04-16",
            "gpt-4o",
            "gpt-4o-pro",
            "gpt-5",
            "gpt-5-mini",
            "gpt-5-chat-latest",
            "gpt-5.5-2026-04-23",
            "gemini-3-pro",
            "prototype",
            "",
        ] {
            assert!(!serves(model), "{model}");
        }
    }
}
