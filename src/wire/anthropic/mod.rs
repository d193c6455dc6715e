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

use crate::chat::Provider;
use crate::wire::body::Body;
use crate::wire::format::{Endpoint, WireFormat};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;

pub(crate) use betas::HEADER as BETAS;
use decode::decode;
pub(super) use encode::encode;
use stream::Stream;
pub(super) use thinking::write as write_thinking;

/// The value of the `anthropic-version` header.
///
/// Pinned: `2026-10-21` rejects `temperature`, `top_p` and `top_k`, which `2023-06-01` accepts. A
/// version gets new fields and stop reasons without notice (Anthropic's page "Versions"), so
/// unknown ones are tolerated.
pub(crate) const VERSION: &str = "2023-06-01";

/// `POST /v1/messages`
pub(super) static MESSAGES: WireFormat = WireFormat {
    inventor: Provider::ANTHROPIC,
    endpoint: Endpoint::Fixed("/v1/messages"),
    required: &["model", "messages", "stream"],
    encode: |request, target, delivery| encode(request, target, delivery).map(Body::from),
    betas: betas::header,
    output_limits: &[&["max_tokens"], &["max_completion_tokens"]],
    output_limit: |_| &["max_tokens"],
    measure: |body, limits| Prompt::anthropic(body, limits),
    decode,
    framing: Framing::Events,
    fold: |limit| Box::new(Stream::new(limit)),
};
