//! The response of a stream: its bytes, and what was decoded so far.

use std::sync::Arc;
use std::time::Duration;

use super::body::StreamBody;
use crate::cancel::CancelToken;
use crate::cost::Meter;
use crate::deadline::TimeLimit;
use crate::histogram::Histogram;
use crate::key::Secrets;
use crate::sync::ordered::Mutex;
use crate::transport::{Incoming, Watch};
use crate::wire::Decoder;

/// The time limits of a stream, counted from the head of the response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Until its first event.
    pub(crate) begin: TimeLimit,
    /// Without progress.
    pub(crate) idle: Duration,
    /// In total.
    pub(crate) end: TimeLimit,
}

/// A streamed response: its bytes, and what was decoded so far.
pub(crate) struct Source {
    pub(crate) body: StreamBody,
    /// Status and headers.
    pub(crate) incoming: Incoming,
    pub(crate) watch: Arc<Watch>,
    /// Stops the reader when the stream is dropped.
    pub(crate) stop: CancelToken,
    /// Guards the answer so far. The reader locks it for one decoding step, others to look at it.
    pub(crate) decoder: Arc<Mutex<Decoder>>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) pace: Pace,
    /// Set if the cost of the stream is limited.
    pub(crate) meter: Option<Meter>,
    /// The times between the pieces of the answer. Guards only itself; the reader writes it, and
    /// others read it after the stream has ended.
    pub(crate) gaps: Arc<Mutex<Histogram>>,
}
