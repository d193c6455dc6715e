//! When a call tries a second target although the first has not failed.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

use crate::error::Decision;

/// When a [`Route`](crate::route::Route) tries a second target although the first has not failed.
///
/// The first answer counts, and the other attempt is cancelled. For a stream, its first event
/// decides. This cuts the slowest answers short, and it costs money: a provider may bill the
/// cancelled attempt. So each hedge takes a token from the [retry budget](crate::RetryBudget), and
/// does not get it back. A target that fails is not waited for: the call goes on to the next at
/// once, with or without a hedge.
///
/// ```
/// use std::time::Duration;
/// use tollgate::route::{Hedge, Route};
///
/// let targets = ["openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile"];
/// let fixed = Route::new("fixed").targets(targets).hedge(Hedge::after(Duration::from_secs(3)));
/// let measured = Route::new("measured").targets(targets).hedge(Hedge::at_p95());
/// # let _ = (fixed, measured);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "HedgeFields", into = "HedgeFields")]
pub struct Hedge(When);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    After(Duration),
    AtP95,
}

impl Hedge {
    /// Tries a second target when the first has been silent for this long.
    pub const fn after(silence: Duration) -> Self {
        Self(When::After(silence))
    }

    /// Tries a second target when the first has been silent for longer than 95 % of its answers
    /// took: those of the last five minutes, at most 256 of them. For streams, that is the time to
    /// the first event. Until a target has given 20 answers, its calls are not hedged.
    pub const fn at_p95() -> Self {
        Self(When::AtP95)
    }

    /// Whether it needs the 95th percentiles of the targets.
    pub(crate) fn is_measured(self) -> bool {
        self.0 == When::AtP95
    }

    /// Returns how long to wait for a target with this 95th percentile; `None`: until it ends.
    pub(crate) fn delay(self, p95: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
        match self.0 {
            When::After(silence) => Some(silence),
            When::AtP95 => p95(),
        }
    }

    /// What is wrong with it.
    pub(crate) fn problem(self) -> Option<String> {
        (self.0 == When::After(Duration::ZERO)).then(|| {
            "the hedge's silence is zero, so every request would be sent twice; set more than zero"
                .to_owned()
        })
    }
}

/// A hedge in JSON: a number of seconds, or `"p95"`.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a hedge must be \"p95\" or a number of seconds")]
enum HedgeFields {
    Seconds(f64),
    Name(HedgeName),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HedgeName {
    P95,
}

impl TryFrom<HedgeFields> for Hedge {
    type Error = String;

    fn try_from(fields: HedgeFields) -> Result<Self, String> {
        match fields {
            HedgeFields::Name(HedgeName::P95) => Ok(Self::at_p95()),
            HedgeFields::Seconds(seconds) => Duration::try_from_secs_f64(seconds)
                .map(Self::after)
                .map_err(|_| format!("{seconds} is not a number of seconds of 0 or more")),
        }
    }
}

impl From<Hedge> for HedgeFields {
    fn from(hedge: Hedge) -> Self {
        match hedge.0 {
            When::After(silence) => Self::Seconds(silence.as_secs_f64()),
            When::AtP95 => Self::Name(HedgeName::P95),
        }
    }
}

/// Attempts of one call that run at the same time: at most two, the one that is waited for and its
/// hedge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Race {
    first: Option<Runner>,
    hedge: Option<Runner>,
    /// Whether no more hedges may start.
    closed: bool,
}

/// An attempt in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Runner {
    /// The number of the attempt in its call.
    pub(crate) number: u32,
    pub(crate) begun: Instant,
    /// How long it may be silent before it is hedged; `None`: as long as it takes.
    pub(crate) delay: Option<Duration>,
}

/// What a race needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt, at another target.
    Hedge,
    /// An attempt to end; at this time at the latest, the race has to be looked at again.
    Wait(Option<Instant>),
    /// Nothing: no attempt can be answered any more.
    Over,
}

impl Race {
    pub(crate) const fn new(first: Runner) -> Self {
        Self { first: Some(first), hedge: None, closed: false }
    }

    /// Decides what comes next.
    pub(crate) fn next(&self, now: Instant) -> Next {
        let Some(first) = self.first else { return Next::Over };
        if self.hedge.is_some() || self.closed {
            return Next::Wait(None);
        }
        match first.delay.and_then(|delay| first.begun.checked_add(delay)) {
            Some(due) if due <= now => Next::Hedge,
            due => Next::Wait(due),
        }
    }

    /// Returns whether this attempt is the one that is waited for, and not its hedge.
    pub(crate) fn is_first(&self, number: u32) -> bool {
        self.first.is_some_and(|first| first.number == number)
    }

    /// Notes that a hedge has begun.
    pub(crate) fn hedged(&mut self, hedge: Runner) {
        self.hedge = Some(hedge);
    }

    /// Notes that no hedge can begin: no target, token or money is left for one.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Notes that an attempt has failed. `decision` is what would follow it in a call without
    /// hedges.
    ///
    /// If the first one fails and the call could go on, its hedge takes its place. If the call
    /// could not go on, the race is over: a request that is invalid at one target is not worth an
    /// answer of another. A hedge that fails leaves the first attempt in the race. It is replaced
    /// at once, unless the same would happen to the next one.
    pub(crate) fn failed(&mut self, number: u32, decision: Decision) {
        let stops = matches!(decision, Decision::GiveUp(_));
        if self.is_first(number) {
            self.first = if stops { None } else { self.hedge };
        } else {
            self.closed |= stops;
        }
        self.hedge = None;
    }
}

#[cfg(test)]
mod tests;
