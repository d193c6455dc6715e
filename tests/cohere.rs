//! Calls in Cohere's format, over real sockets.

mod support;

use serde_json::{Value, json};
use support::{KEY, builder, client, costs, loopback, weather};
use tollgate::cost::Money;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    ChatRequest, Client, Document, ErrorKind, FinishReason, Image, Message, Part, ReasoningEffort,
    StreamEvent, UsageSource,
};

fn raw(body: &Value) -> Reply {
    Reply::raw(200, "application/json", body.to_string().into_bytes())
}

#[test]
fn a_call_goes_to_the_second_version_of_the_chat() {
    let server = loopback();
    server.reply(Reply::text("Paris.").reasoning("hm").usage(9, 5).reasoning_tokens(3));
    let answer = client(&server, "cohere").chat("Capital of France?").unwrap();
    assert_eq!((answer.text(), answer.message.reasoning()), ("Paris.".into(), "hm".into()));
    assert_eq!(answer.finish_reason, FinishReason::Stop);
    assert_eq!(answer.finish_reason_raw.as_deref(), Some("COMPLETE"));
    assert_eq!((answer.provider.as_str(), answer.model.as_str()), ("cohere", "command-a-03-2025"));
    let usage = answer.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens), (9, 5, 3));
    assert_eq!(answer.extra["usage"]["tokens"]["input_tokens"], 504);
    assert!(answer.id.is_some() && answer.request_id.is_some());
    let request = server.requests().pop().unwrap();
    assert_eq!(request.path(), "/v2/chat");
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
    let body = json!({"model": "command-a-03-2025",
        "messages": [{"role": "user", "content": "Capital of France?"}]});
    assert_eq!(request.json(), &body);
}

#[test]
fn the_base_url_may_end_with_the_version() {
    let server = loopback();
    for base in ["", "/v2", "/v2/"] {
        let client =
            builder(&server, "cohere").base_url(format!("http://{}{base}", server.address()));
        client.build().unwrap().chat("hi").unwrap();
        assert_eq!(server.requests().pop().unwrap().path(), "/v2/chat");
    }
}

#[test]
fn a_stream_ends_with_its_last_event() {
    let server = loopback();
    server.reply(Reply::text("Paris it is.").reasoning("hm").usage(9, 5).reasoning_tokens(1));
    let client = client(&server, "cohere");
    let mut stream = client.stream("Capital of France?").unwrap();
    let (mut text, mut reasoning) = (String::new(), String::new());
    for event in stream.by_ref() {
        match event.unwrap() {
            StreamEvent::TextDelta(more) => text += &more,
            StreamEvent::ReasoningDelta(more) => reasoning += &more,
            _ => {}
        }
    }
    let answer = stream.finish().unwrap();
    assert_eq!((text.as_str(), reasoning.as_str()), ("Paris it is.", "hm"));
    assert_eq!((answer.text(), answer.message.reasoning()), (text, reasoning));
    assert_eq!((answer.usage.completion_tokens, answer.usage.source), (5, UsageSource::Reported));
    assert_eq!(server.requests().pop().unwrap().json()["stream"], true);
    server.reply(Reply::text("Paris it is.").without_end_marker());
    let error = client.stream("hi").unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert!(error.message().contains("message-end"), "{error}");
    server.reply(Reply::text("Paris it is.").stream_error(3, "", "it broke"));
    let error = client.stream("hi").unwrap().finish().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Server, "it broke"), "{error}");
}

#[test]
fn a_tool_loop_returns_the_plan_with_the_calls() {
    let server = loopback();
    let client = client(&server, "cohere");
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
        assert_eq!(answer.message.reasoning(), "I will use the tools.");
        let calls: Vec<_> = answer.tool_calls().cloned().collect();
        assert_eq!(calls.len(), 2);
        request.messages.push(answer.message);
        for call in &calls {
            request.messages.push(Message::tool_result(call.id.clone(), "sunny"));
        }
        server.reply(Reply::text("Sunny in both."));
        assert_eq!(client.chat(&request).unwrap().text(), "Sunny in both.");
        let sent = server.requests().pop().unwrap().json().clone();
        assert_eq!(sent["messages"][1]["tool_plan"], "I will use the tools.");
        for (at, city) in ["Oslo", "Rome"].into_iter().enumerate() {
            let call = &sent["messages"][1]["tool_calls"][at];
            let arguments =
                json!({"name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}")});
            assert_eq!((&call["function"], &call["type"]), (&arguments, &json!("function")));
            let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"});
            assert_eq!(sent["messages"][2 + at], result);
        }
        assert_eq!(sent["tools"][0]["function"]["name"], "weather");
    }
}

#[test]
fn documents_are_sent_beside_the_messages_and_cited_in_the_answer() {
    let server = loopback();
    let citation = json!({"start": 0, "end": 9, "text": "Matsumoto", "type": "TEXT_CONTENT",
        "content_index": 1, "sources": [{"type": "document", "id": "doc:0"}]});
    server.reply(raw(&json!({"id": "r", "finish_reason": "COMPLETE", "message": {
        "role": "assistant", "citations": [citation], "content": [
            {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Matsumoto did."}]}})));
    let client = client(&server, "cohere");
    let facts = Document::from_bytes("text/plain", b"Matsumoto created Ruby.").name("facts.txt");
    let question = Message::user("Who created Ruby?").with(facts);
    let answer = client.chat(&question).unwrap();
    let Some(Part::Text(text)) = answer.message.content.last() else { panic!("{answer:?}") };
    assert_eq!(text.citations, std::slice::from_ref(&citation));
    // The answer goes back with its thinking and its citations.
    client.chat([question, answer.message, Message::user("When?")]).unwrap();
    let sent = server.requests().pop().unwrap().json().clone();
    let document = json!({"data": {"text": "Matsumoto created Ruby.", "title": "facts.txt"}});
    assert_eq!(sent["documents"], json!([document]));
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": "Who created Ruby?"},
            {"role": "assistant", "citations": [citation], "content": [
                {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Matsumoto did."}]},
            {"role": "user", "content": "When?"},
        ])
    );
}

#[test]
fn the_status_and_the_message_decide_the_kind_of_an_error() {
    let server = loopback();
    let client = client(&server, "cohere");
    let trial = "You are using a Trial key, which is limited to 40 API calls / minute. You can \
                 continue to use the Trial key for free or upgrade to a Production key";
    let month = "You are using a Trial key, which is limited to 1000 API calls / month.";
    let tokens = "too many tokens: size limit exceeded by 25836 tokens. Try using shorter or fewer \
                  inputs. The limit for this model is 288000 tokens.";
    for (status, message, kind, retryable) in [
        (
            400,
            "invalid request: temperature must be between 0 and 1.0 inclusive.",
            ErrorKind::InvalidRequest,
            false,
        ),
        (400, tokens, ErrorKind::ContextWindowExceeded, false),
        (401, "invalid api token", ErrorKind::Authentication, false),
        (
            402,
            "Maximum billing reached for this API key as set in your dashboard",
            ErrorKind::QuotaExhausted,
            false,
        ),
        (
            404,
            "model 'xyz' not found, make sure the correct model ID was used and that you have \
               access to the model.",
            ErrorKind::NotFound,
            false,
        ),
        (422, "invalid request: unknown field", ErrorKind::InvalidRequest, false),
        (429, trial, ErrorKind::RateLimited, true),
        (
            429,
            "trial token rate limit exceeded, limit is 100000 tokens per minute",
            ErrorKind::RateLimited,
            true,
        ),
        (429, month, ErrorKind::QuotaExhausted, false),
        (499, "request cancelled", ErrorKind::Server, true),
        (
            500,
            "internal server error, this has been reported to our developers.",
            ErrorKind::Server,
            true,
        ),
        (503, "no healthy upstream", ErrorKind::Overloaded, true),
        (504, "timed out", ErrorKind::Server, true),
    ] {
        server.reply(Reply::error(status, "", message));
        let error = client.chat("hi").unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status} {error}");
        assert_eq!((error.message(), error.status()), (message, Some(status)));
    }
    server.reply(Reply::error(498, "", "the request contains a blocked token"));
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::ContentPolicy, false), "{error}");
    server.reply(Reply::error(400, "TOO_MANY_TOKENS", tokens).rate_limit(20, 19));
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.code(), Some("TOO_MANY_TOKENS"));
    server.reply(Reply::text("fine").rate_limit(20, 19));
    let requests = client.chat("hi").unwrap().rate_limit.requests;
    assert_eq!((requests.limit, requests.remaining), (Some(20), Some(19)));
}

#[test]
fn an_answer_that_failed_is_an_error_whole_and_streamed() {
    let server = loopback();
    let client = client(&server, "cohere");
    for reason in ["ERROR", "TIMEOUT"] {
        server.reply(Reply::text("So far").finish_reason_raw(reason));
        let whole = client.chat("hi").unwrap_err();
        server.reply(Reply::text("So far").finish_reason_raw(reason));
        let mut stream = client.stream("hi").unwrap();
        let streamed = stream.finish().unwrap_err();
        for error in [whole, streamed] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(reason)), "{error}");
        }
        assert_eq!(stream.partial().text(), "So far");
    }
}

fn tracked(server: &Loopback, limit: Money) -> Client {
    costs::limited(server, "cohere", "cohere/command-a-03-2025", limit)
}

#[test]
fn costs_and_budgets_follow_the_billed_units() {
    let server = loopback();
    server.reply(Reply::text("Paris.").usage(20, 100));
    let client = tracked(&server, Money::dollars(1));
    let answer = client.chat("Capital of France?").unwrap();
    // 20 tokens at $1 and 100 at $10 per million, whatever Cohere added to the prompt.
    assert_eq!(answer.cost.unwrap().total, Money::picos(20_000_000 + 1_000_000_000));
    assert_eq!(answer.extra["usage"]["billed_units"]["input_tokens"], 20);
    let poor = tracked(&server, Money::picos(1_000_000));
    let error = poor.chat("Capital of France?").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
    let tight = tracked(&server, Money::picos(5_000_000_000));
    server.reply(Reply::text("Paris.").usage(20, 100));
    tight.chat("Capital of France?").unwrap();
    let sent = server.requests().pop().unwrap().json().clone();
    let limit = sent["max_tokens"].as_u64().unwrap();
    assert!((1..500).contains(&limit), "{sent}");
}

#[test]
fn an_image_by_url_and_documents_have_an_upper_bound() {
    let server = loopback();
    let rich = tracked(&server, Money::dollars(100));
    let seen = |request: ChatRequest| {
        server.reply(Reply::text("fine").usage(1, 1));
        let bounded = tracked(&server, Money::cents(50)).chat(&request).is_ok();
        server.reply(Reply::text("fine").usage(1, 1));
        (bounded, rich.chat(request).is_ok())
    };
    let image = Message::user("see").with(Image::from_url("https://x/y.png"));
    let facts = Message::user("see").with(Document::from_bytes("text/plain", b"fact"));
    assert_eq!(seen(ChatRequest::from(image)), (true, true));
    assert_eq!(seen(ChatRequest::from(facts)), (true, true));
    // A connector could bring anything into the prompt.
    let unknown = ChatRequest::from("hi").extra("connectors", json!([{"id": "web-search"}]));
    assert_eq!(seen(unknown), (false, true));
}

#[test]
fn inexpressible_requests_are_rejected_before_sending() {
    let server = loopback();
    let client = client(&server, "cohere");
    let schema = json!({"type": "object", "patternProperties": {"^a": {"type": "string"}}});
    let with = |document| ChatRequest::from(Message::user("x").with(document));
    for (request, expected) in [
        (ChatRequest::from("hi").beta("x"), "only Anthropic has betas"),
        (ChatRequest::from("hi").seed(-1), "use a seed of 0 or more"),
        (ChatRequest::from("hi").n(2), "send the request several times"),
        (ChatRequest::from("hi").logprobs(3), "set it to 0"),
        (ChatRequest::from("hi").json_schema("s", schema), "patternProperties"),
        (ChatRequest::from("hi").omit("messages"), "every request needs"),
        (
            ChatRequest::from("hi").tool(weather()).parallel_tool_calls(false),
            "leave parallel_tool_calls unset",
        ),
        (with(Document::from_bytes("application/pdf", b"%PDF-")), "extract its text"),
        (with(Document::from_url("https://x/y")), "use Document::from_bytes"),
    ] {
        let error = client.chat(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains(expected), "{error}");
    }
    let error = client.complete("hi").unwrap_err();
    assert!(error.message().contains("no text completions"), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn log_probabilities_and_warnings_are_returned() {
    let server = loopback();
    let item = |text: &str| json!({"text": text, "token_ids": [1], "logprobs": [-0.5]});
    let warning = json!({"warnings": ["model 'command' is deprecated"]});
    server.reply(raw(&json!({"id": "r", "finish_reason": "COMPLETE", "meta": warning,
        "message": {"role": "assistant", "content": [{"type": "text", "text": "ab"}]},
        "logprobs": [item("a"), item("b")]})));
    let client = client(&server, "cohere");
    let request = ChatRequest::from("hi").logprobs(0).reasoning_effort(ReasoningEffort::None);
    let answer = client.chat(&request).unwrap();
    assert_eq!(answer.logprobs(), json!([item("a"), item("b")]));
    assert_eq!(answer.extra["meta"], warning);
    let sent = server.requests().pop().unwrap().json().clone();
    assert_eq!(
        (&sent["logprobs"], &sent["thinking"]),
        (&json!(true), &json!({"type": "disabled"}))
    );
    let events = [
        json!({"type": "message-start", "id": "r", "delta": {"message": {"role": "assistant"}}}),
        json!({"type": "content-delta", "index": 0, "logprobs": item("a"),
            "delta": {"message": {"content": {"text": "a"}}}}),
        json!({"type": "content-delta", "index": 0, "logprobs": item("b"),
            "delta": {"message": {"content": {"text": "b"}}}}),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
    ];
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    server.reply(Reply::raw(200, "text/event-stream", body.into_bytes()));
    let streamed = client.stream(&request).unwrap().finish().unwrap();
    assert_eq!((streamed.text(), streamed.logprobs()), (answer.text(), answer.logprobs()));
}
