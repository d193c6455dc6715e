//! The targets in their order.

use super::{Candidate, RoutedCall, Strategy};

/// Tries the targets in the order of the route: the first one serves every call that it can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failover;

impl Strategy for Failover {
    fn name(&self) -> &str {
        "failover"
    }

    fn choose(&self, _: &[Candidate<'_>], _: &RoutedCall, _: &mut dyn FnMut() -> f64) -> usize {
        0
    }
}
