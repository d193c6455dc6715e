//! The wire formats, one folder each: how requests are written and responses read.
//!
//! The formats share the modules next to them: `validate` rejects requests that no provider
//! accepts, `json` parses leniently, `framing` splits bodies into events, `reply` reads status and
//! headers and classifies failures, `stream` assembles an answer from events. All of it is pure: no
//! sockets, clocks or locks.

mod answer_body;
pub(crate) mod anthropic;
pub(crate) mod batch;
mod bedrock;
mod beside;
mod body;
mod call_id;
mod cohere;
mod delivery;
pub(crate) mod embeddings;
mod encoded;
mod failed;
mod finish_reason;
mod format;
pub(crate) mod framing;
mod gemini;
mod json;
mod measure;
mod media;
pub(crate) mod models;
pub(crate) mod moderation;
mod ollama;
pub(crate) mod openai_chat;
pub(crate) mod openai_completions;
pub(crate) mod openai_responses;
mod other_form;
mod part_list;
mod part_name;
mod repeated_event;
mod reply;
mod schema;
mod stream;
pub(crate) mod token_count;
mod tool_input;
mod tool_turns;
mod turns;
mod validate;
mod vertex;

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::Duration;

use crate::answer_source::AnswerSource;
use crate::chat::{ChatRequest, ChatResponse, Format, Provenance, Provider};
use crate::error::{Error, RateLimit};
use crate::family::{ModelApi, Traits};
use crate::header::HeaderValue;
use crate::key::Secrets;
use crate::unseen;
use body::Body;
use openai_chat::Dialect;

pub(crate) use answer_body::AnswerBody;
pub(crate) use delivery::Delivery;
pub(crate) use encoded::Encoded;
use format::{Endpoint, WireFormat};
pub(crate) use json::{append, write};
#[cfg(test)]
pub(crate) use reply::header_fields;
pub(crate) use reply::{Failure, HeaderFields, Reply, Sent, error, head, rate_limit, request_id};
pub(crate) use stream::Decoder;

/// The most parts of an answer: more than any model writes, and a bound on what a broken server can
/// make of a small body.
const MAX_PARTS: usize = 10_000;

/// The provider and model that a request is encoded for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) model: &'a str,
    /// What is known about the model; encoders ask this, not the name.
    pub(crate) traits: Traits,
    pub(crate) dialect: &'a Dialect,
}

impl<'a> Target<'a> {
    /// A model that the catalogue does not know.
    #[cfg(test)]
    pub(crate) fn of(provider: &'a Provider, model: &'a str, dialect: &'a Dialect) -> Self {
        Self { provider, model, traits: Traits::of_name(model), dialect }
    }

    /// Returns true if the request may include content that this provider sent in this format.
    fn sent(&self, provenance: &Provenance, format: Format) -> bool {
        provenance.allows(self.provider, format)
    }
}

#[cfg(test)]
impl<'a> Target<'a> {
    /// OpenAI itself.
    pub(crate) fn openai(model: &'a str) -> Self {
        Self::of(&Provider::OPENAI, model, &Dialect::OPENAI)
    }

    /// Anthropic itself.
    pub(crate) fn anthropic(model: &'a str) -> Self {
        Self::of(&Provider::ANTHROPIC, model, &Dialect::OPENAI)
    }

    /// Amazon Bedrock.
    pub(crate) fn bedrock(model: &'a str) -> Self {
        Self::of(&Provider::BEDROCK, model, &Dialect::OPENAI)
    }

    /// Cohere itself.
    pub(crate) fn cohere(model: &'a str) -> Self {
        Self::of(&Provider::COHERE, model, &Dialect::OPENAI)
    }

    /// Google itself.
    pub(crate) fn gemini(model: &'a str) -> Self {
        Self::of(&Provider::GEMINI, model, &Dialect::OPENAI)
    }

    /// Ollama itself.
    pub(crate) fn ollama(model: &'a str) -> Self {
        Self::of(&Provider::OLLAMA, model, &Dialect::OPENAI)
    }
}

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `POST /v1/chat/completions`
    OpenAiChat,
    /// `POST /v1/completions`
    OpenAiCompletions,
    /// `POST /v1/responses`
    OpenAiResponses,
    /// `POST /v1/messages`
    Anthropic,
    /// `POST /model/{model}/converse`
    Bedrock,
    /// `POST /v2/chat`
    Cohere,
    /// `POST /models/{model}:generateContent`
    Gemini,
    /// `POST /publishers/anthropic/models/{model}:rawPredict`
    VertexClaude,
    /// `POST /publishers/google/models/{model}:generateContent`
    VertexGemini,
    /// `POST /api/chat`
    Ollama,
}

/// The content of a response body, before the client adds what it knows itself: provider, request
/// id, rate limits, latency.
#[derive(Debug, Clone)]
pub(crate) struct Decoded {
    pub(crate) message: crate::chat::Message,
    pub(crate) finish_reason: crate::chat::FinishReason,
    pub(crate) finish_reason_raw: Option<String>,
    pub(crate) usage: crate::chat::Usage,
    /// Empty if the body does not name it.
    pub(crate) model: String,
    pub(crate) service_tier: Option<String>,
    pub(crate) id: Option<String>,
    /// Other members of the body around the answer.
    pub(crate) extra: Map<String, Value>,
    /// The log probabilities of a stream's tokens, as JSON. Those of a whole answer are in its body.
    pub(crate) logprobs: String,
}

/// Makes a word from a provider safe for observers, metrics, cost reports and terminals: without
/// secrets, and on one line.
pub(crate) fn showable(word: &mut String, secrets: &Secrets) {
    secrets.hide_in(word);
    unseen::word(word);
}

/// Like [`showable`], for the model that answered when `asked` was requested. A gateway's header
/// can contain the requested name, which does not make it a secret.
pub(crate) fn showable_model(model: &mut String, asked: &str, secrets: &Secrets) {
    if model != asked {
        secrets.hide_beside(model, asked);
        unseen::word(model);
    }
}

impl Decoded {
    /// Fills in the `asked` model if the body names none, and makes the answer's metadata safe to
    /// show.
    pub(crate) fn complete(&mut self, asked: &str, secrets: &Secrets) {
        if self.model.is_empty() {
            asked.clone_into(&mut self.model);
        }
        showable_model(&mut self.model, asked, secrets);
        let words = [&mut self.id, &mut self.service_tier, &mut self.finish_reason_raw];
        words.into_iter().flatten().for_each(|word| showable(word, secrets));
    }

    /// Leaves the fields empty that only a client can fill.
    pub(crate) fn into_response(self, provider: Provider) -> ChatResponse {
        ChatResponse {
            message: self.message,
            finish_reason: self.finish_reason,
            finish_reason_raw: self.finish_reason_raw,
            usage: self.usage,
            cost: None,
            source: AnswerSource::Live,
            model: self.model,
            service_tier: self.service_tier,
            provider,
            id: self.id,
            request_id: None,
            rate_limit: RateLimit::default(),
            latency: Duration::ZERO,
            attempts: Vec::new(),
            extra: self.extra,
            logprobs: self.logprobs,
            raw: String::new(),
            route: None,
        }
    }
}

impl Wire {
    fn format(self) -> &'static WireFormat {
        match self {
            Self::OpenAiChat => &openai_chat::CHAT,
            Self::OpenAiCompletions => &openai_completions::COMPLETIONS,
            Self::OpenAiResponses => &openai_responses::RESPONSES,
            Self::Anthropic => &anthropic::MESSAGES,
            Self::Cohere => &cohere::CHAT,
            Self::Gemini => &gemini::GENERATE_CONTENT,
            Self::Bedrock => &bedrock::CONVERSE,
            Self::VertexClaude => &vertex::CLAUDE,
            Self::VertexGemini => &vertex::GEMINI,
            Self::Ollama => &ollama::CHAT,
        }
    }

    /// Returns the endpoint for a chat with a model that is called in this way.
    pub(crate) fn chat(format: Format, model: &str, api: ModelApi) -> Self {
        match format {
            Format::OpenAiChat if api == ModelApi::Completions => Self::OpenAiCompletions,
            Format::OpenAiChat => Self::OpenAiChat,
            Format::OpenAiResponses => Self::OpenAiResponses,
            Format::Anthropic => Self::Anthropic,
            Format::Cohere => Self::Cohere,
            Format::Gemini => Self::Gemini,
            Format::Bedrock => Self::Bedrock,
            Format::Vertex if vertex::is_claude(model) => Self::VertexClaude,
            Format::Vertex => Self::VertexGemini,
            Format::Ollama => Self::Ollama,
        }
    }

    /// Returns the endpoint for text completions, if the format has one.
    pub(crate) fn completions(format: Format) -> Option<Self> {
        match format {
            Format::OpenAiChat | Format::OpenAiResponses => Some(Self::OpenAiCompletions),
            Format::Anthropic
            | Format::Bedrock
            | Format::Cohere
            | Format::Gemini
            | Format::Ollama
            | Format::Vertex => None,
        }
    }

    /// Returns the format's name in messages and profiles.
    const fn name(self) -> Format {
        match self {
            Self::OpenAiChat | Self::OpenAiCompletions => Format::OpenAiChat,
            Self::OpenAiResponses => Format::OpenAiResponses,
            Self::Anthropic | Self::VertexClaude => Format::Anthropic,
            Self::Bedrock => Format::Bedrock,
            Self::Cohere => Format::Cohere,
            Self::Gemini | Self::VertexGemini => Format::Gemini,
            Self::Ollama => Format::Ollama,
        }
    }

    /// Returns the provider that invented the format.
    pub(crate) fn inventor(self) -> Provider {
        self.format().inventor.clone()
    }

    /// Returns the path below the base URL; see [`Endpoint`].
    pub(crate) fn path(self, model: &str, delivery: Delivery) -> Cow<'static, str> {
        match self.format().endpoint {
            Endpoint::Fixed(path) => Cow::Borrowed(path),
            Endpoint::Computed(path) => Cow::Owned(path(model, delivery)),
        }
    }

    /// Returns true if every request to a provider goes to the same path.
    pub(crate) fn has_one_path(self) -> bool {
        matches!(self.format().endpoint, Endpoint::Fixed(_))
    }

    /// Encodes a request. If it `may_be_limited`, a null output limit counts as none.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the target cannot express the
    /// request.
    pub(crate) fn encode<'a>(
        self,
        request: &'a ChatRequest,
        target: Target<'a>,
        delivery: Delivery,
        may_be_limited: bool,
    ) -> Result<Encoded<'a>, Error> {
        Encoded::new(self, request, target, delivery, may_be_limited)
    }

    /// Builds the body of a request; [`Body::write`] serializes it.
    fn body<'a>(
        self,
        request: &'a ChatRequest,
        target: Target<'a>,
        delivery: Delivery,
    ) -> Result<Body<'a>, Error> {
        let format = self.format();
        let mut body = (format.encode)(request, target, delivery)?;
        for name in &request.omit {
            if format.required.contains(&&**name) {
                return Err(Error::invalid_request(format!(
                    "the request omits {name:?}, which every request needs; keep it"
                )));
            }
            // The order of the others stays, because caches compare bytes.
            body.members.shift_remove(name);
        }
        if delivery == Delivery::Stream {
            delivery::check_choices(&body.members)?;
        }
        Ok(body)
    }

    /// Builds the members of a request's body as JSON values.
    fn members(
        self,
        request: &ChatRequest,
        target: Target<'_>,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error> {
        self.body(request, target, delivery).map(Body::into_members)
    }

    /// Returns the value of the header [`anthropic::BETAS`] for a request; see
    /// [`WireFormat::betas`].
    pub(crate) fn betas(
        self,
        request: &ChatRequest,
        set: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        (self.format().betas)(request, set)
    }

    /// Decodes a response of any status from `provider`.
    pub(crate) fn decode(self, reply: Reply<'_>, provider: &Provider) -> Result<Decoded, Failure> {
        self.decode_body(reply, reply.body.into(), provider)
    }

    /// Like [`decode`](Self::decode), if the `body` of the response may be known to be text.
    pub(crate) fn decode_body(
        self,
        reply: Reply<'_>,
        body: AnswerBody<'_>,
        provider: &Provider,
    ) -> Result<Decoded, Failure> {
        if !(200..300).contains(&reply.status) {
            return Err(Failure::of(reply));
        }
        head::check(reply)?;
        match other_form::form(body.bytes) {
            other_form::Form::Json(json) => self.decode_json(body.part(json), provider),
            other_form::Form::Events => other_form::events(self, body.bytes, provider),
        }
    }

    /// Decodes the body of a successful response, which must not be an event stream.
    fn decode_json(self, body: AnswerBody<'_>, provider: &Provider) -> Result<Decoded, Failure> {
        if reply::is_markup(body.bytes) {
            return Err(Failure::protocol("the response body is not JSON but an HTML page"));
        }
        let mut decoded = (self.format().decode)(body);
        // In place, because an answer is large.
        if let Ok(decoded) = &mut decoded {
            decoded.message.set_sender(provider);
        }
        decoded
    }
}
