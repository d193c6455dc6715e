//! What calls cost, and limits to it.

// Until the gate of a client calls all of it.
#[allow(dead_code)]
mod budget;
pub mod ledger;
mod money;
mod price;
mod utc_offset;
#[allow(dead_code)]
mod window;

pub use budget::Budget;
pub use ledger::MemoryLedger;
pub use money::Money;
pub use price::{Cost, CostSource};
pub use utc_offset::UtcOffset;
pub use window::Window;
