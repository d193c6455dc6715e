//! What calls cost, and limits to it.

pub mod ledger;
mod money;
mod price;

pub use money::Money;
pub use price::{Cost, CostSource};
