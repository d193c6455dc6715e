//! Gemini, `POST /models/{model}:generateContent` and `:streamGenerateContent?alt=sse`.
//!
//! ```text
//! path.rs          model → path
//! encode.rs        request → body: generation settings; calls the next five
//!   contents.rs      messages → `systemInstruction` and alternating contents
//!   part.rs          one part → parts of the wire format
//!     media.rs         images and documents
//!   tools.rs         tools and tool choice
//!   thinking.rs      reasoning effort → budget or level, by model
//! decode.rs        body → message, usage, finish reason
//! stream.rs        chunks → the same, incrementally
//!   chunk.rs         the members of a response that are read
//!   parts.rs         parts of the wire format → parts of a message
//!   usage.rs         token counts
//!   beside.rs        members beside an answer
//! service.rs       how the Gemini API and Vertex AI differ
//! ```
//!
//! The wire facts come from Google's API reference (ai.google.dev/api/generate-content and
//! /api/caching), python-genai 2.12 (`google/genai/types.py`, generated from the service's
//! definition), vercel/ai `packages/google/src` and recorded traffic, unless a comment names
//! another source.

mod beside;
mod chunk;
mod contents;
mod decode;
mod encode;
mod media;
mod part;
mod parts;
mod path;
mod service;
mod stream;
mod thinking;
mod tools;
mod usage;

use crate::chat::{Format, Provenance, Provider};
use crate::wire::body::Body;
use crate::wire::format::{Endpoint, WireFormat, no_betas};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;
pub(super) use encode::encode;
pub(super) use path::{method_path, resource};
pub(super) use service::Service;
use stream::Stream;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
const PROVENANCE: Provenance = Provenance::inventor(Format::Gemini);

/// The member with a part's signature, which later requests must return unchanged
/// (ai.google.dev/gemini-api/docs/thought-signatures).
const SIGNATURE: &str = "thoughtSignature";

/// `POST /models/{model}:generateContent`
pub(super) static GENERATE_CONTENT: WireFormat = WireFormat {
    inventor: Provider::GEMINI,
    endpoint: Endpoint::Computed(path::path),
    required: &["contents"],
    encode: |request, target, delivery| {
        encode(request, target, delivery, &Service::GEMINI).map(Body::from)
    },
    betas: no_betas,
    output_limits: &[&["generationConfig", "maxOutputTokens"]],
    output_limit: |_| &["generationConfig", "maxOutputTokens"],
    measure: |body, limits| Prompt::gemini(body, limits),
    decode: decode::decode,
    framing: Framing::Events,
    fold: |limit| Box::new(Stream::new(limit)),
};
