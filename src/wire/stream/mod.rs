//! What the formats share in streaming: bytes in, events and the complete answer out.

mod answer;
pub(in crate::wire) mod arguments;
mod said;
mod size_limit;
mod sniff;

use std::mem;

use crate::chat::{Provider, StreamEvent, Usage};
use crate::wire::framing::{Frames, Framing};
use crate::wire::{Decoded, Failure, Wire};
use answer::Answer;
pub(in crate::wire) use said::{is_label, says_something};
pub(in crate::wire) use size_limit::SizeLimit;
pub(in crate::wire) use sniff::looks_like_events;
use sniff::{Sniffed, sniff};

/// What an event contributed to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Step {
    /// Nothing; it only kept the connection alive.
    Nothing,
    /// Nothing; its kind is unknown.
    Unknown,
    /// Nothing, although it is part of the format: a role, an empty delta, a repeated usage or
    /// finish reason, other choices.
    Known,
    /// Progress, even if no event of ours shows it. The docs of
    /// [`StreamDecoder`](crate::StreamDecoder) have the rule.
    Progress,
    /// The end marker.
    End,
}

/// The lower bound for the limits on lines and events. A few words of an answer are wrapped in
/// several times their size.
const LEAST: usize = 64 * 1024;

/// Decodes the body of a streamed answer as its bytes are pushed. It yields events and builds the
/// same answer that a non-streaming call would return.
///
/// A server can also send a body that is not a stream: xAI sends errors this way, and some
/// gateways the complete answer. Its first bytes show that. Such a body is kept and read at the
/// end, and so is a body without events that does not start like a stream.
pub(crate) struct Decoder {
    body: Body,
    answer: Answer,
    /// The bytes before the first event, unless they look like an event stream.
    start: Vec<u8>,
    failure: Option<Failure>,
    /// The limit for a body that is not an event stream.
    size_limit: SizeLimit,
    /// The limit for a frame.
    longest: usize,
}

/// What kind of body it is.
enum Body {
    /// The bytes so far, which are in `start`, do not show it. `brace` if one of them is an opening
    /// brace.
    Unknown {
        brace: bool,
    },
    Stream(Frames),
    /// Not a stream.
    Whole(Vec<u8>),
}

/// The most bytes to keep of a body that does not look like an event stream.
const START: usize = 64 * 1024;

impl Decoder {
    /// Creates a decoder. `request_bytes` is the size of the request, to estimate input tokens if
    /// the provider reports no usage. At most `limit` bytes of the answer are kept.
    pub(crate) fn new(wire: Wire, request_bytes: usize, limit: usize) -> Self {
        let size_limit = SizeLimit::new(limit);
        let longest = limit.max(LEAST);
        Self {
            body: Body::Unknown { brace: false },
            answer: Answer {
                wire,
                provider: wire.inventor(),
                prompt_tokens: size_limit::tokens(request_bytes),
                fold: (wire.format().fold)(size_limit.clone()),
                whole: None,
                known: false,
                unknown_events: 0,
                begun: false,
            },
            start: Vec::new(),
            failure: None,
            size_limit,
            longest,
        }
    }

    /// Sets the provider that sends the answer. Default: the inventor of the format.
    pub(crate) fn sent_by(mut self, provider: Provider) -> Self {
        self.answer.provider = provider;
        self
    }

    /// Decodes the next bytes of the stream. Returns true if they made [progress](Step::Progress).
    /// Bytes after the end marker are ignored.
    ///
    /// # Errors
    ///
    /// The failure of the stream; `events` has the events before it. Every later call fails the
    /// same way.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Failure> {
        self.check()?;
        if self.is_done() {
            return Ok(false);
        }
        let mut progress = false;
        let bytes = match self.body {
            Body::Unknown { brace } => self.sniff(brace, bytes, events),
            Body::Stream(_) | Body::Whole(_) => Ok(bytes),
        };
        let read = bytes.and_then(|bytes| self.read(bytes, events, &mut progress));
        self.settle(read).map(|()| progress)
    }

    /// Reads the next bytes of a body, whatever it is. Sets `progress` if they made any.
    fn read(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<StreamEvent>,
        progress: &mut bool,
    ) -> Result<(), Failure> {
        let read = match &mut self.body {
            Body::Whole(body) => self.size_limit.keep(bytes.len()).map(|()| {
                body.extend_from_slice(bytes);
                *progress |= !bytes.trim_ascii().is_empty();
            }),
            Body::Unknown { .. } => Ok(()),
            Body::Stream(frames) => frames.push(bytes, |frame| {
                *progress |= self.answer.event(frame, events)?;
                Ok(())
            }),
        };
        if !self.answer.begun {
            self.keep_start(bytes);
        }
        read
    }

    /// Keeps bytes without an event until they look like an event stream.
    fn keep_start(&mut self, bytes: &[u8]) {
        let is_whole = matches!(self.body, Body::Whole(_));
        if !is_whole && looks_like_events(&self.start) != Some(true) {
            let left = START.saturating_sub(self.start.len());
            self.start.extend_from_slice(&bytes[..bytes.len().min(left)]);
        }
    }

    /// Ends a body that ended properly. Has no effect after the end marker.
    ///
    /// An unfinished last event counts if its data is complete.
    ///
    /// # Errors
    ///
    /// [`Truncated`](ErrorKind::Truncated) if the stream had begun, had no end marker, and
    /// something may be missing. The failure of a body that is not an event stream or has no
    /// events. The failure of an earlier push.
    pub(crate) fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        self.check()?;
        if self.is_done() {
            return Ok(());
        }
        if let Body::Unknown { brace: true } = self.body {
            let read = self.begin(self.answer.wire.format().framing, events);
            self.settle(read)?;
        }
        let read = match mem::replace(&mut self.body, Body::Whole(Vec::new())) {
            Body::Whole(body) => self.answer.read(&body, events),
            Body::Stream(frames) if !matches!(frames, Frames::Events(_)) => {
                self.answer.finish(frames, events)
            }
            // Fails as the same body would for a non-streaming request.
            Body::Unknown { .. } => self.answer.read(&self.start, events),
            _ if !self.answer.begun && self.is_no_stream() => self.answer.read(&self.start, events),
            Body::Stream(frames) => self.answer.finish(frames, events),
        };
        self.settle(read)
    }

    /// Completes an answer that has said why it ended, without waiting for the end of the body.
    /// Returns whether it had. Half an event may have arrived; it can add nothing that matters.
    pub(crate) fn complete(&mut self, events: &mut Vec<StreamEvent>) -> bool {
        let may_end = self.failure.is_none() && self.answer.fold.has_finished();
        if may_end && !self.is_done() {
            self.answer.close(events);
        }
        self.is_done()
    }

    fn check(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Keeps a failure, unless the answer was already complete.
    fn settle(&mut self, read: Result<(), Failure>) -> Result<(), Failure> {
        if !self.is_done() {
            self.failure = read.err();
        }
        self.check()
    }

    /// Detects what kind of body it is, and reads what was kept of it. Returns the bytes to read
    /// next.
    fn sniff<'b>(
        &mut self,
        brace: bool,
        bytes: &'b [u8],
        events: &mut Vec<StreamEvent>,
    ) -> Result<&'b [u8], Failure> {
        match sniff(self.answer.wire.format().framing, brace, bytes) {
            Sniffed::Unknown { brace } => self.body = Body::Unknown { brace },
            Sniffed::Stream(framing) => self.begin(framing, events)?,
            Sniffed::Whole { skip } => {
                // From the brace on, which is the first byte of the JSON.
                let first = self.start.iter().position(|byte| *byte == b'{');
                let earlier = first.map_or(&[][..], |first| &self.start[first..]);
                self.body = Body::Whole(earlier.to_vec());
                return Ok(&bytes[skip..]);
            }
        }
        Ok(bytes)
    }

    /// Begins to read a stream, with the bytes that did not show yet that it is one.
    fn begin(&mut self, framing: Framing, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        self.body = Body::Stream(Frames::new(framing, self.longest));
        match mem::take(&mut self.start) {
            start if start.is_empty() => Ok(()),
            // Blanks and half marks, which are no progress.
            start => self.read(&start, events, &mut false),
        }
    }

    /// Returns true if only white space and comments have arrived, which can precede an event
    /// stream.
    pub(crate) fn is_silent(&self) -> bool {
        !self.answer.begun
            && !matches!(self.body, Body::Whole(_))
            && looks_like_events(&self.start) != Some(false)
    }

    /// Returns true if the bytes without events are blank or not an event stream.
    fn is_no_stream(&self) -> bool {
        self.start.trim_ascii().is_empty() || looks_like_events(&self.start) == Some(false)
    }

    /// Returns true once any event has arrived.
    pub(crate) fn has_events(&self) -> bool {
        self.answer.begun
    }

    /// Returns true if the answer is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.answer.whole.is_some()
    }

    /// Returns true after the finish reason, when only usage and the end can follow.
    pub(crate) fn has_finished(&self) -> bool {
        self.is_done() || self.answer.fold.has_finished()
    }

    /// Returns true once any part of an answer has arrived, even without an event.
    pub(crate) fn has_begun(&self) -> bool {
        self.answer.known
    }

    /// Returns the usage so far, without copying the answer.
    pub(crate) fn usage(&self) -> Usage {
        match &self.answer.whole {
            Some(decoded) => decoded.usage,
            None => self.answer.fold.usage(self.answer.prompt_tokens),
        }
    }

    /// Returns the model and the service tier, if the provider has sent them.
    pub(crate) fn served(&self) -> (Option<&str>, Option<&str>) {
        let (model, tier) = match &self.answer.whole {
            Some(decoded) => (decoded.model.as_str(), decoded.service_tier.as_deref()),
            None => self.answer.fold.served(),
        };
        (Some(model).filter(|model| !model.is_empty()), tier.filter(|tier| !tier.is_empty()))
    }

    /// Returns the answer once it is complete.
    pub(crate) fn whole(&self) -> Option<&Decoded> {
        self.answer.whole.as_ref()
    }

    /// Returns the part that has arrived, also of a failed stream.
    pub(crate) fn partial(&self) -> Decoded {
        match &self.answer.whole {
            Some(decoded) => decoded.clone(),
            None => self.answer.partial(),
        }
    }

    /// Returns the part that has arrived, without a copy.
    pub(crate) fn into_decoded(self) -> Decoded {
        let Answer { whole, fold, prompt_tokens, provider, .. } = self.answer;
        whole.unwrap_or_else(|| {
            let mut decoded = fold.decoded(prompt_tokens);
            decoded.message.set_sender(&provider);
            decoded
        })
    }
}

#[cfg(test)]
pub(in crate::wire) mod tests;
