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
mod opaque;
mod outline;
mod reasoning;
mod stream;
mod tools;
pub(super) mod usage;

use crate::chat::Provider;
use crate::wire::format::{Endpoint, WireFormat, no_betas};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;

pub(super) use answer::tool_call;
use decode::decode;
pub use dialect::{
    CallIds, Dialect, FileParts, ImageInput, InstructionRole, OutputLimit, Prefill, ReasoningBack,
    ReasoningControl, ReasoningMember, ResponseFormats, Seed,
};
use encode::{encode, limit_member};
pub(super) use encode::{instruction_role, response_format, seed_member};
pub(super) use envelope::Envelope;
pub(super) use logprobs::Logprobs;

pub(super) use outline::{Outline, Read};
pub(super) use stream::LEAST_REPEATED;
use stream::Stream;
pub(super) use tools::{encode_parallel, subset};
pub(super) use usage::Report;

/// `POST /chat/completions`
pub(super) static CHAT: WireFormat = WireFormat {
    inventor: Provider::OPENAI,
    endpoint: Endpoint::Fixed("/chat/completions"),
    required: &["model", "messages", "stream"],
    encode,
    betas: no_betas,
    output_limits: &[&["max_tokens"], &["max_completion_tokens"]],
    output_limit: limit_member,
    measure: |body, limits| Prompt::openai(body, limits),
    decode,
    framing: Framing::Events,
    fold: |limit| Box::new(Stream::new(limit)),
};
