//! The content of a reply, before a request decides its format.

use crate::{FinishReason, replay};

#[derive(Debug, Clone)]
pub(super) enum Content {
    Answer(Answer),
    /// Names the loopback provider and the number of messages.
    Echo,
    Failure(Failure),
    Raw {
        content_type: String,
        bytes: Vec<u8>,
    },
    Recorded(Box<replay::Response>),
}

/// The model's answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// The text in its streamed pieces; `None` for no text.
    pub(super) text: Option<Vec<String>>,
    pub(super) refusal: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) calls: Vec<Call>,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    /// JSON text, unless a test wants otherwise.
    pub(super) arguments: String,
}

/// An error in a provider's own form. Empty fields mean the usual values for the status.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Debug, Clone)]
pub(super) enum Finish {
    Reason(FinishReason),
    Raw(String),
}

/// Token counts that were set; the others are estimated.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tokens {
    pub(super) absent: bool,
    pub(super) prompt: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) cached: u64,
    pub(super) cache_write: u64,
    pub(super) cache_write_1h: u64,
    pub(super) reasoning: Option<u64>,
}

/// Splits a text as models stream it: each word with the space before it.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut start = 0;
    for (at, character) in text.char_indices() {
        if character.is_whitespace() && at > start {
            words.push(text[start..at].to_owned());
            start = at;
        }
    }
    if start < text.len() {
        words.push(text[start..].to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_words_join_to_the_original_text() {
        for text in ["", " ", "a", "one two", "  two  spaces ", "é ü\n\nß 💡x"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("one two three"), ["one", " two", " three"]);
    }
}
