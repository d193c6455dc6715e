//! Assembles the parts of an answer.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::call::Call;
use super::{PLAN, PROVENANCE};
use crate::chat::{Part, Reasoning, StreamEvent, Text};
use crate::wire::Failure;
use crate::wire::json::halves::Halves;
use crate::wire::stream::SizeLimit;

/// The parts of an answer: its content, which begins with the thoughts, then the plan for the calls,
/// then the calls.
#[derive(Debug, Default, Clone)]
pub(super) struct Parts {
    content: Vec<Block>,
    /// The position in the list for each index of the wire.
    by_index: BTreeMap<u64, usize>,
    plan: Said,
    calls: Vec<Call>,
    calls_by_index: BTreeMap<u64, usize>,
    /// Citations of texts that have not arrived.
    loose: Vec<Value>,
    /// True if the texts of this event can contain marks of halves.
    marked: bool,
}

#[derive(Debug, Clone)]
enum Block {
    Text(Said),
    Thinking(Said),
    /// A kind that this crate does not know, kept unchanged.
    Other(Value),
}

/// What the model wrote in one block.
#[derive(Debug, Default, Clone)]
struct Said {
    text: String,
    halves: Halves,
    citations: Vec<Value>,
}

/// The kinds of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Thinking,
    Plan,
}

impl Kind {
    fn event(self, text: String) -> StreamEvent {
        match self {
            Self::Text => StreamEvent::TextDelta(text),
            Self::Thinking | Self::Plan => StreamEvent::ReasoningDelta(text),
        }
    }

    fn block(self) -> Block {
        match self {
            Self::Thinking => Block::Thinking(Said::default()),
            Self::Text | Self::Plan => Block::Text(Said::default()),
        }
    }
}

impl Parts {
    /// Sets whether the next event can contain marks of [halves](crate::wire::json::halves).
    pub(super) fn set_marked(&mut self, marked: bool) {
        self.marked = marked;
    }

    /// Starts a block of this kind.
    pub(super) fn start(&mut self, index: Option<u64>, kind: Kind) -> Result<(), Failure> {
        self.add(index, kind.block()).map(|_| ())
    }

    /// Adds a block of an unknown kind.
    pub(super) fn other(
        &mut self,
        index: Option<u64>,
        block: Value,
        room: &mut SizeLimit,
    ) -> Result<(), Failure> {
        room.keep_value(&block)?;
        self.add(index, Block::Other(block)).map(|_| ())
    }

    fn add(&mut self, index: Option<u64>, block: Block) -> Result<usize, Failure> {
        let at = self.content.len();
        SizeLimit::one_more(at + self.calls.len())?;
        self.content.push(block);
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        Ok(at)
    }

    fn at(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(index) => self.by_index.get(&index).copied(),
            None => self.content.len().checked_sub(1),
        }
    }

    /// Adds text. Imitators can omit the index, and the start of a block.
    pub(super) fn write(
        &mut self,
        index: Option<u64>,
        kind: Kind,
        text: Cow<'_, str>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let marked = self.marked;
        let said = if kind == Kind::Plan {
            &mut self.plan
        } else {
            let at = match self.at(index).filter(|at| self.content[*at].is(kind)) {
                Some(at) => at,
                None => self.add(index, kind.block())?,
            };
            let (Block::Text(said) | Block::Thinking(said)) = &mut self.content[at] else {
                return Ok(());
            };
            said
        };
        let text = said.halves.join(text, marked);
        if !text.is_empty() {
            room.write(&text)?;
            said.text.push_str(&text);
            events.push(kind.event(text.into_owned()));
        }
        Ok(())
    }

    /// Adds the members of a piece to a block of an unknown kind: texts are appended, everything
    /// else is replaced.
    pub(super) fn merge(
        &mut self,
        index: Option<u64>,
        piece: &Map<String, Value>,
        room: &mut SizeLimit,
    ) -> Result<(), Failure> {
        let block = self.at(index).and_then(|at| self.content.get_mut(at));
        let Some(Block::Other(Value::Object(block))) = block else { return Ok(()) };
        for (name, value) in piece {
            room.keep(name.len())?;
            room.keep_value(value)?;
            match (block.get_mut(name), value) {
                (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
                _ => {
                    block.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(())
    }

    /// Adds a call or a piece of it; `starts` is true for the first piece.
    pub(super) fn call(
        &mut self,
        index: Option<u64>,
        call: Value,
        (starts, seed): (bool, u64),
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        // Some imitators send a list of one call.
        let call = match call {
            Value::Array(calls) => calls.into_iter().next().unwrap_or_default(),
            call => call,
        };
        if !call.is_object() {
            return Ok(());
        }
        let at = match self.call_at(index).filter(|_| !starts) {
            Some(at) => at,
            None => {
                let at = self.calls.len();
                SizeLimit::one_more(at + self.content.len())?;
                self.calls.push(Call::default());
                if let Some(index) = index {
                    self.calls_by_index.insert(index, at);
                }
                at
            }
        };
        self.calls[at].take(call, (at, seed, self.marked), room, events)
    }

    fn call_at(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(index) => self.calls_by_index.get(&index).copied(),
            None => self.calls.len().checked_sub(1),
        }
    }

    /// Completes a call.
    pub(super) fn end_call(
        &mut self,
        index: Option<u64>,
        seed: u64,
        events: &mut Vec<StreamEvent>,
    ) {
        if let Some(at) = self.call_at(index) {
            self.calls[at].complete(at, seed, events);
        }
    }

    /// Adds a citation to the text that it is about (`Citation.type` and `content_index`).
    pub(super) fn cite(&mut self, citation: Value, room: &mut SizeLimit) -> Result<(), Failure> {
        if !citation.is_object() {
            return Ok(());
        }
        room.keep_value(&citation)?;
        let kind = citation.get("type").and_then(Value::as_str).unwrap_or_default();
        let cited = match kind {
            "PLAN" => Some(&mut self.plan),
            _ => {
                let wanted = if kind == "THINKING_CONTENT" { Kind::Thinking } else { Kind::Text };
                let index = citation.get("content_index").and_then(Value::as_u64);
                let at = index.and_then(|index| self.by_index.get(&index).copied());
                let at = at.filter(|at| self.content[*at].said().is_some());
                let at = at.or_else(|| self.content.iter().rposition(|block| block.is(wanted)));
                at.and_then(|at| self.content[at].said_mut())
            }
        };
        match cited {
            Some(said) => said.citations.push(citation),
            None => self.loose.push(citation),
        }
        Ok(())
    }

    /// Completes everything. Half a character becomes a replacement character.
    pub(super) fn close(&mut self, seed: u64, events: &mut Vec<StreamEvent>) {
        for block in &mut self.content {
            let kind = if matches!(block, Block::Text(_)) { Kind::Text } else { Kind::Thinking };
            if let Some(said) = block.said_mut() {
                said.lose(kind, events);
            }
        }
        self.plan.lose(Kind::Plan, events);
        for (index, call) in self.calls.iter_mut().enumerate() {
            call.complete(index, seed, events);
        }
    }

    /// Returns true if it has nothing but empty texts.
    pub(super) fn is_blank(&self) -> bool {
        let is_blank = |block: &Block| block.said().is_some_and(|said| said.text.is_empty());
        self.calls.is_empty() && self.plan.text.is_empty() && self.content.iter().all(is_blank)
    }

    /// Returns the parts, and the citations that belong to none of them.
    pub(super) fn into_parts(self) -> (Vec<Part>, Vec<Value>) {
        let content = self.content.into_iter().filter_map(Block::part);
        let plan = self.plan.reasoning(Some(PLAN));
        let calls = self.calls.into_iter().map(|call| Part::ToolCall(call.into_call()));
        (content.chain(plan).chain(calls).collect(), self.loose)
    }
}

impl Block {
    fn is(&self, kind: Kind) -> bool {
        matches!((self, kind), (Self::Text(_), Kind::Text) | (Self::Thinking(_), Kind::Thinking))
    }

    fn said(&self) -> Option<&Said> {
        match self {
            Self::Text(said) | Self::Thinking(said) => Some(said),
            Self::Other(_) => None,
        }
    }

    fn said_mut(&mut self) -> Option<&mut Said> {
        match self {
            Self::Text(said) | Self::Thinking(said) => Some(said),
            Self::Other(_) => None,
        }
    }

    fn part(self) -> Option<Part> {
        match self {
            Self::Text(said) if said.is_empty() => None,
            Self::Text(Said { text, citations, .. }) => {
                Some(Part::Text(Text { citations, ..Text::from(text) }))
            }
            Self::Thinking(said) => said.reasoning(None),
            Self::Other(value) => Some(Part::Other { provenance: Some(PROVENANCE), value }),
        }
    }
}

impl Said {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.citations.is_empty()
    }

    fn lose(&mut self, kind: Kind, events: &mut Vec<StreamEvent>) {
        if let Some(lost) = self.halves.end() {
            self.text.push_str(lost);
            events.push(kind.event(lost.to_owned()));
        }
    }

    fn reasoning(self, field: Option<&str>) -> Option<Part> {
        if self.is_empty() {
            return None;
        }
        let mut extra = Map::new();
        if !self.citations.is_empty() {
            extra.insert("citations".to_owned(), self.citations.into());
        }
        Some(Part::Reasoning(Reasoning {
            text: self.text,
            field: field.map(str::to_owned),
            provenance: Some(PROVENANCE),
            extra,
            ..Reasoning::default()
        }))
    }
}
