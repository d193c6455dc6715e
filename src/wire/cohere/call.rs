//! A tool call, whole or in pieces.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::PROVENANCE;
use crate::chat::{Opaque, StreamEvent, ToolCall};
use crate::wire::json::halves::Halves;
use crate::wire::stream::SizeLimit;
use crate::wire::stream::arguments::Arguments;
use crate::wire::{Failure, call_id, json as wire};

/// Cohere writes this for a tool without parameters (vercel/ai,
/// `packages/cohere/src/cohere-chat-language-model.ts`).
const NULL: &str = "null";

/// A tool call so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Call {
    id: String,
    name: String,
    arguments: Arguments,
    halves: Halves,
    /// Unmodelled members.
    members: Map<String, Value>,
    /// True once an event has shown its start.
    started: bool,
    complete: bool,
}

impl Call {
    /// Adds the start of a call or a piece of it (`ToolCallV2`). A call without an id gets one made
    /// from `seed` and its `index`.
    pub(super) fn take(
        &mut self,
        value: Value,
        (index, seed, marked): (usize, u64, bool),
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Value::Object(members) = value else { return Ok(()) };
        if self.complete {
            return Ok(());
        }
        let mut piece = None;
        for (name, value) in members {
            match (name.as_str(), value) {
                (_, Value::Null) | ("type", _) => {}
                ("id", id) => {
                    if let Some(id) = wire::text(id).filter(|id| *id != self.id) {
                        room.keep(id.len())?;
                        self.id = id;
                    }
                }
                ("function", Value::Object(function)) => piece = self.function(function, room)?,
                (_, value) => {
                    room.keep(name.len())?;
                    room.keep_value(&value)?;
                    self.members.insert(name, value);
                }
            }
        }
        if !self.name.is_empty() {
            self.start(index, seed, events);
        }
        let piece = self.halves.join(piece.unwrap_or_default().into(), marked);
        self.push(piece, index, room, events)
    }

    /// Takes the name, and returns the piece of the arguments.
    fn function(
        &mut self,
        function: Map<String, Value>,
        room: &mut SizeLimit,
    ) -> Result<Option<String>, Failure> {
        let mut piece = None;
        for (name, value) in function {
            match (name.as_str(), value) {
                ("name", name) => {
                    if let Some(name) = wire::text(name).filter(|name| *name != self.name) {
                        room.write(&name)?;
                        self.name = name;
                    }
                }
                ("arguments", Value::String(text)) => piece = Some(text),
                // Some imitators send the object itself.
                ("arguments", value @ Value::Object(_)) => piece = Some(value.to_string()),
                _ => {}
            }
        }
        Ok(piece)
    }

    fn start(&mut self, index: usize, seed: u64, events: &mut Vec<StreamEvent>) {
        if self.started {
            return;
        }
        self.started = true;
        self.id = call_id::or_new(std::mem::take(&mut self.id), || seed, index);
        let (id, name) = (self.id.clone(), self.name.clone());
        events.push(StreamEvent::ToolCallStarted { index, id, name });
    }

    fn push(
        &mut self,
        piece: Cow<'_, str>,
        index: usize,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if piece.is_empty() {
            return Ok(());
        }
        room.write(&piece)?;
        self.arguments.push(piece);
        if self.started && !NULL.starts_with(self.arguments.as_str().trim()) {
            let delta = self.arguments.next_delta();
            events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
        }
        Ok(())
    }

    /// Completes the call, unless it is complete.
    pub(super) fn complete(&mut self, index: usize, seed: u64, events: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.complete, true) {
            return;
        }
        self.start(index, seed, events);
        if let Some(lost) = self.halves.end() {
            self.arguments.push(lost.into());
        }
        if !self.is_without_arguments() {
            let delta = self.arguments.last_delta();
            events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
        }
        let call = self.clone().into_call().into();
        events.push(StreamEvent::ToolCallComplete { index, call });
    }

    fn is_without_arguments(&self) -> bool {
        matches!(self.arguments.as_str().trim(), "" | NULL)
    }

    /// Returns the call so far. Before it is complete, empty arguments do not mean none.
    pub(super) fn into_call(self) -> ToolCall {
        let arguments = match self.complete && self.is_without_arguments() {
            true => "{}".to_owned(),
            false => self.arguments.into_text(),
        };
        let opaque = (!self.members.is_empty()).then(|| Opaque::new(PROVENANCE, self.members));
        ToolCall { opaque: opaque.map(Box::new), ..ToolCall::new(self.id, self.name, arguments) }
    }
}
