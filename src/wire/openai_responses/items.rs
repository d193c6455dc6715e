//! Finds the output item that an event of a stream belongs to.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

use super::event::Event;
use super::item;
use super::sink::Sink;
use super::streamed_item::{PartKey, StreamedItem, id, kind};
use super::streamed_part::{List, TextKind};
use crate::chat::Part;
use crate::wire::Failure;
use crate::wire::json::bounded::Content;
use crate::wire::stream::SizeLimit;

/// The output items of a stream.
///
/// OpenAI numbers the items by `output_index` and names them by `item_id`. llama.cpp has no
/// numbers, GitHub Copilot changes an item's id with every event (vercel/ai,
/// `github-copilot-id-rotation`), and OpenRouter changes it at the end (recorded). So the number
/// comes first, then the id. An event with neither belongs to the last item.
///
/// An item arrives several times: empty at its start, in pieces, whole at its end, and once more
/// in the last event. Later copies only add what is missing, so that the events and the final
/// answer agree.
#[derive(Debug, Default, Clone)]
pub(super) struct Items {
    items: Vec<StreamedItem>,
    by_index: BTreeMap<u64, usize>,
    /// The first item with each id. The id of that item can have changed since.
    by_id: HashMap<String, usize>,
    /// How many of the items are function calls.
    calls: usize,
}

impl Items {
    /// Adds or updates an item, at its start or at its end.
    pub(super) fn item(
        &mut self,
        event: &mut Event<'_>,
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Some(members) = object(event.item.take())? else { return Ok(()) };
        let at = match self.known(event.output_index.0, &members, is_whole) {
            Some(at) => at,
            None => self.add(event.output_index.0)?,
        };
        let item = &mut self.items[at];
        item.update(members, &mut self.calls, sink)?;
        if is_whole {
            item.end(sink);
            if item.is_named() {
                item.complete_call(at, 0, sink.events);
            }
        }
        self.index_id(at);
        Ok(())
    }

    /// Returns the item with this number or, failing that, with this id. An item that only starts
    /// cannot be one with another id.
    fn known(
        &self,
        index: Option<u64>,
        members: &Map<String, Value>,
        is_whole: bool,
    ) -> Option<usize> {
        let (id, kind) = (id(members), kind(members));
        let fits = |at: &usize| {
            let known = &self.items[*at];
            known.is_unidentified()
                || (known.kind() == kind && (is_whole || id.is_empty() || known.id() == id))
        };
        let by_index = index.and_then(|index| self.by_index.get(&index).copied()).filter(fits);
        by_index.or_else(|| self.by_id(id).filter(fits))
    }

    fn by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied().filter(|at| self.items[*at].id() == id)
    }

    /// Makes an item known by its id, unless another item has the same one.
    fn index_id(&mut self, at: usize) {
        let id = self.items[at].id();
        if !id.is_empty() && self.by_id(id).is_none() {
            self.by_id.insert(id.to_owned(), at);
        }
    }

    fn add(&mut self, index: Option<u64>) -> Result<usize, Failure> {
        let at = self.items.len();
        SizeLimit::one_more(at)?;
        let place = index.unwrap_or_else(|| {
            self.items.iter().map(|item| item.place.saturating_add(1)).max().unwrap_or(0)
        });
        self.items.push(StreamedItem::at(place));
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        Ok(at)
    }

    /// Returns the item that an event with a piece belongs to. If its start never arrived, the item
    /// starts here.
    fn of(&mut self, event: &Event<'_>, kind: &str) -> Result<&mut StreamedItem, Failure> {
        let fits = |at: &usize| {
            let item = &self.items[*at];
            item.is_unidentified() || item.kind() == kind
        };
        let id = &*event.item_id.0;
        let found = match event.output_index.0 {
            Some(index) => self.by_index.get(&index).copied().or_else(|| self.by_id(id)),
            None => self.by_id(id).or_else(|| self.items.len().checked_sub(1)),
        };
        if let Some(at) = found.filter(fits) {
            return Ok(&mut self.items[at]);
        }
        let at = self.add(event.output_index.0)?;
        self.items[at].identify(kind, id, &mut self.calls);
        self.index_id(at);
        Ok(&mut self.items[at])
    }

    /// Adds a piece of a text, or what is missing of the whole text.
    pub(super) fn text(
        &mut self,
        event: &mut Event<'_>,
        (kind, list): (TextKind, List),
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let item_kind = if kind == TextKind::Reasoning { "reasoning" } else { "message" };
        let item = self.of(event, item_kind)?;
        let key = part_key(event, list);
        if !is_whole {
            return item.push_text(key, kind, std::mem::take(&mut event.delta.0), sink);
        }
        let whole = if kind == TextKind::Refusal { &event.refusal } else { &event.text };
        item.push_rest_of_text(key, kind, &whole.0, sink)
    }

    /// Adds or updates a content part or a part of a summary.
    pub(super) fn part(
        &mut self,
        event: &mut Event<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Some(part) = object(event.part.take())? else { return Ok(()) };
        let (list, kind) = match item::kind(&part) {
            "summary_text" => (List::Summary, "reasoning"),
            "reasoning_text" => (List::Content, "reasoning"),
            _ => (List::Content, "message"),
        };
        self.of(event, kind)?.update_part(part_key(event, list), part, sink)
    }

    /// Adds a citation.
    pub(super) fn annotate(
        &mut self,
        event: &mut Event<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Some(annotation) = event.annotation.take().filter(|it| it.value.is_object()) else {
            return Ok(());
        };
        let key = part_key(event, List::Content);
        let index = event.annotation_index.0;
        self.of(event, "message")?.annotate(key, index, annotation.value, sink)
    }

    /// Adds a piece of a call's arguments, or what is missing of the whole arguments.
    pub(super) fn arguments(
        &mut self,
        event: &mut Event<'_>,
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let item = self.of(event, "function_call")?;
        match is_whole {
            true => item.push_rest_of_arguments(&event.arguments.0, sink),
            false => item.push_arguments(std::mem::take(&mut event.delta.0), sink),
        }
    }

    /// Adds what is missing of the last event's output, which repeats all items.
    pub(super) fn output(
        &mut self,
        output: Vec<Value>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let mut taken = vec![false; self.items.len()];
        for (index, item) in (0_u64..).zip(output) {
            let Value::Object(members) = item else { continue };
            let is_free = |at: &usize| {
                taken.get(*at) == Some(&false) && self.items[*at].kind() == kind(&members)
            };
            let found = self.by_id(id(&members)).filter(is_free);
            let found = found.or_else(|| self.by_index.get(&index).copied().filter(is_free));
            let found = found.or_else(|| (0..self.items.len()).find(is_free));
            let at = match found {
                Some(at) => at,
                None => self.add(None)?,
            };
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
            let item = &mut self.items[at];
            item.place = index;
            item.update(members, &mut self.calls, sink)?;
            self.index_id(at);
        }
        Ok(())
    }

    /// Completes all items.
    pub(super) fn close(&mut self, seed: u64, sink: &mut Sink<'_>) {
        for (at, item) in self.items.iter_mut().enumerate() {
            item.end(sink);
            item.complete_call(at, seed, sink.events);
        }
    }

    /// Returns the parts of the message, the same as of a whole response.
    pub(super) fn parts(self, seed: u64) -> Vec<Part> {
        let mut items: Vec<_> = self.items.into_iter().enumerate().collect();
        items.sort_by_key(|(_, item)| item.place);
        let mut parts = Vec::new();
        for (at, item) in items {
            item.add_parts(at, seed, &mut parts);
        }
        parts
    }
}

/// Returns the place of the part that an event is about.
fn part_key(event: &Event<'_>, list: List) -> PartKey {
    let index = match list {
        List::Summary => event.summary_index.0,
        List::Content => event.content_index.0,
    };
    (list, index.unwrap_or(0))
}

/// Returns the members of an object in an event.
fn object(content: Option<Box<Content>>) -> Result<Option<Map<String, Value>>, Failure> {
    match content.map(|content| *content) {
        Some(Content { exceeded: true, .. }) => Err(Failure::too_many_parts()),
        Some(Content { value: Value::Object(members), .. }) => Ok(Some(members)),
        _ => Ok(None),
    }
}
