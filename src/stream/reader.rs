//! The thread that reads a stream and passes its events to the caller.

use crossbeam_channel::{Receiver, Sender, TrySendError, select_biased};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use super::source::{Pace, Source};
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::chat::StreamEvent;
use crate::deadline::{Deadline, TimeLimit};
use crate::error::{Error, ErrorKind, Phase, RateLimit};
use crate::money::Money;
use crate::sync::ordered::Mutex;
use crate::wire::{self, Decoder, Failure};

/// How long, and for how many bytes, to wait for the end of the body after a complete answer. It
/// usually comes with the answer, and reusing the connection is worth a short wait.
const DRAIN: Duration = Duration::from_millis(500);
const MAX_DRAIN: usize = 64 * 1024;

/// How long to wait for usage and the end of the stream after the answer has finished, if the
/// server neither sends the end marker nor closes. In every recorded stream, usage follows within
/// milliseconds; gateways that count tokens themselves take longer.
const GRACE: Duration = Duration::from_secs(2);

/// How many batches of events may wait for the caller before the reader pauses, and then the
/// provider. A batch is what one read of the socket yields.
pub(super) const BATCHES: usize = 4;

/// The reader's stack: three times what the deepest JSON it reads (128 levels) needs in a build
/// without optimisation. Only the touched part uses memory.
const STACK: usize = 1024 * 1024;

/// The events a reader passes on at once. The channel closes when the reader is done.
pub(super) type Batch = Vec<StreamEvent>;

/// Why a reader stopped before the answer was complete ([`Lock::StreamError`]). Guards only itself;
/// the reader writes it before it closes the channel, and others read it afterwards.
pub(super) type ReaderError = Arc<Mutex<Option<Error>>>;

/// Reads a source, step by step. Boxed, because its thread would otherwise keep copies of it on
/// the stack for as long as the stream is open.
pub(super) struct Reader {
    pub(super) source: Source,
    begun: bool,
    /// When the last piece of the answer came.
    last: Instant,
    /// Whether the last step made progress. The idle timeout then restarts with the next step, not
    /// earlier: in between, the caller may take its time.
    progressed: bool,
    /// The limit of the current read.
    limit: TimeLimit,
    /// How long to wait for usage and the end, once the answer has finished.
    grace: Option<Deadline>,
}

/// A stream whose first event has arrived.
pub(crate) struct StartedStream {
    pub(super) reader: Box<Reader>,
    pub(super) events: Vec<StreamEvent>,
    /// How the stream ended, if it ended together with its first events.
    pub(super) end: Option<Result<(), Error>>,
}

impl StartedStream {
    /// Waits for the first event.
    ///
    /// # Errors
    ///
    /// The error of a stream that fails before its first event, when a retry is still possible.
    pub(crate) fn begin(source: Source) -> Result<Self, Error> {
        Reader::new(source).begin()
    }

    /// The answer so far.
    pub(crate) fn decoder(&self) -> Arc<Mutex<Decoder>> {
        Arc::clone(&self.reader.source.decoder)
    }

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

impl Reader {
    fn new(source: Source) -> Box<Self> {
        let limit = source.pace.begin;
        // The idle time starts with the response.
        let progressed = true;
        let last = Instant::now();
        Box::new(Self { source, begun: false, last, progressed, limit, grace: None })
    }

    fn begin(mut self: Box<Self>) -> Result<StartedStream, Error> {
        let mut events = Vec::new();
        let end = loop {
            match self.step(&mut events) {
                Ok(true) => break Some(Ok(())),
                Ok(false) if events.is_empty() => {}
                Ok(false) => break None,
                Err(error) if events.is_empty() => return Err(error),
                Err(error) => break Some(Err(error)),
            }
        };
        self.begun = true;
        self.last = Instant::now();
        self.progressed = true;
        // The events may wait long for a caller who has many streams.
        events.shrink_to_fit();
        Ok(StartedStream { reader: self, events, end })
    }

    /// Reads to the end on a thread of its own, and passes the events on. `whole` says that the
    /// answer is already complete.
    pub(super) fn spawn(
        self: Box<Self>,
        whole: bool,
        sender: Sender<Batch>,
        cancel: Option<CancelToken>,
        reader_error: ReaderError,
    ) -> io::Result<JoinHandle<()>> {
        let thread = thread::Builder::new().name("tollgate-stream".to_owned());
        thread.stack_size(STACK).spawn(move || {
            let said = self.run(whole, &sender, cancel);
            *reader_error.lock() = said.err();
        })
    }

    /// Returning closes the connection, unless the body was read to its end.
    fn run(
        mut self: Box<Self>,
        whole: bool,
        sender: &Sender<Batch>,
        cancel: Option<CancelToken>,
    ) -> Result<(), Error> {
        // A cancellation or the deadline ends a read. Waiting for the caller has to check for both.
        let bounds = Bounds { deadline: self.source.pace.end.deadline, cancel };
        let (is_cancelled, _listening) = bounds.cancelled();
        let is_over = bounds.deadline.channel();
        if whole {
            self.drain();
            return Ok(());
        }
        loop {
            let mut events = Vec::new();
            match self.step(&mut events) {
                Ok(false) if events.is_empty() => {}
                Ok(false) => match sender.try_send(events) {
                    Ok(()) => {}
                    // The caller dropped the stream.
                    Err(TrySendError::Disconnected(_)) => return Ok(()),
                    Err(TrySendError::Full(events)) => {
                        self.source.body.stalled();
                        select_biased! {
                            send(sender, events) -> sent => if sent.is_err() {
                                return Ok(());
                            },
                            recv(is_cancelled) -> _ => return Err(Error::cancelled()),
                            recv(is_over) -> _ => return Err(self.out_of_time()),
                        }
                    }
                },
                // Releases the connection before waiting for the caller.
                Ok(true) => {
                    let left = sender.try_send(events).err().map(TrySendError::into_inner);
                    self.drain();
                    return left.map_or(Ok(()), |events| hand_over(sender, events, &is_cancelled));
                }
                Err(error) => {
                    drop(self);
                    if !events.is_empty() {
                        hand_over(sender, events, &is_cancelled)?;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Reads what is there, or waits for it, and adds its events to `events`. Returns whether the
    /// answer is complete.
    ///
    /// # Errors
    ///
    /// The error the stream fails with. The events before it are in `events`.
    fn step(&mut self, events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        if std::mem::take(&mut self.progressed) {
            let Pace { begin, idle, end } = self.source.pace;
            let idle = TimeLimit::after("idle_timeout", Instant::now(), idle);
            self.limit = idle.earlier(if self.begun { end } else { begin });
            let deadline = self.limit.deadline;
            let bounded = self.grace.map_or(deadline, |grace| grace.earlier(deadline));
            self.source.watch.set_deadline(bounded);
        }
        let may_be_cut = self.source.body.is_until_close();
        let piece = match self.source.body.read() {
            Ok(piece) => piece,
            Err(error) => return self.read_failed(error, events),
        };
        let (read, done, finished, is_complete, passed) = {
            let mut decoder = self.source.decoder.lock();
            let read = match piece.is_empty() {
                true => {
                    let may_be_cut = may_be_cut && decoder.is_silent();
                    let end = decoder.finish(events).map(|()| true);
                    end.map_err(|failure| match may_be_cut && !decoder.has_events() {
                        true => Failure::cut_off(),
                        false => failure,
                    })
                }
                false => decoder.push(piece, events),
            };
            let meter = self.source.meter.as_ref().filter(|_| !decoder.is_done());
            let passed = meter.and_then(|meter| meter.passed(&decoder.usage()));
            (read, decoder.is_done(), decoder.has_finished(), is_complete(&decoder), passed)
        };
        let read = read.map_err(|failure| self.failed(failure));
        if done || read.is_err() {
            self.source.body.recorded(read.as_ref().err());
        }
        if done && read.is_ok() && is_complete {
            self.source.body.complete();
        }
        self.progressed = read?;
        self.await_end(finished && !done);
        if self.progressed && self.begun {
            let now = Instant::now();
            self.source.gaps.lock().record(now.saturating_duration_since(self.last));
            self.last = now;
        }
        passed.map_or(Ok(done), |limit| Err(self.too_expensive(limit)))
    }

    /// Starts the grace period when the answer finishes, and ends it if the answer continues.
    fn await_end(&mut self, finished: bool) {
        match (finished, self.grace) {
            (true, None) => {
                let until = Deadline::after(Instant::now(), GRACE);
                self.source.watch.tighten_deadline(until);
                self.grace = Some(until);
            }
            (false, Some(_)) => self.grace = None,
            _ => {}
        }
    }

    /// Handles a failed read. Returns whether the answer is complete: it is if it has finished and
    /// only the wait for the end took too long.
    fn read_failed(&mut self, error: Error, events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        let is_late = error.kind() == ErrorKind::Timeout && self.grace.is_some();
        if is_late && self.source.decoder.lock().complete(events) {
            self.source.body.recorded(None);
            return Ok(true);
        }
        Err(self.broken(error))
    }

    /// Reads the rest of the body after a complete answer, so that the connection can be reused.
    fn drain(mut self: Box<Self>) {
        self.source.watch.set_deadline(Deadline::after(Instant::now(), DRAIN));
        let mut read = 0;
        while read < MAX_DRAIN {
            match self.source.body.read() {
                Ok([]) | Err(_) => break,
                Ok(piece) => read += piece.len(),
            }
        }
    }

    /// The error of a failed connection.
    fn broken(&self, error: Error) -> Error {
        let phase = match error.phase() {
            Some(Phase::Body) if self.begun => Phase::NextToken,
            Some(Phase::Body) => Phase::FirstToken,
            Some(phase) => phase,
            None => Phase::Body,
        };
        let error = match error.kind() {
            ErrorKind::Timeout if self.begun && self.is_over() => return self.out_of_time(),
            ErrorKind::Timeout => {
                Error::timeout(phase).with_limit(self.limit.setting, self.limit.value)
            }
            ErrorKind::Cancelled => error.with_phase(phase),
            _ => error,
        };
        self.identified(error)
    }

    /// The error of a stream that reached its total time limit.
    fn out_of_time(&self) -> Error {
        let end = self.source.pace.end;
        self.identified(Error::timeout(Phase::NextToken).with_limit(end.setting, end.value))
    }

    fn is_over(&self) -> bool {
        self.source.pace.end.deadline.is_past(Instant::now())
    }

    /// The error of a stream that costs more than a request may.
    fn too_expensive(&self, limit: Money) -> Error {
        let message = format!(
            "the client stopped the stream because it would have cost more than {limit}, the limit \
             per request; raise that limit or ask for less output"
        );
        self.identified(Error::new(ErrorKind::BudgetExceeded, message))
    }

    fn identified(&self, error: Error) -> Error {
        let Source { incoming, secrets, .. } = &self.source;
        incoming.identify(error).hide(secrets).bounded()
    }

    /// The error that the stream reports.
    fn failed(&self, failure: Failure) -> Error {
        let Source { incoming, secrets, .. } = &self.source;
        wire::error(failure, incoming.reply(), SystemTime::now(), secrets)
    }
}

/// Whether the model ended its answer by itself, so that the cache may keep it.
fn is_complete(decoder: &Decoder) -> bool {
    decoder.whole().is_some_and(|whole| whole.finish_reason.is_complete())
}

/// Waits until the caller takes the last events.
fn hand_over(
    sender: &Sender<Batch>,
    events: Batch,
    is_cancelled: &Receiver<()>,
) -> Result<(), Error> {
    select_biased! {
        // Fails if the caller dropped the stream, which does not matter.
        send(sender, events) -> _ => Ok(()),
        recv(is_cancelled) -> _ => Err(Error::cancelled()),
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
