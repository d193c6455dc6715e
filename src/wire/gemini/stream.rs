//! Decodes a streamed answer: each event is a `GenerateContentResponse`, and there is no end
//! marker (ai.google.dev/api/generate-content, `streamGenerateContent`).

use serde_json::Value;
use std::borrow::Cow;

use super::beside::Beside;
use super::chunk::{self, Candidate, Chunk, Part};
use super::parts::Parts;
use super::usage;
use crate::chat::{FinishReason, Message, Role, StreamEvent, Usage};
use crate::error::ErrorKind;
use crate::wire::call_id::fingerprint;
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::Fold;
use crate::wire::json::array::Array;
use crate::wire::json::exact;
use crate::wire::json::object::Object;
use crate::wire::repeated_event::{Counts, Template};
use crate::wire::stream::{SizeLimit, Step, says_something};
use crate::wire::{Decoded, Failure, failed, json as wire};

/// A streamed answer, as far as it has arrived.
#[derive(Clone)]
pub(super) struct Stream {
    id: String,
    model: String,
    finish_reason: String,
    parts: Parts,
    /// The last reported usage, which is cumulative.
    usage: Value,
    /// The bytes written when the output was last counted.
    counted: Option<usize>,
    /// The most output tokens reported so far.
    most_output: Option<u64>,
    beside: Beside,
    /// True after a finish reason without any content after it.
    finished: bool,
    closed: bool,
    /// The fingerprint of the first event. Calls without an id get one made from it.
    seed: Option<u64>,
    /// The previous chunk, if it was only text.
    template: Template,
    repeated: Repeated,
    room: SizeLimit,
}

/// What chunks that match the template have in common.
#[derive(Debug, Default, Clone, Copy)]
struct Repeated {
    is_thought: bool,
    /// True if they count the output.
    counts_output: bool,
    /// True if `most_output` does not have the latest count yet.
    grew: bool,
}

impl Stream {
    pub(super) fn new(room: SizeLimit) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            finish_reason: String::new(),
            parts: Parts::default(),
            usage: Value::Null,
            counted: None,
            most_output: None,
            beside: Beside::default(),
            finished: false,
            closed: false,
            seed: None,
            template: Template::default(),
            repeated: Repeated::default(),
            room,
        }
    }

    /// Starts a whole answer with this body.
    pub(super) fn whole(body: &[u8]) -> Self {
        Self { seed: Some(fingerprint(body)), ..Self::new(SizeLimit::new(usize::MAX)) }
    }

    /// Adds a response or a chunk, parsed from `data`.
    pub(super) fn take(
        &mut self,
        chunk: Chunk<'_>,
        data: &str,
        marked: bool,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        if let Some(error) = chunk.error.filter(|error| failed::is_error(&error.value)) {
            return Err(Failure::inside(&error.value));
        }
        let seed = *self.seed.get_or_insert_with(|| fingerprint(data.as_bytes()));
        for (kept, said) in [(&mut self.id, chunk.id.0), (&mut self.model, chunk.model.0)] {
            if !said.is_empty() && *kept != said {
                self.room.keep(said.len())?;
                *kept = said.into_owned();
            }
        }
        let before = self.room.left();
        let mut moves = false;
        if let Some(feedback) = chunk.prompt_feedback.map(|feedback| feedback.value) {
            if let Some(failure) = blocked(&feedback).filter(|_| !self.wrote()) {
                return Err(failure);
            }
            self.beside.insert("promptFeedback", feedback);
        }
        self.beside.add(chunk.beside);
        if let Some(candidate) = chunk.candidates.chosen {
            moves |= self.candidate(*candidate, data, (seed, marked), events)?;
        }
        if let Some(usage) = chunk.usage.filter(|usage| usage.value.is_object()) {
            self.usage = usage.value;
            let counts = usage::read(&self.usage);
            let output = counts.known().1.then_some(counts.completion_tokens);
            if output.is_some() {
                self.counted = Some(self.room.written());
            }
            moves |= output > self.most_output;
            self.most_output = self.most_output.max(output);
        }
        let moves = moves || self.room.left() != before;
        Ok(if moves { Step::Progress } else { Step::Known })
    }

    /// Adds a chunk that differs from the previous one only in its text and counts.
    fn again(
        &mut self,
        text: Cow<'_, str>,
        counts: &Counts,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        self.parts.add_text(text, self.repeated.is_thought, &mut self.room, events)?;
        self.finished = false;
        if let Value::Object(usage) = &mut self.usage {
            for (name, count) in usage::GROWING.iter().zip(counts) {
                if let (Some(count), Some(known)) = (count, wire::member_mut(usage, name)) {
                    *known = (*count).into();
                }
            }
        }
        if self.repeated.counts_output {
            self.counted = Some(self.room.written());
            self.repeated.grew = true;
        }
        Ok(Step::Progress)
    }

    /// Forgets the previous chunk, and counts its output.
    fn forget(&mut self) {
        self.template.forget();
        if std::mem::take(&mut self.repeated.grew) {
            let counts = usage::read(&self.usage);
            self.most_output = self.most_output.max(Some(counts.completion_tokens));
        }
    }

    /// Adds a candidate, and returns true if it brings anything new: content, other members, or the
    /// first finish reason.
    fn candidate(
        &mut self,
        candidate: Candidate<'_>,
        data: &str,
        from: (u64, bool),
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Failure> {
        let reason = chunk::finish_word(candidate.finish_reason.0);
        if let Some(failure) = failed::ending(&reason, "") {
            return Err(failure);
        }
        let Object(said) = candidate.content;
        if said.parts.exceeded {
            return Err(Failure::too_many_parts());
        }
        let before = (self.room.left(), events.len());
        let marked = match said.parts.items.iter().any(|part| has_floats(&part.0)) {
            true => exact::marked(data, Some("args")),
            false => None,
        };
        match marked.as_deref().and_then(exact_parts) {
            Some(parts) => self.parts(parts, from, events)?,
            None => self.parts(said.parts, from, events)?,
        }
        let says =
            candidate.beside.0.as_ref().is_some_and(|beside| beside.values().any(says_something));
        let written = (self.room.left(), events.len()) != before;
        let beside = self.beside.add(candidate.beside) && says;
        let is_reason = !reason.is_empty() && reason != "FINISH_REASON_UNSPECIFIED";
        if is_reason {
            let is_first = self.finish_reason.is_empty();
            if self.finish_reason != reason {
                self.room.keep(reason.len())?;
                self.finish_reason = reason.into_owned();
            }
            self.finished = true;
            return Ok(is_first || written || beside);
        }
        self.finished &= !written;
        Ok(written || beside)
    }

    fn parts(
        &mut self,
        parts: Array<Object<Part<'_>>>,
        from: (u64, bool),
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        for Object(part) in parts.items {
            self.parts.take(part, from, &mut self.room, events)?;
        }
        Ok(())
    }

    /// Returns true if the model wrote anything.
    pub(super) fn wrote(&self) -> bool {
        self.room.written() > 0 || !self.parts.is_empty()
    }

    /// Returns the reported usage, without zeros that cannot be true.
    pub(super) fn reported(&self) -> Usage {
        let usage = usage::read(&self.usage).without_false_zeros(self.wrote());
        let grounding = self.beside.get("groundingMetadata");
        Usage { web_searches: usage::web_searches(grounding, &self.model), ..usage }
    }

    /// Returns the answer with this usage.
    pub(super) fn answer(mut self, usage: Usage) -> Decoded {
        let raw = Some(self.finish_reason).filter(|reason| !reason.is_empty());
        // An answer with calls ends with `STOP` too.
        let finish_reason = match finish_reason(raw.as_deref()) {
            FinishReason::Stop if self.parts.has_calls() => FinishReason::ToolCalls,
            reason => reason,
        };
        let service_tier = usage::tier(&self.usage).map(str::to_owned);
        let beside = usage::beside(self.usage);
        if !beside.is_empty() {
            self.beside.insert("usage", beside.into());
        }
        let logprobs = self.beside.take("logprobsResult");
        Decoded {
            logprobs: logprobs.map(|logprobs| logprobs.to_string()).unwrap_or_default(),
            message: Message::new(Role::Assistant, self.parts.into_parts()),
            finish_reason,
            finish_reason_raw: raw,
            usage,
            model: self.model,
            service_tier,
            id: Some(self.id).filter(|id| !id.is_empty()),
            extra: self.beside.into_members(),
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
        if data.is_empty() {
            return Ok(Step::Nothing);
        }
        // Some gateways end every stream as OpenAI does.
        if data == "[DONE]" {
            return Ok(Step::End);
        }
        let mut counts = Counts::default();
        let again = self.template.written_with_counts(data, &mut counts);
        if let Some(text) = again.filter(|text| !text.is_empty() && name != Some("error")) {
            return self.again(text, &counts, events);
        }
        self.forget();
        let mut repaired = None;
        let (Object(chunk), marked) = wire::event::<Object<Chunk<'_>>>(data, &mut repaired)?;
        let is_error = name == Some("error");
        if is_error || chunk.is_foreign() {
            let body = wire::detail(data.as_bytes()).unwrap_or_else(|| data.into());
            // An error can be in a list, as in a stream without `alt=sse`.
            let body = match body {
                Value::Array(items) => items.into_iter().next().unwrap_or_default(),
                body => body,
            };
            return match failed::report(&body) {
                Some(failure) => Err(failure),
                None if is_error => Err(Failure::inside(&body)),
                None => Ok(Step::Unknown),
            };
        }
        let only = chunk.only_text().filter(|_| !marked);
        let has_usage = chunk.usage.as_ref().is_some_and(|usage| usage.value.is_object());
        let step = self.take(chunk, data, marked, events)?;
        if let Some((text, is_thought)) = only {
            self.template.keep_with_counts(data, text, &usage::GROWING);
            let counts_output = has_usage && self.counted == Some(self.room.written());
            self.repeated = Repeated { is_thought, counts_output, grew: false };
        }
        Ok(step)
    }

    fn has_finished(&self) -> bool {
        self.finished
    }

    fn is_no_answer(&self) -> bool {
        self.finish_reason.is_empty() && !self.wrote()
    }

    fn end_marker(&self) -> &'static str {
        "a finishReason"
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.closed = true;
        self.parts.close(&mut self.room, events);
    }

    fn served(&self) -> (&str, Option<&str>) {
        (&self.model, usage::tier(&self.usage))
    }

    /// Returns the usage so far. The output count is final if the answer has ended and nothing was
    /// written after the count.
    fn usage(&self, prompt_tokens: u64) -> Usage {
        let ended = self.closed || self.finished;
        let is_final = ended && self.counted == Some(self.room.written());
        self.reported().so_far(is_final, &self.room.estimate(prompt_tokens))
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        self.answer(usage)
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

impl Chunk<'_> {
    /// Returns true if it has none of this format's members.
    pub(super) fn is_foreign(&self) -> bool {
        self.candidates.chosen.is_none()
            && self.prompt_feedback.is_none()
            && self.usage.is_none()
            && self.model.0.is_empty()
            && self.id.0.is_empty()
            && self.error.is_none()
    }
}

/// Returns the failure for a blocked prompt, whose answer has no candidates (`PromptFeedback`).
fn blocked(feedback: &Value) -> Option<Failure> {
    let reason = feedback.get("blockReason")?;
    let reason = reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
    if matches!(reason.as_str(), "" | "null" | "0" | "BLOCKED_REASON_UNSPECIFIED") {
        return None;
    }
    // Vertex AI adds an explanation.
    let message = match feedback.get("blockReasonMessage").and_then(Value::as_str) {
        Some(words) if !words.trim().is_empty() => {
            format!("the provider blocked the prompt ({reason}): {}", words.trim())
        }
        _ => format!("the provider blocked the prompt ({reason})"),
    };
    Some(Failure { kind: ErrorKind::ContentPolicy, code: Some(reason), message, wait: None })
}

/// Returns true for a call with numbers in its arguments that a JSON value may not hold exactly.
fn has_floats(part: &Part<'_>) -> bool {
    let arguments = part.function_call.as_ref().and_then(|call| call.value.get("args"));
    arguments.is_some_and(exact::has_float)
}

/// Parses the parts of the first candidate from data with [marked](exact) numbers.
fn exact_parts(marked: &str) -> Option<Array<Object<Part<'_>>>> {
    let Object(chunk): Object<Chunk<'_>> = serde_json::from_str(marked).ok()?;
    let Object(said) = chunk.candidates.chosen?.content;
    Some(said.parts)
}

#[cfg(test)]
mod tests;
