//! Decodes a streamed answer: each line is a `ChatResponse`, and the last one has `"done": true`
//! (docs/api.md, "Generate a chat completion").

use serde_json::{Map, json};

use super::chunk::{Chunk, Said};
use super::parts::Parts;
use super::spread::{Line, Spread};
use crate::chat::{FinishReason, Message, Role, StreamEvent, Usage, UsageSource};
use crate::wire::beside::Kept;
use crate::wire::call_id::fingerprint;
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::Fold;
use crate::wire::json::bounded::Content;
use crate::wire::json::exact;
use crate::wire::json::object::Object;
use crate::wire::openai_chat::Logprobs;
use crate::wire::repeated_event::Template;
use crate::wire::stream::{SizeLimit, Step};
use crate::wire::{Decoded, Failure, failed, json as wire};

/// A streamed answer, as far as it has arrived.
#[derive(Clone)]
pub(super) struct Stream {
    model: String,
    finish_reason: String,
    parts: Parts,
    prompt_tokens: Option<u64>,
    output_tokens: Option<u64>,
    /// The bytes written when the output was last counted.
    counted: Option<usize>,
    logprobs: Logprobs,
    beside: Kept,
    /// The lines of an object that is not complete yet.
    spread: Spread,
    /// The previous line, if it was only text, and whether that was a thought.
    template: Template,
    is_thought: bool,
    done: bool,
    /// The fingerprint of the first line. Calls without an id get one made from it.
    seed: Option<u64>,
    room: SizeLimit,
}

impl Stream {
    pub(super) fn new(room: SizeLimit) -> Self {
        Self {
            model: String::new(),
            finish_reason: String::new(),
            parts: Parts::default(),
            prompt_tokens: None,
            output_tokens: None,
            counted: None,
            logprobs: Logprobs::default(),
            beside: Kept::default(),
            spread: Spread::default(),
            template: Template::default(),
            is_thought: false,
            done: false,
            seed: None,
            room,
        }
    }

    /// Starts a whole answer with this body.
    pub(super) fn whole(body: &[u8]) -> Self {
        Self { seed: Some(fingerprint(body)), ..Self::new(SizeLimit::new(usize::MAX)) }
    }

    /// Adds a response or a line, parsed from `data`.
    pub(super) fn take(
        &mut self,
        mut chunk: Chunk<'_>,
        data: &str,
        marked: bool,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        if let Some(error) = chunk.error.take().filter(|error| failed::is_error(&error.value)) {
            return Err(Failure::inside(&error.value));
        }
        let reason = std::mem::take(&mut chunk.done_reason.0);
        if let Some(failure) = failed::ending(&reason, "") {
            return Err(failure);
        }
        let seed = *self.seed.get_or_insert_with(|| fingerprint(data.as_bytes()));
        if !chunk.model.0.is_empty() && self.model != chunk.model.0 {
            self.room.keep(chunk.model.0.len())?;
            chunk.model.0.as_ref().clone_into(&mut self.model);
        }
        let before = (self.room.left(), events.len());
        let mut said = chunk.said();
        if said.calls.items.iter().any(|call| exact::has_float(&call.value)) {
            if let Some(calls) = exact::marked(data, Some("arguments")).as_deref().and_then(calls) {
                said.calls = calls;
            }
        }
        self.parts.take(said, (seed, marked), &mut self.room, events)?;
        if let Some(logprobs) = chunk.logprobs.take() {
            let Content { value, exceeded } = *logprobs;
            let value = json!({ "content": value });
            self.logprobs.add(Content { value, exceeded }, &mut self.room)?;
        }
        let moves = (self.room.left(), events.len()) != before;
        self.beside.replace(chunk.beside);
        let counts = [
            (&mut self.prompt_tokens, chunk.prompt_tokens.count()),
            (&mut self.output_tokens, chunk.output_tokens.count()),
        ];
        for (known, count) in counts {
            *known = count.or(*known);
        }
        if chunk.output_tokens.count().is_some() {
            self.counted = Some(self.room.written());
        }
        if !chunk.done.is_yes() {
            return Ok(if moves { Step::Progress } else { Step::Known });
        }
        self.room.keep(reason.len())?;
        self.finish_reason = reason.into_owned();
        self.done = true;
        Ok(Step::End)
    }

    /// Returns true if the model wrote anything.
    fn wrote(&self) -> bool {
        self.room.written() > 0 || !self.parts.is_empty()
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Returns the reported usage. Counts of zero are omitted (`omitempty` of `Metrics` in
    /// `api/types.go`), and so is the prompt's count if all of the prompt was cached
    /// (ollama/ollama #2068).
    pub(super) fn reported(&self) -> Usage {
        let wrote_nothing = self.done && self.prompt_tokens.is_some() && !self.wrote();
        let output = self.output_tokens.or(wrote_nothing.then_some(0));
        if (self.prompt_tokens, output) == (None, None) {
            return Usage::default();
        }
        let usage = Usage::reported(self.prompt_tokens.unwrap_or(0), output.unwrap_or(0));
        let source = UsageSource::of(self.prompt_tokens.is_some(), output.is_some());
        Usage { source, ..usage }.without_false_zeros(self.wrote())
    }

    /// Returns the answer with this usage.
    pub(super) fn answer(self, usage: Usage) -> Decoded {
        let raw = Some(self.finish_reason).filter(|reason| !reason.is_empty());
        // An answer with calls ends with `stop` too.
        let finish_reason = match finish_reason(raw.as_deref()) {
            FinishReason::Stop if self.parts.has_calls() => FinishReason::ToolCalls,
            reason => reason,
        };
        let mut extra = Map::new();
        self.beside.into_members().add_to(&mut extra);
        Decoded {
            logprobs: self.logprobs.into_json(),
            message: Message::new(Role::Assistant, self.parts.into_parts()),
            finish_reason,
            finish_reason_raw: raw,
            usage,
            model: self.model,
            service_tier: None,
            id: None,
            extra,
        }
    }

    /// Reads data that has none of the format's members.
    fn foreign(data: &str, is_error: bool, is_openai: bool) -> Result<Step, Failure> {
        let body = wire::detail(data.as_bytes()).unwrap_or_else(|| data.into());
        match failed::report(&body) {
            Some(failure) => Err(failure),
            None if is_error => Err(Failure::inside(&body)),
            None if is_openai => Err(openai()),
            None => Ok(Step::Unknown),
        }
    }
}

/// Returns the failure for an answer in OpenAI's format.
pub(super) fn openai() -> Failure {
    Failure::protocol(
        "the server answers in OpenAI's format, not in Ollama's; use the provider \"ollama-openai\", \
         or a profile with the format openai_chat",
    )
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
            return Ok(if self.done { Step::End } else { Step::Nothing });
        }
        let joined;
        let data = match self.spread.add(data, &mut self.room)? {
            Line::Part => return Ok(Step::Nothing),
            Line::Whole(data) => data,
            Line::Joined(text) => {
                joined = text;
                &joined
            }
        };
        let again = self.template.written_in(data).filter(|text| !text.is_empty());
        if let Some(text) = again.filter(|_| name != Some("error")) {
            self.parts.add_text(text, self.is_thought, &mut self.room, events)?;
            return Ok(Step::Progress);
        }
        self.template.forget();
        let mut repaired = None;
        let (Object(chunk), marked) = wire::event::<Object<Chunk<'_>>>(data, &mut repaired)?;
        let is_error = name == Some("error");
        if is_error || chunk.is_foreign() {
            return Self::foreign(data, is_error, chunk.choices.is_some());
        }
        if let Some((text, is_thought)) = chunk.only_text().filter(|_| !marked) {
            self.template.keep(data, text, &chunk.created_at.0);
            self.is_thought = is_thought;
        }
        self.take(chunk, data, marked, events)
    }

    fn has_finished(&self) -> bool {
        self.done
    }

    fn is_no_answer(&self) -> bool {
        self.finish_reason.is_empty() && !self.wrote()
    }

    fn end_marker(&self) -> &'static str {
        "\"done\": true"
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        self.parts.close(&mut self.room, events);
    }

    fn served(&self) -> (&str, Option<&str>) {
        (&self.model, None)
    }

    /// Returns the usage so far. The output count is final if the answer has ended and nothing was
    /// written after the count.
    fn usage(&self, prompt_tokens: u64) -> Usage {
        let is_final =
            self.done && self.counted.is_none_or(|counted| counted == self.room.written());
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

/// Parses the calls from data with [marked](exact) numbers.
fn calls(marked: &str) -> Option<crate::wire::json::array::Array<Content>> {
    let Object(mut chunk): Object<Chunk<'_>> = serde_json::from_str(marked).ok()?;
    let Said { calls, .. } = chunk.said();
    Some(calls)
}

#[cfg(test)]
mod tests;
