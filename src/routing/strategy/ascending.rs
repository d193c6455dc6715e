//! The order of a cascade.

use super::{Candidate, RoutedCall, Strategy, cheapest};

/// Chooses the lowest step of a cascade that is left: the first target in the order of the route,
/// or the one at which the call can be expected to cost least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ascending {
    pub(crate) by_cost: bool,
}

impl Strategy for Ascending {
    fn name(&self) -> &str {
        match self.by_cost {
            false => "cascade",
            true => "cascade, cheapest first",
        }
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        _: &RoutedCall,
        _: &mut dyn FnMut() -> f64,
    ) -> usize {
        match self.by_cost {
            false => 0,
            true => cheapest(candidates),
        }
    }

    fn uses_cost(&self) -> bool {
        self.by_cost
    }
}
