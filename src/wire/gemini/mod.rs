//! Gemini, `POST /models/{model}:generateContent` and `:streamGenerateContent?alt=sse`.
//!
//! ```text
//! path.rs          model → path
//! encode.rs        request → body: the settings of a generation; calls the next four
//!   contents.rs      messages → `systemInstruction` and alternating contents
//!   part.rs          one part → one part of the wire
//!     media.rs         images and documents
//!   tools.rs         tools and the choice among them
//!   thinking.rs      reasoning effort → budget or level, by model
//! decode.rs        body → message, usage, finish reason
//! stream.rs        chunks → the same, piece by piece
//!   chunk.rs         what is read of a response
//!   parts.rs         parts of the wire → parts of a message
//!   usage.rs         counts of tokens
//!   beside.rs        what surrounds an answer
//! model.rs         what a model's name says
//! ```
//!
//! The wire facts come from Google's API reference (ai.google.dev/api/generate-content and
//! /api/caching), python-genai 2.12 (`google/genai/types.py`, generated from the service's
//! definition), vercel/ai `packages/google/src` and recorded traffic, unless a place names
//! another source.

mod beside;
mod chunk;
mod contents;
mod decode;
mod encode;
mod media;
mod model;
mod part;
mod parts;
mod path;
mod stream;
mod thinking;
mod tools;
mod usage;

use serde_json::{Map, Value};
use std::borrow::Cow;

use crate::chat::{ChatRequest, Format, Provenance, Provider};
use crate::error::Error;
use crate::upper_bound::ModelLimits;
use crate::wire::format::{Fold, Path, WireFormat};
use crate::wire::measure::Prompt;
use crate::wire::openai_chat::Dialect;
use crate::wire::stream::SizeLimit;
use crate::wire::{Decoded, Delivery, Failure, Target};
use stream::Stream;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
const PROVENANCE: Provenance = Provenance::inventor(Format::Gemini);

/// The member of a part that goes back unchanged
/// (ai.google.dev/gemini-api/docs/thought-signatures).
const SIGNATURE: &str = "thoughtSignature";

/// `POST /models/{model}:generateContent`
pub(super) struct GenerateContent;

impl WireFormat for GenerateContent {
    fn inventor(&self) -> Provider {
        Provider::GEMINI
    }

    fn path(&self, model: &str, delivery: Delivery) -> Cow<'static, str> {
        path::path(model, delivery)
    }

    fn has_one_path(&self) -> bool {
        false
    }

    fn required(&self) -> &'static [&'static str] {
        &["contents"]
    }

    fn body(
        &self,
        request: &ChatRequest,
        target: Target<'_>,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error> {
        encode::encode(request, target, delivery)
    }

    fn output_limits(&self) -> &'static [Path] {
        &[&["generationConfig", "maxOutputTokens"]]
    }

    fn output_limit(&self, _model: &str, _dialect: &Dialect) -> Path {
        &["generationConfig", "maxOutputTokens"]
    }

    fn measure<'a>(&self, body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a> {
        Prompt::gemini(body, limits)
    }

    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure> {
        decode::decode(body)
    }

    fn fold(&self, limit: SizeLimit) -> Box<dyn Fold> {
        Box::new(Stream::new(limit))
    }
}
