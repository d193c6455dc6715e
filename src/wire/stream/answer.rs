//! The answer that a stream's events have built so far.

use std::mem;

use super::{SizeLimit, Step};
use crate::chat::{Part, Provider, StreamEvent};
use crate::error::ErrorKind;
use crate::wire::format::Fold;
use crate::wire::framing::{Frame, Frames, Rest};
use crate::wire::other_form::{self, Form};
use crate::wire::part_list::tell_call;
use crate::wire::{Decoded, Failure, Wire, failed};

/// The answer that a stream's events build up.
pub(super) struct Answer {
    pub(super) wire: Wire,
    /// The provider that sends it.
    pub(super) provider: Provider,
    pub(super) prompt_tokens: u64,
    pub(super) fold: Box<dyn Fold>,
    /// The complete answer, after the end.
    pub(super) whole: Option<Decoded>,
    /// True once an event of the format arrived.
    pub(super) known: bool,
    /// The number of events of unknown kinds.
    pub(super) unknown_events: u64,
    /// True once any event arrived.
    pub(super) begun: bool,
}

impl Answer {
    pub(super) fn event(
        &mut self,
        frame: Frame<'_>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Failure> {
        self.begun = true;
        if self.whole.is_some() {
            return Ok(false);
        }
        let before = events.len();
        let step = self.fold.event(frame.name, frame.data, events)?;
        if step == Step::End {
            if self.fold.is_no_answer() {
                return Err(Failure::protocol(failed::NO_ANSWER));
            }
            self.close(events);
        } else {
            self.label(&mut events[before..]);
        }
        let progress = matches!(step, Step::Progress | Step::End);
        self.known |= progress || step == Step::Known;
        self.unknown_events += u64::from(step == Step::Unknown);
        Ok(progress)
    }

    /// Ends a complete answer.
    pub(super) fn close(&mut self, events: &mut Vec<StreamEvent>) {
        let before = events.len();
        self.fold.close(events);
        self.label(&mut events[before..]);
        let empty = (self.wire.format().fold)(SizeLimit::new(0));
        let mut decoded = mem::replace(&mut self.fold, empty).decoded(self.prompt_tokens);
        decoded.message.set_sender(&self.provider);
        self.conclude(decoded, events);
    }

    /// Records the provider in the calls and images of these events.
    pub(super) fn label(&self, events: &mut [StreamEvent]) {
        for event in events {
            match event {
                StreamEvent::ToolCallComplete { call, .. } => call.set_sender(&self.provider),
                StreamEvent::Image(image) => {
                    if let Some(opaque) = &mut image.opaque {
                        opaque.provenance.set_sender(&self.provider);
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns the received part of an incomplete answer.
    pub(super) fn partial(&self) -> Decoded {
        let mut decoded = self.fold.boxed_clone().decoded(self.prompt_tokens);
        decoded.message.set_sender(&self.provider);
        decoded
    }

    pub(super) fn conclude(&mut self, decoded: Decoded, events: &mut Vec<StreamEvent>) {
        events.push(StreamEvent::Usage(decoded.usage.into()));
        events.push(StreamEvent::Finished(decoded.finish_reason));
        self.whole = Some(decoded);
    }

    /// Ends a stream without its end marker.
    pub(super) fn finish(
        &mut self,
        frames: Frames,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let unknown_events = self.unknown_events;
        let rest = frames.finish()?;
        let mut breaks_off = !matches!(rest, Rest::Nothing);
        if !self.begun && !breaks_off {
            return Err(Failure::protocol("the stream ended without a single event"));
        }
        let last = match &rest {
            Rest::Frame { name, data } if !data.trim().is_empty() => Some((name, data)),
            _ => None,
        };
        if let Some((name, data)) = last {
            match self.event(Frame { name: name.as_deref(), data }, events) {
                // The stream was truncated; its last event is not malformed.
                Err(failure) if failure.kind == ErrorKind::Protocol => {}
                read => {
                    read?;
                    breaks_off = false;
                }
            }
        }
        if self.whole.is_some() {
            return Ok(());
        }
        if self.fold.has_finished() && !breaks_off {
            self.close(events);
            return Ok(());
        }
        if !self.known && unknown_events > 0 {
            return Err(Failure::protocol(format!(
                "none of the stream's {unknown_events} events has the provider's format; check that the \
                 provider matches the base URL"
            )));
        }
        Err(Failure {
            kind: ErrorKind::Truncated,
            code: None,
            message: format!("the stream ended before its end marker, {}", self.fold.end_marker()),
            wait: None,
        })
    }

    /// Reads a body that is not an event stream as a non-streaming answer.
    pub(super) fn read(
        &mut self,
        body: &[u8],
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        // Reading it as an event stream after all would lead back to here.
        let body = match other_form::form(body) {
            Form::Json(body) => body,
            Form::Events => body,
        };
        let mut decoded = self.wire.decode_json(body.into(), &self.provider)?;
        let mut size_limit = SizeLimit::new(usize::MAX);
        let mut calls = 0;
        for part in &decoded.message.content {
            tell(part, &mut calls, &mut size_limit, events)?;
        }
        let estimate = size_limit.estimate(self.prompt_tokens);
        decoded.usage = decoded.usage.so_far(true, &estimate);
        self.conclude(decoded, events);
        Ok(())
    }
}

/// Appends the events of a complete part.
fn tell(
    part: &Part,
    calls: &mut usize,
    size_limit: &mut SizeLimit,
    events: &mut Vec<StreamEvent>,
) -> Result<(), Failure> {
    let (text, event): (_, fn(String) -> StreamEvent) = match part {
        Part::Text(text) => (&text.text, StreamEvent::TextDelta),
        Part::Reasoning(reasoning) => (&reasoning.text, StreamEvent::ReasoningDelta),
        Part::Refusal(text) => (text, StreamEvent::RefusalDelta),
        Part::Image(image) => {
            events.push(StreamEvent::Image(image.clone().into()));
            return Ok(());
        }
        Part::Audio(audio) => {
            if !audio.data.is_empty() {
                events.push(StreamEvent::AudioDelta(audio.data.clone()));
            }
            (&audio.transcript, StreamEvent::TextDelta)
        }
        Part::ToolCall(call) => {
            *calls += 1;
            return tell_call(*calls - 1, call, size_limit, events);
        }
        _ => return Ok(()),
    };
    size_limit.write(text)?;
    if !text.is_empty() {
        events.push(event(text.clone()));
    }
    Ok(())
}
