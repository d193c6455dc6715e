//! Decodes a streamed answer. Its last event is `message-end`, with the finish reason and the usage
//! (`StreamedChatResponseV2`).

use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::event::{Body, Event, News, Words};
use super::parts::{Kind, Parts};
use super::usage;
use crate::chat::{Message, Role, StreamEvent, Usage};
use crate::wire::beside::{Beside, Kept};
use crate::wire::call_id::fingerprint;
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::Fold;
use crate::wire::json::bounded::Content;
use crate::wire::json::object::Object;
use crate::wire::json::string::Written;
use crate::wire::repeated_event::Template;
use crate::wire::stream::{SizeLimit, Step, says_something};
use crate::wire::{Decoded, Failure, MAX_PARTS, failed, json as wire};

/// An answer, as far as it has arrived.
#[derive(Clone)]
pub(super) struct Stream {
    id: String,
    finish_reason: String,
    parts: Parts,
    usage: Value,
    logprobs: Vec<Value>,
    beside: Kept,
    /// True after the end marker.
    closed: bool,
    /// The previous event if it was text, with its index and kind.
    template: Template,
    index: Option<u64>,
    kind: Kind,
    /// The fingerprint of the first event. Calls without an id get one made from it.
    seed: Option<u64>,
    room: SizeLimit,
}

impl Stream {
    pub(super) fn new(room: SizeLimit) -> Self {
        Self {
            id: String::new(),
            finish_reason: String::new(),
            parts: Parts::default(),
            usage: Value::Null,
            logprobs: Vec::new(),
            beside: Kept::default(),
            closed: false,
            template: Template::default(),
            index: None,
            kind: Kind::Text,
            seed: None,
            room,
        }
    }

    /// Creates the answer of a whole body.
    pub(super) fn whole(body: Body<'_>, bytes: &[u8]) -> Result<Self, Failure> {
        let mut stream = Self::new(SizeLimit::new(usize::MAX));
        let seed = fingerprint(bytes);
        stream.seed = Some(seed);
        stream.id = body.id.0.into_owned();
        let Object(message) = body.message.unwrap_or_default();
        let (mut events, room) = (Vec::new(), &mut stream.room);
        let parts = &mut stream.parts;
        let blocks = match message.content {
            Written::Text(text) => {
                parts.write(None, Kind::Text, text, room, &mut events)?;
                Vec::new()
            }
            Written::Value(content) => list(content.map(|content| *content).unwrap_or_default())?,
        };
        for (index, block) in (0..).zip(blocks) {
            let index = Some(index);
            let text = |name| block.get(name).and_then(Value::as_str).map(str::to_owned);
            match block.get("type").and_then(Value::as_str) {
                Some(kind @ ("text" | "thinking")) => {
                    let said = text(kind).unwrap_or_default();
                    let kind = if kind == "text" { Kind::Text } else { Kind::Thinking };
                    parts.start(index, kind)?;
                    parts.write(index, kind, said.into(), room, &mut events)?;
                }
                _ if block.as_object().is_some_and(|block| !block.is_empty()) => {
                    parts.other(index, block, room)?;
                }
                _ => {}
            }
        }
        parts.write(None, Kind::Plan, message.plan.0, room, &mut events)?;
        for (index, call) in (0..).zip(list(message.calls)?) {
            parts.call(Some(index), call, (true, seed), room, &mut events)?;
        }
        for citation in list(message.citations)? {
            parts.cite(citation, room)?;
        }
        stream.usage = body.usage.map(|usage| usage.value).unwrap_or_default();
        if let Some(logprobs) = body.logprobs {
            stream.logprobs = list(*logprobs)?;
        }
        stream.beside.replace(body.beside);
        stream.beside.replace(message.beside);
        stream.finish_reason = body.finish_reason.0.into_owned();
        stream.close(&mut events);
        Ok(stream)
    }

    /// Adds what an event says about the message.
    fn take(
        &mut self,
        kind: &str,
        index: Option<u64>,
        news: News<'_>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let seed = self.seed(data);
        let (parts, room) = (&mut self.parts, &mut self.room);
        match kind {
            "content-start" | "content-delta" => self.words(kind, index, news, data, events)?,
            "tool-plan-delta" => parts.write(None, Kind::Plan, news.plan.0, room, events)?,
            "tool-call-start" | "tool-call-delta" => {
                let call = value(news.call)?;
                parts.call(index, call, (kind == "tool-call-start", seed), room, events)?;
            }
            "tool-call-end" => parts.end_call(index, seed, events),
            "citation-start" => match value(news.citation)? {
                Value::Array(citations) => {
                    citations.into_iter().try_for_each(|citation| parts.cite(citation, room))?;
                }
                citation => parts.cite(citation, room)?,
            },
            _ => {}
        }
        Ok(())
    }

    /// Starts a block, or adds to one.
    fn words(
        &mut self,
        event: &str,
        index: Option<u64>,
        news: News<'_>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Object(Words { kind, text, thinking, more }) = news.content;
        let starts = event == "content-start";
        let known = match &*kind.0 {
            "thinking" => Some(Kind::Thinking),
            "text" => Some(Kind::Text),
            "" if thinking.is_some() => Some(Kind::Thinking),
            "" if text.is_some() => Some(Kind::Text),
            _ => None,
        };
        let Some(known) = known.filter(|_| starts || !more) else {
            let mut event = wire::detail(data.as_bytes()).unwrap_or_default();
            let content = event.pointer_mut("/delta/message/content").map(Value::take);
            let Some(content @ Value::Object(_)) = content else { return Ok(()) };
            return match (starts, &content) {
                (false, Value::Object(piece)) => self.parts.merge(index, piece, &mut self.room),
                _ => self.parts.other(index, content, &mut self.room),
            };
        };
        if starts {
            self.parts.start(index, known)?;
        }
        let said = if known == Kind::Thinking { thinking } else { text };
        let said = said.unwrap_or_default().0;
        if let (false, Cow::Borrowed(said)) = (starts, &said) {
            self.template.keep(data, said, "");
            (self.index, self.kind) = (index, known);
        }
        self.parts.write(index, known, said, &mut self.room, events)
    }

    fn seed(&mut self, data: &str) -> u64 {
        *self.seed.get_or_insert_with(|| fingerprint(data.as_bytes()))
    }

    /// Returns true if the model wrote anything.
    fn wrote(&self) -> bool {
        self.room.written() > 0 || !self.parts.is_blank()
    }

    /// Returns the reported usage, without zeros that cannot be true.
    pub(super) fn reported(&self) -> Usage {
        usage::read(&self.usage).without_false_zeros(self.wrote())
    }

    /// Returns the answer with this usage.
    pub(super) fn answer(self, usage: Usage) -> Decoded {
        let raw = Some(self.finish_reason).filter(|reason| !reason.is_empty());
        let (parts, loose) = self.parts.into_parts();
        let mut extra = Map::new();
        self.beside.into_members().add_to(&mut extra);
        usage::beside(self.usage).nest_in("usage", &mut extra);
        if !loose.is_empty() {
            extra.entry("citations").or_insert_with(|| loose.into());
        }
        Decoded {
            message: Message::new(Role::Assistant, parts),
            finish_reason: finish_reason(raw.as_deref()),
            finish_reason_raw: raw,
            usage,
            model: String::new(),
            service_tier: None,
            id: Some(self.id).filter(|id| !id.is_empty()),
            extra,
            logprobs: match self.logprobs.is_empty() {
                true => String::new(),
                false => Value::Array(self.logprobs).to_string(),
            },
        }
    }
}

impl Fold for Stream {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let data = data.trim();
        // Some gateways end every stream as OpenAI does.
        if data.is_empty() || data == "[DONE]" {
            return Ok(Step::Nothing);
        }
        if let Some(words) = self.template.written_in(data) {
            self.parts.set_marked(false);
            let step = if words.is_empty() { Step::Known } else { Step::Progress };
            self.parts.write(self.index, self.kind, words, &mut self.room, events)?;
            return Ok(step);
        }
        self.template.forget();
        let mut repaired = None;
        let (Object(event), marked) = wire::event::<Object<Event<'_>>>(data, &mut repaired)?;
        self.parts.set_marked(marked);
        let name = name.filter(|name| *name != "message").unwrap_or_default();
        let kind = if event.kind.0.is_empty() { name } else { &*event.kind.0 };
        let Object(delta) = event.delta;
        let before = (self.room.left(), events.len(), self.logprobs.len());
        let mut moves = false;
        match kind {
            "message-start" => {
                if !event.id.0.is_empty() && self.id != event.id.0 {
                    self.room.keep(event.id.0.len())?;
                    self.id = event.id.0.into_owned();
                }
                self.seed(data);
                self.beside.replace(event.beside);
                return Ok(Step::Known);
            }
            "content-start" | "content-delta" | "content-end" | "tool-plan-delta"
            | "tool-call-start" | "tool-call-delta" | "tool-call-end" | "citation-start"
            | "citation-end" => {
                let Object(news) = delta.message;
                let index = event.index.0;
                self.take(kind, index, news, data, events)?;
                if let Some(logprobs) = event.logprobs {
                    self.template.forget();
                    self.keep_logprobs(*logprobs)?;
                }
                moves |= says(event.beside, &mut self.beside);
            }
            "message-end" => {
                if let Some(usage) = delta.usage.filter(|usage| usage.value.is_object()) {
                    self.usage = usage.value;
                }
                let error = delta.error.map(|error| error.value).unwrap_or_default();
                let reason = delta.finish_reason.0;
                if let Some(failure) = failure_at_end(&reason, &error) {
                    return Err(failure);
                }
                self.room.keep(reason.len())?;
                self.finish_reason = reason.into_owned();
                self.beside.replace(event.beside);
                self.beside.replace(delta.beside);
                return Ok(Step::End);
            }
            _ => {
                let body = wire::detail(data.as_bytes()).unwrap_or_else(|| data.into());
                let report = match event.kind.0.is_empty() {
                    true => failed::report(&body),
                    false => failed::event(&body),
                };
                return match report {
                    Some(failure) => Err(failure),
                    None if kind == "error" => Err(Failure::of_body(&body)),
                    None => Ok(Step::Unknown),
                };
            }
        }
        moves |= (self.room.left(), events.len(), self.logprobs.len()) != before;
        Ok(if moves { Step::Progress } else { Step::Known })
    }

    fn has_finished(&self) -> bool {
        self.closed || !self.finish_reason.is_empty()
    }

    fn is_no_answer(&self) -> bool {
        self.finish_reason.is_empty() && !self.wrote()
    }

    fn end_marker(&self) -> &'static str {
        "message-end"
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.closed = true;
        let seed = self.seed.unwrap_or_default();
        self.parts.close(seed, events);
    }

    /// An answer names neither.
    fn served(&self) -> (&str, Option<&str>) {
        ("", None)
    }

    /// Returns the usage so far. Only the last event reports it, so a report is always final.
    fn usage(&self, prompt_tokens: u64) -> Usage {
        self.reported().so_far(true, &self.room.estimate(prompt_tokens))
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        self.answer(usage)
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

impl Stream {
    fn keep_logprobs(&mut self, logprobs: Content) -> Result<(), Failure> {
        let items = match logprobs.value {
            _ if logprobs.exceeded => return Err(Failure::too_many_parts()),
            Value::Array(items) => items,
            Value::Null => return Ok(()),
            item => vec![item],
        };
        for item in items {
            self.room.keep_value(&item)?;
            self.logprobs.push(item);
        }
        Ok(())
    }
}

/// Returns the failure of an answer that ended with the finish reason `ERROR` or `TIMEOUT`, with
/// the explanation beside it (`ChatMessageEndEvent.delta.error`).
pub(super) fn failure_at_end(reason: &str, error: &Value) -> Option<Failure> {
    let ending = failed::ending(reason, "");
    if !failed::is_error(error) {
        return ending;
    }
    let explained = match error {
        Value::String(_) => Failure::of_body(&json!({"message": error})),
        error => Failure::inside(error),
    };
    Some(Failure { code: explained.code.or(ending.and_then(|ending| ending.code)), ..explained })
}

/// Keeps members beside an event. Returns true if they say something.
fn says(members: Beside, kept: &mut Kept) -> bool {
    let mut said = Map::new();
    members.clone().add_to(&mut said);
    kept.replace(members);
    said.values().any(says_something)
}

fn value(content: Option<Box<Content>>) -> Result<Value, Failure> {
    match content {
        Some(content) if content.exceeded => Err(Failure::too_many_parts()),
        content => Ok(content.map(|content| content.value).unwrap_or_default()),
    }
}

/// Returns the elements of a list; anything else has none.
fn list(content: Content) -> Result<Vec<Value>, Failure> {
    match content.value {
        _ if content.exceeded => Err(Failure::too_many_parts()),
        Value::Array(items) if items.len() > MAX_PARTS => Err(Failure::too_many_parts()),
        Value::Array(items) => Ok(items),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests;
