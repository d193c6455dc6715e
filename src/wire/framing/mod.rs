//! Splits response bodies into events or lines. It does not interpret their content.

pub(crate) mod lines;
pub mod ndjson;
pub mod sse;
