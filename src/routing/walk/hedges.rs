//! Several attempts of one call at the same time.

use std::time::{Duration, Instant};

use super::{Chosen, Expected, Walk};
use crate::error::Decision;
use crate::money::Money;
use crate::retry::Failed;
use crate::routing::{TargetStep, Ticket};

impl Walk {
    /// Returns whether a hedge could begin now.
    pub(crate) fn can_hedge(&self, now: Instant) -> bool {
        let is_ready =
            |at: &usize| *at != self.current && self.route.targets[*at].state.rests(now).is_none();
        self.hedges().iter().any(is_ready)
    }

    /// Notes that an attempt has begun, so that no hedge goes to the same target.
    pub(crate) fn begun(&mut self, at: usize) {
        self.notes.of_mut(at).runs = true;
    }

    /// Chooses the target of a hedge; `None` if no other target is ready.
    pub(crate) fn hedge(
        &mut self,
        now: Instant,
        random: &mut dyn FnMut() -> f64,
        cost: &dyn Fn(usize, Expected) -> Option<Money>,
    ) -> Option<(usize, Ticket)> {
        let open = self.hedges();
        if open.is_empty() {
            return None;
        }
        match self.choose_of(open, now, random, cost) {
            Chosen::Target(at, ticket) => Some((at, ticket)),
            Chosen::Resting { .. } | Chosen::Full(_) | Chosen::None => None,
        }
    }

    /// Notes that a target cannot be tried beside another. It may still be tried after it.
    pub(crate) fn cannot_hedge(&mut self, at: usize) {
        self.notes.of_mut(at).cannot_hedge = true;
    }

    /// Notes that a hedge has begun after this silence of another target.
    pub(crate) fn hedged(&mut self, at: usize, silence: Duration) {
        self.begun(at);
        self.notes.of_mut(at).steps.push(TargetStep::Hedged(silence));
    }

    /// Notes that an attempt failed while another one is in progress. Returns what would follow it
    /// if it were alone; the other one counts as a target that is left.
    pub(crate) fn failed_beside(
        &mut self,
        at: usize,
        failed: &Failed<'_>,
        now: Instant,
    ) -> Decision {
        self.note_failure(at, failed.error.kind());
        let (decision, _) = self.judge(failed, now);
        self.unless_exceeded(decision)
    }

    /// Notes that another attempt decided the call.
    pub(crate) fn superseded(&mut self, at: usize) {
        let target = self.notes.of_mut(at);
        target.runs = false;
        target.steps.push(TargetStep::Superseded);
    }

    /// Makes this attempt the one that decides what follows.
    pub(crate) fn decided_by(&mut self, at: usize) {
        self.current = at;
        self.notes.of_mut(at).runs = false;
    }

    /// The targets that a hedge could go to, ready or not.
    fn hedges(&self) -> Vec<usize> {
        self.open(|progress| !progress.tried && !progress.runs && !progress.cannot_hedge)
    }
}
