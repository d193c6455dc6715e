//! Splits response bodies into events, lines or frames. It does not interpret their content.

#[cfg(feature = "bedrock")]
pub mod aws_event_stream;
#[cfg(feature = "bedrock")]
mod aws_frame;
mod frames;
pub(crate) mod lines;
pub mod ndjson;
pub mod sse;

/// The name of an event that reports an error.
pub(in crate::wire) const ERROR: &str = "error";

pub(in crate::wire) use frames::{Frame, Frames, Framing, Rest};
