//! By fixed shares.

use super::{Candidate, RoutedCall, Strategy, draw};

/// Chooses at random, in proportion to the [weights](crate::route::RouteTarget::weight).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weighted;

impl Strategy for Weighted {
    fn name(&self) -> &str {
        "weighted"
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        _: &RoutedCall,
        random: &mut dyn FnMut() -> f64,
    ) -> usize {
        draw(candidates.iter().map(Candidate::share), random)
    }
}
