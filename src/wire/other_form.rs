//! Handles answers to non-streaming requests that come in another form.

use crate::chat::{Provider, UsageSource};
use crate::wire::stream::looks_like_events;
use crate::wire::{Decoded, Decoder, Failure, Wire};

/// The form of a non-streaming answer's body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// JSON, or what claims to be JSON, without what some servers put around it: a byte order mark,
    /// keep-alive comments before it, and a stream's end marker after it.
    Json(&'a [u8]),
    /// An event stream. Servers that stream by default send it if the request does not say
    /// `"stream": false`.
    Events,
}

/// Detects the form of a body.
pub(super) fn form(body: &[u8]) -> Form<'_> {
    if let [b'{', .., b'}'] = body {
        return Form::Json(body);
    }
    let text = without_leading_comments(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    match text.first() {
        Some(b'{') => Form::Json(without_end_marker(text)),
        _ if looks_like_events(text) == Some(true) => Form::Events,
        _ => Form::Json(body),
    }
}

/// Decodes a complete event stream.
pub(super) fn events(wire: Wire, body: &[u8], provider: &Provider) -> Result<Decoded, Failure> {
    // A decoded stream is never larger than the stream, except for generated ids.
    let limit = body.len().saturating_mul(2);
    let mut decoder = Decoder::new(wire, 0, limit).sent_by(provider.clone());
    let mut events = Vec::new();
    decoder.push(body, &mut events)?;
    decoder.finish(&mut events)?;
    let mut decoded = decoder.into_decoded();
    // Usage of a non-streaming answer is never estimated, because the size of the request is not
    // known here.
    if decoded.usage.source == UsageSource::Estimated {
        let reported_cost = decoded.usage.reported_cost;
        decoded.usage = crate::chat::Usage { reported_cost, ..Default::default() };
    }
    Ok(decoded)
}

/// Skips white space and lines that start with a colon.
fn without_leading_comments(body: &[u8]) -> &[u8] {
    let mut rest = body.trim_ascii_start();
    while rest.first() == Some(&b':') {
        let end = rest.iter().position(|byte| b"\r\n".contains(byte)).unwrap_or(rest.len());
        rest = rest[end..].trim_ascii_start();
    }
    rest
}

/// Strips a trailing `data: [DONE]`.
fn without_end_marker(body: &[u8]) -> &[u8] {
    let body = body.trim_ascii_end();
    let Some(rest) = body.strip_suffix(b"[DONE]") else { return body };
    let rest = rest.trim_ascii_end();
    rest.strip_suffix(b"data:").unwrap_or(rest).trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{FinishReason, Message, Usage};
    use crate::error::ErrorKind;
    use crate::wire::HeaderFields;
    use crate::wire::Reply;
    use serde_json::{Value, json};

    #[test]
    fn extras_around_json_are_stripped() {
        for body in [
            "{\"a\":1}",
            "\u{feff}{\"a\":1}",
            "\u{feff}\r\n {\"a\":1}",
            "{\"a\":1}\n",
            "{\"a\":1}\n\ndata: [DONE]\n\n",
            "{\"a\":1}data: [DONE]",
            "{\"a\":1}\ndata:[DONE]",
            "{\"a\":1}\n[DONE]\n",
            ": keep-alive\n\n: keep-alive\n\n{\"a\":1}\n\ndata: [DONE]",
            ": OPENROUTER PROCESSING\r\n\r\n{\"a\":1}",
        ] {
            let Form::Json(json) = form(body.as_bytes()) else { panic!("{body:?}") };
            assert_eq!(json.trim_ascii(), b"{\"a\":1}", "{body:?}");
        }
        for body in
            ["data: {}", "\u{feff}data: {}", "\n\nevent: x\ndata: {}", ": c\n\ndata: {}", "id: 1\n"]
        {
            assert_eq!(form(body.as_bytes()), Form::Events, "{body:?}");
        }
        for body in ["", " ", "null", "[1]", "<html>", "Internal error", "error: gone\n", "{\"a"] {
            assert_eq!(form(body.as_bytes()), Form::Json(body.as_bytes()), "{body:?}");
        }
    }

    /// A byte order mark behind blanks is not one, which the two ways to tell an event stream
    /// from other bodies once saw differently: each left the body to the other for ever.
    #[test]
    fn a_body_that_looks_like_both_forms_is_read_once() {
        for blank in ["\u{c}", "\u{c}\n", " \u{c}", "\n"] {
            for fields in ["event: errro\r\ndaat x:\r\n", "data", "id:", ": x"] {
                let body = format!("{blank}\u{feff}{fields}");
                let failure = decode(Wire::OpenAiChat, &body).unwrap_err();
                assert_eq!(failure.kind, ErrorKind::Protocol, "{body:?}");
            }
        }
    }

    fn decode(wire: Wire, body: &str) -> Result<Decoded, Failure> {
        let headers = HeaderFields::default();
        wire.decode(
            Reply { status: 200, headers: &headers, body: body.as_bytes(), sent: None },
            &wire.inventor(),
        )
    }

    fn events_of(data: &[Value]) -> String {
        data.iter().map(|data| format!("data: {data}\n\n")).collect()
    }

    #[test]
    fn every_format_reads_an_event_stream_as_a_complete_answer() {
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 2});
        let choice = |text: &str, finish: Value| {
            json!({"choices": [
            {"index": 0, "delta": {"content": text}, "text": text, "finish_reason": finish}]})
        };
        let chunks = [
            choice("Hi", json!(null)),
            choice(" there", json!("stop")),
            json!({"choices": [], "usage": usage}),
        ];
        let message = [
            json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi there"}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
            json!({"type": "message_stop"}),
        ];
        let cohere = [
            json!({"type": "message-start", "id": "r", "delta": {"message": {"role": "assistant"}}}),
            json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi there"}}}}),
            json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE",
                "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 2}}}}),
        ];
        let whole = json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"content": "Hi there"}, "text": "Hi there"}], "usage": usage});
        let done = "data: [DONE]\n\n";
        for (wire, body) in [
            (Wire::OpenAiChat, events_of(&chunks) + done),
            (Wire::OpenAiChat, events_of(&chunks)),
            (Wire::OpenAiChat, format!("\u{feff}: hello\n\n{}{done}", events_of(&chunks))),
            (Wire::OpenAiChat, events_of(std::slice::from_ref(&whole)) + done),
            (Wire::OpenAiChat, format!("{whole}\n\n{done}")),
            (Wire::OpenAiChat, format!("\u{feff}{whole}")),
            (Wire::OpenAiCompletions, events_of(&chunks) + done),
            (Wire::OpenAiCompletions, format!("{whole}{done}")),
            (Wire::Anthropic, events_of(&message)),
            (Wire::Cohere, events_of(&cohere)),
            (Wire::Cohere, events_of(&cohere) + done),
        ] {
            let decoded =
                decode(wire, &body).unwrap_or_else(|failure| panic!("{body}: {failure:?}"));
            assert_eq!(decoded.message, Message::assistant("Hi there"), "{body}");
            assert_eq!(decoded.finish_reason, FinishReason::Stop);
            assert_eq!(decoded.usage, Usage::reported(5, 2), "{body}");
        }
        let uncounted = decode(Wire::OpenAiChat, &events_of(&chunks[..2])).unwrap();
        assert_eq!(uncounted.usage, Usage::default());
    }

    #[test]
    fn a_failed_event_stream_fails_as_in_streaming() {
        let cut = json!({"choices": [{"index": 0, "delta": {"content": "Hi"}, "text": "Hi"}]});
        for (body, kind) in [
            (events_of(std::slice::from_ref(&cut)), ErrorKind::Truncated),
            (
                "data: {\"error\": {\"code\": 429, \"message\": \"slow\"}}\n\n".into(),
                ErrorKind::RateLimited,
            ),
            ("event: error\ndata: {\"message\": \"gone\"}\n\n".into(), ErrorKind::Server),
            (": keep-alive\n\n".into(), ErrorKind::Protocol),
            ("data: [DONE]\n\n".into(), ErrorKind::Protocol),
        ] {
            for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions] {
                assert_eq!(decode(wire, &body).unwrap_err().kind, kind, "{body}");
            }
        }
    }
}
