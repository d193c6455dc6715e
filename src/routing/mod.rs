//! How a route chooses among its targets: strategies, health, breakers and failover.
//!
//! Everything here is a function of values and the time, except for one small lock per target
//! (`state.rs`).

mod breaker;
mod config;
mod counts;
mod ewma;
mod failover;
mod health;
mod hedge;
mod latencies;
#[cfg(all(test, loom))]
mod model;
mod outcome;
pub(crate) mod seconds;
mod state;
mod status;
mod strategy;
#[cfg(all(test, not(loom)))]
mod tests;
mod trace;
mod walk;
mod window;

pub(crate) use breaker::Change;
use breaker::Outcome;
pub use breaker::RestReason;
pub use config::BreakerConfig;
pub(crate) use failover::Rules;
pub(crate) use health::Answered;
pub use hedge::Hedge;
pub(crate) use hedge::{Next, Race, Runner};
pub(crate) use state::{RouteState, RoutedTarget, TargetState, Ticket};
pub use status::{BreakerState, TargetStatus};
pub(crate) use strategy::{Ascending, Ranked};
pub use strategy::{
    Balanced, Candidate, Cheapest, Failover, Fastest, RoutedCall, Sticky, Strategy, Weighted,
};
pub(crate) use trace::LazyTrace;
pub use trace::{Classification, RouteTrace, TargetStep, TargetTrace};
pub(crate) use walk::{Chosen, Expected, Walk};
