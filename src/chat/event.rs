//! The events of a streamed answer.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::{FinishReason, Hidden, Image, ToolCall, Usage};

/// One event of a streamed answer.
///
/// Text arrives in pieces; join them without a separator. Events come in the order in which the
/// server sends them. Anthropic numbers the parts of an answer and usually writes one after the
/// other; if a server interleaves them, the complete response still orders the parts by number.
///
/// Some content has no event: citations, signatures of reasoning, blocks that only one provider
/// knows. The complete response at the end of the stream has everything, in order.
///
/// `Debug` shows sizes, never text.
///
/// A complete answer ends with one [`Usage`](Self::Usage) and then one
/// [`Finished`](Self::Finished), the last event. Without them the answer was cut short.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamEvent {
    /// More of the text, or of the transcript of audio; never empty.
    TextDelta(String),
    /// More of the visible reasoning; never empty.
    ReasoningDelta(String),
    /// More of the text in which the model declines to answer; never empty.
    RefusalDelta(String),
    /// A complete image that the model generated.
    Image(Box<Image>),
    /// More of the audio in base64, in the pieces that the provider sent; never empty. Each of
    /// OpenAI's pieces can be decoded on its own.
    AudioDelta(String),
    /// The model starts a tool call. This is the first event of the call, and comes only once its
    /// id and name are known.
    ToolCallStarted {
        /// The index of the call among the answer's tool calls, from 0 in the order in which they
        /// start.
        index: usize,
        /// The id that the result must carry.
        id: String,
        /// The function's name.
        name: String,
    },
    /// More of a tool call's arguments; never empty.
    ToolArgumentsDelta {
        /// The index of the call among the answer's tool calls.
        index: usize,
        /// A piece of JSON text, split at any point.
        delta: String,
    },
    /// A tool call is complete. Read its arguments only now: those of a truncated call can look
    /// complete.
    ToolCallComplete {
        /// The index of the call among the answer's tool calls.
        index: usize,
        /// The call.
        call: Box<ToolCall>,
    },
    /// The tokens the call used, once they are final.
    Usage(Box<Usage>),
    /// The answer is complete; this is why the model stopped.
    Finished(FinishReason),
}

impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut piece = |name, text: &str| f.debug_tuple(name).field(&Hidden(text.len())).finish();
        match self {
            Self::TextDelta(text) => piece("TextDelta", text),
            Self::ReasoningDelta(text) => piece("ReasoningDelta", text),
            Self::RefusalDelta(text) => piece("RefusalDelta", text),
            Self::AudioDelta(data) => piece("AudioDelta", data),
            Self::Image(image) => f.debug_tuple("Image").field(image).finish(),
            Self::ToolCallStarted { index, id, name } => f
                .debug_struct("ToolCallStarted")
                .field("index", index)
                .field("id", id)
                .field("name", name)
                .finish(),
            Self::ToolArgumentsDelta { index, delta } => f
                .debug_struct("ToolArgumentsDelta")
                .field("index", index)
                .field("delta", &Hidden(delta.len()))
                .finish(),
            Self::ToolCallComplete { index, call } => f
                .debug_struct("ToolCallComplete")
                .field("index", index)
                .field("call", call)
                .finish(),
            Self::Usage(usage) => f.debug_tuple("Usage").field(usage).finish(),
            Self::Finished(reason) => f.debug_tuple("Finished").field(reason).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<StreamEvent> {
        let call = ToolCall::new("c", "f", "secret");
        vec![
            StreamEvent::TextDelta("secret".into()),
            StreamEvent::ReasoningDelta("secret".into()),
            StreamEvent::RefusalDelta("secret".into()),
            StreamEvent::Image(Image::from_url("secret").into()),
            StreamEvent::AudioDelta("secret".into()),
            StreamEvent::ToolCallStarted { index: 0, id: "c".into(), name: "f".into() },
            StreamEvent::ToolArgumentsDelta { index: 0, delta: "secret".into() },
            StreamEvent::ToolCallComplete { index: 0, call: call.into() },
            StreamEvent::Usage(Usage::reported(1, 2).into()),
            StreamEvent::Finished(FinishReason::Stop),
        ]
    }

    #[test]
    fn debug_shows_the_shape_and_never_the_text() {
        let shown = format!("{:?}", one_of_each());
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.starts_with("[TextDelta([6 bytes]), "), "{shown}");
        assert!(shown.contains("delta: [6 bytes]") && shown.ends_with("Finished(Stop)]"));
    }

    #[test]
    fn events_survive_storage_and_are_small() {
        for event in one_of_each() {
            let stored = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<StreamEvent>(&stored).unwrap(), event);
        }
        assert!(size_of::<StreamEvent>() <= 7 * size_of::<usize>());
    }
}
