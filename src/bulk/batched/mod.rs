//! Runs over a provider's batches instead of calls.
//!
//! ```text
//! settings   Batched: how a run uses batches
//! plan       which items are submitted together, and what follows from their results
//!   groups     the items that are not submitted yet
//!   next_step  what happens to an item after its batch
//! steps      what the journal keeps of a batch, and what a later run makes of it
//! thread     submits one batch, waits for it and reads its results, on a thread of its own
//! ```
//!
//! All but `thread` are functions of values and the time.

mod groups;
mod next_step;
mod plan;
mod settings;
mod steps;
mod thread;

pub(super) use next_step::Rules;
pub(super) use plan::{Action, BatchEnd, InBatch, NextBatch, Over, Plan, Unread};
pub use settings::{Batched, OnDeadline};
pub(super) use steps::Interrupted;
pub(super) use thread::{BatchThread, Contents, Event};
