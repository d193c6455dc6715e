//! A provider's own state goes back to it unchanged, and to no other provider.

mod support;

use serde_json::{Value, json};
use support::recordings::{Recordings, member};
use support::{loopback, vendor_client};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, ChatResponse, ErrorKind, Message, StreamDecoder, ToolResult};

/// The second turn of a tool loop as `name` receives it: the answer was stored and loaded, and each
/// call has a result.
fn second_turn(server: &Loopback, name: &str, answer: &ChatResponse) -> Value {
    let stored = serde_json::to_string(&answer.message).unwrap();
    let message: Message = serde_json::from_str(&stored).unwrap();
    assert_eq!(message, answer.message);
    let results = message.tool_calls().map(|call| ToolResult::new(call.id.clone(), "done"));
    let results: Vec<_> =
        results.map(|result| Message::new(tollgate::Role::Tool, [result])).collect();
    let mut request = ChatRequest::new([Message::user("go"), message.clone()]);
    request.messages.extend(results);
    if answer.tool_calls().next().is_none() {
        request.messages.push(Message::user("go on"));
    }
    server.reply(Reply::text("fine"));
    vendor_client(server, name).chat(request).unwrap();
    server.requests().pop().unwrap().json().clone()
}

/// The answer to the first turn, whole and streamed.
fn answers(server: &Loopback, name: &str, whole: &Value, events: &[Value]) -> [ChatResponse; 2] {
    let client = vendor_client(server, name);
    server.reply(Reply::raw(200, "application/json", whole.to_string().into_bytes()));
    let answer = client.chat("go").unwrap();
    let mut body = String::new();
    for event in events {
        match event["type"].as_str() {
            Some(kind) => body += &format!("event: {kind}\ndata: {event}\n\n"),
            None => body += &format!("data: {event}\n\n"),
        }
    }
    let is_chat = |event: &Value| event["choices"].is_array();
    if events.iter().all(is_chat) {
        body += "data: [DONE]\n\n";
    }
    server.reply(Reply::raw(200, "text/event-stream", body.into_bytes()));
    let streamed = client.stream("go").unwrap().finish().unwrap();
    [answer, streamed]
}

fn chat(message: Value) -> Value {
    json!({"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
}

fn deltas<const N: usize>(deltas: [Value; N]) -> Vec<Value> {
    let last = json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let chunk = |delta| json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]});
    deltas.into_iter().map(chunk).chain([last]).collect()
}

/// A vendor's state, and where the second turn must hold it.
struct State {
    provider: &'static str,
    whole: Value,
    events: Vec<Value>,
    expected: Vec<(&'static str, Value)>,
}

fn states() -> Vec<State> {
    let call = |extra: Value| {
        let mut call = json!({"id": "call_1", "type": "function",
            "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}});
        call.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        call
    };
    let signed = json!({"extra_content": {"google": {"thought_signature": "Cs0B+/=="}}});
    let mut states = Vec::new();
    // Gemini 3, by itself and behind gateways: on the call, without an index, with `stop`.
    for provider in ["gemini-openai", "openrouter", "litellm", "vercel-ai-gateway", "poe"] {
        states.push(State {
            provider,
            whole: chat(json!({"role": "assistant", "tool_calls": [call(signed.clone())]})),
            events: deltas([json!({"role": "assistant", "tool_calls": [call(signed.clone())]})]),
            expected: vec![(
                "/messages/1/tool_calls/0/extra_content",
                signed["extra_content"].clone(),
            )],
        });
    }
    // The signature behind the call, and one on the text.
    states.push(State {
        provider: "gemini-openai",
        whole: chat(json!({"role": "assistant", "content": "Hi", "extra_content": {"google": {"thought_signature": "T"}}})),
        events: deltas([
            json!({"role": "assistant", "content": "Hi"}),
            json!({"content": "", "extra_content": {"google": {"thought_signature": "T"}}}),
        ]),
        expected: vec![("/messages/1/extra_content/google/thought_signature", json!("T"))],
    });
    states.push(State {
        provider: "litellm",
        whole: chat(json!({"role": "assistant", "content": "", "tool_calls": [call(json!({"provider_specific_fields": {"thought_signature": "S"}}))]})),
        events: deltas([
            json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":\"Oslo\"}"}}]}),
            json!({"tool_calls": [{"index": 0, "provider_specific_fields": {"thought_signature": "S"}}]}),
        ]),
        expected: vec![("/messages/1/tool_calls/0/provider_specific_fields/thought_signature", json!("S"))],
    });
    // OpenRouter's reasoning.
    let details = json!([
        {"type": "reasoning.text", "text": "Let me see.", "signature": "EqQB", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
    ]);
    states.push(State {
        provider: "openrouter",
        whole: chat(json!({"role": "assistant", "content": "", "reasoning": "Let me see.",
            "reasoning_details": details, "tool_calls": [call(json!({}))]})),
        events: deltas([
            json!({"content": "", "reasoning": "Let me ", "reasoning_details": [{"type": "reasoning.text", "text": "Let me ", "format": "anthropic-claude-v1", "index": 0}]}),
            json!({"content": "", "reasoning": "see.", "reasoning_details": [{"type": "reasoning.text", "text": "see.", "format": "anthropic-claude-v1", "index": 0}]}),
            json!({"content": "", "reasoning_details": [{"type": "reasoning.text", "signature": "EqQB", "format": "anthropic-claude-v1", "index": 0}]}),
            json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 1}]}),
            json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]}),
        ]),
        expected: vec![("/messages/1/reasoning_details", details)],
    });
    // LiteLLM before Anthropic.
    let blocks = json!([
        {"type": "thinking", "thinking": "hm, yes", "signature": "Sig"},
        {"type": "redacted_thinking", "data": "Red"},
    ]);
    states.push(State {
        provider: "litellm",
        whole: chat(json!({"role": "assistant", "content": "a", "reasoning_content": "hm, yes",
            "thinking_blocks": blocks, "provider_specific_fields": {"citations": null, "thinking_blocks": blocks}})),
        events: deltas([
            json!({"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}], "provider_specific_fields": {"citations": null, "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}}),
            json!({"reasoning_content": ", yes", "thinking_blocks": [{"type": "thinking", "thinking": ", yes"}], "provider_specific_fields": {"thinking_blocks": [{"type": "thinking", "thinking": ", yes"}]}}),
            json!({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "Sig"}], "provider_specific_fields": {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "Sig"}]}}),
            json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "Red"}], "provider_specific_fields": {"thinking_blocks": [{"type": "redacted_thinking", "data": "Red"}]}}),
            json!({"content": "a"}),
        ]),
        expected: vec![
            ("/messages/1/thinking_blocks", blocks.clone()),
            ("/messages/1/provider_specific_fields/thinking_blocks", blocks),
        ],
    });
    // Anthropic's format: no signature, and a block and members of a kind unknown here.
    let content = json!([
        {"type": "thinking", "thinking": "hm"},
        {"type": "novel_state", "blob": "B"},
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}, "caller": {"type": "direct"}},
    ]);
    for provider in [
        "deepseek-anthropic",
        "moonshot-anthropic",
        "zai-anthropic",
        "minimax-anthropic",
        "anthropic",
    ] {
        states.push(State {
            provider,
            whole: json!({"id": "m", "model": "m", "type": "message", "role": "assistant", "content": content, "stop_reason": "tool_use"}),
            events: vec![
                json!({"type": "message_start", "message": {"id": "m", "model": "m"}}),
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "h"}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m"}}),
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "novel_state", "blob": "B"}}),
                json!({"type": "content_block_stop", "index": 1}),
                json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t1", "name": "weather", "input": {}, "caller": {"type": "direct"}}}),
                json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{\"city\":\"Oslo\"}"}}),
                json!({"type": "content_block_stop", "index": 2}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
                json!({"type": "message_stop"}),
            ],
            expected: vec![("/messages/1/content", content.clone())],
        });
    }
    states.push(gemini());
    states
}

/// Gemini's own format: signatures on a thought, a text, a call and a part without words, and parts
/// of other kinds.
fn gemini() -> State {
    let parts = json!([
        {"text": "hm", "thought": true, "thoughtSignature": "S0"},
        {"text": "Let me see.", "thoughtSignature": "S1"},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S2"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"functionCall": {"id": "g1", "name": "weather", "args": {"city": "Oslo"}},
            "thoughtSignature": "S3"},
        {"text": "", "thoughtSignature": "S4"},
    ]);
    let chunk = |parts: &[Value]| json!({"candidates": [{"content": {"parts": parts}}]});
    let finished = |mut chunk: Value| {
        chunk["candidates"][0]["finishReason"] = json!("STOP");
        chunk
    };
    let list = parts.as_array().unwrap();
    State {
        provider: "gemini",
        whole: finished(chunk(list)),
        events: vec![chunk(&list[..1]), chunk(&list[1..4]), finished(chunk(&list[4..]))],
        expected: vec![("/contents/1/parts", parts)],
    }
}

/// The body of a third turn, sent to `name`, behind the answers of two providers.
fn third_turn(server: &Loopback, name: &str, answers: [&ChatResponse; 2]) -> Value {
    let mut request = ChatRequest::from("go");
    for answer in answers {
        let stored = serde_json::to_string(&answer.message).unwrap();
        request.messages.push(serde_json::from_str(&stored).unwrap());
        match answer.tool_calls().next() {
            Some(call) => request.messages.push(Message::tool_result(call.id.clone(), "done")),
            None => request.messages.push(Message::user("go on")),
        }
    }
    server.reply(Reply::text("fine"));
    vendor_client(server, name).chat(request).unwrap();
    server.requests().pop().unwrap().json().clone()
}

#[test]
fn a_conversation_that_changes_providers_keeps_the_state_of_each() {
    let server = loopback();
    let states = states();
    let answers: Vec<_> = states
        .iter()
        .map(|state| answers(&server, state.provider, &state.whole, &state.events))
        .collect();
    for (first, [_, one]) in states.iter().zip(&answers) {
        for (second, [other, _]) in states.iter().zip(&answers) {
            if first.provider == second.provider {
                continue;
            }
            let body = third_turn(&server, first.provider, [one, other]);
            for (pointer, expected) in &first.expected {
                let pair = (first.provider, second.provider);
                assert_eq!(body.pointer(pointer), Some(expected), "{pair:?}: {body}");
            }
            let body = third_turn(&server, second.provider, [one, other]);
            for (pointer, expected) in &second.expected {
                let pair = (second.provider, first.provider);
                let pointer = pointer.replace("/1/", "/3/");
                assert_eq!(body.pointer(&pointer), Some(expected), "{pair:?}: {body}");
            }
        }
    }
}

#[test]
fn state_goes_back_unchanged_to_the_provider_it_came_from() {
    let server = loopback();
    for State { provider, whole, events, expected } in states() {
        let [answer, streamed] = answers(&server, provider, &whole, &events);
        assert_eq!(streamed.message, answer.message, "{provider}");
        for answer in [&answer, &streamed] {
            let body = second_turn(&server, provider, answer);
            for (pointer, expected) in &expected {
                assert_eq!(body.pointer(pointer), Some(expected), "{provider}: {body}");
            }
        }
    }
}

#[test]
fn state_goes_to_no_other_provider_of_any_format() {
    let server = loopback();
    for State { provider, whole, events, .. } in states() {
        let [answer, streamed] = answers(&server, provider, &whole, &events);
        let others = [
            "openai",
            "anthropic",
            "mistral",
            "deepseek-anthropic",
            "groq",
            "openrouter",
            "gemini",
        ];
        for other in others {
            if other == provider {
                continue;
            }
            for answer in [&answer, &streamed] {
                let body = second_turn(&server, other, answer).to_string();
                for mark in [
                    "thought_signature",
                    "thoughtSignature",
                    "executableCode",
                    "reasoning_details",
                    "thinking_blocks",
                    "novel_state",
                    "\"thinking\"",
                    "caller",
                    "extra_content",
                    "provider_specific_fields",
                ] {
                    assert!(!body.contains(mark), "{provider} to {other}: {body}");
                }
            }
        }
    }
}

#[test]
fn a_server_that_refuses_unknown_members_gets_not_even_its_own() {
    let server = loopback();
    let whole =
        chat(json!({"role": "assistant", "content": "a", "executed_tools": [{"type": "search"}]}));
    let events = deltas([json!({"content": "a", "executed_tools": [{"type": "search"}]})]);
    let [answer, streamed] = answers(&server, "groq", &whole, &events);
    assert_eq!(answer.message, streamed.message);
    let opaque = answer.message.opaque.as_ref().expect("kept all the same");
    assert_eq!(opaque.members["executed_tools"], json!([{"type": "search"}]));
    let body = second_turn(&server, "groq", &answer);
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "a"}));
}

#[test]
fn members_beside_an_answer_can_be_read_whole_and_streamed() {
    let server = loopback();
    let beside = json!({
        "provider": "Groq", "citations": ["https://a", "https://b"], "system_fingerprint": "fp_1",
        "search_results": [{"title": "A", "url": "https://a"}], "warnings": null,
    });
    let add = |mut chunk: Value| {
        chunk.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        chunk["created"] = json!(1_700_000_000);
        chunk
    };
    let whole = add(chat(json!({"role": "assistant", "content": "Hi all"})));
    // Perplexity repeats them with every chunk.
    let chunks = deltas([json!({"content": "Hi"}), json!({"content": " all"})]);
    let chunks: Vec<_> = chunks.into_iter().map(add).collect();
    let [answer, streamed] = answers(&server, "openrouter", &whole, &chunks);
    assert_eq!(streamed.text(), "Hi all");
    let mut expected = beside.as_object().unwrap().clone();
    expected.remove("warnings");
    assert_eq!((&answer.extra, &streamed.extra), (&expected, &expected));
    assert!(!format!("{streamed:?}").contains("https://a"));
    // They stand beside the answer and are not part of the conversation.
    assert_eq!(answer.message, streamed.message);
    assert_eq!(answer.message.opaque, None);
}

#[test]
fn thinking_that_was_cut_off_before_its_signature_stays_out() {
    let server = loopback();
    let whole = json!({"id": "m", "model": "m", "type": "message", "role": "assistant", "stop_reason": "max_tokens",
        "content": [{"type": "text", "text": "So:"}, {"type": "thinking", "thinking": "hm"}]});
    server.reply(Reply::raw(200, "application/json", whole.to_string().into_bytes()));
    let answer = vendor_client(&server, "anthropic").chat("go").unwrap();
    assert_eq!(answer.message.reasoning(), "hm");
    let body = second_turn(&server, "anthropic", &answer);
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "So:"}));

    let mut decoder = StreamDecoder::anthropic();
    let start = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "hm"}});
    decoder.push(format!("data: {start}\n\n").as_bytes(), &mut Vec::new()).unwrap();
    let body = second_turn(&server, "anthropic", &decoder.partial());
    assert!(!body.to_string().contains("hm"), "{body}");
}

#[test]
fn a_call_that_was_cut_off_is_valid_input_on_every_wire() {
    let server = loopback();
    for (arguments, sent) in [
        ("{\"city\": \"Os", json!({"invalid_arguments": "{\"city\": \"Os"})),
        ("Oslo", json!({"invalid_arguments": "Oslo"})),
        ("[1]", json!({"invalid_arguments": "[1]"})),
        ("", json!({})),
    ] {
        for (name, id) in [("moonshot", "functions.weather:0"), ("openai", "call_1")] {
            let whole = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "length", "message":
                {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}]}}]});
            server.reply(Reply::raw(200, "application/json", whole.to_string().into_bytes()));
            let answer = vendor_client(&server, name).chat("go").unwrap();
            for other in ["openai", "mistral", "vllm", "moonshot"] {
                let body = second_turn(&server, other, &answer);
                let call = &body["messages"][1]["tool_calls"][0];
                let written = call["function"]["arguments"].as_str().unwrap();
                assert_eq!(serde_json::from_str::<Value>(written).unwrap(), sent, "{other}");
                assert_eq!(body["messages"][2]["tool_call_id"], call["id"], "{other}");
                let is_nine = call["id"].as_str().unwrap().len() == 9;
                assert_eq!(is_nine, other == "mistral", "{body}");
            }
            for other in ["anthropic", "deepseek-anthropic"] {
                let body = second_turn(&server, other, &answer);
                let call = &body["messages"][1]["content"][0];
                assert_eq!(call["input"], sent, "{other}");
                assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], call["id"]);
            }
        }
    }
}

/// The members of a message and of its calls that the crate has no field for, as a walk over the
/// JSON finds them.
fn unknown(message: &Value) -> Value {
    let known = [
        "role",
        "content",
        "refusal",
        "reasoning_content",
        "reasoning",
        "tool_calls",
        "function_call",
        "annotations",
        "audio",
    ];
    let says =
        |value: &Value| !matches!(value, Value::Null) && *value != json!([]) && *value != json!("");
    let members = message.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !known.contains(&name.as_str()) && says(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn recorded_state_goes_back_in_a_second_turn() {
    let Some(recordings) = Recordings::open() else { return };
    let server = loopback();
    let mut seen = 0;
    for entry in &recordings.entries {
        let is_chat = entry["url"].as_str().unwrap_or_default().contains("/chat/completions");
        if !is_chat || entry["status"] != 200 || !member(entry, "url").contains("openrouter.ai") {
            continue;
        }
        let body = String::from_utf8(recordings.body(entry)).unwrap();
        let mut decoder = StreamDecoder::openai_chat().provider("openrouter");
        let mut events = Vec::new();
        match decoder.push(body.as_bytes(), &mut events).and_then(|_| decoder.finish(&mut events)) {
            Ok(()) => {}
            // A recorded error.
            Err(error) if error.kind() != ErrorKind::Protocol => continue,
            Err(error) => panic!("{}: {error}", member(entry, "file")),
        }
        let answer = decoder.into_response();
        let (mut texts, mut signature) = (String::new(), String::new());
        let bodies =
            body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        let whole: Option<Value> = serde_json::from_str(&body).ok();
        for chunk in bodies.chain(whole) {
            let chunk: Value = chunk;
            let choice = &chunk["choices"][0];
            for message in [&choice["delta"], &choice["message"]] {
                let members = unknown(message);
                for detail in members["reasoning_details"].as_array().into_iter().flatten() {
                    texts += detail["text"].as_str().unwrap_or_default();
                    signature += detail["signature"].as_str().unwrap_or_default();
                }
            }
        }
        if texts.is_empty() && signature.is_empty() {
            continue;
        }
        let sent = second_turn(&server, "openrouter", &answer);
        let details =
            sent["messages"][1]["reasoning_details"].as_array().expect("reasoning_details");
        let joined = |name: &str| -> String {
            details.iter().filter_map(|detail| detail[name].as_str()).collect()
        };
        assert_eq!(
            (joined("text"), joined("signature")),
            (texts, signature),
            "{}",
            member(entry, "file")
        );
        seen += 1;
    }
    eprintln!("{seen} recordings with state");
    assert!(seen >= 2, "only {seen}; is the folder whole?");
}
