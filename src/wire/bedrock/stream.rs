//! Decodes a streamed answer.

use serde_json::{Map, Value};

use super::blocks::Blocks;
use super::event::Event;
use super::usage;
use crate::chat::{Message, Role, StreamEvent, Usage};
use crate::wire::beside::Kept;
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::Fold;
use crate::wire::framing::ERROR;
use crate::wire::json::object::Object;
use crate::wire::stream::{SizeLimit, Step};
use crate::wire::{Decoded, Failure, failed, json as wire};

/// A streamed answer, as far as it has arrived.
#[derive(Clone)]
pub(super) struct Stream {
    stop_reason: String,
    blocks: Blocks,
    usage: Value,
    tier: String,
    beside: Kept,
    /// The bytes written when the output was counted.
    counted: Option<usize>,
    /// True after a stop reason without any content after it.
    finished: bool,
    closed: bool,
    room: SizeLimit,
}

impl Stream {
    pub(super) fn new(room: SizeLimit) -> Self {
        Self {
            stop_reason: String::new(),
            blocks: Blocks::default(),
            usage: Value::Null,
            tier: String::new(),
            beside: Kept::default(),
            counted: None,
            finished: false,
            closed: false,
            room,
        }
    }

    fn wrote(&self) -> bool {
        self.room.written() > 0 || !self.blocks.are_blank()
    }

    fn stop(&mut self, event: &mut Event<'_>) -> Result<bool, Failure> {
        let reason = std::mem::take(&mut event.stop_reason).0;
        if let Some(failure) = failed::ending(&reason, "") {
            return Err(failure);
        }
        if reason.is_empty() {
            return Ok(false);
        }
        self.finished = true;
        self.room.keep(reason.len())?;
        let is_first = self.stop_reason.is_empty();
        self.stop_reason = reason.into_owned();
        Ok(is_first)
    }

    fn metadata(&mut self, event: &mut Event<'_>) -> bool {
        let tier = event.tier.take().and_then(|tier| tier.value.get("type").cloned());
        if let Some(tier) = tier.and_then(wire::text) {
            self.tier = tier;
        }
        let Some(usage) = event.usage.take().filter(|usage| usage.value.is_object()) else {
            return false;
        };
        let is_first = self.usage.is_null();
        self.usage = usage.value;
        self.counted = Some(self.room.written());
        is_first
    }
}

impl Fold for Stream {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        if name == Some(ERROR) {
            let body = wire::detail(data.as_bytes()).unwrap_or_else(|| data.into());
            return Err(Failure::inside(&body));
        }
        let name = name.unwrap_or_default();
        let is_known = matches!(
            name,
            "messageStart"
                | "contentBlockStart"
                | "contentBlockDelta"
                | "contentBlockStop"
                | "messageStop"
                | "metadata"
        );
        if !is_known {
            return Ok(Step::Unknown);
        }
        let mut repaired = None;
        let (Object(mut event), marked) = wire::event::<Object<Event<'_>>>(data, &mut repaired)?;
        let index = event.index.0;
        let before = (self.room.left(), events.len());
        let mut moves = false;
        match name {
            "contentBlockStart" => {
                self.finished = false;
                if let Some(start) = event.start.take() {
                    if start.exceeded {
                        return Err(Failure::too_many_parts());
                    }
                    self.blocks.start(index, start.value, &mut self.room, events)?;
                }
            }
            "contentBlockDelta" => {
                self.finished = false;
                let Object(delta) = event.delta;
                self.blocks.extend(index, delta, marked, &mut self.room, events)?;
            }
            "contentBlockStop" => self.blocks.stop(index, events),
            "messageStop" => {
                moves = self.stop(&mut event)?;
                self.beside.replace(event.beside);
            }
            "metadata" => {
                moves = self.metadata(&mut event);
                self.beside.replace(event.beside);
            }
            _ => {}
        }
        // The metadata come last.
        if self.finished && !self.usage.is_null() {
            return Ok(Step::End);
        }
        moves |= (self.room.left(), events.len()) != before;
        Ok(if moves { Step::Progress } else { Step::Known })
    }

    fn has_finished(&self) -> bool {
        self.finished
    }

    fn is_no_answer(&self) -> bool {
        self.stop_reason.is_empty() && !self.wrote()
    }

    fn end_marker(&self) -> &'static str {
        "messageStop"
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.closed = true;
        self.blocks.close(events);
    }

    fn served(&self) -> (&str, Option<&str>) {
        ("", Some(self.tier.as_str()).filter(|tier| !tier.is_empty()))
    }

    /// Returns the usage so far. The output count is final if the answer has ended and nothing was
    /// written after the count.
    fn usage(&self, prompt_tokens: u64) -> Usage {
        let usage = usage::read(&self.usage).without_false_zeros(self.wrote());
        let ended = self.closed || self.finished;
        let is_final = ended && self.counted == Some(self.room.written());
        usage.so_far(is_final, &self.room.estimate(prompt_tokens))
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        let stop_reason = Some(self.stop_reason).filter(|reason| !reason.is_empty());
        let mut extra = Map::new();
        self.beside.into_members().add_to(&mut extra);
        usage::beside(self.usage).nest_in("usage", &mut extra);
        Decoded {
            message: Message::new(Role::Assistant, self.blocks.into_parts()),
            finish_reason: finish_reason(stop_reason.as_deref()),
            finish_reason_raw: stop_reason,
            usage,
            model: String::new(),
            service_tier: Some(self.tier).filter(|tier| !tier.is_empty()),
            id: None,
            extra,
            logprobs: String::new(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
