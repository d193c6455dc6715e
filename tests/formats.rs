//! One conversation goes over each wire format and comes back.

mod support;

use serde_json::json;
use std::time::Duration;
use support::{KEY, builder, client, loopback, vendor_client};
use tollgate::testing::{Reply, Request};
use tollgate::{
    ChatRequest, ErrorKind, FinishReason, Image, Message, Part, ResponseFormat, Role, Tool,
    ToolCall, ToolChoice, ToolResult, UsageSource,
};

const BOTH: [&str; 2] = ["openai", "anthropic"];

fn weather() -> Tool {
    Tool::function(
        "weather",
        "Current weather in a city",
        json!({"type": "object", "properties": {"city": {"type": "string"}}}),
    )
}

#[test]
fn a_question_and_its_answer() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::text("Paris.").usage(12, 3).model("served-model"));
        let response = client(&server, provider).chat("What is the capital of France?").unwrap();
        assert_eq!(response.text(), "Paris.");
        assert_eq!(response.message.role, Role::Assistant);
        assert_eq!(response.finish_reason, FinishReason::Stop);
        assert_eq!(response.usage.prompt_tokens, 12);
        assert_eq!(response.usage.completion_tokens, 3);
        assert_eq!(response.usage.total_tokens, 15);
        assert_eq!(response.usage.source, UsageSource::Reported);
        assert_eq!(response.model, "served-model");
        assert_eq!(response.provider, provider);
        assert_eq!(response.attempts().len(), 1);
        assert!(response.id.is_some() && response.request_id.is_some());
        assert!(response.latency > Duration::ZERO);
        assert!(response.raw().contains("Paris."));
    }
}

#[test]
fn each_provider_is_called_at_its_address_with_its_headers() {
    let server = loopback();
    for provider in BOTH {
        let client = builder(&server, provider).header("x-gateway", "42").build().unwrap();
        client.chat("hi").unwrap();
    }
    // The caller's header replaces ours.
    let named = builder(&server, "openai").header("User-Agent", "mine/1").build().unwrap();
    named.chat("hi").unwrap();
    let mut requests = server.requests();
    let sent = requests.pop().unwrap();
    let agents = sent.headers().iter().filter(|(name, _)| name == "user-agent");
    assert_eq!(agents.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["mine/1"]);
    assert_eq!(requests[0].path(), "/v1/chat/completions");
    assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {KEY}")));
    assert_eq!(requests[1].path(), "/v1/messages");
    assert_eq!(requests[1].header("x-api-key"), Some(KEY));
    assert_eq!(requests[1].header("anthropic-version"), Some("2023-06-01"));
    for request in requests {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-gateway"), Some("42"));
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("tollgate/"), "{agent}");
    }
}

#[test]
fn a_model_without_chat_uses_text_completions() {
    let server = loopback();
    server.reply(Reply::text(" Paris.").usage(5, 2));
    let client = client(&server, "openai");
    let request = ChatRequest::from("The capital of France is").model("gpt-3.5-turbo-instruct");
    let response = client.chat(request).unwrap();
    assert_eq!(response.text(), " Paris.");
    assert_eq!(response.usage.total_tokens, 7);
    let sent = &server.requests()[0];
    assert_eq!(sent.path(), "/v1/completions");
    assert_eq!(sent.json()["prompt"], "The capital of France is");
    assert_eq!(sent.json()["model"], "gpt-3.5-turbo-instruct");

    client.complete("Once upon a time").unwrap();
    let sent = &server.requests()[1];
    assert_eq!(sent.path(), "/v1/completions");
    assert_eq!(sent.json()["prompt"], "Once upon a time");
}

#[test]
fn a_vendor_without_text_completions_is_refused_before_sending() {
    let server = loopback();
    for provider in ["cohere-openai", "gemini-openai", "groq", "mistral", "perplexity"] {
        let client = vendor_client(&server, provider);
        for error in [
            client.complete("hi").unwrap_err(),
            client.complete_stream("hi").map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            let expected = format!("{provider} has no text completions; use Client::chat");
            assert!(error.message().contains(&expected), "{error}");
        }
        client.chat("hi").unwrap();
    }
    // Where nobody knows, the server's bare 404 gets an explanation.
    server.on(
        |request| request.path().ends_with("/v1/completions"),
        Reply::raw(404, "application/json", r#"{"detail":"Not Found"}"#),
    );
    let error = vendor_client(&server, "vllm").complete("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no text completions, use Client::chat"), "{error}");
    let error = vendor_client(&server, "vllm").chat("hi");
    assert!(error.is_ok(), "{error:?}");
}

#[test]
fn what_text_completions_cannot_do_is_refused_before_sending() {
    let server = loopback();
    let client = client(&server, "openai");
    for request in [
        ChatRequest::from("hi").tool(weather()),
        ChatRequest::from(Message::user("hi").with(Image::from_url("https://a.b/c.png"))),
        ChatRequest::from("hi").response_format(ResponseFormat::JsonObject),
    ] {
        let error = client.complete(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    }
    assert_eq!(server.connections().opened, 0);
}

/// The parts of a tool conversation as the server got them.
fn tool_turn(request: &Request, provider: &str) -> (String, String) {
    let body = request.json();
    let messages = body["messages"].as_array().unwrap();
    let last = messages.last().unwrap();
    let before = &messages[messages.len() - 2];
    let (call, result) = match provider {
        "anthropic" => (
            before["content"]
                .as_array()
                .unwrap()
                .iter()
                .find(|block| block["type"] == "tool_use")
                .unwrap()["id"]
                .clone(),
            last["content"][0]["tool_use_id"].clone(),
        ),
        _ => (before["tool_calls"][0]["id"].clone(), last["tool_call_id"].clone()),
    };
    (call.as_str().unwrap().to_owned(), result.as_str().unwrap().to_owned())
}

#[test]
fn tools_are_called_and_answered() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::tool_call("weather", json!({"city": "Rome"})));
        server.reply(Reply::text("Sunny."));
        let client = client(&server, provider);
        let mut request =
            ChatRequest::from("Weather in Rome?").tool(weather()).tool_choice(ToolChoice::Required);
        let response = client.chat(&request).unwrap();
        assert_eq!(response.finish_reason, FinishReason::ToolCalls);
        let call = response.tool_calls().next().unwrap().clone();
        assert_eq!(call.name, "weather");
        assert_eq!(call.parse::<serde_json::Value>().unwrap(), json!({"city": "Rome"}));

        request = request
            .message(response.message)
            .message(Message::new(Role::Tool, [ToolResult::new(&call.id, "22 °C, sunny")]));
        request.tool_choice = None;
        assert_eq!(client.chat(&request).unwrap().text(), "Sunny.");
        let (called, answered) = tool_turn(&server.requests()[1], provider);
        assert_eq!(called, call.id);
        assert_eq!(answered, call.id);
    }
}

#[test]
fn every_setting_reaches_the_wire() {
    for provider in BOTH {
        let server = loopback();
        let request = ChatRequest::from("hi")
            .system("Be brief.")
            .model("some-model")
            .max_output_tokens(7)
            .temperature(0.5)
            .top_p(0.9)
            .stop("END")
            .tag("customer", "acme")
            .extra("metadata", json!({"user_id": "u-1"}));
        client(&server, provider).chat(request).unwrap();
        let sent = server.requests()[0].json().clone();
        assert_eq!(sent["model"], "some-model");
        assert_eq!(sent["max_tokens"], 7);
        assert_eq!(sent["temperature"], 0.5);
        assert_eq!(sent["top_p"], 0.9);
        assert_eq!(sent["metadata"]["user_id"], "u-1");
        let stop = if provider == "anthropic" { "stop_sequences" } else { "stop" };
        assert_eq!(sent[stop], json!(["END"]));
        assert!(!sent.to_string().contains("acme"), "tags stay here");
        assert!(sent.to_string().contains("Be brief."));
    }
}

#[test]
fn cached_tokens_are_part_of_the_prompt_for_every_provider() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::text("ok").usage(1000, 10).cached(600));
        let usage = client(&server, provider).chat("hi").unwrap().usage;
        assert_eq!((usage.prompt_tokens, usage.cached_tokens), (1000, 600));
        assert_eq!(usage.total_tokens, 1010);
    }
    // Only Anthropic reports cache writes.
    let server = loopback();
    server
        .reply(Reply::text("ok").usage(1000, 10).cached(600).cache_write(200).cache_write_1h(100));
    let usage = client(&server, "anthropic").chat("hi").unwrap().usage;
    assert_eq!(usage.prompt_tokens, 1000);
    assert_eq!((usage.cache_write_tokens, usage.cache_write_1h_tokens), (300, 100));
}

#[test]
fn missing_usage_is_marked_missing() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::text("ok").no_usage());
        let usage = client(&server, provider).chat("hi").unwrap().usage;
        assert_eq!(usage.source, UsageSource::Missing);
        assert_eq!(usage.total_tokens, 0);
    }
}

#[test]
fn a_refusal_is_not_an_answer() {
    let server = loopback();
    server.reply(Reply::refusal("I cannot help with that."));
    let response = client(&server, "openai").chat("hi").unwrap();
    assert_eq!(response.message.refusal(), Some("I cannot help with that."));
    assert_eq!(response.text(), "");
}

#[test]
fn rate_limits_are_read() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::text("ok").rate_limit(60, 59));
        let limits = client(&server, provider).chat("hi").unwrap().rate_limit;
        assert_eq!(limits.requests.limit, Some(60));
        assert_eq!(limits.requests.remaining, Some(59));
    }
}

#[test]
fn a_conversation_can_be_stored_and_goes_on() {
    let server = loopback();
    let client = client(&server, "anthropic");
    server.reply(Reply::text("Paris.").reasoning("Easy."));
    let first = ChatRequest::from("Capital of France?");
    let response = client.chat(&first).unwrap();
    assert_eq!(response.message.reasoning(), "Easy.");
    let stored = serde_json::to_string(&first.message(response.message)).unwrap();
    let loaded: ChatRequest = serde_json::from_str(&stored).unwrap();
    client.chat(loaded.message("And of Italy?")).unwrap();
    let sent = server.requests()[1].json().clone();
    assert_eq!(sent["messages"][1]["content"][0]["type"], "thinking");
    assert_eq!(sent["messages"][1]["content"][1]["text"], "Paris.");
    assert_eq!(sent["messages"][2]["role"], "user");
}

#[test]
fn debug_output_shows_no_text() {
    let secret = "the launch code is 0000";
    let request = ChatRequest::new([
        Message::user(secret).with(Image::from_bytes("image/png", secret.as_bytes()))
    ])
    .message(
        Message::new(Role::Assistant, [Part::Refusal(secret.to_owned())])
            .with(ToolCall::new("id", "f", "{}")),
    )
    .message(Message::new(Role::Tool, [ToolResult::new("id", secret)]))
    .stop(secret)
    .extra("note", secret);
    assert!(!format!("{request:?}").contains("launch"));
    let server = loopback();
    server.reply(Reply::text(secret).reasoning(secret));
    let response = client(&server, "openai").chat(request).unwrap();
    assert!(!format!("{response:?}").contains("launch"), "{response:?}");
}
