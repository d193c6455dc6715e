//! A complete response: the message, its usage and cost, and why the model stopped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

use super::{Hidden, Message, ToolCall, Usage, typed};
use crate::Provider;
use crate::answer_source::AnswerSource;
use crate::cost::Cost;
use crate::error::{Attempt, Error, ErrorKind, RateLimit};
use crate::routing::{LazyTrace, RouteTrace};

/// A model's answer and the provider's metadata about it.
///
/// If the request asked for several choices ([`n`](super::ChatRequest::n)), this is the first.
/// [`other_choices`](Self::other_choices) has the others.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatResponse {
    /// The model's message. To continue the conversation, add it to the next request.
    pub message: Message,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// The provider's own finish reason, such as `end_turn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason_raw: Option<String>,
    /// The tokens the call used.
    pub usage: Usage,
    /// The cost, item by item; `None` if the model has no known price. In a
    /// [cascade](crate::route::Route::cascade), it is the sum over all answers of the call, while
    /// [`usage`](Self::usage) is that of this answer. The [report](crate::Client::costs) also counts
    /// earlier attempts that may have been billed.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// The model that served the call. It can be a dated version of the requested one.
    pub model: String,
    /// The service tier that served the call, if the provider reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The provider that served the call.
    pub provider: Provider,
    /// The provider's id of the response body, such as `chatcmpl-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The provider's id of the HTTP request. Quote it to the provider's support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The limits from the rate-limit headers.
    pub rate_limit: RateLimit,
    /// The time from the call to the complete response, waits and retries included.
    pub latency: Duration,
    /// Members of the body that have no field here: the sources of a search (`citations`,
    /// `search_results`), the `provider` behind a gateway, the `system_fingerprint`. A streamed
    /// answer has the same ones. Unknown members inside the message are in its
    /// [`opaque`](Message::opaque).
    ///
    /// Cohere's whole usage report is under `usage`, because [`Usage`] has its billed units only.
    ///
    /// Unknown members of the choice (Azure's `content_filter_results`, vLLM's `stop_reason`) and of
    /// Anthropic's message (`stop_sequence`, `container`) are here too. Those of the usage are under
    /// `usage`, those of Groq's `x_groq` under `x_groq`. [`logprobs`](Self::logprobs) returns the
    /// log probabilities.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// The attempts of the call.
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
    /// The response body, unchanged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) raw: String,
    #[serde(default, skip_serializing_if = "AnswerSource::is_live")]
    pub(crate) source: AnswerSource,
    /// How the [route](crate::route::Route) served the call; `None` if the request named a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<LazyTrace>,
    /// The log probabilities of a stream's tokens, as JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) logprobs: String,
}

impl ChatResponse {
    /// What answered: the provider, the [cache](crate::Cache) or a [recording](crate::Replay). If the
    /// provider did not, the [`cost`](Self::cost) is what its answer would have cost.
    pub fn source(&self) -> AnswerSource {
        self.source
    }

    /// How the [route](crate::route::Route) served the call: which targets it considered, skipped
    /// and tried, and why. `None` if the request named a model.
    pub fn route(&self) -> Option<&RouteTrace> {
        self.route.as_ref().map(LazyTrace::get)
    }

    /// Why a [cascade](crate::route::Route::cascade) did not accept this answer, although it is the
    /// best one that the call got. `None` if the answer was accepted, or no cascade served the call.
    pub fn not_accepted(&self) -> Option<&str> {
        self.route()?.not_accepted()
    }

    /// Returns the answer's text. It is empty if the model only called tools or refused, and
    /// incomplete if the answer was cut off. [`complete_text`](Self::complete_text) returns an
    /// error in these cases.
    pub fn text(&self) -> String {
        self.message.text()
    }

    /// Returns the answer's text if the model finished it.
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
    /// - [`ContentPolicy`](ErrorKind::ContentPolicy) if the model declined to answer
    ///   ([`Message::refusal`] has its text) or a filter removed the rest of the answer;
    /// - [`Truncated`](ErrorKind::Truncated) if the answer hit the output limit or the context
    ///   window, or the provider paused a long turn;
    /// - [`Protocol`](ErrorKind::Protocol) if the model called tools and wrote no text.
    ///
    /// No error quotes what the model wrote; [`text`](Self::text) has it.
    pub fn complete_text(&self) -> Result<String, Error> {
        self.check_complete()?;
        Ok(self.text())
    }

    /// Deserializes the answer into a type of the caller's, usually after
    /// [`ChatRequest::json_schema`](super::ChatRequest::json_schema). It strips a Markdown fence
    /// around the JSON. A null that the type does not accept counts as missing.
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
    /// Those of [`complete_text`](Self::complete_text), and [`Protocol`](ErrorKind::Protocol) if
    /// the answer is not JSON or does not match the type. The message does not quote the answer.
    #[doc(alias = "structured_output")]
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.complete_text()?;
        typed::read(typed::strip_fence(&text)).map_err(|cause| {
            let problem = typed::problem(&cause);
            self.incomplete(
                ErrorKind::Protocol,
                format!(
                    "the answer does not match the requested type: {problem}; see text() for it"
                ),
            )
        })
    }

    fn check_complete(&self) -> Result<(), Error> {
        let (kind, message) = match self.finish_reason {
            FinishReason::Refusal => (ErrorKind::ContentPolicy, "the model declined to answer"),
            _ if self.message.refusal().is_some() => {
                (ErrorKind::ContentPolicy, "the model declined to answer")
            }
            FinishReason::ContentFilter => (
                ErrorKind::ContentPolicy,
                "the provider's content filter cut off the answer; rephrase the prompt",
            ),
            FinishReason::Length => (
                ErrorKind::Truncated,
                "the answer hit the output limit or the context window; raise max_output_tokens or \
                 ask for less",
            ),
            FinishReason::Pause => (
                ErrorKind::Truncated,
                "the provider paused the answer; send the conversation back to continue",
            ),
            _ if self.message.tool_calls().next().is_some() && self.text().trim().is_empty() => (
                ErrorKind::Protocol,
                "the model called tools and wrote no text; send the tool results back",
            ),
            FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other => return Ok(()),
        };
        Err(self.incomplete(kind, message))
    }

    /// Not retryable: the same request may well get the same answer again.
    fn incomplete(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message)
            .with_provider(self.provider.as_str())
            .with_retry_hints(None, Some(false))
    }

    /// Returns the texts of the choices after the first, in order, if the request asked for several
    /// with [`ChatRequest::n`](super::ChatRequest::n). Always empty for streams, which refuse such a
    /// request.
    pub fn other_choices(&self) -> Vec<String> {
        let body = self.raw_json();
        // The second is Gemini's.
        let choices = ["choices", "candidates"].into_iter().find_map(|name| body.get(name));
        let choices = choices.and_then(Value::as_array);
        let mut choices: Vec<_> = choices.into_iter().flatten().enumerate().collect();
        let index = |place: usize, choice: &Value| {
            choice.get("index").and_then(Value::as_u64).unwrap_or(place as u64)
        };
        choices.sort_by_key(|(place, choice)| index(*place, choice));
        let text = |choice: &Value| {
            let places = ["/message/content", "/text", "/content/parts"];
            let content = places.into_iter().find_map(|place| choice.pointer(place))?;
            match content {
                Value::Array(parts) => {
                    let said = parts.iter().filter(|part| part["thought"] != true);
                    Some(said.filter_map(|part| part["text"].as_str()).collect())
                }
                content => content.as_str().map(str::to_owned),
            }
        };
        choices.iter().skip(1).map(|(_, choice)| text(choice).unwrap_or_default()).collect()
    }

    /// Returns the log probabilities of the first choice's tokens in the provider's own form, if
    /// the request asked for them with [`ChatRequest::logprobs`](super::ChatRequest::logprobs).
    /// Those of a stream are joined over its chunks. Null if there are none.
    pub fn logprobs(&self) -> Value {
        if !self.logprobs.is_empty() {
            return serde_json::from_str(&self.logprobs).unwrap_or_default();
        }
        let mut body = self.raw_json();
        let first = body.get_mut("choices").and_then(Value::as_array_mut).and_then(|choices| {
            let first = choices.iter().position(|choice| choice["index"] == 0).unwrap_or(0);
            choices.get_mut(first)
        });
        first.and_then(|choice| choice.get_mut("logprobs")).map(Value::take).unwrap_or_default()
    }

    /// Returns the tool calls, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.message.tool_calls()
    }

    /// Returns the attempts in order; the last one got the answer. Each says how it ended, how long
    /// the call then waited, and why.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns the response body unchanged, in the provider's own format. Empty for a streamed
    /// answer.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Returns the response body as JSON, for members that have no field here. Null if the body is
    /// empty or not JSON.
    pub fn raw_json(&self) -> Value {
        // A byte order mark before it and `data: [DONE]` behind it are read past.
        let raw = self.raw.trim_start_matches('\u{feff}');
        let mut values = serde_json::Deserializer::from_str(raw).into_iter();
        values.next().and_then(Result::ok).unwrap_or_default()
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
    /// It finished, or wrote a stop sequence.
    Stop,
    /// It reached the output limit or the context window.
    Length,
    /// It called tools.
    ToolCalls,
    /// The provider's filter removed the rest of the answer.
    ContentFilter,
    /// It declined to answer.
    Refusal,
    /// The provider paused a long turn. Send the conversation back to continue.
    Pause,
    /// Something else; see [`finish_reason_raw`](ChatResponse::finish_reason_raw). Reasons stored
    /// by a later version of this crate load as this.
    #[serde(other)]
    Other,
}

impl FinishReason {
    /// Whether the model ended its turn by itself. A refusal may have cut the answer off.
    pub(crate) fn is_complete(self) -> bool {
        matches!(self, Self::Stop | Self::ToolCalls)
    }

    /// Returns a short name in `snake_case`.
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
    fn reasons_are_stored_by_name_and_unknown_ones_load_as_other() {
        for reason in [FinishReason::ToolCalls, FinishReason::Other] {
            let stored = serde_json::to_string(&reason).unwrap();
            assert_eq!(stored, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<FinishReason>(&stored).unwrap(), reason);
        }
        let unknown: FinishReason = serde_json::from_str("\"new_reason\"").unwrap();
        assert_eq!(unknown, FinishReason::Other);
    }
}
