//! Decodes a streamed response.

use serde_json::{Map, Value};

use super::decode::Body;
use super::event::Event;
use super::item;
use super::items::Items;
use super::sink::Sink;
use super::streamed_part::{List, TextKind};
use crate::chat::{Message, Role, StreamEvent, Usage, UsageSource};
use crate::wire::call_id::fingerprint;
use crate::wire::format::Fold;
use crate::wire::json::object::Object;
use crate::wire::stream::{SizeLimit, Step};
use crate::wire::{Decoded, Failure, failed, json as wire};

/// A streamed response, as far as it has arrived.
///
/// Every event has a `type`, which is also the name of the SSE event (`response_stream_event.py`).
/// The last event has the whole response: `response.completed`, `response.incomplete` or
/// `response.failed`. A failure can also be an event `error`. OpenAI sends no `[DONE]`; OpenRouter
/// sends one after the last event (recorded).
#[derive(Clone)]
pub(in crate::wire) struct Stream {
    id: String,
    model: String,
    service_tier: String,
    status: String,
    incomplete: String,
    extra: Map<String, Value>,
    usage: Option<Usage>,
    items: Items,
    /// The fingerprint of the first event, to make ids for calls that have none.
    seed: Option<u64>,
    closed: bool,
    /// True once the model has produced anything.
    wrote: bool,
    room: SizeLimit,
}

impl Stream {
    pub(in crate::wire) fn new(room: SizeLimit) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            service_tier: String::new(),
            status: String::new(),
            incomplete: String::new(),
            extra: Map::new(),
            usage: None,
            items: Items::default(),
            seed: None,
            closed: false,
            wrote: false,
            room,
        }
    }

    fn read(
        &mut self,
        kind: &str,
        event: &mut Event<'_>,
        (data, marked): (&str, bool),
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let sink = &mut Sink { room: &mut self.room, events, marked };
        let items = &mut self.items;
        let is_whole = kind.ends_with(".done");
        match kind {
            "response.output_text.delta" | "response.output_text.done" => {
                items.text(event, (TextKind::Output, List::Content), is_whole, sink)?;
            }
            "response.function_call_arguments.delta" | "response.function_call_arguments.done" => {
                items.arguments(event, is_whole, sink)?;
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_summary_text.done" => {
                items.text(event, (TextKind::Reasoning, List::Summary), is_whole, sink)?;
            }
            "response.reasoning_text.delta" | "response.reasoning_text.done" => {
                items.text(event, (TextKind::Reasoning, List::Content), is_whole, sink)?;
            }
            "response.refusal.delta" | "response.refusal.done" => {
                items.text(event, (TextKind::Refusal, List::Content), is_whole, sink)?;
            }
            "response.output_item.added" | "response.output_item.done" => {
                items.item(event, is_whole, sink)?;
            }
            "response.content_part.added"
            | "response.content_part.done"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done" => items.part(event, sink)?,
            "response.output_text.annotation.added" => items.annotate(event, sink)?,
            "response.created" | "response.queued" | "response.in_progress" => {
                if let Some(Object(mut body)) = event.response.take() {
                    self.read_envelope(&mut body)?;
                }
            }
            "response.completed"
            | "response.incomplete"
            | "response.cancelled"
            | "response.failed" => {
                return self.end(kind, event, (data, marked), events);
            }
            "error" => return Err(failure(data)),
            "keepalive" => return Ok(Step::Nothing),
            _ if event.error.as_ref().is_some_and(|error| failed::is_error(&error.value)) => {
                return Err(failure(data));
            }
            // Progress of the provider's own tools. Their items have the results.
            _ if kind.starts_with("response.") => sink.room.write(&event.delta.0)?,
            _ => return Ok(Step::Unknown),
        }
        Ok(Step::Known)
    }

    /// Reads the last event. If a server leaves out the response or its output, the answer is what
    /// the earlier events had.
    fn end(
        &mut self,
        kind: &str,
        event: &mut Event<'_>,
        (data, marked): (&str, bool),
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let Object(mut body) = event.response.take().unwrap_or_default();
        self.read_envelope(&mut body)?;
        if let Some(failure) = body.failure() {
            return Err(failure);
        }
        if kind == "response.failed" {
            return Err(failure(data));
        }
        let is_final = !matches!(&*self.status, "" | "queued" | "in_progress");
        if !is_final {
            kind.trim_start_matches("response.").clone_into(&mut self.status);
        }
        if let Some(output) = body.take_output()? {
            self.items.output(output, &mut Sink { room: &mut self.room, events, marked })?;
        }
        Ok(Step::End)
    }

    /// Reads everything but the output. Later events override earlier ones.
    fn read_envelope(&mut self, body: &mut Body<'_>) -> Result<(), Failure> {
        body.incomplete().clone_into(&mut self.incomplete);
        for (kept, new) in [
            (&mut self.id, &body.id),
            (&mut self.model, &body.model),
            (&mut self.service_tier, &body.service_tier),
            (&mut self.status, &body.status),
        ] {
            if !new.0.is_empty() && *kept != new.0 {
                kept.clear();
                kept.push_str(&new.0);
            }
        }
        let usage = body.usage().filter(|usage| usage.source != UsageSource::Missing);
        self.usage = usage.or(self.usage);
        self.extra = body.take_extra();
        // An error makes the call fail even before the last event.
        match body.failure() {
            Some(failure) if self.status != "failed" => Err(failure),
            _ => Ok(()),
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
        self.seed.get_or_insert_with(|| fingerprint(data.as_bytes()));
        let data = data.trim();
        if data.is_empty() {
            return Ok(Step::Nothing);
        }
        // Not the end: only the last event has the whole response.
        if data == "[DONE]" {
            return Ok(Step::Nothing);
        }
        if name == Some("error") {
            return Err(failure(data));
        }
        let mut repaired = None;
        let (Object(mut event), marked) = wire::event::<Object<Event<'_>>>(data, &mut repaired)?;
        let kind = match &*event.kind.0 {
            "" => name.unwrap_or_default().to_owned(),
            kind => kind.to_owned(),
        };
        let before = (self.room.left(), events.len());
        let step = self.read(&kind, &mut event, (data, marked), events)?;
        let moves = (self.room.left(), events.len()) != before;
        self.wrote |= moves;
        Ok(if moves && step == Step::Known { Step::Progress } else { step })
    }

    /// Always false: only the last event has the finish reason.
    fn has_finished(&self) -> bool {
        false
    }

    fn is_no_answer(&self) -> bool {
        self.status.is_empty() && !self.wrote
    }

    fn end_marker(&self) -> &'static str {
        "response.completed"
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.closed = true;
        let sink = &mut Sink { room: &mut self.room, events, marked: false };
        self.items.close(self.seed.unwrap_or_default(), sink);
    }

    fn served(&self) -> (&str, Option<&str>) {
        (&self.model, Some(&self.service_tier))
    }

    /// Returns an estimate until the last event reports the usage.
    fn usage(&self, prompt_tokens: u64) -> Usage {
        let reported = self.usage.unwrap_or_default().without_false_zeros(self.wrote);
        reported.so_far(self.closed, &self.room.estimate(prompt_tokens))
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        let parts = self.items.parts(self.seed.unwrap_or_default());
        let (finish_reason, finish_reason_raw) = match self.closed {
            true => item::finish_reasons(&self.status, &self.incomplete, &parts),
            false => (crate::chat::FinishReason::Other, None),
        };
        let message = Message::new(Role::Assistant, parts);
        Decoded {
            usage: Usage { web_searches: item::web_searches(&message.content), ..usage },
            message,
            finish_reason,
            finish_reason_raw,
            model: self.model,
            service_tier: Some(self.service_tier).filter(|tier| !tier.is_empty()),
            id: Some(self.id).filter(|id| !id.is_empty()),
            extra: self.extra,
            logprobs: String::new(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

/// Returns the failure that an event reports. Its members are in the event itself
/// (`response_error_event.py`), in `error`, which OpenAI also sends (vercel/ai,
/// `openai-responses-api.ts`), or in the response.
fn failure(data: &str) -> Failure {
    let body = wire::detail(data.as_bytes()).unwrap_or_else(|| data.into());
    let error = [body.pointer("/response/error"), body.get("error")];
    match error.into_iter().flatten().find(|error| failed::is_error(error)) {
        Some(error) => Failure::inside(error),
        None => {
            let named = |name: &str| body.get(name).cloned().unwrap_or_default();
            let error = ["code", "message"].map(|name| (name.to_owned(), named(name)));
            Failure::inside(&Value::Object(error.into_iter().collect()))
        }
    }
}

#[cfg(test)]
mod tests;
