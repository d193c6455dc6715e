//! Bodies of requests.

use super::*;
use crate::chat::{JsonSchema, Message, Tool, ToolCall, ToolChoice};
use crate::error::ErrorKind;

fn hi() -> ChatRequest {
    ChatRequest::from("hi")
}

fn weather() -> Tool {
    Tool::function("weather", "Weather in a city", json!({"type": "object"}))
}

fn body(request: &ChatRequest) -> Result<Value, Error> {
    let target = Target::bedrock("us.anthropic.claude-opus-4-8-v1:0");
    encode(request, target, Delivery::Whole).map(Value::Object)
}

#[test]
fn a_request_becomes_a_body() {
    let mut request = hi().max_output_tokens(100).temperature(0.5).top_p(0.9).stop("END").seed(7);
    request.messages.insert(0, Message::system("s"));
    request = request
        .tool(weather())
        .response_format(JsonSchema::new("city", json!({"type": "object"})).description("A city"))
        .extra("performanceConfig", json!({"latency": "optimized"}))
        .extra("additionalModelRequestFields", json!({"top_k": 5}))
        .extra("modelId", "x");
    request.reasoning_effort = Some(crate::chat::ReasoningEffort::High);
    request.betas = vec!["b".into()];
    assert_eq!(
        body(&request).unwrap(),
        json!({
            "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "system": [{"text": "s"}],
            "toolConfig": {"tools": [{"toolSpec": {"name": "weather",
                "description": "Weather in a city",
                "inputSchema": {"json": {"type": "object", "properties": {}}}}}]},
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9,
                "stopSequences": ["END"]},
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {
                "schema": "{\"type\":\"object\",\"properties\":{},\"required\":[],\"additionalProperties\":false}",
                "name": "city", "description": "A city"}}}},
            "additionalModelRequestFields": {"thinking": {"type": "adaptive"},
                "output_config": {"effort": "high"}, "anthropic_beta": ["b"], "top_k": 5},
            "performanceConfig": {"latency": "optimized"},
        })
    );
}

#[test]
fn the_tool_choice_is_a_union() {
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"auto": {}})),
        (ToolChoice::Required, json!({"any": {}})),
        (ToolChoice::Function("weather".into()), json!({"tool": {"name": "weather"}})),
    ] {
        let request = hi().tool(weather().strict(true)).tool_choice(choice);
        let body = body(&request).unwrap();
        assert_eq!(body["toolConfig"]["toolChoice"], expected);
        assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["strict"], true);
    }
    let point = Tool::Native(json!({"cachePoint": {"type": "default"}}));
    let body = body(&hi().tool(weather()).tool(point)).unwrap();
    assert_eq!(body["toolConfig"]["tools"][1], json!({"cachePoint": {"type": "default"}}));
}

#[test]
fn what_the_format_cannot_express_is_refused() {
    let called = ChatRequest::from([
        Message::user("go"),
        Message::assistant("").with(ToolCall::new("t", "f", "{}")),
        Message::tool_result("t", "x"),
    ]);
    let mut sequential = hi().tool(weather());
    sequential.parallel_tool_calls = Some(false);
    for (request, expected) in [
        (hi().n(2), "make several calls"),
        (hi().logprobs(1), "leave them unset"),
        (hi().response_format(ResponseFormat::JsonObject), "ResponseFormat::json_schema"),
        (hi().tool(weather()).tool_choice(ToolChoice::None), "remove the tools"),
        (sequential, "leave parallel_tool_calls unset"),
        (hi().extra("stream", true), "call stream() or chat()"),
        (called.clone(), "add the tools"),
    ] {
        let error = body(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(expected), "{error}");
    }
    assert!(body(&called.tool(weather())).is_ok());
    let mut beta = hi();
    beta.betas = vec!["b".into()];
    let error = encode(&beta, Target::bedrock("amazon.nova-lite-v1:0"), Delivery::Whole);
    assert!(error.unwrap_err().message().contains("only Anthropic's models have betas"));
}
