//! Tests of decoding non-streaming chat completions.

use super::*;
use crate::chat::{Audio, FinishReason, Text, Usage, UsageSource};
use crate::error::ErrorKind;
use crate::wire::Target;
use crate::wire::openai_chat::messages;
use serde_json::json;

fn decoded(body: &Value) -> Decoded {
    decode(body.to_string().as_bytes().into()).unwrap()
}

/// Decodes a single choice into its parts and finish reason, and checks that the answer can be sent
/// back to the server.
fn choice(message: Value, finish_reason: Value) -> (Vec<Part>, FinishReason) {
    let body = json!({"choices": [{"message": message, "finish_reason": finish_reason}]});
    let decoded = decoded(&body);
    assert!(messages::encode(std::slice::from_ref(&decoded.message), Target::openai("m")).is_ok());
    (decoded.message.content, decoded.finish_reason)
}

fn text(text: &str) -> Part {
    Part::text(text)
}

fn thought(field: &str, text: &str) -> Part {
    let field = Some(field).filter(|field| !field.is_empty()).map(str::to_owned);
    Part::Reasoning(Reasoning { field, ..super::thought(text.to_owned()) })
}

#[test]
fn a_complete_answer_is_read() {
    let decoded = decoded(&json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
        "service_tier": "default", "system_fingerprint": null, "error": null,
        "choices": [
            {"index": 0, "logprobs": null, "finish_reason": "stop",
             "message": {"role": "assistant", "content": "Hi", "refusal": null, "annotations": []}},
            {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "Ho"}},
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
    }));
    assert_eq!(decoded.message, Message::assistant("Hi"));
    assert_eq!(decoded.finish_reason, FinishReason::Stop);
    assert_eq!(decoded.finish_reason_raw.as_deref(), Some("stop"));
    assert_eq!(decoded.usage, Usage::reported(2, 3));
    assert_eq!(decoded.model, "gpt-4o-2024-08-06");
    assert_eq!(decoded.service_tier.as_deref(), Some("default"));
    assert_eq!(decoded.id.as_deref(), Some("chatcmpl-1"));
}

#[test]
fn the_choice_with_index_0_is_read_at_any_position() {
    let choice = |index: u32, text: &str| {
        let message = json!({"role": "assistant", "content": text});
        json!({"index": index, "finish_reason": "stop", "message": message})
    };
    for choices in [
        json!([choice(0, "Hi"), choice(1, "Ho")]),
        json!([choice(1, "Ho"), choice(0, "Hi")]),
        json!([choice(2, "Hm"), choice(1, "Ho"), choice(0, "Hi")]),
    ] {
        let decoded = decoded(&json!({"choices": choices}));
        assert_eq!(decoded.message, Message::assistant("Hi"), "{choices}");
    }
    // Without it, the first one does.
    let decoded = decoded(&json!({"choices": [choice(1, "Ho"), choice(2, "Hm")]}));
    assert_eq!(decoded.message, Message::assistant("Ho"));
}

#[test]
fn usage_is_read_wherever_vendors_put_it() {
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107});
    let message = json!({"role": "assistant", "content": "Hi"});
    let choice = json!({"index": 0, "finish_reason": "stop", "message": message});
    let mut moonshot = choice.clone();
    moonshot["usage"] = usage.clone();
    let other = json!({"input_tokens": 100, "output_tokens": 7});
    let zeros = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    for body in [
        json!({"choices": [choice], "usage": usage}),
        json!({"choices": [moonshot]}),
        json!({"choices": [moonshot], "usage": null}),
        json!({"choices": [moonshot], "usage": zeros}),
        json!({"choices": [choice], "x_groq": {"usage": usage}}),
        json!({"choices": [choice], "usage": other}),
    ] {
        let usage = decoded(&body).usage;
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (100, 7), "{body}");
        assert_eq!(usage.source, UsageSource::Reported, "{body}");
    }
}

#[test]
fn a_minimal_answer_is_read() {
    let body = b"\n\n \n{\"id\":null,\"model\":null,\"usage\":null,\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}\n";
    let decoded = decode(body.as_slice().into()).unwrap();
    assert_eq!(decoded.message, Message::assistant("Hi"));
    assert_eq!(decoded.finish_reason, FinishReason::Other);
    assert_eq!((decoded.finish_reason_raw, decoded.id, decoded.service_tier), (None, None, None));
    assert_eq!(decoded.model, "");
    assert_eq!(decoded.usage.source, UsageSource::Missing);
}

#[test]
fn content_comes_in_many_forms() {
    for (message, expected) in [
        (json!({"content": ""}), vec![]),
        (json!({"content": null}), vec![]),
        (json!({}), vec![]),
        (json!(null), vec![]),
        (json!({"content": " a\n"}), vec![text(" a\n")]),
        (
            json!({"content": "a", "reasoning_content": "r"}),
            vec![thought("reasoning_content", "r"), text("a")],
        ),
        (json!({"content": "a", "reasoning": "r"}), vec![thought("reasoning", "r"), text("a")]),
        (
            json!({"content": "a", "reasoning": "r", "reasoning_content": "r"}),
            vec![thought("reasoning_content", "r"), text("a")],
        ),
        (json!({"content": "a", "reasoning": null, "reasoning_content": ""}), vec![text("a")]),
        (json!({"content": "a", "reasoning": {"odd": 1}}), vec![text("a")]),
        (
            json!({"content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "r"}, {"type": "text", "text": "s"}]},
                {"type": "text", "text": "a"},
                {"type": "text", "text": ""},
                "b",
                7,
            ]}),
            vec![thought("", "rs"), text("a"), text("b")],
        ),
        (json!({"content": [{"type": "thinking", "thinking": "r"}]}), vec![thought("", "r")]),
        (
            json!({"content": [{"type": "reference", "reference_ids": [1]}]}),
            vec![other(json!({"type": "reference", "reference_ids": [1]}))],
        ),
        (
            json!({"content": null, "audio": {"id": "audio_1", "transcript": "t"}}),
            vec![Part::Audio(Audio {
                id: Some("audio_1".into()),
                transcript: "t".into(),
                ..crate::wire::openai_chat::media::silence()
            })],
        ),
        (json!({"content": "a", "tool_calls": {}, "audio": 1, "refusal": {}}), vec![text("a")]),
        (json!({"content": null, "refusal": "no"}), vec![Part::Refusal("no".into())]),
        (
            json!({"content": [{"type": "refusal", "refusal": "no"}]}),
            vec![Part::Refusal("no".into())],
        ),
    ] {
        assert_eq!(choice(message.clone(), json!("length")).0, expected, "{message}");
    }
}

#[test]
fn tool_calls_come_in_many_forms() {
    let custom = json!({"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}});
    for (message, expected) in [
        (
            json!({"content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "b", "function": {"name": "g", "arguments": ""}},
            ]}),
            vec![
                Part::ToolCall(ToolCall::new("a", "f", "{\"x\":1}")),
                Part::ToolCall(ToolCall::new("b", "g", "{}")),
            ],
        ),
        (
            json!({"content": "", "tool_calls": [
                {"function": {"name": "f", "arguments": {"x": 1}}},
                {"id": "", "function": {"name": "g", "arguments": null}},
                {"id": null, "function": {"name": "h"}},
                null,
            ]}),
            vec![
                Part::ToolCall(ToolCall::new("0", "f", "{\"x\":1}")),
                Part::ToolCall(ToolCall::new("1", "g", "{}")),
                Part::ToolCall(ToolCall::new("2", "h", "{}")),
            ],
        ),
        (
            json!({"content": null, "function_call": {"name": "f", "arguments": "{}"}}),
            vec![Part::ToolCall(ToolCall::new("0", "f", "{}"))],
        ),
        (json!({"content": "a", "tool_calls": null, "function_call": null}), vec![text("a")]),
        (json!({"tool_calls": [custom]}), vec![other(custom)]),
    ] {
        let (mut parts, _) = choice(message.clone(), json!("length"));
        for part in &mut parts {
            if let Part::ToolCall(call) = part {
                // Generated ids; only their end is always the same.
                if let Some(rest) = call.id.strip_prefix("call_") {
                    call.id = rest.split_once('_').unwrap().1.to_owned();
                }
            }
        }
        assert_eq!(parts, expected, "{message}");
    }
}

#[test]
fn generated_ids_differ_between_answers() {
    let id = |answer: &str| {
        let body = json!({"id": answer, "choices": [{"message": {
            "function_call": {"name": "f", "arguments": "{}"},
        }}]});
        decoded(&body).message.tool_calls().next().unwrap().id.clone()
    };
    assert_eq!(id("a"), id("a"));
    assert_ne!(id("a"), id("b"));
    assert!(id("a").len() <= 40);
}

#[test]
fn annotations_are_kept_with_the_text() {
    let found = json!({"type": "url_citation", "url_citation": {"url": "https://x.test"}});
    let message = json!({"content": "a", "annotations": [found]});
    let (parts, _) = choice(message, json!("stop"));
    let expected = Text { citations: vec![found.clone()], ..Text::from("a") };
    assert_eq!(parts, [Part::Text(expected)]);
    let message = json!({"content": null, "annotations": [found]});
    assert_eq!(choice(message, json!("stop")).0, []);
}

#[test]
fn malformed_metadata_does_not_cost_the_answer() {
    for (body, text) in [
        (r#"{"id": "a", "id": "b", "choices": [{"message": {"content": "x"}}]}"#, "x"),
        (r#"{"choices": [{"message": {"content": "w", "content": "x"}}]}"#, "x"),
        (r#"{"choices": [{"message": {"content": "x", "tool_calls": {}}}], "id": {}}"#, "x"),
        (r#"{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1e999}}"#, "x"),
        (r#"{"choices": [{"message": {"content": "x"}, "logprobs": NaN}]}"#, "x"),
        (r#"{"choices": [{"message": {"content": "half \ud83d"}}]}"#, "half \u{fffd}"),
        (r#"{"choices": [{"message": {"content": "x"}}, 7, {"message": 8}]}"#, "x"),
    ] {
        let decoded = decode(body.as_bytes().into()).unwrap();
        assert_eq!(decoded.message.text(), text, "{body}");
    }
    let broken =
        decode(b"{\"choices\": [{\"message\": {\"content\": \"a\xff\"}}]}".as_slice().into())
            .unwrap();
    assert_eq!(broken.message.text(), "a\u{fffd}");
}

#[test]
fn an_oversized_answer_is_an_error() {
    let whole =
        |content: String| format!(r#"{{"choices": [{{"message": {{"content": {content}}}}}]}}"#);
    let block = r#"{"type": "text", "text": "a"}"#;
    let fits = whole(format!("[{}]", vec![block; MAX_PARTS].join(",")));
    assert_eq!(decode(fits.as_bytes().into()).unwrap().message.content.len(), MAX_PARTS);
    for content in [vec![block; MAX_PARTS + 1].join(","), vec!["{\"\":[[]]}"; 200_000].join(",")] {
        let failure = decode(whole(format!("[{content}]")).as_bytes().into()).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Protocol);
        assert!(failure.message.contains("more parts"), "{}", failure.message);
    }
}

#[test]
fn the_finish_reason_matches_the_content() {
    use FinishReason::*;
    let said = json!({"content": "a"});
    let called = json!({"content": "a", "tool_calls": [{"id": "a", "function": {"name": "f"}}]});
    let custom = json!({"tool_calls": [{"id": "c", "type": "custom", "custom": {}}]});
    let refused = json!({"content": null, "refusal": "no"});
    for (message, raw, expected) in [
        (&said, json!("stop"), Stop),
        (&said, json!("eos"), Stop),
        (&said, json!("length"), Length),
        (&said, json!("model_length"), Length),
        (&said, json!("content_filter"), ContentFilter),
        (&said, json!("insufficient_system_resource"), Other),
        (&said, json!(null), Other),
        (&said, json!(""), Other),
        (&called, json!("tool_calls"), ToolCalls),
        (&called, json!("function_call"), ToolCalls),
        (&called, json!("stop"), ToolCalls),
        (&called, json!(null), ToolCalls),
        (&called, json!("length"), Length),
        (&called, json!("abort"), Other),
        (&custom, json!("stop"), ToolCalls),
        (&refused, json!("stop"), Refusal),
        (&refused, json!("content_filter"), ContentFilter),
    ] {
        assert_eq!(choice(message.clone(), raw.clone()).1, expected, "{message} {raw}");
    }
}

#[test]
fn a_body_without_an_answer_is_an_error() {
    for (body, kind) in [
        (json!({"error": {"code": 429, "message": "slow"}}), ErrorKind::RateLimited),
        (
            json!({"error": {"message": "x", "type": "server_error"}, "choices": []}),
            ErrorKind::Server,
        ),
        (
            json!({"choices": [{"message": {"content": "half"}, "finish_reason": "error",
                "error": {"code": 502, "message": "upstream"}}]}),
            ErrorKind::Server,
        ),
        (json!({"choices": []}), ErrorKind::Protocol),
        (json!({"choices": null, "error": null}), ErrorKind::Protocol),
        (json!({}), ErrorKind::Protocol),
        (json!([]), ErrorKind::Protocol),
        (json!({"choices": "secret"}), ErrorKind::Protocol),
    ] {
        let failure = decode(body.to_string().as_bytes().into()).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
}

#[test]
fn a_truncated_body_is_an_error_and_never_a_panic() {
    let whole = json!({"choices": [{"message": {"content": "é", "tool_calls": [
        {"id": "a", "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "stop"}]})
    .to_string();
    assert!(decode(whole.as_bytes().into()).is_ok());
    for end in 0..whole.len() {
        let failure = decode((&whole.as_bytes()[..end]).into()).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Protocol, "cut at {end}");
    }
}

#[test]
fn unexpected_values_never_panic() {
    let odd = [
        json!(null),
        json!(0),
        json!(-1.5),
        json!("x"),
        json!([]),
        json!([{}]),
        json!({}),
        json!({"type": 1}),
    ];
    for field in
        ["content", "refusal", "reasoning", "reasoning_content", "tool_calls", "function_call"]
    {
        for value in &odd {
            let body = json!({"choices": [{"message": {field: value}, "finish_reason": value}], "usage": value});
            let _ = decode(body.to_string().as_bytes().into());
        }
    }
    for field in ["id", "model", "service_tier", "usage", "error", "x_groq", "base_resp"] {
        for value in &odd {
            let body = json!({field: value, "choices": [{"message": {"content": "a"}}]});
            let is_error = field == "error" && crate::wire::failed::is_error(value);
            assert_eq!(decode(body.to_string().as_bytes().into()).is_err(), is_error, "{body}");
        }
    }
}
