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
//! The wire facts come from anthropic-sdk-python 0.121.0 (`src/anthropic/types`,
//! generated from Anthropic's OpenAPI file), vercel/ai `packages/anthropic/src`
//! and recorded traffic, unless a place names another source.

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

pub(crate) use betas::HEADER as BETAS;
pub(super) use betas::header as betas;
pub(super) use decode::decode;
pub(super) use encode::encode;
pub(super) use stream::Stream;

/// The value of the `anthropic-version` header.
///
/// Pinned: `2026-10-21` refuses `temperature`, `top_p` and `top_k`, which
/// `2023-06-01` takes. New fields and stop reasons come to a version without
/// notice (Anthropic's page "Versions"), so unknown ones are tolerated.
pub(crate) const VERSION: &str = "2023-06-01";
