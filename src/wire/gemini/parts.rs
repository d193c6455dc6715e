//! Assembles the parts of an answer.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::{PROVENANCE, SIGNATURE, chunk};
use crate::base64;
use crate::chat::{Audio, Image, MediaSource, Opaque, Part, Reasoning, StreamEvent, ToolCall};
use crate::wire::Failure;
use crate::wire::json::bounded::Content;
use crate::wire::json::exact;
use crate::wire::json::halves::Halves;
use crate::wire::part_list::PartList;
use crate::wire::stream::SizeLimit;

/// Where a signature came, in [`Reasoning::field`]: with the text before it, or in a part without
/// text. A later request returns it there. Thoughts and calls keep their own signatures.
pub(super) const WITH_TEXT: &str = "text";
pub(super) const ALONE: &str = SIGNATURE;

/// The parts of an answer. Consecutive texts are joined, unless one of them is signed: "Don't merge
/// one part with a signature with another part without a signature"
/// (ai.google.dev/gemini-api/docs/thought-signatures).
#[derive(Debug, Default, Clone)]
pub(super) struct Parts {
    list: PartList,
    text: Halves,
    thought: Halves,
}

impl Parts {
    /// Adds a part. Calls without an id get one made from `seed`. `marked` is true if texts can
    /// contain marks of split characters.
    pub(super) fn take(
        &mut self,
        part: chunk::Part<'_>,
        (seed, marked): (u64, bool),
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if part.exceeded {
            return Err(Failure::too_many_parts());
        }
        let is_thought = part.thought.is_yes();
        let extras = Extras { signature: part.signature.0.into_owned(), members: part.rest };
        if let Some(Content { value, exceeded }) = part.function_call.map(|call| *call) {
            if exceeded {
                return Err(Failure::too_many_parts());
            }
            return self.call(value, extras.into_members(is_thought), seed, room, events);
        }
        match part.text {
            Some(text) if is_thought => {
                let text = self.thought.join(text.0, marked);
                self.think(text, extras, room, events)
            }
            Some(text) => {
                let text = self.text.join(text.0, marked);
                self.write(text, extras, room, events)
            }
            None if !extras.members.is_empty() => {
                self.other(extras.into_members(is_thought), room, events)
            }
            None => self.write("".into(), extras, room, events),
        }
    }

    /// Adds a text or a thought without anything else, and without marks.
    pub(super) fn add_text(
        &mut self,
        text: Cow<'_, str>,
        is_thought: bool,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if is_thought {
            let text = self.thought.join(text, false);
            return self.think(text, Extras::default(), room, events);
        }
        let text = self.text.join(text, false);
        self.write(text, Extras::default(), room, events)
    }

    fn write(
        &mut self,
        text: Cow<'_, str>,
        extras: Extras,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let field = if text.is_empty() { ALONE } else { WITH_TEXT };
        if !text.is_empty() {
            room.write(&text)?;
            match self.list.last_mut() {
                Some(Part::Text(last)) if extras.is_empty() => last.text.push_str(&text),
                _ => self.list.add(Part::text(&*text))?,
            }
            events.push(StreamEvent::TextDelta(text.into_owned()));
        }
        match extras.is_empty() {
            true => Ok(()),
            false => self.reasoning(String::new(), Some(field), extras, room),
        }
    }

    fn think(
        &mut self,
        text: Cow<'_, str>,
        extras: Extras,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if text.is_empty() && extras.is_empty() {
            return Ok(());
        }
        room.write(&text)?;
        if !text.is_empty() {
            events.push(StreamEvent::ReasoningDelta(text.clone().into_owned()));
        }
        match self.list.last_mut() {
            Some(Part::Reasoning(last)) if extras.is_empty() && is_plain_thought(last) => {
                last.text.push_str(&text);
                Ok(())
            }
            _ => self.reasoning(text.into_owned(), None, extras, room),
        }
    }

    /// Adds a thought, or the signature of a text.
    fn reasoning(
        &mut self,
        text: String,
        field: Option<&str>,
        extras: Extras,
        room: &mut SizeLimit,
    ) -> Result<(), Failure> {
        keep(&extras.members, room)?;
        room.keep(extras.signature.len())?;
        self.list.add(Part::Reasoning(Reasoning {
            text,
            signature: Some(extras.signature).filter(|signature| !signature.is_empty()),
            field: field.map(str::to_owned),
            extra: extras.members,
            provenance: Some(PROVENANCE),
            ..Reasoning::default()
        }))
    }

    /// Adds a call, which always comes whole: only Vertex AI can stream arguments, if asked
    /// (`stream_function_call_arguments` in python-genai).
    fn call(
        &mut self,
        call: Value,
        mut rest: Map<String, Value>,
        seed: u64,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Value::Object(call) = call else { return Ok(()) };
        let (mut id, mut name, mut arguments) = (String::new(), String::new(), None);
        let mut inner = Map::new();
        for (member, value) in call {
            match (member.as_str(), value) {
                (_, Value::Null) => {}
                ("id", Value::String(text)) => id = text,
                ("name", Value::String(text)) => name = text,
                ("args", value) => arguments = Some(exact::unmarked(value.to_string())),
                (_, value) => {
                    inner.insert(member, value);
                }
            }
        }
        if !inner.is_empty() {
            rest.insert("functionCall".to_owned(), inner.into());
        }
        keep(&rest, room)?;
        let arguments = arguments.unwrap_or_else(|| "{}".to_owned());
        let opaque = (!rest.is_empty()).then(|| Opaque::new(PROVENANCE, rest).into());
        let call = ToolCall { opaque, ..ToolCall::new(id, name, arguments) };
        self.list.add_call(call, seed, room, events)
    }

    /// Adds media that the model made, or a part without a type of its own: code and its result,
    /// calls of Google's own tools.
    fn other(
        &mut self,
        mut members: Map<String, Value>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        members.values_mut().for_each(exact::round);
        // An image that is a thought is not part of the answer
        // (ai.google.dev/gemini-api/docs/image-generation, "Thinking process").
        let is_thought = members.get("thought").is_some_and(|thought| *thought == true);
        let kind = match members.get("inlineData").and_then(|data| data.get("mimeType")) {
            Some(Value::String(media_type)) if !is_thought => media_type.clone(),
            _ => String::new(),
        };
        let is_media = kind.starts_with("image/") || kind.starts_with("audio/");
        let place = members.get_mut("inlineData").and_then(|data| data.get_mut("data"));
        let data = match place {
            Some(Value::String(data)) if is_media => std::mem::take(data),
            _ => {
                let value = Value::Object(members);
                room.keep_value(&value)?;
                return self.list.add(Part::Other { provenance: Some(PROVENANCE), value });
            }
        };
        room.keep(data.len())?;
        if let Some(Value::Object(inline)) = members.get_mut("inlineData") {
            inline.insert("data".to_owned(), Value::Null);
        }
        if kind.starts_with("image/") {
            keep(&members, room)?;
            let source = MediaSource::Base64 { media_type: kind, data };
            let opaque = Some(Opaque::new(PROVENANCE, members).into());
            let image = Image { opaque, ..Image::from_source(source) };
            events.push(StreamEvent::Image(image.clone().into()));
            return self.list.add(Part::Image(image));
        }
        if data.is_empty() {
            return Ok(());
        }
        events.push(StreamEvent::AudioDelta(data.clone()));
        if let Some(Part::Audio(last)) = self.list.last_mut() {
            if last.opaque.as_ref().is_some_and(|opaque| opaque.members == members) {
                base64::append(&mut last.data, &data);
                return Ok(());
            }
        }
        keep(&members, room)?;
        let opaque = Some(Opaque::new(PROVENANCE, members).into());
        self.list.add(Part::Audio(Audio { data, opaque, ..Audio::default() }))
    }

    /// Ends the answer. Half a character becomes a replacement character.
    pub(super) fn close(&mut self, room: &mut SizeLimit, events: &mut Vec<StreamEvent>) {
        if let Some(lost) = self.thought.end() {
            let _ = self.think(lost.into(), Extras::default(), room, events);
        }
        if let Some(lost) = self.text.end() {
            let _ = self.write(lost.into(), Extras::default(), room, events);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn has_calls(&self) -> bool {
        self.list.has_calls()
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.list.into_parts()
    }
}

fn is_plain_thought(last: &Reasoning) -> bool {
    last.signature.is_none() && last.field.is_none() && last.extra.is_empty()
}

/// What a part has besides its text or call.
#[derive(Default)]
struct Extras {
    signature: String,
    members: Map<String, Value>,
}

impl Extras {
    fn is_empty(&self) -> bool {
        self.signature.is_empty() && self.members.is_empty()
    }

    /// Restores the members of the part as it came.
    fn into_members(self, is_thought: bool) -> Map<String, Value> {
        let mut members = self.members;
        if is_thought {
            members.insert("thought".to_owned(), true.into());
        }
        if !self.signature.is_empty() {
            members.insert(SIGNATURE.to_owned(), self.signature.into());
        }
        members
    }
}

/// Counts kept members towards the size limit.
fn keep(members: &Map<String, Value>, room: &mut SizeLimit) -> Result<(), Failure> {
    members.iter().try_for_each(|(name, value)| {
        room.keep(name.len())?;
        room.keep_value(value)
    })
}
