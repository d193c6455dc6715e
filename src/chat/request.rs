//! A chat request: the conversation, the sampling settings and the limits of the call.

mod setters;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::{
    Format, Image, MediaSource, Message, Part, Provenance, Provider, ReasoningEffort,
    ResponseFormat, Role, Tool, ToolChoice,
};
use crate::cache;
use crate::cancel::CancelToken;
use crate::cost::MaxPrice;

/// A conversation and how the model should answer it.
///
/// A `&str` converts into a request with one user message. Methods or fields set everything else.
/// The provider's default applies to whatever is not set.
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
    ///
    /// If the last message is the assistant's, the model continues it, where the provider supports
    /// that: Mistral, Moonshot and Alibaba (the crate marks the message as they require), Anthropic's
    /// models before Claude 4.6, and most servers of open-weight models. OpenAI's models answer anew.
    /// Mistral's answer repeats the message; the others write only what comes after it.
    pub messages: Vec<Message>,
    /// The model: a name at the client's own provider, or `provider/model` for another one, such as
    /// `groq/llama-3.3-70b-versatile`. Default: the client's model.
    ///
    /// A name that could mean both belongs to the client's own provider. Set the
    /// [`provider`](Self::provider) to override that. The first rule that matches decides:
    ///
    /// 1. A name without a slash is a model of the client's own provider.
    /// 2. If the part before the first slash names the client's own provider, the rest is the
    ///    model.
    /// 3. If the client's own provider is a [gateway](crate::provider::ModelNames::Gateway), such
    ///    as OpenRouter, the whole name is the gateway's name for the model.
    /// 4. If the model names of the client's own provider may contain
    ///    [slashes](crate::provider::ModelNames::Slashes), as Together's do, and the name starts
    ///    with a publisher of open-weight models (`Qwen/`, `nvidia/`, `mistralai/`, `moonshotai/`,
    ///    `openai/gpt-oss`), the whole name is the model.
    /// 5. If the part before the first slash names another provider, that provider serves the rest.
    /// 6. If the model names of the client's own provider may contain slashes, the whole name is
    ///    the model, unless the part before the first slash looks like a misspelled provider.
    ///
    /// Any other name is an error, and nothing is sent. With a custom base URL every model name is
    /// allowed, slashes included.
    pub model: Option<String>,
    /// The provider, by its name or an alias. The [`model`](Self::model) is then that provider's
    /// own name for the model, slashes included. Default: the model decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The wire format, for a provider that offers OpenAI's Responses beside Chat Completions.
    ///
    /// Default: the format of the provider's [profile](crate::provider::Profile::format), which is
    /// [`OpenAiChat`](Format::OpenAiChat) for OpenAI, Azure and most others. At OpenAI and Azure,
    /// models that exist in Responses only, such as `gpt-5-codex` and `o3-pro`, use
    /// [`OpenAiResponses`](Format::OpenAiResponses) by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire_format: Option<Format>,
    /// The tools the model may call. Default: none.
    pub tools: Vec<Tool>,
    /// Which tools the model may or must call. Default: the model decides.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools in one turn. Default: the provider's choice.
    pub parallel_tool_calls: Option<bool>,
    /// The format of the answer. Default: free text.
    pub response_format: Option<ResponseFormat>,
    /// The most tokens the model may generate, reasoning included.
    ///
    /// Default: the provider's own, with two exceptions. [Anthropic](crate::Provider::ANTHROPIC)
    /// requires a limit, so 4096 is sent. For text completions 1024 is sent, because the format's
    /// own default of 16 is too small to be useful.
    pub max_output_tokens: Option<u32>,
    /// An upper bound on the tokens of the prompt, for budgets only; it is never sent.
    ///
    /// Budgets use it for a prompt with content that only the provider can count: a PDF, a file by
    /// its id, an image by its URL. A PDF page usually has 1,500 to 3,000 tokens of text, plus one
    /// image (Anthropic's page "PDF support"). If the bound is too low, a call can cost more than
    /// its budget reserved. Default: the model's context window.
    pub max_input_tokens: Option<u64>,
    /// How many choices to generate; each is billed. Default: 1. Anthropic and Cohere support only 1.
    pub n: Option<u32>,
    /// Requests the log probability of each token of the answer, plus this many alternatives per
    /// token. Default: none. Anthropic does not support it, and Cohere no alternatives.
    pub logprobs: Option<u32>,
    /// Sampling temperature. 0 is the least random; the maximum is 1 or 2, depending on the
    /// provider. Default: the provider's.
    pub temperature: Option<f64>,
    /// Nucleus sampling: keeps the most likely tokens up to this total probability, 0 to 1.
    /// Default: the provider's.
    pub top_p: Option<f64>,
    /// Stop sequences: texts that end the answer when the model writes them. Default: none.
    pub stop: Vec<String>,
    /// Asks for repeatable sampling, as far as the provider supports it. Default: none.
    pub seed: Option<i64>,
    /// How much the model reasons before it answers. Default: the provider's choice.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Labels for cost reports and budgets, such as `customer` and `feature`. They are never sent.
    /// Default: none.
    pub tags: BTreeMap<String, String>,
    /// A key for [routes](crate::route::Route) that keep a conversation at one target, such as the
    /// id of the conversation. It is never sent. Default: the start of the conversation, which is
    /// its instructions and the first message of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_key: Option<String>,
    /// The highest price that the model may have. A model that costs more does not get the request:
    /// a [route](crate::route::Route) skips it, and any other call fails before anything is sent.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<MaxPrice>,
    /// The longest the whole call may take. It covers streams too, unless
    /// [`stream_timeout`](Self::stream_timeout) is set. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    pub timeout: Option<Duration>,
    /// The longest one attempt may take; for a stream, up to its first event. Default: the client's
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// The longest a stream may take from sending the request to its first event. Default: the
    /// client's [`first_token_timeout`](crate::ClientBuilder::first_token_timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_timeout: Option<Duration>,
    /// The longest a stream may go without any progress in the answer. Default: the client's
    /// [`idle_timeout`](crate::ClientBuilder::idle_timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration>,
    /// The longest a stream may take from the call to its end, including the time the caller spends
    /// on each event. Default: this request's [`timeout`](Self::timeout) if set, otherwise the
    /// client's [`stream_timeout`](crate::ClientBuilder::stream_timeout).
    pub stream_timeout: Option<Duration>,
    /// How the call uses the client's [cache](crate::Cache). Any mode caches a request with a
    /// temperature above 0, or with several choices, too. Default: as the client does, and not at all
    /// for such a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<cache::Mode>,
    /// Cancels the call from another thread. Serde does not store it. Default: none.
    #[serde(skip)]
    pub cancel_token: Option<CancelToken>,
    /// Sent as the header `Idempotency-Key`, the same on every attempt, so that a server which
    /// supports it processes a repeated request only once. Default: none, unless the client makes
    /// its own keys; see
    /// [`ClientBuilder::idempotency_keys`](crate::ClientBuilder::idempotency_keys).
    pub idempotency_key: Option<String>,
    /// Anthropic beta features to enable, such as `context-management-2025-06-27`. Default: none.
    ///
    /// They go into the header `anthropic-beta` together with those from
    /// [`ClientBuilder::header`](crate::ClientBuilder::header), without duplicates. A request with
    /// betas to any other provider is an error. Files by id need no entry here: the crate adds that
    /// beta itself.
    ///
    /// Budgets do not account for betas. If a beta raises a model's limits, set the price's
    /// [`context_window`](crate::Price::context_window) and
    /// [`max_output`](crate::Price::max_output).
    pub betas: Vec<String>,
    /// Members merged into the JSON body over what the other fields produced: objects key by key,
    /// everything else replaced. Default: none.
    ///
    /// `model` cannot be changed here, because prices and budgets depend on it; a different one is
    /// an error. Use `extra` for what this crate does not model, such as Anthropic's `container`: to
    /// continue code execution, send the `container.id` from the last response's
    /// [`raw_json`](super::ChatResponse::raw_json).
    pub extra: Map<String, Value>,
    /// Members to leave out of the JSON body, such as `stream_options` for a server that rejects
    /// it. Members that every request needs (`model`, `messages`, `prompt`, `stream`) cannot be
    /// left out. Default: none.
    pub omit: Vec<String>,
}

impl ChatRequest {
    /// Creates a request with this conversation.
    pub fn new(messages: impl IntoIterator<Item = impl Into<Message>>) -> Self {
        let messages = messages.into_iter().map(Into::into).collect();
        Self { messages, ..Self::default() }
    }

    /// Hashes the start of the conversation, up to and including the first message that is not an
    /// instruction. Calls of the same conversation have it in common.
    pub(crate) fn hash_start(&self, hasher: &mut impl Hasher) {
        for message in &self.messages {
            message.role.hash(hasher);
            message.text().hash(hasher);
            if !matches!(message.role, Role::System) {
                return;
            }
        }
    }

    /// Returns the size of the request's images and documents, in bytes of base64. `is_sent` decides
    /// which media that a model generated are included: only their own sender gets them back.
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
            .field("wire_format", &self.wire_format)
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
            .field("routing_key", &self.routing_key.as_ref().map(|_| "[hidden]"))
            .field("max_price", &self.max_price)
            .field("timeout", &self.timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("first_token_timeout", &self.first_token_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("stream_timeout", &self.stream_timeout)
            .field("cache", &self.cache)
            .field("cancel_token", &self.cancel_token)
            .field("idempotency_key", &self.idempotency_key)
            .field("betas", &self.betas)
            .field("extra", &self.extra.keys())
            .field("omit", &self.omit)
            .finish()
    }
}

impl From<&str> for ChatRequest {
    /// Creates a request with one user message.
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for ChatRequest {
    /// Creates a request with one user message.
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

impl From<&String> for ChatRequest {
    /// Creates a request with one user message.
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
    fn storing_a_request_drops_only_the_cancel_token() {
        let request = ChatRequest::from("hi").tag("customer", "acme").omit("seed");
        let stoppable = request.clone().cancel_token(CancelToken::new());
        let stored = serde_json::to_string(&stoppable).unwrap();
        let read: ChatRequest = serde_json::from_str(&stored).unwrap();
        assert!(read.cancel_token.is_none());
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&request).unwrap());
    }
}
