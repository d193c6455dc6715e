//! What tokens cost.

mod cost;

use super::Money;
pub use cost::{Cost, CostSource};
