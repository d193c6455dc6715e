//! The right to make one attempt, and what its outcome teaches.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::Limiter;
use super::store::{Demand, Report};
use crate::error::{Error, ErrorKind, RateLimit};

/// The right to make one attempt. The call counts as in flight until it is dropped.
#[must_use = "dropping it gives the room back"]
pub(crate) struct Permit {
    limiter: Arc<Limiter>,
    id: u64,
    demand: Arc<Demand>,
    /// The tokens that the attempt used. `None` counts all that it reserved.
    used: Option<u64>,
}

impl Permit {
    pub(super) fn new(limiter: Arc<Limiter>, id: u64, demand: Arc<Demand>) -> Self {
        Self { limiter, id, demand, used: Some(0) }
    }

    /// Ends the attempt, which used this many tokens. `None` means that nobody knows, so all that it
    /// reserved counts. If the permit is only dropped, the attempt used none.
    pub(crate) fn end(mut self, used: Option<u64>) {
        self.used = used;
    }

    /// Begins the attempt. Returns where to report its outcome, if a limit learns from it.
    pub(crate) fn lesson(&self) -> Option<Lesson> {
        let Self { limiter, id, demand, .. } = self;
        limiter.learns(demand).then(|| Lesson {
            limiter: Arc::clone(limiter),
            id: *id,
            demand: Arc::clone(demand),
            begun: Instant::now(),
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.settle(&self.demand, self.id, self.used);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Teaches the limits what the outcome of an attempt shows.
pub(crate) struct Lesson {
    limiter: Arc<Limiter>,
    id: u64,
    demand: Arc<Demand>,
    begun: Instant,
}

impl Lesson {
    /// The attempt was answered; for a stream, by its first event.
    pub(crate) fn answered(self, headers: &RateLimit, streamed: bool) {
        let answered = Some((self.begun.elapsed(), streamed));
        self.learn(&Report { headers: Some(headers), answered, ..Report::default() });
    }

    /// The attempt failed.
    pub(crate) fn failed(self, error: &Error) {
        let is_refused = error.status().is_some() && error.kind() == ErrorKind::RateLimited;
        let is_overloaded = error.status().is_some() && error.kind() == ErrorKind::Overloaded;
        self.learn(&Report {
            headers: error.rate_limit(),
            refused_for: error.retry_after().filter(|_| is_refused),
            answered: None,
            overloaded: is_refused || is_overloaded,
        });
    }

    fn learn(&self, report: &Report<'_>) {
        self.limiter.learn(&self.demand, self.id, report);
    }
}
