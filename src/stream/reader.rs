//! The thread that reads a stream and hands its events to the caller.

use crossbeam_channel::{Receiver, Sender, TrySendError, select_biased};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use super::source::{Begun, Pace, Source};
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::chat::StreamEvent;
use crate::deadline::{Deadline, TimeLimit};
use crate::error::{Error, ErrorKind, Phase};
use crate::money::Money;
use crate::sync::ordered::Mutex;
use crate::wire::{self, Failure};

/// How much is read at once. Most streams come word by word.
const BUFFER: usize = 4 * 1024;

/// How much is read at once of a stream that filled the first: all that a connection reads
/// at once, so that what came together is handed over together.
const FULL: usize = 12 * 1024 + 1;

/// How long, and for how many bytes, the end of the body is awaited once the answer is
/// whole: it mostly came with it, and a connection is worth a little patience.
const DRAIN: Duration = Duration::from_millis(500);
const MAX_DRAIN: usize = 64 * 1024;

/// How long usage and the end of a stream are awaited once the answer has finished, if the
/// server neither sends the end marker nor closes. Usage follows within milliseconds
/// wherever streams were recorded; gateways that count tokens themselves take longer.
const GRACE: Duration = Duration::from_secs(2);

/// How many batches of events may wait for the caller before the reader waits, and
/// then the provider. A batch is what one read of the socket brought.
pub(super) const BATCHES: usize = 4;

/// The reader's stack: enough for the deepest JSON that is read, 128 levels, in a
/// build without optimisation, three times over. Only what is touched of it takes
/// memory.
const STACK: usize = 1024 * 1024;

/// The events a reader hands over. It hangs up when it is done.
pub(super) type Batch = Vec<StreamEvent>;

/// Why a reader has hung up, where the answer was not whole ([`Lock::StreamError`]). Guards
/// nothing but itself; written by the reader before it hangs up, and read after.
pub(super) type LastWord = Arc<Mutex<Option<Error>>>;

/// Reads a source, step by step.
pub(super) struct Reader {
    pub(super) source: Source,
    buffer: Box<[u8]>,
    begun: bool,
    /// When the last piece of the answer came.
    last: Instant,
    /// Whether the last step brought progress. Then the next step restarts the idle timer. Not
    /// sooner: the caller may take its time in between.
    progressed: bool,
    /// The limit that holds for what is read now.
    limit: TimeLimit,
    /// Until when usage and the end are awaited, once the answer has finished.
    grace: Option<Deadline>,
}

impl Reader {
    pub(super) fn new(source: Source) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let limit = source.pace.begin;
        // The response has begun, and with it the time that it may be idle.
        let progressed = true;
        Self { source, buffer, begun: false, last: Instant::now(), progressed, limit, grace: None }
    }

    /// Waits for the first event.
    ///
    /// # Errors
    ///
    /// What the stream fails with before it.
    pub(super) fn begin(mut self) -> Result<Begun, Error> {
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
        // They may wait long for a caller who has many streams.
        events.shrink_to_fit();
        Ok(Begun { reader: self, events, end })
    }

    /// Reads to the end in a thread of its own, and hands over what comes; `whole` says
    /// that the answer has come already.
    pub(super) fn spawn(
        self,
        whole: bool,
        sender: Sender<Batch>,
        cancel: Option<CancelToken>,
        last_word: LastWord,
    ) -> io::Result<JoinHandle<()>> {
        let thread = thread::Builder::new().name("tollgate-stream".to_owned());
        thread.stack_size(STACK).spawn(move || {
            let said = self.run(whole, &sender, cancel);
            *last_word.lock() = said.err();
        })
    }

    /// Returning closes the connection, unless the body was read to its end.
    fn run(
        mut self,
        whole: bool,
        sender: &Sender<Batch>,
        cancel: Option<CancelToken>,
    ) -> Result<(), Error> {
        // Reading ends by itself when the call is cancelled or its time is over; waiting
        // for the caller does not.
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
                    // Nobody wants it any more.
                    Err(TrySendError::Disconnected(_)) => return Ok(()),
                    Err(TrySendError::Full(events)) => select_biased! {
                        send(sender, events) -> sent => if sent.is_err() {
                            return Ok(());
                        },
                        recv(is_cancelled) -> _ => return Err(Error::cancelled()),
                        recv(is_over) -> _ => return Err(self.out_of_time()),
                    },
                },
                // The connection is let go before a caller is waited for.
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

    /// Reads what is there, or waits for it, and adds its events to `events`. Returns
    /// whether the answer is whole.
    ///
    /// # Errors
    ///
    /// What the stream fails with; the events before it are in `events`.
    fn step(&mut self, events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        if std::mem::take(&mut self.progressed) {
            let Pace { begin, idle, end } = self.source.pace;
            let idle = TimeLimit::after("idle_timeout", Instant::now(), idle);
            self.limit = idle.earlier(if self.begun { end } else { begin });
            let deadline = self.limit.deadline;
            let bounded = self.grace.map_or(deadline, |grace| grace.earlier(deadline));
            self.source.watch.set_deadline(bounded);
        }
        let length = match self.source.body.read(&mut self.buffer) {
            Ok(length) => length,
            Err(error) => return self.without_end(error, events),
        };
        let (read, done, finished, passed) = {
            let mut decoder = self.source.decoder.lock();
            let read = match length {
                0 => {
                    let may_be_cut = self.source.body.is_until_close() && decoder.is_silent();
                    let end = decoder.finish(events).map(|()| true);
                    end.map_err(|failure| match may_be_cut && !decoder.has_events() {
                        true => Failure::cut_off(),
                        false => failure,
                    })
                }
                _ => decoder.push(&self.buffer[..length], events),
            };
            let meter = self.source.meter.as_ref().filter(|_| !decoder.is_done());
            let passed = meter.and_then(|meter| meter.passed(&decoder.usage()));
            (read, decoder.is_done(), decoder.has_finished(), passed)
        };
        self.progressed = read.map_err(|failure| self.failed(failure))?;
        self.await_end(finished && !done);
        if length == self.buffer.len() && length < FULL {
            self.buffer = vec![0; FULL].into_boxed_slice();
        }
        if self.progressed && self.begun {
            let now = Instant::now();
            self.source.gaps.lock().record(now.saturating_duration_since(self.last));
            self.last = now;
        }
        passed.map_or(Ok(done), |limit| Err(self.too_dear(limit)))
    }

    /// Starts the grace period when the answer finishes, and ends it if it goes on.
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

    /// Ends a stream that could not be read on. Returns whether the answer is whole: it is if
    /// it has finished and only the wait for its end took too long.
    fn without_end(&mut self, error: Error, events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        let is_late = error.kind() == ErrorKind::Timeout && self.grace.is_some();
        if is_late && self.source.decoder.lock().finish(events).is_ok() {
            return Ok(true);
        }
        Err(self.broken(error))
    }

    /// Reads what is left of the body behind the end of the answer, so that the
    /// connection can be used again.
    fn drain(mut self) {
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
            ErrorKind::Timeout if self.begun && self.is_over() => return self.out_of_time(),
            ErrorKind::Timeout => {
                Error::timeout(phase).with_limit(self.limit.setting, self.limit.value)
            }
            ErrorKind::Cancelled => error.with_phase(phase),
            _ => error,
        };
        self.identified(error)
    }

    /// The error of a stream that has taken all the time it may in all.
    fn out_of_time(&self) -> Error {
        let end = self.source.pace.end;
        self.identified(Error::timeout(Phase::NextToken).with_limit(end.setting, end.value))
    }

    fn is_over(&self) -> bool {
        self.source.pace.end.deadline.is_past(Instant::now())
    }

    /// The error of a stream that costs more than a request may.
    fn too_dear(&self, limit: Money) -> Error {
        let message = format!(
            "the stream was stopped, since it would have cost more than {limit}, the limit per \
             request"
        );
        self.identified(Error::new(ErrorKind::BudgetExceeded, message))
    }

    fn identified(&self, error: Error) -> Error {
        let Source { incoming, secrets, .. } = &self.source;
        incoming.identify(error).hide(secrets).bounded()
    }

    /// The error that the stream told of.
    fn failed(&self, failure: Failure) -> Error {
        let Source { incoming, secrets, .. } = &self.source;
        wire::error(failure, incoming.reply(), SystemTime::now(), secrets)
    }
}

/// Waits until the caller takes the last events.
fn hand_over(
    sender: &Sender<Batch>,
    events: Batch,
    is_cancelled: &Receiver<()>,
) -> Result<(), Error> {
    select_biased! {
        // In vain where nobody wants them any more.
        send(sender, events) -> _ => Ok(()),
        recv(is_cancelled) -> _ => Err(Error::cancelled()),
    }
}
