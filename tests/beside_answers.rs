//! The members beside an answer can be read, whole and streamed, and requests that no stream can
//! answer are refused.

mod support;

use serde_json::{Value, json};
use support::{client, loopback};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, ChatResponse, ErrorKind};

fn stream_of(events: &[Value]) -> Reply {
    let mut body: String = events
        .iter()
        .map(|event| match event["type"].as_str() {
            Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
            None => format!("data: {event}\n\n"),
        })
        .collect();
    if events.iter().all(|event| event.get("type").is_none()) {
        body += "data: [DONE]\n\n";
    }
    Reply::raw(200, "text/event-stream", body)
}

/// Returns the same answer, whole and streamed.
fn answers(server: &Loopback, name: &str, whole: &Value, events: &[Value]) -> [ChatResponse; 2] {
    server.reply(Reply::raw(200, "application/json", whole.to_string()));
    let answer = client(server, name).chat("hi").unwrap();
    server.reply(stream_of(events));
    [answer, client(server, name).stream("hi").unwrap().finish().unwrap()]
}

#[test]
fn members_of_the_choice_and_the_usage_can_be_read_whole_and_streamed() {
    let server = loopback();
    let filter = json!({"hate": {"filtered": false, "severity": "safe"}});
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2, "queue_time": 0.5});
    let whole = json!({
        "id": "x", "created": 5, "citations": ["u"], "x_groq": {"id": "req_1"}, "usage": usage,
        "choices": [{"index": 0, "message": {"content": "ab"}, "finish_reason": "stop",
            "content_filter_results": filter, "stop_reason": 128_001, "token_ids": [7, 7],
            "logprobs": null}],
    });
    let chunk = |text: &str, token: u64| {
        json!({"id": "x", "created": 5, "citations": ["u"], "choices": [{"index": 0,
            "delta": {"content": text}, "content_filter_results": filter, "logprobs": null,
            "token_ids": [token], "stop_reason": null}]})
    };
    let events = [
        json!({"id": "x", "x_groq": {"id": "req_1"}, "choices": []}),
        chunk("a", 7),
        chunk("b", 7),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop",
            "stop_reason": 128_001}], "usage": usage}),
    ];
    for answer in answers(&server, "openai", &whole, &events) {
        assert_eq!(answer.text(), "ab");
        let expected = json!({
            "citations": ["u"], "content_filter_results": filter, "stop_reason": 128_001,
            "token_ids": [7, 7], "usage": {"queue_time": 0.5}, "x_groq": {"id": "req_1"},
        });
        assert_eq!(Value::from(answer.extra), expected);
    }
}

#[test]
fn members_beside_anthropics_answer_can_be_read_whole_and_streamed() {
    let server = loopback();
    let container = json!({"id": "container_1", "expires_at": "2026-01-01T00:00:00Z"});
    let edits = json!({"applied_edits": [{"type": "clear_thinking_20251015"}]});
    let usage = json!({"input_tokens": 1, "output_tokens": 2, "inference_geo": "eu"});
    let whole = json!({
        "type": "message", "id": "msg_1", "role": "assistant", "model": "m", "usage": usage,
        "content": [{"type": "text", "text": "a"}], "stop_reason": "stop_sequence",
        "stop_sequence": "END", "container": container, "context_management": edits,
    });
    let events = [
        json!({"type": "message_start", "message": {"type": "message", "id": "msg_1",
            "role": "assistant", "model": "m", "content": [], "stop_reason": null,
            "stop_sequence": null, "container": null, "usage": usage}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": "a"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence",
            "stop_sequence": "END", "container": container}, "context_management": edits,
            "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ];
    for answer in answers(&server, "anthropic", &whole, &events) {
        assert_eq!(answer.text(), "a");
        let expected = json!({
            "stop_sequence": "END", "container": container, "context_management": edits,
            "usage": {"inference_geo": "eu"},
        });
        assert_eq!(Value::from(answer.extra), expected);
    }
}

#[test]
fn log_probabilities_of_all_chunks_are_joined() {
    let server = loopback();
    let token = |token: &str, logprob: f64| {
        json!({"token": token, "logprob": logprob,
        "bytes": token.as_bytes(), "top_logprobs": [{"token": token, "logprob": logprob}]})
    };
    let chunk = |text: &str, logprobs: Value| json!({"choices": [{"index": 0, "delta": {"content": text}, "logprobs": logprobs}]});
    // The same token twice, in identical chunks.
    let again = || chunk("la", json!({"content": [token("la", -0.1)], "refusal": null}));
    let events = [
        chunk("", json!({"content": [], "refusal": null})),
        again(),
        again(),
        chunk("!", json!({"content": [token("!", -0.062_126_159_667_968_75)], "refusal": null})),
        json!({"choices": [{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]}),
    ];
    let expected = json!({"content": [token("la", -0.1), token("la", -0.1),
        token("!", -0.062_126_159_667_968_75)], "refusal": null});
    let whole = json!({"choices": [{"index": 0, "message": {"content": "lala!"},
        "logprobs": expected, "finish_reason": "stop"}]});
    for answer in answers(&server, "openai", &whole, &events) {
        assert_eq!(answer.text(), "lala!");
        assert_eq!(answer.logprobs(), expected);
        assert!(!answer.extra.contains_key("logprobs"));
        let stored = serde_json::to_string(&answer).unwrap();
        let loaded: ChatResponse = serde_json::from_str(&stored).unwrap();
        assert_eq!(loaded.logprobs(), expected);
        assert!(!format!("{answer:?}").contains("lala"));
    }
    // The answer to a non-streaming request, sent as a stream or followed by an end marker.
    server.reply(stream_of(&events));
    assert_eq!(client(&server, "openai").chat("hi").unwrap().logprobs(), expected);
    for raw in [format!("{whole}\n\ndata: [DONE]\n\n"), format!("\u{feff}{whole}")] {
        server.reply(Reply::raw(200, "application/json", raw));
        assert_eq!(client(&server, "openai").chat("hi").unwrap().logprobs(), expected);
    }
}

#[test]
fn log_probabilities_of_streamed_text_completions_are_joined_too() {
    let server = loopback();
    let chunk = |text: &str, offset: u64| {
        json!({"choices": [{"index": 0, "text": text, "finish_reason": null, "logprobs": {
            "tokens": [text], "token_logprobs": [-0.5], "top_logprobs": null,
            "text_offset": [offset]}}]})
    };
    server.reply(stream_of(&[
        chunk("a", 0),
        chunk("b", 1),
        json!({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}),
    ]));
    let client = support::builder(&server, "openai").model("gpt-3.5-turbo-instruct");
    let mut stream = client.build().unwrap().stream(ChatRequest::from("hi").logprobs(0)).unwrap();
    let answer = stream.finish().unwrap();
    assert_eq!(answer.text(), "ab");
    let expected = json!({"tokens": ["a", "b"], "token_logprobs": [-0.5, -0.5],
        "top_logprobs": null, "text_offset": [0, 1]});
    assert_eq!(answer.logprobs(), expected);
    assert_eq!(server.requests()[0].json()["logprobs"], 0);
}

#[test]
fn several_choices_on_a_stream_are_refused_before_anything_is_sent() {
    let server = loopback();
    let hi = || ChatRequest::from("hi");
    for (model, request, expected) in [
        ("gpt-4o-mini", hi().n(2), "n is 2"),
        ("gpt-4o-mini", hi().extra("n", 3), "n is 3"),
        ("gpt-3.5-turbo-instruct", hi().n(2), "n is 2"),
        ("gpt-3.5-turbo-instruct", hi().extra("prompt", json!(["a", "b"])), "2 prompts"),
        ("gpt-3.5-turbo-instruct", hi().extra("prompt", json!([[1], [2]])), "2 prompts"),
    ] {
        let client = support::builder(&server, "openai").model(model).build().unwrap();
        let error = client.stream(request).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains(expected), "{error}");
        assert!(error.message().contains("a stream yields one"), "{error}");
    }
    assert!(server.requests().is_empty());
    for request in [hi().n(1), hi().extra("n", 1), hi().n(2).extra("n", 1), hi().n(2).omit("n")] {
        server.reply(Reply::text("fine"));
        assert!(client(&server, "openai").stream(request).unwrap().finish().is_ok());
    }
}
