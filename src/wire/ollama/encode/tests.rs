//! Tests of encoding requests.

use super::*;
use crate::chat::{Message, ReasoningEffort};
use crate::error::ErrorKind;

fn body(request: &ChatRequest, delivery: Delivery) -> Result<Value, Error> {
    encode(request, Target::ollama("qwen3"), delivery).map(Value::Object)
}

fn whole(request: &ChatRequest) -> Value {
    body(request, Delivery::Whole).unwrap()
}

fn refused(request: &ChatRequest) -> String {
    let error = body(request, Delivery::Whole).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.message().to_owned()
}

#[test]
fn settings_go_into_options() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}},
        "required": ["n"], "additionalProperties": false});
    let request = ChatRequest::from("hi")
        .temperature(0.5)
        .top_p(0.9)
        .max_output_tokens(7)
        .stop("END")
        .seed(3)
        .logprobs(2)
        .reasoning_effort(ReasoningEffort::Low)
        .response_format(ResponseFormat::json_schema("answer", schema.clone()))
        .extra("options", json!({"num_ctx": 8192, "top_k": 5}))
        .extra("keep_alive", "30m");
    assert_eq!(
        whole(&request),
        json!({
            "model": "qwen3",
            "messages": [{"role": "user", "content": "hi"}],
            "format": schema,
            "think": "low",
            "logprobs": true,
            "top_logprobs": 2,
            "options": {"temperature": 0.5, "top_p": 0.9, "num_predict": 7, "stop": ["END"],
                "seed": 3, "num_ctx": 8192, "top_k": 5},
            "stream": false,
            "keep_alive": "30m",
        })
    );
    let json = ChatRequest::from("hi").response_format(ResponseFormat::JsonObject);
    assert_eq!(whole(&json)["format"], "json");
}

#[test]
fn the_delivery_is_always_stated_for_a_whole_answer() {
    let request = ChatRequest::from("hi");
    assert_eq!(whole(&request)["stream"], false);
    assert_eq!(body(&request, Delivery::Stream).unwrap()["stream"], true);
    let streamed = ChatRequest::from("hi").extra("stream", true);
    assert!(refused(&streamed).contains("call stream()"));
    let not_streamed = ChatRequest::from("hi").extra("stream", false);
    assert!(body(&not_streamed, Delivery::Stream).is_err());
}

#[test]
fn tools_are_declared_without_strict() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = || Tool::function("weather", "Weather in a city", schema.clone());
    let request = ChatRequest::from("hi").tool(tool().strict(true));
    let declared = json!([{"type": "function", "function": {
        "name": "weather", "description": "Weather in a city", "parameters": schema}}]);
    assert_eq!(whole(&request)["tools"], declared);
    for (choice, sent) in [(ToolChoice::Auto, declared), (ToolChoice::None, Value::Null)] {
        let mut request = ChatRequest::from("hi").tool(tool());
        request.tool_choice = Some(choice);
        assert_eq!(whole(&request).get("tools").cloned().unwrap_or_default(), sent);
    }
}

#[test]
fn what_the_format_lacks_is_refused_with_an_alternative() {
    let tool = || Tool::function("f", "", json!({"type": "object"}));
    let with = |change: fn(&mut ChatRequest)| {
        let mut request = ChatRequest::from(vec![Message::user("the secret prompt")]).tool(tool());
        change(&mut request);
        request
    };
    for (request, expected) in [
        (with(|it| it.tool_choice = Some(ToolChoice::Required)), "leave tool_choice unset"),
        (
            with(|it| it.tool_choice = Some(ToolChoice::Function("f".into()))),
            "leave tool_choice unset",
        ),
        (with(|it| it.parallel_tool_calls = Some(false)), "leave parallel_tool_calls unset"),
        (with(|it| it.n = Some(2)), "send the request 2 times"),
        (with(|it| it.reasoning_effort = Some(ReasoningEffort::XHigh)), "High or Max"),
    ] {
        let message = refused(&request);
        assert!(message.contains(expected) && !message.contains("secret"), "{message}");
    }
    assert!(whole(&with(|it| it.n = Some(1))).get("n").is_none());
}
