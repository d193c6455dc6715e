//! Takes bodies apart into events or lines, before anyone reads what is in them.

pub(crate) mod lines;
pub mod ndjson;
pub mod sse;
