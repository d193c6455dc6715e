//! How each vendor is asked to reason, and gets its reasoning back.

use serde_json::{Value, json};
use tollgate::testing::Reply;
use tollgate::{ChatRequest, Message, ReasoningEffort};

use super::support::{loopback, vendor_client};
use super::{CHATS, Chat, asked};

/// The members that ask a vendor for little reasoning and for none; `None` if such a request is
/// refused.
fn reasoning(name: &str) -> Option<[Value; 2]> {
    let kind =
        |on: &str| [json!({"thinking": {"type": on}}), json!({"thinking": {"type": "disabled"}})];
    let switch = |on: bool| json!({"enable_thinking": on});
    let template = |on: bool| json!({"chat_template_kwargs": switch(on)});
    let effort = |word: &str| json!({"reasoning_effort": word});
    let both = |word: &str, on: bool| json!({"reasoning_effort": word, "chat_template_kwargs": switch(on)});
    Some(match name {
        "openrouter" | "vercel-ai-gateway" => {
            ["low", "none"].map(|word| json!({"reasoning": {"effort": word}}))
        }
        "alibaba" | "novita" | "siliconflow" => [switch(true), switch(false)],
        "wandb" => [template(true), template(false)],
        "vllm" | "sglang" | "llamacpp" => [both("low", true), both("none", false)],
        "zai" | "xiaomi" => kind("enabled"),
        "minimax" => kind("adaptive"),
        "deepseek" | "moonshot" => [
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
            json!({"thinking": {"type": "disabled"}}),
        ],
        // Its schema has only `high` and `none`; see `tests/mistral.rs`.
        "mistral" => [effort("high"), effort("none")],
        "poe" => return None,
        _ => [effort("low"), effort("none")],
    })
}

#[test]
fn each_chat_completions_vendor_gets_its_own_reasoning_members() {
    let server = loopback();
    let members =
        ["reasoning_effort", "reasoning", "enable_thinking", "chat_template_kwargs", "thinking"];
    for Chat { name, .. } in CHATS {
        let client = vendor_client(&server, name);
        let little = match name {
            "mistral" => ReasoningEffort::High,
            _ => ReasoningEffort::Low,
        };
        for (at, effort) in [little, ReasoningEffort::None].into_iter().enumerate() {
            let request = ChatRequest::from("hi").reasoning_effort(effort);
            let Some(expected) = reasoning(name) else {
                let error = client.chat(&request).unwrap_err();
                assert!(error.message().contains("has no control of reasoning"), "{name}: {error}");
                continue;
            };
            for request in asked(&server, &client, &request) {
                let mut body = request.json().as_object().unwrap().clone();
                body.retain(|member, _| members.contains(&member.as_str()));
                assert_eq!(Value::Object(body), expected[at], "{name}");
            }
        }
    }
}

#[test]
fn each_messages_vendor_gets_its_own_reasoning_members() {
    let server = loopback();
    let budget = json!({"type": "enabled", "budget_tokens": 1024});
    for (name, thinking, effort) in [
        ("anthropic", budget.clone(), Value::Null),
        ("zai-anthropic", budget, Value::Null),
        ("deepseek-anthropic", json!({"type": "enabled"}), json!("low")),
        ("moonshot-anthropic", json!({"type": "enabled"}), json!("low")),
        ("minimax-anthropic", json!({"type": "adaptive"}), Value::Null),
    ] {
        let client = vendor_client(&server, name);
        let request = ChatRequest::from("hi").reasoning_effort(ReasoningEffort::Low);
        for request in asked(&server, &client, &request) {
            assert_eq!(request.json()["thinking"], thinking, "{name}");
            assert_eq!(request.json()["output_config"]["effort"], effort, "{name}");
        }
        let request = request.reasoning_effort(ReasoningEffort::None);
        for request in asked(&server, &client, &request) {
            assert_eq!(request.json()["thinking"], json!({"type": "disabled"}), "{name}");
            assert_eq!(request.json().get("output_config"), None, "{name}");
        }
    }
}

#[test]
fn reasoning_goes_back_in_the_member_it_came_in_if_the_vendor_accepts_it() {
    let server = loopback();
    for (name, came_in, expected) in [
        ("deepseek", "reasoning_content", json!({"reasoning_content": "hm"})),
        // Messages of another provider or the caller get a blank.
        ("deepseek", "none", json!({"reasoning_content": " "})),
        ("moonshot", "none", json!({"reasoning_content": " "})),
        ("moonshot", "reasoning_content", json!({"reasoning_content": "hm"})),
        ("openai", "reasoning_content", json!({"reasoning_content": "hm"})),
        ("groq", "reasoning", json!({})),
        ("mistral", "reasoning_content", json!({})),
        ("cerebras", "reasoning", json!({"reasoning": "hm"})),
        ("openrouter", "reasoning", json!({"reasoning": "hm"})),
        ("vllm", "reasoning", json!({"reasoning": "hm"})),
        ("ollama-openai", "reasoning", json!({"reasoning": "hm"})),
    ] {
        let client = vendor_client(&server, name);
        let mut message = json!({"role": "assistant", "content": "", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        if came_in != "none" {
            message[came_in] = json!("hm");
        }
        let body =
            json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
        server.reply(Reply::raw(200, "application/json", body.to_string().into_bytes()));
        let answer = client.chat("go").unwrap().message;
        let request =
            ChatRequest::new([Message::user("go"), answer, Message::tool_result("call_1", "x")]);
        for request in asked(&server, &client, &request) {
            let mut sent = request.json()["messages"][1].as_object().unwrap().clone();
            sent.retain(|member, _| member.starts_with("reasoning"));
            assert_eq!(Value::Object(sent), expected, "{name} {came_in}");
        }
    }
}
