//! Google's Vertex AI: Gemini and Claude below one project. The model decides between them.
//!
//! ```text
//! model.rs         a model's name → publisher and model
//! path.rs          model → path
//! claude.rs        request → body: Anthropic's, without the model and with a version
//! ```
//!
//! Everything else is [Gemini](super::gemini) and [Anthropic](super::anthropic).
//! [`gemini::Service::VERTEX`](super::gemini::Service::VERTEX) lists what Gemini on Vertex lacks.

mod claude;
mod model;
mod path;

use super::body::Body;
use super::format::{Endpoint, WireFormat};
use super::{anthropic, gemini};
use crate::chat::Provider;

pub(super) use model::is_claude;
pub(super) use path::method_path;

/// `POST /publishers/google/models/{model}:generateContent`
pub(super) static GEMINI: WireFormat = WireFormat {
    inventor: Provider::VERTEX,
    endpoint: Endpoint::Computed(path::gemini),
    required: gemini::GENERATE_CONTENT.required,
    encode: |request, target, delivery| {
        model::check(target.model)?;
        gemini::encode(request, target, delivery, &gemini::Service::VERTEX).map(Body::from)
    },
    betas: gemini::GENERATE_CONTENT.betas,
    output_limits: gemini::GENERATE_CONTENT.output_limits,
    output_limit: gemini::GENERATE_CONTENT.output_limit,
    measure: gemini::GENERATE_CONTENT.measure,
    decode: gemini::GENERATE_CONTENT.decode,
    framing: gemini::GENERATE_CONTENT.framing,
    fold: gemini::GENERATE_CONTENT.fold,
};

/// `POST /publishers/anthropic/models/{model}:rawPredict`
pub(super) static CLAUDE: WireFormat = WireFormat {
    inventor: Provider::VERTEX,
    endpoint: Endpoint::Computed(path::claude),
    required: &["anthropic_version", "messages", "stream"],
    encode: |request, target, delivery| claude::encode(request, target, delivery).map(Body::from),
    betas: anthropic::MESSAGES.betas,
    output_limits: anthropic::MESSAGES.output_limits,
    output_limit: anthropic::MESSAGES.output_limit,
    measure: anthropic::MESSAGES.measure,
    decode: anthropic::MESSAGES.decode,
    framing: anthropic::MESSAGES.framing,
    fold: anthropic::MESSAGES.fold,
};
