//! OpenAI's Responses, `POST /responses`, as OpenAI, Azure, xAI and the servers that follow them
//! speak it.
//!
//! ```text
//! encode.rs      request → body: limits, sampling, format; calls the next three
//!   input.rs       messages → `instructions` and input items
//!   content.rs     one part of a message → one content part
//!   tools.rs       tools and tool choice
//! decode.rs      body → message, usage, why it ended
//!   item.rs        one output item ↔ parts of a message
//! stream.rs      events → the same, piece by piece
//!   event.rs       what is read of an event
//!   items.rs       output items in pieces
//! models.rs      which models exist here only
//! ```
//!
//! The wire facts come from openai-python (`src/openai/types/responses`, generated from OpenAI's
//! OpenAPI file), vercel/ai (`packages/openai/src/responses`), llama.cpp
//! (`tools/server/server-task.cpp`, `server-chat.cpp`) and recorded traffic, unless a place names
//! another source.

mod content;
mod decode;
mod encode;
mod event;
mod input;
mod item;
mod items;
mod models;
mod stream;
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

use decode::decode;
use encode::encode;
pub(crate) use models::serves;
use stream::Stream;

/// `POST /responses`
pub(super) struct Responses;

impl WireFormat for Responses {
    fn inventor(&self) -> Provider {
        Provider::OPENAI
    }

    fn path(&self, _model: &str, _delivery: Delivery) -> Cow<'static, str> {
        Cow::Borrowed("/responses")
    }

    fn required(&self) -> &'static [&'static str] {
        &["model", "input", "stream"]
    }

    fn body(
        &self,
        request: &ChatRequest,
        target: Target<'_>,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error> {
        encode(request, target, delivery)
    }

    fn output_limits(&self) -> &'static [Path] {
        &[&["max_output_tokens"]]
    }

    fn output_limit(&self, _model: &str, _dialect: &Dialect) -> Path {
        &["max_output_tokens"]
    }

    fn measure<'a>(&self, body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a> {
        Prompt::responses(body, limits)
    }

    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure> {
        decode(body)
    }

    fn fold(&self, limit: SizeLimit) -> Box<dyn Fold> {
        Box::new(Stream::new(limit))
    }
}
