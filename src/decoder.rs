//! `StreamDecoder`: decodes a streamed answer from bytes, without a transport.

use std::fmt;

use crate::chat::{ChatResponse, Provider, StreamEvent};
use crate::error::Error;
use crate::wire::{Decoder, Failure, Wire};

/// The default limit, the same as that of
/// [`max_response_bytes`](crate::ClientBuilder::max_response_bytes).
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Decodes a streamed answer from bytes, for programs with their own transport.
///
/// Push the response body in pieces of any size; the decoder returns the answer's
/// [events](StreamEvent). It also collects the whole answer, exactly as it would be without
/// streaming, or the part that arrived before the stream broke off. A [`Client`](crate::Client)
/// reads its streams with the same code.
///
/// Use it only for responses with status 200. Distinguish a broken connection from an ended one:
/// call [`finish`](Self::finish) only if the body ended properly.
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
/// // The same stream, cut short.
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
/// A stream ends with `data: [DONE]` in Chat Completions and text completions, with `message_stop`
/// in Anthropic's format, with `metadata` in Bedrock's, with `message-end` in Cohere's, and with the
/// event `response.completed`, `response.incomplete` or
/// `response.failed` in Responses. Gemini's format has no end marker. A body that ends before the
/// answer has finished is [`Truncated`](crate::ErrorKind::Truncated), and
/// [`partial`](Self::partial) has what arrived. A body without a single event was not a stream at
/// all: the error is [`Protocol`](crate::ErrorKind::Protocol) and says what the body is.
///
/// Some servers omit the end marker: ik_llama.cpp, text-generation-inference, vllm-mlx,
/// HuggingFace's router and Perplexity, and sometimes Anthropic and the gateways in front of it. A
/// stream is therefore also complete if the answer has a finish reason, nothing was added to it
/// afterwards, and the body ended properly, with or without usage.
///
/// After the finish reason, a [`Client`](crate::Client) waits at most 2 seconds for the usage and
/// the end of the stream.
///
/// # What is read
///
/// If there are several choices (`n`), only the one with index 0. A body that is JSON instead of an
/// event stream is read as a complete answer or an error; [`finish`](Self::finish) returns its
/// events. An error inside the stream becomes the same [`Error`] as an error response, but without
/// a status.
///
/// If the server reports no usage, it is [estimated](crate::UsageSource::Estimated).
///
/// # What counts as progress
///
/// [`push`](Self::push) returns true if the answer made progress, for a timer that detects stalled
/// streams. These count as progress: more text, reasoning, refusal, audio, images, citations or
/// signatures in the choice that is read; a tool call that starts, grows or completes; the first
/// finish reason; and the first usage, or one with more output tokens than before. Content that
/// this crate does not model, such as `reasoning_details` or the delta of an unknown kind of block,
/// counts too if it contains text.
///
/// Nothing else counts, however often it arrives: comments, blank lines, pings, events of an
/// unknown kind, roles, empty deltas, empty blocks, other choices, and repeated usage or finish
/// reasons.
pub struct StreamDecoder {
    decoder: Decoder,
    wire: Wire,
    provider: Provider,
    request_bytes: usize,
    max_bytes: usize,
    /// True once bytes were pushed.
    begun: bool,
}

impl StreamDecoder {
    /// Creates a decoder for OpenAI's Chat Completions and the many servers that follow it.
    pub fn openai_chat() -> Self {
        Self::new(Wire::OpenAiChat, 0, MAX_BYTES)
    }

    /// Creates a decoder for OpenAI's text completions.
    pub fn openai_completions() -> Self {
        Self::new(Wire::OpenAiCompletions, 0, MAX_BYTES)
    }

    /// Creates a decoder for OpenAI's Responses.
    pub fn openai_responses() -> Self {
        Self::new(Wire::OpenAiResponses, 0, MAX_BYTES)
    }

    /// Creates a decoder for Anthropic's Messages.
    pub fn anthropic() -> Self {
        Self::new(Wire::Anthropic, 0, MAX_BYTES)
    }

    /// Creates a decoder for Cohere's Chat, version 2.
    pub fn cohere() -> Self {
        Self::new(Wire::Cohere, 0, MAX_BYTES)
    }

    /// Of Gemini's `streamGenerateContent?alt=sse`.
    pub fn gemini() -> Self {
        Self::new(Wire::Gemini, 0, MAX_BYTES)
    }

    /// Creates a decoder for Amazon Bedrock's ConverseStream.
    #[cfg(feature = "bedrock")]
    #[cfg_attr(docsrs, doc(cfg(feature = "bedrock")))]
    pub fn bedrock() -> Self {
        Self::new(Wire::Bedrock, 0, MAX_BYTES)
    }

    /// Creates a decoder for Ollama's own format.
    pub fn ollama() -> Self {
        Self::new(Wire::Ollama, 0, MAX_BYTES)
    }

    fn new(wire: Wire, request_bytes: usize, max_bytes: usize) -> Self {
        let decoder = Decoder::new(wire, request_bytes, max_bytes);
        Self { decoder, wire, provider: wire.inventor(), request_bytes, max_bytes, begun: false }
    }

    /// Sets the size of the request in bytes, without images and other media. If the server reports
    /// no input tokens, they are estimated from it, one token per four bytes. Default: 0. No effect
    /// after the first push.
    #[must_use]
    pub fn request_bytes(self, bytes: usize) -> Self {
        if self.begun { self } else { self.restarted(bytes, self.max_bytes) }
    }

    /// Sets the most bytes of the answer to keep. Default: 16 MiB. No effect after the first push.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        if self.begun { self } else { self.restarted(self.request_bytes, bytes) }
    }

    /// Sets the provider that sends the answer. State that must go back to it is labelled with this
    /// name; see [`Opaque`](crate::Opaque). Default: `openai` for OpenAI's formats, `anthropic` for
    /// Anthropic's, `cohere` for Cohere's and `gemini` for Gemini's. No effect after the first push.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        if !self.begun {
            self.provider = provider.into();
            self = self.restarted(self.request_bytes, self.max_bytes);
        }
        self
    }

    fn restarted(&self, request_bytes: usize, max_bytes: usize) -> Self {
        let mut new = Self::new(self.wire, request_bytes, max_bytes);
        new.decoder = new.decoder.sent_by(self.provider.clone());
        Self { provider: self.provider.clone(), ..new }
    }

    /// Decodes the next bytes of the body and appends their events to `events`.
    ///
    /// Returns true if the bytes made [progress](Self#what-counts-as-progress).
    ///
    /// Bytes after the end marker are ignored.
    ///
    /// # Errors
    ///
    /// An error that the provider reports inside the stream, with its [`kind`](Error::kind).
    /// [`Protocol`](crate::ErrorKind::Protocol) for malformed data, and for more than
    /// [`max_bytes`](Self::max_bytes). `events` has what came before it. All later calls fail with
    /// the same error.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<bool, Error> {
        self.begun = true;
        self.decoder.push(bytes, events).map_err(|failure| self.error(failure))
    }

    /// Ends the stream. Call it when the body ended properly as far as HTTP can tell. Appends the
    /// events that only the end confirms to `events`; none if the end marker already came.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) if the stream had begun and something may be
    /// missing. [`Protocol`](crate::ErrorKind::Protocol) if there was no event at all. Otherwise
    /// those of [`push`](Self::push).
    pub fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.decoder.finish(events).map_err(|failure| self.error(failure))
    }

    /// Returns true if the answer is complete. The decoder then ignores all further bytes; the
    /// connection can still hold a few.
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Returns the part of the answer that has arrived, also after an error.
    ///
    /// A tool call can lack the rest of its arguments until it is
    /// [complete](StreamEvent::ToolCallComplete). The finish reason is
    /// [`Other`](crate::FinishReason::Other) until the server sends one. Fields that only a client
    /// can fill (request id, rate limits, latency, attempts) are empty, and so is the raw body.
    pub fn partial(&self) -> ChatResponse {
        self.decoder.partial().into_response(self.provider.clone())
    }

    /// Returns the part of the answer that has arrived, like [`partial`](Self::partial) but without
    /// a copy.
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
