//! Anthropic Messages, `POST /v1/messages`.
//!
//! ```text
//! encode.rs        request → body: limits, sampling, format; calls the next three
//!   conversation.rs  messages → `system` and alternating turns of blocks
//!   block.rs         one part → one block
//!     call.rs          tool calls and their results
//!     media.rs         images and documents
//!   tools.rs         tools and tool choice
//!   thinking.rs      reasoning effort → thinking and effort, by model
//! betas.rs         request → the header `anthropic-beta`
//! decode.rs        body → message, usage, stop reason
//! stream.rs        events → the same, piece by piece
//!   event.rs         what is read of an event
//!   blocks.rs        content blocks in pieces → parts
//! ```
//!
//! Facts about the format come from anthropic-sdk-python 0.121.0 (`src/anthropic/types`, generated
//! from Anthropic's OpenAPI file), vercel/ai `packages/anthropic/src` and recorded traffic, unless
//! another source is named.

mod betas;
mod block;
mod blocks;
mod cache_points;
mod call;
mod conversation;
mod decode;
mod encode;
mod event;
mod media;
mod stream;
mod thinking;
mod tools;

use serde_json::{Map, Value};
use std::borrow::Cow;

use crate::chat::{ChatRequest, Provider};
use crate::error::Error;
use crate::upper_bound::ModelLimits;
use crate::wire::format::{Fold, Path, WireFormat};
use crate::wire::measure::Prompt;
use crate::wire::openai_chat::Dialect;
use crate::wire::stream::SizeLimit;
use crate::wire::{Decoded, Delivery, Failure, Target};
use ureq::http::HeaderValue;

pub(crate) use betas::HEADER as BETAS;
use decode::decode;
use encode::encode;
use stream::Stream;

/// The value of the `anthropic-version` header.
///
/// Pinned: `2026-10-21` rejects `temperature`, `top_p` and `top_k`, which `2023-06-01` accepts. A
/// version gets new fields and stop reasons without notice (Anthropic's page "Versions"), so
/// unknown ones are tolerated.
pub(crate) const VERSION: &str = "2023-06-01";

/// `POST /v1/messages`
pub(super) struct Messages;

impl WireFormat for Messages {
    fn inventor(&self) -> Provider {
        Provider::ANTHROPIC
    }

    fn path(&self, _model: &str, _delivery: Delivery) -> Cow<'static, str> {
        Cow::Borrowed("/v1/messages")
    }

    fn required(&self) -> &'static [&'static str] {
        &["model", "messages", "stream"]
    }

    fn body(
        &self,
        request: &ChatRequest,
        target: Target<'_>,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error> {
        encode(request, target, delivery)
    }

    fn betas(
        &self,
        request: &ChatRequest,
        set: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        betas::header(request, set)
    }

    fn output_limits(&self) -> &'static [Path] {
        &[&["max_tokens"], &["max_completion_tokens"]]
    }

    fn output_limit(&self, _model: &str, _dialect: &Dialect) -> Path {
        &["max_tokens"]
    }

    fn measure<'a>(&self, body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a> {
        Prompt::anthropic(body, limits)
    }

    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure> {
        decode(body)
    }

    fn fold(&self, limit: SizeLimit) -> Box<dyn Fold> {
        Box::new(Stream::new(limit))
    }
}
