//! Answers that are not accepted, and calls that a classifier sends to a target of its choice.

use std::cmp::Reverse;
use std::time::Instant;

use super::{Chosen, Expected, Walk};
use crate::money::Money;
use crate::routing::{Classification, TargetStep};

impl Walk {
    /// Begins at this target, if it can serve the call.
    pub(crate) fn begin_at(&mut self, target: Option<usize>, why: Classification) {
        self.first = target;
        self.classification = Some(Box::new(why));
    }

    /// Chooses the target that a classifier named, unless it has been tried or cannot be tried now.
    pub(super) fn choose_first(
        &mut self,
        now: Instant,
        random: &mut dyn FnMut() -> f64,
        cost: &dyn Fn(usize, Expected) -> Option<Money>,
    ) -> Option<Chosen> {
        let first = self.first.filter(|first| !self.notes.of(*first).tried)?;
        if self.open(|progress| !progress.tried).first() != Some(&first) {
            return None;
        }
        match self.choose_of(vec![first], now, random, cost) {
            chosen @ Chosen::Target(..) => {
                self.current = first;
                Some(chosen)
            }
            Chosen::Resting { .. } | Chosen::Full(_) | Chosen::None => None,
        }
    }

    /// Notes that the answer of the last attempt was not accepted, and what it cost. Returns whether
    /// the call can move up to another target.
    pub(crate) fn not_accepted(&mut self, reason: String, cost: Option<Money>) -> bool {
        let target = self.notes.of_mut(self.current);
        target.steps.push(TargetStep::NotAccepted { reason, cost });
        // It would answer alike.
        (target.tried, target.unfit) = (true, true);
        // If the cost decides the order, whatever is left costs more.
        if !self.route.strategy.uses_cost() {
            self.behind = Some(self.current);
        }
        !self.open(|progress| !progress.tried).is_empty()
    }

    /// Notes why the call does not try the targets that are left.
    pub(crate) fn stopped(&mut self, why: &str) {
        for at in self.open(|progress| !progress.tried && progress.steps.is_empty()) {
            self.cannot_serve(at, why.to_owned());
        }
    }
}

/// Puts the targets in the order in which a call that begins at the `first` one goes on: to those
/// behind it, and then to those before it, the nearest one first.
pub(super) fn begin_at(first: usize, targets: &mut [usize]) {
    targets.sort_unstable_by_key(|at| match *at >= first {
        true => (false, *at, Reverse(0)),
        false => (true, 0, Reverse(*at)),
    });
}

#[cfg(test)]
mod tests {
    use super::begin_at;

    #[test]
    fn a_call_goes_up_from_its_first_target_and_then_down() {
        for (first, expected) in [(0, [0, 1, 2, 3]), (2, [2, 3, 1, 0]), (3, [3, 2, 1, 0])] {
            let mut targets = [0, 1, 2, 3];
            begin_at(first, &mut targets);
            assert_eq!(targets, expected);
        }
    }
}
