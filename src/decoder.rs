//! `StreamDecoder`: decodes a streamed answer from bytes, without a transport.

use std::fmt;

use crate::chat::{ChatResponse, Provider, StreamEvent};
use crate::error::Error;
use crate::wire::{Decoder, Failure, Wire};

/// The default limit, the same as of
/// [`max_response_bytes`](crate::ClientBuilder::max_response_bytes).
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Reads a streamed answer out of bytes, for programs that bring their own transport.
///
/// It is given the body of the response as it comes, cut anywhere, and gives the
/// answer's [events](StreamEvent). It also keeps the answer as a whole, the same as
/// it would have been without streaming, and what has come of it when the stream
/// breaks off. The streams of a [`Client`](crate::Client) are read by the same code.
///
/// Give it the bodies of responses with status 200 only, and keep connections that
/// broke apart from those that ended: call [`finish`](Self::finish) only when the
/// body ended in good order.
///
/// ```
/// use tollgate::{ErrorKind, StreamDecoder, StreamEvent};
///
/// # fn main() -> Result<(), tollgate::Error> {
/// let body = concat!(
///     "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"Par\"}}]}\n\n",
///     "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"is.\"}}]}\n\n",
///     "data: {\"choices\": [{\"index\": 0, \"delta\": {}, \"finish_reason\": \"stop\"}]}\n\n",
///     "data: [DONE]\n\n",
/// );
/// let mut decoder = StreamDecoder::openai_chat();
/// let mut events = Vec::new();
/// for bytes in body.as_bytes().chunks(7) {
///     decoder.push(bytes, &mut events)?;
///     for event in events.drain(..) {
///         if let StreamEvent::TextDelta(text) = event {
///             print!("{text}");
///         }
///     }
/// }
/// decoder.finish(&mut events)?;
/// assert_eq!(decoder.into_response().text(), "Paris.");
///
/// // The same, cut short.
/// let mut decoder = StreamDecoder::openai_chat();
/// decoder.push(&body.as_bytes()[..100], &mut events)?;
/// let error = decoder.finish(&mut events).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Truncated);
/// assert_eq!(decoder.partial().text(), "Par");
/// # Ok(())
/// # }
/// ```
///
/// # How a stream ends
///
/// The end of a stream is `data: [DONE]` in Chat Completions and text completions, `message_stop` in
/// Anthropic's format, and in Responses the event `response.completed`, `response.incomplete` or
/// `response.failed`. A body that ends before the answer has finished is
/// [`Truncated`](crate::ErrorKind::Truncated), and what came before it is still there. A body without a single event is not a stream that was cut
/// short but [`Protocol`](crate::ErrorKind::Protocol), and the error says what it is.
///
/// Some servers leave the end marker out: ik_llama.cpp, text-generation-inference, vllm-mlx,
/// HuggingFace's router and Perplexity, and at times Anthropic and the gateways in front of it. A
/// stream is therefore also complete if the answer has a finish reason, nothing was added to it
/// afterwards, and the body ends in good order, with or without usage.
///
/// A [`Client`](crate::Client) waits at most 2 seconds for the usage and the end of a stream
/// once its answer has a finish reason.
///
/// # What is read
///
/// Of several choices (`n`) the one of index 0. A body that is no event stream but
/// JSON is read as an answer or an error that came at once; its events come with
/// [`finish`](Self::finish). An error inside the stream is the same [`Error`] as it
/// would be by itself, but without a status.
///
/// Usage that the server does not report is
/// [estimated](crate::UsageSource::Estimated).
///
/// # What brings an answer on
///
/// [`push`](Self::push) tells a timer for stalled streams whether the answer has moved. It
/// moves when the choice that is read gets more text, reasoning, refusal, audio, images, citations
/// or signatures, when a tool call begins, grows or is complete, with the first finish reason, and
/// with the first usage or one of more output tokens than before. Content that is not modelled
/// here, such as `reasoning_details` or the delta of an unknown kind of block, moves it too, if
/// there is a text in it.
///
/// Nothing else does, however often it comes: comments, blank lines, pings, events of an unknown
/// kind, roles, empty deltas, empty blocks, other choices, and usage or finish reasons that are
/// repeated.
pub struct StreamDecoder {
    decoder: Decoder,
    wire: Wire,
    provider: Provider,
    request_bytes: usize,
    max_bytes: usize,
    /// Whether bytes were pushed.
    begun: bool,
}

impl StreamDecoder {
    /// Of OpenAI's Chat Completions, and of the many servers that follow it.
    pub fn openai_chat() -> Self {
        Self::new(Wire::OpenAiChat, 0, MAX_BYTES)
    }

    /// Of OpenAI's text completions.
    pub fn openai_completions() -> Self {
        Self::new(Wire::OpenAiCompletions, 0, MAX_BYTES)
    }

    /// Of OpenAI's Responses.
    pub fn openai_responses() -> Self {
        Self::new(Wire::OpenAiResponses, 0, MAX_BYTES)
    }

    /// Of Anthropic's Messages.
    pub fn anthropic() -> Self {
        Self::new(Wire::Anthropic, 0, MAX_BYTES)
    }

    fn new(wire: Wire, request_bytes: usize, max_bytes: usize) -> Self {
        let decoder = Decoder::new(wire, request_bytes, max_bytes);
        Self { decoder, wire, provider: wire.inventor(), request_bytes, max_bytes, begun: false }
    }

    /// The size of the request in bytes, without images and the like, to estimate
    /// the input tokens from where the server does not report them: a token for four
    /// bytes. Default: 0. Without effect once bytes were pushed.
    #[must_use]
    pub fn request_bytes(self, bytes: usize) -> Self {
        if self.begun { self } else { self.again(bytes, self.max_bytes) }
    }

    /// The most bytes of the answer that are kept. Default: 16 MiB. Without effect once
    /// bytes were pushed.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        if self.begun { self } else { self.again(self.request_bytes, bytes) }
    }

    /// Sets who sends the answer, so that what it must get back can be sent to it, see
    /// [`Opaque`](crate::Opaque). Default: `openai` for OpenAI's formats and `anthropic` for
    /// Anthropic's. Without effect once bytes were pushed.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        if !self.begun {
            self.provider = provider.into();
            self = self.again(self.request_bytes, self.max_bytes);
        }
        self
    }

    fn again(&self, request_bytes: usize, max_bytes: usize) -> Self {
        let mut new = Self::new(self.wire, request_bytes, max_bytes);
        new.decoder = new.decoder.sent_by(self.provider.clone());
        Self { provider: self.provider.clone(), ..new }
    }

    /// Reads the next bytes of the body and appends the events that are in them to
    /// `events`.
    ///
    /// Returns whether the bytes [brought the answer on](Self#what-brings-an-answer-on).
    ///
    /// Whatever follows the end marker is passed over.
    ///
    /// # Errors
    ///
    /// What the provider reports inside the stream, with its
    /// [`kind`](Error::kind); [`Protocol`](crate::ErrorKind::Protocol) for what
    /// cannot be understood, and for more than [`max_bytes`](Self::max_bytes). What
    /// came before it is in `events`. All later calls fail with the same error.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        self.begun = true;
        self.decoder.push(bytes, events).map_err(|failure| self.error(failure))
    }

    /// Tells that the body ended, in good order as HTTP goes. Appends what the end
    /// makes sure of to `events`; nothing where the end marker has come.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) if the stream had begun and something may
    /// be missing; [`Protocol`](crate::ErrorKind::Protocol) if there was no event at all; else
    /// as for [`push`](Self::push).
    pub fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.decoder.finish(events).map_err(|failure| self.error(failure))
    }

    /// Whether the answer is whole. Nothing more is read then; the connection may
    /// have a few bytes left.
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// What has come of the answer so far, also after an error.
    ///
    /// A tool call in it may lack the rest of its arguments until it was
    /// [complete](StreamEvent::ToolCallComplete). The finish reason is
    /// [`Other`](crate::FinishReason::Other) until the server gives one. What only a
    /// client knows (request id, rate limits, latency, attempts) is left empty, and so
    /// is the raw body.
    pub fn partial(&self) -> ChatResponse {
        self.decoder.partial().into_response(self.provider.clone())
    }

    /// What has come of the answer, as [`partial`](Self::partial) and without a
    /// copy.
    pub fn into_response(self) -> ChatResponse {
        let provider = self.provider;
        self.decoder.into_decoded().into_response(provider)
    }

    fn error(&self, failure: Failure) -> Error {
        failure.into_error().with_provider(self.provider.as_str())
    }
}

impl fmt::Debug for StreamDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamDecoder")
            .field("provider", &self.provider)
            .field("done", &self.is_done())
            .finish_non_exhaustive()
    }
}
