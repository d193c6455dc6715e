//! Retries: [`decide`] and [`Backoff`] are pure, and the [`Retrier`] is the loop around them.

mod backoff;
mod budget;
mod config;
mod decide;
mod retrier;
mod sleeper;

pub use backoff::Backoff;
pub use budget::RetryBudget;
pub(crate) use budget::{Bucket, SecondSending};
pub use config::RetryConfig;
pub(crate) use decide::may_have_been_served;
pub(crate) use retrier::{Failed, Raced, Retrier, Steps, Target, Tried, Turn};
pub(crate) use sleeper::Interruptible;
pub use sleeper::Sleeper;
