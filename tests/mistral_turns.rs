//! A conversation with Mistral: thinking in both directions, prefixes, audio, errors and usage, in
//! requests that fit its closed schema.

mod support;

use serde_json::{Value, json};
use support::recordings::{Recordings, member};
use support::{client, loopback, vendor_client};
use tollgate::chat::{Format, JsonSchema};
use tollgate::cost::{Budget, CostConfig, Money, Price, Prices};
use tollgate::testing::Reply;
use tollgate::{
    ChatRequest, ErrorKind, Image, Message, Part, ReasoningEffort, Role, Tool, ToolCall, ToolResult,
};

fn raw(body: &Value) -> Reply {
    Reply::raw(200, "application/json", body.to_string().into_bytes())
}

fn answer(message: Value) -> Reply {
    raw(&json!({"id": "c", "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": message}]}))
}

fn stream(deltas: &[Value]) -> Reply {
    let chunk = |delta: &Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
    };
    let mut body: String = deltas.iter().map(|delta| chunk(delta, Value::Null)).collect();
    body += &chunk(&json!({"content": ""}), json!("stop"));
    body += "data: [DONE]\n\n";
    Reply::raw(200, "text/event-stream", body.into_bytes())
}

#[test]
fn thinking_goes_back_as_it_came_whole_and_streamed() {
    let server = loopback();
    let client = vendor_client(&server, "mistral");
    let text = |text: &str| json!({"type": "text", "text": text});
    let thinks = |parts: Vec<Value>| json!({"type": "thinking", "thinking": parts, "closed": true});
    let reference = json!({"type": "reference", "reference_ids": [1, 2]});
    let mut signed = thinks(vec![text("hm."), reference.clone()]);
    signed["signature"] = json!("S");
    let whole = answer(json!({"role": "assistant", "content": [signed, text("Seven.")]}));
    let mut closing = thinks(vec![]);
    closing["signature"] = json!("S");
    let streamed = stream(&[
        json!({"role": "assistant", "content": ""}),
        json!({"content": [thinks(vec![text("h")])]}),
        json!({"content": [thinks(vec![text("m."), reference])]}),
        json!({"content": [closing, text("Sev")]}),
        json!({"content": "en."}),
    ]);
    signed.as_object_mut().unwrap().remove("closed");
    for (reply, is_stream) in [(whole, false), (streamed, true)] {
        server.reply(reply);
        let answer = match is_stream {
            true => client.stream("2 + 5?").unwrap().finish().unwrap(),
            false => client.chat("2 + 5?").unwrap(),
        };
        assert_eq!((answer.text(), answer.message.reasoning()), ("Seven.".into(), "hm.".into()));
        // Programs may store a conversation and load it again.
        let stored = serde_json::to_string(&answer.message).unwrap();
        let loaded: Message = serde_json::from_str(&stored).unwrap();
        client.chat([Message::user("2 + 5?"), loaded, Message::user("And 1?")]).unwrap();
        let sent = server.requests().pop().unwrap().json()["messages"][1].clone();
        let content = json!([signed, text("Seven.")]);
        assert_eq!(sent, json!({"role": "assistant", "content": content}), "{is_stream}");
    }
    // Another provider never sees it.
    server.reply(answer(json!({"content": [signed, text("Seven.")]})));
    let seven = client.chat("2 + 5?").unwrap().message;
    vendor_client(&server, "vllm").chat([Message::user("hi"), seven, Message::user("on")]).unwrap();
    let sent = server.requests().pop().unwrap().json()["messages"][1].clone();
    assert_eq!(sent, json!({"role": "assistant", "content": "Seven."}));
}

#[test]
fn recorded_thinking_goes_back() {
    let Some(recordings) = Recordings::open() else { return };
    let server = loopback();
    let client = vendor_client(&server, "mistral");
    let mut seen = 0;
    for entry in &recordings.entries {
        let body = recordings.body(entry);
        let text = String::from_utf8_lossy(&body);
        if entry["provider"] != "mistral" || !text.contains("\"type\":\"thinking\"") {
            continue;
        }
        let file = member(entry, "file");
        server.reply(Reply::raw(200, "text/event-stream", body.clone()));
        let answer = client.stream("hi").unwrap().finish().unwrap();
        // The raw chunks, joined by code that shares nothing with the crate.
        let (mut thought, mut said) = (String::new(), String::new());
        for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let Ok(chunk) = serde_json::from_str::<Value>(data) else { continue };
            let content = &chunk["choices"][0]["delta"]["content"];
            said += content.as_str().unwrap_or_default();
            for part in content.as_array().into_iter().flatten() {
                said += part["text"].as_str().unwrap_or_default();
                for inner in part["thinking"].as_array().into_iter().flatten() {
                    thought += inner["text"].as_str().unwrap_or_default();
                }
            }
        }
        assert_eq!((answer.message.reasoning(), answer.text()), (thought.clone(), said), "{file}");
        assert!(
            !thought.is_empty() && answer.service_tier.as_deref() == Some("standard"),
            "{file}"
        );
        client.chat([Message::user("hi"), answer.message, Message::user("on")]).unwrap();
        let sent = server.requests().pop().unwrap().json().clone();
        let part = &sent["messages"][1]["content"][0];
        assert_eq!(part["thinking"], json!([{"type": "text", "text": thought}]), "{file}");
        seen += 1;
    }
    assert!(seen >= 2, "only {seen}; is the folder whole?");
}

#[test]
fn a_last_assistant_message_is_marked_where_a_server_wants_that() {
    let server = loopback();
    for (provider, mark) in
        [("mistral", "prefix"), ("moonshot", "partial"), ("alibaba", "partial"), ("groq", "")]
    {
        let client = vendor_client(&server, provider);
        client.chat([Message::user("Capital?"), Message::assistant("It is")]).unwrap();
        let sent = server.requests().pop().unwrap().json()["messages"][1].clone();
        let mut expected = json!({"role": "assistant", "content": "It is"});
        if !mark.is_empty() {
            expected[mark] = true.into();
        }
        assert_eq!(sent, expected, "{provider}");
        // Only the last message, and only the assistant's.
        client.chat([Message::assistant("It is"), Message::user("Capital?")]).unwrap();
        let sent = server.requests().pop().unwrap().json()["messages"].to_string();
        assert!(!sent.contains("prefix") && !sent.contains("partial"), "{provider} {sent}");
    }
}

#[test]
fn a_user_message_right_after_a_tool_result_is_refused_where_a_server_rejects_it() {
    let server = loopback();
    let call = || Message::new(Role::Assistant, [ToolCall::new("c1", "f", "{}")]);
    let result = || Message::tool_result("c1", "secret");
    let both = Message::user("secret").with(ToolResult::new("c1", "x"));
    let mistral = vendor_client(&server, "mistral");
    let groq = vendor_client(&server, "groq");
    for (messages, next) in [
        (vec![Message::user("a"), call(), result(), Message::user("b")], "a user message"),
        (vec![Message::user("a"), call(), both], "a user message"),
        // Results move to their call.
        (vec![Message::user("a"), call(), Message::user("b"), result()], "a user message"),
        (
            vec![Message::user("a"), call(), result(), Message::system("b"), Message::user("c")],
            "a system message",
        ),
    ] {
        let count = server.request_count();
        let error = mistral.chat(messages.clone()).unwrap_err();
        assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, count));
        assert!(error.message().contains(next), "{error}");
        assert!(error.message().contains("Message::assistant"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        groq.chat(messages).unwrap();
    }
    for messages in [
        vec![Message::user("a"), call(), result()],
        vec![
            Message::user("a"),
            call(),
            result(),
            Message::assistant("Understood."),
            Message::user("b"),
        ],
    ] {
        mistral.chat(messages).unwrap();
    }
}

#[test]
fn audio_counts_towards_a_budget_in_mistrals_form() {
    let server = loopback();
    let price = Price::per_million(Money::dollars(1), Money::dollars(1)).max_output(1);
    let costs = CostConfig::default()
        .prices(Prices::builtin().set("mistral", "some-model", price))
        .budget(Budget::total(Money::picos(3_000_000_000)));
    let builder = support::builder(&server, "mistral").model("some-model").costs(costs);
    let client = builder.build().unwrap();
    let with = |data: String| {
        let audio = json!({"type": "input_audio", "input_audio": data});
        client.chat(Message::user("Hear.").with(Part::native(Format::OpenAiChat, audio)))
    };
    assert!(with("UklG".to_owned()).is_ok());
    // Three thousand tokens cost more than the budget has.
    let long = "UklG".repeat(3000 * 32 / 4);
    assert_eq!(with(long).unwrap_err().kind(), ErrorKind::BudgetExceeded);
    // Nobody knows how long this one is.
    let linked = "https://x/y.mp3".to_owned();
    assert_eq!(with(linked).unwrap_err().kind(), ErrorKind::CostUnknown);
}

/// The members of a request (`ChatCompletionRequest` in Mistral's OpenAPI file, which allows no
/// others).
const MEMBERS: [&str; 23] = [
    "model",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "messages",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "prediction",
    "parallel_tool_calls",
    "reasoning_effort",
    "prompt_mode",
    "guardrails",
    "prompt_cache_key",
    "service_tier",
    "safe_prompt",
];

#[test]
fn a_request_has_only_members_that_the_closed_schema_knows() {
    let server = loopback();
    let client = vendor_client(&server, "mistral");
    // Members that this crate does not model do not go back either.
    server.reply(answer(json!({"role": "assistant", "content": null, "odd": "x", "tool_calls": [
        {"id": "abcdefghi", "type": "function", "index": 0, "odd": 1,
            "function": {"name": "f", "arguments": "{}"}}]})));
    let tool = || Tool::function("f", "d", json!({"type": "object"}));
    let called = client.chat(ChatRequest::from("hi").tool(tool())).unwrap().message;
    let request = ChatRequest::new([
        Message::system("s"),
        Message::user("hi").named("ann").with(Image::from_url("https://x/y.png")),
        called,
        Message::tool_result("abcdefghi", "x"),
    ])
    .tool(tool())
    .max_output_tokens(9)
    .temperature(0.5)
    .top_p(0.5)
    .stop("END")
    .seed(7)
    .reasoning_effort(ReasoningEffort::High)
    .parallel_tool_calls(true)
    .response_format(JsonSchema::new("s", json!({"type": "object", "properties": {}})));
    for streamed in [false, true] {
        match streamed {
            true => drop(client.stream(&request).unwrap().finish().unwrap()),
            false => drop(client.chat(&request).unwrap()),
        }
        let sent = server.requests().pop().unwrap().json().clone();
        for name in sent.as_object().unwrap().keys() {
            assert!(MEMBERS.contains(&name.as_str()), "{name}");
        }
        assert_eq!(sent["random_seed"], 7);
        assert_eq!(sent["messages"][1].get("name"), None);
        let call = json!({"id": "abcdefghi", "type": "function",
            "function": {"name": "f", "arguments": "{}"}});
        let assistant = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        assert_eq!(sent["messages"][2], assistant);
    }
}

#[test]
fn every_form_of_its_errors_and_usage_is_read() {
    let server = loopback();
    let client = client(&server, "mistral");
    let missing = json!([{"type": "missing", "loc": ["body", "model"], "msg": "Field required",
        "input": {"prompt": "secret"}}]);
    for (status, body, kind, expected) in [
        (422, json!({"detail": missing}), ErrorKind::InvalidRequest, "Field required"),
        (
            422,
            json!({"object": "error", "message": {"detail": missing}, "type": "invalid_request_error",
                "param": null, "code": null}),
            ErrorKind::InvalidRequest,
            "Field required",
        ),
        (
            400,
            json!({"object": "error", "message": "Invalid model: x", "type": "invalid_model",
                "param": null, "code": "1500"}),
            ErrorKind::NotFound,
            "Invalid model: x",
        ),
        (401, json!({"detail": "Unauthorized"}), ErrorKind::Authentication, "Unauthorized"),
        (
            429,
            json!({"object": "error", "message": "Rate limit exceeded", "type": "rate_limited",
                "param": null, "code": "1300"}),
            ErrorKind::RateLimited,
            "Rate limit exceeded",
        ),
    ] {
        server.reply(Reply::raw(status, "application/json", body.to_string().into_bytes()));
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), kind, "{body} {error}");
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
    for spelling in [
        json!({"prompt_tokens_details": {"cached_tokens": 7}}),
        json!({"prompt_token_details": {"cached_tokens": 7}}),
        json!({"num_cached_tokens": 7}),
    ] {
        let mut usage = json!({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10,
            "service_tier": "priority", "prompt_audio_seconds": 3});
        usage.as_object_mut().unwrap().extend(spelling.as_object().unwrap().clone());
        server.reply(raw(&json!({"id": "c", "model": "m", "usage": usage, "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"content": "a"}}]})));
        let answer = client.chat("hi").unwrap();
        assert_eq!((answer.usage.cached_tokens, answer.usage.prompt_tokens), (7, 9), "{spelling}");
        assert_eq!(answer.service_tier.as_deref(), Some("priority"));
        assert_eq!(answer.extra["usage"]["prompt_audio_seconds"], 3);
    }
}
