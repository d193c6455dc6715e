//! Maps every server's finish reasons to [`FinishReason`].

use crate::chat::FinishReason;

/// What a finish reason says about the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Ended(FinishReason),
    /// The provider failed.
    Failed,
}

use FinishReason::{ContentFilter, Length, Other, Pause, Refusal, Stop, ToolCalls};
use Meaning::{Ended, Failed};

/// The finish reasons of every format and vendor, in lower case. A gateway can pass on the upstream
/// provider's finish reason, so one table serves all formats. No word has two meanings.
///
/// Sources: OpenAI's reference (`finish_reason`); Anthropic's `stop_reason.py`; Google's
/// `FinishReason` (ai.google.dev/api/generate-content); docs.cohere.com, v2/chat;
/// docs.z.ai, chat completion; docs.mistral.ai, `FinishReason`; Bedrock's `StopReason`
/// (Converse); text-generation-inference's `FinishReason`; IBM watsonx's `stop_reason`;
/// vLLM's `FinishReason`; and LiteLLM's map of them (`core_helpers.py`).
#[rustfmt::skip]
const WORDS: &[(&str, Meaning)] = &[
    ("stop", Ended(Stop)),           // OpenAI, Gemini
    ("end_turn", Ended(Stop)),       // Anthropic, Bedrock, xAI
    ("endturn", Ended(Stop)),        // OpenRouter, early
    ("stop_sequence", Ended(Stop)),  // Anthropic, Bedrock, TGI, Cohere, watsonx
    ("eos", Ended(Stop)),            // Together
    ("eos_token", Ended(Stop)),      // TGI, watsonx
    ("end_of_text", Ended(Stop)),
    ("endoftext", Ended(Stop)),      // AI21
    ("complete", Ended(Stop)),       // Cohere
    ("completed", Ended(Stop)),
    ("finish", Ended(Stop)),         // Bedrock's Titan
    ("finished", Ended(Stop)),
    ("normal", Ended(Stop)),         // Baidu
    ("done", Ended(Stop)),
    ("length", Ended(Length)),       // OpenAI, TGI, Bedrock's Titan
    ("model_length", Ended(Length)), // Mistral
    ("max_tokens", Ended(Length)),   // Anthropic, Bedrock, Cohere, Gemini, watsonx
    ("max_output_tokens", Ended(Length)), // OpenAI's Responses
    ("max_new_tokens", Ended(Length)),
    ("max_length", Ended(Length)),
    ("token_limit", Ended(Length)),  // watsonx
    ("limit", Ended(Length)),        // llama.cpp
    ("error_limit", Ended(Length)),  // Cohere v1: the context window
    ("model_context_window_exceeded", Ended(Length)), // Anthropic, Bedrock, Z.AI
    ("context_window_exceeded", Ended(Length)),
    ("context_length_exceeded", Ended(Length)),
    ("context_length", Ended(Length)),
    ("tool_calls", Ended(ToolCalls)), // OpenAI
    ("tool_call", Ended(ToolCalls)), // Cohere
    ("tool_use", Ended(ToolCalls)),  // Anthropic, Bedrock
    ("function_call", Ended(ToolCalls)), // OpenAI, old
    ("function_calls", Ended(ToolCalls)),
    ("content_filter", Ended(ContentFilter)), // OpenAI
    ("content_filtered", Ended(ContentFilter)), // Bedrock
    ("guardrail_intervened", Ended(ContentFilter)), // Bedrock
    ("sensitive", Ended(ContentFilter)), // Z.AI
    ("error_toxic", Ended(ContentFilter)), // Cohere v1
    ("safety", Ended(ContentFilter)), // Gemini, from here on
    ("recitation", Ended(ContentFilter)),
    ("blocklist", Ended(ContentFilter)),
    ("prohibited_content", Ended(ContentFilter)),
    ("spii", Ended(ContentFilter)),
    ("model_armor", Ended(ContentFilter)),
    ("image_safety", Ended(ContentFilter)),
    ("image_prohibited_content", Ended(ContentFilter)),
    ("image_recitation", Ended(ContentFilter)),
    ("refusal", Ended(Refusal)),     // Anthropic
    ("pause_turn", Ended(Pause)),    // Anthropic
    // DeepSeek: cut off for lack of resources. What arrived is usable and billed.
    ("insufficient_system_resource", Ended(Other)),
    ("error", Failed),               // OpenRouter, vLLM, Mistral, Cohere, watsonx
    ("timeout", Failed),             // Cohere: stopped at the provider's time limit
    ("network_error", Failed),       // Z.AI: "model inference exception"
    // Gemini: the model wrote an unreadable call. A retry usually succeeds.
    ("malformed_function_call", Failed),
    ("malformed_response", Failed),
    ("malformed_tool_use", Failed),  // Bedrock
    ("malformed_model_output", Failed), // Bedrock
    ("unexpected_tool_call", Failed),
    ("function_call_filter", Failed), // Gemini's compatible endpoint, before a colon
];

/// Returns the meaning of a finish reason, ignoring case. An unknown reason is
/// [`Other`](FinishReason::Other). So is a missing one: without a reason, nothing shows that the
/// answer is complete.
pub(in crate::wire) fn finish_reason(raw: Option<&str>) -> FinishReason {
    match raw.and_then(meaning) {
        Some(Ended(reason)) => reason,
        Some(Failed) | None => Other,
    }
}

/// Returns true if the reason says that the provider failed, so there is no answer.
pub(in crate::wire) fn is_failure(raw: &str) -> bool {
    meaning(raw) == Some(Failed)
}

/// Gemini's OpenAI-compatible endpoint writes its native word after a colon, as in
/// `content_filter: PROHIBITED_CONTENT`. Its enums elsewhere have a prefix, as in
/// `FINISH_REASON_STOP`.
fn meaning(raw: &str) -> Option<Meaning> {
    common(raw).or_else(|| any(raw))
}

/// The most common reasons, which need neither a copy nor the table.
fn common(raw: &str) -> Option<Meaning> {
    match raw {
        "stop" | "end_turn" => Some(Ended(Stop)),
        "tool_calls" | "tool_use" => Some(Ended(ToolCalls)),
        "length" | "max_tokens" => Some(Ended(Length)),
        _ => None,
    }
}

fn any(raw: &str) -> Option<Meaning> {
    let word = raw.split(':').next().unwrap_or_default().trim();
    let word = word.to_ascii_lowercase().replace(['-', ' '], "_");
    let word = word.strip_prefix("finish_reason_").unwrap_or(&word);
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendors_spelling_maps_to_the_same_reason() {
        for (raw, expected) in [
            ("stop", Stop),
            ("STOP", Stop),
            ("Stop", Stop),
            ("eos", Stop),
            ("eos_token", Stop),
            ("EosToken", Other),
            ("end_turn", Stop),
            ("COMPLETE", Stop),
            ("stop_sequence", Stop),
            ("FINISH_REASON_STOP", Stop),
            ("length", Length),
            ("MAX_TOKENS", Length),
            ("FINISH_REASON_MAX_TOKENS", Length),
            ("model_context_window_exceeded", Length),
            ("ERROR_LIMIT", Length),
            ("tool_calls", ToolCalls),
            ("tool-calls", ToolCalls),
            ("TOOL_CALL", ToolCalls),
            ("tool_use", ToolCalls),
            ("content_filter", ContentFilter),
            ("content-filter", ContentFilter),
            ("content_filter: PROHIBITED_CONTENT", ContentFilter),
            ("sensitive", ContentFilter),
            ("SAFETY", ContentFilter),
            ("guardrail_intervened", ContentFilter),
            ("refusal", Refusal),
            ("pause_turn", Pause),
            ("insufficient_system_resource", Other),
            ("abort", Other),
            ("cancelled", Other),
            ("something_new", Other),
            ("", Other),
        ] {
            assert_eq!(finish_reason(Some(raw)), expected, "{raw}");
            assert!(!is_failure(raw), "{raw}");
        }
        assert_eq!(finish_reason(None), Other);
    }

    #[test]
    fn some_reasons_mean_that_the_provider_failed() {
        for raw in [
            "error",
            "ERROR",
            "network_error",
            "TIMEOUT",
            "MALFORMED_FUNCTION_CALL",
            "malformed_tool_use",
            "function_call_filter: UNEXPECTED_TOOL_CALL",
        ] {
            assert!(is_failure(raw), "{raw}");
            assert_eq!(finish_reason(Some(raw)), Other, "{raw}");
        }
    }

    #[test]
    fn the_shortcut_agrees_with_the_table() {
        let mut found = 0;
        for (word, meaning) in WORDS {
            if let Some(common) = common(word) {
                assert_eq!(common, *meaning, "{word}");
                found += 1;
            }
        }
        assert_eq!(found, 6);
    }

    #[test]
    fn the_table_has_no_duplicates() {
        for (at, (word, _)) in WORDS.iter().enumerate() {
            assert!(WORDS[at + 1..].iter().all(|(other, _)| other != word), "{word}");
            assert_eq!(*word, word.to_ascii_lowercase());
        }
    }
}
