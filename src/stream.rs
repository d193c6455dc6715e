//! An answer that is read while it is written.

mod context;
mod reader;
mod select;
mod source;
mod text;

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use std::vec;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, never};

use crate::cancel::CancelToken;
use crate::chat::{ChatResponse, Provider, StreamEvent};
use crate::cost::Charge;
use crate::error::{Attempt, Error, ErrorKind, Phase};
use crate::observed::ObservedCall;
use crate::retry::Tried;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use crate::wire::{self, Decoder};
use context::StreamContext;
use reader::{BATCHES, Batch, LastWord};
pub use select::{Selected, select};
pub(crate) use source::{Begun, Pace, Source};
pub use text::TextDeltas;

/// How long the end of the body is awaited once the answer is whole, so that a call
/// that follows finds the connection free.
const SETTLE: Duration = Duration::from_millis(100);

/// An answer that comes piece by piece.
///
/// An iterator over its events, for a plain `for` loop. It ends after
/// [`Finished`](StreamEvent::Finished), or after its first error. A stream that breaks
/// off is always an error and never looks like its end: of kind
/// [`Truncated`](ErrorKind::Truncated) where the connection ended in good order.
///
/// ```no_run
/// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
/// use tollgate::StreamEvent;
///
/// let mut stream = client.stream("Write a long story.")?;
/// for event in &mut stream {
///     if let StreamEvent::TextDelta(text) = event? {
///         print!("{text}");
///     }
/// }
/// println!("\n{} tokens", stream.finish()?.usage.total_tokens);
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// It holds a connection of the pool until it has ended or is dropped. A thread of its
/// own reads the socket and decodes; it runs ahead of the caller by a
/// bounded number of events, and then the provider has to wait. A stream that is
/// dropped closes its connection at once, since the rest would cost money; one that
/// is read to its end gives it back to the pool.
#[must_use = "a stream that is dropped is cancelled"]
pub struct ChatStream {
    receiver: Receiver<Batch>,
    /// What the caller has yet to see of the last batch.
    batch: vec::IntoIter<StreamEvent>,
    /// How it ended, once the caller has seen that.
    end: Option<Result<(), Error>>,
    last_word: LastWord,
    reader: Option<JoinHandle<()>>,
    stop: CancelToken,
    /// The caller's.
    cancel: Option<CancelToken>,
    decoder: Arc<Mutex<Decoder>>,
    context: StreamContext,
}

/// What [`ChatStream::next_timeout`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum NextEvent {
    /// The next event.
    Event(StreamEvent),
    /// No event came in time. More may follow.
    TimedOut,
    /// The stream has ended; no more events follow.
    Ended,
}

impl ChatStream {
    /// A stream of a call to `model` that began at `begun`.
    pub(crate) fn new(
        tried: Tried<(Begun, Charge)>,
        provider: Provider,
        model: String,
        cancel: Option<CancelToken>,
        begun: Instant,
        watched: ObservedCall,
    ) -> Result<Self, Error> {
        let Tried { value: (Begun { reader, events, end }, charge), attempts } = tried;
        let first_token = events
            .first()
            .filter(|event| !matches!(event, StreamEvent::Usage(_) | StreamEvent::Finished(_)))
            .map(|_| begun.elapsed());
        if let Some(after) = first_token {
            watched.first_token(after);
        }
        let reply = reader.source.incoming.reply();
        let context = StreamContext {
            provider,
            model,
            secrets: Arc::clone(&reader.source.secrets),
            request_id: wire::request_id(reply, &reader.source.secrets),
            rate_limit: wire::rate_limit(reply, SystemTime::now()),
            attempts,
            status: reply.status,
            begun,
            first_token,
            gaps: Arc::clone(&reader.source.gaps),
            meter: charge.meter(),
            charge: Some(charge),
            watched: Some(watched),
            latency: None,
            cost: None,
        };
        let (stop, decoder) = (reader.source.stop.clone(), Arc::clone(&reader.source.decoder));
        let (sender, receiver) = bounded(BATCHES);
        let mut stream = Self {
            receiver,
            batch: events.into_iter(),
            end: None,
            last_word: Arc::new(Mutex::new(Lock::StreamError, None)),
            reader: None,
            stop,
            cancel,
            decoder,
            context,
        };
        match end {
            // It ended with its first events.
            Some(Err(error)) => *stream.last_word.lock() = Some(error),
            end => {
                let (cancel, last_word) = (stream.cancel.clone(), Arc::clone(&stream.last_word));
                match reader.spawn(end.is_some(), sender, cancel, last_word) {
                    Ok(thread) => stream.reader = Some(thread),
                    Err(cause) => {
                        let message = "cannot start a thread to read a stream in";
                        let error = Error::new(ErrorKind::Connection, message).with_source(cause);
                        return Err(stream.fail(error));
                    }
                }
            }
        }
        Ok(stream)
    }

    /// The pieces of the text alone, for those who only want to print it. An answer that
    /// only refuses or calls tools has none. To look at the stream afterwards, keep it in
    /// a variable. If the stream broke off before, its error is the first item.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// for delta in client.stream("Write a haiku.")?.text() {
    ///     print!("{}", delta?);
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn text(&mut self) -> TextDeltas<'_> {
        TextDeltas::new(self)
    }

    /// Reads to the end, whatever events are left, and returns the whole answer, as
    /// [`Client::chat`](crate::Client::chat) does, with two differences: its
    /// [`raw`](ChatResponse::raw) body is empty, and usage that the provider does not report
    /// is estimated, where `chat` says that it is
    /// [missing](crate::UsageSource::Missing).
    ///
    /// # Errors
    ///
    /// What the stream broke off with, also when the caller has seen it already;
    /// [`partial`](Self::partial) is what came before.
    pub fn finish(&mut self) -> Result<ChatResponse, Error> {
        for event in self.by_ref() {
            event?;
        }
        match &self.end {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(self.partial()),
        }
    }

    /// What has come of the answer so far, in a copy; it may be a little more than the
    /// events seen. Of a stream that broke off it is all there is.
    ///
    /// A tool call in it may lack the rest of its arguments until it was
    /// [complete](StreamEvent::ToolCallComplete), and its usage is estimated until the
    /// provider reports it ([`UsageSource`](crate::UsageSource)).
    ///
    /// Its cost is that of what has come so far. Once the stream has ended it is what was
    /// charged, which of a stream that ended early may be more; see
    /// [`UnreportedUsage`](crate::UnreportedUsage).
    pub fn partial(&self) -> ChatResponse {
        let decoded = self.decoder.lock().partial();
        self.context.response(decoded)
    }

    /// What was tried until the stream began. The last attempt is the stream; if that
    /// broke off, it says so.
    pub fn attempts(&self) -> &[Attempt] {
        &self.context.attempts
    }

    /// The provider's id of the HTTP request, to quote to its support.
    pub fn request_id(&self) -> Option<&str> {
        self.context.request_id.as_deref()
    }

    /// Whether it has ended: there are no more events, and no error to come.
    pub fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Waits for the next event, as [`next`](Iterator::next) does, for at most `timeout`. A wait
    /// that runs out loses nothing: the next one goes on where it stopped.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// # fn draw_spinner() {}
    /// use std::time::Duration;
    /// use tollgate::{NextEvent, StreamEvent};
    ///
    /// let mut stream = client.stream("Write a long story.")?;
    /// loop {
    ///     match stream.next_timeout(Duration::from_millis(100))? {
    ///         NextEvent::Event(StreamEvent::TextDelta(text)) => print!("{text}"),
    ///         NextEvent::Event(_) => {}
    ///         NextEvent::TimedOut => draw_spinner(),
    ///         NextEvent::Ended => break,
    ///     }
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream broke off with, once. Later calls return [`NextEvent::Ended`].
    #[doc(alias = "recv_timeout")]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<NextEvent, Error> {
        self.next_by(Instant::now().checked_add(timeout))
    }

    fn next_by(&mut self, at: Option<Instant>) -> Result<NextEvent, Error> {
        if self.end.is_some() {
            self.settle(at);
            return Ok(NextEvent::Ended);
        }
        loop {
            // Ends at once, whatever else has come.
            if self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
                return Err(self.cancel());
            }
            if let Some(event) = self.batch.next() {
                if let StreamEvent::Finished(_) = event {
                    self.end = Some(Ok(()));
                    self.context.stop_the_clock(None);
                    self.context.end(&self.decoder, None);
                }
                return Ok(NextEvent::Event(event));
            }
            let received = match at {
                Some(at) => self.receiver.recv_deadline(at),
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(events) => self.batch = events.into_iter(),
                Err(RecvTimeoutError::Timeout) => return Ok(NextEvent::TimedOut),
                Err(RecvTimeoutError::Disconnected) => {
                    let said = self.last_word.lock().take();
                    let error = said.unwrap_or_else(|| {
                        Error::new(ErrorKind::Protocol, "the reader of the stream is gone")
                    });
                    return Err(self.fail(error));
                }
            }
        }
    }

    /// Ends the stream before its end, for the caller wants no more of it.
    fn cancel(&mut self) -> Error {
        let error = Error::cancelled()
            .with_phase(Phase::NextToken)
            .with_status(self.context.status)
            .with_request_id(self.context.request_id.clone());
        self.fail(error)
    }

    /// Ends the stream with its error, and returns that.
    fn fail(&mut self, error: Error) -> Error {
        self.batch = Vec::new().into_iter();
        let context = &mut self.context;
        context.stop_the_clock(Some(&error));
        let error =
            error.with_provider(context.provider.as_str()).with_attempts(context.attempts.clone());
        self.end = Some(Err(error.clone()));
        self.stop();
        self.context.end(&self.decoder, Some(&error));
        error
    }

    /// Awaits the end of the body behind a whole answer for a moment. The reader, which
    /// hangs up when it has seen it, goes on by itself for no longer than half a second.
    fn settle(&mut self, at: Option<Instant>) {
        let Some(reader) = self.reader.take() else { return };
        let settled = Instant::now() + SETTLE;
        let until = at.map_or(settled, |at| at.min(settled));
        if let Err(RecvTimeoutError::Disconnected) = self.receiver.recv_deadline(until) {
            let _ = reader.join();
        } else if until < settled {
            // A caller that only looks in looks in again.
            self.reader = Some(reader);
        }
    }

    /// Ends the reader, wherever it is: reading, or handing over what nobody takes.
    fn stop(&mut self) {
        self.stop.cancel();
        self.receiver = never();
        if let Some(reader) = self.reader.take() {
            // One that panicked has said so.
            let _ = reader.join();
        }
    }
}

impl Iterator for ChatStream {
    type Item = Result<StreamEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_by(None) {
            Ok(NextEvent::Event(event)) => Some(Ok(event)),
            // Without a deadline the wait never times out.
            Ok(NextEvent::Ended | NextEvent::TimedOut) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl FusedIterator for ChatStream {}

impl Drop for ChatStream {
    fn drop(&mut self) {
        match self.end {
            Some(Ok(())) => self.settle(None),
            Some(Err(_)) => {}
            None => {
                self.cancel();
            }
        }
    }
}

impl fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatStream")
            .field("provider", &self.context.provider)
            .field("model", &self.context.model)
            .field("request_id", &self.context.request_id)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
