//! A reply and a request make a response: bytes in the format the path asks for.
//!
//! Written from the providers' documents and recordings, with nothing shared
//! with `src/provider`, so that tests hear a second opinion.

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

use super::content::{Answer, Content, Failure};
use super::paths::Format;
use super::reply::{Framing, Reply};
use super::request::Request;
use super::response::Response;
use super::{anthropic, openai};

/// The format that the client seems to expect, on any path.
fn expected(request: &Request) -> Format {
    Format::named(request.path()).unwrap_or_else(|| {
        match request.header("anthropic-version").is_some() {
            true => Format::Messages,
            false => Format::Chat,
        }
    })
}

/// An answer with everything that was left open filled in.
#[derive(Debug)]
pub(super) struct Filled<'a> {
    /// Tells this response's ids from all others'.
    pub(super) number: u64,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) answer: &'a Answer,
    pub(super) finish: String,
    pub(super) usage: Option<Usage>,
    pub(super) include_usage: bool,
}

/// Cached and written tokens are part of the prompt, reasoning of the completion.
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
    let format = expected(request);
    let echo;
    let answer = match &reply.content {
        Content::Raw { content_type, bytes } => {
            let stream = content_type.starts_with("text/event-stream");
            let mut response = begin(reply, format, content_type, number, now);
            response.framing = framing(reply, stream);
            response.streams = stream;
            response.pieces.push(bytes.clone());
            return response;
        }
        Content::Failure(failure) => {
            let mut response = begin(reply, format, "application/json", number, now);
            let body = error(format, reply.status, failure, &request_id(format, number));
            response.framing = framing(reply, false);
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
        model: reply.model.as_deref().or(request.model()).unwrap_or("loopback"),
        answer,
        finish: match format {
            Format::Chat | Format::Completions => openai::finish_reason(reply, answer),
            Format::Messages => anthropic::stop_reason(reply, answer),
        },
        usage: usage(reply, answer, request),
        include_usage: request.includes_usage(),
    };
    if request.is_stream() {
        let mut response = begin(reply, format, "text/event-stream; charset=utf-8", number, now);
        response.framing = framing(reply, true);
        response.streams = true;
        response.pieces = events(reply, format, &filled).iter().map(Event::bytes).collect();
        return response;
    }
    let mut response = begin(reply, format, "application/json", number, now);
    let body = match format {
        Format::Chat => openai::chat(&filled),
        Format::Completions => openai::completion(&filled),
        Format::Messages => anthropic::message(&filled),
    };
    response.framing = framing(reply, false);
    response.pieces.push(whole(&body, reply.malformed));
    response
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

/// The stream, with the faults that concern its events.
fn events(reply: &Reply, format: Format, filled: &Filled<'_>) -> Vec<Event> {
    let mut events = match format {
        Format::Chat => openai::chat_events(filled),
        Format::Completions => openai::completion_events(filled),
        Format::Messages => anthropic::message_events(filled),
    };
    // Every format's end marker is its last event.
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
        // There is no status here; what fails in the middle fails as a 500 does.
        let body = error(format, 500, failure, &request_id(format, filled.number));
        let name = (format == Format::Messages).then_some("error");
        events.push(Event { name, data: body.to_string() });
    }
    events
}

/// An error body in the format's own form.
pub(super) fn error(format: Format, status: u16, failure: &Failure, request_id: &str) -> Value {
    match format {
        Format::Chat | Format::Completions => openai::error(status, failure),
        Format::Messages => anthropic::error(status, failure, request_id),
    }
}

pub(super) fn request_id(format: Format, number: u64) -> String {
    match format {
        Format::Chat | Format::Completions => format!("req_{number:032x}"),
        Format::Messages => format!("req_{number:024}"),
    }
}

/// A response with its headers and without a body.
fn begin(
    reply: &Reply,
    format: Format,
    content_type: &str,
    number: u64,
    now: SystemTime,
) -> Response {
    let mut headers = Vec::new();
    if !content_type.is_empty() {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    let name = if format == Format::Messages { "request-id" } else { "x-request-id" };
    headers.push((name.to_owned(), request_id(format, number)));
    if let Some((limit, remaining)) = reply.rate_limit {
        headers.extend(match format {
            Format::Chat | Format::Completions => openai::rate_limit(limit, remaining),
            Format::Messages => anthropic::rate_limit(limit, remaining, now),
        });
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
    }
}

/// About four bytes make a token, and nothing is free.
fn estimate(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4).max(1)
}

/// The counts, made to fit one another: a part is never more than its whole.
fn usage(reply: &Reply, answer: &Answer, request: &Request) -> Option<Usage> {
    let tokens = reply.tokens;
    if tokens.absent {
        return None;
    }
    let parts = tokens.cached.saturating_add(tokens.cache_write);
    let parts = parts.saturating_add(tokens.cache_write_1h);
    let prompt = tokens.prompt.unwrap_or_else(|| estimate(request.prompt_bytes()));
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

/// Cuts JSON text as models stream it.
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

/// The answer to what no provider serves.
pub(super) fn not_found(request: &Request) -> Reply {
    let message = format!("Invalid URL ({} {})", request.method(), request.path());
    match expected(request) {
        Format::Messages => Reply::error(404, "not_found_error", "Not found"),
        // Without a code, unlike a model that does not exist.
        Format::Chat | Format::Completions => {
            let error = json!({
                "message": message, "type": "invalid_request_error", "param": null, "code": null,
            });
            Reply::raw(404, "application/json", json!({"error": error}).to_string())
        }
    }
}

/// The answer to a request that cannot be read at all.
pub(super) fn unreadable(status: u16, message: &str) -> Vec<u8> {
    let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
    let response = Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        framing: Framing::ContentLength,
        streams: false,
        pieces: vec![body.to_string().into_bytes()],
    };
    let mut bytes = response.head(Framing::ContentLength, true);
    bytes.extend(response.pieces.concat());
    bytes
}

#[cfg(test)]
mod tests {
    use super::slices;

    #[test]
    fn slices_join_to_the_text() {
        for text in ["", "{}", "{\"city\":\"Rome\"}", "💡💡💡💡💡"] {
            assert_eq!(slices(text).concat(), text);
        }
    }
}
