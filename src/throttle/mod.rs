//! Limits on requests and tokens per minute and on calls in flight.
//!
//! ```text
//! rule      which calls a limit applies to, and what it allows
//! bucket    a token bucket (GCRA): reserve the upper bound, correct it afterwards
//! learned   the buckets that the provider's headers describe
//! gradient  a limit on calls in flight that adapts to the latency
//! account   all of these for one account of a limit
//! store     where accounts are kept: in memory, or later in a store that processes share
//! line      the callers that wait, first come first served
//! limiter   the lock and the signals around all that
//! permit    the right to make one attempt
//! ```
//!
//! Everything but `memory`, `limiter` and `permit` is a function of values and the time.

mod account;
mod amount;
mod bucket;
mod gradient;
mod learned;
mod limiter;
mod line;
mod memory;
mod permit;
mod refusal;
mod rule;
mod status;
mod store;

pub(crate) use amount::Amount;
pub(crate) use bucket::Rate;
pub(crate) use limiter::{Limiter, NoRoom};
use memory::MemoryStore;
pub(crate) use permit::{Lesson, Permit};
pub(crate) use refusal::Refusal;
pub(crate) use rule::{Allowance, Facts, InFlight, Rule, Scope, TargetId};
pub use status::{LimitLevel, LimitStatus};
pub(crate) use store::Demand;
