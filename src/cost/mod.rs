//! What calls cost, and limits to it.

// Until the gate of a client calls all of it.
#[allow(dead_code)]
mod budget;
// Until the books are fed.
#[allow(dead_code)]
mod alert;
#[allow(dead_code)]
mod books;
#[allow(dead_code)]
mod event;
pub mod ledger;
mod moment;
mod money;
mod price;
mod utc_offset;
#[allow(dead_code)]
mod window;

pub use budget::Budget;
pub use ledger::MemoryLedger;
pub use money::Money;
pub use utc_offset::UtcOffset;
pub use window::Window;
mod record;
mod refusal;
mod report;
mod shown;
mod tally;

pub use alert::BudgetAlert;
pub use event::{CostEvent, CostEvents};
#[allow(unused_imports, reason = "budgets reserve by it")]
pub(crate) use price::Bound;
pub use price::{Cost, CostSource, Price, Prices};
pub use record::{CallOutcome, CallRecord};
pub use refusal::BudgetRefusal;
pub use report::{BudgetStatus, CostReport, Row, UsageClass, WhatIf, WhatIfRow};
pub use tally::Tally;
