//! Assembles the content blocks of a streamed message.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::decode;
use super::event::Delta;
use crate::chat::{Part, StreamEvent, ToolCall};
use crate::wire::json::bounded::Content;
use crate::wire::json::halves::Halves;
use crate::wire::stream::arguments::Arguments;
use crate::wire::stream::{SizeLimit, says_something};
use crate::wire::{Failure, json as wire};

/// The content blocks of a stream.
#[derive(Debug, Default, Clone)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// The position in the list for each index of the wire.
    by_index: BTreeMap<u64, usize>,
    /// The number of tool calls among the blocks.
    calls: usize,
    /// True if the texts of this event can have marks of halves.
    marked: bool,
}

/// A block: its start and what deltas added.
#[derive(Debug, Default, Clone)]
struct Block {
    start: Map<String, Value>,
    /// The added text for the member that is named like the block's kind, `text` or `thinking`.
    text: String,
    signature: String,
    /// The length of the text in the block's start, until a delta arrives.
    opening: usize,
    halves: Halves,
    /// The input, in pieces of JSON text.
    input: Arguments,
    call: Option<Call>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    /// Its index among the tool calls.
    index: usize,
    /// True once its completion event was sent.
    complete: bool,
}

impl Blocks {
    /// Sets if the texts of the next event can have marks of [halves](crate::wire::json::halves).
    pub(super) fn set_marked(&mut self, marked: bool) {
        self.marked = marked;
    }

    /// Starts a block. Texts in its start count like deltas.
    pub(super) fn start(
        &mut self,
        index: Option<u64>,
        block: Content,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let value = match block.value {
            _ if block.exceeded => return Err(Failure::too_many_parts()),
            value @ Value::Object(_) => value,
            _ => return Ok(()),
        };
        room.keep_value(&value)?;
        let Value::Object(mut start) = value else { return Ok(()) };
        let kind = kind(&start).to_owned();
        let texts = ["text", "thinking"];
        let text = match start.get_mut(&kind) {
            Some(Value::String(text)) if texts.contains(&kind.as_str()) => std::mem::take(text),
            _ => String::new(),
        };
        let call = (kind == "tool_use").then(|| decode::tool_call(&start)).flatten();
        let mut block = Block { start, ..Block::default() };
        if let Some(ToolCall { id, name, .. }) = call {
            let index = self.calls;
            self.calls += 1;
            room.write(&name)?;
            block.call = Some(Call { index, complete: false });
            events.push(StreamEvent::ToolCallStarted { index, id, name });
        }
        block.opening = text.len();
        let at = self.add(index, block)?;
        let event = match kind.as_str() {
            "thinking" => StreamEvent::ReasoningDelta,
            _ => StreamEvent::TextDelta,
        };
        self.write(at, text.into(), event, room, events)
    }

    fn add(&mut self, index: Option<u64>, block: Block) -> Result<usize, Failure> {
        let at = self.blocks.len();
        SizeLimit::one_more(at)?;
        self.blocks.push(block);
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

    /// Adds a delta to its block. Servers that imitate the format can omit the index, and the start
    /// of text or thinking blocks. Returns true if the delta has content although nothing of it is
    /// kept.
    pub(super) fn extend(
        &mut self,
        index: Option<u64>,
        delta: Delta<'_>,
        data: &str,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Failure> {
        let at = self.position(index);
        let needed = match &*delta.kind.0 {
            "text_delta" => Some("text"),
            "thinking_delta" => Some("thinking"),
            _ => None,
        };
        let fits = |at: &usize| needed.is_none_or(|needed| kind(&self.blocks[*at].start) == needed);
        let at = match (at.filter(fits), needed) {
            (Some(at), _) => at,
            (None, Some(kind)) => self.add(index, Block::of(kind))?,
            (None, None) => return Ok(false),
        };
        match &*delta.kind.0 {
            // MiniMax's first delta repeats the text in the block's start (cline/cline #9215).
            "text_delta" if self.blocks[at].repeats(&delta.text.0) => {}
            "thinking_delta" if self.blocks[at].repeats(&delta.thinking.0) => {}
            "text_delta" => self.write(at, delta.text.0, StreamEvent::TextDelta, room, events)?,
            "thinking_delta" => {
                self.write(at, delta.thinking.0, StreamEvent::ReasoningDelta, room, events)?;
            }
            "input_json_delta" => self.input(at, delta.partial_json.0, room, events)?,
            "signature_delta" => {
                if self.blocks[at].signature != delta.signature.0 {
                    room.keep(delta.signature.0.len())?;
                    self.blocks[at].signature = delta.signature.0.into_owned();
                }
            }
            "citations_delta" => {
                let citation = delta.citation.map(|citation| citation.value).unwrap_or_default();
                if !citation.is_null() {
                    room.keep_value(&citation)?;
                    self.blocks[at].cite(citation);
                }
            }
            _ => return self.blocks[at].merge(data, room),
        }
        Ok(false)
    }

    /// Adds text to a block and sends it as `event`.
    fn write(
        &mut self,
        at: usize,
        text: Cow<'_, str>,
        event: fn(String) -> StreamEvent,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let block = &mut self.blocks[at];
        let text = block.halves.join(text, self.marked);
        if !text.is_empty() {
            room.write(&text)?;
            block.text.push_str(&text);
            events.push(event(text.into_owned()));
        }
        Ok(())
    }

    /// Adds to the input of a tool call. Only the caller's own tools have events; the caller does
    /// not need those that the provider runs itself.
    fn input(
        &mut self,
        at: usize,
        json: Cow<'_, str>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let block = &mut self.blocks[at];
        let json = block.halves.join(json, self.marked);
        if json.is_empty() || block.call.is_some_and(|call| call.complete) {
            return Ok(());
        }
        room.write(&json)?;
        block.input.push(json);
        if let Some(Call { index, .. }) = block.call {
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

    /// Returns true if there are no blocks.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Returns true if the blocks have only empty texts.
    pub(super) fn are_blank(&self) -> bool {
        self.blocks.iter().all(|block| {
            let is_text = matches!(kind(&block.start), "text" | "thinking");
            is_text && block.text.is_empty() && block.signature.is_empty()
        })
    }

    /// Returns their parts, the same as those of a non-streaming message.
    pub(super) fn parts(self) -> Vec<Part> {
        self.blocks.into_iter().map(Block::part).collect()
    }
}

impl Block {
    /// Creates a block whose start is missing.
    fn of(kind: &str) -> Self {
        let start = [("type".to_owned(), kind.into()), (kind.to_owned(), "".into())];
        Self { start: start.into_iter().collect(), ..Self::default() }
    }

    /// Returns true if a first delta repeats the text in the block's start.
    fn repeats(&mut self, text: &str) -> bool {
        let opening = std::mem::take(&mut self.opening);
        // A single letter can legitimately come twice.
        opening > 1 && self.text == text
    }

    fn cite(&mut self, citation: Value) {
        match self.start.get_mut("citations") {
            Some(Value::Array(citations)) => citations.push(citation),
            _ => {
                self.start.insert("citations".to_owned(), vec![citation].into());
            }
        }
    }

    /// Adds a delta of an unknown kind, such as compaction, to a block that is kept unchanged. It
    /// goes to the members with the same names: texts and lists are appended, everything else is
    /// replaced. Returns true if the delta has content.
    fn merge(&mut self, data: &str, room: &mut SizeLimit) -> Result<bool, Failure> {
        let event = wire::detail(data.as_bytes()).unwrap_or_default();
        let Some(delta @ Value::Object(members)) = event.get("delta") else { return Ok(false) };
        let said = says_something(delta);
        // Blocks with their own part are only built from known deltas: a call must not appear
        // without its events.
        if matches!(kind(&self.start), "text" | "thinking" | "redacted_thinking" | "tool_use") {
            return Ok(said);
        }
        for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
            let adds = match (self.start.get(name), value) {
                (Some(Value::String(_)), Value::String(more)) => !more.is_empty(),
                (Some(Value::Array(_)), Value::Array(more)) => !more.is_empty(),
                (known, value) => known != Some(value),
            };
            if !adds {
                continue;
            }
            room.keep(name.len())?;
            room.keep_value(value)?;
            match (self.start.get_mut(name), value) {
                (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
                (Some(Value::Array(items)), Value::Array(more)) => items.extend_from_slice(more),
                _ => {
                    self.start.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(said)
    }

    fn complete(&mut self, events: &mut Vec<StreamEvent>) {
        if let Some(lost) = self.halves.end() {
            self.lose(lost, events);
        }
        let Some(Call { index, complete: false }) = self.call else { return };
        self.call = Some(Call { index, complete: true });
        let Some(call) = self.tool_call() else { return };
        // If the start already has the complete input.
        let in_start = self.input.as_str().is_empty() && call.arguments != "{}";
        let delta = match in_start {
            true => Some(call.arguments.clone()),
            false => self.input.last_delta(),
        };
        events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
        events.push(StreamEvent::ToolCallComplete { index, call: call.into() });
    }

    /// Adds a replacement for a half whose other half never arrived.
    fn lose(&mut self, lost: &'static str, events: &mut Vec<StreamEvent>) {
        match (self.call, kind(&self.start)) {
            (Some(Call { complete: true, .. }), _) => {}
            // `complete` sends it.
            (Some(_), _) => self.input.push(lost.into()),
            (None, "text") => {
                self.text.push_str(lost);
                events.push(StreamEvent::TextDelta(lost.to_owned()));
            }
            (None, "thinking") => {
                self.text.push_str(lost);
                events.push(StreamEvent::ReasoningDelta(lost.to_owned()));
            }
            _ => {}
        }
    }

    /// Returns the call with its arguments as the model wrote them. In a non-streaming message they
    /// are as the provider parsed them.
    fn tool_call(&self) -> Option<ToolCall> {
        let call = decode::tool_call(&self.start)?;
        match self.input.as_str() {
            blank if blank.trim().is_empty() => Some(call),
            input => Some(ToolCall { arguments: input.to_owned(), ..call }),
        }
    }

    fn part(mut self) -> Part {
        if let Some(call) = self.call {
            if let Some(whole) = self.tool_call() {
                // Before it is complete, empty arguments do not mean none.
                let arguments =
                    if call.complete { whole.arguments } else { self.input.into_text() };
                return Part::ToolCall(ToolCall { arguments, ..whole });
            }
        }
        if !self.text.is_empty() {
            let kind = kind(&self.start).to_owned();
            self.start.insert(kind, self.text.into());
        }
        if !self.signature.is_empty() {
            self.start.insert("signature".to_owned(), self.signature.into());
        }
        if let Some(input @ Value::Object(_)) = wire::detail(self.input.as_str().as_bytes()) {
            self.start.insert("input".to_owned(), input);
        }
        decode::part(self.start.into())
    }
}

fn kind(block: &Map<String, Value>) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or_default()
}
