//! The errors of a call to a route that has no target left to try.

use std::time::Duration;

use super::Routed;
use crate::error::{Error, ErrorKind};
use crate::routing::RestReason;

impl<F> Routed<'_, F> {
    /// The error if no target can serve the call.
    pub(super) fn none_can_serve(&mut self) -> Error {
        if let Some(failed) = self.failed.take() {
            return failed;
        }
        let reasons = self.states();
        let kind = self.unfit.as_ref().map(Error::kind).or(self.skipped);
        let kind = kind.unwrap_or(ErrorKind::Configuration);
        let route = &self.route.state.name;
        let message = format!("no target of the route {route:?} can serve this call: {reasons}");
        let error = Error::new(kind, message);
        match self.unfit.take() {
            Some(unfit) => error.with_source(unfit),
            None => error,
        }
    }

    /// The error if all targets that could serve the call rest.
    pub(super) fn all_rest(&mut self, wait: Duration, reason: RestReason) -> Error {
        if let Some(failed) = self.failed.take() {
            let should_retry = failed.should_retry();
            return failed.with_retry_hints(Some(wait), should_retry);
        }
        let kind = match reason {
            RestReason::RateLimit => ErrorKind::RateLimited,
            RestReason::Failures | RestReason::Unusable => ErrorKind::Overloaded,
        };
        let (states, route) = (self.states(), &self.route.state.name);
        let message = format!(
            "all targets of the route {route:?} rest; the first returns in {wait:.1?}: {states}"
        );
        Error::new(kind, message).with_retry_hints(Some(wait), None)
    }

    /// What became of each target.
    fn states(&self) -> String {
        let trace = self.walk.trace();
        trace.get().targets.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}
