//! The response of a stream before its first event, and after it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::reader::Reader;
use crate::cancel::CancelToken;
use crate::chat::StreamEvent;
use crate::cost::Meter;
use crate::deadline::TimeLimit;
use crate::error::Error;
use crate::histogram::Histogram;
use crate::key::Secrets;
use crate::sync::ordered::Mutex;
use crate::transport::{Body, Incoming, Watch};
use crate::wire::Decoder;

/// How long a stream may take, once the head of the response is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// To its first event.
    pub(crate) begin: TimeLimit,
    /// Without bringing the answer on.
    pub(crate) idle: Duration,
    /// In all.
    pub(crate) end: TimeLimit,
}

/// A response that comes as a stream: its bytes, and what they have said so far.
pub(crate) struct Source {
    pub(crate) body: Body,
    /// Status and headers.
    pub(crate) incoming: Incoming,
    pub(crate) watch: Arc<Watch>,
    /// Ends the reading when the stream is dropped.
    pub(crate) stop: CancelToken,
    /// Guards the answer as far as it has come. Locked by the reader for a step of
    /// decoding, by others to look at it.
    pub(crate) decoder: Arc<Mutex<Decoder>>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) pace: Pace,
    /// Where what it costs is limited.
    pub(crate) meter: Option<Meter>,
    /// The times between the pieces of the answer. Guards nothing but itself; written by
    /// the reader, and read when the stream has ended.
    pub(crate) gaps: Arc<Mutex<Histogram>>,
}

/// A stream whose first event is there.
pub(crate) struct Begun {
    pub(super) reader: Reader,
    pub(super) events: Vec<StreamEvent>,
    /// What ended it in the same breath.
    pub(super) end: Option<Result<(), Error>>,
}

impl Source {
    /// Waits for the first event.
    ///
    /// # Errors
    ///
    /// What the stream fails with before it, so that nothing of it was handed out.
    pub(crate) fn begin(self) -> Result<Begun, Error> {
        Reader::new(self).begin()
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("events", &self.events).finish_non_exhaustive()
    }
}
