//! Amazon Bedrock, `POST /model/{model}/converse` and `/converse-stream`.
//!
//! ```text
//! path.rs          model → path
//! encode.rs        request → body: sampling, format, reasoning; calls the next three
//!   messages.rs      messages → `system` and alternating turns of blocks
//!   block.rs         one part → one block
//!     media.rs         images and documents
//!   tools.rs         tools and tool choice
//!   reasoning.rs     reasoning effort → the member that the model's vendor reads
//! decode.rs        body → message, usage, stop reason
//! stream.rs        events → the same, piece by piece
//!   event.rs         the members of an event
//!   blocks.rs        content blocks in pieces → parts
//!   usage.rs         token counts
//! model.rs         a model's name → its vendor
//! ```
//!
//! The wire facts come from AWS's description of the service
//! (`botocore/data/bedrock-runtime/2023-09-30/service-2.json`, shown at
//! docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
//! API_runtime_ConverseStream.html), vercel/ai `packages/amazon-bedrock/src` and its recorded
//! answers, unless a comment names another source.

mod block;
mod blocks;
mod decode;
mod encode;
mod event;
mod media;
mod messages;
mod model;
mod path;
mod reasoning;
mod stream;
mod tools;
mod usage;

use crate::chat::{Format, Provenance, Provider};
use crate::wire::body::Body;
use crate::wire::format::{Endpoint, WireFormat};
use crate::wire::framing::Framing;
use crate::wire::measure::Prompt;
use stream::Stream;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
const PROVENANCE: Provenance = Provenance::inventor(Format::Bedrock);

/// `POST /model/{model}/converse`
pub(super) static CONVERSE: WireFormat = WireFormat {
    inventor: Provider::BEDROCK,
    endpoint: Endpoint::Computed(path::path),
    required: &["messages"],
    encode: |request, target, delivery| encode::encode(request, target, delivery).map(Body::from),
    betas: encode::betas,
    output_limits: &[&["inferenceConfig", "maxTokens"]],
    output_limit: |_| &["inferenceConfig", "maxTokens"],
    measure: |body, limits| Prompt::bedrock(body, limits),
    decode: decode::decode,
    framing: Framing::Binary,
    fold: |limit| Box::new(Stream::new(limit)),
};
