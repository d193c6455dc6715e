//! Assembles the content blocks of an answer.

use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashMap;

use super::PROVENANCE;
use super::event::Delta;
use crate::base64;
use crate::chat::{Image, MediaSource, Opaque, Part, Reasoning, StreamEvent, Text, ToolCall};
use crate::wire::Failure;
use crate::wire::json::halves::Halves;
use crate::wire::json::object::Object;
use crate::wire::json::{self as wire, exact};
use crate::wire::stream::SizeLimit;
use crate::wire::stream::arguments::Arguments;

/// The content blocks of a streamed answer.
#[derive(Debug, Default, Clone)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// The position in the list for each index of the wire.
    by_index: HashMap<u64, usize>,
    /// The number of calls of the caller's tools among the blocks.
    calls: usize,
}

#[derive(Debug, Clone)]
struct Block {
    kind: Kind,
    /// What the model wrote: text, reasoning, or the data of an image.
    text: String,
    halves: Halves,
    signature: String,
    redacted: String,
    citations: Vec<Value>,
    /// The members of the block's start.
    start: Map<String, Value>,
    input: Arguments,
    /// The content of a tool's result.
    content: Vec<Value>,
    is_complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    /// A call of the caller's tool, with its index among them.
    Call(usize),
    /// A call of a tool that Bedrock runs.
    ServerCall,
    /// The result of such a tool.
    Result,
    Image,
}

impl Blocks {
    /// Starts a block. Only some kinds have a start.
    pub(super) fn start(
        &mut self,
        index: Option<u64>,
        start: Value,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Value::Object(start) = start else { return Ok(()) };
        let Some((name, Value::Object(members))) = start.into_iter().next() else { return Ok(()) };
        members.values().try_for_each(|value| room.keep_value(value))?;
        let kind = match name.as_str() {
            "toolUse" if members.get("type").is_none_or(Value::is_null) => {
                let text =
                    |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
                let (id, name) = (text("toolUseId").to_owned(), text("name").to_owned());
                room.write(&name)?;
                let index = self.calls;
                self.calls += 1;
                events.push(StreamEvent::ToolCallStarted { index, id, name });
                Kind::Call(index)
            }
            "toolUse" => Kind::ServerCall,
            "toolResult" => Kind::Result,
            "image" => Kind::Image,
            _ => return Ok(()),
        };
        let at = self.add(index, kind)?;
        self.blocks[at].start = members;
        Ok(())
    }

    fn add(&mut self, index: Option<u64>, kind: Kind) -> Result<usize, Failure> {
        let at = self.blocks.len();
        SizeLimit::one_more(at)?;
        self.blocks.push(Block::new(kind));
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        Ok(at)
    }

    /// Returns the position of the block with this index, or of the last block if an event has none.
    fn position(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(index) => self.by_index.get(&index).copied(),
            None => self.blocks.len().checked_sub(1),
        }
    }

    /// Returns the position of the block with this index if it is of a fitting kind, or starts one.
    fn find(
        &mut self,
        index: Option<u64>,
        fits: impl Fn(Kind) -> bool,
        kind: Kind,
    ) -> Result<usize, Failure> {
        match self.position(index).filter(|at| fits(self.blocks[*at].kind)) {
            Some(at) => Ok(at),
            None => self.add(index, kind),
        }
    }

    /// Adds a delta to its block. `marked` is true if its texts can have marks of split characters.
    pub(super) fn extend(
        &mut self,
        index: Option<u64>,
        delta: Delta<'_>,
        marked: bool,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let (Object(tool), Object(reasoning)) = (delta.tool_use, delta.reasoning);
        if !delta.text.0.is_empty() {
            let at = self.find(index, |kind| kind == Kind::Text, Kind::Text)?;
            let text = self.blocks[at].halves.join(delta.text.0, marked);
            self.blocks[at].write(text, StreamEvent::TextDelta, room, events)?;
        }
        if let Some(citation) = delta.citation.map(|citation| citation.value) {
            room.keep_value(&citation)?;
            let at = self.find(index, |kind| kind == Kind::Text, Kind::Text)?;
            self.blocks[at].citations.push(citation);
        }
        let says = !reasoning.text.0.is_empty()
            || !reasoning.signature.0.is_empty()
            || !reasoning.redacted.0.is_empty();
        if says {
            let at = self.find(index, |kind| kind == Kind::Reasoning, Kind::Reasoning)?;
            let block = &mut self.blocks[at];
            let text = block.halves.join(reasoning.text.0, marked);
            block.write(text, StreamEvent::ReasoningDelta, room, events)?;
            room.keep(reasoning.signature.0.len())?;
            block.signature.push_str(&reasoning.signature.0);
            room.keep(reasoning.redacted.0.len())?;
            base64::append(&mut block.redacted, &reasoning.redacted.0);
        }
        if !tool.input.0.is_empty() {
            self.input(index, tool.input.0, marked, room, events)?;
        }
        if let Some(content) = delta.tool_result {
            let Value::Array(items) = content.value else { return Ok(()) };
            let at = self.find(index, |kind| kind == Kind::Result, Kind::Result)?;
            for mut item in items {
                exact::round(&mut item);
                room.keep_value(&item)?;
                self.blocks[at].content.push(item);
            }
        }
        if let Some(image) = delta.image {
            if let Some(data) = image.value.pointer("/source/bytes").and_then(Value::as_str) {
                let at = self.find(index, |kind| kind == Kind::Image, Kind::Image)?;
                room.keep(data.len())?;
                base64::append(&mut self.blocks[at].text, data);
            }
        }
        Ok(())
    }

    /// Adds to the input of a call.
    fn input(
        &mut self,
        index: Option<u64>,
        json: Cow<'_, str>,
        marked: bool,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Some(at) = self.position(index) else { return Ok(()) };
        let block = &mut self.blocks[at];
        if !matches!(block.kind, Kind::Call(_) | Kind::ServerCall) || block.is_complete {
            return Ok(());
        }
        let json = block.halves.join(json, marked);
        room.write(&json)?;
        block.input.push(json);
        if let Kind::Call(index) = block.kind {
            let delta = block.input.next_delta();
            events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
        }
        Ok(())
    }

    /// Completes a block.
    pub(super) fn stop(&mut self, index: Option<u64>, events: &mut Vec<StreamEvent>) {
        if let Some(at) = self.position(index) {
            self.blocks[at].complete(events);
        }
    }

    /// Completes all blocks.
    pub(super) fn close(&mut self, events: &mut Vec<StreamEvent>) {
        for block in &mut self.blocks {
            block.complete(events);
        }
    }

    /// Returns true if the blocks have no content.
    pub(super) fn are_blank(&self) -> bool {
        self.blocks.iter().all(|block| {
            matches!(block.kind, Kind::Text | Kind::Reasoning)
                && block.text.is_empty()
                && block.signature.is_empty()
                && block.redacted.is_empty()
        })
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.blocks.into_iter().filter_map(Block::part).collect()
    }
}

impl Block {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            text: String::new(),
            halves: Halves::default(),
            signature: String::new(),
            redacted: String::new(),
            citations: Vec::new(),
            start: Map::new(),
            input: Arguments::default(),
            content: Vec::new(),
            is_complete: false,
        }
    }

    /// Adds what the model wrote, and sends it as `event`.
    fn write(
        &mut self,
        text: Cow<'_, str>,
        event: fn(String) -> StreamEvent,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if !text.is_empty() {
            room.write(&text)?;
            self.text.push_str(&text);
            events.push(event(text.into_owned()));
        }
        Ok(())
    }

    fn complete(&mut self, events: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.is_complete, true) {
            return;
        }
        if let Some(lost) = self.halves.end() {
            let event = match self.kind {
                Kind::Text => Some(StreamEvent::TextDelta(lost.to_owned())),
                Kind::Reasoning => Some(StreamEvent::ReasoningDelta(lost.to_owned())),
                _ => None,
            };
            match event {
                Some(event) => {
                    self.text.push_str(lost);
                    events.push(event);
                }
                None => self.input.push(lost.into()),
            }
        }
        match self.kind {
            Kind::Call(index) => {
                let delta = self.input.last_delta();
                events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
                events.push(StreamEvent::ToolCallComplete { index, call: self.call().into() });
            }
            Kind::Image => {
                let image = self.image();
                events.extend(image.map(|image| StreamEvent::Image(image.into())));
            }
            _ => {}
        }
    }

    /// The call with its arguments as the model wrote them. Before it is complete, empty arguments
    /// do not mean none.
    fn call(&self) -> ToolCall {
        let arguments = match self.input.as_str() {
            blank if blank.trim().is_empty() && self.is_complete => "{}",
            input => input,
        };
        call(self.start.clone(), arguments.to_owned())
    }

    fn image(&self) -> Option<Image> {
        let format = self.start.get("format")?.as_str()?;
        made_image(format, self.text.clone())
    }

    fn part(self) -> Option<Part> {
        Some(match self.kind {
            Kind::Text if self.text.is_empty() && self.citations.is_empty() => return None,
            Kind::Text => Text { citations: self.citations, ..Text::from(self.text) }.into(),
            Kind::Reasoning => reasoning(self.text, self.signature, self.redacted)?.into(),
            Kind::Call(_) => self.call().into(),
            Kind::ServerCall => {
                let input = self.input.as_str();
                let input = wire::detail(input.as_bytes()).unwrap_or_else(|| input.into());
                let mut members = self.start;
                members.insert("input".into(), input);
                other("toolUse", members)
            }
            Kind::Result => {
                let mut members = self.start;
                members.insert("content".into(), self.content.into());
                other("toolResult", members)
            }
            Kind::Image => self.image()?.into(),
        })
    }
}

/// Decodes a whole block (`ContentBlock`); `None` if it is empty. Unknown kinds of blocks are kept
/// unchanged.
pub(super) fn part(block: Value) -> Option<Part> {
    let Value::Object(members) = &block else { return None };
    let (name, value) = members.iter().find(|(_, value)| !value.is_null())?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = match (name.as_str(), value) {
        ("text", Value::String(text)) => return (!text.is_empty()).then(|| Part::text(&**text)),
        ("reasoningContent", content) => {
            let said = content.get("reasoningText");
            let member = |name: &str| text(said.and_then(|said| said.get(name)));
            let redacted = text(content.get("redactedContent"));
            reasoning(member("text"), member("signature"), redacted).map(Part::from)
        }
        ("toolUse", Value::Object(start)) if start.get("type").is_none_or(Value::is_null) => {
            let mut start = start.clone();
            let input = start.shift_remove("input").filter(|input| !input.is_null());
            let arguments = match input {
                None => "{}".to_owned(),
                Some(Value::String(text)) => exact::unmarked(text),
                Some(input) => exact::unmarked(input.to_string()),
            };
            Some(call(start, arguments).into())
        }
        ("citationsContent", content) => {
            let pieces = content.get("content").and_then(Value::as_array).into_iter().flatten();
            let said: String = pieces.filter_map(|piece| piece.get("text")?.as_str()).collect();
            let citations = content.get("citations").and_then(Value::as_array).cloned();
            let citations = citations.unwrap_or_default();
            Some(Text { citations, ..Text::from(said) }.into())
        }
        ("image", image) => {
            let data = image.pointer("/source/bytes").and_then(Value::as_str);
            let format = image.get("format").and_then(Value::as_str);
            match (format, data) {
                (Some(format), Some(data)) => made_image(format, data.to_owned()).map(Part::from),
                _ => None,
            }
        }
        _ => None,
    };
    own.or_else(|| {
        let mut value = block.clone();
        exact::round(&mut value);
        Some(Part::Other { provenance: Some(PROVENANCE), value })
    })
}

fn reasoning(text: String, signature: String, redacted: String) -> Option<Reasoning> {
    let is_blank = text.is_empty() && signature.is_empty() && redacted.is_empty();
    (!is_blank).then(|| Reasoning {
        text,
        signature: Some(signature).filter(|signature| !signature.is_empty()),
        encrypted: Some(redacted).filter(|redacted| !redacted.is_empty()),
        provenance: Some(PROVENANCE),
        ..Reasoning::default()
    })
}

/// Builds a call from the members of its start.
fn call(mut start: Map<String, Value>, arguments: String) -> ToolCall {
    let mut text = |name: &str| start.shift_remove(name).and_then(wire::text).unwrap_or_default();
    let (id, name) = (text("toolUseId"), text("name"));
    start.retain(|_, value| !value.is_null());
    let opaque = (!start.is_empty()).then(|| Opaque::new(PROVENANCE, start).into());
    ToolCall { opaque, ..ToolCall::new(id, name, arguments) }
}

fn made_image(format: &str, data: String) -> Option<Image> {
    let source = MediaSource::Base64 { media_type: format!("image/{format}"), data };
    let opaque = Some(Opaque::new(PROVENANCE, Map::new()).into());
    Some(Image { opaque, ..Image::from_source(source) })
}

fn other(name: &str, members: Map<String, Value>) -> Part {
    Part::Other { provenance: Some(PROVENANCE), value: json!({name: members}) }
}
