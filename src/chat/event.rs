//! The events of a streamed answer.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::{FinishReason, Hidden, Image, ToolCall, Usage};

/// A step of an answer that is streamed.
///
/// What a model writes comes in pieces, to be joined without a separator. Anthropic
/// numbers the parts of an answer and writes one after the other; of a server that
/// writes them by turns, the pieces come as they came, and the whole has the parts by
/// their numbers. The whole
/// answer, in order and with what has no event of its own (citations, signatures of
/// reasoning, blocks of a provider's own kind), is what the stream gives at its end.
///
/// `Debug` shows sizes and no words.
///
/// An answer that came to its end closes with one [`Usage`](Self::Usage) and then one
/// [`Finished`](Self::Finished), its last event. Without them it was cut short.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamEvent {
    /// More of the text, or of the transcript of audio; never empty.
    TextDelta(String),
    /// More of the reasoning that the model shows; never empty.
    ReasoningDelta(String),
    /// More of the words in which the model declines to answer; never empty.
    RefusalDelta(String),
    /// An image that the model made, whole.
    Image(Box<Image>),
    /// More of the audio, in base64 and as the provider cut it; never empty. OpenAI cuts it so that
    /// each piece decodes by itself.
    AudioDelta(String),
    /// The model begins to call a tool. It comes before all other events of that
    /// call, and not before both id and name are known.
    ToolCallStarted {
        /// Which of the answer's tool calls, counted from 0 in the order in which
        /// they begin.
        index: usize,
        /// The id to answer it by.
        id: String,
        /// The function's name.
        name: String,
    },
    /// More of a tool call's arguments; never empty.
    ToolArgumentsDelta {
        /// Which of the answer's tool calls.
        index: usize,
        /// A piece of JSON text, cut anywhere.
        delta: String,
    },
    /// A tool call is whole. Only then are its arguments to be read: those of a call
    /// that was cut short can look whole.
    ToolCallComplete {
        /// Which of the answer's tool calls.
        index: usize,
        /// The call.
        call: Box<ToolCall>,
    },
    /// The tokens the call used, once they are final.
    Usage(Box<Usage>),
    /// The answer is whole, and this is why the model stopped.
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

    fn every() -> Vec<StreamEvent> {
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
    fn debug_shows_the_shape_and_none_of_the_words() {
        let shown = format!("{:?}", every());
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.starts_with("[TextDelta([6 bytes]), "), "{shown}");
        assert!(shown.contains("delta: [6 bytes]") && shown.ends_with("Finished(Stop)]"));
    }

    #[test]
    fn events_are_stored_and_loaded_and_small() {
        for event in every() {
            let stored = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<StreamEvent>(&stored).unwrap(), event);
        }
        assert!(size_of::<StreamEvent>() <= 7 * size_of::<usize>());
    }
}
