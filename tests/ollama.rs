//! The client speaks Ollama's own format, over sockets.

mod support;

use serde_json::{Value, json};
use std::net::TcpListener;
use support::{builder, loopback, quick_retries};
use tollgate::chat::Format;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    ChatRequest, Client, ErrorKind, FinishReason, Image, Message, Part, StreamEvent, Tool,
};

fn client(server: &Loopback) -> Client {
    builder(server, "ollama").model("qwen3").build().unwrap()
}

fn last(server: &Loopback) -> Value {
    server.requests().pop().unwrap().json().clone()
}

#[test]
fn a_chat_goes_to_the_native_endpoint_without_a_key() {
    let server = loopback();
    server.reply(Reply::text("It is sunny.").reasoning("hm").usage(17, 66));
    let request = ChatRequest::from("Weather?")
        .system("Be brief.")
        .max_output_tokens(50)
        .extra("options", json!({"num_ctx": 16384}))
        .extra("keep_alive", "30m");
    let client = Client::builder().provider("ollama").model("qwen3");
    let client = client.base_url(server.base_url("ollama")).build().unwrap();
    let answer = client.chat(request).unwrap();
    assert_eq!(answer.text(), "It is sunny.");
    assert_eq!(answer.message.reasoning(), "hm");
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (17, 66));
    assert_eq!(answer.finish_reason, FinishReason::Stop);
    assert_eq!(answer.extra["total_duration"], 5_000_000);
    assert_eq!(answer.model, "qwen3");
    let requests = server.requests();
    assert_eq!(requests[0].path(), "/api/chat");
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(
        *requests[0].json(),
        json!({
            "model": "qwen3",
            "messages": [{"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Weather?"}],
            "options": {"num_predict": 50, "num_ctx": 16384},
            "stream": false,
            "keep_alive": "30m",
        })
    );
}

#[test]
fn the_cloud_gets_its_key() {
    let server = loopback();
    let client = builder(&server, "ollama-cloud").model("gpt-oss:120b").build().unwrap();
    client.chat("hi").unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].path(), "/api/chat");
    assert!(requests[0].header("authorization").unwrap().starts_with("Bearer "));
}

#[test]
fn a_stream_yields_lines_as_they_come() {
    let server = loopback();
    server.reply(Reply::text("It is sunny.").reasoning("Let me see.").usage(9, 8));
    let mut stream = client(&server).stream("Weather?").unwrap();
    let (mut text, mut thoughts) = (String::new(), String::new());
    for event in &mut stream {
        match event.unwrap() {
            StreamEvent::TextDelta(delta) => text += &delta,
            StreamEvent::ReasoningDelta(delta) => thoughts += &delta,
            _ => {}
        }
    }
    assert_eq!((text.as_str(), thoughts.as_str()), ("It is sunny.", "Let me see."));
    let answer = stream.finish().unwrap();
    assert_eq!(answer.text(), "It is sunny.");
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (9, 8));
    assert_eq!(answer.extra["total_duration"], 5_000_000);
    assert_eq!(last(&server)["stream"], true);
}

#[test]
fn a_stream_leaves_its_connection_for_the_next_call() {
    let server = loopback();
    let client = client(&server);
    for _ in 0..3 {
        client.stream("hi").unwrap().finish().unwrap();
    }
    assert!(server.requests().iter().all(|request| request.connection() == 1));
}

#[test]
fn a_conversation_with_tools_keeps_names_and_ids() {
    let server = loopback();
    let client = client(&server);
    let tool = Tool::function("weather", "Weather in a city", json!({"type": "object"}));
    for streamed in [false, true] {
        let mut request = ChatRequest::from("Oslo?").tool(tool.clone());
        server.reply(Reply::tool_call("weather", json!({"city": "Oslo"})));
        let answer = match streamed {
            false => client.chat(&request).unwrap(),
            true => client.stream(&request).unwrap().finish().unwrap(),
        };
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
        assert_eq!(answer.finish_reason_raw.as_deref(), Some("stop"));
        let call = answer.tool_calls().next().unwrap().clone();
        assert_eq!(call.arguments, r#"{"city":"Oslo"}"#);
        request.messages.push(answer.message);
        request.messages.push(Message::tool_result(&call.id, "7 degrees"));
        server.reply(Reply::text("Cold."));
        assert_eq!(client.chat(&request).unwrap().text(), "Cold.");
        let sent = last(&server);
        assert_eq!(
            sent["messages"][1]["tool_calls"],
            json!([{"id": call.id, "function":
                {"name": "weather", "arguments": {"city": "Oslo"}}}])
        );
        assert_eq!(
            sent["messages"][2],
            json!({"role": "tool", "content": "7 degrees", "tool_name": "weather",
                "tool_call_id": call.id})
        );
    }
}

#[test]
fn calls_without_ids_get_different_ones() {
    let server = loopback();
    let body = json!({"model": "m", "done": true, "done_reason": "stop", "message": {"content": "",
        "tool_calls": [{"function": {"name": "f", "arguments": {}}},
            {"function": {"name": "f", "arguments": {}}}]}});
    server.reply(Reply::raw(200, "application/json", body.to_string().into_bytes()));
    let answer = client(&server).chat("hi").unwrap();
    let ids: Vec<_> = answer.tool_calls().map(|call| call.id.as_str()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1] && !ids[0].is_empty(), "{ids:?}");
}

#[test]
fn images_are_sent_as_bytes_and_addresses_are_refused() {
    let server = loopback();
    let client = client(&server);
    let with = |image: Image| ChatRequest::from(Message::user("What?").with(Part::Image(image)));
    client.chat(with(Image::from_bytes("image/png", b"\x89PNG\r\n\x1a\nx"))).unwrap();
    assert_eq!(last(&server)["messages"][0]["images"], json!(["iVBORw0KGgp4"]));
    let error = client.chat(with(Image::from_url("https://a.example/x.png"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("Image::from_path"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn each_failure_has_its_kind_and_says_what_to_do() {
    let server = loopback();
    let client = client(&server);
    let error = |body: &str| json!({ "error": body }).to_string();
    for (status, body, kind, expected) in [
        (
            404,
            error("model 'qwen3' not found"),
            ErrorKind::NotFound,
            "pull it first with \"ollama pull\"",
        ),
        (
            404,
            error("model \"qwen3\" not found, try pulling it first"),
            ErrorKind::NotFound,
            "pull it first with \"ollama pull\"",
        ),
        (
            503,
            error("server busy, please try again.  maximum pending requests exceeded"),
            ErrorKind::Overloaded,
            "server busy",
        ),
        (
            400,
            error("registry.ollama.ai/library/gemma:latest does not support tools"),
            ErrorKind::InvalidRequest,
            "does not support tools",
        ),
        (401, error("unauthorized"), ErrorKind::Authentication, "unauthorized"),
        (404, "404 page not found".to_owned(), ErrorKind::NotFound, "/api/chat"),
    ] {
        server.reply(Reply::raw(status, "application/json", body.clone().into_bytes()));
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
        assert!(error.to_string().contains(expected), "{body}: {error}");
    }
}

#[test]
fn a_server_that_is_not_running_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = Client::builder()
        .provider("ollama")
        .model("qwen3")
        .base_url(format!("http://127.0.0.1:{port}"))
        .retry(quick_retries(0))
        .build()
        .unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("is Ollama running"), "{error}");
}

#[test]
fn a_stream_that_breaks_off_is_truncated_and_keeps_what_came() {
    let server = loopback();
    let client = client(&server);
    for reply in [
        Reply::pieces(["It ", "is ", "sunny."]).without_end_marker(),
        Reply::pieces(["It ", "is ", "sunny."]).end_after(2),
    ] {
        server.reply(reply);
        let mut stream = client.stream("hi").unwrap();
        let failed = stream.find_map(Result::err).unwrap();
        assert_eq!(failed.kind(), ErrorKind::Truncated, "{failed}");
        assert!(stream.partial().text().starts_with("It "));
    }
}

#[test]
fn errors_inside_a_stream_are_reported() {
    let server = loopback();
    let client = client(&server);
    server.reply(Reply::pieces(["It ", "is "]).stream_error(1, "", "the runner has terminated"));
    let mut stream = client.stream("hi").unwrap();
    let failed = stream.find_map(Result::err).unwrap();
    assert_eq!(failed.kind(), ErrorKind::Server);
    assert!(failed.message().contains("the runner has terminated"), "{failed}");
    let line = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\n  \"error\": \"gone\"\n}\n";
    server.reply(Reply::raw(200, "application/x-ndjson", line.as_bytes().to_vec()));
    let failed = client.stream("hi").unwrap().finish().unwrap_err();
    assert!(failed.message().contains("gone"), "{failed}");
}

#[test]
fn an_openai_compatible_server_at_this_address_is_named() {
    let server = loopback();
    let client = client(&server);
    let whole = json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "a"}}]});
    let chunk =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    server.reply(Reply::raw(200, "application/json", whole.to_string().into_bytes()));
    let failed = client.chat("hi").unwrap_err();
    assert!(failed.message().contains("ollama-openai"), "{failed}");
    server.reply(Reply::raw(200, "text/event-stream", chunk.as_bytes().to_vec()));
    let failed = client.stream("hi").and_then(|mut stream| stream.finish()).unwrap_err();
    assert!(failed.message().contains("ollama-openai"), "{failed}");
}

#[test]
fn the_compatible_address_has_a_provider_of_its_own() {
    let profile = tollgate::provider::Profile::builtin("ollama-openai").unwrap();
    assert_eq!(profile.format, Some(Format::OpenAiChat));
    let server = loopback();
    let client = builder(&server, "ollama-openai").model("qwen3").build().unwrap();
    client.chat("hi").unwrap();
    assert!(server.requests()[0].path().ends_with("/chat/completions"));
}
