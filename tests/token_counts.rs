//! Counting the tokens of a request.

mod support;

use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;
use support::recordings::{Recordings, member};
use support::{builder, client, loopback, quick_retries};
use tollgate::provider::Format;
use tollgate::testing::Reply;
use tollgate::{Budget, ChatRequest, ErrorKind, Message, Money, Tool};

const JSON: &str = "application/json";

fn request() -> ChatRequest {
    ChatRequest::new([Message::system("Be brief."), Message::user("What is the capital?")])
        .tool(Tool::function("now", "Tells the time", json!({"type": "object"})))
        .max_output_tokens(50)
        .idempotency_key("of-the-chat")
}

#[test]
fn a_request_is_counted_as_it_would_be_sent() {
    for (provider, path, answer) in [
        ("anthropic", "/v1/messages/count_tokens", json!({"input_tokens": 14})),
        (
            "gemini",
            "/v1beta/models/gemini-2.5-flash:countTokens",
            json!({"totalTokens": 14, "cachedContentTokenCount": 2}),
        ),
    ] {
        let server = loopback();
        let client = builder(&server, provider).retry(quick_retries(1)).build().unwrap();
        let answer = answer.to_string();
        server.on(|request| request.path().contains("ount"), Reply::raw(200, JSON, answer));
        client.chat(request()).unwrap();
        let count = client.count_tokens(request()).unwrap();
        assert_eq!((count.input_tokens, count.provider.as_str()), (14, provider));
        assert_eq!(count.cached_tokens, (provider == "gemini").then_some(2));
        let [chat, counted] = <[_; 2]>::try_from(server.requests()).unwrap();
        assert_eq!((counted.method(), counted.path()), ("POST", path));
        assert_eq!(counted.header("idempotency-key"), None, "the key belongs to the chat");
        let body = counted.json().get("generateContentRequest").unwrap_or(counted.json());
        for name in ["system", "messages", "tools", "systemInstruction", "contents"] {
            assert_eq!(body.get(name), chat.json().get(name), "{provider}: {name}");
        }
        assert_eq!(body.get("max_tokens"), None);
        let metrics = client.metrics();
        assert!(metrics.by_model.iter().any(|one| one.operation == "count_tokens"));
        assert_eq!(client.costs().total.calls, 1, "counting is free");
    }
}

#[test]
fn openai_counts_a_request_in_the_format_of_responses() {
    let server = loopback();
    let client = client(&server, "openai");
    let error = client.count_tokens(request()).unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, 0));
    assert!(error.message().contains("Format::OpenAiResponses"), "{error}");
    let answer = json!({"object": "response.input_tokens", "input_tokens": 11}).to_string();
    server.on(|_| true, Reply::raw(200, JSON, answer));
    let count = client.count_tokens(request().wire_format(Format::OpenAiResponses)).unwrap();
    assert_eq!((count.input_tokens, count.model.as_str()), (11, "gpt-4o-mini"));
    assert_eq!(server.requests()[0].path(), "/v1/responses/input_tokens");
}

#[test]
fn counting_is_allowed_when_the_budget_is_spent() {
    let server = loopback();
    let client = builder(&server, "anthropic").budget(Budget::total(Money::ZERO)).build().unwrap();
    server.on(|_| true, Reply::raw(200, JSON, &b"{\"input_tokens\":14}"[..]));
    assert_eq!(client.chat(request()).unwrap_err().kind(), ErrorKind::BudgetExceeded);
    assert_eq!(client.count_tokens(request()).unwrap().input_tokens, 14);
}

#[test]
fn failures_are_retried_and_explained_like_those_of_chats() {
    let server = loopback();
    let client = builder(&server, "anthropic").retry(quick_retries(1)).build().unwrap();
    let counted = Reply::raw(200, JSON, &b"{\"input_tokens\":3}"[..]);
    let replies = Mutex::new(vec![counted, Reply::status(529)]);
    server.respond(move |_| replies.lock().unwrap().pop());
    assert_eq!(client.count_tokens(request()).unwrap().input_tokens, 3);
    assert_eq!(server.request_count(), 2);
    server.clear();
    server.on(|_| true, Reply::hang());
    let late = request().timeout(Duration::from_millis(50));
    assert_eq!(client.count_tokens(late).unwrap_err().kind(), ErrorKind::Timeout);
    server.clear();
    let body = r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#;
    server.on(|_| true, Reply::raw(404, JSON, body));
    let error = client.count_tokens(request()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("not_found_error")));
}

#[test]
fn recorded_counts_decode() {
    let Some(recordings) = Recordings::open() else { return };
    let is_count = |entry: &&Value| {
        let url = member(entry, "url");
        url.contains("count_tokens") || url.ends_with(":countTokens")
    };
    let mut read = 0;
    for entry in recordings.entries.iter().filter(is_count) {
        let server = loopback();
        let (file, body) = (member(entry, "file"), recordings.body(entry));
        let raw: Value = serde_json::from_slice(&body).unwrap();
        let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
        server.on(|_| true, Reply::raw(status, JSON, body));
        // Vertex AI answers in the same form.
        let provider = member(entry, "provider").replace("_vertex", "");
        match client(&server, &provider).count_tokens("hi") {
            Ok(count) => {
                let expected = raw.get("input_tokens").or(raw.get("totalTokens")).unwrap();
                assert_eq!(json!(count.input_tokens), *expected, "{file}");
            }
            Err(error) => {
                assert_eq!((error.status(), error.kind()), (Some(404), ErrorKind::NotFound));
                assert_eq!(json!(error.message()), raw["error"]["message"], "{file}");
            }
        }
        read += 1;
    }
    assert_eq!(read, 11);
}
