//! Unmodelled members of an answer: reads them, joins them in streams, and sends them back.

use serde::de::MapAccess;
use serde_json::{Map, Value};

use super::media::{self, PROVENANCE};
use crate::chat::{Format, Image, Opaque};
use crate::wire::beside::is_empty;
use crate::wire::json::bounded::Content;
use crate::wire::stream::{SizeLimit, is_label, says_something};
use crate::wire::{Failure, MAX_PARTS, Target};

/// The unmodelled members of one object.
///
/// Nulls and empty values are dropped because they say nothing, and so are the names of the object
/// and its kind, which are the same in every answer. Boxed, because most objects have none.
#[derive(Debug, Default, Clone)]
pub(super) struct Unknown {
    members: Option<Box<Map<String, Value>>>,
    /// True if there was more than the limit allows.
    exceeded: bool,
}

impl Unknown {
    /// Takes a member with an unknown name.
    #[cold]
    pub(super) fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<bool, A::Error> {
        if is_label(name) {
            return Ok(false);
        }
        let Content { value, exceeded } = members.next_value()?;
        self.exceeded |= exceeded;
        if !is_empty(&value) {
            self.insert(name.to_owned(), value);
        }
        Ok(true)
    }

    /// Keeps a member unless it is empty.
    pub(super) fn insert(&mut self, name: String, value: Value) {
        if !is_empty(&value) && !is_label(&name) {
            self.members.get_or_insert_default().insert(name, value);
        }
    }

    /// Takes the images out of a message's members. Elements that are not images stay.
    pub(super) fn take_images(&mut self) -> Vec<Image> {
        let Some(members) = self.members.as_mut() else { return Vec::new() };
        let Some(list) = members.get_mut("images").map(Value::take) else { return Vec::new() };
        let (images, others) = media::images(list);
        match others.is_empty() {
            true => members.shift_remove("images"),
            false => members.insert("images".to_owned(), others.into()),
        };
        if members.is_empty() {
            self.members = None;
        }
        images
    }

    /// Adds the members of an inner object, such as a call's `function`, under its name.
    pub(super) fn nest(&mut self, name: &str, inner: Self) {
        self.exceeded |= inner.exceeded;
        if let Some(members) = inner.members {
            let members = Value::Object(*members);
            self.members.get_or_insert_default().insert(name.to_owned(), members);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_none() && !self.exceeded
    }

    /// Returns true if a text in it is part of the answer.
    pub(super) fn says_something(&self) -> bool {
        let mut members = self.members.iter().flat_map(|members| members.values());
        self.exceeded || members.any(says_something)
    }

    /// Adds the members of a later piece of a stream.
    ///
    /// # Errors
    ///
    /// If the answer then exceeds the size limit.
    pub(super) fn extend(&mut self, more: Self, room: &mut SizeLimit) -> Result<(), Failure> {
        if more.exceeded {
            return Err(Failure::too_many_parts());
        }
        let Some(more) = more.members else { return Ok(()) };
        let kept = self.members.get_or_insert_default();
        for (name, piece) in *more {
            let is_repeated = kept.get(&name) == Some(&piece) && !grows(&name);
            if is_repeated && !piece.is_array() && !piece.is_object() {
                continue;
            }
            room.keep(name.len())?;
            room.keep_value(&piece)?;
            join_member(kept, name, piece)?;
        }
        Ok(())
    }

    /// Writes the members into an object that already has the modelled ones.
    pub(super) fn write_into(self, object: &mut Value) {
        if let (Some(members), Value::Object(object)) = (self.members, object) {
            add_missing(object, &members);
        }
    }

    /// Returns the members in the form that a message stores.
    ///
    /// # Errors
    ///
    /// If there were more than the limit allows.
    pub(super) fn opaque(self) -> Result<Option<Box<Opaque>>, Failure> {
        match self.exceeded {
            true => Err(Failure::too_many_parts()),
            false => Ok(self.members.map(|members| Opaque::new(PROVENANCE, *members).into())),
        }
    }

    /// Like [`opaque`](Self::opaque), for a stream, whose pieces were counted already.
    pub(super) fn streamed(self) -> Option<Box<Opaque>> {
        self.opaque().unwrap_or_default()
    }
}

/// Writes members that `target` itself sent into an object of a request. Members that the request
/// already has stay.
pub(super) fn send_back(opaque: Option<&Opaque>, target: Target<'_>, object: &mut Value) {
    let own = opaque.filter(|opaque| {
        target.dialect.unknown_members && target.sent(&opaque.provenance, Format::OpenAiChat)
    });
    if let (Some(opaque), Value::Object(object)) = (own, object) {
        add_missing(object, &opaque.members);
    }
}

fn add_missing(object: &mut Map<String, Value>, members: &Map<String, Value>) {
    for (name, value) in members {
        match (object.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => add_missing(known, more),
            (Some(_), _) => {}
            (None, value) => {
                object.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Returns true if a text with this name arrives in pieces. All others, such as `signature` and
/// `format`, arrive at once. `text`, `summary` and `data` are OpenRouter's (its page "Reasoning
/// Tokens"), `thinking` is LiteLLM's.
fn grows(name: &str) -> bool {
    let names = ["text", "summary", "data", "thinking", "content", "arguments", "input"];
    names.contains(&name)
        || matches!(name, "transcript" | "reasoning" | "reasoning_content" | "reasoning_text")
}

fn join_member(kept: &mut Map<String, Value>, name: String, piece: Value) -> Result<(), Failure> {
    match kept.get_mut(&name) {
        Some(known) => join(&name, known, piece),
        // An array of pieces can already have several of one element.
        None => match piece {
            Value::Array(pieces) => {
                let mut items = Vec::with_capacity(pieces.len());
                pieces.into_iter().try_for_each(|piece| add(&mut items, piece))?;
                kept.insert(name, items.into());
                Ok(())
            }
            piece => {
                kept.insert(name, piece);
                Ok(())
            }
        },
    }
}

/// Joins a piece to a member: texts that arrive in pieces are appended, objects are joined member
/// by member and arrays element by element; everything else is replaced.
fn join(name: &str, known: &mut Value, piece: Value) -> Result<(), Failure> {
    match (known, piece) {
        (_, piece) if is_empty(&piece) => {}
        (Value::String(text), Value::String(more)) if grows(name) => text.push_str(&more),
        (Value::Object(known), Value::Object(more)) => {
            for (name, piece) in more {
                join_member(known, name, piece)?;
            }
        }
        (Value::Array(items), Value::Array(more)) => {
            more.into_iter().try_for_each(|piece| add(items, piece))?;
        }
        (known, piece) => *known = piece,
    }
    Ok(())
}

/// How many elements at the end of an array to compare with a new piece, so that a long array takes
/// only linear time.
const WINDOW: usize = 256;

/// Adds a piece of an array to the element that it continues, or as a new element. A repeated
/// element, from servers that resend everything with every chunk, is kept once.
fn add(items: &mut Vec<Value>, piece: Value) -> Result<(), Failure> {
    let behind = items.len().saturating_sub(WINDOW);
    if let Some(at) = items[behind..].iter().rposition(|item| continues(item, &piece)) {
        let at = behind + at;
        // Without numbers, only the last element is open.
        if piece.get("index").is_some() || at + 1 == items.len() {
            return join("", &mut items[at], piece);
        }
    }
    let is_repeated = !piece.is_number() && items[behind..].contains(&piece);
    if !is_repeated {
        if items.len() >= MAX_PARTS {
            return Err(Failure::too_many_parts());
        }
        items.push(piece);
    }
    Ok(())
}

/// Returns true if `piece` continues the element `item`. OpenRouter numbers the elements of
/// `reasoning_details` by `index`, but uses the same number for a summary and its encrypted form,
/// or for the encrypted thoughts of several tool calls, so type and id decide too. Without an
/// index, only thoughts arrive in pieces. A signature closes an element.
fn continues(item: &Value, piece: &Value) -> bool {
    let differ = |name: &str| match (item.get(name), piece.get(name)) {
        (Some(one), Some(other)) => !one.is_null() && !other.is_null() && one != other,
        _ => false,
    };
    if !item.is_object() || !piece.is_object() || ["type", "id", "index"].into_iter().any(differ) {
        return false;
    }
    let has = |value: &Value, name: &str| value.get(name).is_some_and(|member| !is_empty(member));
    let texts = ["text", "thinking", "summary", "data"];
    if has(item, "signature") && texts.iter().any(|name| has(piece, name)) {
        return false;
    }
    let is_numbered = piece.get("index").is_some_and(Value::is_number);
    let kind = piece.get("type").and_then(Value::as_str);
    is_numbered || matches!(kind, Some("thinking" | "reasoning.text" | "reasoning.summary"))
}

#[cfg(test)]
mod tests;
