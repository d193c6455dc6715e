//! Assembles the parts of an answer.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::PROVENANCE;
use super::chunk::Said;
use crate::base64;
use crate::chat::{Image, MediaSource, Opaque, Part, Reasoning, StreamEvent, ToolCall, media_type};
use crate::wire::Failure;
use crate::wire::json::exact;
use crate::wire::json::halves::Halves;
use crate::wire::part_list::PartList;
use crate::wire::stream::SizeLimit;

/// The parts of an answer. Consecutive texts are joined, and so are consecutive thoughts.
#[derive(Debug, Default, Clone)]
pub(super) struct Parts {
    list: PartList,
    text: Halves,
    thought: Halves,
}

impl Parts {
    /// Adds a message or a piece of one. Calls without an id get one made from `seed`. `marked` is
    /// true if texts can contain marks of split characters.
    pub(super) fn take(
        &mut self,
        said: Said<'_>,
        (seed, marked): (u64, bool),
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if said.calls.exceeded || said.images.exceeded {
            return Err(Failure::too_many_parts());
        }
        self.write(said.thinking.0, (true, marked), room, events)?;
        self.write(said.content.0, (false, marked), room, events)?;
        for call in said.calls.items {
            if call.exceeded {
                return Err(Failure::too_many_parts());
            }
            self.call(call.value, seed, room, events)?;
        }
        for image in said.images.items {
            self.image(image.0.into_owned(), room, events)?;
        }
        Ok(())
    }

    /// Adds a text or a thought without marks.
    pub(super) fn add_text(
        &mut self,
        text: Cow<'_, str>,
        is_thought: bool,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        self.write(text, (is_thought, false), room, events)
    }

    fn write(
        &mut self,
        text: Cow<'_, str>,
        (is_thought, marked): (bool, bool),
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let halves = if is_thought { &mut self.thought } else { &mut self.text };
        let text = halves.join(text, marked);
        if text.is_empty() {
            return Ok(());
        }
        room.write(&text)?;
        match (self.list.last_mut(), is_thought) {
            (Some(Part::Text(last)), false) => last.text.push_str(&text),
            (Some(Part::Reasoning(last)), true) => last.text.push_str(&text),
            (_, false) => self.list.add(Part::text(&*text))?,
            (_, true) => {
                let (text, provenance) = (text.clone().into_owned(), Some(PROVENANCE));
                let thought = Reasoning { text, provenance, ..Reasoning::default() };
                self.list.add(Part::Reasoning(thought))?;
            }
        }
        let event = if is_thought { StreamEvent::ReasoningDelta } else { StreamEvent::TextDelta };
        events.push(event(text.into_owned()));
        Ok(())
    }

    /// Adds a call, which always comes whole. Models write no ids; Ollama makes one since late 2025
    /// (`toolCallId` in `server/routes.go`).
    fn call(
        &mut self,
        call: Value,
        seed: u64,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Value::Object(call) = call else { return Ok(()) };
        let (mut id, mut name, mut arguments) = (String::new(), String::new(), None);
        let (mut rest, mut inner) = (Map::new(), Map::new());
        for (member, value) in call {
            match (member.as_str(), value) {
                (_, Value::Null) | ("type" | "index", _) => {}
                ("id", Value::String(text)) => id = text,
                ("function", Value::Object(function)) => {
                    for (member, value) in function {
                        match (member.as_str(), value) {
                            (_, Value::Null) | ("index", _) => {}
                            ("name", Value::String(text)) => name = text,
                            // Some servers send text, as OpenAI does.
                            ("arguments", Value::String(text)) => arguments = Some(text),
                            ("arguments", value) => arguments = Some(value.to_string()),
                            (_, value) => {
                                inner.insert(member, value);
                            }
                        }
                    }
                }
                (_, value) => {
                    rest.insert(member, value);
                }
            }
        }
        if !inner.is_empty() {
            rest.insert("function".to_owned(), inner.into());
        }
        for (name, value) in &mut rest {
            exact::round(value);
            room.keep(name.len())?;
            room.keep_value(value)?;
        }
        let arguments = arguments.map_or_else(|| "{}".to_owned(), exact::unmarked);
        let opaque = (!rest.is_empty()).then(|| Opaque::new(PROVENANCE, rest).into());
        let call = ToolCall { opaque, ..ToolCall::new(id, name, arguments) };
        self.list.add_call(call, seed, room, events)
    }

    /// Adds an image that the model made: base64 without a media type, so the bytes decide.
    fn image(
        &mut self,
        data: String,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if data.is_empty() {
            return Ok(());
        }
        room.keep(data.len())?;
        // The longest signature has 12 bytes.
        let start = data.get(..24).and_then(base64::decode);
        let kind = start.as_deref().and_then(media_type::of_bytes).unwrap_or("image/png");
        let source = MediaSource::Base64 { media_type: kind.to_owned(), data };
        let opaque = Some(Opaque::new(PROVENANCE, Map::new()).into());
        let image = Image { opaque, ..Image::from_source(source) };
        events.push(StreamEvent::Image(image.clone().into()));
        self.list.add(Part::Image(image))
    }

    /// Ends the answer. Half a character becomes a replacement character.
    pub(super) fn close(&mut self, room: &mut SizeLimit, events: &mut Vec<StreamEvent>) {
        if let Some(lost) = self.thought.end() {
            let _ = self.write(lost.into(), (true, false), room, events);
        }
        if let Some(lost) = self.text.end() {
            let _ = self.write(lost.into(), (false, false), room, events);
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
