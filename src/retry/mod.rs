//! Whether and when to try again: [`decide`] and [`Backoff`] are pure, the
//! [`Retrier`] is the loop around them.

mod attempt;
mod backoff;
mod budget;
mod config;
mod decide;
mod retrier;
mod sleeper;

pub(crate) use attempt::known;
pub use attempt::{Attempt, AttemptFailure};
pub use backoff::Backoff;
pub use budget::RetryBudget;
pub(crate) use budget::{Bucket, SecondSending};
pub use config::RetryConfig;
pub use decide::{Decision, GiveUp, Wait};
pub(crate) use retrier::{Retrier, Tried};
pub(crate) use sleeper::Interruptible;
pub use sleeper::Sleeper;
