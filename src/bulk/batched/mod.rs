//! Runs over a provider's batches instead of calls.
//!
//! ```text
//! settings   Batched: how a run uses batches
//! fleet      which items are submitted together, and what follows from their results
//!   groups     the items that are not submitted yet
//!   next_step  what happens to an item after its batch
//! steps      what the journal keeps of a batch, and what a later run makes of it
//! flight     submits one batch, waits for it and reads its results, on a thread of its own
//! ```
//!
//! All but `flight` are functions of values and the time.

mod fleet;
mod flight;
mod groups;
mod next_step;
mod settings;
mod steps;

pub(super) use fleet::{Action, Fleet, InBatch, Landing, Launch, Over, Unread};
pub(super) use flight::{Cargo, Event, Flight};
pub(super) use next_step::Rules;
pub use settings::Batched;
pub(super) use steps::Interrupted;
