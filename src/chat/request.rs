//! A chat request: the conversation, the sampling settings and the limits of the call.

mod setters;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{
    Image, MediaSource, Message, Part, Provenance, Provider, ReasoningEffort, ResponseFormat, Role,
    Tool, ToolChoice,
};
use crate::cancel::CancelToken;

/// A conversation and how to answer it.
///
/// A `&str` is a request on its own; everything else is set by methods or
/// fields. Whatever is not set is left to the provider.
///
/// ```
/// use std::time::Duration;
/// use tollgate::{ChatRequest, Message};
///
/// let request = ChatRequest::new([
///     Message::system("Answer in one word."),
///     Message::user("What is the capital of France?"),
/// ])
/// .max_output_tokens(20)
/// .temperature(0.0)
/// .timeout(Duration::from_secs(30))
/// .tag("customer", "acme");
/// assert_eq!(request.messages.len(), 2);
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatRequest {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The model: a name of the client's own provider, or `provider/model` for another, such
    /// as `groq/llama-3.3-70b-versatile`. Default: the client's.
    ///
    /// Where a name can be read both ways, it stays with the client's own provider; name the
    /// [`provider`](Self::provider) to say otherwise. In full, the first rule that fits
    /// decides:
    ///
    /// 1. Without a slash, it is a model of the client's own provider.
    /// 2. If the part before the first slash names the client's own provider, the rest is the
    ///    model.
    /// 3. If the own provider is a [gateway](crate::provider::ModelNames::Gateway), such as
    ///    OpenRouter, it is the gateway's name for the model.
    /// 4. If the own provider's names may have
    ///    [slashes](crate::provider::ModelNames::Slashes), as Together's have, and it begins
    ///    with a publisher of open-weight models (`Qwen/`, `nvidia/`, `mistralai/`,
    ///    `moonshotai/`, `openai/gpt-oss`), it is the own provider's name.
    /// 5. If the part before the first slash names a provider, that provider is asked for the
    ///    rest.
    /// 6. If the own provider's names may have slashes, it is the own provider's name, unless
    ///    the part before the first slash looks like a misspelled provider.
    ///
    /// Anything else is an error before anything is sent. A server at another address than the
    /// provider's own may have any names, with slashes, too.
    pub model: Option<String>,
    /// The provider, by its name or an alias; the [`model`](Self::model) is then its own name
    /// for it, slashes included. Default: by the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The tools the model may call. Default: none.
    pub tools: Vec<Tool>,
    /// Which of them it may or must call. Default: its choice.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once. Default: the provider's choice.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer. Default: free text.
    pub response_format: Option<ResponseFormat>,
    /// The most tokens it may answer with, reasoning included.
    ///
    /// Default: the provider's, save where a provider requires one
    /// ([Anthropic](crate::Provider::ANTHROPIC): 4096) or has a useless one
    /// (text completions: 1024 instead of 16).
    pub max_output_tokens: Option<u32>,
    /// The most tokens that the prompt has, for budgets only and never sent. They take it for a
    /// prompt that holds what only the provider can count: a PDF, a file by its id, an image by
    /// its address. A page of a PDF is mostly 1,500 to 3,000 tokens of text and an image beside
    /// (Anthropic's page "PDF support"). Too low a bound lets a call cost more than was
    /// reserved. Default: the model's context window.
    pub max_input_tokens: Option<u64>,
    /// How many choices to answer with; each is billed. Default: 1. Anthropic has one only.
    pub n: Option<u32>,
    /// Asks for the log probabilities of the answer's tokens, and of this many alternatives to
    /// each. Default: none. Anthropic has none.
    pub logprobs: Option<u32>,
    /// Randomness: 0 is the least, and the most is 2 or 1, by provider.
    pub temperature: Option<f64>,
    /// Takes only the likeliest tokens that make up this share, 0 to 1.
    pub top_p: Option<f64>,
    /// Texts that end the answer when they come up.
    pub stop: Vec<String>,
    /// Makes answers repeat, as far as the provider can.
    pub seed: Option<i64>,
    /// How much to think first.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Whom and what the call is for, such as `customer` and `feature`. Never
    /// sent; they label what the call is counted under.
    pub tags: BTreeMap<String, String>,
    /// The longest the whole call may take, a stream included unless
    /// [`stream_timeout`](Self::stream_timeout) is set. Default: the client's.
    pub timeout: Option<Duration>,
    /// The longest one attempt may take, a stream's up to its first event. Default: the
    /// client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// The longest a stream may take from the sending of the request to its first event.
    /// Default: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_timeout: Option<Duration>,
    /// The longest a stream may go without bringing the answer on. Default: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration>,
    /// The longest a stream may take from the call to its end, the time that its caller
    /// takes over it included. Default: this request's [`timeout`](Self::timeout) if it has
    /// one, else the client's [`stream_timeout`](crate::ClientBuilder::stream_timeout).
    pub stream_timeout: Option<Duration>,
    /// Stops the call from another thread. Not stored by serde. Default: none.
    #[serde(skip)]
    pub cancel_token: Option<CancelToken>,
    /// Sent as `Idempotency-Key`, the same with every attempt, for a server that
    /// serves a repeated request once; see
    /// [`ClientBuilder::idempotency_keys`](crate::ClientBuilder::idempotency_keys).
    /// Default: none, or the client's own for each call.
    pub idempotency_key: Option<String>,
    /// The betas to ask for, such as `context-management-2025-06-27`: Anthropic's name for
    /// features that are not yet general. Sent in the header `anthropic-beta`, together with
    /// those that [`ClientBuilder::header`](crate::ClientBuilder::header) sets, each once; other
    /// providers refuse them. Files by their id need none here: theirs is sent by itself. Budgets
    /// know nothing of betas: where one lets a model read or write more, set its
    /// [`context_window`](crate::Price::context_window) and
    /// [`max_output`](crate::Price::max_output). Default: none.
    pub betas: Vec<String>,
    /// Merged into the JSON body that is sent, over what the other fields put
    /// there: objects key by key, anything else replaced; but not another `model`, which
    /// prices and budgets go by: that is refused. For what is not
    /// modelled here, such as Anthropic's `container`, which its code execution
    /// needs to go on: its id is `container.id` in the last response's
    /// [`raw_json`](super::ChatResponse::raw_json).
    pub extra: Map<String, Value>,
    /// Members of the JSON body that are left out although this crate would send them, for
    /// a server that refuses them, such as `stream_options`. Those that every request needs
    /// (`model`, `messages`, `prompt`, `stream`) cannot be left out. Default: none.
    pub omit: Vec<String>,
}

impl ChatRequest {
    /// A request with this conversation.
    pub fn new(messages: impl IntoIterator<Item = impl Into<Message>>) -> Self {
        let messages = messages.into_iter().map(Into::into).collect();
        Self { messages, ..Self::default() }
    }

    /// How many bytes of the request are images and documents, in base64. Of those that a model
    /// made only the ones whose sender this is for are sent.
    pub(crate) fn media_bytes(&self, is_sent: impl Fn(&Provenance) -> bool) -> usize {
        fn of(part: &Part) -> usize {
            let source = match part {
                Part::Image(image) => &image.source,
                Part::Document(document) => &document.source,
                Part::ToolResult(result) => return result.content.iter().map(of).sum(),
                _ => return 0,
            };
            if let MediaSource::Base64 { data, .. } = source { data.len() } else { 0 }
        }
        let goes = |message: &Message, part: &Part| match part {
            Part::Image(Image { opaque: Some(opaque), .. }) => {
                message.role != Role::Assistant || is_sent(&opaque.provenance)
            }
            _ => true,
        };
        let sent = |message: &Message| -> usize {
            message.content.iter().filter(|part| goes(message, part)).map(of).sum()
        };
        self.messages.iter().map(sent).sum()
    }
}

impl fmt::Debug for ChatRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatRequest")
            .field("model", &self.model)
            .field("messages", &self.messages)
            .field("tools", &self.tools)
            .field("tool_choice", &self.tool_choice)
            .field("parallel_tool_calls", &self.parallel_tool_calls)
            .field("response_format", &self.response_format)
            .field("max_output_tokens", &self.max_output_tokens)
            .field("temperature", &self.temperature)
            .field("top_p", &self.top_p)
            .field("stop", &self.stop.len())
            .field("seed", &self.seed)
            .field("reasoning_effort", &self.reasoning_effort)
            .field("tags", &self.tags.keys())
            .field("timeout", &self.timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("first_token_timeout", &self.first_token_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("stream_timeout", &self.stream_timeout)
            .field("cancel_token", &self.cancel_token)
            .field("idempotency_key", &self.idempotency_key)
            .field("betas", &self.betas)
            .field("extra", &self.extra.keys())
            .field("omit", &self.omit)
            .finish()
    }
}

impl From<&str> for ChatRequest {
    /// One user message.
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for ChatRequest {
    /// One user message.
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

impl From<&String> for ChatRequest {
    /// One user message.
    fn from(text: &String) -> Self {
        Self::new([text.as_str()])
    }
}

impl From<Message> for ChatRequest {
    fn from(message: Message) -> Self {
        Self::new([message])
    }
}

impl From<Vec<Message>> for ChatRequest {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }
}

impl From<&Message> for ChatRequest {
    fn from(message: &Message) -> Self {
        Self::new([message.clone()])
    }
}

impl From<&Vec<Message>> for ChatRequest {
    fn from(messages: &Vec<Message>) -> Self {
        messages.clone().into()
    }
}

impl<const N: usize> From<&[Message; N]> for ChatRequest {
    fn from(messages: &[Message; N]) -> Self {
        messages.to_vec().into()
    }
}

impl From<&[Message]> for ChatRequest {
    fn from(messages: &[Message]) -> Self {
        messages.to_vec().into()
    }
}

impl<const N: usize> From<[Message; N]> for ChatRequest {
    fn from(messages: [Message; N]) -> Self {
        Self::new(messages)
    }
}

impl From<&ChatRequest> for ChatRequest {
    fn from(request: &ChatRequest) -> Self {
        request.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_request_has_no_cancel_token_and_everything_else() {
        let request = ChatRequest::from("hi").tag("customer", "acme").omit("seed");
        let stoppable = request.clone().cancel_token(CancelToken::new());
        let stored = serde_json::to_string(&stoppable).unwrap();
        let read: ChatRequest = serde_json::from_str(&stored).unwrap();
        assert!(read.cancel_token.is_none());
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&request).unwrap());
    }
}
