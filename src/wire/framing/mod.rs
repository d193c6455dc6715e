//! Splits response bodies into events or lines. It does not interpret their content.

mod frames;
pub(crate) mod lines;
pub mod ndjson;
pub mod sse;

pub(in crate::wire) use frames::{Frame, Frames, Framing, Rest};
