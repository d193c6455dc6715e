use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::cancel::CancelToken;
use crate::chat::StreamEvent;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::key::Secrets;
use crate::provider::{self, Decoder, Failure};
use crate::transport::{Body, Incoming, Watch};

/// How much is read at once.
const BUFFER: usize = 4 * 1024;

/// How long, and for how many bytes, the end of the body is awaited once the answer is
/// whole: it mostly came with it, and a connection is worth a little patience.
const DRAIN: Duration = Duration::from_millis(500);
const MAX_DRAIN: usize = 64 * 1024;

/// How long a stream may take, once it has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Without bringing the answer on.
    pub(crate) gap: Duration,
    /// In all.
    pub(crate) end: Deadline,
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
}

/// A stream whose first event is there.
pub(crate) struct Begun {
    pub(super) reader: Reader,
    pub(super) events: Vec<StreamEvent>,
    /// What ended it in the same breath.
    pub(super) end: Option<Result<(), Error>>,
}

/// Reads a source, step by step.
pub(super) struct Reader {
    pub(super) source: Source,
    buffer: Box<[u8]>,
    begun: bool,
    /// Whether the last step brought the answer on, so that the gap begins anew with
    /// the next. Not sooner: in between, the caller may take its time.
    progressed: bool,
}

impl Source {
    /// Waits for the first event.
    ///
    /// # Errors
    ///
    /// What the stream fails with before it, so that nothing of it was handed out.
    pub(crate) fn begin(self) -> Result<Begun, Error> {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let mut reader = Reader { source: self, buffer, begun: false, progressed: false };
        let mut events = Vec::new();
        let end = loop {
            match reader.step(&mut events) {
                Ok(true) => break Some(Ok(())),
                Ok(false) if events.is_empty() => {}
                Ok(false) => break None,
                Err(error) if events.is_empty() => return Err(error),
                Err(error) => break Some(Err(error)),
            }
        };
        reader.begun = true;
        reader.progressed = true;
        Ok(Begun { reader, events, end })
    }
}

impl Reader {
    /// Reads what is there, or waits for it, and adds its events to `events`. Returns
    /// whether the answer is whole.
    ///
    /// # Errors
    ///
    /// What the stream fails with; the events before it are in `events`.
    pub(super) fn step(&mut self, events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        let Pace { gap, end } = self.source.pace;
        if std::mem::take(&mut self.progressed) && self.begun {
            self.source.watch.set_deadline(Deadline::after(Instant::now(), gap).earlier(end));
        }
        let length = self.source.body.read(&mut self.buffer).map_err(|error| self.broken(error))?;
        let (read, done) = {
            let mut decoder = self.source.decoder.lock();
            let read = match length {
                0 => decoder.finish(events).map(|()| true),
                _ => decoder.push(&self.buffer[..length], events),
            };
            (read, decoder.is_done())
        };
        self.progressed = read.map_err(|failure| self.failed(failure))?;
        Ok(done)
    }

    /// Reads what is left of the body behind the end of the answer, so that the
    /// connection can be used again.
    pub(super) fn drain(mut self) {
        self.source.watch.set_deadline(Deadline::after(Instant::now(), DRAIN));
        let mut read = 0;
        while read < MAX_DRAIN {
            match self.source.body.read(&mut self.buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => read += length,
            }
        }
    }

    /// The error of a connection that failed.
    fn broken(&self, error: Error) -> Error {
        let phase = match error.phase() {
            Some(Phase::Body) if self.begun => Phase::NextToken,
            Some(Phase::Body) => Phase::FirstToken,
            Some(phase) => phase,
            None => Phase::Body,
        };
        let error = match error.kind() {
            ErrorKind::Timeout if self.begun && self.source.pace.end.is_past(Instant::now()) => {
                return self.out_of_time();
            }
            ErrorKind::Timeout => Error::timeout(phase),
            ErrorKind::Cancelled => error.with_phase(phase),
            _ => error,
        };
        self.identified(error)
    }

    /// The error of a stream that has taken all the time it may in all.
    pub(super) fn out_of_time(&self) -> Error {
        let message = "waiting for the next token, at the end of the stream_timeout";
        self.identified(Error::new(ErrorKind::Timeout, message).with_phase(Phase::NextToken))
    }

    fn identified(&self, error: Error) -> Error {
        let reply = self.source.incoming.reply();
        error.with_status(reply.status).with_request_id(provider::request_id(reply)).bounded()
    }

    /// The error that the stream told of.
    fn failed(&self, mut failure: Failure) -> Error {
        failure.hide(&self.source.secrets);
        provider::error(failure, self.source.incoming.reply(), SystemTime::now())
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("events", &self.events).finish_non_exhaustive()
    }
}
