//! What calls cost, and limits to it.

mod money;

pub use money::Money;
