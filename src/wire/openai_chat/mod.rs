//! OpenAI's Chat Completions, `POST /chat/completions`, as OpenAI and the many
//! servers that follow it speak it.
//!
//! Where they differ, what is sent is what the most of them know, and what is
//! read is as tolerant as it can be without inventing an answer. Facts about
//! OpenAI's own wire come from its reference and the types of `openai-python`;
//! those about others are named where they are used.

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
mod usage;

pub(super) use answer::fingerprint;
pub(super) use decode::decode;
pub use dialect::{
    CallIds, Dialect, ImageInput, InstructionRole, OutputLimit, ReasoningBack, ReasoningControl,
    ReasoningMember, ResponseFormats, Seed,
};
pub(super) use encode::{encode, limit_member, seed_member};
pub(super) use envelope::Envelope;

pub(super) use outline::{Outline, Read};
pub(super) use stream::{LEAST_REPEATED, Stream};
