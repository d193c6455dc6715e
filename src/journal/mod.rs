//! The journal of a bulk run: a file with one line for each finished item, from which a run resumes.
//!
//! ```text
//! settings  where the journal is, and when it is flushed
//! line      what a line says: the header, an answer, a failure, a step of a batch
//! index     the ids of a run, and where the journal has their lines
//!   numbers ids that are numbers, as ranges
//!   table   a compact table by hashes of ids
//! scan      reads a journal into an index, and finds a torn last line
//! lock      keeps a second process out
//! file      opens a journal: all of the above, in this order
//! writer    appends lines, and flushes them
//! ```

mod file;
mod index;
mod line;
mod lock;
mod numbers;
mod scan;
mod settings;
mod table;
mod writer;

pub(crate) use file::{Job, Opened, Reader, for_the_user_alone, open};
pub(crate) use index::{Entered, Index, Known};
pub(crate) use line::{answered, batch_step, failed};
pub(crate) use scan::OpenBatch;
pub use settings::{Flush, Journal};
#[cfg(test)]
pub(crate) use writer::Sink;
pub(crate) use writer::Writer;
