//! A streamed response: its events while the model writes it.

mod body;
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

use crate::answer_source::AnswerSource;
use crate::cancel::CancelToken;
use crate::chat::{ChatResponse, Provider, StreamEvent};
use crate::cost::Charge;
use crate::error::{Attempt, Error, ErrorKind, Phase};
use crate::observed::ObservedCall;
use crate::retry::Tried;
use crate::routing::{LazyTrace, Ticket};
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use crate::wire::{self, Decoder};
pub(crate) use body::StreamBody;
use context::StreamContext;
pub(crate) use reader::StartedStream;
use reader::{BATCHES, Batch, ReaderError};
pub use select::{Selected, select};
pub(crate) use source::{Pace, Source};
pub use text::TextDeltas;

/// How long to wait for the end of the body after a complete answer, so that the next call finds
/// the connection free.
const BODY_END_WAIT: Duration = Duration::from_millis(100);

/// A streamed response.
///
/// Iterate over its events with a plain `for` loop. The iterator ends after
/// [`Finished`](StreamEvent::Finished), or after its first error. A truncated stream is always an
/// error; if the connection itself ended properly, the kind is [`Truncated`](ErrorKind::Truncated).
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
/// A stream holds a connection of the pool until it ends or is dropped. A thread of its own reads
/// the socket and decodes. It reads ahead by a bounded number of events; then the provider has to
/// wait. Dropping a stream closes its connection at once, because the rest would cost money.
/// Reading it to the end returns the connection to the pool.
#[must_use = "a stream that is dropped is cancelled"]
pub struct ChatStream {
    receiver: Receiver<Batch>,
    /// The events of the last batch that the caller has not seen.
    batch: vec::IntoIter<StreamEvent>,
    /// How the stream ended, once the caller has seen it.
    end: Option<Result<(), Error>>,
    reader_error: ReaderError,
    reader: Option<JoinHandle<()>>,
    stop: CancelToken,
    /// The caller's token.
    cancel: Option<CancelToken>,
    decoder: Arc<Mutex<Decoder>>,
    context: StreamContext,
}

/// What [`ChatStream::next_timeout`] returns.
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
    /// The stream of a call to `model` that started at `begun`.
    #[expect(clippy::too_many_arguments)]
    pub(crate) fn new(
        tried: Tried<(StartedStream, Charge)>,
        provider: Provider,
        model: String,
        routed: Option<(LazyTrace, Ticket)>,
        answer_source: AnswerSource,
        cancel: Option<CancelToken>,
        begun: Instant,
        watched: ObservedCall,
    ) -> Result<Self, Error> {
        let Tried { value: (StartedStream { reader, events, end }, charge), attempts } = tried;
        let first_token = events
            .first()
            .filter(|event| !matches!(event, StreamEvent::Usage(_) | StreamEvent::Finished(_)))
            .map(|_| begun.elapsed());
        if let Some(after) = first_token {
            watched.first_token(after);
        }
        let reply = reader.source.incoming.reply();
        let (route, ticket) = routed.unzip();
        let context = StreamContext {
            provider,
            model,
            answer_source,
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
            route,
            ticket,
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
            reader_error: Arc::new(Mutex::new(Lock::StreamError, None)),
            reader: None,
            stop,
            cancel,
            decoder,
            context,
        };
        match end {
            // The stream ended together with its first events.
            Some(Err(error)) => *stream.reader_error.lock() = Some(error),
            end => {
                let (cancel, reader_error) =
                    (stream.cancel.clone(), Arc::clone(&stream.reader_error));
                match reader.spawn(end.is_some(), sender, cancel, reader_error) {
                    Ok(thread) => stream.reader = Some(thread),
                    Err(cause) => {
                        let message = "cannot start the thread that reads the stream";
                        let error = Error::new(ErrorKind::Connection, message).with_source(cause);
                        return Err(stream.fail(error));
                    }
                }
            }
        }
        Ok(stream)
    }

    /// Iterates over the text alone, for callers who only want to print it. An answer that only
    /// refuses or calls tools has none. To use the stream afterwards, keep it in a variable. If the
    /// stream failed earlier, that error is the first item.
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

    /// Reads the remaining events and returns the whole response, as
    /// [`Client::chat`](crate::Client::chat) does, with two differences. The
    /// [`raw`](ChatResponse::raw) body is empty. And usage that the provider does not report is
    /// estimated, while `chat` marks it as [missing](crate::UsageSource::Missing).
    ///
    /// # Errors
    ///
    /// The error the stream failed with, even if the caller has already seen it.
    /// [`partial`](Self::partial) returns what came before.
    pub fn finish(&mut self) -> Result<ChatResponse, Error> {
        for event in self.by_ref() {
            event?;
        }
        match &self.end {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(self.partial()),
        }
    }

    /// A copy of the response so far, which may be a little ahead of the events you have seen.
    /// After a failed stream, it is all there is.
    ///
    /// A tool call may lack the rest of its arguments until it is
    /// [complete](StreamEvent::ToolCallComplete). Usage is estimated until the provider reports it
    /// ([`UsageSource`](crate::UsageSource)).
    ///
    /// The cost is that of the response so far. Once the stream has ended, it is the amount
    /// charged, which may be more for a stream that ended early; see
    /// [`UnreportedUsage`](crate::UnreportedUsage).
    pub fn partial(&self) -> ChatResponse {
        let decoded = self.decoder.lock().partial();
        self.context.response(decoded)
    }

    /// Every attempt until the stream started. The last one is the stream itself; if that failed,
    /// its error is included.
    pub fn attempts(&self) -> &[Attempt] {
        &self.context.attempts
    }

    /// What answers: the provider, the [cache](crate::Cache) or a [recording](crate::Replay).
    pub fn source(&self) -> AnswerSource {
        self.context.answer_source
    }

    /// The provider's request id; quote it when you contact its support.
    pub fn request_id(&self) -> Option<&str> {
        self.context.request_id.as_deref()
    }

    /// Whether the stream has ended: no event or error is left.
    pub fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Waits for the next event, like [`next`](Iterator::next), for at most `timeout`. After a
    /// timeout no event is lost; the next call continues.
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
    /// The error the stream failed with, once. Later calls return [`NextEvent::Ended`].
    #[doc(alias = "recv_timeout")]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<NextEvent, Error> {
        self.next_by(Instant::now().checked_add(timeout))
    }

    fn next_by(&mut self, at: Option<Instant>) -> Result<NextEvent, Error> {
        if self.end.is_some() {
            self.await_body_end(at);
            return Ok(NextEvent::Ended);
        }
        loop {
            // A cancelled stream ends at once, whatever else has arrived.
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
                    let said = self.reader_error.lock().take();
                    let error = said.unwrap_or_else(|| {
                        Error::new(
                            ErrorKind::Protocol,
                            "the thread that reads the stream ended early",
                        )
                    });
                    return Err(self.fail(error));
                }
            }
        }
    }

    /// Ends the stream early, because the caller wants no more of it.
    fn cancel(&mut self) -> Error {
        let error = Error::cancelled()
            .with_phase(Phase::NextToken)
            .with_status(self.context.status)
            .with_request_id(self.context.request_id.clone());
        self.fail(error)
    }

    /// Ends the stream with this error, and returns it.
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

    /// Waits a moment for the end of the body after a complete answer. The reader closes its
    /// channel when it has seen that end, and otherwise continues alone for at most half a second.
    fn await_body_end(&mut self, at: Option<Instant>) {
        let Some(reader) = self.reader.take() else { return };
        let latest = Instant::now() + BODY_END_WAIT;
        let until = at.map_or(latest, |at| at.min(latest));
        if let Err(RecvTimeoutError::Disconnected) = self.receiver.recv_deadline(until) {
            let _ = reader.join();
        } else if until < latest {
            // A caller with a short timeout will check again.
            self.reader = Some(reader);
        }
    }

    /// Stops the reader, whether it reads or waits for the caller.
    fn stop(&mut self) {
        self.stop.cancel();
        self.receiver = never();
        if let Some(reader) = self.reader.take() {
            // A panic of the reader was already printed.
            let _ = reader.join();
        }
    }
}

impl Iterator for ChatStream {
    type Item = Result<StreamEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_by(None) {
            Ok(NextEvent::Event(event)) => Some(Ok(event)),
            // Without a deadline, the wait never times out.
            Ok(NextEvent::Ended | NextEvent::TimedOut) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl FusedIterator for ChatStream {}

impl Drop for ChatStream {
    fn drop(&mut self) {
        match self.end {
            Some(Ok(())) => self.await_body_end(None),
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
