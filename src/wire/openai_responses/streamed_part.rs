//! One part of a streamed item: a content part or a part of a reasoning summary.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::item;
use super::sink::Sink;
use crate::chat::StreamEvent;
use crate::wire::Failure;
use crate::wire::json::halves::Halves;
use crate::wire::stream::SizeLimit;

/// The list of an item that a part is in. They are sorted as their texts are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Summary,
    Content,
}

impl List {
    /// Returns the member of the item that has the list.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Content => "content",
        }
    }
}

/// What the text of a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    Output,
    Refusal,
    Reasoning,
}

impl TextKind {
    /// Returns true if parts of this type have such a text.
    pub(super) fn matches(self, part_type: &str) -> bool {
        match self {
            Self::Output => matches!(part_type, "output_text" | "text"),
            Self::Refusal => part_type == "refusal",
            Self::Reasoning => matches!(part_type, "summary_text" | "reasoning_text"),
        }
    }

    /// Returns the member of the part that has the text.
    pub(super) fn member(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Output | Self::Reasoning => "text",
        }
    }

    fn part_type(self, list: List) -> &'static str {
        match (self, list) {
            (Self::Output, _) => "output_text",
            (Self::Refusal, _) => "refusal",
            (Self::Reasoning, List::Summary) => "summary_text",
            (Self::Reasoning, List::Content) => "reasoning_text",
        }
    }

    fn delta(self, text: String) -> StreamEvent {
        match self {
            Self::Output => StreamEvent::TextDelta(text),
            Self::Refusal => StreamEvent::RefusalDelta(text),
            Self::Reasoning => StreamEvent::ReasoningDelta(text),
        }
    }
}

/// A part, as far as it has arrived.
#[derive(Debug, Clone)]
pub(super) struct StreamedPart {
    kind: TextKind,
    text: String,
    halves: Halves,
    /// Everything but the text.
    members: Map<String, Value>,
    annotations: Vec<Value>,
}

impl StreamedPart {
    pub(super) fn new(kind: TextKind) -> Self {
        Self {
            kind,
            text: String::new(),
            halves: Halves::default(),
            members: Map::new(),
            annotations: Vec::new(),
        }
    }

    pub(super) fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// Appends a piece of the text. If `is_paragraph`, the part is separated from the one before.
    pub(super) fn push(
        &mut self,
        piece: Cow<'_, str>,
        is_paragraph: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let piece = self.halves.join(piece, sink.marked);
        if piece.is_empty() {
            return Ok(());
        }
        sink.room.write(&piece)?;
        let is_separated = is_paragraph && self.text.is_empty();
        if is_separated {
            sink.room.write(item::BETWEEN_THOUGHTS)?;
        }
        self.text.push_str(&piece);
        sink.events.push(self.kind.delta(match is_separated {
            true => [item::BETWEEN_THOUGHTS, &piece].concat(),
            false => piece.into_owned(),
        }));
        Ok(())
    }

    /// Appends what `whole` has beyond the text so far. If the two differ, the text so far stays,
    /// because the caller has already seen it.
    pub(super) fn push_rest(
        &mut self,
        whole: &str,
        is_paragraph: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        match whole.strip_prefix(&*self.text) {
            None | Some("") => Ok(()),
            Some(rest) => {
                self.halves = Halves::default();
                self.push(Cow::Borrowed(rest), is_paragraph, sink)
            }
        }
    }

    /// Replaces everything but the text. A part that has text keeps its kind.
    pub(super) fn set_members(
        &mut self,
        kind: TextKind,
        members: Map<String, Value>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        if self.text.is_empty() {
            self.kind = kind;
        }
        if self.members != members {
            for (name, value) in &members {
                sink.room.keep(name.len())?;
                sink.room.keep_value(value)?;
            }
            self.members = members;
        }
        Ok(())
    }

    /// Adds a citation, unless the one at its `index` is already known.
    pub(super) fn annotate(
        &mut self,
        index: Option<u64>,
        annotation: Value,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let known = self.annotations.len();
        if index.is_none_or(|index| index >= known as u64) {
            SizeLimit::one_more(known)?;
            sink.room.keep_value(&annotation)?;
            self.annotations.push(annotation);
        }
        Ok(())
    }

    /// Ends the text. A half of a character whose other half never arrived becomes a replacement
    /// character, if there is room for one.
    pub(super) fn end(&mut self, sink: &mut Sink<'_>) {
        if let Some(lost) = self.halves.end().filter(|lost| sink.room.write(lost).is_ok()) {
            self.text.push_str(lost);
            sink.events.push(self.kind.delta(lost.to_owned()));
        }
    }

    /// Returns the part as a whole response would have it.
    pub(super) fn into_value(self, list: List) -> Value {
        let mut members = self.members;
        let member = self.kind.member();
        let part_type = members.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_other = !self.kind.matches(part_type);
        if !members.contains_key("type") || (is_other && !self.text.is_empty()) {
            members.insert("type".to_owned(), self.kind.part_type(list).into());
        }
        if !self.text.is_empty() || members.get(member).is_some_and(Value::is_null) {
            members.insert(member.to_owned(), self.text.into());
        }
        let has_annotations =
            members.get("annotations").is_some_and(|it| *it != Value::Array(Vec::new()));
        if !self.annotations.is_empty() && !has_annotations {
            members.insert("annotations".to_owned(), self.annotations.into());
        }
        members.into()
    }
}
