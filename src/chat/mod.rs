//! What is asked and what is answered, in no provider's own format.
//!
//! A [`ChatRequest`] holds a conversation of [`Message`]s, each a [`Role`] and a
//! list of [`Part`]s: text, images, documents, tool calls and their results,
//! reasoning. A [`ChatResponse`] holds the message that came back and what the
//! provider said about it: why it stopped, what it used, which model served it.
//!
//! Everything here is plain data without I/O, and can be stored and loaded with
//! serde, so that a conversation survives its program. `Debug` shows the shape
//! of a conversation and never its text: prompts do not belong in logs.

mod format;
mod media;
mod message;
mod part;
mod request;
mod response;
mod tool;
mod usage;

pub use format::{JsonSchema, ReasoningEffort, ResponseFormat};
pub use media::{Detail, Document, Image, Source};
pub use message::{Message, Role};
pub use part::{CacheTtl, Part, Reasoning};
pub use request::ChatRequest;
pub use response::{ChatResponse, FinishReason, Quota, RateLimit};
pub use tool::{Function, Tool, ToolCall, ToolChoice, ToolResult};
pub use usage::{Usage, UsageSource};

/// The size of a text in `Debug` output, in place of the text.
pub(crate) struct Hidden(pub(crate) usize);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0)
    }
}
