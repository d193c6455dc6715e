//! Speech in an answer.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Hidden, Opaque};
use crate::base64;

/// Speech that a model answered with, where the request asked for it (`modalities` and `audio`
/// of Chat Completions, set by [`ChatRequest::extra`](super::ChatRequest::extra)).
///
/// The transcript is part of the answer's [text](super::Message::text).
///
/// In later turns the provider that sent it gets it back by its [`id`](Self::id). Every other
/// provider gets the transcript as text, and so does this one where there is no id.
///
/// Sources: `ChatCompletionAudio` in openai-python; OpenRouter's page "Audio"; Alibaba's page
/// "Qwen-Omni", whose audio has neither id nor transcript.
///
/// `Debug` shows sizes only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Audio {
    /// The provider's id of the audio. Clear it once the audio has
    /// [expired](Self::expires_at), so that the transcript goes back instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The audio in base64, in the format that the request named. Empty where the provider sent
    /// a transcript only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// What is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transcript: String,
    /// When the provider forgets the audio, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Who sent it, and the members that this crate does not model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl Audio {
    /// The audio, decoded; `None` where [`data`](Self::data) is not base64.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        base64::decode(&self.data)
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audio")
            .field("id", &self.id)
            .field("data", &Hidden(self.data.len()))
            .field("transcript", &Hidden(self.transcript.len()))
            .field("expires_at", &self.expires_at)
            .field("opaque", &self.opaque)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_sizes_and_the_bytes_are_decoded() {
        let audio = Audio {
            id: Some("audio_1".into()),
            data: "Zm9v".into(),
            transcript: "secret".into(),
            ..Audio::default()
        };
        let shown = format!("{audio:?}");
        assert!(shown.contains("audio_1") && shown.contains("transcript: [6 bytes]"), "{shown}");
        assert!(!shown.contains("Zm9v") && !shown.contains("secret"), "{shown}");
        assert_eq!(audio.to_bytes().unwrap(), b"foo");
        assert_eq!(Audio { data: "no base64".into(), ..audio }.to_bytes(), None);
    }
}
