//! Adds images and speech from the chunks of a stream.

use serde_json::Value;
use std::borrow::Cow;

use super::Stream;
use crate::chat::{Audio, Image, Part, StreamEvent};
use crate::wire::Failure;
use crate::wire::json::bounded::Content;
use crate::wire::openai_chat::answer::Answer;
use crate::wire::openai_chat::media;

/// How many images to search for a repeated one, so that many images take only linear time.
const WINDOW: usize = 256;

impl Stream {
    /// Adds an image unless it is known: some servers resend everything with every chunk.
    pub(super) fn new_image(
        &mut self,
        image: Image,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Option<Image>, Failure> {
        let Answer { content, images, .. } = &self.answer;
        let in_content = content.iter().rev().filter_map(|part| match part {
            Part::Image(image) => Some(image),
            _ => None,
        });
        let mut known = images.iter().rev().take(WINDOW).chain(in_content.take(WINDOW));
        if known.any(|known| known.source == image.source) {
            return Ok(None);
        }
        media::keep(&image, &mut self.room)?;
        events.push(StreamEvent::Image(image.clone().into()));
        Ok(Some(image))
    }

    /// Adds a piece of speech: more of `data` (base64) and of `transcript`, and its id and expiry.
    pub(super) fn add_speech(
        &mut self,
        audio: Content,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if audio.exceeded {
            return Err(Failure::too_many_parts());
        }
        let Value::Object(mut pieces) = audio.value else { return Ok(()) };
        let transcript = match pieces.get_mut("transcript").map(Value::take) {
            Some(Value::String(text)) => self.halves.transcript.join(text.into(), self.marked),
            _ => Cow::Borrowed(""),
        };
        self.add_transcript(&transcript, events)?;
        for (name, piece) in pieces {
            if media::is_known(self.speech()?, &name, &piece) {
                continue;
            }
            self.room.keep(name.len())?;
            self.room.keep_value(&piece)?;
            if let ("data", Value::String(data)) = (name.as_str(), &piece) {
                events.push(StreamEvent::AudioDelta(data.clone()));
            }
            media::add(self.speech()?, name, piece);
        }
        Ok(())
    }

    /// Adds to the transcript, in the order in which text and transcript arrived.
    pub(super) fn add_transcript(
        &mut self,
        transcript: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if transcript.is_empty() {
            return Ok(());
        }
        self.room.write(transcript)?;
        let is_text = |part: &Part| matches!(part, Part::Text(_));
        let behind = self.answer.content.iter().rev().take_while(|part| !is_audio(part));
        if behind.into_iter().any(is_text) {
            self.add(Part::Audio(media::silence()))?;
        }
        self.speech()?.transcript.push_str(transcript);
        events.push(StreamEvent::TextDelta(transcript.to_owned()));
        Ok(())
    }

    /// Returns the last speech, or starts a new one.
    fn speech(&mut self) -> Result<&mut Audio, Failure> {
        if !self.answer.content.iter().any(is_audio) {
            self.add(Part::Audio(media::silence()))?;
        }
        let last = self.answer.content.iter_mut().rev().find_map(|part| match part {
            Part::Audio(audio) => Some(audio),
            _ => None,
        });
        last.ok_or_else(Failure::too_many_parts)
    }
}

fn is_audio(part: &Part) -> bool {
    matches!(part, Part::Audio(_))
}
