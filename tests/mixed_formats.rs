//! A conversation can move between wire formats and back. Each provider gets its own state back, and
//! no other provider's.

mod support;

use serde_json::{Value, json};
use support::{builder, loopback};
use tollgate::chat::Format;
use tollgate::provider::Profile;
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, Client, Message, Tool};

/// A provider in one of its formats. Each format has one row or more in [`SIDES`].
struct Side {
    /// A name for messages and for the ids of calls.
    name: &'static str,
    provider: &'static str,
    format: Format,
    model: &'static str,
    /// The text in its answer that only this side may get back.
    state: &'static str,
    /// An answer that calls a tool and has this state.
    answer: fn(call: &str, state: &str) -> Value,
}

fn gemini_answer(call: &str, state: &str) -> Value {
    json!({"responseId": "r", "modelVersion": "m", "candidates": [{"finishReason": "STOP",
    "content": {"role": "model", "parts": [{
        "functionCall": {"id": call, "name": "weather", "args": {"city": "Oslo"}},
        "thoughtSignature": state,
    }]}}]})
}

fn messages_answer(call: &str, state: &str) -> Value {
    json!({"id": "m", "type": "message", "role": "assistant", "model": "m",
    "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "hm", "signature": state},
        {"type": "tool_use", "id": call, "name": "weather", "input": {"city": "Oslo"}},
    ]})
}

const SIDES: &[Side] = &[
    Side {
        name: "chat",
        provider: "gemini-openai",
        format: Format::OpenAiChat,
        model: "some-model",
        state: "state-of-chat",
        answer: |call, state| {
            json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": null, "tool_calls": [{
                "id": call, "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"},
                "extra_content": {"google": {"thought_signature": state}},
            }]}}]})
        },
    },
    Side {
        name: "gemini",
        provider: "gemini",
        format: Format::Gemini,
        model: "some-model",
        state: "state-of-gemini",
        answer: gemini_answer,
    },
    Side {
        name: "messages",
        provider: "anthropic",
        format: Format::Anthropic,
        model: "some-model",
        state: "state-of-messages",
        answer: messages_answer,
    },
    #[cfg(feature = "bedrock")]
    Side {
        name: "bedrock",
        provider: "bedrock",
        format: Format::Bedrock,
        model: "some-model",
        state: "state-of-bedrock",
        answer: |call, state| {
            json!({"stopReason": "tool_use", "output": {"message": {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": state}}},
                {"toolUse": {"toolUseId": call, "name": "weather", "input": {"city": "Oslo"}}},
            ]}}})
        },
    },
    Side {
        name: "cohere",
        provider: "cohere",
        format: Format::Cohere,
        model: "some-model",
        state: "state-of-cohere",
        answer: |call, state| {
            json!({"id": "r", "finish_reason": "TOOL_CALL", "message": {"role": "assistant",
            "tool_plan": state, "tool_calls": [{
                "id": call, "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"},
            }]}})
        },
    },
    Side {
        name: "responses",
        provider: "openai",
        format: Format::OpenAiResponses,
        model: "some-model",
        state: "state-of-responses",
        answer: |call, state| {
            json!({"id": "r", "model": "m", "status": "completed", "output": [
                {"type": "reasoning", "id": "rs_1", "summary": [],
                    "encrypted_content": state},
                {"type": "function_call", "id": "fc_1", "call_id": call, "name": "weather",
                    "arguments": "{\"city\":\"Oslo\"}"},
            ]})
        },
    },
    Side {
        name: "ollama",
        provider: "ollama",
        format: Format::Ollama,
        model: "some-model",
        state: "state-of-ollama",
        answer: |call, state| {
            json!({"model": "m", "done": true, "done_reason": "stop", "message": {
                "role": "assistant", "content": "", "thinking": state, "tool_calls": [
                    {"id": call, "function": {"name": "weather", "arguments": {"city": "Oslo"}}}]}})
        },
    },
    Side {
        name: "responses_xai",
        provider: "xai",
        format: Format::OpenAiResponses,
        model: "some-model",
        state: "state-of-xai",
        answer: |call, state| {
            json!({"id": "r", "model": "m", "status": "completed", "output": [
                {"type": "message", "id": "msg_1", "role": "assistant", "phase": state,
                    "content": [{"type": "output_text", "text": "I look it up."}]},
                {"type": "function_call", "id": "fc_1", "call_id": call, "name": "weather",
                    "arguments": "{\"city\":\"Oslo\"}"},
            ]})
        },
    },
    Side {
        name: "vertex_gemini",
        provider: "vertex",
        format: Format::Vertex,
        model: "gemini-2.5-flash",
        state: "state-of-vertex",
        answer: gemini_answer,
    },
    Side {
        name: "vertex_claude",
        provider: "vertex",
        format: Format::Vertex,
        model: "claude-sonnet-4-5@20250929",
        state: "state-of-claude",
        answer: messages_answer,
    },
];

fn client(server: &Loopback, side: &Side) -> Client {
    let mut profile = Profile::builtin(side.provider).unwrap();
    profile.format = Some(side.format);
    let builder = builder(server, side.provider).profile(profile).model(side.model);
    builder.build().unwrap()
}

/// Continues a conversation with a tool call and its result. Returns the request's body.
fn turn(server: &Loopback, side: &Side, request: &mut ChatRequest, call: &str) -> String {
    let body = (side.answer)(call, side.state).to_string();
    server.reply(Reply::raw(200, "application/json", body.into_bytes()));
    let answer = client(server, side).chat(&*request).unwrap();
    assert_eq!(answer.tool_calls().next().unwrap().id, call);
    // Programs may store a conversation and load it again.
    let stored = serde_json::to_string(&answer.message).unwrap();
    request.messages.push(serde_json::from_str(&stored).unwrap());
    request.messages.push(Message::tool_result(call, "7 degrees"));
    server.requests().pop().unwrap().json().to_string()
}

#[test]
fn every_pair_of_formats_shares_a_conversation_and_keeps_its_own_state() {
    let server = loopback();
    let tool = Tool::function("weather", "Weather in a city", json!({"type": "object"}));
    for first in SIDES {
        for second in SIDES.iter().filter(|second| second.name != first.name) {
            let pair = format!("{} and {}", first.name, second.name);
            let mut request = ChatRequest::from("How cold is it?").tool(tool.clone());
            for round in 0..2 {
                for (side, other) in [(first, second), (second, first)] {
                    let call = format!("call_{}_{round}", side.name);
                    let sent = turn(&server, side, &mut request, &call);
                    let own = sent.matches(side.state).count();
                    assert_eq!(own, round, "{pair}: {sent}");
                    assert!(!sent.contains(other.state), "{pair}: {sent}");
                    // Both providers' tool results are there.
                    let results = request.messages.len() / 2 - 1;
                    assert_eq!(sent.matches("7 degrees").count(), results, "{pair}: {sent}");
                }
            }
        }
    }
}

#[test]
fn every_format_of_a_known_provider_has_a_row() {
    for format in support::chat_profiles().filter_map(|profile| profile.format) {
        assert!(SIDES.iter().any(|side| side.format == format), "add {format:?} to SIDES");
    }
}
