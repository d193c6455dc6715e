//! What keeping count of costs takes: of each call, and once at the start.

mod allocations;
mod calls;
mod naive;
mod overshoot;
mod pricing;
mod report;
mod sqlite;
mod starting;

pub use calls::repeat;
pub use report::costs;
pub use sqlite::child;
pub use starting::start;
