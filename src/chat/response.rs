//! A whole answer: the message, its usage and cost, and why the model stopped.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

use super::{Hidden, Message, ToolCall, Usage};
use crate::Provider;
use crate::cost::Cost;
use crate::error::{Attempt, RateLimit};

/// What a model answered, and what the provider said about it.
///
/// Where a request asks for several choices (`n`, by
/// [`extra`](super::ChatRequest::extra)), this is the first; the others are in
/// the raw JSON.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatResponse {
    /// The model's message. Add it to the conversation to go on.
    pub message: Message,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// The provider's own word for it, such as `end_turn`.
    pub finish_reason_raw: Option<String>,
    /// The tokens it used.
    pub usage: Usage,
    /// What it cost, item by item; `None` where no price is known. Earlier attempts that
    /// may have been billed are in the [report](crate::Client::costs).
    #[serde(default)]
    pub cost: Option<Cost>,
    /// The model that served the call, which may be a dated version of the one
    /// that was asked for.
    pub model: String,
    /// The service tier that served the call, where the provider says so.
    pub service_tier: Option<String>,
    /// Who served it.
    pub provider: Provider,
    /// The provider's id of the response body, such as `chatcmpl-…`.
    pub id: Option<String>,
    /// The provider's id of the HTTP request, to quote to its support.
    pub request_id: Option<String>,
    /// What the rate-limit headers said.
    pub rate_limit: RateLimit,
    /// From the call until the whole response was there, waiting and retries
    /// included.
    pub latency: Duration,
    /// What the body says beside the answer and has no field here: the sources of a search
    /// (`citations`, `search_results`), the `provider` behind a gateway, the
    /// `system_fingerprint`. The same whether the answer was streamed or not. What is inside the
    /// message is in its [`opaque`](Message::opaque).
    ///
    /// Chat and text completions only; Anthropic's format has nothing of the kind.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// What was tried.
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
    /// The body as it came.
    pub(crate) raw: String,
}

impl ChatResponse {
    /// The answer's text; empty when the model only called tools or refused.
    pub fn text(&self) -> String {
        self.message.text()
    }

    /// The tool calls, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.message.tool_calls()
    }

    /// What was tried, in order, the attempt that was answered last: how each one
    /// ended, and how long the call then waited and why.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The response body as it came, in the provider's own format; empty where the
    /// answer was streamed.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The response body as JSON, for what the typed fields do not carry.
    pub fn raw_json(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap_or_default()
    }
}

impl fmt::Debug for ChatResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatResponse")
            .field("message", &self.message)
            .field("finish_reason", &self.finish_reason)
            .field("finish_reason_raw", &self.finish_reason_raw)
            .field("usage", &self.usage)
            .field("cost", &self.cost)
            .field("model", &self.model)
            .field("service_tier", &self.service_tier)
            .field("provider", &self.provider)
            .field("id", &self.id)
            .field("request_id", &self.request_id)
            .field("rate_limit", &self.rate_limit)
            .field("latency", &self.latency)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .field("attempts", &self.attempts)
            .field("raw", &Hidden(self.raw.len()))
            .finish()
    }
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// It was done, or met a stop sequence.
    Stop,
    /// It reached the output limit or the end of its context window.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// The provider's filter took the rest of the answer out.
    ContentFilter,
    /// It declined to answer.
    Refusal,
    /// The provider paused a long turn; send the conversation back to go on.
    Pause,
    /// Something else; see
    /// [`finish_reason_raw`](ChatResponse::finish_reason_raw). A reason that a
    /// later version stored is loaded as this.
    #[serde(other)]
    Other,
}

impl FinishReason {
    /// A short name in `snake_case`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for FinishReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::FinishReason;

    #[test]
    fn reasons_are_stored_by_name_and_unknown_ones_load() {
        for reason in [FinishReason::ToolCalls, FinishReason::Other] {
            let stored = serde_json::to_string(&reason).unwrap();
            assert_eq!(stored, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<FinishReason>(&stored).unwrap(), reason);
        }
        let unknown: FinishReason = serde_json::from_str("\"new_reason\"").unwrap();
        assert_eq!(unknown, FinishReason::Other);
    }
}
