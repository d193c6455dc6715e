//! A whole answer: the message, its usage and cost, and why the model stopped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

use super::{Hidden, Message, ToolCall, Usage, typed};
use crate::Provider;
use crate::cost::Cost;
use crate::error::{Attempt, Error, ErrorKind, RateLimit};

/// What a model answered, and what the provider said about it.
///
/// Where a request asks for several choices ([`n`](super::ChatRequest::n)), this is the first;
/// [`other_choices`](Self::other_choices) are the others.
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
    /// The answer's text; empty when the model only called tools or refused, and half a
    /// sentence when it was cut off. [`complete_text`](Self::complete_text) tells these apart.
    pub fn text(&self) -> String {
        self.message.text()
    }

    /// The answer's text, if the model finished it.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), tollgate::Error> {
    /// let client = tollgate::Client::openai("gpt-4o-mini")?;
    /// println!("{}", client.chat("What is the capital of France?")?.complete_text()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ContentPolicy`](ErrorKind::ContentPolicy) when the model declined to answer
    ///   ([`Message::refusal`] has its words) or a filter took the rest of the answer out;
    /// - [`Truncated`](ErrorKind::Truncated) when the output limit or the context window cut it
    ///   off, or the provider paused a long turn;
    /// - [`Protocol`](ErrorKind::Protocol) when the model called tools and wrote no text.
    ///
    /// None of them repeats what the model wrote; [`text`](Self::text) has it.
    pub fn complete_text(&self) -> Result<String, Error> {
        self.check_complete()?;
        Ok(self.text())
    }

    /// Reads the answer into a type of the caller's, as after
    /// [`ChatRequest::json_schema`](super::ChatRequest::json_schema). A fence of Markdown around
    /// the JSON is taken off, and a null where the type has no place for one is read as missing.
    ///
    /// ```
    /// # fn read(response: &tollgate::ChatResponse) -> Result<(), tollgate::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct City {
    ///     name: String,
    ///     inhabitants: Option<u64>,
    /// }
    ///
    /// let city: City = response.parse()?;
    /// # let _ = (city.name, city.inhabitants);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`complete_text`](Self::complete_text); and [`Protocol`](ErrorKind::Protocol) when the
    /// answer is not JSON or does not fit the type. The message does not quote the answer.
    #[doc(alias = "structured_output")]
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.complete_text()?;
        typed::read(typed::unfenced(&text)).map_err(|cause| {
            let problem = typed::problem(&cause);
            self.incomplete(
                ErrorKind::Protocol,
                format!("the answer does not fit the type it is read into: {problem}"),
            )
        })
    }

    fn check_complete(&self) -> Result<(), Error> {
        let (kind, message) = match self.finish_reason {
            FinishReason::Refusal => (ErrorKind::ContentPolicy, "the model declined to answer"),
            _ if self.message.refusal().is_some() => {
                (ErrorKind::ContentPolicy, "the model declined to answer")
            }
            FinishReason::ContentFilter => {
                (ErrorKind::ContentPolicy, "the provider's content filter cut the answer off")
            }
            FinishReason::Length => (
                ErrorKind::Truncated,
                "the answer was cut off by the output limit or the context window; allow more by \
                 max_output_tokens, or ask for less",
            ),
            FinishReason::Pause => (
                ErrorKind::Truncated,
                "the provider paused the answer; send the conversation back to go on",
            ),
            _ if self.message.tool_calls().next().is_some() && self.text().trim().is_empty() => (
                ErrorKind::Protocol,
                "the model called tools and wrote no text; answer the calls and ask again",
            ),
            FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other => return Ok(()),
        };
        Err(self.incomplete(kind, message))
    }

    /// The same request may give the same answer again, so nothing is retried.
    fn incomplete(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message)
            .with_provider(self.provider.as_str())
            .with_retry_hints(None, Some(false))
    }

    /// The texts of the further choices, where the request asked for several by
    /// [`ChatRequest::n`](super::ChatRequest::n), in their order. Empty for streams, which yield
    /// the first choice only.
    pub fn other_choices(&self) -> Vec<String> {
        let body = self.raw_json();
        let choices = body.get("choices").and_then(Value::as_array);
        let mut choices: Vec<_> = choices.into_iter().flatten().enumerate().collect();
        let index = |place: usize, choice: &Value| {
            choice.get("index").and_then(Value::as_u64).unwrap_or(place as u64)
        };
        choices.sort_by_key(|(place, choice)| index(*place, choice));
        let text = |choice: &Value| {
            let content = choice.pointer("/message/content").or_else(|| choice.get("text"))?;
            match content {
                Value::Array(parts) => {
                    Some(parts.iter().filter_map(|part| part["text"].as_str()).collect())
                }
                content => content.as_str().map(str::to_owned),
            }
        };
        choices.iter().skip(1).map(|(_, choice)| text(choice).unwrap_or_default()).collect()
    }

    /// The log probabilities of the first choice's tokens, in the provider's own form, where
    /// the request asked for them by [`ChatRequest::logprobs`](super::ChatRequest::logprobs).
    /// Null otherwise and for streams.
    pub fn logprobs(&self) -> Value {
        let mut body = self.raw_json();
        let first = body.get_mut("choices").and_then(Value::as_array_mut).and_then(|choices| {
            let first = choices.iter().position(|choice| choice["index"] == 0).unwrap_or(0);
            choices.get_mut(first)
        });
        first.and_then(|choice| choice.get_mut("logprobs")).map(Value::take).unwrap_or_default()
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
