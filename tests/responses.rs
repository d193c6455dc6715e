//! Calls to OpenAI's Responses API, over real sockets.

mod support;

use serde_json::{Value, json};
use support::costs::{self, spent, usd};
use support::{builder, client, loopback};
use tollgate::chat::Format;
use tollgate::provider::Profile;
use tollgate::testing::Reply;
use tollgate::{
    Budget, ChatRequest, Client, ErrorKind, FinishReason, Message, Provider, StreamDecoder,
    StreamEvent, Tool, UsageSource,
};

fn request() -> ChatRequest {
    ChatRequest::from("hi").wire_format(Format::OpenAiResponses)
}

#[test]
fn a_whole_answer_and_a_stream_have_the_same_content() {
    let server = loopback();
    let client = client(&server, "openai");
    let reply = || {
        Reply::text("It is 7 degrees.")
            .reasoning("Let me see.")
            .and_tool_call("weather", json!({"city": "Oslo"}))
            .usage(20, 9)
            .cached(4)
            .reasoning_tokens(3)
    };
    server.reply(reply());
    let whole = client.chat(request()).unwrap();
    server.reply(reply());
    let mut stream = client.stream(request()).unwrap();
    let events: Vec<_> = stream.by_ref().collect::<Result<_, _>>().unwrap();
    let streamed = stream.finish().unwrap();

    assert_eq!(whole.text(), "It is 7 degrees.");
    assert_eq!(whole.message.reasoning(), "Let me see.");
    assert_eq!(whole.finish_reason, FinishReason::ToolCalls);
    assert_eq!(whole.finish_reason_raw.as_deref(), Some("completed"));
    let call = whole.tool_calls().next().unwrap();
    assert_eq!((call.name.as_str(), call.arguments.as_str()), ("weather", "{\"city\":\"Oslo\"}"));
    let usage = whole.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (20, 9));
    assert_eq!((usage.cached_tokens, usage.reasoning_tokens), (4, 3));
    // The ids differ, because the server numbers them.
    assert_eq!(
        (streamed.text(), streamed.message.reasoning(), streamed.finish_reason, streamed.usage),
        (whole.text(), whole.message.reasoning(), whole.finish_reason, whole.usage)
    );
    let text = |event: &StreamEvent| match event {
        StreamEvent::TextDelta(text) => text.clone(),
        _ => String::new(),
    };
    assert_eq!(events.iter().map(text).collect::<String>(), whole.text());
    let Some(StreamEvent::Finished(FinishReason::ToolCalls)) = events.last() else { panic!() };

    let [first, second] = &server.requests()[..] else { panic!() };
    assert_eq!(first.path(), "/v1/responses");
    assert_eq!(
        first.json(),
        &json!({"model": "gpt-4o-mini", "input": [{"role": "user", "content": "hi"}], "store": false})
    );
    assert_eq!(second.json()["stream"], true);
}

#[test]
fn a_tool_loop_sends_reasoning_and_calls_back() {
    let server = loopback();
    let client = builder(&server, "openai").model("gpt-5").build().unwrap();
    let tool = Tool::function("weather", "Weather in a city", json!({"type": "object"}));
    let mut request = request().tool(tool);
    for streamed in [false, true] {
        server.reply(Reply::tool_call("weather", json!({})).reasoning("Look it up."));
        let answer = match streamed {
            false => client.chat(&request).unwrap(),
            true => client.stream(&request).unwrap().finish().unwrap(),
        };
        let id = answer.tool_calls().next().unwrap().id.clone();
        request = request.message(answer.message).message(Message::tool_result(id, "7 degrees"));
    }
    server.reply(Reply::text("Cold."));
    assert_eq!(client.chat(&request).unwrap().text(), "Cold.");
    let last = server.requests().pop().unwrap();
    let input = last.json()["input"].as_array().unwrap().clone();
    let kinds: Vec<_> = input.iter().map(|item| item["type"].as_str().unwrap_or("user")).collect();
    let turn = ["reasoning", "function_call", "function_call_output"];
    assert_eq!(kinds, [&["user"][..], &turn, &turn].concat());
    assert_eq!(input[1]["encrypted_content"], "bG9vcGJhY2s=");
    assert_eq!(input[1]["summary"], json!([{"type": "summary_text", "text": "Look it up."}]));
    assert!(input[2]["id"].as_str().unwrap().starts_with("fc_"));
    assert_eq!(input[2]["call_id"], input[3]["call_id"]);
    assert_eq!(last.json()["include"], json!(["reasoning.encrypted_content"]));
}

#[test]
fn chat_completions_are_the_default_and_responses_can_be_chosen_in_three_ways() {
    let server = loopback();
    let path = |client: &Client, request: ChatRequest| {
        client.chat(request).unwrap();
        server.requests().pop().unwrap().path().to_owned()
    };
    let openai = client(&server, "openai");
    assert_eq!(path(&openai, "hi".into()), "/v1/chat/completions");
    assert_eq!(path(&openai, request()), "/v1/responses");
    // Models without chat use Responses, unless the request names a format.
    for model in ["o3-pro", "gpt-5-codex", "gpt-5.5-pro", "computer-use-preview"] {
        let request = ChatRequest::from("hi").model(model);
        assert_eq!(path(&openai, request.clone()), "/v1/responses", "{model}");
        let chat = request.wire_format(Format::OpenAiChat);
        assert_eq!(path(&openai, chat), "/v1/chat/completions", "{model}");
    }
    let azure = builder(&server, "azure").model("gpt-5-pro").build().unwrap();
    assert_eq!(path(&azure, "hi".into()), "/openai/v1/responses");
    // A gateway may offer such a model in chat.
    let gateway = builder(&server, "litellm").model("o3-pro").build().unwrap();
    assert!(path(&gateway, "hi".into()).ends_with("/chat/completions"));
    assert!(path(&gateway, request()).ends_with("/responses"));
    // A provider's profile.
    let mut profile = Profile::builtin("openai").unwrap();
    profile.format = Some(Format::OpenAiResponses);
    let by_profile = builder(&server, "openai").profile(profile).build().unwrap();
    assert_eq!(path(&by_profile, "hi".into()), "/v1/responses");
    let chat = ChatRequest::from("hi").wire_format(Format::OpenAiChat);
    assert_eq!(path(&by_profile, chat), "/v1/chat/completions");
    by_profile.complete("Once upon").unwrap();
    assert_eq!(server.requests().pop().unwrap().path(), "/v1/completions");
    // Anthropic has one format.
    let error = client(&server, "anthropic").chat(request()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("asks for the wire format openai_responses"), "{error}");
}

#[test]
fn budgets_apply_and_the_limit_goes_into_the_request() {
    let server = loopback();
    let config = costs::config([Budget::total(usd("0.01"))]);
    let client = costs::client(&server, "openai", config);
    server.reply(Reply::text("a").usage(100, 50));
    let answer = client.chat(request().max_output_tokens(100)).unwrap();
    // $1 and $2 per million.
    assert_eq!(answer.cost.unwrap().total, usd("0.0002"));
    assert_eq!(spent(&client), usd("0.0002"));
    server.reply(Reply::text("a b c").usage(100, 50));
    client.stream(request()).unwrap().finish().unwrap();
    assert_eq!(spent(&client), usd("0.0004"));
    let error = client.chat(request().max_output_tokens(1_000_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
    // An earlier response can have any length.
    let chained = request().max_output_tokens(10).extra("previous_response_id", "resp_1");
    let error = client.chat(chained).unwrap_err();
    assert!(error.to_string().contains("a response before it, by its id"), "{error}");
    let search = request().max_output_tokens(10).tool(Tool::Native(json!({"type": "web_search"})));
    let error = client.chat(search).unwrap_err();
    assert!(error.to_string().contains("set max_tool_calls"), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn errors_and_truncated_streams_are_reported_as_in_other_formats() {
    let server = loopback();
    let client = client(&server, "openai");
    server.reply(Reply::error(429, "rate_limit_exceeded", "slow down"));
    assert_eq!(client.chat(request()).unwrap_err().kind(), ErrorKind::RateLimited);
    server.reply(Reply::text("a").malformed());
    assert_eq!(client.chat(request()).unwrap_err().kind(), ErrorKind::Protocol);
    server.reply(Reply::text("one two three").without_end_marker());
    let error = client.stream(request()).unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().contains("response.completed"), "{error}");
    server.reply(Reply::text("one two three").stream_error(5, "server_error", "gone"));
    let error = client.stream(request()).unwrap().finish().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Server, "gone"));
    server.reply(Reply::refusal("I cannot."));
    let refused = client.chat(request()).unwrap();
    assert_eq!(refused.finish_reason, FinishReason::Refusal);
    server.reply(Reply::text("a").finish_reason(FinishReason::Length));
    let cut = client.stream(request()).unwrap().finish().unwrap();
    assert_eq!(cut.finish_reason, FinishReason::Length);
    assert_eq!(cut.finish_reason_raw.as_deref(), Some("max_output_tokens"));
}

#[test]
fn a_response_in_the_background_is_streamed_or_polled() {
    let server = loopback();
    let client = client(&server, "openai");
    let background = request().extra("background", true).extra("store", true);
    let error = client.chat(background.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("call stream()"), "{error}");
    assert!(server.requests().is_empty());
    client.stream(background).unwrap().finish().unwrap();
    let sent = server.requests().pop().unwrap();
    assert_eq!((&sent.json()["background"], &sent.json()["stream"]), (&json!(true), &json!(true)));
    // A polled response decodes too.
    let polled = |status: &str, output: Value| {
        let body = json!({"id": "resp_1", "status": status, "model": "m", "output": output});
        let mut decoder = StreamDecoder::openai_responses();
        decoder.push(body.to_string().as_bytes(), &mut Vec::new()).unwrap();
        decoder.finish(&mut Vec::new()).unwrap();
        decoder.into_response()
    };
    let queued = polled("queued", json!([]));
    assert_eq!(queued.finish_reason, FinishReason::Other);
    assert_eq!(queued.finish_reason_raw.as_deref(), Some("queued"));
    let message = json!([{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]);
    let done = polled("completed", message);
    assert_eq!((done.text().as_str(), done.finish_reason), ("Hi", FinishReason::Stop));
    assert_eq!(done.usage.source, UsageSource::Estimated);
    assert_eq!(done.provider, Provider::OPENAI);
}
