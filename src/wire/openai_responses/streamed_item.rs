//! One output item of a streamed response.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::item;
use super::sink::Sink;
use super::streamed_call::StreamedCall;
use super::streamed_part::{List, StreamedPart, TextKind};
use crate::chat::{Part, StreamEvent, ToolCall};
use crate::wire::Failure;
use crate::wire::stream::SizeLimit;

/// The place of a part in its item.
pub(super) type PartKey = (List, u64);

/// An output item, as far as it has arrived.
#[derive(Debug, Default, Clone)]
pub(super) struct StreamedItem {
    /// Its index in the output.
    pub(super) place: u64,
    /// The members that arrived last, without those that `parts` and `call` hold.
    members: Map<String, Value>,
    parts: BTreeMap<PartKey, StreamedPart>,
    call: Option<StreamedCall>,
}

impl StreamedItem {
    /// Returns an item that nothing is known of but its place.
    pub(super) fn at(place: u64) -> Self {
        Self { place, ..Self::default() }
    }

    /// Sets the type and the id of an item whose start never arrived.
    pub(super) fn identify(&mut self, kind: &str, id: &str, calls: &mut usize) {
        self.members.insert("type".to_owned(), kind.into());
        if !id.is_empty() {
            self.members.insert("id".to_owned(), id.into());
        }
        if kind == "function_call" {
            self.start_call(calls);
        }
    }

    /// Returns true if nothing is known of the item but its place.
    pub(super) fn is_unidentified(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn kind(&self) -> &str {
        kind(&self.members)
    }

    pub(super) fn id(&self) -> &str {
        id(&self.members)
    }

    /// Appends a piece of a part's text.
    pub(super) fn push_text(
        &mut self,
        key: PartKey,
        kind: TextKind,
        piece: Cow<'_, str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let is_paragraph = self.is_paragraph(key, kind);
        self.part(key, kind)?.push(piece, is_paragraph, sink)
    }

    /// Appends what a part's `whole` text has beyond the text so far.
    pub(super) fn push_rest_of_text(
        &mut self,
        key: PartKey,
        kind: TextKind,
        whole: &str,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let is_paragraph = self.is_paragraph(key, kind);
        self.part(key, kind)?.push_rest(whole, is_paragraph, sink)
    }

    /// Returns true if the part is reasoning and another part already has text.
    fn is_paragraph(&self, key: PartKey, kind: TextKind) -> bool {
        kind == TextKind::Reasoning
            && self.parts.iter().any(|(other, part)| *other != key && part.has_text())
    }

    fn part(&mut self, key: PartKey, kind: TextKind) -> Result<&mut StreamedPart, Failure> {
        if !self.parts.contains_key(&key) {
            SizeLimit::one_more(self.parts.len())?;
        }
        Ok(self.parts.entry(key).or_insert_with(|| StreamedPart::new(kind)))
    }

    /// Updates a part to what an event says about it.
    pub(super) fn update_part(
        &mut self,
        key: PartKey,
        mut part: Map<String, Value>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let is_reasoning = self.kind() == "reasoning";
        let part_type = item::kind(&part);
        let kind = match part_type {
            _ if is_reasoning => TextKind::Reasoning,
            "refusal" => TextKind::Refusal,
            _ => TextKind::Output,
        };
        let is_known = is_reasoning || part_type.is_empty() || kind.matches(part_type);
        let whole = match is_known.then(|| part.get_mut(kind.member())).flatten().map(Value::take) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        self.part(key, kind)?.set_members(kind, part, sink)?;
        self.push_rest_of_text(key, kind, &whole, sink)
    }

    /// Adds a citation to a part.
    pub(super) fn annotate(
        &mut self,
        key: PartKey,
        index: Option<u64>,
        annotation: Value,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.part(key, TextKind::Output)?.annotate(index, annotation, sink)
    }

    /// Appends a piece of the call's arguments.
    pub(super) fn push_arguments(
        &mut self,
        piece: Cow<'_, str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Some(call) = self.open_call() else { return Ok(()) };
        call.push(piece, sink)?;
        self.report_call(sink.events);
        Ok(())
    }

    /// Appends what the call's `whole` arguments have beyond those so far.
    pub(super) fn push_rest_of_arguments(
        &mut self,
        whole: &str,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Some(call) = self.open_call() else { return Ok(()) };
        call.push_rest(whole, sink)?;
        self.report_call(sink.events);
        Ok(())
    }

    fn open_call(&mut self) -> Option<&mut StreamedCall> {
        self.call.as_mut().filter(|call| !call.is_complete())
    }

    fn start_call(&mut self, calls: &mut usize) {
        self.call = Some(StreamedCall::new(*calls));
        *calls += 1;
    }

    /// Updates the item to what an event says about it. `calls` counts the calls of the answer.
    pub(super) fn update(
        &mut self,
        mut members: Map<String, Value>,
        calls: &mut usize,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let kind = kind(&members).to_owned();
        let parts = taken_parts(&kind, &mut members);
        let arguments = match kind.as_str() {
            "function_call" => members.get_mut("arguments").map(Value::take),
            _ => None,
        };
        // A complete call has been shown, so it stays as it is.
        let is_final = self.call.as_ref().is_some_and(StreamedCall::is_complete);
        if self.members != members && !is_final {
            for (name, value) in &members {
                if self.members.get(name) != Some(value) {
                    sink.room.keep(name.len())?;
                    sink.room.keep_value(value)?;
                }
            }
            self.members = members;
        }
        for (key, part) in parts {
            match part {
                Value::Object(part) => self.update_part(key, part, sink)?,
                Value::String(text) => {
                    let is_reasoning = kind == "reasoning";
                    let kind = if is_reasoning { TextKind::Reasoning } else { TextKind::Output };
                    self.push_rest_of_text(key, kind, &text, sink)?;
                }
                _ => {}
            }
        }
        if kind == "function_call" {
            if self.call.is_none() {
                if let Some(name) = self.members.get("name").and_then(Value::as_str) {
                    sink.room.write(name)?;
                }
                self.start_call(calls);
            }
            self.push_rest_of_arguments(&item::arguments(arguments), sink)?;
        }
        Ok(())
    }

    /// Ends the texts and arguments.
    pub(super) fn end(&mut self, sink: &mut Sink<'_>) {
        for part in self.parts.values_mut() {
            part.end(sink);
        }
        if self.open_call().is_some_and(|call| call.end(sink)) {
            self.report_call(sink.events);
        }
    }

    /// Returns true if the item has a call's name and id.
    pub(super) fn is_named(&self) -> bool {
        let has = |name: &str| self.members.get(name).is_some_and(|value| value != "");
        has("name") && has("call_id")
    }

    /// Sends events for what is new of the call, once its name and id are known.
    fn report_call(&mut self, events: &mut Vec<StreamEvent>) {
        let is_named = self.is_named();
        let Some(call) = &mut self.call else { return };
        if call.is_started() || is_named {
            let text =
                |name: &str| self.members.get(name).and_then(Value::as_str).unwrap_or_default();
            call.report(text("call_id"), text("name"), events);
        }
    }

    /// Completes the call, if the item is one. `at` and `seed` make its id if it has none.
    pub(super) fn complete_call(&mut self, at: usize, seed: u64, events: &mut Vec<StreamEvent>) {
        if self.open_call().is_none() {
            return;
        }
        let call = match self.clone().into_value() {
            Value::Object(members) => item::call(at, members, seed),
            _ => ToolCall::new("", "", ""),
        };
        // The message must have the same id as the events.
        self.members.insert("call_id".to_owned(), call.id.as_str().into());
        if let Some(open) = &mut self.call {
            open.complete(call, events);
        }
    }

    /// Adds the parts of a message that the item becomes, the same as in a whole response.
    pub(super) fn add_parts(self, at: usize, seed: u64, parts: &mut Vec<Part>) {
        let incomplete = self.call.as_ref().filter(|call| !call.is_complete());
        let incomplete = incomplete.map(|call| call.arguments().to_owned());
        let before = parts.len();
        item::add_parts(at, self.into_value(), seed, parts);
        // Arguments that are not complete stay exactly as they arrived.
        if let (Some(arguments), Some(Part::ToolCall(call))) = (incomplete, parts.get_mut(before)) {
            call.arguments = arguments;
        }
    }

    /// Returns the item as a whole response would have it.
    fn into_value(self) -> Value {
        let mut members = self.members;
        if let Some(call) = self.call {
            members.insert("arguments".to_owned(), call.into_arguments().into());
        }
        let mut lists: BTreeMap<List, Vec<Value>> = BTreeMap::new();
        for ((list, _), part) in self.parts {
            lists.entry(list).or_default().push(part.into_value(list));
        }
        for (list, parts) in lists {
            members.insert(list.name().to_owned(), parts.into());
        }
        members.into()
    }
}

/// Takes the parts out of an item. A message may be a plain text instead of a list.
fn taken_parts(kind: &str, members: &mut Map<String, Value>) -> Vec<(PartKey, Value)> {
    let lists: &[List] = match kind {
        "message" => &[List::Content],
        "reasoning" => &[List::Summary, List::Content],
        _ => &[],
    };
    let mut parts = Vec::new();
    for list in lists {
        match members.get_mut(list.name()).map(Value::take) {
            Some(Value::Array(items)) => {
                let items = (0_u64..).zip(items);
                parts.extend(items.map(|(index, part)| ((*list, index), part)));
            }
            Some(text @ Value::String(_)) => parts.push(((*list, 0), text)),
            _ => {}
        }
    }
    parts
}

/// Returns the type of an item. A message whose role is not the assistant's gets a type of its
/// own, because it has no text events.
pub(super) fn kind(members: &Map<String, Value>) -> &str {
    match item::kind(members) {
        "message" if !item::is_assistant(members) => "message of another role",
        kind => kind,
    }
}

pub(super) fn id(members: &Map<String, Value>) -> &str {
    members.get("id").and_then(Value::as_str).unwrap_or_default()
}
