//! A response's body.

use serde_json::{Map, Value, json};

use super::super::bounded::{Content, Detail};
use super::super::object::{Object, members};
use super::super::{Decoded, Failure, MAX_PARTS, json as wire};
use crate::Provider;
use crate::chat::{
    FinishReason, Message, Part, Reasoning, Role, Text, ToolCall, Usage, UsageSource,
};

/// What is read of a message (`message.py`). Everything but the content may be
/// missing, null or odd, for servers that imitate the format.
#[derive(Default)]
struct Body {
    kind: Detail,
    content: Content,
    stop_reason: Detail,
    usage: Detail,
    model: Detail,
    id: Detail,
    error: Detail,
    /// Some gateways' place for what is wrong.
    message: Detail,
}

members!(Body {
    "type" => kind,
    "content" => content,
    "stop_reason" => stop_reason,
    "usage" => usage,
    "model" => model,
    "id" => id,
    "error" => error,
    "message" => message,
});

/// Reads the body of a successful response. One of `type: error` is classed by
/// the type of its error alone, as errors inside a stream are.
pub(in crate::provider) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let Object(body) = wire::read::<Object<Body>>(body, &mut repaired)?;
    let has_error = !body.error.value.is_null();
    let content = match body.content.value {
        _ if body.kind.value == "error" => None,
        Value::Array(blocks) if blocks.len() <= MAX_PARTS => Some(blocks),
        Value::Array(_) => return Err(Failure::too_many_parts()),
        _ if body.content.exceeded => return Err(Failure::too_many_parts()),
        _ => None,
    };
    let Some(content) = content else {
        return Err(match has_error || body.kind.value == "error" {
            true if has_error => Failure::inside(&body.error.value),
            true => Failure::inside(&json!({"message": body.message.value})),
            false => {
                Failure::protocol("the response body is not a message: it has no list of content")
            }
        });
    };
    let message = Message::new(Role::Assistant, content.into_iter().map(part));
    let stop_reason = wire::text(body.stop_reason.value);
    Ok(Decoded {
        message,
        finish_reason: finish_reason(stop_reason.as_deref()),
        finish_reason_raw: stop_reason,
        service_tier: body.usage.value.get("service_tier").cloned().and_then(wire::text),
        usage: usage(&body.usage.value),
        model: wire::text(body.model.value).unwrap_or_default(),
        id: wire::text(body.id.value),
    })
}

/// One content block. What has no part of its own is kept as it came: server
/// tools and their results, MCP, compaction.
pub(super) fn part(block: Value) -> Part {
    let own = block.as_object().and_then(|block| match text(block, "type")? {
        "text" => Some(Part::Text(Text {
            citations: block
                .get("citations")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            ..Text::from(text(block, "text")?)
        })),
        "thinking" => {
            let signature = text(block, "signature").filter(|signature| !signature.is_empty());
            Some(Part::Reasoning(Reasoning {
                text: text(block, "thinking")?.to_owned(),
                signature: signature.map(str::to_owned),
                ..reasoning()
            }))
        }
        "redacted_thinking" => {
            let encrypted = Some(text(block, "data")?.to_owned());
            Some(Part::Reasoning(Reasoning { encrypted, ..reasoning() }))
        }
        "tool_use" => tool_call(block).map(Part::ToolCall),
        _ => None,
    });
    own.unwrap_or_else(|| Part::Other { provider: Provider::Anthropic.name().into(), value: block })
}

fn reasoning() -> Reasoning {
    Reasoning { provider: Some(Provider::Anthropic.name().to_owned()), ..Reasoning::default() }
}

pub(super) fn tool_call(block: &Map<String, Value>) -> Option<ToolCall> {
    let arguments = match block.get("input") {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(input) => input.to_string(),
    };
    let known = ["type", "id", "name", "input"];
    let extra = block.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let extra = extra.map(|(name, value)| (name.clone(), value.clone())).collect();
    let call = ToolCall::new(text(block, "id")?, text(block, "name")?, arguments);
    Some(ToolCall { extra, ..call })
}

/// `stop_reason.py`; "we may add new variants to enum-like output values"
/// (Anthropic's page "Versions").
pub(super) fn finish_reason(stop_reason: Option<&str>) -> FinishReason {
    match stop_reason {
        Some("end_turn" | "stop_sequence") => FinishReason::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("tool_use") => FinishReason::ToolCalls,
        Some("pause_turn") => FinishReason::Pause,
        Some("refusal") => FinishReason::Refusal,
        _ => FinishReason::Other,
    }
}

/// Brings the counts into our form. Odd ones count as missing: an answer that is paid
/// for is not thrown away for them. Where `input_tokens` or `output_tokens` is missing it
/// is to be estimated, and without both the usage is [`Missing`](UsageSource::Missing).
///
/// `input_tokens` leaves the cached ones out: the whole input is the sum of
/// `input_tokens`, `cache_creation_input_tokens` and `cache_read_input_tokens`
/// (`message.py`). `output_tokens` includes thinking (`output_tokens_details.py`).
///
/// The totals leave out what compaction used, which is billed all the same and
/// stands in `iterations` only (vercel/ai `convert-anthropic-usage.ts`; recorded
/// by pydantic-ai: 229 input tokens in all, 55,196 in the compaction). So its
/// counts, cache counts too, are added. So are those of iterations of type
/// `advisor_message`, which the totals leave out, too, and which are billed at another
/// model's price (the same file): that price is not known here, so that the usage is not
/// taken for one that can be priced exactly.
pub(super) fn usage(value: &Value) -> Usage {
    if !value.is_object() {
        return Usage::default();
    }
    let is_there = |name| value.get(name).and_then(wire::count).is_some();
    let source = match (is_there("input_tokens"), is_there("output_tokens")) {
        (true, true) => UsageSource::Reported,
        (true, false) => UsageSource::EstimatedOutput,
        (false, true) => UsageSource::Estimated,
        (false, false) => return Usage::default(),
    };
    let mut total = Usage { source, ..Usage::default() };
    let iterations = value.get("iterations").and_then(Value::as_array);
    let of = |kind: &'static str| {
        let is_it = move |iteration: &&Value| iteration.get("type").is_some_and(|it| it == kind);
        iterations.into_iter().flatten().filter(is_it)
    };
    if source == UsageSource::Reported && of("advisor_message").next().is_some() {
        total.source = UsageSource::EstimatedOutput;
    }
    let beside = of("compaction").chain(of("advisor_message"));
    for counts in std::iter::once(value).chain(beside) {
        let input = count(counts, "/input_tokens");
        let read = count(counts, "/cache_read_input_tokens");
        let write = count(counts, "/cache_creation_input_tokens");
        for (sum, more) in [
            (&mut total.prompt_tokens, input.saturating_add(read).saturating_add(write)),
            (&mut total.cached_tokens, read),
            (&mut total.cache_write_tokens, write),
            (
                &mut total.cache_write_1h_tokens,
                count(counts, "/cache_creation/ephemeral_1h_input_tokens"),
            ),
            (&mut total.completion_tokens, count(counts, "/output_tokens")),
            (&mut total.reasoning_tokens, count(counts, "/output_tokens_details/thinking_tokens")),
            (&mut total.web_searches, count(counts, "/server_tool_use/web_search_requests")),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
    total.total_tokens = total.prompt_tokens.saturating_add(total.completion_tokens);
    total
}

fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(wire::count).unwrap_or(0)
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use serde_json::json;

    fn decoded(value: Value) -> Decoded {
        decode(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_message_is_read_whole() {
        let search = json!({"type": "server_tool_use", "id": "srv_1", "input": {"query": "x"}});
        let found = json!({"type": "char_location", "document_index": 0, "cited_text": "x"});
        let answer = decoded(json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "Hello", "citations": null},
                {"type": "text", "text": "World", "citations": [found]},
                search,
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, "ü"]}},
                {"type": "tool_use", "id": "t2", "name": "g", "input": {},
                    "caller": {"type": "direct"}},
                {"type": "tool_use", "id": "t3", "name": "h"},
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 3, "output_tokens": 5, "service_tier": "priority"},
        }));
        let mut called = ToolCall::new("t2", "g", "{}");
        called.extra.insert("caller".into(), json!({"type": "direct"}));
        let signature = Some("s".to_owned());
        let expected = Message::new(
            Role::Assistant,
            [
                Part::from(Reasoning { signature, text: "hm".into(), ..reasoning() }),
                reasoning().into(),
                Reasoning { encrypted: Some("x".into()), ..reasoning() }.into(),
                "Hello".into(),
                Text { citations: vec![found], ..Text::from("World") }.into(),
                Part::Other { provider: "anthropic".into(), value: search },
                ToolCall::new("t1", "f", r#"{"a":[1,"ü"]}"#).into(),
                called.into(),
                ToolCall::new("t3", "h", "{}").into(),
            ],
        );
        assert_eq!(answer.message, expected);
        assert_eq!(answer.usage, Usage::reported(3, 5));
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
        assert_eq!(answer.finish_reason_raw.as_deref(), Some("tool_use"));
        assert_eq!(answer.service_tier.as_deref(), Some("priority"));
        assert_eq!((answer.model.as_str(), answer.id.as_deref()), ("claude-opus-5", Some("msg_1")));
    }

    #[test]
    fn what_other_servers_leave_out_may_be_missing() {
        let broken = json!({"type": "tool_use", "name": "f"});
        let answer = decoded(json!({"content": [broken], "stop_reason": null, "usage": null}));
        let other = Part::Other { provider: "anthropic".into(), value: broken };
        assert_eq!(answer.message.content, [other]);
        assert_eq!(answer.usage.source, UsageSource::Missing);
        assert_eq!((answer.finish_reason, answer.finish_reason_raw), (FinishReason::Other, None));
        assert_eq!((answer.model.as_str(), answer.id, answer.service_tier), ("", None, None));
        assert!(decoded(json!({"content": []})).message.content.is_empty());
    }

    #[test]
    fn an_answer_is_not_thrown_away_for_what_stands_beside_it() {
        for (body, expected) in [
            (r#"{"content": [{"type": "text", "text": "a"}], "model": 5, "id": {}}"#, "a"),
            (r#"{"id": 1, "id": 2, "content": [], "content": [{"type":"text","text":"a"}]}"#, "a"),
            (
                r#"{"content": [{"type": "text", "text": "a"}], "usage": {"input_tokens": 1e999}}"#,
                "a",
            ),
            (r#"{"content": [{"type": "text", "text": "hi \ud83d there"}]}"#, "hi \u{fffd} there"),
            (r#"{"content": [{"type": "text", "text": "a"}], "stop_reason": [], "usage": 7}"#, "a"),
        ] {
            assert_eq!(decode(body.as_bytes()).unwrap().message.text(), expected, "{body}");
        }
    }

    #[test]
    fn stop_reasons_are_mapped() {
        for (reason, expected) in [
            ("end_turn", FinishReason::Stop),
            ("stop_sequence", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("model_context_window_exceeded", FinishReason::Length),
            ("tool_use", FinishReason::ToolCalls),
            ("pause_turn", FinishReason::Pause),
            ("refusal", FinishReason::Refusal),
            ("compaction", FinishReason::Other),
        ] {
            assert_eq!(finish_reason(Some(reason)), expected, "{reason}");
        }
    }

    #[test]
    fn usage_is_brought_into_our_form() {
        for (value, expected) in [
            (Value::Null, Usage::default()),
            (json!("many"), Usage::default()),
            (json!({}), Usage::default()),
            (json!({"input_tokens": -3, "output_tokens": 1.5}), Usage::default()),
            (json!({"service_tier": "standard"}), Usage::default()),
            (json!({"input_tokens": 0, "output_tokens": 0}), Usage::reported(0, 0)),
            (json!({"input_tokens": 1000.0, "output_tokens": 5.0}), Usage::reported(1000, 5)),
            (
                json!({"input_tokens": 1000}),
                Usage { source: UsageSource::EstimatedOutput, ..Usage::reported(1000, 0) },
            ),
            (
                json!({"output_tokens": 5}),
                Usage { source: UsageSource::Estimated, ..Usage::reported(0, 5) },
            ),
            (
                json!({
                    "input_tokens": 10,
                    "cache_creation_input_tokens": 200,
                    "cache_read_input_tokens": 3000,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 150,
                        "ephemeral_1h_input_tokens": 50,
                    },
                    "output_tokens": 40,
                    "output_tokens_details": {"thinking_tokens": 30},
                    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
                }),
                Usage {
                    cached_tokens: 3000,
                    cache_write_tokens: 200,
                    cache_write_1h_tokens: 50,
                    reasoning_tokens: 30,
                    web_searches: 2,
                    ..Usage::reported(3210, 40)
                },
            ),
            (
                json!({
                    "input_tokens": 10, "output_tokens": 4, "cache_creation": null,
                    "cache_creation_input_tokens": null, "cache_read_input_tokens": null,
                    "server_tool_use": null, "output_tokens_details": null, "iterations": null,
                }),
                Usage::reported(10, 4),
            ),
            // As in the recording pydantic-ai-test_anthropic_compaction_usage_with_cache-0.
            (
                json!({
                    "input_tokens": 229, "output_tokens": 5,
                    "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                    "iterations": [
                        {
                            "type": "compaction", "input_tokens": 100, "output_tokens": 131,
                            "cache_creation_input_tokens": 55_096, "cache_read_input_tokens": 0,
                        },
                        {"type": "message", "input_tokens": 229, "output_tokens": 5},
                        {"type": "advisor_message", "input_tokens": 9, "output_tokens": 9},
                    ],
                }),
                Usage {
                    cache_write_tokens: 55_096,
                    source: UsageSource::EstimatedOutput,
                    ..Usage::reported(229 + 100 + 55_096 + 9, 5 + 131 + 9)
                },
            ),
            (
                json!({"input_tokens": u64::MAX, "output_tokens": u64::MAX}),
                Usage::reported(u64::MAX, u64::MAX),
            ),
        ] {
            assert_eq!(usage(&value), expected, "{value}");
        }
    }

    #[test]
    fn an_error_under_success_is_an_error_of_its_class() {
        for (body, kind) in [
            (
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
                ErrorKind::Overloaded,
            ),
            (
                json!({"type": "error", "error": {"type": "invalid_request_error"}}),
                ErrorKind::InvalidRequest,
            ),
            (json!({"error": {"type": "api_error", "message": "x"}}), ErrorKind::Server),
            (json!({"error": {"code": 529, "message": "x"}}), ErrorKind::Overloaded),
            (json!({"error": "slow down"}), ErrorKind::Server),
            (json!({"type": "error", "message": "prompt is too long"}), {
                ErrorKind::ContextWindowExceeded
            }),
            (json!({"content": vec![json!({}); MAX_PARTS + 1]}), ErrorKind::Protocol),
            (json!({"type": "message", "content": "secret"}), ErrorKind::Protocol),
            (json!({"type": "message"}), ErrorKind::Protocol),
        ] {
            let failure = decode(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(failure.kind, kind, "{body}");
            assert!(!failure.message.contains("secret"));
        }
        assert_eq!(decode(b"<html>").unwrap_err().kind, ErrorKind::Protocol);
        assert_eq!(decode(b"[]").unwrap_err().kind, ErrorKind::Protocol);
    }
}
