//! Batches: many requests in one job of the provider, at about half the price, answered within a
//! day.
//!
//! [`Client::batches`](crate::Client::batches) submits, watches and reads them. The
//! [guide](crate::guide::batches) shows how.

mod collected;
mod handle;
mod profile;
mod request;
mod result;
mod status;
mod submission;

pub(crate) use collected::{Collected, Seen};
pub use handle::Batch;
pub(crate) use handle::{BatchEndpoint, Item, Part, Settled};
pub use profile::{BatchFormat, BatchProfile};
pub use request::BatchRequest;
pub(crate) use request::RequestRef;
pub use result::{BatchOutcome, BatchResult};
pub use status::{BatchCounts, BatchState, BatchStatus};
pub(crate) use submission::{Mark, NoLog, SubmissionLog, Unnamed};
