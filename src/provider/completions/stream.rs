use super::super::openai::{Outline, finish_reason};
use super::super::stream::{Room, Step};
use super::super::word::Written;
use super::super::{Decoded, Failure};
use crate::chat::{Message, Part, Role, StreamEvent};

/// A text completion that is streamed, as far as it has come. Its events are of the
/// same form as a whole one.
#[derive(Clone)]
pub(in crate::provider) struct Stream {
    outline: Outline,
    text: String,
    room: Room,
}

impl Stream {
    pub(in crate::provider) fn new(room: Room) -> Self {
        Self { outline: Outline::default(), text: String::new(), room }
    }

    pub(in crate::provider) fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let mut repaired = None;
        let (step, choice) = self.outline.read(name, data, &mut repaired)?;
        match choice.map(|choice| choice.text) {
            Some(Written::Text(text)) if !text.is_empty() => {
                self.room.write(&text)?;
                self.text.push_str(&text);
                events.push(StreamEvent::TextDelta(text.into_owned()));
            }
            _ => {}
        }
        Ok(step)
    }

    /// Whether nothing was left to come but the end marker.
    pub(in crate::provider) fn is_whole(&self) -> bool {
        self.outline.last
    }

    pub(in crate::provider) fn decoded(self, prompt_tokens: u64) -> Decoded {
        let content = (!self.text.is_empty()).then(|| Part::text(self.text));
        let outline = self.outline;
        let raw = Some(outline.finish_reason).filter(|raw| !raw.is_empty());
        Decoded {
            message: Message {
                role: Role::Assistant,
                content: content.into_iter().collect(),
                name: None,
            },
            finish_reason: finish_reason(raw.as_deref()),
            finish_reason_raw: raw,
            usage: outline.usage.unwrap_or_else(|| self.room.estimate(prompt_tokens)),
            model: outline.model,
            service_tier: Some(outline.service_tier).filter(|tier| !tier.is_empty()),
            id: Some(outline.id).filter(|id| !id.is_empty()),
        }
    }
}
