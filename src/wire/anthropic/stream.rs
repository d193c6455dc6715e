//! Decodes a streamed message of Anthropic's format.

use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::blocks::Blocks;
use super::decode::{self, COUNTS};
use super::event::{Delta, Event};
use crate::chat::{Message, Role, StreamEvent, Usage};
use crate::wire::beside::{Beside, Kept};
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::Fold;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::exact;
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::LooseString;
use crate::wire::repeated_event::Template;
use crate::wire::stream::{SizeLimit, Step, says_something};
use crate::wire::{Decoded, Failure, failed, json as wire};

/// The kinds that are read; others can come at any time ("Versions").
const KINDS: [&str; 7] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
];

/// The state of a streamed message.
#[derive(Clone)]
pub(in crate::wire) struct Stream {
    id: String,
    model: String,
    stop_reason: String,
    blocks: Blocks,
    /// The last report of every count.
    usage: Map<String, Value>,
    /// Other members of the message.
    beside: Kept,
    in_usage: Kept,
    /// How many bytes were written when a `message_delta` last counted the output. The counts in
    /// the start cover only what was written by then.
    counted: Option<usize>,
    /// True after the end marker.
    closed: bool,
    /// True after the stop reason; only usage and the end can follow.
    finished: bool,
    /// The highest output count so far.
    most_output: Option<u64>,
    /// The previous event if it was text, with its `index` and kind of delta.
    template: Template,
    index: Option<u64>,
    kind: &'static str,
    room: SizeLimit,
}

/// The members of a message, its end and their events that are read.
const READ: [&str; 8] =
    ["content", "stop_reason", "usage", "model", "error", "message", "delta", "content_block"];

/// The deltas that contain only text.
const WORDS: [&str; 2] = ["text_delta", "thinking_delta"];

impl Stream {
    pub(in crate::wire) fn new(room: SizeLimit) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            stop_reason: String::new(),
            blocks: Blocks::default(),
            usage: Map::new(),
            beside: Kept::default(),
            in_usage: Kept::default(),
            counted: None,
            closed: false,
            finished: false,
            most_output: None,
            template: Template::default(),
            index: None,
            kind: WORDS[0],
            room,
        }
    }

    /// Records the stop reason and the usage so far. Returns true if that is new.
    fn end(&mut self, stop_reason: &str, usage: Value) -> Result<bool, Failure> {
        let mut moves = false;
        if !stop_reason.is_empty() {
            moves = self.stop_reason.is_empty();
            self.finished = true;
            stop_reason.clone_into(&mut self.stop_reason);
        }
        let output = usage.get("output_tokens").and_then(wire::count);
        moves |= output > self.most_output;
        self.most_output = self.most_output.max(output);
        // A zero for an answer with content means nothing.
        if output.is_some_and(|tokens| tokens > 0 || !self.wrote()) {
            self.counted = Some(self.room.written());
        }
        self.count(usage);
        failed::ending(stop_reason, "").map_or(Ok(moves), Err)
    }

    /// Adds a complete message, which some gateways send as an event. After blocks it only repeats
    /// them.
    fn whole(&mut self, data: &str, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let mut repaired = None;
        let data = &*exact::prepared(data, Some("input"));
        let (Object(Whole { content }), _) = wire::event(data, &mut repaired)?;
        if content.exceeded {
            return Err(Failure::too_many_parts());
        }
        if let (Value::Array(blocks), true) = (content.value, self.blocks.is_empty()) {
            for mut block in blocks {
                if block.get("type").is_none_or(|kind| kind != "tool_use") {
                    exact::round(&mut block);
                }
                let block = Content { value: block, exceeded: false };
                self.blocks.start(None, block, &mut self.room, events)?;
                self.blocks.stop(None, events);
            }
        }
        let mut message = wire::detail(data.as_bytes()).unwrap_or_default();
        let stop_reason = message.get_mut("stop_reason").map(Value::take).and_then(wire::text);
        let usage = message.get_mut("usage").map(Value::take).unwrap_or_default();
        self.start(message);
        self.end(&stop_reason.unwrap_or_default(), usage).map(|_| ())
    }

    fn start(&mut self, mut message: Value) {
        let mut take = |name: &str| message.get_mut(name).map(Value::take).unwrap_or_default();
        for (kept, name) in [(&mut self.id, "id"), (&mut self.model, "model")] {
            if let Some(said) = wire::text(take(name)) {
                *kept = said;
            }
        }
        let usage = take("usage");
        self.count(usage);
        self.keep_beside(message);
    }

    /// Keeps the other members of a message or its end.
    fn keep_beside(&mut self, message: Value) {
        let Value::Object(members) = message else { return };
        let mut beside = Beside::default();
        let others = members.into_iter().filter(|(name, _)| !READ.contains(&name.as_str()));
        others.for_each(|(name, value)| beside.insert(&name, value));
        self.beside.replace(beside);
    }

    /// The same for a `message_delta`, which has them inside its delta and next to it
    /// (`raw_message_delta_event.py`).
    fn keep_beside_end(&mut self, data: &str) {
        let mut event = wire::detail(data.as_bytes()).unwrap_or_default();
        let delta = event.get_mut("delta").map(Value::take).unwrap_or_default();
        self.keep_beside(delta);
        self.keep_beside(event);
    }

    /// Replaces earlier counts with those that come again: "The token counts shown in the `usage`
    /// field of the `message_delta` event are cumulative" (Anthropic's page "Streaming messages").
    /// A zero does not replace a main count, because gateways that do not count send zeros in only
    /// one of the events.
    fn count(&mut self, usage: Value) {
        let Value::Object(counts) = usage else { return };
        let mut beside = Beside::default();
        let is_cached = |name| counts.get(name).and_then(wire::count).is_some_and(|it| it > 0);
        let cached =
            is_cached("cache_read_input_tokens") || is_cached("cache_creation_input_tokens");
        for (name, count) in counts {
            let is_zero = wire::count(&count) == Some(0);
            let says_nothing = match name.as_str() {
                "input_tokens" => is_zero && !cached,
                "output_tokens" => is_zero,
                _ => false,
            };
            let known = COUNTS.contains(&name.as_str());
            if known && count.is_null() {
                continue;
            }
            if !known {
                beside.insert(&name, count);
            } else if !(says_nothing && self.usage.contains_key(&name)) {
                self.usage.insert(name, count);
            }
        }
        self.in_usage.replace(beside);
    }

    /// Returns true if the model wrote anything.
    fn wrote(&self) -> bool {
        self.room.written() > 0 || !self.blocks.are_blank()
    }
}

impl Fold for Stream {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let name = name.filter(|name| *name != "message");
        let unknown = name.is_some_and(|name| !KINDS.contains(&name));
        // Some gateways use OpenAI's end marker for every client.
        if data.trim().is_empty() || data.trim() == "[DONE]" {
            return Ok(Step::Nothing);
        }
        if unknown {
            return Ok(Step::Unknown);
        }
        if name == Some("error") {
            return Err(failure(data));
        }
        if let Some(words) = self.template.written_in(data) {
            self.blocks.set_marked(false);
            let step = if words.is_empty() { Step::Known } else { Step::Progress };
            let mut delta = Delta { kind: LooseString(self.kind.into()), ..Delta::default() };
            *delta.words() = words;
            self.finished = false;
            self.blocks.extend(self.index, delta, data, &mut self.room, events)?;
            return Ok(step);
        }
        self.template.forget();
        let mut repaired = None;
        let (Object(event), marked) = wire::event::<Object<Event<'_>>>(data, &mut repaired)?;
        self.blocks.set_marked(marked);
        let kind = match &*event.kind.0 {
            "" => name.unwrap_or_default(),
            kind => kind,
        };
        let index = event.index.0;
        let before = (self.room.left(), events.len());
        let mut moves = false;
        match kind {
            "content_block_delta" => {
                self.finished = false;
                let Object(mut delta) = event.delta;
                let words = WORDS.into_iter().find(|kind| delta.kind.0 == *kind);
                if let (Some(kind), Cow::Borrowed(words)) = (words, &*delta.words()) {
                    if !event.kind.0.is_empty() {
                        self.template.keep(data, words, "");
                        (self.index, self.kind) = (index, kind);
                    }
                }
                moves = self.blocks.extend(index, delta, data, &mut self.room, events)?;
            }
            "content_block_start" => {
                self.finished = false;
                let mut block = event.content_block.map(|block| *block).unwrap_or_default();
                if let Some(exact) = exact_call(&block.value, data) {
                    block.value = exact;
                }
                // The start of an empty block is not progress; its text is yet to come.
                let says_something = says_something(&block.value);
                self.blocks.start(index, block, &mut self.room, events)?;
                return Ok(if says_something { Step::Progress } else { Step::Known });
            }
            "content_block_stop" => self.blocks.stop(index, events),
            "message_start" => self.start(value(event.message)),
            "message_delta" => {
                let Object(delta) = event.delta;
                moves = self.end(&delta.stop_reason.0, value(event.usage))?;
                self.keep_beside_end(data);
            }
            "message" => self.whole(data, events)?,
            "message_stop" => return Ok(Step::End),
            "error" => return Err(failure(data)),
            _ if !value(event.error).is_null() => return Err(failure(data)),
            "ping" => return Ok(Step::Nothing),
            _ => return Ok(Step::Unknown),
        }
        moves |= (self.room.left(), events.len()) != before;
        Ok(if moves { Step::Progress } else { Step::Known })
    }

    fn is_no_answer(&self) -> bool {
        self.stop_reason.is_empty() && !self.wrote()
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.closed = true;
        self.blocks.close(events);
    }

    fn served(&self) -> (&str, Option<&str>) {
        (&self.model, self.usage.get("service_tier").and_then(Value::as_str))
    }

    fn usage(&self, prompt_tokens: u64) -> Usage {
        let stop_reason = Some(self.stop_reason.as_str()).filter(|reason| !reason.is_empty());
        let reported = decode::usage(&Value::Object(self.usage.clone()));
        let reason = finish_reason(stop_reason);
        let usage = decode::believed(reported, self.wrote(), reason);
        let stopped = self.closed || stop_reason.is_some();
        let is_final = stopped && self.counted == Some(self.room.written());
        usage.so_far(is_final, &self.room.estimate(prompt_tokens))
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        let stop_reason = Some(self.stop_reason).filter(|reason| !reason.is_empty());
        let finish_reason = finish_reason(stop_reason.as_deref());
        let mut message = Message::new(Role::Assistant, self.blocks.parts());
        decode::keep_unfinished(&mut message.content, finish_reason);
        Decoded {
            message,
            finish_reason,
            finish_reason_raw: stop_reason,
            service_tier: self.usage.get("service_tier").cloned().and_then(wire::text),
            usage,
            model: self.model,
            id: Some(self.id).filter(|id| !id.is_empty()),
            extra: decode::extra(self.beside.into_members(), self.in_usage.into_members()),
            logprobs: String::new(),
        }
    }

    /// Anthropic's own streams have been seen without `message_stop` (tombii/better-ccflare #307).
    fn has_finished(&self) -> bool {
        self.finished
    }

    fn end_marker(&self) -> &'static str {
        "message_stop"
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

/// Parses a complete call with numbers that a value cannot represent, with these [marked](exact).
fn exact_call(block: &Value, data: &str) -> Option<Value> {
    let is_whole_call = block.get("input")?.is_object() && block.get("type")? == "tool_use";
    if !is_whole_call || !exact::has_float(block) {
        return None;
    }
    let marked = exact::marked(data, Some("input"))?;
    let Object(event): Object<Event<'_>> = serde_json::from_str(&marked).ok()?;
    event.content_block.map(|block| block.value)
}

/// The content of a message that arrives in one event.
#[derive(Default)]
struct Whole {
    content: Content,
}

members!(Whole {
    "content" => content,
});

fn value(detail: Option<Box<Detail>>) -> Value {
    detail.map(|detail| detail.value).unwrap_or_default()
}

/// Returns the failure that an event reports, classified like an error body.
fn failure(data: &str) -> Failure {
    let body = wire::detail(data.as_bytes()).unwrap_or_else(|| data.into());
    match body.get("error") {
        Some(error) if !error.is_null() => Failure::inside(error),
        _ if body.get("type").is_some_and(|kind| kind == "error") => {
            Failure::inside(&json!({"message": body.get("message")}))
        }
        _ => Failure::inside(&body),
    }
}

#[cfg(test)]
mod tests;
