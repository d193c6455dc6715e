use serde_json::Value;

use super::chunk::{Choice, Chunk};
use super::usage;
use crate::chat::{Usage, UsageSource};
use crate::wire::json::object::Object;
use crate::wire::json::word::Word;
use crate::wire::stream::Step;
use crate::wire::{Failure, json};

/// The end marker: "the stream terminated by a `data: [DONE]` message" (OpenAI's API
/// reference, `stream`).
const END: &str = "[DONE]";

/// What the chunks of a stream say beside the answer, the same for chat and text
/// completions. The last to say something holds; Azure's first chunk names neither
/// id nor model.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Outline {
    pub(in crate::wire) id: String,
    pub(in crate::wire) model: String,
    pub(in crate::wire) service_tier: String,
    pub(in crate::wire) finish_reason: String,
    /// The last that was reported. vLLM reports it with every chunk, for all that
    /// came so far (`continuous_usage_stats`).
    pub(in crate::wire) usage: Option<Usage>,
    /// The most tokens of output that were reported.
    most_output: Option<u64>,
    /// Whether a choice came.
    pub(in crate::wire) answered: bool,
    /// Whether the last chunk was one that nothing follows but the end marker.
    pub(in crate::wire) last: bool,
}

impl Outline {
    /// Reads an event. `repaired` is where nearly JSON is kept once it is made JSON.
    ///
    /// # Errors
    ///
    /// What is not JSON, and what says that the provider failed: an `error` member,
    /// in the chunk or in the choice (OpenRouter), a body as vLLM's older releases
    /// send it (`"object": "error"`), and anything under the name `error` (Groq,
    /// recorded). It is classed as it would be in a body.
    pub(in crate::wire) fn read<'a>(
        &mut self,
        name: Option<&str>,
        data: &'a str,
        repaired: &'a mut Option<String>,
    ) -> Result<Read<'a>, Failure> {
        let data = data.trim();
        if data == END {
            return match self.answered {
                true => Ok(Step::End.into()),
                false => Err(Failure::protocol(
                    "the stream holds no choices, so there is no answer in it",
                )),
            };
        }
        if name == Some("error") {
            return Err(failure(data));
        }
        if data.is_empty() {
            return Ok(Step::Nothing.into());
        }
        let Object(chunk) = json::event::<Object<Chunk<'_>>>(data, repaired)?;
        let reported = self.usage(&chunk);
        let has_grown = self.has_grown();
        if is_failure(&chunk) {
            return Err(failure(data));
        }
        for (kept, said) in [
            (&mut self.id, &chunk.id),
            (&mut self.model, &chunk.model),
            (&mut self.service_tier, &chunk.service_tier),
        ] {
            keep(kept, said);
        }
        let listed = chunk.choices.listed;
        let Some(choice) = chunk.choices.first else {
            self.last &= !listed && !reported;
            return Ok(Read::from(match has_grown {
                // It may be the usage of the other choices alone.
                true if !chunk.choices.others => Step::Progress,
                _ if listed || reported => Step::Known,
                _ => Step::Unknown,
            }));
        };
        if let Some(error) = choice.error.as_ref().filter(|error| error.value.is_object()) {
            return Err(Failure::inside(&error.value));
        }
        self.answered = true;
        self.last = reported && !choice.finish_reason.0.is_empty();
        let ends = self.finish_reason.is_empty() && !choice.finish_reason.0.is_empty();
        keep(&mut self.finish_reason, &choice.finish_reason);
        let step = if ends || has_grown { Step::Progress } else { Step::Known };
        let alone = !reported && choice.finish_reason.0.is_empty();
        Ok(Read { step, alone, obfuscation: chunk.obfuscation, choice: Some(choice) })
    }

    /// As [`read`](Self::read) does for a chunk with nothing but a piece of the choice that
    /// is followed, where one before it was the same but for that.
    pub(in crate::wire) fn again(&mut self) {
        self.last = false;
    }

    /// Keeps the usage that a chunk reports, and returns whether it does. One that lacks a
    /// count does not replace a whole one.
    fn usage(&mut self, chunk: &Chunk<'_>) -> bool {
        let groq = chunk.x_groq.as_ref().map(|groq| &groq.0.usage);
        let own = chunk.usage.as_deref();
        let read = own.into_iter().chain(groq).map(usage::read);
        let usage = read
            .filter(|usage| usage.source != UsageSource::Missing)
            .reduce(|one, other| if is_whole(&one) { one } else { other });
        let has_better = || self.usage.as_ref().is_some_and(is_whole);
        let reported = usage.is_some();
        if let Some(usage) = usage.filter(|usage| is_whole(usage) || !has_better()) {
            self.usage = Some(usage);
        }
        reported
    }

    /// Whether a usage was reported for the first time, or of more output than ever before.
    fn has_grown(&mut self) -> bool {
        let output = self.usage.as_ref().map(|usage| usage.completion_tokens);
        let has_grown = output > self.most_output;
        self.most_output = self.most_output.max(output);
        has_grown
    }
}

/// An event, as it is read.
pub(in crate::wire) struct Read<'a> {
    /// What it was to the answer beside the piece of the choice.
    pub(in crate::wire) step: Step,
    /// Its piece of the choice that is followed.
    pub(in crate::wire) choice: Option<Choice<'a>>,
    /// Whether there was nothing to it but that piece.
    pub(super) alone: bool,
    pub(super) obfuscation: Word<'a>,
}

impl From<Step> for Read<'_> {
    fn from(step: Step) -> Self {
        Self { step, choice: None, alone: false, obfuscation: Word::default() }
    }
}

fn is_whole(usage: &Usage) -> bool {
    usage.source == UsageSource::Reported
}

fn keep(kept: &mut String, said: &Word<'_>) {
    if !said.0.is_empty() && *kept != said.0 {
        kept.clear();
        kept.push_str(&said.0);
    }
}

/// Whether a chunk is an error. Beside choices some servers have an empty one.
fn is_failure(chunk: &Chunk<'_>) -> bool {
    match chunk.error.as_ref().map(|error| &error.value) {
        None | Some(Value::Null | Value::Bool(false)) => {
            chunk.object.0 == "error" && !chunk.choices.listed
        }
        Some(Value::Object(error)) => !error.is_empty() || !chunk.choices.listed,
        Some(Value::String(error)) => !error.is_empty() || !chunk.choices.listed,
        Some(_) => !chunk.choices.listed,
    }
}

/// The failure that an event's data tells of.
fn failure(data: &str) -> Failure {
    let body = json::detail(data.as_bytes()).unwrap_or_else(|| data.into());
    let error = body.get("error").filter(|error| !error.is_null());
    Failure::inside(error.unwrap_or(&body))
}
