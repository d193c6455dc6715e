//! Assembles the output items of a streamed response.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::event::Event;
use super::item;
use crate::chat::{Part, StreamEvent, ToolCall};
use crate::wire::Failure;
use crate::wire::json::bounded::Content;
use crate::wire::json::halves::Halves;
use crate::wire::stream::SizeLimit;
use crate::wire::stream::arguments::Arguments;

/// The output items of a stream, put together.
///
/// OpenAI numbers the items by `output_index` and names them by `item_id`. llama.cpp has no
/// numbers, GitHub Copilot gives an item another id in every event
/// (vercel/ai, `github-copilot-id-rotation`), and OpenRouter another one at the end (recorded). So
/// the number counts, then the id, then that an item is the last that came.
///
/// An item comes several times: empty at its start, in pieces, whole at its end, and once more in
/// the last event. What comes later only adds what is missing, so that the events and the whole
/// say the same.
#[derive(Debug, Default, Clone)]
pub(super) struct Items {
    items: Vec<Item>,
    by_index: BTreeMap<u64, usize>,
    /// How many of the items are calls of functions.
    calls: usize,
    /// Whether the texts of this event may have marks of halves.
    marked: bool,
}

#[derive(Debug, Default, Clone)]
struct Item {
    /// Where it stands in the output.
    place: u64,
    /// As it came last, without what is in the pieces.
    members: Map<String, Value>,
    pieces: BTreeMap<(List, u64), Piece>,
    call: Option<Call>,
}

/// Which list of an item a piece is in, in the order of their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Summary,
    Content,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Content => "content",
        }
    }
}

/// What a piece says, by the member that has its text and by its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Text,
    Refusal,
    Thought,
}

impl Says {
    /// Whether a part of a message of this type says it.
    fn fits(self, kind: &str) -> bool {
        match self {
            Self::Text => matches!(kind, "output_text" | "text"),
            Self::Refusal => kind == "refusal",
            Self::Thought => matches!(kind, "summary_text" | "reasoning_text"),
        }
    }
}

/// A content part, or a part of a summary.
#[derive(Debug, Clone)]
struct Piece {
    says: Says,
    text: String,
    halves: Halves,
    /// All but the text.
    members: Map<String, Value>,
    annotations: Vec<Value>,
}

#[derive(Debug, Default, Clone)]
struct Call {
    /// Which of the calls it is.
    index: usize,
    arguments: Arguments,
    halves: Halves,
    begun: bool,
    complete: bool,
}

impl Items {
    pub(super) fn set_marked(&mut self, marked: bool) {
        self.marked = marked;
    }

    /// Takes in an item, as it begins or as it ends.
    pub(super) fn item(
        &mut self,
        event: &mut Event<'_>,
        is_whole: bool,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Some(members) = object(event.item.take())? else { return Ok(()) };
        let id = id(&members).to_owned();
        let known = self.known(event.output_index.0, &id, kind(&members), !is_whole);
        let at = match known {
            Some(at) => at,
            None => self.add(event.output_index.0)?,
        };
        self.absorb(at, members, room, events)?;
        if is_whole {
            self.complete(at, room, events);
        }
        Ok(())
    }

    /// The item of this number or, where it has none, of this id. `begins` is whether it is only
    /// starting, so that one with another id cannot be meant.
    fn known(&self, index: Option<u64>, id: &str, kind: &str, begins: bool) -> Option<usize> {
        let fits = |at: &usize| {
            let known = &self.items[*at].members;
            let other = begins && !id.is_empty() && !known.is_empty() && self::id(known) != id;
            !other && (known.is_empty() || self::kind(known) == kind)
        };
        let by_id = || {
            let is_it = |item: &Item| !id.is_empty() && self::id(&item.members) == id;
            self.items.iter().position(is_it).filter(fits)
        };
        match index {
            Some(index) => self.by_index.get(&index).copied().filter(fits).or_else(by_id),
            None => by_id(),
        }
    }

    fn add(&mut self, index: Option<u64>) -> Result<usize, Failure> {
        let at = self.items.len();
        SizeLimit::one_more(at)?;
        let place = index.unwrap_or_else(|| {
            self.items.iter().map(|item| item.place.saturating_add(1)).max().unwrap_or(0)
        });
        self.items.push(Item { place, ..Item::default() });
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        Ok(at)
    }

    /// The item that a piece belongs to. One whose beginning did not come begins with it.
    fn of(&mut self, event: &Event<'_>, kind: &str) -> Result<usize, Failure> {
        let fits = |at: &usize| {
            let members = &self.items[*at].members;
            members.is_empty() || self::kind(members) == kind
        };
        let by_id = || {
            let id = &*event.item_id.0;
            self.items.iter().position(|item| !id.is_empty() && self::id(&item.members) == id)
        };
        let found = match event.output_index.0 {
            Some(index) => self.by_index.get(&index).copied().or_else(by_id).filter(fits),
            None => by_id().or_else(|| self.items.len().checked_sub(1)).filter(fits),
        };
        if let Some(at) = found {
            return Ok(at);
        }
        let at = self.add(event.output_index.0)?;
        let item = &mut self.items[at];
        item.members.insert("type".to_owned(), kind.into());
        if !event.item_id.0.is_empty() {
            item.members.insert("id".to_owned(), (&*event.item_id.0).into());
        }
        if kind == "function_call" {
            item.call = Some(Call { index: self.calls, ..Call::default() });
            self.calls += 1;
        }
        Ok(at)
    }

    /// Adds to a text, or makes it `whole`.
    pub(super) fn text(
        &mut self,
        event: &mut Event<'_>,
        says: Says,
        list: List,
        whole: Option<Cow<'_, str>>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let kind = if says == Says::Thought { "reasoning" } else { "message" };
        let at = self.of(event, kind)?;
        let index = match list {
            List::Summary => event.summary_index.0,
            List::Content => event.content_index.0,
        };
        let key = (list, index.unwrap_or(0));
        match whole {
            Some(whole) => self.make_whole(at, key, says, &whole, room, events),
            None => {
                let delta = std::mem::take(&mut event.delta.0);
                self.write(at, key, says, delta, room, events)
            }
        }
    }

    fn piece(&mut self, at: usize, key: (List, u64), says: Says) -> Result<&mut Piece, Failure> {
        let pieces = &mut self.items[at].pieces;
        if !pieces.contains_key(&key) {
            SizeLimit::one_more(pieces.len())?;
        }
        Ok(pieces.entry(key).or_insert_with(|| Piece::of(says)))
    }

    fn write(
        &mut self,
        at: usize,
        key: (List, u64),
        says: Says,
        text: Cow<'_, str>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let marked = self.marked;
        let follows = says == Says::Thought
            && self.items[at].pieces.iter().any(|(other, it)| *other != key && !it.text.is_empty());
        let piece = self.piece(at, key, says)?;
        let text = piece.halves.join(text, marked);
        if text.is_empty() {
            return Ok(());
        }
        room.write(&text)?;
        let begins = piece.text.is_empty();
        if begins && follows {
            room.write(item::BETWEEN_THOUGHTS)?;
        }
        piece.text.push_str(&text);
        let text = text.into_owned();
        events.push(match piece.says {
            Says::Text => StreamEvent::TextDelta(text),
            Says::Refusal => StreamEvent::RefusalDelta(text),
            Says::Thought if begins && follows => {
                StreamEvent::ReasoningDelta([item::BETWEEN_THOUGHTS, &text].concat())
            }
            Says::Thought => StreamEvent::ReasoningDelta(text),
        });
        Ok(())
    }

    /// Adds what is missing of a whole text. One that does not go on from what came is not
    /// believed: the caller has seen the other.
    fn make_whole(
        &mut self,
        at: usize,
        key: (List, u64),
        says: Says,
        whole: &str,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let piece = self.piece(at, key, says)?;
        let Some(rest) = whole.strip_prefix(&*piece.text) else { return Ok(()) };
        if rest.is_empty() {
            return Ok(());
        }
        piece.halves = Halves::default();
        self.write(at, key, says, Cow::Borrowed(rest), room, events)
    }

    /// Takes in what stands beside the text of a content part.
    pub(super) fn part(
        &mut self,
        event: &mut Event<'_>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Some(part) = object(event.part.take())? else { return Ok(()) };
        let (list, kind) = match item::kind(&part) {
            "summary_text" => (List::Summary, "reasoning"),
            "reasoning_text" => (List::Content, "reasoning"),
            _ => (List::Content, "message"),
        };
        let at = self.of(event, kind)?;
        let index = match list {
            List::Summary => event.summary_index.0,
            List::Content => event.content_index.0,
        };
        self.absorb_part(at, (list, index.unwrap_or(0)), part, room, events)
    }

    fn absorb_part(
        &mut self,
        at: usize,
        key: (List, u64),
        mut part: Map<String, Value>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let of_reasoning = kind(&self.items[at].members) == "reasoning";
        let (says, member) = match item::kind(&part) {
            _ if of_reasoning => (Says::Thought, "text"),
            "refusal" => (Says::Refusal, "refusal"),
            _ => (Says::Text, "text"),
        };
        let kind = item::kind(&part);
        let is_known = of_reasoning || kind.is_empty() || says.fits(kind);
        let whole = match is_known.then(|| part.get_mut(member)).flatten().map(Value::take) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let piece = self.piece(at, key, says)?;
        if piece.text.is_empty() {
            piece.says = says;
        }
        if piece.members != part {
            for (name, value) in &part {
                room.keep(name.len())?;
                room.keep_value(value)?;
            }
            piece.members = part;
        }
        self.make_whole(at, key, says, &whole, room, events)
    }

    /// Takes in a citation.
    pub(super) fn annotate(
        &mut self,
        event: &mut Event<'_>,
        room: &mut SizeLimit,
    ) -> Result<(), Failure> {
        let Some(annotation) = event.annotation.take().filter(|it| it.value.is_object()) else {
            return Ok(());
        };
        let at = self.of(event, "message")?;
        let key = (List::Content, event.content_index.0.unwrap_or(0));
        let piece = self.piece(at, key, Says::Text)?;
        let known = piece.annotations.len();
        if event.annotation_index.0.is_none_or(|index| index >= known as u64) {
            SizeLimit::one_more(known)?;
            room.keep_value(&annotation.value)?;
            piece.annotations.push(annotation.value);
        }
        Ok(())
    }

    /// Adds to the arguments of a call, or makes them `whole`.
    pub(super) fn arguments(
        &mut self,
        event: &mut Event<'_>,
        is_whole: bool,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let at = self.of(event, "function_call")?;
        if is_whole {
            let whole = std::mem::take(&mut event.arguments.0);
            return self.make_arguments_whole(at, &whole, room, events);
        }
        let marked = self.marked;
        let item = &mut self.items[at];
        let Some(call) = item.call.as_mut().filter(|call| !call.complete) else { return Ok(()) };
        let delta = call.halves.join(std::mem::take(&mut event.delta.0), marked);
        room.write(&delta)?;
        call.arguments.push(delta);
        item.tell(events);
        Ok(())
    }

    fn make_arguments_whole(
        &mut self,
        at: usize,
        whole: &str,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let marked = self.marked;
        let item = &mut self.items[at];
        let Some(call) = item.call.as_mut().filter(|call| !call.complete) else { return Ok(()) };
        if let Some(rest) = whole.strip_prefix(call.arguments.as_str()) {
            call.halves = Halves::default();
            let rest = call.halves.join(Cow::Borrowed(rest), marked);
            room.write(&rest)?;
            call.arguments.push(rest);
        }
        item.tell(events);
        Ok(())
    }

    /// Takes in an item from an event, with what is new in it.
    fn absorb(
        &mut self,
        at: usize,
        mut members: Map<String, Value>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let kind = kind(&members).to_owned();
        let lists: &[List] = match kind.as_str() {
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
        let arguments = match kind.as_str() {
            "function_call" => members.get_mut("arguments").map(Value::take),
            _ => None,
        };
        let item = &mut self.items[at];
        let is_told = item.call.as_ref().is_some_and(|call| call.complete);
        if item.members != members && !is_told {
            for (name, value) in &members {
                if item.members.get(name) != Some(value) {
                    room.keep(name.len())?;
                    room.keep_value(value)?;
                }
            }
            item.members = members;
        }
        for (key, part) in parts {
            match part {
                Value::Object(part) => self.absorb_part(at, key, part, room, events)?,
                Value::String(text) => {
                    let says = if kind == "reasoning" { Says::Thought } else { Says::Text };
                    self.make_whole(at, key, says, &text, room, events)?;
                }
                _ => {}
            }
        }
        if kind == "function_call" {
            let item = &mut self.items[at];
            if item.call.is_none() {
                if let Some(name) = item.members.get("name").and_then(Value::as_str) {
                    room.write(name)?;
                }
                item.call = Some(Call { index: self.calls, ..Call::default() });
                self.calls += 1;
            }
            let whole = match arguments {
                Some(Value::String(arguments)) => arguments,
                Some(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
                _ => String::new(),
            };
            self.make_arguments_whole(at, &whole, room, events)?;
        }
        Ok(())
    }

    /// Takes in the output of the last event, which has all items again.
    pub(super) fn output(
        &mut self,
        output: Vec<Value>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let mut taken = vec![false; self.items.len()];
        for (index, item) in (0_u64..).zip(output) {
            let Value::Object(members) = item else { continue };
            let (id, kind) = (id(&members), kind(&members));
            let is_free = |at: &usize| {
                !taken.get(*at).copied().unwrap_or(true)
                    && self::kind(&self.items[*at].members) == kind
            };
            let same_id = |item: &Item| !id.is_empty() && self::id(&item.members) == id;
            let found = self.items.iter().position(same_id).filter(is_free);
            let found = found.or_else(|| self.by_index.get(&index).copied().filter(is_free));
            let found = found.or_else(|| (0..self.items.len()).find(is_free));
            let at = match found {
                Some(at) => at,
                None => self.add(None)?,
            };
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
            self.items[at].place = index;
            self.absorb(at, members, room, events)?;
        }
        Ok(())
    }

    fn complete(&mut self, at: usize, room: &mut SizeLimit, events: &mut Vec<StreamEvent>) {
        let item = &mut self.items[at];
        item.lose_halves(room, events);
        let Some(call) = &item.call else { return };
        if call.complete || !item.is_named() {
            return;
        }
        item.complete(at, 0, events);
    }

    /// All items are whole.
    pub(super) fn close(&mut self, seed: u64, room: &mut SizeLimit, events: &mut Vec<StreamEvent>) {
        for (at, item) in self.items.iter_mut().enumerate() {
            item.lose_halves(room, events);
            if item.call.as_ref().is_some_and(|call| !call.complete) {
                item.complete(at, seed, events);
            }
        }
    }

    /// The parts they make, the same as of a response that comes at once.
    pub(super) fn parts(self, seed: u64) -> Vec<Part> {
        let mut items: Vec<_> = self.items.into_iter().enumerate().collect();
        items.sort_by_key(|(_, item)| item.place);
        let mut parts = Vec::new();
        for (at, item) in items {
            let partial = item.call.as_ref().filter(|call| !call.complete);
            let partial = partial.map(|call| call.arguments.as_str().to_owned());
            let before = parts.len();
            item::add_parts(at, item.value(), seed, &mut parts);
            // Before the end they are as they came.
            if let (Some(arguments), Some(Part::ToolCall(call))) = (partial, parts.get_mut(before))
            {
                call.arguments = arguments;
            }
        }
        parts
    }
}

impl Item {
    fn is_named(&self) -> bool {
        let has = |name: &str| self.members.get(name).is_some_and(|value| value != "");
        has("name") && has("call_id")
    }

    /// Tells what is new of a call.
    fn tell(&mut self, events: &mut Vec<StreamEvent>) {
        let is_named = self.is_named();
        let text = |name: &str| match self.members.get(name) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        let Some(call) = &mut self.call else { return };
        let index = call.index;
        if !call.begun {
            if !is_named {
                return;
            }
            call.begun = true;
            let (id, name) = (text("call_id"), text("name"));
            events.push(StreamEvent::ToolCallStarted { index, id, name });
        }
        if let Some(delta) = call.arguments.next_delta() {
            events.push(StreamEvent::ToolArgumentsDelta { index, delta });
        }
    }

    fn complete(&mut self, at: usize, seed: u64, events: &mut Vec<StreamEvent>) {
        let whole = self.clone().whole_call(at, seed);
        // One that came without an id keeps the one it was given.
        self.members.insert("call_id".to_owned(), whole.id.as_str().into());
        let Some(call) = &mut self.call else { return };
        let index = call.index;
        call.complete = true;
        if !call.begun {
            call.begun = true;
            let (id, name) = (whole.id.clone(), whole.name.clone());
            events.push(StreamEvent::ToolCallStarted { index, id, name });
        }
        if let Some(delta) = call.arguments.last_delta() {
            events.push(StreamEvent::ToolArgumentsDelta { index, delta });
        }
        events.push(StreamEvent::ToolCallComplete { index, call: whole.into() });
    }

    fn whole_call(self, at: usize, seed: u64) -> ToolCall {
        match self.value() {
            Value::Object(members) => item::call(at, members, seed),
            _ => ToolCall::new("", "", ""),
        }
    }

    /// Adds what stands for halves of characters whose other halves did not come. If there is no
    /// room for them, they are left out.
    fn lose_halves(&mut self, room: &mut SizeLimit, events: &mut Vec<StreamEvent>) {
        for piece in self.pieces.values_mut() {
            let lost = piece.halves.end().filter(|lost| room.write(lost).is_ok());
            let Some(lost) = lost else { continue };
            piece.text.push_str(lost);
            events.push(match piece.says {
                Says::Text => StreamEvent::TextDelta(lost.to_owned()),
                Says::Refusal => StreamEvent::RefusalDelta(lost.to_owned()),
                Says::Thought => StreamEvent::ReasoningDelta(lost.to_owned()),
            });
        }
        let Some(call) = self.call.as_mut().filter(|call| !call.complete) else { return };
        if let Some(lost) = call.halves.end().filter(|lost| room.write(lost).is_ok()) {
            call.arguments.push(lost.into());
            self.tell(events);
        }
    }

    /// The item as it would have come at once.
    fn value(self) -> Value {
        let mut members = self.members;
        if let Some(call) = self.call {
            members.insert("arguments".to_owned(), call.arguments.into_text().into());
        }
        let mut lists: BTreeMap<List, Vec<Value>> = BTreeMap::new();
        for ((list, _), piece) in self.pieces {
            lists.entry(list).or_default().push(piece.value(list));
        }
        for (list, parts) in lists {
            members.insert(list.name().to_owned(), parts.into());
        }
        members.into()
    }
}

impl Piece {
    fn of(says: Says) -> Self {
        Self {
            says,
            text: String::new(),
            halves: Halves::default(),
            members: Map::new(),
            annotations: Vec::new(),
        }
    }

    fn value(self, list: List) -> Value {
        let mut members = self.members;
        let (kind, member) = match (self.says, list) {
            (Says::Text, _) => ("output_text", "text"),
            (Says::Refusal, _) => ("refusal", "refusal"),
            (Says::Thought, List::Summary) => ("summary_text", "text"),
            (Says::Thought, List::Content) => ("reasoning_text", "text"),
        };
        let fits = self.says.fits(members.get("type").and_then(Value::as_str).unwrap_or_default());
        if !members.contains_key("type") || (!fits && !self.text.is_empty()) {
            members.insert("type".to_owned(), kind.into());
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

/// The type of an item whose texts are events. A message of somebody else's is none of these.
fn kind(members: &Map<String, Value>) -> &str {
    match item::kind(members) {
        "message" if !item::is_assistant(members) => "message of another",
        kind => kind,
    }
}

fn id(members: &Map<String, Value>) -> &str {
    members.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// The members of an object in an event.
fn object(content: Option<Box<Content>>) -> Result<Option<Map<String, Value>>, Failure> {
    match content.map(|content| *content) {
        Some(Content { exceeded: true, .. }) => Err(Failure::too_many_parts()),
        Some(Content { value: Value::Object(members), .. }) => Ok(Some(members)),
        _ => Ok(None),
    }
}
