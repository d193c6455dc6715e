//! Names the kinds of parts for error messages.

use crate::chat::{Part, Role};

/// Says that a message of this role cannot contain the part.
pub(super) fn misplaced(part: &Part, role: Role) -> String {
    let role = match role {
        Role::System => "a system message",
        Role::User => "a user message",
        Role::Assistant => "an assistant message",
        Role::Tool => "a tool message",
    };
    format!("holds {}, which {role} cannot contain; move it to another message", part_name(part))
}

/// Says that a tool result cannot contain the part.
pub(super) fn misplaced_in_result(part: &Part) -> String {
    let name = part_name(part);
    format!("holds a tool result that contains {name}; use text, images or documents")
}

pub(super) fn part_name(part: &Part) -> &'static str {
    match part {
        Part::Text(_) => "text",
        Part::Image(_) => "an image",
        Part::Audio(_) => "speech",
        Part::Document(_) => "a document",
        Part::Refusal(_) => "a refusal",
        Part::Reasoning(_) => "reasoning",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult(_) => "a tool result",
        Part::CachePoint(_) => "a cache point",
        Part::Other { .. } => "a provider's own part",
    }
}
