//! Cohere's Chat API, version 2: `POST /v2/chat`.
//!
//! ```text
//! encode.rs        request → body: limits, sampling, format; calls the next three
//!   messages.rs      messages → messages of the wire format, and documents
//!     media.rs         images and documents
//!   tools.rs         tools and tool choice
//!   thinking.rs      reasoning effort → thinking
//! decode.rs        body → message, usage, finish reason
//! stream.rs        events → the same, incrementally
//!   event.rs         the members of an event that are read
//!   parts.rs         content, plan, calls and citations → parts of a message
//!     call.rs          a tool call that may arrive in pieces
//!   usage.rs         billed units and token counts
//! ```
//!
//! The wire facts come from Cohere's OpenAPI file (cohere-ai/cohere-developer-experience,
//! `cohere-openapi.yaml`, `/v2/chat`), its documentation in the same repository (`fern/pages`),
//! cohere-python (`src/cohere/v2`), vercel/ai `packages/cohere/src` and recorded traffic, unless a
//! comment names another source.

mod call;
mod decode;
mod encode;
mod event;
mod media;
mod messages;
mod parts;
mod stream;
mod thinking;
mod tools;
mod usage;

use crate::chat::{Format, Provenance, Provider};
use crate::wire::body::Body;
use crate::wire::format::{Endpoint, WireFormat, no_betas};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;
use stream::Stream;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
const PROVENANCE: Provenance = Provenance::inventor(Format::Cohere);

/// The member of a message with the model's plan for its tool calls. Its text is
/// [`Reasoning`](crate::Reasoning) with this [`field`](crate::Reasoning::field).
const PLAN: &str = "tool_plan";

/// `POST /v2/chat`
pub(super) static CHAT: WireFormat = WireFormat {
    inventor: Provider::COHERE,
    endpoint: Endpoint::Fixed("/v2/chat"),
    required: &["model", "messages", "stream"],
    encode: |request, target, delivery| encode::encode(request, target, delivery).map(Body::from),
    betas: no_betas,
    output_limits: &[&["max_tokens"]],
    output_limit: |_| &["max_tokens"],
    measure: |body, limits| Prompt::cohere(body, limits),
    decode: decode::decode,
    framing: Framing::Events,
    fold: |limit| Box::new(Stream::new(limit)),
};
