//! Failures that look like answers, in every format, streamed and not.

use super::*;

/// Returns the failures of a non-streaming body, of a stream with these chunks, and of the body in
/// answer to a streaming request.
fn failures(wire: Wire, body: &Value, chunks: &[Value]) -> Vec<Failure> {
    let end = match wire {
        Wire::Anthropic => "data: {\"type\": \"message_stop\"}\n\n",
        _ => "data: [DONE]\n\n",
    };
    let headers = HeaderFields::default();
    let text = body.to_string();
    let reply = Reply { status: 200, headers: &headers, body: text.as_bytes(), sent: None };
    let whole = wire.decode(reply, &wire.inventor()).map(|decoded| decoded.message);
    let streamed = run(wire, &(lines(chunks) + end));
    assert!(!streamed.events.iter().any(|event| matches!(event, StreamEvent::Finished(_))));
    let in_place = run(wire, &text);
    let outcomes = [whole.err(), streamed.end.err(), in_place.end.err()];
    outcomes.into_iter().map(|failure| failure.unwrap_or_else(|| panic!("{body}"))).collect()
}

/// A choice in both of OpenAI's formats, with these members and an empty text.
fn choice(members: Value) -> Value {
    let mut choice = json!({
        "index": 0, "text": "", "message": {"role": "assistant", "content": ""},
        "delta": {"role": "assistant", "content": ""},
    });
    choice.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    choice
}

#[test]
fn an_error_inside_an_answer_is_classified() {
    use ErrorKind::*;
    let ended = |members: Value| {
        let mut ending = json!({"finish_reason": "error"});
        ending.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        choice(ending)
    };
    let upstream = json!({"code": 502, "message": "Provider returned error"});
    for (body, kind, code) in [
        // OpenRouter.
        (json!({"choices": [ended(json!({}))], "error": upstream}), Server, None),
        (json!({"choices": [ended(json!({"error": upstream}))]}), Server, None),
        (json!({"choices": [choice(json!({"error": upstream}))]}), Server, None),
        (json!({"choices": [ended(json!({}))]}), Server, Some("error")),
        (
            json!({"choices": [ended(json!({"native_finish_reason": "MALFORMED_FUNCTION_CALL"}))]}),
            Server,
            Some("MALFORMED_FUNCTION_CALL"),
        ),
        (
            json!({"choices": [ended(json!({"error": {"code": 429, "message": "slow"}}))]}),
            RateLimited,
            None,
        ),
        (json!({"choices": [ended(json!({"error": {"code": 503}}))]}), Overloaded, None),
        (json!({"choices": [], "error": {"code": 401, "message": "who?"}}), Authentication, None),
        // A string instead of an object.
        (json!({"choices": [choice(json!({"error": "upstream is gone"}))]}), Server, None),
        (
            json!({"choices": [choice(json!({"finish_reason": "stop"}))], "error": "gone"}),
            Server,
            None,
        ),
        // Groq, Z.AI, Gemini's compatible endpoint, MiniMax.
        (
            json!({"choices": [], "x_groq": {"id": "req_x", "error": "over capacity"}}),
            Overloaded,
            None,
        ),
        (
            json!({"choices": [choice(json!({}))], "x_groq": {"error": {"message": "x", "type": "overloaded_error"}}}),
            Overloaded,
            Some("overloaded_error"),
        ),
        (
            json!({"choices": [choice(json!({"finish_reason": "network_error"}))]}),
            Server,
            Some("network_error"),
        ),
        (
            json!({"choices": [choice(json!({"finish_reason": "function_call_filter: MALFORMED_FUNCTION_CALL"}))]}),
            Server,
            Some("function_call_filter: MALFORMED_FUNCTION_CALL"),
        ),
        (
            json!({"choices": [choice(json!({}))], "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}),
            RateLimited,
            Some("1002"),
        ),
        (
            json!({"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}),
            Authentication,
            Some("2049"),
        ),
        // Zhipu's codes are numbers.
        (json!({"error": {"code": "1302", "message": "too many"}}), RateLimited, Some("1302")),
        (json!({"error": {"code": 1302, "message": "too many"}}), RateLimited, Some("1302")),
    ] {
        for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions] {
            for failure in failures(wire, &body, std::slice::from_ref(&body)) {
                assert_eq!(
                    (failure.kind, failure.code.as_deref()),
                    (kind, code),
                    "{wire:?} {body}"
                );
            }
        }
    }
}

#[test]
fn anthropics_format_fails_in_the_same_ways() {
    use ErrorKind::*;
    let overloaded =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}});
    let delta = |reason: &str| json!({"type": "message_delta", "delta": {"stop_reason": reason}});
    let message = |reason: &str| json!({"type": "message", "content": [], "stop_reason": reason});
    for (body, event, kind, code) in [
        (overloaded.clone(), overloaded, Overloaded, Some("overloaded_error")),
        (message("error"), delta("error"), Server, Some("error")),
        (message("network_error"), delta("network_error"), Server, Some("network_error")),
        (
            message("malformed_tool_use"),
            delta("malformed_tool_use"),
            Server,
            Some("malformed_tool_use"),
        ),
        (
            json!({"content": [], "error": {"code": "1302", "message": "busy"}}),
            json!({"error": {"code": "1302", "message": "busy"}}),
            RateLimited,
            Some("1302"),
        ),
    ] {
        for failure in failures(Wire::Anthropic, &body, &[event]) {
            assert_eq!((failure.kind, failure.code.as_deref()), (kind, code), "{body}");
        }
    }
}

#[test]
fn an_empty_answer_without_a_finish_reason_is_an_error() {
    let nothing = [
        json!({}),
        json!({"index": 0}),
        json!({"message": null, "delta": null, "text": null}),
        json!({"message": {}, "delta": {}}),
        json!({"message": {"role": "assistant"}, "delta": {"role": "assistant"}}),
        json!({"message": {"content": null}, "delta": {"content": null}, "finish_reason": null}),
        json!({"message": {"content": ""}, "delta": {"content": ""}, "text": "", "finish_reason": ""}),
        json!({"message": {"content": [{}]}, "delta": {"content": [{}]}}),
        json!({"message": {"tool_calls": []}, "delta": {"tool_calls": []}}),
    ];
    for choice in nothing {
        let body = json!({"choices": [choice], "usage": {"prompt_tokens": 1}});
        for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions] {
            for failure in failures(wire, &body, std::slice::from_ref(&body)) {
                assert_eq!(failure.kind, ErrorKind::Protocol, "{wire:?} {body}");
            }
        }
    }
    for body in [
        json!({"content": []}),
        json!({"content": [{}], "stop_reason": null}),
        json!({"type": "message", "content": [null], "stop_reason": ""}),
        json!({"type": "message", "content": [{"type": "text", "text": ""}]}),
    ] {
        let start = json!({"type": "message_start", "message": body});
        for failure in failures(Wire::Anthropic, &body, &[start]) {
            assert_eq!(failure.kind, ErrorKind::Protocol, "{body}");
        }
    }
    // A model with nothing to say still sends a finish reason.
    let done = choice(json!({"finish_reason": "stop"}));
    for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions] {
        let body = lines(&[json!({"choices": [done]})]);
        assert_eq!(run(wire, &body).end, Ok(()));
    }
}

#[test]
fn a_complete_message_can_be_an_event_of_anthropics_format() {
    let message = json!({"type": "message", "id": "m", "model": "c", "stop_reason": "tool_use",
        "content": [
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2}});
    let end = "data: {\"type\": \"message_stop\"}\n\n";
    let alone = run(Wire::Anthropic, &(lines(std::slice::from_ref(&message)) + end));
    let whole = run(Wire::Anthropic, &message.to_string());
    assert_eq!(alone.end, Ok(()));
    assert_eq!(alone.decoded.message, whole.decoded.message);
    assert_eq!(alone.decoded.usage, whole.decoded.usage);
    assert_eq!(alone.decoded.id.as_deref(), Some("m"));
    // After deltas it only repeats them.
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}});
    let again = run(Wire::Anthropic, &(lines(&[block, delta, message]) + end));
    assert_eq!(again.decoded.message, Message::assistant("b"));
    assert_eq!(again.decoded.usage, Usage::reported(3, 2));
}
