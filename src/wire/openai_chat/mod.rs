//! OpenAI's Chat Completions, `POST /chat/completions`, as OpenAI and the many compatible servers
//! implement it.
//!
//! Where servers differ, requests use what most of them support, and responses are read as
//! tolerantly as possible without inventing an answer. Facts about OpenAI's own format come from
//! its reference and the types of `openai-python`. Facts about other servers name their source
//! where they are used.

mod answer;
mod bill;
mod calls;
mod chunk;
mod decode;
mod dialect;
mod encode;
mod envelope;
mod logprobs;
mod media;
mod messages;
mod model;
mod opaque;
mod outline;
mod reasoning;
mod stream;
mod tools;
pub(super) mod usage;

use serde_json::{Map, Value};
use std::borrow::Cow;

use crate::chat::{ChatRequest, Provider};
use crate::error::Error;
use crate::upper_bound::ModelLimits;
use crate::wire::format::{Fold, Path, WireFormat};
use crate::wire::measure::Prompt;
use crate::wire::stream::SizeLimit;
use crate::wire::{Decoded, Delivery, Failure, Target};

pub(super) use answer::{fingerprint, tool_call};
use decode::decode;
pub use dialect::{
    CallIds, Dialect, ImageInput, InstructionRole, OutputLimit, ReasoningBack, ReasoningControl,
    ReasoningMember, ResponseFormats, Seed,
};
use encode::{encode, limit_member};
pub(super) use encode::{instruction_role, response_format, seed_member};
pub(super) use envelope::Envelope;
pub(super) use model::is_newer;

pub(super) use outline::{Outline, Read};
pub(super) use stream::LEAST_REPEATED;
use stream::Stream;
pub(super) use tools::{encode_parallel, subset};
pub(super) use usage::Report;

/// `POST /chat/completions`
pub(super) struct Chat;

impl WireFormat for Chat {
    fn inventor(&self) -> Provider {
        Provider::OPENAI
    }

    fn path(&self, _model: &str, _delivery: Delivery) -> Cow<'static, str> {
        Cow::Borrowed("/chat/completions")
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

    fn output_limits(&self) -> &'static [Path] {
        &[&["max_tokens"], &["max_completion_tokens"]]
    }

    fn output_limit(&self, model: &str, dialect: &Dialect) -> Path {
        match limit_member(model, dialect) {
            "max_tokens" => &["max_tokens"],
            _ => &["max_completion_tokens"],
        }
    }

    fn measure<'a>(&self, body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a> {
        Prompt::openai(body, limits)
    }

    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure> {
        decode(body)
    }

    fn fold(&self, limit: SizeLimit) -> Box<dyn Fold> {
        Box::new(Stream::new(limit))
    }
}
