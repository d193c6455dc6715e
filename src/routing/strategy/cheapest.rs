//! By cost.

use super::{Candidate, RoutedCall, Strategy, cheapest};

/// The share of calls that go to a target whose answers are not known.
const EXPLORE: f64 = 0.05;

/// Takes the target at which the call can be expected to cost least.
///
/// That is its price × the tokens: those of this prompt, of which as large a share comes from the
/// prompt cache as in the target's last calls, and as many output tokens as its last answers had.
/// A target without a known price comes last. One that has not answered in the last five minutes
/// is tried now and then, because it may write less than its price suggests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cheapest;

impl Strategy for Cheapest {
    fn name(&self) -> &str {
        "cheapest"
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        _: &RoutedCall,
        random: &mut dyn FnMut() -> f64,
    ) -> usize {
        let is_unknown =
            |one: &Candidate<'_>| !one.is_measured && one.in_flight == 0 && one.cost.is_some();
        if let Some(unknown) = candidates.iter().position(is_unknown) {
            if random() < EXPLORE {
                return unknown;
            }
        }
        cheapest(candidates)
    }

    fn uses_cost(&self) -> bool {
        true
    }
}
