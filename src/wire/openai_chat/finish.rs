//! Maps `finish_reason` to why the model stopped.

use crate::chat::FinishReason;

/// What the wire's `finish_reason` means.
///
/// OpenAI knows `stop`, `length`, `tool_calls`, `content_filter` and the old
/// `function_call`. Others are Mistral's `model_length` and Together's `eos`.
/// What is not known, DeepSeek's `insufficient_system_resource` say, is
/// [`Other`](FinishReason::Other), and so is no reason at all: a server that does
/// not say why it stopped has not said that the answer is whole.
pub(in crate::wire) fn finish_reason(raw: Option<&str>) -> FinishReason {
    match raw {
        Some("stop" | "eos") => FinishReason::Stop,
        Some("length" | "model_length") => FinishReason::Length,
        Some("tool_calls" | "function_call") => FinishReason::ToolCalls,
        Some("content_filter") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}
