//! A stream of the loopback provider decodes to the same answer as its whole response.

mod support;

use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use support::{builder, loopback};
use tollgate::testing::{Framing, Loopback, Reply};
use tollgate::{
    ChatResponse, ErrorKind, FinishReason, Message, Part, StreamDecoder, StreamEvent, UsageSource,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Chat,
    Completions,
    Anthropic,
}

const FORMATS: [Format; 3] = [Format::Chat, Format::Completions, Format::Anthropic];

impl Format {
    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    fn decoder(self) -> StreamDecoder {
        match self {
            Self::Chat => StreamDecoder::openai_chat(),
            Self::Completions => StreamDecoder::openai_completions(),
            Self::Anthropic => StreamDecoder::anthropic(),
        }
    }

    /// The whole answer, through a client.
    fn whole(self, server: &Loopback) -> ChatResponse {
        let client = |provider| builder(server, provider).build().unwrap();
        match self {
            Self::Chat => client("openai").chat("hi"),
            Self::Completions => client("openai").complete("hi"),
            Self::Anthropic => client("anthropic").chat("hi"),
        }
        .unwrap()
    }
}

/// The body of a streamed answer.
fn streamed(server: &Loopback, format: Format) -> Vec<u8> {
    let asked = match format {
        Format::Completions => ("prompt", json!("hi")),
        _ => ("messages", json!([{"role": "user", "content": "hi"}])),
    };
    let mut body = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true}});
    body[asked.0] = asked.1;
    let body = body.to_string();
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        format.path(),
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).unwrap();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).unwrap();
    let text = String::from_utf8(response).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec()
}

/// Reads a body in small pieces.
fn decoded(
    format: Format,
    body: &[u8],
) -> (Vec<StreamEvent>, Result<(), tollgate::Error>, ChatResponse) {
    let mut decoder = format.decoder();
    let mut events = Vec::new();
    let pushed = body.chunks(5).try_for_each(|piece| decoder.push(piece, &mut events).map(|_| ()));
    let end = pushed.and_then(|()| decoder.finish(&mut events));
    (events, end, decoder.into_response())
}

/// A message without the ids of its calls, which number the responses.
fn nameless(mut message: Message) -> Message {
    for part in &mut message.content {
        if let Part::ToolCall(call) = part {
            call.id.clear();
        }
    }
    message
}

#[test]
fn a_streamed_answer_equals_the_whole_one() {
    let replies: [fn() -> Reply; 9] = [
        || Reply::text("Paris, the capital of France.").usage(12, 6),
        || Reply::text(""),
        || Reply::text("é\u{1f600}\n\"quoted\"").cached(3).cache_write(4).cache_write_1h(5),
        || Reply::text("thought").reasoning("hm, let me see").reasoning_tokens(5),
        || Reply::refusal("I can't help with that."),
        || Reply::tool_call("weather", json!({"city": "Rome"})),
        || {
            Reply::text("Both:")
                .and_tool_call("f", json!({}))
                .and_tool_call("g", json!({"x": ["é", 1.5, null]}))
        },
        || Reply::text("cut").finish_reason(FinishReason::Length),
        || Reply::text("odd").finish_reason_raw("novelty").model("served"),
    ];
    for (number, reply) in replies.iter().enumerate() {
        for format in FORMATS {
            let server = loopback();
            server.reply(reply());
            server.reply(reply().framing(Framing::UntilClose));
            let whole = format.whole(&server);
            let (events, end, response) = decoded(format, &streamed(&server, format));
            assert!(end.is_ok(), "{number} {format:?}: {end:?}");
            let expected = nameless(whole.message);
            assert_eq!(nameless(response.message), expected, "{number} {format:?}");
            assert_eq!(response.finish_reason, whole.finish_reason);
            assert_eq!(response.finish_reason_raw, whole.finish_reason_raw);
            assert_eq!(response.usage, whole.usage, "{number} {format:?}");
            assert_eq!(response.service_tier, whole.service_tier);
            assert_eq!(response.provider, whole.provider);
            assert!(response.id.is_some());
            assert_eq!(events.last(), Some(&StreamEvent::Finished(whole.finish_reason)));
        }
    }
}

#[test]
fn faulty_streams_have_distinct_errors_and_keep_what_arrived() {
    type Fault = fn(Reply) -> Reply;
    let replies: [(Fault, ErrorKind); 4] = [
        (|reply| reply.end_after(1), ErrorKind::Truncated),
        (|reply| reply.end_after(0), ErrorKind::Protocol),
        (|reply| reply.malformed(), ErrorKind::Protocol),
        (|reply| reply.stream_error(3, "overloaded_error", "too much to do"), {
            ErrorKind::Overloaded
        }),
    ];
    for (fault, kind) in replies {
        for format in FORMATS {
            let server = loopback();
            let reply = Reply::text("one two three four").usage(9, 4);
            server.reply(fault(reply).framing(Framing::UntilClose));
            let (events, end, partial) = decoded(format, &streamed(&server, format));
            let error = end.unwrap_err();
            assert_eq!(error.kind(), kind, "{format:?} {error}");
            assert!("one two three four".starts_with(&partial.text()));
            assert_eq!(partial.text().is_empty(), events.is_empty());
            assert_ne!(partial.usage.source, UsageSource::Missing);
            assert_eq!(error.provider(), Some(partial.provider.as_str()));
        }
    }
}

#[test]
fn no_format_needs_its_end_marker_once_the_answer_has_finished() {
    for format in FORMATS {
        let server = loopback();
        let reply = Reply::text("one two").usage(9, 4).without_end_marker();
        server.reply(reply.framing(Framing::UntilClose));
        let (_, end, response) = decoded(format, &streamed(&server, format));
        assert_eq!(end.err().map(|error| error.kind()), None, "{format:?}");
        assert_eq!((response.text().as_str(), response.usage.total_tokens), ("one two", 13));
    }
}

#[test]
fn usage_that_the_server_leaves_out_is_estimated() {
    for format in FORMATS {
        let server = loopback();
        server.reply(Reply::text("x".repeat(201)).no_usage().framing(Framing::UntilClose));
        let body = streamed(&server, format);
        let mut decoder = format.decoder().request_bytes(9).max_bytes(300);
        decoder.push(&body, &mut Vec::new()).unwrap();
        let usage = decoder.into_response().usage;
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (3, 51));
        assert_eq!(usage.source, UsageSource::Estimated);
        let mut decoder = format.decoder().max_bytes(200);
        let error = decoder.push(&body, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains("the 200 bytes allowed"), "{error}");
    }
}
