//! What the loopback provider answers, with the faults to simulate.

use serde_json::Value;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::content::{Answer, Call, Content, Failure, Finish, Tokens, words};
use crate::FinishReason;

/// What the loopback provider answers, and what goes wrong on the way.
///
/// One reply serves every wire format: it is put into the form that the
/// request's path and its `stream` ask for. Where faults are combined they
/// happen in the order they would on the wire.
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
    /// Closed in order before the head.
    CutAtOnce,
    ResetAtOnce,
    Cut(usize),
    Reset(usize),
    Stall(usize),
}

/// How the end of a body is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// By `content-length`. The default, streams aside.
    ContentLength,
    /// By `transfer-encoding: chunked`, one chunk for each event. The default for
    /// streams.
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

    /// An answer in text. Streamed, it comes word by word.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::pieces(words(text.as_ref()))
    }

    /// An answer in text, streamed in exactly these pieces.
    pub fn pieces(pieces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let text = Some(pieces.into_iter().map(Into::into).collect());
        Self::new(200, Content::Answer(Answer { text, ..Answer::default() }))
    }

    /// A tool call. `arguments` is an object.
    pub fn tool_call(name: impl Into<String>, arguments: Value) -> Self {
        Self::new(200, Content::Answer(Answer::default())).and_tool_call(name, arguments)
    }

    /// The words of a model that declines to answer.
    pub fn refusal(text: impl Into<String>) -> Self {
        let refusal = Some(text.into());
        Self::new(200, Content::Answer(Answer { refusal, ..Answer::default() }))
    }

    /// An error of this status, with the code and the words usual for it. Below
    /// 400 it is a response with an empty body.
    pub fn status(status: u16) -> Self {
        if status < 400 {
            let content_type = String::new();
            return Self::new(status, Content::Raw { content_type, bytes: Vec::new() });
        }
        Self::error(status, "", "")
    }

    /// An error in the provider's own form. `code` is OpenAI's `code` and
    /// Anthropic's `type`, as it is; what is empty takes the usual for the status.
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(status, Content::Failure(Failure { code: code.into(), message: message.into() }))
    }

    /// Any body at all.
    pub fn raw(status: u16, content_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let (content_type, bytes) = (content_type.into(), bytes.into());
        Self::new(status, Content::Raw { content_type, bytes })
    }

    /// No answer at all: the connection stays open until the client or the
    /// server goes away.
    pub fn hang() -> Self {
        Self { fault: Some(Fault::Hang), ..Self::new(200, Content::Echo) }
    }

    /// The connection's end, in order (FIN), instead of an answer.
    pub fn disconnect() -> Self {
        Self { fault: Some(Fault::CutAtOnce), ..Self::new(200, Content::Echo) }
    }

    /// A reset (RST) instead of an answer, before any byte of it; as sure as
    /// [`reset_after`](Reply::reset_after).
    pub fn reset() -> Self {
        Self { fault: Some(Fault::ResetAtOnce), ..Self::new(200, Content::Echo) }
    }

    /// Adds a header. It replaces the server's own header of that name, so a reply can also have a
    /// wrong `content-length`. Nothing is checked.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds rate-limit headers in the provider's own names: of `limit` requests
    /// and as many thousand tokens, `remaining` are left. Default: none.
    pub fn rate_limit(mut self, limit: u64, remaining: u64) -> Self {
        self.rate_limit = Some((limit, remaining));
        self
    }

    /// Sets the model that serves the call. Default: the one asked for.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets why the model stops, in the format's own word. Default: what fits the
    /// content.
    pub fn finish_reason(mut self, reason: FinishReason) -> Self {
        self.finish = Some(Finish::Reason(reason));
        self
    }

    /// Sets why the model stops, word for word.
    pub fn finish_reason_raw(mut self, reason: impl Into<String>) -> Self {
        self.finish = Some(Finish::Raw(reason.into()));
        self
    }

    /// Adds a tool call, behind the text and the calls that are there.
    pub fn and_tool_call(self, name: impl Into<String>, arguments: Value) -> Self {
        self.and_tool_call_text(name, arguments.to_string())
    }

    /// Adds a tool call with arguments that need not be JSON, since models get
    /// them wrong. Anthropic's form has room for such only in a stream.
    pub fn and_tool_call_text(
        mut self,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        let call = Call { name: name.into(), arguments: arguments.into() };
        self.answer().calls.push(call);
        self
    }

    /// Adds what the model thought first: Anthropic's `thinking`, and
    /// `reasoning_content` as OpenAI-compatible servers have it. Text completions
    /// leave it out.
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
            _ => unreachable!("an answer was put there just now"),
        }
    }

    /// Sets the tokens used, cached and reasoning ones included. Default: a
    /// quarter of the bytes.
    pub fn usage(mut self, prompt: u64, completion: u64) -> Self {
        (self.tokens.prompt, self.tokens.completion) = (Some(prompt), Some(completion));
        self
    }

    /// Sets how many of the prompt's tokens came from a cache. Default: 0.
    pub fn cached(mut self, tokens: u64) -> Self {
        self.tokens.cached = tokens;
        self
    }

    /// Sets how many of the prompt's tokens were written to a cache, for five
    /// minutes. Default: 0.
    pub fn cache_write(mut self, tokens: u64) -> Self {
        self.tokens.cache_write = tokens;
        self
    }

    /// Sets how many of the prompt's tokens were written to a cache for an hour,
    /// beside those for five minutes. Default: 0.
    pub fn cache_write_1h(mut self, tokens: u64) -> Self {
        self.tokens.cache_write_1h = tokens;
        self
    }

    /// Sets how many of the completion's tokens were reasoning. Default: a quarter
    /// of the reasoning's bytes.
    pub fn reasoning_tokens(mut self, tokens: u64) -> Self {
        self.tokens.reasoning = Some(tokens);
        self
    }

    /// Leaves the usage out, as some servers do.
    pub fn no_usage(mut self) -> Self {
        self.tokens.absent = true;
        self
    }

    /// Waits before the first byte of the response. Default: not at all.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits between the writes of the body: the events of a stream, or the slices
    /// of [`write_size`](Reply::write_size). Default: not at all.
    pub fn chunk_delay(mut self, delay: Duration) -> Self {
        self.chunk_delay = delay;
        self
    }

    /// Sends the body, its framing included, in writes of so many bytes. Default:
    /// one write, or one for each event of a stream. 0 is the default too.
    pub fn write_size(mut self, bytes: usize) -> Self {
        self.write_size = NonZeroUsize::new(bytes);
        self
    }

    /// Sets how the end of the body is marked.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// Ends the connection after the reply, and says so (`connection: close`).
    pub fn close(mut self) -> Self {
        self.ending = Ending::Close;
        self
    }

    /// Ends the connection after the reply without a word: the client believes it
    /// can be used again.
    pub fn close_silently(mut self) -> Self {
        self.ending = Ending::CloseSilently;
        self
    }

    /// Ends the connection in order (FIN) after so many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::Cut(bytes));
        self
    }

    /// Resets the connection (RST) after so many bytes of the body. They reach the
    /// client as long as they fit into the socket buffers.
    ///
    /// The server does it by closing the socket with the end of the request unread.
    /// Linux and Windows then send a reset at once; BSD and macOS may send a FIN.
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::Reset(bytes));
        self
    }

    /// Sends nothing more after so many bytes of the body, and keeps the
    /// connection open until the client or the server goes away.
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::Stall(bytes));
        self
    }

    /// Breaks the JSON off in the middle, and tells the length it then has. In a
    /// stream it is the second event's.
    pub fn malformed(mut self) -> Self {
        self.malformed = true;
        self
    }

    /// Puts an error event, in the provider's own form, in the place of event
    /// number `after`, counted from 0, and ends the stream there. Beyond the last
    /// event it takes the place of the end marker. Without a stream it does
    /// nothing.
    pub fn stream_error(
        mut self,
        after: usize,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        self.stream_error = Some((after, Failure { code: code.into(), message: message.into() }));
        self
    }

    /// Ends a stream in good order, but after so many events.
    pub fn end_after(mut self, events: usize) -> Self {
        self.end_after = Some(events);
        self
    }

    /// Leaves out the end marker of a stream, `[DONE]` or `message_stop`. An answer that has finished
    /// is complete all the same.
    pub fn without_end_marker(mut self) -> Self {
        self.without_end = true;
        self
    }
}
