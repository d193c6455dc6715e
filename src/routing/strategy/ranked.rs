//! In the order of a selection.

use super::{Candidate, RoutedCall, Strategy};

/// Tries the models of an automatic route in the order in which they were ranked for the call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ranked;

impl Strategy for Ranked {
    fn name(&self) -> &str {
        "auto"
    }

    fn choose(&self, _: &[Candidate<'_>], _: &RoutedCall, _: &mut dyn FnMut() -> f64) -> usize {
        0
    }
}
