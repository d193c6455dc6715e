//! Many calls that lose nothing: workers, limits and budgets, a journal to resume from, and
//! progress.
//!
//! [`Client::bulk`](crate::Client::bulk) starts here; the guide has [a
//! page](crate::guide::bulk) on it.
//!
//! ```text
//! settings   Bulk: the settings, and how a run starts
//! run        Run: the iterator that the program sees
//! shell      the channels and files around the core
//! threads    the workers' threads
//! core       which item is sent next, and which result is yielded
//!   window     the look-ahead and the order
//!   pace       fewer calls after a rate limit, slowly more again
//!   held       items that wait
//! worker     a call, its line in the journal, and the next step of the item
//!   verdict    the next step of an item whose call failed
//! batched    batches instead of calls
//! dedupe     equal requests, which are sent once
//! failures   the file of the items that failed
//! json_lines the reader of files with a value on each line
//! progress   counts, rates and forecasts
//! task       what chats and embeddings differ in
//! ```
//!
//! `core` and everything below it, `verdict`, `dedupe` and the arithmetic of `progress` are functions
//! of values and the time.

mod batched;
mod core;
mod dedupe;
mod failures;
mod held;
mod json_lines;
#[cfg(feature = "internals")]
pub(crate) mod offline;
mod pace;
mod progress;
mod run;
mod settings;
mod shell;
mod task;
mod threads;
mod verdict;
mod window;
mod worker;

pub use crate::journal::{Flush, Journal};
pub use batched::{Batched, OnDeadline};
pub use failures::FailedItem;
pub use json_lines::JsonLines;
pub use progress::{Progress, Status};
pub use run::Run;
pub use settings::{Bulk, OnCancel};
pub use verdict::OnBudget;
