//! `CallSample`: details of single calls, the slowest and the most recent failed ones.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, SystemTime};

use super::call::{CallEnd, Ending};
use super::target::bounded;
use crate::error::{Attempt, AttemptFailure};

use crate::time::rfc3339;

/// How many recent failed calls are kept, and how many of the slowest of each minute.
pub(super) const KEPT: usize = 10;

/// How many attempts of a call are kept: the last ones.
const MAX_ATTEMPTS: usize = 20;

/// How many tags of a call are kept.
const MAX_TAGS: usize = 20;

/// Details of one call. It holds nothing of the prompt or the answer, but a provider's error
/// message is kept, and may quote the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallSample {
    /// When it ended. Stored as RFC 3339 text in UTC, to the millisecond.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// The provider's id, such as `groq`.
    pub provider: String,
    /// The requested model.
    pub model: String,
    /// The model that answered, by the provider's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_model: Option<String>,
    /// From start to end of the call.
    pub latency: Duration,
    /// From the start of the call to the first token of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<Duration>,
    /// How it failed; `None` if it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AttemptFailure>,
    /// Its attempts in order: the last 20.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The provider's id of the request, for its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The first 20 of the call's tags, each cut at 200 bytes.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl CallSample {
    fn of(call: &CallEnd<'_>) -> Self {
        let dropped = call.attempts.len().saturating_sub(MAX_ATTEMPTS);
        let mut tags = BTreeMap::new();
        for (name, value) in call.tags.iter().take(MAX_TAGS) {
            tags.insert(bounded(name).to_owned(), bounded(value).to_owned());
        }
        Self {
            at: call.at,
            provider: bounded(call.target.provider).to_owned(),
            model: bounded(call.target.model).to_owned(),
            response_model: call.response_model.map(|model| bounded(model).to_owned()),
            latency: call.latency,
            time_to_first_token: call.time_to_first_token,
            failure: call.outcome.err().map(AttemptFailure::from),
            attempts: call.attempts[dropped..].to_vec(),
            request_id: call.request_id.map(|id| bounded(id).to_owned()),
            tags,
        }
    }
}

/// The samples of some period.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Samples {
    /// Slowest first.
    pub(super) slowest: Vec<CallSample>,
    /// The most recent failed calls, newest first once they are sorted.
    pub(super) failed: Vec<CallSample>,
    /// Where in `failed` to put the next one once it is full.
    next: usize,
}

impl Samples {
    pub(super) fn record(&mut self, call: &CallEnd<'_>) {
        if call.ending() == Ending::Failed {
            let sample = CallSample::of(call);
            if self.failed.len() < KEPT {
                self.failed.push(sample);
            } else {
                self.failed[self.next % KEPT] = sample;
                self.next += 1;
            }
        }
        let least = self.slowest.last().map_or(Duration::ZERO, |sample| sample.latency);
        if self.slowest.len() < KEPT || call.latency > least {
            self.add_slow(CallSample::of(call));
        }
    }

    pub(super) fn add_slowest(&mut self, slowest: Vec<CallSample>) {
        slowest.into_iter().for_each(|sample| self.add_slow(sample));
    }

    fn add_slow(&mut self, sample: CallSample) {
        let place = self.slowest.partition_point(|other| other.latency >= sample.latency);
        self.slowest.insert(place, sample);
        self.slowest.truncate(KEPT);
    }

    pub(super) fn add_failed(&mut self, failed: Vec<CallSample>) {
        for sample in mem::take(&mut self.failed).into_iter().chain(failed) {
            let place = self.failed.partition_point(|other| other.at >= sample.at);
            self.failed.insert(place, sample);
            self.failed.truncate(KEPT);
        }
        self.next = 0;
    }
}
