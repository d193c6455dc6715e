//! The numbers of the calls in some period: counts, times, tokens and costs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::call::{CallEnd, Ending};
use crate::chat::Usage;
use crate::error::{Decision, ErrorKind, GiveUp, Phase, Wait};
use crate::histogram::Histogram;
use crate::money::Money;

/// The numbers of the calls that ended in some time.
///
/// `calls` = `answered` + `failed` + `cancelled` + `refused`, and the calls in `errors`
/// are all but the answered ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that ended, however.
    pub calls: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that the caller cancelled.
    pub cancelled: u64,
    /// Those that a budget refused, unsent.
    pub refused: u64,
    /// Those that asked for a stream.
    pub streamed: u64,
    /// The calls that were not answered, by what went wrong in the end.
    pub errors: BTreeMap<ErrorKind, ErrorStats>,
    /// Attempts, over all calls.
    pub attempts: u64,
    /// Attempts whose request was sent twice, since the connection turned out to be dead
    /// ([`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale)).
    pub resent: u64,
    /// Attempts beyond the first of their call, by what the one before had failed with.
    pub retries: BTreeMap<ErrorKind, u64>,
    /// The waits before these, by where their lengths came from.
    pub waits: BTreeMap<Wait, u64>,
    /// Why calls were given up after their last attempt.
    pub given_up: BTreeMap<GiveUp, u64>,
    /// From the call to its end, of the answered ones, waiting and retries included.
    pub latency: Histogram,
    /// From the call to the first token, of streams.
    pub time_to_first_token: Histogram,
    /// Between a piece of a stream's output and the next.
    pub time_between_tokens: Histogram,
    /// Output tokens a second, of answered calls whose usage the provider reported: all
    /// of them, by the time from the beginning of the attempt that was answered to the
    /// end of the call. The wait for the first token is part of that.
    pub output_rate: Histogram<f64>,
    /// Tokens used, failed calls included where they are known.
    pub tokens: Tokens,
    /// Input tokens of a call, over the answered ones.
    pub input_tokens: Histogram<u64>,
    /// Output tokens of a call, over the answered ones.
    pub output_tokens: Histogram<u64>,
    /// What the calls cost, those included that failed and are billed.
    pub cost: Money,
    /// What a call cost, over those of known price.
    pub costs: Histogram<Money>,
    /// Answered calls of no known price.
    pub unpriced: u64,
}

/// The calls that ended with one kind of error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ErrorStats {
    /// How many.
    pub calls: u64,
    /// Those of them that failed at a known stage, by that.
    pub phases: BTreeMap<Phase, u64>,
    /// From the call to its end.
    pub latency: Histogram,
}

/// Numbers of tokens, by type. They nest as in [`Usage`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tokens {
    /// All input tokens.
    pub input: u64,
    /// Those of them that were read from a cache.
    pub cached: u64,
    /// Those of them that were written to a cache.
    pub cache_write: u64,
    /// Those of them that were audio.
    pub input_audio: u64,
    /// Those of them that were images, where the provider counts them.
    pub input_image: u64,
    /// All output tokens.
    pub output: u64,
    /// Those of them that were spent on reasoning.
    pub reasoning: u64,
    /// Those of them that were audio.
    pub output_audio: u64,
    /// Those of them that were images, where the provider counts them.
    pub output_image: u64,
}

impl Stats {
    /// The share of calls that failed, 0 to 1: of those that were answered or failed, so
    /// that neither the caller's cancelling nor a budget's refusing counts. 0 when there
    /// are none.
    #[expect(clippy::cast_precision_loss)]
    pub fn error_rate(&self) -> f64 {
        match self.answered.saturating_add(self.failed) {
            0 => 0.0,
            calls => self.failed as f64 / calls as f64,
        }
    }

    /// Attempts beyond the first of their call.
    pub fn retried(&self) -> u64 {
        self.retries.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn record(&mut self, call: &CallEnd<'_>) {
        self.calls += 1;
        self.streamed += u64::from(call.streamed);
        *match call.ending() {
            Ending::Answered => &mut self.answered,
            Ending::Failed => &mut self.failed,
            Ending::Cancelled => &mut self.cancelled,
            Ending::Refused => &mut self.refused,
        } += 1;
        match call.outcome {
            Ok(()) => self.latency.record(call.latency),
            Err(error) => {
                let errors = self.errors.entry(error.kind()).or_default();
                errors.calls += 1;
                errors.latency.record(call.latency);
                if let Some(phase) = error.phase() {
                    *errors.phases.entry(phase).or_default() += 1;
                }
            }
        }
        self.record_attempts(call);
        self.record_output(call);
        if let Some(cost) = call.cost {
            self.cost += cost;
            self.costs.record(cost);
        } else if call.outcome.is_ok() {
            self.unpriced += 1;
        }
    }

    fn record_attempts(&mut self, call: &CallEnd<'_>) {
        self.attempts += call.attempts.len() as u64;
        for attempt in call.attempts {
            self.resent += u64::from(attempt.resent);
        }
        // An attempt is a retry only if it was made: the last may have been followed by a
        // wait in which the call was cancelled.
        let retried = call.attempts.split_last().map_or(&[][..], |(_, before)| before);
        for attempt in retried {
            if let Some(failure) = &attempt.failure {
                *self.retries.entry(failure.kind).or_default() += 1;
            }
            if let Some(Decision::Retry { wait, .. }) = attempt.decision {
                *self.waits.entry(wait).or_default() += 1;
            }
        }
        let last = call.attempts.last().and_then(|attempt| attempt.decision);
        if let Some(Decision::GiveUp(reason)) = last {
            *self.given_up.entry(reason).or_default() += 1;
        }
    }

    fn record_output(&mut self, call: &CallEnd<'_>) {
        if let Some(time) = call.time_to_first_token {
            self.time_to_first_token.record(time);
        }
        if let Some(gaps) = call.gaps {
            self.time_between_tokens.add(gaps);
        }
        if !call.counts_tokens() {
            return;
        }
        self.tokens.add(&call.usage.into());
        // The conventions want no failed operations here.
        if call.outcome.is_ok() {
            self.input_tokens.record(call.usage.prompt_tokens);
            self.output_tokens.record(call.usage.completion_tokens);
            if let Some(rate) = call.output_rate() {
                self.output_rate.record(rate);
            }
        }
    }

    /// From now on, a copy has the memory of this one, until either is added to: that of the
    /// histograms, which are most of it.
    pub(super) fn share(&mut self) {
        self.latency.share();
        self.time_to_first_token.share();
        self.time_between_tokens.share();
        self.output_rate.share();
        self.input_tokens.share();
        self.output_tokens.share();
        self.costs.share();
    }

    /// Forgets all calls, and keeps the memory.
    pub(super) fn clear(&mut self) {
        // All by name, so that no field that is added later is forgotten here.
        let Self {
            calls,
            answered,
            failed,
            cancelled,
            refused,
            streamed,
            errors,
            attempts,
            resent,
            retries,
            waits,
            given_up,
            latency,
            time_to_first_token,
            time_between_tokens,
            output_rate,
            tokens,
            input_tokens,
            output_tokens,
            cost,
            costs,
            unpriced,
        } = self;
        for count in
            [calls, answered, failed, cancelled, refused, streamed, attempts, resent, unpriced]
        {
            *count = 0;
        }
        errors.clear();
        retries.clear();
        waits.clear();
        given_up.clear();
        for times in [latency, time_to_first_token, time_between_tokens] {
            times.clear();
        }
        output_rate.clear();
        *tokens = Tokens::default();
        input_tokens.clear();
        output_tokens.clear();
        *cost = Money::ZERO;
        costs.clear();
    }

    pub(super) fn add(&mut self, other: &Self) {
        // All by name, so that no field that is added later is forgotten here.
        let Self {
            calls,
            answered,
            failed,
            cancelled,
            refused,
            streamed,
            errors,
            attempts,
            resent,
            retries,
            waits,
            given_up,
            latency,
            time_to_first_token,
            time_between_tokens,
            output_rate,
            tokens,
            input_tokens,
            output_tokens,
            cost,
            costs,
            unpriced,
        } = other;
        // What was stored by somebody else may have any counts, and a server say any.
        for (sum, count) in [
            (&mut self.calls, calls),
            (&mut self.answered, answered),
            (&mut self.failed, failed),
            (&mut self.cancelled, cancelled),
            (&mut self.refused, refused),
            (&mut self.streamed, streamed),
            (&mut self.attempts, attempts),
            (&mut self.resent, resent),
            (&mut self.unpriced, unpriced),
        ] {
            *sum = sum.saturating_add(*count);
        }
        for (kind, errors) in errors {
            self.errors.entry(*kind).or_default().add(errors);
        }
        add_counts(&mut self.retries, retries);
        add_counts(&mut self.waits, waits);
        add_counts(&mut self.given_up, given_up);
        self.latency.add(latency);
        self.time_to_first_token.add(time_to_first_token);
        self.time_between_tokens.add(time_between_tokens);
        self.output_rate.add(output_rate);
        self.tokens.add(tokens);
        self.input_tokens.add(input_tokens);
        self.output_tokens.add(output_tokens);
        self.cost += *cost;
        self.costs.add(costs);
    }
}

impl ErrorStats {
    fn add(&mut self, other: &Self) {
        let Self { calls, phases, latency } = other;
        self.calls = self.calls.saturating_add(*calls);
        add_counts(&mut self.phases, phases);
        self.latency.add(latency);
    }
}

impl Tokens {
    /// Apart, so that they sum up, by the name of each class.
    pub(crate) fn classes(&self) -> [(&'static str, u64); 5] {
        let fresh = self.input.saturating_sub(self.cached).saturating_sub(self.cache_write);
        [
            ("input", fresh),
            ("cached_input", self.cached),
            ("cache_write", self.cache_write),
            ("output", self.output.saturating_sub(self.reasoning)),
            ("reasoning", self.reasoning),
        ]
    }

    fn add(&mut self, other: &Self) {
        let Self {
            input,
            cached,
            cache_write,
            input_audio,
            input_image,
            output,
            reasoning,
            output_audio,
            output_image,
        } = *other;
        for (sum, count) in [
            (&mut self.input, input),
            (&mut self.cached, cached),
            (&mut self.cache_write, cache_write),
            (&mut self.input_audio, input_audio),
            (&mut self.input_image, input_image),
            (&mut self.output, output),
            (&mut self.reasoning, reasoning),
            (&mut self.output_audio, output_audio),
            (&mut self.output_image, output_image),
        ] {
            *sum = sum.saturating_add(count);
        }
    }
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_tokens,
            cached: usage.cached_tokens,
            cache_write: usage.cache_write_tokens,
            input_audio: usage.prompt_audio_tokens,
            input_image: usage.prompt_image_tokens,
            output: usage.completion_tokens,
            reasoning: usage.reasoning_tokens,
            output_audio: usage.completion_audio_tokens,
            output_image: usage.completion_image_tokens,
        }
    }
}

fn add_counts<K: Ord + Copy>(sums: &mut BTreeMap<K, u64>, counts: &BTreeMap<K, u64>) {
    for (key, count) in counts {
        let sum = sums.entry(*key).or_default();
        *sum = sum.saturating_add(*count);
    }
}
