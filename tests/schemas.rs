//! Schemas of tools and answers reach each provider in a form that it accepts.

mod support;

use serde_json::{Value, json};
use support::{client, loopback};
use tollgate::testing::Reply;
use tollgate::{ChatRequest, ErrorKind, ResponseFormat, Tool};

/// A request with this schema for a strict tool and for the answer.
fn request(schema: &Value) -> ChatRequest {
    let mut tool = Tool::function("save", "Saves it", schema.clone());
    if let Tool::Function(function) = &mut tool {
        function.strict = Some(true);
    }
    ChatRequest::from("hi")
        .tool(tool)
        .response_format(ResponseFormat::json_schema("answer", schema.clone()))
}

/// The two schemas that were sent.
fn sent(provider: &str, schema: &Value) -> [Value; 2] {
    let server = loopback();
    server.reply(Reply::text("{}"));
    client(&server, provider).chat(request(schema)).unwrap();
    let requests = server.requests();
    let body = requests[0].json();
    let places = match provider {
        "anthropic" => ["/tools/0/input_schema", "/output_config/format/schema"],
        _ => ["/tools/0/function/parameters", "/response_format/json_schema/schema"],
    };
    places.map(|place| body.pointer(place).unwrap().clone())
}

#[test]
fn strict_schemas_are_completed_for_tools_and_answers_of_every_provider() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "home": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        "required": ["name", "home"],
    });
    for provider in ["openai", "azure", "groq", "mistral", "vllm", "ollama-openai", "anthropic"] {
        for sent in sent(provider, &schema) {
            assert_eq!(sent["additionalProperties"], false, "{provider}");
            assert_eq!(sent["required"], json!(["name", "age", "home"]), "{provider}");
            assert_eq!(sent["properties"]["age"]["type"], json!(["integer", "null"]), "{provider}");
            let home = &sent["properties"]["home"];
            assert_eq!(home["additionalProperties"], false, "{provider}");
            assert_eq!(home["required"], json!(["city"]), "{provider}");
        }
    }
}

#[test]
fn what_is_not_strict_stays_as_it_is() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}});
    let server = loopback();
    let mut request = ChatRequest::from("hi").tool(Tool::function("f", "d", schema.clone()));
    let ResponseFormat::JsonSchema(mut format) = ResponseFormat::json_schema("a", schema.clone())
    else {
        panic!()
    };
    format.strict = Some(false);
    request.response_format = Some(ResponseFormat::JsonSchema(format));
    client(&server, "openai").chat(&request).unwrap();
    let requests = server.requests();
    let body = requests[0].json();
    assert_eq!(body["tools"][0]["function"]["parameters"], schema);
    assert_eq!(body["response_format"]["json_schema"]["schema"], schema);
}

#[test]
fn an_open_map_is_refused_before_sending_if_the_provider_refuses_it() {
    let map = json!({"type": "object", "properties": {
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}}}});
    for provider in ["openai", "anthropic"] {
        let server = loopback();
        let error = client(&server, provider).chat(request(&map)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("$.properties.counts"), "{error}");
        assert!(error.message().contains("set strict to false"), "{error}");
        assert_eq!(server.connections().opened, 0);
    }
    let counts = &sent("vllm", &map)[0]["properties"]["counts"];
    assert_eq!(counts["anyOf"][0]["additionalProperties"], json!({"type": "integer"}));
}
