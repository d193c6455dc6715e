//! What the formats share in streaming: bytes in, events and the whole out.

pub(in crate::wire) mod arguments;
mod said;
mod size_limit;

use std::mem;
use ureq::http::HeaderMap;

use crate::chat::{Part, Provider, StreamEvent, Usage, UsageSource};
use crate::error::ErrorKind;
use crate::wire::framing::sse::{self, Parser};
use crate::wire::{
    Decoded, Failure, Reply, Wire, anthropic, failed, openai_chat, openai_completions,
};
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

struct Answer {
    wire: Wire,
    /// Who sends it.
    provider: Provider,
    prompt_tokens: u64,
    fold: Fold,
    /// What became of it once it was whole.
    whole: Option<Decoded>,
    /// Whether any event was of the format.
    known: bool,
    /// How many events came that are of no kind known here.
    strangers: u64,
    /// Whether any event came.
    begun: bool,
}

/// The most that is kept of a body that does not look like an event stream, in bytes.
const START: usize = 64 * 1024;

/// The answer as far as it has come.
#[derive(Clone)]
enum Fold {
    Chat(Box<openai_chat::Stream>),
    Completion(Box<openai_completions::Stream>),
    Message(Box<anthropic::Stream>),
}

impl Fold {
    fn new(wire: Wire, size_limit: SizeLimit) -> Self {
        match wire {
            Wire::OpenAiChat => Self::Chat(openai_chat::Stream::new(size_limit).into()),
            Wire::OpenAiCompletions => {
                Self::Completion(openai_completions::Stream::new(size_limit).into())
            }
            Wire::Anthropic => Self::Message(anthropic::Stream::new(size_limit).into()),
        }
    }

    /// Whether it has said why it ended, and may end without the end marker.
    ///
    /// Everything but usage is there then. ik_llama.cpp, text-generation-inference, vllm-mlx,
    /// Perplexity and HuggingFace's router before Cerebras leave `[DONE]` out. Nobody is known
    /// to leave out Anthropic's `message_stop`.
    fn has_finished(&self) -> bool {
        match self {
            Self::Chat(stream) => stream.has_finished(),
            Self::Completion(stream) => stream.has_finished(),
            Self::Message(_) => false,
        }
    }

    /// Whether it neither says anything nor why it ended.
    fn is_no_answer(&self) -> bool {
        match self {
            Self::Chat(stream) => stream.is_no_answer(),
            Self::Completion(stream) => stream.is_no_answer(),
            Self::Message(stream) => stream.is_no_answer(),
        }
    }

    fn end_marker(&self) -> &'static str {
        match self {
            Self::Chat(_) | Self::Completion(_) => "[DONE]",
            Self::Message(_) => "message_stop",
        }
    }

    fn usage(&self, prompt_tokens: u64) -> Usage {
        match self {
            Self::Chat(stream) => stream.usage(prompt_tokens),
            Self::Completion(stream) => stream.usage(prompt_tokens),
            Self::Message(stream) => stream.usage(prompt_tokens),
        }
    }

    fn decoded(self, prompt_tokens: u64) -> Decoded {
        match self {
            Self::Chat(stream) => stream.decoded(prompt_tokens),
            Self::Completion(stream) => stream.decoded(prompt_tokens),
            Self::Message(stream) => stream.decoded(prompt_tokens),
        }
    }
}

impl Answer {
    fn event(
        &mut self,
        event: sse::Event<'_>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Failure> {
        self.begun = true;
        if self.whole.is_some() {
            return Ok(false);
        }
        let before = events.len();
        let step = match &mut self.fold {
            Fold::Chat(stream) => stream.event(event.name, event.data, events)?,
            Fold::Completion(stream) => stream.event(event.name, event.data, events)?,
            Fold::Message(stream) => stream.event(event.name, event.data, events)?,
        };
        if step == Step::End {
            if self.fold.is_no_answer() {
                return Err(Failure::protocol(failed::NO_ANSWER));
            }
            self.close(events);
        } else {
            self.label(&mut events[before..]);
        }
        let progress = matches!(step, Step::Progress | Step::End);
        self.known |= progress || step == Step::Known;
        self.strangers += u64::from(step == Step::Unknown);
        Ok(progress)
    }

    /// The answer is whole.
    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        let before = events.len();
        match &mut self.fold {
            Fold::Chat(stream) => stream.close(events),
            Fold::Completion(stream) => stream.close(events),
            Fold::Message(stream) => stream.close(events),
        }
        self.label(&mut events[before..]);
        let empty = Fold::new(self.wire, SizeLimit::new(0));
        let mut decoded = mem::replace(&mut self.fold, empty).decoded(self.prompt_tokens);
        decoded.message.sent_by(&self.provider);
        self.conclude(decoded, events);
    }

    /// Names the provider in the calls that these events hold.
    fn label(&self, events: &mut [StreamEvent]) {
        for event in events {
            if let StreamEvent::ToolCallComplete { call, .. } = event {
                call.sent_by(&self.provider);
            }
        }
    }

    /// What came of an answer that is not whole.
    fn partial(&self, fold: Fold) -> Decoded {
        let mut decoded = fold.decoded(self.prompt_tokens);
        decoded.message.sent_by(&self.provider);
        decoded
    }

    fn conclude(&mut self, decoded: Decoded, events: &mut Vec<StreamEvent>) {
        events.push(StreamEvent::Usage(decoded.usage.into()));
        events.push(StreamEvent::Finished(decoded.finish_reason));
        self.whole = Some(decoded);
    }

    /// The stream ended without its end marker.
    fn finish(&mut self, parser: Parser, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let strangers = self.strangers;
        let unfinished = parser.finish()?;
        if !self.begun && unfinished.is_none() {
            return Err(Failure::protocol("the stream ended without a single event"));
        }
        let mut breaks_off = unfinished.is_some();
        let event = unfinished.as_ref().and_then(sse::Unfinished::event);
        if let Some(event) = event.filter(|event| !event.data.trim().is_empty()) {
            match self.event(event, events) {
                // Cut short is what it is then, and no nonsense.
                Err(failure) if failure.kind == ErrorKind::Protocol => {}
                read => {
                    read?;
                    breaks_off = false;
                }
            }
        }
        if self.whole.is_some() {
            return Ok(());
        }
        if self.fold.has_finished() && !breaks_off {
            self.close(events);
            return Ok(());
        }
        if !self.known && strangers > 0 {
            return Err(Failure::protocol(format!(
                "of the {strangers} events that came none is of the provider's format; is it the \
                 right provider for the base URL?"
            )));
        }
        Err(Failure {
            kind: ErrorKind::Truncated,
            code: None,
            message: format!("the stream ended before its end marker, {}", self.fold.end_marker()),
            wait: None,
        })
    }

    /// Reads a body that is no event stream, as one that was not to be.
    fn read(&mut self, body: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let headers = HeaderMap::new();
        let mut decoded = self
            .wire
            .decode(Reply { status: 200, headers: &headers, body, sent: None }, &self.provider)?;
        let mut size_limit = SizeLimit::new(usize::MAX);
        let mut calls = 0;
        for part in &decoded.message.content {
            tell(part, &mut calls, &mut size_limit, events)?;
        }
        let estimate = size_limit.estimate(self.prompt_tokens);
        decoded.usage = match decoded.usage.source {
            UsageSource::Missing => {
                Usage { reported_cost: decoded.usage.reported_cost, ..estimate }
            }
            _ => decoded.usage.completed(&estimate),
        };
        self.conclude(decoded, events);
        Ok(())
    }
}

/// The events of a part that came whole.
fn tell(
    part: &Part,
    calls: &mut usize,
    size_limit: &mut SizeLimit,
    events: &mut Vec<StreamEvent>,
) -> Result<(), Failure> {
    let (text, event): (_, fn(String) -> StreamEvent) = match part {
        Part::Text(text) => (&text.text, StreamEvent::TextDelta),
        Part::Reasoning(reasoning) => (&reasoning.text, StreamEvent::ReasoningDelta),
        Part::Refusal(text) => (text, StreamEvent::RefusalDelta),
        Part::ToolCall(call) => {
            let index = *calls;
            *calls += 1;
            size_limit.write(&call.name)?;
            size_limit.write(&call.arguments)?;
            let (id, name) = (call.id.clone(), call.name.clone());
            events.push(StreamEvent::ToolCallBegun { index, id, name });
            let delta = call.arguments.clone();
            events.push(StreamEvent::ToolArgumentsDelta { index, delta });
            let call = call.clone().into();
            events.push(StreamEvent::ToolCallComplete { index, call });
            return Ok(());
        }
        _ => return Ok(()),
    };
    size_limit.write(text)?;
    if !text.is_empty() {
        events.push(event(text.clone()));
    }
    Ok(())
}

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
                provider: wire.founder(),
                prompt_tokens: size_limit::tokens(request_bytes),
                fold: Fold::new(wire, size_limit.clone()),
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
    /// The last event counts without its blank line, where it is whole as it stands.
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
        let (model, tier) = match (&self.answer.whole, &self.answer.fold) {
            (Some(decoded), _) => (decoded.model.as_str(), decoded.service_tier.as_deref()),
            (None, Fold::Chat(stream)) => stream.served(),
            (None, Fold::Completion(stream)) => stream.served(),
            (None, Fold::Message(stream)) => stream.served(),
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
            None => self.answer.partial(self.answer.fold.clone()),
        }
    }

    /// What has come, without a copy.
    pub(crate) fn into_decoded(self) -> Decoded {
        let Answer { whole, fold, prompt_tokens, provider, .. } = self.answer;
        whole.unwrap_or_else(|| {
            let mut decoded = fold.decoded(prompt_tokens);
            decoded.message.sent_by(&provider);
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
