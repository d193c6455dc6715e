//! A reply of the loopback provider, with the faults to simulate.

use serde_json::Value;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::content::{Answer, Call, Content, Failure, Finish, Tokens, words};
use crate::{FinishReason, replay};

/// A reply of the loopback provider, with the faults to simulate on the way.
///
/// One reply fits every wire format: the request's path and its `stream` decide the format.
/// Combined faults happen in the order they would on the wire.
///
/// ```
/// use serde_json::json;
/// use std::time::Duration;
/// use tollgate::testing::Reply;
///
/// let answer = Reply::text("Sunny.").usage(1200, 3).cached(1024);
/// let tool = Reply::tool_call("weather", json!({"city": "Rome"}));
/// let busy = Reply::status(429).header("retry-after", "1");
/// let broken = Reply::text("A long story").chunk_delay(Duration::from_millis(1)).cut_after(200);
/// # let _ = (answer, tool, busy, broken);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a reply does nothing until a server is given it"]
pub struct Reply {
    pub(super) content: Content,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) model: Option<String>,
    pub(super) finish: Option<Finish>,
    pub(super) tokens: Tokens,
    pub(super) rate_limit: Option<(u64, u64)>,
    pub(super) delay: Duration,
    pub(super) chunk_delay: Duration,
    pub(super) write_size: Option<NonZeroUsize>,
    pub(super) framing: Option<Framing>,
    pub(super) ending: Ending,
    pub(super) fault: Option<Fault>,
    pub(super) malformed: bool,
    pub(super) end_after: Option<usize>,
    pub(super) without_end: bool,
    pub(super) stream_error: Option<(usize, Failure)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ending {
    #[default]
    KeepAlive,
    Close,
    CloseSilently,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Hang,
    /// Closed properly before the head.
    CutAtOnce,
    ResetAtOnce,
    Cut(usize),
    Reset(usize),
    Stall(usize),
}

/// How the client finds the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// By `content-length`. The default, except for streams.
    ContentLength,
    /// By `transfer-encoding: chunked`, with one chunk per event. The default for streams.
    Chunked,
    /// By the end of the connection, as in HTTP/1.0.
    UntilClose,
}

impl Reply {
    pub(super) fn new(status: u16, content: Content) -> Self {
        Self {
            content,
            status,
            headers: Vec::new(),
            model: None,
            finish: None,
            tokens: Tokens::default(),
            rate_limit: None,
            delay: Duration::ZERO,
            chunk_delay: Duration::ZERO,
            write_size: None,
            framing: None,
            ending: Ending::default(),
            fault: None,
            malformed: false,
            end_after: None,
            without_end: false,
            stream_error: None,
        }
    }

    /// An answer in text. A stream sends it word by word.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::pieces(words(text.as_ref()))
    }

    /// An answer in text, streamed in exactly these pieces.
    pub fn pieces(pieces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let text = Some(pieces.into_iter().map(Into::into).collect());
        Self::new(200, Content::Answer(Answer { text, ..Answer::default() }))
    }

    /// A tool call. `arguments` is a JSON object.
    pub fn tool_call(name: impl Into<String>, arguments: Value) -> Self {
        Self::new(200, Content::Answer(Answer::default())).and_tool_call(name, arguments)
    }

    /// A refusal, in the model's words.
    pub fn refusal(text: impl Into<String>) -> Self {
        let refusal = Some(text.into());
        Self::new(200, Content::Answer(Answer { refusal, ..Answer::default() }))
    }

    /// An error with this status, and the usual code and message for it. A status below 400 gives a
    /// response with an empty body.
    pub fn status(status: u16) -> Self {
        if status < 400 {
            let content_type = String::new();
            return Self::new(status, Content::Raw { content_type, bytes: Vec::new() });
        }
        Self::error(status, "", "")
    }

    /// An error in the provider's own form. `code` becomes OpenAI's `code` or Anthropic's `type`,
    /// unchanged. Empty arguments mean the usual values for the status.
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(status, Content::Failure(Failure { code: code.into(), message: message.into() }))
    }

    /// A response with any body.
    pub fn raw(status: u16, content_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let (content_type, bytes) = (content_type.into(), bytes.into());
        Self::new(status, Content::Raw { content_type, bytes })
    }

    /// A recorded response.
    pub(super) fn recorded(response: replay::Response) -> Self {
        Self::new(response.status, Content::Recorded(Box::new(response)))
    }

    /// No response: the connection stays open until the client or the server closes it.
    pub fn hang() -> Self {
        Self { fault: Some(Fault::Hang), ..Self::new(200, Content::Echo) }
    }

    /// The end of the connection (FIN) instead of a response.
    pub fn disconnect() -> Self {
        Self { fault: Some(Fault::CutAtOnce), ..Self::new(200, Content::Echo) }
    }

    /// A reset (RST) instead of a response, before its first byte; as reliable as
    /// [`reset_after`](Reply::reset_after).
    pub fn reset() -> Self {
        Self { fault: Some(Fault::ResetAtOnce), ..Self::new(200, Content::Echo) }
    }

    /// Adds a header. It replaces the server's own header of that name, so even a wrong
    /// `content-length` is possible. Nothing is checked. Default: none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds rate-limit headers under the provider's own names: `remaining` of `limit` requests are
    /// left, and a thousand times as many tokens. Default: none.
    pub fn rate_limit(mut self, limit: u64, remaining: u64) -> Self {
        self.rate_limit = Some((limit, remaining));
        self
    }

    /// Sets the model that serves the call. Default: the requested one.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets why the model stops, in the format's own word. Default: the reason that fits the
    /// content.
    pub fn finish_reason(mut self, reason: FinishReason) -> Self {
        self.finish = Some(Finish::Reason(reason));
        self
    }

    /// Sets why the model stops, word for word. Default: the reason that fits the content.
    pub fn finish_reason_raw(mut self, reason: impl Into<String>) -> Self {
        self.finish = Some(Finish::Raw(reason.into()));
        self
    }

    /// Adds a tool call after the text and earlier calls.
    pub fn and_tool_call(self, name: impl Into<String>, arguments: Value) -> Self {
        self.and_tool_call_text(name, arguments.to_string())
    }

    /// Adds a tool call whose arguments need not be valid JSON, because models get them wrong.
    /// Anthropic's format allows that only in a stream.
    pub fn and_tool_call_text(
        mut self,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        let call = Call { name: name.into(), arguments: arguments.into() };
        self.answer().calls.push(call);
        self
    }

    /// Adds the model's reasoning before the answer: Anthropic's `thinking`, or the
    /// `reasoning_content` of OpenAI-compatible servers. Text completions omit it. Default: none.
    pub fn reasoning(mut self, text: impl Into<String>) -> Self {
        self.answer().reasoning = Some(text.into());
        self
    }

    fn answer(&mut self) -> &mut Answer {
        if !matches!(self.content, Content::Answer(_)) {
            self.content = Content::Answer(Answer::default());
        }
        match &mut self.content {
            Content::Answer(answer) => answer,
            _ => unreachable!("the content was just made an answer"),
        }
    }

    /// Sets the tokens used, including cached and reasoning tokens. Default: a quarter of the
    /// bytes.
    pub fn usage(mut self, prompt: u64, completion: u64) -> Self {
        (self.tokens.prompt, self.tokens.completion) = (Some(prompt), Some(completion));
        self
    }

    /// Sets how many prompt tokens came from a cache. Default: 0.
    pub fn cached(mut self, tokens: u64) -> Self {
        self.tokens.cached = tokens;
        self
    }

    /// Sets how many prompt tokens were written to a cache for five minutes. Default: 0.
    pub fn cache_write(mut self, tokens: u64) -> Self {
        self.tokens.cache_write = tokens;
        self
    }

    /// Sets how many prompt tokens were written to a cache for an hour, besides those for five
    /// minutes. Default: 0.
    pub fn cache_write_1h(mut self, tokens: u64) -> Self {
        self.tokens.cache_write_1h = tokens;
        self
    }

    /// Sets how many completion tokens were reasoning. Default: a quarter of the bytes of the
    /// reasoning.
    pub fn reasoning_tokens(mut self, tokens: u64) -> Self {
        self.tokens.reasoning = Some(tokens);
        self
    }

    /// Omits the usage, as some servers do. Default: usage is reported.
    pub fn no_usage(mut self) -> Self {
        self.tokens.absent = true;
        self
    }

    /// Waits before the first byte of the response. Default: no delay.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits between the writes of the body: the events of a stream, or the pieces of
    /// [`write_size`](Reply::write_size). Default: no delay.
    pub fn chunk_delay(mut self, delay: Duration) -> Self {
        self.chunk_delay = delay;
        self
    }

    /// Sends the body, including its framing, in writes of this many bytes. Default: 0, which means
    /// one write, or one per event of a stream.
    pub fn write_size(mut self, bytes: usize) -> Self {
        self.write_size = NonZeroUsize::new(bytes);
        self
    }

    /// Sets how the client finds the end of the body. Default: [`Framing::Chunked`] for streams,
    /// [`Framing::ContentLength`] otherwise.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// Ends the connection after the reply, and announces it (`connection: close`). Default: the
    /// connection stays open.
    pub fn close(mut self) -> Self {
        self.ending = Ending::Close;
        self
    }

    /// Ends the connection after the reply without announcing it, so the client believes it can
    /// reuse it. Default: the connection stays open.
    pub fn close_silently(mut self) -> Self {
        self.ending = Ending::CloseSilently;
        self
    }

    /// Ends the connection (FIN) after this many bytes of the body. Default: never.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::Cut(bytes));
        self
    }

    /// Resets the connection (RST) after this many bytes of the body. They reach the client if they
    /// fit into the socket buffers. Default: never.
    ///
    /// The server closes the socket with the end of the request unread. Linux and Windows then send
    /// a reset at once; BSD and macOS may send a FIN.
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::Reset(bytes));
        self
    }

    /// Sends nothing more after this many bytes of the body, and keeps the connection open until
    /// the client or the server closes it. Default: never.
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::Stall(bytes));
        self
    }

    /// Cuts the JSON off in the middle, with a content length that matches. In a stream it cuts the
    /// second event. Default: valid JSON.
    pub fn malformed(mut self) -> Self {
        self.malformed = true;
        self
    }

    /// Replaces event number `after`, counted from 0, with an error event in the provider's own
    /// form, and ends the stream there. Beyond the last event it replaces the end marker. Without a
    /// stream it does nothing. Default: no error.
    pub fn stream_error(
        mut self,
        after: usize,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        self.stream_error = Some((after, Failure { code: code.into(), message: message.into() }));
        self
    }

    /// Ends a stream properly after this many events. Default: after all of them.
    pub fn end_after(mut self, events: usize) -> Self {
        self.end_after = Some(events);
        self
    }

    /// Omits the end marker of a stream, `[DONE]` or `message_stop`. An answer that has finished is
    /// complete without it. Default: the marker is sent.
    pub fn without_end_marker(mut self) -> Self {
        self.without_end = true;
        self
    }
}
