//! Requests as programs make them.

use serde_json::json;
use tollgate::{ChatRequest, Message, Role, Tool, ToolCall};

use super::answers;

const TURNS: usize = 20;
const TOOLS: usize = 8;

/// One question.
pub(crate) fn small() -> ChatRequest {
    ChatRequest::from("What is the capital of France?")
}

/// A conversation with tool calls and results in every turn.
pub(crate) fn long() -> ChatRequest {
    let mut request = ChatRequest::default()
        .system("You are an atlas. Answer in one paragraph, and look everything up first.")
        .temperature(0.2)
        .max_output_tokens(1_000);
    for tool in 0..TOOLS {
        request = request.tool(Tool::function(
            format!("find_city_{tool}"),
            "Finds a city by its name and tells what is asked for.",
            json!({
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "as it is called there"},
                    "country": {"type": "string", "description": "two letters, ISO 3166"},
                    "fields": {
                        "type": "array",
                        "items": {"type": "string", "enum": ["population", "rivers", "mayor"]}
                    }
                },
                "required": ["name", "country", "fields"],
                "additionalProperties": false
            }),
        ));
    }
    for turn in 0..TURNS {
        let id = format!("call_Zg5tQ1wlTUCcuRnWMhTKb{turn:03}");
        let arguments = r#"{"name":"Paris","country":"FR","fields":["population"]}"#;
        let call = ToolCall::new(&id, "find_city_0", arguments);
        request = request
            .message(Message::user(format!("And what about city number {turn}?")))
            .message(Message::new(Role::Assistant, [call]))
            .message(Message::tool_result(id, r#"{"population": 2102650, "year": 2023}"#))
            .message(Message::assistant(answers::text()));
    }
    request.message(Message::user("Thank you. Which of them is the largest?"))
}
