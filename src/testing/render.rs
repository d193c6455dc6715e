//! Renders a reply to a request: bytes in the format that the path names.
//!
//! Written from the providers' documentation and recordings, without sharing code with the client,
//! so that tests check against an independent implementation.

use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::content::{Answer, Content, Failure};
use super::paths::Format;
use super::reply::{Framing, Reply};
use super::request::Request;
use super::response::Response;
use crate::replay;

/// Renders responses in one wire format.
pub(super) trait Renderer {
    /// The model that a request asks for.
    fn model<'r>(&self, request: &'r Request) -> Option<&'r str> {
        request.model()
    }

    /// How many bytes of text the model would read.
    fn prompt_bytes(&self, request: &Request) -> usize {
        request.prompt_bytes()
    }

    /// Whether a request asks for a stream.
    fn is_stream(&self, request: &Request) -> bool {
        request.is_stream()
    }

    /// The format's own word for why the answer ends.
    fn finish_reason(&self, reply: &Reply, answer: &Answer) -> String;

    /// The body of a whole answer.
    fn whole(&self, filled: &Filled<'_>) -> Value;

    /// The events of a streamed answer. The last one is the end marker.
    fn events(&self, filled: &Filled<'_>) -> Vec<Event>;

    /// The media type of a stream.
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// The bytes of one event.
    fn frame(&self, event: &Event) -> Vec<u8> {
        event.bytes()
    }

    /// The body of an error.
    fn error(&self, status: u16, failure: &Failure, request_id: &str) -> Value;

    /// The event that reports an error inside a stream.
    fn stream_error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        self.error(status, failure, request_id)
    }

    /// The name of that event.
    fn error_event(&self) -> Option<&'static str> {
        None
    }

    /// Headers that say what the error is.
    fn error_headers(&self, _status: u16, _failure: &Failure) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The header with the id of a request.
    fn request_id(&self, number: u64) -> (&'static str, String);

    /// The headers that report a rate limit.
    fn rate_limit(&self, limit: u64, remaining: u64, now: SystemTime) -> Vec<(String, String)>;

    /// The response to a path that the provider does not have.
    fn not_found(&self, request: &Request) -> Reply;
}

/// The format that the client seems to expect, on any path.
pub(super) fn expected(request: &Request) -> Format {
    Format::named(request.path()).unwrap_or_else(|| {
        let has = |name: &str| request.header(name).is_some();
        match (has("anthropic-version"), has("x-goog-api-key")) {
            (true, _) => Format::Messages,
            (_, true) => Format::GenerateContent,
            _ => Format::Chat,
        }
    })
}

/// An answer with every open value filled in.
#[derive(Debug)]
pub(super) struct Filled<'a> {
    /// Makes this response's ids different from all others.
    pub(super) number: u64,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) answer: &'a Answer,
    pub(super) finish: String,
    pub(super) usage: Option<Usage>,
    pub(super) include_usage: bool,
    pub(super) request: &'a Request,
}

/// Cached and written tokens are part of the prompt; reasoning is part of the completion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) completion: u64,
    pub(super) cached: u64,
    pub(super) cache_write_5m: u64,
    pub(super) cache_write_1h: u64,
    pub(super) reasoning: u64,
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) name: Option<&'static str>,
    pub(super) data: String,
}

impl Event {
    pub(super) fn data(value: &Value) -> Self {
        Self { name: None, data: value.to_string() }
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { name, data } = self;
        match name {
            Some(name) => format!("event: {name}\ndata: {data}\n\n").into_bytes(),
            None => format!("data: {data}\n\n").into_bytes(),
        }
    }
}

pub(super) fn response(reply: &Reply, request: &Request, number: u64, now: SystemTime) -> Response {
    let format = expected(request).renderer();
    let echo;
    let answer = match &reply.content {
        Content::Raw { content_type, bytes } => {
            let stream = ["text/event-stream", "application/x-ndjson"]
                .iter()
                .any(|kind| content_type.starts_with(kind));
            let mut response = begin(reply, format, content_type, number, now);
            response.framing = framing(reply, stream);
            response.streams = stream;
            response.pieces.push(bytes.clone());
            return response;
        }
        Content::Recorded(recorded) => return recorded_response(recorded),
        Content::Failure(failure) => {
            let mut response = begin(reply, format, "application/json", number, now);
            let body = format.error(reply.status, failure, &format.request_id(number).1);
            response.framing = framing(reply, false);
            response.headers.extend(format.error_headers(reply.status, failure));
            response.pieces.push(whole(&body, reply.malformed));
            return response;
        }
        Content::Answer(answer) => answer,
        Content::Echo => {
            echo = Answer { text: Some(vec![echo_text(request)]), ..Answer::default() };
            &echo
        }
    };
    let created = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let filled = Filled {
        number,
        created,
        model: reply.model.as_deref().or(format.model(request)).unwrap_or("loopback"),
        answer,
        finish: format.finish_reason(reply, answer),
        usage: usage(reply, answer, format.prompt_bytes(request)),
        include_usage: request.includes_usage(),
        request,
    };
    if format.is_stream(request) {
        let mut response = begin(reply, format, format.stream_type(), number, now);
        response.framing = framing(reply, true);
        response.streams = true;
        let events = events(reply, format, &filled);
        response.pieces = events.iter().map(|event| format.frame(event)).collect();
        return response;
    }
    let mut response = begin(reply, format, "application/json", number, now);
    let body = format.whole(&filled);
    response.framing = framing(reply, false);
    response.pieces.push(whole(&body, reply.malformed));
    response
}

/// A response as it was recorded. Its pieces arrive as they did, at once or at their pace.
fn recorded_response(recorded: &replay::Response) -> Response {
    let framing = match (recorded.streamed, recorded.until_close) {
        (true, true) => Framing::UntilClose,
        (true, false) => Framing::Chunked,
        (false, _) => Framing::ContentLength,
    };
    Response {
        status: recorded.status,
        headers: recorded.headers.clone(),
        framing,
        streams: recorded.streamed,
        pieces: recorded.pieces.clone(),
        waits: recorded.waits.iter().copied().map(Duration::from_millis).collect(),
    }
}

fn echo_text(request: &Request) -> String {
    match request.messages().len() {
        1 => "This is the loopback provider. 1 message came.".to_owned(),
        count => format!("This is the loopback provider. {count} messages came."),
    }
}

fn framing(reply: &Reply, stream: bool) -> Framing {
    let usual = if stream { Framing::Chunked } else { Framing::ContentLength };
    reply.framing.unwrap_or(usual)
}

fn whole(body: &Value, malformed: bool) -> Vec<u8> {
    let mut bytes = body.to_string().into_bytes();
    if malformed {
        bytes.truncate(bytes.len() / 2);
    }
    bytes
}

/// The events of a stream, with the faults that affect them.
fn events(reply: &Reply, format: &dyn Renderer, filled: &Filled<'_>) -> Vec<Event> {
    let mut events = format.events(filled);
    // The last event of every format is its end marker.
    let marker = events.len().saturating_sub(1);
    if reply.without_end {
        events.truncate(marker);
    }
    if let Some(count) = reply.end_after {
        events.truncate(count);
    }
    if reply.malformed {
        let second = 1.min(events.len().saturating_sub(1));
        if let Some(event) = events.get_mut(second) {
            let half = event.data.len() / 2;
            let end = (0..=half).rev().find(|at| event.data.is_char_boundary(*at));
            event.data.truncate(end.unwrap_or(0));
        }
    }
    if let Some((after, failure)) = &reply.stream_error {
        events.truncate((*after).min(marker));
        // A stream has no status here; a failure in the middle looks like that of a 500.
        let body = format.stream_error(500, failure, &format.request_id(filled.number).1);
        events.push(Event { name: format.error_event(), data: body.to_string() });
    }
    events
}

/// A response with its headers but no body.
fn begin(
    reply: &Reply,
    format: &dyn Renderer,
    content_type: &str,
    number: u64,
    now: SystemTime,
) -> Response {
    let mut headers = Vec::new();
    if !content_type.is_empty() {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    let (name, id) = format.request_id(number);
    headers.push((name.to_owned(), id));
    if let Some((limit, remaining)) = reply.rate_limit {
        headers.extend(format.rate_limit(limit, remaining, now));
    }
    headers
        .retain(|(name, _)| !reply.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
    headers.extend(reply.headers.iter().cloned());
    Response {
        status: reply.status,
        headers,
        framing: Framing::ContentLength,
        streams: false,
        pieces: Vec::new(),
        waits: Vec::new(),
    }
}

/// About four bytes make a token, and nothing costs zero.
fn estimate(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4).max(1)
}

/// The token counts, made consistent: a part is never more than its whole.
fn usage(reply: &Reply, answer: &Answer, prompt_bytes: usize) -> Option<Usage> {
    let tokens = reply.tokens;
    if tokens.absent {
        return None;
    }
    let parts = tokens.cached.saturating_add(tokens.cache_write);
    let parts = parts.saturating_add(tokens.cache_write_1h);
    let prompt = tokens.prompt.unwrap_or_else(|| estimate(prompt_bytes));
    let thought = answer.reasoning.as_ref().map_or(0, |text| estimate(text.len()));
    let reasoning = tokens.reasoning.unwrap_or(thought);
    let text: usize = answer.text.iter().flatten().map(String::len).sum();
    let calls: usize = answer.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
    let said = text + calls + answer.refusal.as_ref().map_or(0, String::len);
    let completion = tokens.completion.unwrap_or_else(|| estimate(said).saturating_add(reasoning));
    Some(Usage {
        prompt: prompt.max(parts),
        completion: completion.max(reasoning),
        cached: tokens.cached,
        cache_write_5m: tokens.cache_write,
        cache_write_1h: tokens.cache_write_1h,
        reasoning,
    })
}

/// Splits JSON text as models stream it.
pub(super) fn slices(text: &str) -> Vec<&str> {
    const SLICE: usize = 8;
    let mut slices = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = (SLICE..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (slice, tail) = rest.split_at(end);
        slices.push(slice);
        rest = tail;
    }
    slices
}

/// The response to a path that no provider has.
pub(super) fn not_found(request: &Request) -> Reply {
    expected(request).renderer().not_found(request)
}

/// The response to a request that cannot be read at all.
pub(super) fn unreadable(status: u16, message: &str) -> Vec<u8> {
    let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
    let response = Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        framing: Framing::ContentLength,
        streams: false,
        pieces: vec![body.to_string().into_bytes()],
        waits: Vec::new(),
    };
    let mut bytes = response.head(Framing::ContentLength, true);
    bytes.extend(response.pieces.concat());
    bytes
}

#[cfg(test)]
mod tests {
    use super::slices;

    #[test]
    fn the_slices_join_to_the_original_text() {
        for text in ["", "{}", "{\"city\":\"Rome\"}", "💡💡💡💡💡"] {
            assert_eq!(slices(text).concat(), text);
        }
    }
}
