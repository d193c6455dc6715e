//! One file per wire format: what is sent and what comes back. What the formats
//! share stands beside them: `check` refuses requests that make no sense to any,
//! `failure` tells which failure is which, `json` and its helpers read whatever can
//! be read, `sse` and `ndjson` take streams apart. Pure: no sockets, clocks or locks.

pub(crate) mod anthropic;
mod bounded;
mod check;
pub(crate) mod completions;
mod date;
mod delivery;
mod failure;
mod figure;
pub(crate) mod head;
mod headers;
mod json;
mod lines;
mod list;
pub mod ndjson;
mod object;
pub(crate) mod openai;
mod page;
mod redirect;
mod repair;
pub mod sse;
mod stream;
mod template;
mod word;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use ureq::http::{HeaderMap, HeaderValue};

use crate::chat::{ChatRequest, ChatResponse, RateLimit};
use crate::error::{Error, ErrorKind};

pub(crate) use delivery::Delivery;
pub(crate) use failure::Failure;
pub(crate) use headers::{is_read, rate_limit, request_id};
pub(crate) use json::{append, write};
pub(crate) use stream::Decoder;

/// Who serves the models.
///
/// A server of one's own or another vendor's that speaks a provider's format is
/// reached by that provider with another
/// [base URL](crate::ClientBuilder::base_url).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI's Chat Completions, and its text completions for the models that
    /// have no others. Key in `OPENAI_API_KEY`.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages. Key in `ANTHROPIC_API_KEY`.
    Anthropic,
}

impl Provider {
    /// Its name in the OpenTelemetry GenAI conventions (`gen_ai.provider.name`).
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = Error;

    /// Reads a provider's [name](Provider::name).
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) for a name that is not known.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "openai" => Ok(Self::OpenAi),
            "anthropic" => Ok(Self::Anthropic),
            _ => Err(Error::new(
                ErrorKind::Configuration,
                format!("there is no provider {name:?}; it is \"openai\" or \"anthropic\""),
            )),
        }
    }
}

/// The most parts an answer may have: more than any model writes, and a bound on
/// what a broken server can make of a small body.
const MAX_PARTS: usize = 10_000;

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `POST /v1/chat/completions`
    OpenAiChat,
    /// `POST /v1/completions`
    OpenAiCompletions,
    /// `POST /v1/messages`
    Anthropic,
}

/// A response as the transport hands it over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The value of the first header of a name, given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        text(self.headers.get(name)?)
    }
}

/// Headers for a test.
#[cfg(test)]
pub(crate) fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    use ureq::http::HeaderName;

    let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap();
    let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
    headers.iter().map(|(key, text)| (name(key), value(text))).collect()
}

/// A header's value, unless it is no text.
fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

/// What a response body says, before the client adds what it knows itself:
/// provider, request id, rate limits, latency.
#[derive(Debug, Clone)]
pub(crate) struct Decoded {
    pub(crate) message: crate::chat::Message,
    pub(crate) finish_reason: crate::chat::FinishReason,
    pub(crate) finish_reason_raw: Option<String>,
    pub(crate) usage: crate::chat::Usage,
    /// Empty when the body does not name it.
    pub(crate) model: String,
    pub(crate) service_tier: Option<String>,
    pub(crate) id: Option<String>,
}

/// The error of a response that is not an answer.
pub(crate) fn error(failure: Failure, reply: Reply<'_>, now: SystemTime) -> Error {
    failure
        .into_error()
        .with_status(reply.status)
        .with_request_id(request_id(reply))
        .with_rate_limit(rate_limit(reply, now))
        .with_retry_hints(headers::retry_after(reply, now), headers::should_retry(reply))
        .bounded()
}

impl Decoded {
    /// What only a client knows is left empty.
    pub(crate) fn into_response(self, provider: Provider) -> ChatResponse {
        ChatResponse {
            message: self.message,
            finish_reason: self.finish_reason,
            finish_reason_raw: self.finish_reason_raw,
            usage: self.usage,
            cost: None,
            model: self.model,
            service_tier: self.service_tier,
            provider,
            id: self.id,
            request_id: None,
            rate_limit: RateLimit::default(),
            latency: Duration::ZERO,
            attempts: Vec::new(),
            raw: String::new(),
        }
    }
}

impl Wire {
    /// The path below the base URL, which ends in `/v1` for OpenAI and does not
    /// for Anthropic, as in their own SDKs.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "/chat/completions",
            Self::OpenAiCompletions => "/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// The body for a request, to be written by [`write`].
    pub(crate) fn encode(
        self,
        request: &ChatRequest,
        model: &str,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error> {
        match self {
            Self::OpenAiChat => openai::encode(request, model, delivery),
            Self::OpenAiCompletions => completions::encode(request, model, delivery),
            Self::Anthropic => anthropic::encode(request, model, delivery),
        }
    }

    /// The member of the body that limits the output of one choice.
    pub(crate) fn limit_member(self, model: &str) -> &'static str {
        match self {
            Self::OpenAiChat => openai::limit_member(model),
            Self::OpenAiCompletions | Self::Anthropic => "max_tokens",
        }
    }

    /// Reads a response of any status.
    pub(crate) fn decode(self, reply: Reply<'_>) -> Result<Decoded, Failure> {
        if !(200..300).contains(&reply.status) {
            return Err(Failure::of(reply));
        }
        head::check(reply)?;
        match self {
            Self::OpenAiChat => openai::decode(reply.body),
            Self::OpenAiCompletions => completions::decode(reply.body),
            Self::Anthropic => anthropic::decode(reply.body),
        }
    }
}
