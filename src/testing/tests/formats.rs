//! Tests of the loopback provider's responses in each wire format.

use serde_json::{Value, json};

use super::*;
use crate::FinishReason;

fn parsed(answer: &Answer) -> Vec<Value> {
    answer.events().iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect()
}

fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}

#[test]
fn a_chat_response_has_every_field() {
    let reply = Reply::text("Paris, of course.").usage(100, 20).cached(60).reasoning_tokens(8);
    let answer = ask(CHAT, &question(false), reply);
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json\r\n"));
    assert!(answer.head.contains("x-request-id: req_"));
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "test-model");
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(body["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(body["choices"][0]["message"]["content"], "Paris, of course.");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens"], 100);
    assert_eq!(body["usage"]["completion_tokens"], 20);
    assert_eq!(body["usage"]["total_tokens"], 120);
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 60);
    assert_eq!(body["usage"]["completion_tokens_details"]["reasoning_tokens"], 8);
}

#[test]
fn a_chat_stream_has_role_deltas_finish_usage_and_done() {
    let reply = || Reply::pieces(["Par", "is"]).reasoning("Think.");
    let answer = ask(CHAT, &with_usage(), reply());
    assert!(answer.head.contains("content-type: text/event-stream"));
    assert_eq!(answer.events().last(), Some(&(None, "[DONE]")));
    let events = parsed(&answer);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(joined(&events, "/choices/0/delta/content"), "Paris");
    assert_eq!(joined(&events, "/choices/0/delta/reasoning_content"), "Think.");
    assert_eq!(joined(&events, "/choices/0/finish_reason"), "stop");
    assert!(events.iter().all(|event| event["object"] == "chat.completion.chunk"));
    let (usage, before) = events.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    let counts = &usage["usage"];
    assert_eq!(
        counts["total_tokens"].as_u64().unwrap(),
        counts["prompt_tokens"].as_u64().unwrap() + counts["completion_tokens"].as_u64().unwrap()
    );
    // "user" and the question are 34 bytes; "Paris" and "Think." make two each.
    assert_eq!((&counts["prompt_tokens"], &counts["completion_tokens"]), (&json!(9), &json!(4)));
    assert!(before.iter().all(|event| event["usage"] == Value::Null));

    let plain = parsed(&ask(CHAT, &question(true), reply()));
    assert!(plain.iter().all(|event| event.get("usage").is_none()));
    let silent = parsed(&ask(CHAT, &with_usage(), reply().no_usage()));
    assert!(silent.iter().all(|event| event["choices"] != json!([])));
}

#[test]
fn tool_calls_are_rendered_in_each_format() {
    let reply = || {
        Reply::text("Let me look.")
            .and_tool_call("weather", json!({"city": "Rome"}))
            .and_tool_call("time", json!({}))
    };
    let body = ask(CHAT, &question(false), reply()).json();
    let calls = &body["choices"][0]["message"]["tool_calls"];
    assert_eq!(
        calls[0]["function"],
        json!({"name": "weather", "arguments": "{\"city\":\"Rome\"}"})
    );
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");

    let events = parsed(&ask(CHAT, &question(true), reply()));
    let deltas: Vec<_> =
        events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0")).collect();
    for (index, name, arguments) in [(0, "weather", "{\"city\":\"Rome\"}"), (1, "time", "{}")] {
        let own: Vec<_> = deltas.iter().filter(|delta| delta["index"] == index).collect();
        assert_eq!(own[0]["function"]["name"], name);
        assert!(own[1..].iter().all(|delta| delta.get("id").is_none()));
        let text: String =
            own.iter().filter_map(|delta| delta["function"]["arguments"].as_str()).collect();
        assert_eq!(text, arguments);
    }

    let body = ask(MESSAGES, &question(false), reply()).json();
    assert_eq!(body["stop_reason"], "tool_use");
    assert_eq!(body["content"][1]["input"], json!({"city": "Rome"}));
    assert_eq!(body["content"][1]["caller"], json!({"type": "direct"}));

    let broken = Reply::tool_call("a", json!({})).and_tool_call_text("b", "{\"x\": ");
    let events = parsed(&ask(MESSAGES, &question(true), broken));
    let second: Vec<_> = events.into_iter().filter(|event| event["index"] == 1).collect();
    assert_eq!(second[0]["content_block"]["name"], "b");
    assert_eq!(joined(&second, "/delta/partial_json"), "{\"x\": ");
}

#[test]
fn messages_count_cached_input_separately() {
    let reply = Reply::text("Paris").usage(100, 20).cached(60).cache_write(10).cache_write_1h(5);
    let answer = ask(MESSAGES, &question(false), reply.reasoning("Hm."));
    assert!(answer.head.contains("\r\nrequest-id: req_"));
    let body = answer.json();
    assert_eq!(body["type"], "message");
    assert_eq!(body["content"][0]["thinking"], "Hm.");
    assert_eq!(body["content"][1], json!({"type": "text", "text": "Paris"}));
    assert_eq!(body["stop_reason"], "end_turn");
    let usage = &body["usage"];
    assert_eq!(usage["input_tokens"], 25);
    assert_eq!(usage["cache_read_input_tokens"], 60);
    assert_eq!(usage["cache_creation_input_tokens"], 15);
    assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"], 5);
    assert_eq!(usage["output_tokens"], 20);
}

#[test]
fn messages_stream_named_events_in_order() {
    let reply = Reply::pieces(["Par", "is"]).reasoning("Hm.").usage(10, 5).cached(3).cache_write(2);
    let answer = ask(MESSAGES, &question(true), reply);
    let names: Vec<_> = answer.events().iter().map(|(name, _)| name.unwrap()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let events = parsed(&answer);
    assert!(names.iter().zip(&events).all(|(name, event)| event["type"] == **name));
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 5);
    assert_eq!(joined(&events, "/delta/thinking"), "Hm.");
    assert_eq!(joined(&events, "/delta/text"), "Paris");
    assert_eq!(
        events[10]["usage"],
        json!({
            "input_tokens": 5, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3,
            "output_tokens": 5,
        })
    );
    assert_eq!(events[10]["delta"]["stop_reason"], "end_turn");
}

#[test]
fn text_completions_have_their_own_format() {
    let mut ask_for = json!({"model": "davinci-002", "prompt": "Say hello"});
    let body = ask(COMPLETIONS, &ask_for, Reply::text("Hello there")).json();
    assert_eq!(body["object"], "text_completion");
    assert_eq!(body["choices"][0]["text"], "Hello there");
    assert_eq!(
        body["usage"],
        json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6})
    );

    ask_for["stream"] = json!(true);
    ask_for["stream_options"] = json!({"include_usage": true});
    let answer = ask(COMPLETIONS, &ask_for, Reply::text("Hello there"));
    let events = parsed(&answer);
    assert_eq!(joined(&events, "/choices/0/text"), "Hello there");
    assert_eq!(joined(&events, "/choices/0/finish_reason"), "stop");
    assert_eq!(events.last().unwrap()["usage"]["total_tokens"], 6);
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

#[test]
fn refusals_and_finish_reasons_use_the_words_of_each_format() {
    let body = ask(CHAT, &question(false), Reply::refusal("No.")).json();
    assert_eq!(body["choices"][0]["message"]["refusal"], "No.");
    assert_eq!(body["choices"][0]["message"]["content"], Value::Null);
    let body = ask(MESSAGES, &question(false), Reply::refusal("No.")).json();
    assert_eq!(
        (&body["content"][0]["text"], &body["stop_reason"]),
        (&json!("No."), &json!("refusal"))
    );

    let cut = || Reply::text("x").finish_reason(FinishReason::Length);
    assert_eq!(ask(CHAT, &question(false), cut()).json()["choices"][0]["finish_reason"], "length");
    assert_eq!(ask(MESSAGES, &question(false), cut()).json()["stop_reason"], "max_tokens");
    let odd = Reply::text("x").finish_reason_raw("odd").model("other");
    let body = ask(MESSAGES, &question(false), odd).json();
    assert_eq!((&body["stop_reason"], &body["model"]), (&json!("odd"), &json!("other")));
}

#[test]
fn errors_have_the_providers_own_format() {
    let quota = || Reply::error(429, "insufficient_quota", "Top up.").header("Retry-After", "7");
    let answer = ask(CHAT, &question(true), quota());
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("Retry-After: 7\r\n"));
    assert_eq!(
        answer.json(),
        json!({"error": {"message": "Top up.", "type": "insufficient_quota", "param": null,
            "code": "insufficient_quota"}})
    );
    let answer = ask(MESSAGES, &question(false), Reply::status(529));
    assert_eq!(answer.status, 529);
    let body = answer.json();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!("overloaded_error"))
    );
    assert!(answer.head.contains(body["request_id"].as_str().unwrap()));
    assert_eq!(
        ask(CHAT, &question(false), Reply::status(500)).json()["error"]["type"],
        "server_error"
    );
    for (path, word, expected) in
        [(CHAT, "code", "model_not_found"), (MESSAGES, "type", "not_found_error")]
    {
        let error = ask(path, &question(false), Reply::status(404)).json()["error"].clone();
        assert_eq!(error[word], expected);
    }
    assert_eq!(ask(CHAT, &question(false), Reply::status(204)).body, b"");
}

#[test]
fn headers_can_be_added_and_replaced() {
    let limited = || Reply::text("x").rate_limit(50, 49).header("X-Request-Id", "mine");
    let head = ask(CHAT, &question(false), limited()).head;
    assert!(head.contains("X-Request-Id: mine\r\n") && !head.contains("x-request-id"), "{head}");
    assert!(head.contains("x-ratelimit-remaining-requests: 49\r\n"), "{head}");
    let head = ask(MESSAGES, &question(false), limited()).head;
    assert!(head.contains("anthropic-ratelimit-tokens-limit: 50000\r\n"), "{head}");
    let raw = ask(CHAT, &question(false), Reply::raw(502, "text/html", "<p>Bad gateway"));
    assert_eq!((raw.status, raw.text()), (502, "<p>Bad gateway"));
}

#[test]
fn refused_requests_use_up_no_scripted_reply() {
    let server = Loopback::start().unwrap();
    server.reply(Reply::text("scripted"));
    let mut client = Client::to(&server);
    client.post("/v1/nowhere", &question(false));
    let unknown = client.answer();
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &Value::Null));
    assert_eq!(unknown.json()["error"]["message"], "Invalid URL (POST /v1/nowhere)");
    assert!(unknown.head.contains("\r\nx-request-id: req_"), "{}", unknown.head);
    client.post_with("/nowhere", "anthropic-version: 2023-06-01\r\n", &question(false));
    assert_eq!(client.answer().json()["error"]["type"], "not_found_error");
    client.post(CHAT, &json!([1]));
    assert_eq!(client.answer().status, 400);
    client.write(&format!("GET {CHAT} HTTP/1.1\r\n\r\n"));
    assert_eq!(client.answer().status, 405);
    server.require_key("k");
    client.post(MESSAGES, &question(false));
    let refused = client.answer();
    assert_eq!(
        (refused.status, &refused.json()["error"]["type"]),
        (401, &json!("authentication_error"))
    );
    assert_eq!(server.unused_replies(), 1);
    for header in ["x-api-key: k\r\n", "Authorization: Bearer k\r\n"] {
        client.post_with(MESSAGES, header, &question(false));
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!((server.unused_replies(), server.request_count()), (0, 7));
    assert!(server.requests().iter().all(|request| request.connection() == 1));
}

#[test]
fn rules_precede_the_script_and_the_default_reply() {
    let server = Loopback::start().unwrap();
    server.on(|request| request.body_contains("France"), Reply::text("Paris"));
    server.respond(|request| Some(Reply::text(request.query()?)));
    server.reply(Reply::text("scripted"));
    let mut client = Client::to(&server);
    let mut say = |path: &str, body: &Value| {
        client.post(path, body);
        let body = client.answer().json();
        body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    let other = json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "user"}]});
    assert_eq!(say(CHAT, &question(false)), "Paris");
    assert_eq!(say(&format!("{CHAT}?hello"), &other), "hello");
    assert_eq!(say(CHAT, &other), "scripted");
    assert_eq!(say(CHAT, &other), "This is the loopback provider. 2 messages came.");
    server.default_reply(Reply::text("last"));
    assert_eq!(say(CHAT, &other), "last");
    server.clear();
    assert_eq!(say(CHAT, &question(false)), "This is the loopback provider. 1 message came.");
}
