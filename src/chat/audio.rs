//! Speech in an answer.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Hidden, Opaque};
use crate::base64;

/// Speech that a model generated. A Chat Completions request asks for it with `modalities` and
/// `audio`, set through [`ChatRequest::extra`](super::ChatRequest::extra).
///
/// The transcript is part of the answer's [text](super::Message::text).
///
/// In later turns the crate sends the [`id`](Self::id) back to the provider that generated the
/// audio. Every other provider gets the transcript as text, and so does this one if there is no id.
///
/// Sources: `ChatCompletionAudio` in openai-python; OpenRouter's page "Audio"; Alibaba's page
/// "Qwen-Omni", whose audio has neither id nor transcript.
///
/// `Debug` shows only sizes.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Audio {
    /// The provider's id of the audio. Clear it once the audio has [expired](Self::expires_at); the
    /// crate then sends the transcript back instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The audio in base64, in the format that the request asked for. Empty if the provider sent
    /// only a transcript.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// The transcript.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transcript: String,
    /// When the provider deletes the audio, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The sender, and the members that this crate does not model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl Audio {
    /// Returns the decoded audio; `None` if [`data`](Self::data) is not base64.
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
    fn debug_shows_only_sizes_and_to_bytes_decodes() {
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
