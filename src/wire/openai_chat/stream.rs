//! Decodes a streamed chat completion.

mod media;

use serde_json::Value;
use std::borrow::Cow;
use std::mem;

use super::answer::{Answer, block, reason, think_on, thought};
use super::calls::Calls;
use super::chunk::{self, Delta};
use super::outline::Outline;
use crate::chat::{FinishReason, Message, Part, Reasoning, Role, StreamEvent, Usage};
use crate::wire::call_id::fingerprint;
use crate::wire::format::Fold;
use crate::wire::json::bounded::Content;
use crate::wire::json::exact;
use crate::wire::json::halves::Halves;
use crate::wire::json::object::Object;
use crate::wire::json::string::Written;
use crate::wire::repeated_event::Template;
use crate::wire::stream::{SizeLimit, Step};
use crate::wire::{Decoded, Failure, MAX_PARTS};

/// Halves of characters at the end of the answer's texts.
#[derive(Debug, Default, Clone)]
struct HalvesOf {
    text: Halves,
    reasoning: Halves,
    refusal: Halves,
    transcript: Halves,
}

/// The shortest text, in bytes, for which a last delta with the same text counts as a repetition.
pub(in crate::wire) const LEAST_REPEATED: usize = 16;

/// The state of a streamed chat completion.
#[derive(Clone)]
pub(in crate::wire) struct Stream {
    outline: Outline,
    answer: Answer,
    calls: Calls,
    /// The fingerprint of the first event. Calls without an id get one made from it.
    seed: Option<u64>,
    closed: bool,
    /// True once an unmodelled member had text that is part of the answer.
    goes_on: bool,
    /// True once a piece came as a delta.
    has_deltas: bool,
    halves: HalvesOf,
    /// True if the texts of this chunk can have marks of halves.
    marked: bool,
    /// The previous event, if it was only text.
    template: Template,
    room: SizeLimit,
}

impl Stream {
    pub(in crate::wire) fn new(room: SizeLimit) -> Self {
        Self {
            outline: Outline::default(),
            answer: Answer::default(),
            calls: Calls::default(),
            seed: None,
            closed: false,
            goes_on: false,
            has_deltas: false,
            halves: HalvesOf::default(),
            marked: false,
            template: Template::default(),
            room,
        }
    }

    fn chunk(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let seed = *self.seed.get_or_insert_with(|| fingerprint(data.as_bytes()));
        let data = data.trim();
        let again = self.template.written_in(data).filter(|text| !text.is_empty());
        if let Some(text) = again.filter(|_| name != Some("error")) {
            self.outline.again();
            self.has_deltas = true;
            self.marked = false;
            self.write(text, events)?;
            return Ok(Step::Progress);
        }
        self.template.forget();
        let mut repaired = None;
        let read = self.outline.read(name, data, &mut repaired)?;
        self.marked = read.marked;
        let (step, finishes) = (read.step, read.finishes);
        let Some(mut choice) = read.choice else { return Ok(step) };
        let is_message = choice.is_message();
        let logprobs = choice.logprobs.take();
        let mut delta = choice.delta();
        // MiniMax ends a stream with the whole message (GCWing/OpenBitFun #792), others with a
        // delta that repeats everything (infiniflow/ragflow #15286).
        let repeats = finishes && self.is_repeated(&delta, is_message);
        if repeats || (is_message && self.has_deltas) {
            return Ok(step);
        }
        if let Some(text) = delta.only_text().filter(|_| read.alone) {
            self.template.keep(data, text, &read.obfuscation.0);
        }
        let mut goes_on = false;
        let mut images = Vec::new();
        if !delta.unknown.is_empty() {
            images = delta.unknown.take_images();
            goes_on = delta.unknown.says_something();
            self.answer.unknown.extend(mem::take(&mut delta.unknown), &mut self.room)?;
        }
        let before = self.room.left();
        self.goes_on |= goes_on;
        self.outline.keep_logprobs(logprobs, &mut self.room)?;
        self.delta(delta, data, seed, events)?;
        for image in images {
            if let Some(image) = self.new_image(image, events)? {
                SizeLimit::one_more(self.answer.images.len())?;
                self.answer.images.push(image);
            }
        }
        // Everything kept of the choice reduces the room.
        if self.room.left() == before && !goes_on {
            return Ok(step);
        }
        if !finishes {
            self.outline.resume();
        }
        self.has_deltas |= !is_message;
        Ok(Step::Progress)
    }

    /// Returns true if the last piece repeats the whole text. A short delta can also be a word that
    /// the model wrote twice.
    fn is_repeated(&self, delta: &Delta<'_>, is_message: bool) -> bool {
        let (Written::Text(text), [Part::Text(kept)]) = (&delta.content, &*self.answer.content)
        else {
            return false;
        };
        (is_message || text.len() >= LEAST_REPEATED) && *text == *kept.text
    }

    fn wrote(&self) -> bool {
        self.room.written() > 0
            || !self.answer.content.is_empty()
            || !self.answer.images.is_empty()
            || self.goes_on
    }

    /// Adds a chunk's delta, in the order of a message.
    fn delta(
        &mut self,
        delta: Delta<'_>,
        data: &str,
        seed: u64,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        match (delta.reasoning_content.0, delta.reasoning.0) {
            (text, _) if !text.is_empty() => {
                self.add_reasoning("reasoning_content", text, events)?;
            }
            (_, text) => self.add_reasoning("reasoning", text, events)?,
        }
        match delta.content {
            Written::Text(text) => self.write(text, events)?,
            Written::Value(None) => {}
            Written::Value(Some(content)) => self.blocks(*content, events)?,
        }
        self.refuse(delta.refusal.0, events)?;
        if let Some(Value::Array(found)) = delta.annotations.map(|found| found.value) {
            for annotation in found {
                SizeLimit::one_more(self.answer.annotations.len())?;
                self.room.keep_value(&annotation)?;
                self.answer.annotations.push(annotation);
            }
        }
        if let Some(audio) = delta.audio {
            self.add_speech(*audio, events)?;
        }
        if delta.tool_calls.exceeded {
            return Err(Failure::too_many_parts());
        }
        if !delta.tool_calls.items.is_empty() {
            self.calls.next_chunk(self.marked);
        }
        let mut tool_calls = delta.tool_calls;
        if tool_calls.items.iter().any(|call| call.0.has_values()) {
            let marked = exact::marked(data, Some("arguments"));
            if let Some(marked) = &marked {
                for Object(call) in chunk::calls(marked).unwrap_or_default().items {
                    self.calls.take(call, &mut self.room, events)?;
                }
                tool_calls.items.clear();
            }
        }
        for Object(call) in tool_calls.items {
            self.calls.take(call, &mut self.room, events)?;
        }
        match delta.function_call {
            Some(Object(call)) => self.calls.take_legacy(*call, seed, &mut self.room, events),
            None => Ok(()),
        }
    }

    fn add_reasoning(
        &mut self,
        field: &str,
        text: Cow<'_, str>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let text = self.halves.reasoning.join(text, self.marked);
        if text.is_empty() {
            return Ok(());
        }
        self.room.write(&text)?;
        let reasoning = self.answer.reasoning.get_or_insert_with(|| Reasoning {
            field: Some(field.to_owned()),
            ..thought(String::new())
        });
        reasoning.text.push_str(&text);
        events.push(StreamEvent::ReasoningDelta(text.into_owned()));
        Ok(())
    }

    fn write(&mut self, text: Cow<'_, str>, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let text = self.halves.text.join(text, self.marked);
        if text.is_empty() {
            return Ok(());
        }
        self.room.write(&text)?;
        match self.answer.content.as_mut_slice() {
            [.., Part::Text(last)] => last.text.push_str(&text),
            // Qwen-Omni alternates between its text and the speech for it.
            [.., Part::Text(last), Part::Audio(audio)] if audio.transcript.is_empty() => {
                last.text.push_str(&text);
            }
            _ => self.add(Part::text(&*text))?,
        }
        events.push(StreamEvent::TextDelta(text.into_owned()));
        Ok(())
    }

    fn refuse(&mut self, text: Cow<'_, str>, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let text = self.halves.refusal.join(text, self.marked);
        if text.is_empty() {
            return Ok(());
        }
        self.room.write(&text)?;
        self.answer.refusal.push_str(&text);
        events.push(StreamEvent::RefusalDelta(text.into_owned()));
        Ok(())
    }

    /// Adds content that is an array of parts, as from Mistral. A part that continues the previous
    /// one is joined to it.
    fn blocks(&mut self, content: Content, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let blocks = match content.value {
            Value::Array(blocks) if blocks.len() <= MAX_PARTS => blocks,
            Value::Array(_) => return Err(Failure::too_many_parts()),
            _ if content.exceeded => return Err(Failure::too_many_parts()),
            _ => return Ok(()),
        };
        for part in blocks.into_iter().filter_map(block) {
            match part {
                Part::Text(text) => self.write(text.text.into(), events)?,
                Part::Reasoning(piece) => self.think(piece, events)?,
                Part::Refusal(text) => {
                    let text = self.halves.refusal.join(text.into(), self.marked).into_owned();
                    if text.is_empty() {
                        continue;
                    }
                    self.room.write(&text)?;
                    match self.answer.content.last_mut() {
                        Some(Part::Refusal(last)) => last.push_str(&text),
                        _ => self.add(Part::Refusal(text.clone()))?,
                    }
                    events.push(StreamEvent::RefusalDelta(text));
                }
                Part::Image(image) => {
                    if let Some(image) = self.new_image(image, events)? {
                        self.add(Part::Image(image))?;
                    }
                }
                part => {
                    if let Part::Other { value, .. } = &part {
                        self.room.keep_value(value)?;
                    }
                    self.add(part)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a piece of a `thinking` part.
    fn think(
        &mut self,
        mut piece: Reasoning,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let text = mem::take(&mut piece.text);
        piece.text = self.halves.reasoning.join(text.into(), self.marked).into_owned();
        self.room.write(&piece.text)?;
        self.room.keep(piece.signature.as_ref().map_or(0, String::len))?;
        for (name, value) in &piece.extra {
            self.room.keep(name.len())?;
            self.room.keep_value(value)?;
        }
        if !piece.text.is_empty() {
            events.push(StreamEvent::ReasoningDelta(piece.text.clone()));
        } else if piece.signature.is_none() && piece.extra.is_empty() {
            return Ok(());
        }
        match self.answer.content.last_mut() {
            Some(Part::Reasoning(last)) => think_on(last, piece),
            _ => self.add(Part::Reasoning(piece))?,
        }
        Ok(())
    }

    fn add(&mut self, part: Part) -> Result<(), Failure> {
        SizeLimit::one_more(self.answer.content.len())?;
        if self.answer.content.is_empty() {
            // Most answers have one part, which is large.
            self.answer.content.reserve_exact(1);
        }
        self.answer.content.push(part);
        Ok(())
    }

    /// Adds replacements for halves whose other half never arrived. Without room they are left out.
    fn lose_halves(&mut self, events: &mut Vec<StreamEvent>) {
        self.marked = false;
        if let Some(lost) = self.halves.reasoning.end() {
            let own = self.answer.content.iter_mut().rev().find_map(|part| match part {
                Part::Reasoning(reasoning) => Some(reasoning),
                _ => None,
            });
            let is_beside = self.answer.reasoning.is_some();
            match own.filter(|_| !is_beside && self.room.write(lost).is_ok()) {
                Some(own) => {
                    own.text.push_str(lost);
                    events.push(StreamEvent::ReasoningDelta(lost.to_owned()));
                }
                None => {
                    let _ = self.add_reasoning("reasoning", lost.into(), events);
                }
            }
        }
        if let Some(lost) = self.halves.text.end() {
            let _ = self.write(lost.into(), events);
        }
        if let Some(lost) = self.halves.transcript.end() {
            let _ = self.add_transcript(lost, events);
        }
        if let Some(lost) = self.halves.refusal.end() {
            let _ = self.refuse(lost.into(), events);
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
        let step = self.chunk(name, data, events);
        self.outline.wrote(self.room.written());
        step
    }

    fn has_finished(&self) -> bool {
        self.outline.finished
    }

    fn is_no_answer(&self) -> bool {
        self.outline.finish_reason().is_none() && !self.wrote()
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.closed = true;
        self.outline.close();
        self.lose_halves(events);
        self.calls.close(self.seed.unwrap_or_default(), events);
    }

    fn served(&self) -> (&str, Option<&str>) {
        self.outline.served()
    }

    fn usage(&self, prompt_tokens: u64) -> Usage {
        self.outline.usage(&self.room, prompt_tokens, self.wrote())
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        let Self { outline, mut answer, calls, seed, closed, .. } = *self;
        answer.calls = calls.parts(seed.unwrap_or_default(), closed);
        let opaque = mem::take(&mut answer.unknown).streamed();
        let content = answer.parts();
        let finish_reason = match outline.finish_reason() {
            // The stream has not confirmed that the calls are complete.
            None if !closed => FinishReason::Other,
            raw => reason(raw, &content),
        };
        let message = Message { role: Role::Assistant, content, name: None, opaque };
        outline.decoded(message, finish_reason, usage)
    }

    fn end_marker(&self) -> &'static str {
        "[DONE]"
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
pub(super) mod tests;
