//! Assembles the parts of an answer.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::PROVENANCE;
use super::chunk::Said;
use crate::base64;
use crate::chat::{Image, MediaSource, Opaque, Part, Reasoning, StreamEvent, ToolCall, media_type};
use crate::wire::json::exact;
use crate::wire::json::halves::Halves;
use crate::wire::stream::SizeLimit;
use crate::wire::{Failure, call_id};

/// The parts of an answer. Consecutive texts are joined, and so are consecutive thoughts.
#[derive(Debug, Default, Clone)]
pub(super) struct Parts {
    parts: Vec<Part>,
    /// How many of them are tool calls.
    calls: usize,
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
        let thought = self.thought.join(said.thinking.0, marked);
        self.think(thought, room, events)?;
        let text = self.text.join(said.content.0, marked);
        self.write(text, room, events)?;
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
        if is_thought {
            let text = self.thought.join(text, false);
            return self.think(text, room, events);
        }
        let text = self.text.join(text, false);
        self.write(text, room, events)
    }

    fn write(
        &mut self,
        text: Cow<'_, str>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        room.write(&text)?;
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.text.push_str(&text),
            _ => self.add(Part::text(&*text))?,
        }
        events.push(StreamEvent::TextDelta(text.into_owned()));
        Ok(())
    }

    fn think(
        &mut self,
        text: Cow<'_, str>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        room.write(&text)?;
        match self.parts.last_mut() {
            Some(Part::Reasoning(last)) => last.text.push_str(&text),
            _ => {
                let text = text.clone().into_owned();
                let provenance = Some(PROVENANCE);
                let thought = Reasoning { text, provenance, ..Reasoning::default() };
                self.add(Part::Reasoning(thought))?;
            }
        }
        events.push(StreamEvent::ReasoningDelta(text.into_owned()));
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
                            // Text instead of an object, as from OpenAI.
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
        room.keep(id.len())?;
        let index = self.calls;
        self.calls += 1;
        let id = call_id::or_new(id, || seed, index);
        let arguments = arguments.map_or_else(|| "{}".to_owned(), exact::unmarked);
        room.write(&name)?;
        room.write(&arguments)?;
        let opaque = (!rest.is_empty()).then(|| Opaque::new(PROVENANCE, rest).into());
        let call = ToolCall { opaque, ..ToolCall::new(id, name, arguments) };
        let (id, name) = (call.id.clone(), call.name.clone());
        events.push(StreamEvent::ToolCallStarted { index, id, name });
        let delta = call.arguments.clone();
        events.push(StreamEvent::ToolArgumentsDelta { index, delta });
        events.push(StreamEvent::ToolCallComplete { index, call: call.clone().into() });
        self.add(Part::ToolCall(call))
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
        self.add(Part::Image(image))
    }

    fn add(&mut self, part: Part) -> Result<(), Failure> {
        SizeLimit::one_more(self.parts.len())?;
        self.parts.push(part);
        Ok(())
    }

    /// Ends the answer. Half a character becomes a replacement character.
    pub(super) fn close(&mut self, room: &mut SizeLimit, events: &mut Vec<StreamEvent>) {
        if let Some(lost) = self.thought.end() {
            let _ = self.think(lost.into(), room, events);
        }
        if let Some(lost) = self.text.end() {
            let _ = self.write(lost.into(), room, events);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn has_calls(&self) -> bool {
        self.calls > 0
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}
