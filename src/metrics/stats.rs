//! `Stats`: the counts, times, tokens and costs of the calls in some period.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::cache::CacheStats;
use super::call::{CallEnd, Ending};
use crate::chat::{Usage, UsageSource};
use crate::error::{Decision, ErrorKind, GiveUp, Phase, Wait};
use crate::histogram::Histogram;
use crate::money::Money;

/// The numbers of the calls that ended in some period.
///
/// `calls` = `answered` + `failed` + `cancelled` + `refused`. `errors` covers all calls that were
/// not answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that ended, in any way.
    pub calls: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that the caller cancelled.
    pub cancelled: u64,
    /// Calls that a budget refused before they were sent.
    pub refused: u64,
    /// Calls that asked for a stream.
    pub streamed: u64,
    /// The calls that were not answered, by their final error.
    pub errors: BTreeMap<ErrorKind, ErrorStats>,
    /// Attempts, over all calls.
    pub attempts: u64,
    /// Attempts whose request was sent twice because the connection was dead
    /// ([`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale)).
    pub resent: u64,
    /// Retries, by the error of the attempt before.
    pub retries: BTreeMap<ErrorKind, u64>,
    /// Waits before retries, by what decided their length.
    pub waits: BTreeMap<Wait, u64>,
    /// Calls given up after their last attempt, by reason.
    pub given_up: BTreeMap<GiveUp, u64>,
    /// The time of answered calls from start to end, including waits and retries.
    pub latency: Histogram,
    /// The time of streams from the start of the call to the first token.
    pub time_to_first_token: Histogram,
    /// The time between one piece of a stream's output and the next.
    pub time_between_tokens: Histogram,
    /// Output tokens per second of answered calls whose usage the provider reported: all output
    /// tokens, divided by the time from the start of the successful attempt to the end of the call.
    /// That includes the wait for the first token.
    pub output_rate: Histogram<f64>,
    /// Tokens used, including those of failed calls if known.
    pub tokens: Tokens,
    /// Input tokens per answered call.
    pub input_tokens: Histogram<u64>,
    /// Output tokens per answered call.
    pub output_tokens: Histogram<u64>,
    /// What the calls cost, including failed calls that are billed.
    pub cost: Money,
    /// The cost per call, over the calls with a known price.
    pub costs: Histogram<Money>,
    /// Answered calls without a known price.
    pub unpriced: u64,
    /// What the cache did for the calls.
    pub cache: CacheStats,
}

/// The calls that ended with one kind of error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ErrorStats {
    /// The number of calls.
    pub calls: u64,
    /// The calls that failed at a known stage, by stage.
    pub phases: BTreeMap<Phase, u64>,
    /// The time from start to end of a call.
    pub latency: Histogram,
}

/// Token counts by type. They nest as in [`Usage`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tokens {
    /// All input tokens.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
    /// Input tokens written to a cache.
    pub cache_write: u64,
    /// Input tokens of audio.
    pub input_audio: u64,
    /// Input tokens of images, if the provider counts them.
    pub input_image: u64,
    /// All output tokens.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Output tokens of audio.
    pub output_audio: u64,
    /// Output tokens of images, if the provider counts them.
    pub output_image: u64,
}

impl Stats {
    /// The share of calls that failed, 0 to 1, among those that were answered or failed.
    /// Cancelled and refused calls do not count. 0 without any calls.
    #[expect(clippy::cast_precision_loss)]
    pub fn error_rate(&self) -> f64 {
        match self.answered.saturating_add(self.failed) {
            0 => 0.0,
            calls => self.failed as f64 / calls as f64,
        }
    }

    /// The number of retries.
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
            self.cost += cost.saturating_sub(call.counted.cost);
            self.costs.record(cost);
        } else if call.outcome.is_ok() && call.is_live {
            self.unpriced += 1;
        }
        self.cache.record(call);
    }

    /// Adds an answer that was not accepted, so that its call goes on.
    pub(super) fn used(&mut self, usage: Usage, cost: Option<Money>) {
        if usage.source != UsageSource::Missing {
            self.tokens.add(&usage.into());
        }
        self.cost += cost.unwrap_or(Money::ZERO);
    }

    fn record_attempts(&mut self, call: &CallEnd<'_>) {
        self.attempts += call.attempts.len() as u64;
        for attempt in call.attempts {
            self.resent += u64::from(attempt.resent);
        }
        // A retry counts only if it was made: the last attempt may have been followed by a wait
        // in which the call was cancelled.
        let retried = call.attempts.split_last().map_or(&[][..], |(_, before)| before);
        for attempt in retried {
            if let Some(failure) = attempt.retried_failure() {
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
        if !call.counted.tokens {
            self.tokens.add(&call.usage.into());
        }
        // The OpenTelemetry conventions exclude failed operations here.
        if call.outcome.is_ok() {
            self.input_tokens.record(call.usage.prompt_tokens);
            self.output_tokens.record(call.usage.completion_tokens);
            if let Some(rate) = call.output_rate() {
                self.output_rate.record(rate);
            }
        }
    }

    /// Makes copies share the memory of the histograms, which are most of it, until either side
    /// changes.
    pub(super) fn share(&mut self) {
        self.latency.share();
        self.time_to_first_token.share();
        self.time_between_tokens.share();
        self.output_rate.share();
        self.input_tokens.share();
        self.output_tokens.share();
        self.costs.share();
    }

    /// Resets everything, and keeps the memory.
    pub(super) fn clear(&mut self) {
        // Named one by one, so that a field added later is not forgotten here.
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
            cache,
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
        *cache = CacheStats::default();
    }

    pub(super) fn add(&mut self, other: &Self) {
        // Named one by one, so that a field added later is not forgotten here.
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
            cache,
        } = other;
        // Saturates: stored counts may come from anywhere, and servers may report any number.
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
        self.cache.add(cache);
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
    /// Disjoint classes that add up to all tokens, by name.
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
