//! The metadata in a stream's chunks: id, model, tier, usage and end.

use serde_json::{Map, Value};
use std::mem;

use super::chunk::{Choice, Chunk};
use super::envelope::tier_in_usage;
use super::logprobs::Logprobs;
use super::usage;
use crate::chat::{FinishReason, Message, Usage, UsageSource};
use crate::wire::beside::Kept;
use crate::wire::json::bounded::Content;
use crate::wire::json::object::Object;
use crate::wire::json::string::LooseString;
use crate::wire::stream::{SizeLimit, Step};
use crate::wire::{Decoded, Failure, failed, json};

/// The end marker: "the stream terminated by a `data: [DONE]` message" (OpenAI's API
/// reference, `stream`).
const END: &str = "[DONE]";

/// The metadata in a stream's chunks, the same for chat and text completions. The last value wins;
/// Azure's first chunk has neither id nor model.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Outline {
    pub(super) id: String,
    model: String,
    service_tier: String,
    finish_reason: String,
    system_fingerprint: String,
    /// Other members around the choices.
    extra: Kept,
    /// Other members of the choice that is read.
    in_choice: Kept,
    in_usage: Kept,
    in_groq: Kept,
    logprobs: Logprobs,
    /// The usage reported so far; see [`Outline::usage`].
    reported: Option<Usage>,
    /// True if the last event reported the output tokens.
    reports: bool,
    /// How many bytes the model had written at the last report.
    counted: usize,
    /// True if that report came with the finish reason, after it, or with an error. The provider
    /// then adds nothing more.
    settled: bool,
    /// True after the end marker, or its substitute.
    ended: bool,
    /// True if there were other choices than the one that is read.
    others: bool,
    /// The highest reported output count.
    most_output: Option<u64>,
    /// True once a choice arrived.
    pub(in crate::wire) answered: bool,
    /// True after the finish reason of the choice that is read; only usage and the end marker can
    /// follow.
    pub(in crate::wire) finished: bool,
}

impl Outline {
    /// Reads an event. Almost valid JSON is repaired into `repaired`.
    ///
    /// # Errors
    ///
    /// If the event is not JSON or reports a failure: an `error` member in the chunk or the choice
    /// (OpenRouter), a body of vLLM's older releases (`"object": "error"`), or an event with the
    /// name `error` (Groq, recorded). It is classified like an error body.
    pub(in crate::wire) fn read<'a>(
        &mut self,
        name: Option<&str>,
        data: &'a str,
        repaired: &'a mut Option<String>,
    ) -> Result<Read<'a>, Failure> {
        self.reports = false;
        let data = data.trim();
        if data == END {
            return match self.answered {
                true => Ok(Step::End.into()),
                false => Err(Failure::protocol("the stream has no choices, so there is no answer")),
            };
        }
        if name == Some("error") {
            return Err(failure(data));
        }
        if data.is_empty() {
            return Ok(Step::Nothing.into());
        }
        let (Object(chunk), marked) = json::event::<Object<Chunk<'_>>>(data, repaired)?;
        let reported = self.report(&chunk);
        let has_grown = self.has_grown();
        if let Some(failure) = failure_in(&chunk, data) {
            self.settled |= self.reports;
            return Err(failure);
        }
        self.others |= chunk.choices.others;
        for (kept, said) in [
            (&mut self.id, &chunk.id),
            (&mut self.model, &chunk.model),
            (&mut self.service_tier, &chunk.service_tier),
        ] {
            keep(kept, said);
        }
        keep(&mut self.system_fingerprint, &chunk.system_fingerprint);
        if !chunk.beside.is_empty() {
            self.extra.replace(chunk.beside);
        }
        if let Some(report) = chunk.usage {
            self.in_usage.replace(report.0.beside);
        }
        if let Some(Object(groq)) = chunk.x_groq {
            if let Some(Object(report)) = groq.usage {
                self.in_usage.replace(report.beside);
            }
            self.in_groq.replace(groq.beside);
        }
        let listed = chunk.choices.listed;
        let Some(mut choice) = chunk.choices.first else {
            let finished = !self.finish_reason.is_empty() && !chunk.choices.others;
            self.settled |= self.reports && finished;
            if !listed && !reported {
                if let Some(failure) =
                    json::detail(data.as_bytes()).as_ref().and_then(failed::event)
                {
                    return Err(failure);
                }
            }
            return Ok(Read::from(match has_grown {
                // It may be the usage of other choices only.
                true if !chunk.choices.others => Step::Progress,
                _ if listed || reported => Step::Known,
                _ => Step::Unknown,
            }));
        };
        self.answered = true;
        // Joined members differ even if their chunks are identical.
        let has_pieces = choice.logprobs.is_some() || choice.beside.has_pieces();
        if !choice.beside.is_empty() {
            self.in_choice.replace(mem::take(&mut choice.beside));
        }
        if let Some(report) = choice.usage.take() {
            self.in_usage.replace(report.0.beside);
        }
        let finishes = !choice.finish_reason.0.is_empty();
        let ends = self.finish_reason.is_empty() && finishes;
        self.finished |= finishes;
        keep(&mut self.finish_reason, &choice.finish_reason);
        // Other choices can continue after the one that is read has finished.
        self.settled |= self.reports && !self.finish_reason.is_empty() && !self.others;
        let step = if ends || has_grown { Step::Progress } else { Step::Known };
        let alone = !reported && !finishes && !has_pieces;
        Ok(Read {
            step,
            alone,
            finishes,
            marked,
            obfuscation: chunk.obfuscation,
            choice: Some(choice),
        })
    }

    /// Like [`read`](Self::read), for a chunk that differs from the previous one only in its piece
    /// of the choice that is read.
    pub(in crate::wire) fn again(&mut self) {
        self.finished = false;
        self.reports = false;
    }

    /// Records how much the model has written by the end of an event.
    pub(in crate::wire) fn wrote(&mut self, bytes: usize) {
        if self.reports {
            self.counted = bytes;
        }
    }

    /// Keeps the log probabilities of a chunk. Returns true if there were any.
    pub(in crate::wire) fn keep_logprobs(
        &mut self,
        logprobs: Option<Box<Content>>,
        room: &mut SizeLimit,
    ) -> Result<bool, Failure> {
        let before = room.left();
        logprobs.map_or(Ok(()), |logprobs| self.logprobs.add(*logprobs, room))?;
        Ok(room.left() != before)
    }

    /// Continues an answer that seemed to have finished.
    pub(in crate::wire) fn resume(&mut self) {
        self.finished = false;
    }

    /// Ends the stream, by its end marker or a substitute.
    pub(in crate::wire) fn close(&mut self) {
        self.ended = true;
    }

    /// Returns the usage so far.
    ///
    /// A report is only final if nothing was written after it and the stream ended, or if it came
    /// with or after the finish reason. vLLM (`continuous_usage_stats`) and Perplexity report with
    /// every chunk, for everything so far. `wrote` is true if the answer has any content.
    pub(in crate::wire) fn usage(
        &self,
        room: &SizeLimit,
        prompt_tokens: u64,
        wrote: bool,
    ) -> Usage {
        let estimate = room.estimate(prompt_tokens);
        let usage = self.reported.unwrap_or_default().without_false_zeros(wrote);
        let covers_all = self.counted == room.written();
        let is_final = covers_all && (self.ended || self.settled);
        let (_, counts_output) = usage.known();
        // A count of everything received is better than an estimate.
        if covers_all && counts_output && !is_final {
            return usage.unfinished();
        }
        usage.so_far(is_final, &estimate)
    }

    /// Returns the finish reason, if any chunk had one.
    pub(in crate::wire) fn finish_reason(&self) -> Option<&str> {
        Some(self.finish_reason.as_str()).filter(|raw| !raw.is_empty())
    }

    /// Returns the model and the service tier; empty if unknown.
    pub(in crate::wire) fn served(&self) -> (&str, Option<&str>) {
        (&self.model, Some(&self.service_tier))
    }

    /// Returns the answer that consists of `message` and this metadata.
    pub(in crate::wire) fn decoded(
        self,
        message: Message,
        finish_reason: FinishReason,
        usage: Usage,
    ) -> Decoded {
        let mut extra = Map::new();
        self.extra.into_members().add_to(&mut extra);
        self.in_choice.into_members().add_to(&mut extra);
        self.in_usage.into_members().nest_in("usage", &mut extra);
        self.in_groq.into_members().nest_in("x_groq", &mut extra);
        if !self.system_fingerprint.is_empty() {
            extra.insert("system_fingerprint".to_owned(), self.system_fingerprint.into());
        }
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        Decoded {
            message,
            finish_reason,
            finish_reason_raw: known(self.finish_reason),
            usage,
            model: self.model,
            service_tier: known(self.service_tier).or_else(|| tier_in_usage(&extra)),
            id: known(self.id),
            extra,
            logprobs: self.logprobs.into_json(),
        }
    }

    /// Keeps the usage of a chunk; returns true if it has one. Missing and zero counts do not
    /// replace earlier ones: MiniMax reports zeros with most chunks (MiniMax-AI/MiniMax-M2.5 #2).
    fn report(&mut self, chunk: &Chunk<'_>) -> bool {
        let groq = chunk.x_groq.as_ref().and_then(|Object(groq)| groq.usage.as_ref());
        let choice = chunk.choices.first.as_ref().and_then(|choice| choice.usage.as_ref());
        let places = choice.into_iter().chain(groq).chain(&chunk.usage);
        let usages = places.map(|Object(report)| usage::read(report));
        let reported = usages.filter(|usage| usage.source != UsageSource::Missing);
        let Some(usage) = reported.reduce(usage::merged) else { return false };
        let (_, output) = usage.known();
        let before = self.reported;
        let counted = before.map_or(0, |before| before.completion_tokens);
        self.reports = output && usage.completion_tokens >= counted.min(1);
        self.settled &= !self.reports;
        self.reported = Some(before.map_or(usage, |before| usage::merged(before, usage)));
        true
    }

    /// Returns true if usage was reported for the first time, or with more output than ever before.
    fn has_grown(&mut self) -> bool {
        let output = self.reported.as_ref().map(|usage| usage.completion_tokens);
        let has_grown = output > self.most_output;
        self.most_output = self.most_output.max(output);
        has_grown
    }
}

/// An event after reading.
pub(in crate::wire) struct Read<'a> {
    /// What it contributed besides the piece of the choice.
    pub(in crate::wire) step: Step,
    /// Its piece of the choice that is read.
    pub(in crate::wire) choice: Option<Choice<'a>>,
    /// True if it has nothing but that piece.
    pub(super) alone: bool,
    /// True if its texts can have marks of [halves](crate::wire::json::halves).
    pub(in crate::wire) marked: bool,
    /// True if it has a finish reason.
    pub(in crate::wire) finishes: bool,
    pub(super) obfuscation: LooseString<'a>,
}

impl From<Step> for Read<'_> {
    fn from(step: Step) -> Self {
        Self {
            step,
            choice: None,
            alone: false,
            finishes: false,
            marked: false,
            obfuscation: LooseString::default(),
        }
    }
}

fn keep(kept: &mut String, said: &LooseString<'_>) {
    if !said.0.is_empty() && *kept != said.0 {
        kept.clear();
        kept.push_str(&said.0);
    }
}

/// Returns the failure that a chunk reports, in any of the forms that
/// [`Envelope::read`](super::Envelope::read) knows, or as an error body.
fn failure_in(chunk: &Chunk<'_>, data: &str) -> Option<Failure> {
    let choice = chunk.choices.first.as_ref();
    let error = chunk.error.as_ref().map(|error| &error.value);
    if error.is_some_and(failed::is_error) {
        return Some(failure(data));
    }
    let groq = chunk.x_groq.as_ref().and_then(|groq| groq.0.error.as_ref());
    let inner = groq.or_else(|| choice?.error.as_ref());
    if let Some(error) = inner.filter(|error| failed::is_error(&error.value)) {
        return Some(Failure::inside(&error.value));
    }
    if let Some(failure) = chunk.base_resp.as_ref().and_then(|it| failed::base_resp(&it.value)) {
        return Some(failure);
    }
    match choice {
        Some(choice) => failed::ending(&choice.finish_reason.0, &choice.native.0),
        // `{"error": {}}` says nothing more.
        None if chunk.choices.listed => None,
        None => match error {
            None | Some(Value::Null | Value::Bool(false)) if chunk.object.0 != "error" => None,
            _ => Some(failure(data)),
        },
    }
}

/// Returns the failure that an event's data reports.
fn failure(data: &str) -> Failure {
    let body = json::detail(data.as_bytes()).unwrap_or_else(|| data.into());
    let error = body.get("error").filter(|error| !error.is_null());
    Failure::inside(error.unwrap_or(&body))
}
