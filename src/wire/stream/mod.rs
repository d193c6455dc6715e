//! What the formats share in streaming: bytes in, events and the whole out.

mod answer;
pub(in crate::wire) mod arguments;
mod said;
mod size_limit;

use std::mem;

use crate::chat::{Provider, StreamEvent, Usage};
use crate::wire::framing::sse::{self, Parser};
use crate::wire::{Decoded, Failure, Wire};
use answer::Answer;
pub(in crate::wire) use said::{is_label, says_something};
pub(in crate::wire) use size_limit::SizeLimit;

/// What an event was to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Step {
    /// It only kept the connection alive.
    Nothing,
    /// It is of a kind unknown here.
    Unknown,
    /// It is of the format, but adds nothing to the answer: a role, an empty delta, a usage
    /// or a finish reason for the second time, other choices.
    Known,
    /// It brought the answer on, be it by what has no event of ours. The rule is in the
    /// documentation of [`StreamDecoder`](crate::StreamDecoder).
    Progress,
    /// It was the end marker.
    End,
}

/// The least that a line and an event may be long. Around a few words of an answer
/// stands a multiple of them.
const LEAST: usize = 64 * 1024;

/// Reads the body of a streamed answer that is pushed into it: gives its events, and
/// folds them into what the same answer would have been in one body.
///
/// A server may also answer with a body that is no event stream, xAI with an error
/// and some gateways with the whole answer. Its first byte shows that, since no
/// line of an event stream begins like JSON or HTML. Such a body is kept and read at the end,
/// and so is one that has no event and does not begin like an event stream.
pub(crate) struct Decoder {
    body: Body,
    answer: Answer,
    /// What came before any event, unless it looks like an event stream.
    start: Vec<u8>,
    failure: Option<Failure>,
    /// For a body that is no event stream.
    size_limit: SizeLimit,
}

/// What the bytes are.
enum Body {
    /// Nothing but blank came yet.
    Unknown(Parser),
    Events(Parser),
    /// One that is no event stream.
    Whole(Vec<u8>),
}

/// The most that is kept of a body that does not look like an event stream, in bytes.
const START: usize = 64 * 1024;

impl Decoder {
    /// A decoder of the answer to a request of `request_bytes`, which estimate its
    /// tokens where the provider reports no usage. No more than `limit` bytes of the
    /// answer are kept.
    pub(crate) fn new(wire: Wire, request_bytes: usize, limit: usize) -> Self {
        let size_limit = SizeLimit::new(limit);
        let longest = limit.max(LEAST);
        let limits = sse::Limits { line: longest, event: longest };
        Self {
            body: Body::Unknown(Parser::with_limits(limits)),
            answer: Answer {
                wire,
                provider: wire.inventor(),
                prompt_tokens: size_limit::tokens(request_bytes),
                fold: wire.format().fold(size_limit.clone()),
                whole: None,
                known: false,
                strangers: 0,
                begun: false,
            },
            start: Vec::new(),
            failure: None,
            size_limit,
        }
    }

    /// Says who sends the answer. Default: the one whose format it is.
    pub(crate) fn sent_by(mut self, provider: Provider) -> Self {
        self.answer.provider = provider;
        self
    }

    /// Reads the next bytes, cut anywhere. Returns whether they brought the answer
    /// on, see [`Step::Progress`]. Whatever follows the end marker is passed over.
    ///
    /// # Errors
    ///
    /// What the stream fails with, after the events before it. Every later push and
    /// the end fail in the same way.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Failure> {
        self.check()?;
        if self.is_done() {
            return Ok(false);
        }
        let bytes = self.sniff(bytes);
        let mut progress = false;
        let read = match &mut self.body {
            Body::Whole(body) => self.size_limit.keep(bytes.len()).map(|()| {
                body.extend_from_slice(bytes);
                progress = !bytes.trim_ascii().is_empty();
            }),
            Body::Unknown(parser) | Body::Events(parser) => parser.push(bytes, |event| {
                progress |= self.answer.event(event, events)?;
                Ok(())
            }),
        };
        if !self.answer.begun {
            self.keep_start(bytes);
        }
        self.settle(read).map(|()| progress)
    }

    /// Keeps bytes that held no event, until they look like an event stream.
    fn keep_start(&mut self, bytes: &[u8]) {
        let is_whole = matches!(self.body, Body::Whole(_));
        if !is_whole && looks_like_events(&self.start) != Some(true) {
            let left = START.saturating_sub(self.start.len());
            self.start.extend_from_slice(&bytes[..bytes.len().min(left)]);
        }
    }

    /// Ends the body, where it ended in good order. After the end marker that is no
    /// news.
    ///
    /// The last event counts without its blank line if it is complete.
    ///
    /// # Errors
    ///
    /// [`Truncated`](ErrorKind::Truncated) where the stream has begun, the end marker has
    /// not come and something may be missing; what a body fails with that is no event
    /// stream or has no event; the failure of an earlier push.
    pub(crate) fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        self.check()?;
        if self.is_done() {
            return Ok(());
        }
        let read = match mem::replace(&mut self.body, Body::Whole(Vec::new())) {
            Body::Whole(body) => self.answer.read(&body, events),
            // Fails as the same body would if no stream had been requested.
            _ if !self.answer.begun && self.is_no_stream() => self.answer.read(&self.start, events),
            Body::Unknown(parser) | Body::Events(parser) => self.answer.finish(parser, events),
        };
        self.settle(read)
    }

    fn check(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Keeps a failure, unless the answer was whole before it.
    fn settle(&mut self, read: Result<(), Failure>) -> Result<(), Failure> {
        if !self.is_done() {
            self.failure = read.err();
        }
        self.check()
    }

    /// Tells an event stream from another body. Returns the bytes that are of either.
    fn sniff<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Body::Unknown(parser) = &mut self.body else { return bytes };
        // A byte order mark may stand before either; the parser takes it off.
        let first = bytes.iter().position(|byte| !b" \t\r\n\xef\xbb\xbf".contains(byte));
        match first.map(|first| bytes.split_at(first)) {
            None => bytes,
            Some((_, body @ [b'{' | b'[' | b'<', ..])) => {
                self.body = Body::Whole(Vec::new());
                body
            }
            Some(_) => {
                self.body = Body::Events(mem::take(parser));
                bytes
            }
        }
    }

    /// Whether only blanks and comments came so far, which may precede an event stream.
    pub(crate) fn is_silent(&self) -> bool {
        !self.answer.begun
            && !matches!(self.body, Body::Whole(_))
            && looks_like_events(&self.start) != Some(false)
    }

    /// Whether the bytes that held no event are blank or no event stream.
    fn is_no_stream(&self) -> bool {
        self.start.trim_ascii().is_empty() || looks_like_events(&self.start) == Some(false)
    }

    /// Whether any event came.
    pub(crate) fn has_events(&self) -> bool {
        self.answer.begun
    }

    /// Whether the answer is whole.
    pub(crate) fn is_done(&self) -> bool {
        self.answer.whole.is_some()
    }

    /// Whether the answer has said why it ended, so that only usage and the end are to come.
    pub(crate) fn has_finished(&self) -> bool {
        self.is_done() || self.answer.fold.has_finished()
    }

    /// Whether the beginning of an answer came, be it without an event.
    pub(crate) fn has_begun(&self) -> bool {
        self.answer.known
    }

    /// The usage so far, without a copy of the answer.
    pub(crate) fn usage(&self) -> Usage {
        match &self.answer.whole {
            Some(decoded) => decoded.usage,
            None => self.answer.fold.usage(self.answer.prompt_tokens),
        }
    }

    /// The model and the service tier that serve it, where the provider has said so.
    pub(crate) fn served(&self) -> (Option<&str>, Option<&str>) {
        let (model, tier) = match &self.answer.whole {
            Some(decoded) => (decoded.model.as_str(), decoded.service_tier.as_deref()),
            None => self.answer.fold.served(),
        };
        (Some(model).filter(|model| !model.is_empty()), tier.filter(|tier| !tier.is_empty()))
    }

    /// The answer, once it is whole.
    pub(crate) fn whole(&self) -> Option<&Decoded> {
        self.answer.whole.as_ref()
    }

    /// What has come so far, also of a stream that failed.
    pub(crate) fn partial(&self) -> Decoded {
        match &self.answer.whole {
            Some(decoded) => decoded.clone(),
            None => self.answer.partial(),
        }
    }

    /// What has come, without a copy.
    pub(crate) fn into_decoded(self) -> Decoded {
        let Answer { whole, fold, prompt_tokens, provider, .. } = self.answer;
        whole.unwrap_or_else(|| {
            let mut decoded = fold.decoded(prompt_tokens);
            decoded.message.set_sender(&provider);
            decoded
        })
    }
}

/// Whether a body begins like an event stream, with a comment or a known field (HTML Standard
/// section 9.2.6). `None` if that is not clear yet.
pub(in crate::wire) fn looks_like_events(start: &[u8]) -> Option<bool> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let end = start.iter().position(|byte| b"\r\n:".contains(byte));
    let name = &start[..end.unwrap_or(start.len())];
    match end {
        Some(_) => Some(name.is_empty() || FIELDS.contains(&name)),
        None if FIELDS.iter().any(|field| field.starts_with(name)) => None,
        None => Some(false),
    }
}

const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

#[cfg(test)]
pub(in crate::wire) mod tests;
