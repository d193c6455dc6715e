//! A whole answer is read in whatever form the server sends it.

mod support;

use support::loopback;
use tollgate::testing::Reply;
use tollgate::{ErrorKind, UsageSource};

const WHOLE: &str = r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
const CHUNK: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;

#[test]
fn chat_and_stream_read_the_same_bodies() {
    for body in [
        WHOLE.to_owned(),
        format!("\u{feff}{WHOLE}"),
        format!("{WHOLE}\n\ndata: [DONE]\n\n"),
        format!("data: {WHOLE}\n\ndata: [DONE]\n\n"),
        format!("data: {CHUNK}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"),
        format!("data: {CHUNK}\n\ndata: {USAGE}\n\n"),
        format!(": keep-alive\n\ndata: {CHUNK}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"),
    ] {
        for kind in ["application/json", "text/event-stream"] {
            let server = loopback();
            server.default_reply(Reply::raw(200, kind, body.as_str()));
            let client = support::client(&server, "openai");
            let whole = client.chat("hi").unwrap_or_else(|error| panic!("{body}: {error}"));
            let streamed = client.stream("hi").unwrap().finish().unwrap();
            for response in [whole, streamed] {
                assert_eq!(response.text(), "Hi", "{body}");
                assert_eq!(
                    (response.usage.prompt_tokens, response.usage.completion_tokens),
                    (5, 2)
                );
                assert_eq!(response.usage.source, UsageSource::Reported);
            }
        }
    }
}

#[test]
fn a_truncated_event_stream_is_an_error_for_chat_too() {
    let piece = r#"{"choices":[{"index":0,"delta":{"content":"Hi"}}]}"#;
    let server = loopback();
    server.reply(Reply::raw(200, "text/event-stream", format!("data: {piece}\n\n")));
    let error = support::client(&server, "openai").chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
}
