//! Calls in Gemini's format, over real sockets.

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::{KEY, client, costs, loopback, weather};
use tollgate::cost::Money;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    ChatRequest, Client, Document, ErrorKind, FinishReason, Image, Message, Part, StreamEvent,
    Tool, ToolResult, UsageSource,
};

#[test]
fn a_call_uses_the_path_of_its_model() {
    let server = loopback();
    server.reply(Reply::text("Paris.").reasoning("hm").usage(9, 5).reasoning_tokens(3).cached(4));
    let answer = client(&server, "gemini").chat("Capital of France?").unwrap();
    assert_eq!((answer.text(), answer.message.reasoning()), ("Paris.".into(), "hm".into()));
    assert_eq!(answer.finish_reason, FinishReason::Stop);
    assert_eq!((answer.provider.as_str(), answer.model.as_str()), ("gemini", "gemini-2.5-flash"));
    let usage = answer.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (9, 5));
    assert_eq!((usage.cached_tokens, usage.reasoning_tokens), (4, 3));
    assert!(answer.id.is_some_and(|id| id.starts_with("loopback-")));
    let request = server.requests().pop().unwrap();
    assert_eq!(request.path(), "/v1beta/models/gemini-2.5-flash:generateContent");
    assert_eq!((request.query(), request.header("x-goog-api-key")), (None, Some(KEY)));
    assert_eq!(request.header("authorization"), None);
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "Capital of France?"}]}]});
    assert_eq!(request.json(), &body);
}

#[test]
fn the_path_requests_a_stream_which_ends_with_its_body() {
    let server = loopback();
    server.reply(Reply::text("Paris it is.").reasoning("hm").usage(9, 5).reasoning_tokens(1));
    let mut stream = client(&server, "gemini").stream("Capital of France?").unwrap();
    let mut text = String::new();
    for event in stream.by_ref() {
        if let StreamEvent::TextDelta(more) = event.unwrap() {
            text += &more;
        }
    }
    assert_eq!(text, "Paris it is.");
    let answer = stream.finish().unwrap();
    assert_eq!((answer.text(), answer.message.reasoning()), (text, "hm".into()));
    assert_eq!((answer.usage.completion_tokens, answer.usage.source), (5, UsageSource::Reported));
    let request = server.requests().pop().unwrap();
    assert_eq!(request.path(), "/v1beta/models/gemini-2.5-flash:streamGenerateContent");
    assert_eq!(request.query(), Some("alt=sse"));
    assert!(request.is_stream() && request.model() == Some("gemini-2.5-flash"));
}

#[test]
fn a_stream_without_a_finish_reason_is_truncated() {
    let server = loopback();
    server.reply(Reply::text("Paris it is.").without_end_marker());
    let error = client(&server, "gemini").stream("hi").unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    server.reply(Reply::text("Paris it is.").stream_error(2, "", ""));
    let error = client(&server, "gemini").stream("hi").unwrap().finish().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("INTERNAL")), "{error}");
}

#[test]
fn a_tool_loop_works_whole_and_streamed() {
    let server = loopback();
    let client = client(&server, "gemini");
    for streamed in [false, true] {
        let call = Reply::tool_call("weather", json!({"city": "Oslo"}))
            .and_tool_call("weather", json!({"city": "Rome"}));
        server.reply(call);
        let mut request = ChatRequest::from("Weather in Oslo and Rome?").tool(weather());
        let answer = match streamed {
            true => client.stream(&request).unwrap().finish().unwrap(),
            false => client.chat(&request).unwrap(),
        };
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
        let calls: Vec<_> = answer.tool_calls().cloned().collect();
        assert_eq!(calls.len(), 2);
        request.messages.push(answer.message);
        for call in &calls {
            request.messages.push(Message::tool_result(call.id.clone(), "sunny"));
        }
        server.reply(Reply::text("Sunny in both."));
        assert_eq!(client.chat(&request).unwrap().text(), "Sunny in both.");
        let sent = server.requests().pop().unwrap().json().clone();
        let call = |at: usize| &sent["contents"][1]["parts"][at];
        assert_eq!(call(0)["thoughtSignature"], "bG9vcGJhY2s=");
        assert_eq!(call(1).get("thoughtSignature"), None);
        for at in [0, 1] {
            let result = &sent["contents"][2]["parts"][at]["functionResponse"];
            assert_eq!(result["id"], call(at)["functionCall"]["id"]);
            assert_eq!(result["name"], "weather");
            assert_eq!(result["response"], json!({"output": "sunny"}));
        }
        let tools = &sent["tools"][0]["functionDeclarations"][0];
        assert_eq!(tools["parametersJsonSchema"]["properties"]["city"]["type"], "string");
    }
}

#[test]
fn googles_status_decides_the_kind_and_code_of_an_error() {
    let server = loopback();
    let client = client(&server, "gemini");
    for (reply, kind, code) in [
        (
            Reply::error(400, "API_KEY_INVALID", "API key not valid."),
            ErrorKind::Authentication,
            "API_KEY_INVALID",
        ),
        (Reply::status(400), ErrorKind::InvalidRequest, "INVALID_ARGUMENT"),
        (Reply::status(403), ErrorKind::Permission, "PERMISSION_DENIED"),
        (Reply::status(404), ErrorKind::NotFound, "NOT_FOUND"),
        (Reply::status(429), ErrorKind::RateLimited, "RESOURCE_EXHAUSTED"),
        (Reply::status(500), ErrorKind::Server, "INTERNAL"),
        (Reply::status(503), ErrorKind::Overloaded, "UNAVAILABLE"),
    ] {
        server.reply(reply);
        let error = client.chat("hi").unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error}");
    }
    let body = json!([{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}]}}]);
    server.reply(Reply::raw(429, "application/json", body.to_string().into_bytes()));
    let error = client.stream("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_millis(2500)));
}

#[test]
fn a_blocked_prompt_is_an_error_but_a_filtered_answer_is_not() {
    let server = loopback();
    let client = client(&server, "gemini");
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}, "modelVersion": "m"});
    server.reply(Reply::raw(200, "application/json", blocked.to_string().into_bytes()));
    let error = client.chat("hi").unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::ContentPolicy, Some("PROHIBITED_CONTENT"))
    );
    assert!(!error.is_retryable());
    let event = format!("data: {blocked}\r\n\r\n");
    server.reply(Reply::raw(200, "text/event-stream", event.into_bytes()));
    let error =
        client.stream("hi").map(|mut stream| stream.finish()).and_then(|end| end).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentPolicy);
    server.reply(Reply::text("So far").finish_reason(FinishReason::ContentFilter));
    let answer = client.chat("hi").unwrap();
    assert_eq!(
        (answer.text(), answer.finish_reason),
        ("So far".into(), FinishReason::ContentFilter)
    );
    assert_eq!(answer.complete_text().unwrap_err().kind(), ErrorKind::ContentPolicy);
}

fn tracked(server: &Loopback, limit: Money) -> Client {
    costs::limited(server, "gemini", "google/gemini-2.5-flash", limit)
}

#[test]
fn budgets_hold_and_set_the_output_limit() {
    let server = loopback();
    server.reply(Reply::text("Paris.").usage(20, 100));
    let client = tracked(&server, Money::dollars(1));
    let answer = client.chat("Capital of France?").unwrap();
    // 20 tokens at $1 and 100 at $10 per million.
    assert_eq!(answer.cost.unwrap().total, Money::picos(20_000_000 + 1_000_000_000));
    // Not enough for a prompt and its answer.
    let poor = tracked(&server, Money::picos(1_000_000));
    let error = poor.chat("Capital of France?").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
    // Enough for a shorter answer than the model's maximum.
    let tight = tracked(&server, Money::picos(5_000_000_000));
    server.reply(Reply::text("Paris.").usage(20, 100));
    tight.chat("Capital of France?").unwrap();
    let sent = server.requests().pop().unwrap().json().clone();
    let limit = sent["generationConfig"]["maxOutputTokens"].as_u64().unwrap();
    assert!((1..500).contains(&limit), "{sent}");
}

#[test]
fn content_that_cannot_be_counted_reserves_the_context_window() {
    let server = loopback();
    let client = tracked(&server, Money::dollars(100));
    let hi = || ChatRequest::from("hi");
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x04\0\0\0\x03\0".as_slice(), &[0; 9]].concat();
    let seen = |request: ChatRequest| {
        server.reply(Reply::text("fine").usage(1, 1));
        let error = tracked(&server, Money::cents(50)).chat(&request);
        let result = client.chat(request);
        (error.is_ok(), result.is_ok())
    };
    // An image of 1024 × 768 is small; a dollar buys a whole window.
    let image = Message::user("see").with(Image::from_bytes("image/png", &png));
    assert_eq!(seen(ChatRequest::from(image)), (true, true));
    for request in [
        ChatRequest::from(Message::user("see").with(Document::from_file_id("files/abc"))),
        ChatRequest::from(
            Message::user("see").with(Document::from_bytes("application/pdf", b"%PDF-")),
        ),
        hi().extra("cachedContent", "cachedContents/abc"),
    ] {
        assert_eq!(seen(request.clone()), (false, true), "{request:?}");
    }
    // Every step can read the whole window.
    let tools = hi().tool(Tool::Native(json!({"codeExecution": {}})));
    assert_eq!(seen(tools), (false, true));
}

#[test]
fn inexpressible_requests_are_rejected_before_sending() {
    let server = loopback();
    let client = client(&server, "gemini");
    let schema = json!({"type": "object", "patternProperties": {"^a": {"type": "string"}}});
    for (request, expected) in [
        (ChatRequest::from("hi").beta("x"), "only Anthropic has betas"),
        (ChatRequest::from("hi").seed(1 << 40), "only 32 bits"),
        (ChatRequest::from("hi").json_schema("s", schema), "patternProperties"),
        (ChatRequest::from("hi").omit("contents"), "every request needs"),
        (
            ChatRequest::from("hi").tool(weather()).parallel_tool_calls(false),
            "leave parallel_tool_calls unset",
        ),
        (
            ChatRequest::from(Message::user("x").with(Image::from_bytes("image/gif", b"GIF89a"))),
            "convert it",
        ),
    ] {
        let error = client.chat(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains(expected), "{error}");
    }
    let error = client.complete("hi").unwrap_err();
    assert!(error.message().contains("no text completions"), "{error}");
    let error = client.stream(ChatRequest::from("hi").n(2)).unwrap_err();
    assert!(error.message().contains("a stream yields one choice"), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn several_choices_and_log_probabilities_are_returned() {
    let server = loopback();
    let candidate = |text: &str| {
        json!({"content": {"parts": [{"text": "x", "thought": true}, {"text": text}]},
            "finishReason": "STOP", "logprobsResult": {"chosenCandidates": [{"token": text}]}})
    };
    let body = json!({"candidates": [candidate("a"), candidate("b")]});
    server.reply(Reply::raw(200, "application/json", body.to_string().into_bytes()));
    let answer = client(&server, "gemini").chat(ChatRequest::from("hi").n(2).logprobs(1)).unwrap();
    assert_eq!((answer.text(), answer.other_choices()), ("a".into(), vec!["b".to_owned()]));
    assert_eq!(answer.logprobs()["chosenCandidates"][0]["token"], "a");
    let sent: Value = server.requests().pop().unwrap().json().clone();
    assert_eq!(sent["generationConfig"]["candidateCount"], 2);
}

#[test]
fn a_stored_conversation_keeps_all_its_parts() {
    let server = loopback();
    let body = json!({"candidates": [{"content": {"parts": [
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
        {"text": "1", "thoughtSignature": "T"},
    ]}, "finishReason": "STOP"}]});
    server.reply(Reply::raw(200, "application/json", body.to_string().into_bytes()));
    let client = client(&server, "gemini");
    let answer = client.chat("hi").unwrap().message;
    let stored = serde_json::to_string(&answer).unwrap();
    let loaded: Message = serde_json::from_str(&stored).unwrap();
    assert_eq!(loaded, answer);
    server.reply(Reply::text("fine"));
    client.chat([Message::user("hi"), loaded, Message::user("on")]).unwrap();
    let sent = server.requests().pop().unwrap().json().clone();
    assert_eq!(sent["contents"][1]["parts"], body["candidates"][0]["content"]["parts"]);
    let result = ToolResult::new("c", "x").with(Part::text("y"));
    assert_eq!(result.content.len(), 2);
}
