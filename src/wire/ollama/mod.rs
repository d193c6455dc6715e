//! Ollama's own format, `POST /api/chat`.
//!
//! ```text
//! encode.rs        request → body: options, tools, format; calls the next two
//!   messages.rs      messages → messages
//!   thinking.rs      reasoning effort → `think`
//! decode.rs        body → message, usage, finish reason
//! stream.rs        lines → the same, incrementally
//!   chunk.rs         the members of a response that are read
//!   parts.rs         texts, calls and images → parts of a message
//!   spread.rs        a JSON text over several lines → one
//! ```
//!
//! The wire facts come from ollama/ollama (`docs/api.md`, `docs/openapi.yaml`, `docs/api/*.mdx`,
//! `api/types.go`, `server/routes.go` of August 2026) and recorded traffic, unless a comment names
//! another source.

mod chunk;
mod decode;
mod encode;
mod messages;
mod parts;
mod spread;
mod stream;
mod thinking;

use crate::chat::{Format, Provenance, Provider};
use crate::wire::body::Body;
use crate::wire::format::{Endpoint, WireFormat, no_betas};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;
use stream::Stream;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
const PROVENANCE: Provenance = Provenance::inventor(Format::Ollama);

/// `POST /api/chat`
pub(super) static CHAT: WireFormat = WireFormat {
    inventor: Provider::OLLAMA,
    endpoint: Endpoint::Fixed("/api/chat"),
    required: &["model", "messages", "stream"],
    encode: |request, target, delivery| encode::encode(request, target, delivery).map(Body::from),
    betas: no_betas,
    // -1, the default, means no limit (docs/modelfile.mdx, "Valid Parameters and Values").
    output_limits: &[&["options", "num_predict"]],
    output_limit: |_| &["options", "num_predict"],
    measure: |body, limits| Prompt::ollama(body, limits),
    framing: Framing::Lines,
    decode: decode::decode,
    fold: |limit| Box::new(Stream::new(limit)),
};
