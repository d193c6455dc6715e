//! The response of a stream, before and after its first event.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::body::StreamBody;
use super::reader::Reader;
use crate::cancel::CancelToken;
use crate::chat::StreamEvent;
use crate::cost::Meter;
use crate::deadline::TimeLimit;
use crate::error::{Error, RateLimit};
use crate::histogram::Histogram;
use crate::key::Secrets;
use crate::sync::ordered::Mutex;
use crate::transport::{Incoming, Watch};
use crate::wire::{self, Decoder};

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

/// A stream whose first event has arrived.
pub(crate) struct StartedStream {
    pub(super) reader: Box<Reader>,
    pub(super) events: Vec<StreamEvent>,
    /// How the stream ended, if it ended together with its first events.
    pub(super) end: Option<Result<(), Error>>,
}

impl StartedStream {
    /// The answer so far.
    pub(crate) fn decoder(&self) -> Arc<Mutex<Decoder>> {
        Arc::clone(&self.reader.source.decoder)
    }
}

impl Source {
    /// Waits for the first event.
    ///
    /// # Errors
    ///
    /// The error of a stream that fails before its first event, when a retry is still possible.
    pub(crate) fn begin(self) -> Result<StartedStream, Error> {
        Reader::new(self).begin()
    }
}

impl StartedStream {
    /// The rate limits in its headers.
    pub(crate) fn rate_limit(&self) -> RateLimit {
        wire::rate_limit(self.reader.source.incoming.reply(), SystemTime::now())
    }
}

impl fmt::Debug for StartedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedStream").field("events", &self.events).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_moves_to_its_thread_is_small() {
        // Each move leaves a copy on a stack that lives as long as the stream.
        assert!(size_of::<StartedStream>() <= 64);
    }
}
