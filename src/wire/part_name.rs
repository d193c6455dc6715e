//! Names the kinds of parts for error messages.

use crate::chat::Part;

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
