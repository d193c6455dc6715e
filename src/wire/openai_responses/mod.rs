//! OpenAI's Responses API, `POST /responses`, as OpenAI, Azure, xAI and compatible servers speak it.
//!
//! ```text
//! encode.rs      request → body: limits, sampling, format; calls the next five
//!   input.rs       messages → `instructions` and input items
//!   message.rs     a message of the system, the user or a tool → input items
//!   assistant.rs   an assistant's message → input items
//!   content.rs     one part of a message → one content part
//!   tools.rs       tools and tool choice
//! decode.rs      body → message, usage, finish reason
//!   item.rs        one output item ↔ parts of a message
//! stream.rs      events → the same, piece by piece
//!   event.rs         the members of an event
//!   items.rs         the item that an event belongs to
//!   streamed_item.rs   one item: its members, parts and call
//!   streamed_part.rs     one text of it
//!   streamed_call.rs     the call's arguments
//!   sink.rs          where new content goes: the size limit and the events
//! ```
//!
//! The wire facts come from openai-python (`src/openai/types/responses`, generated from OpenAI's
//! OpenAPI file), vercel/ai (`packages/openai/src/responses`), llama.cpp
//! (`tools/server/server-task.cpp`, `server-chat.cpp`) and recorded traffic, unless a comment
//! names another source.

mod assistant;
mod content;
mod decode;
mod encode;
mod event;
mod input;
mod item;
mod items;
mod message;
mod sink;
mod stream;
mod streamed_call;
mod streamed_item;
mod streamed_part;
mod tools;

use crate::chat::Provider;
use crate::wire::body::Body;
use crate::wire::format::{Endpoint, WireFormat, no_betas};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;

use decode::decode;
use encode::encode;
use stream::Stream;

/// `POST /responses`
pub(super) static RESPONSES: WireFormat = WireFormat {
    inventor: Provider::OPENAI,
    endpoint: Endpoint::Fixed("/responses"),
    required: &["model", "input", "stream"],
    encode: |request, target, delivery| encode(request, target, delivery).map(Body::from),
    betas: no_betas,
    output_limits: &[&["max_output_tokens"]],
    output_limit: |_| &["max_output_tokens"],
    measure: |body, limits| Prompt::responses(body, limits),
    decode,
    framing: Framing::Events,
    fold: |limit| Box::new(Stream::new(limit)),
};
