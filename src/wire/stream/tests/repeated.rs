//! Repeated content is read once.

use super::*;

#[test]
fn a_last_frame_that_repeats_the_message_adds_only_the_end() {
    let text = "The quick brown fox jumps over the lazy dog";
    let call = json!({"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    let part = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 2});
    let message = json!({"role": "assistant", "content": text, "reasoning_content": "hm",
        "tool_calls": [call]});
    let last = |object: &str, name: &str, value: Value| {
        let mut choice = json!({"index": 0, "finish_reason": "tool_calls"});
        choice[name] = value;
        json!({"object": object, "choices": [choice], "usage": usage})
    };
    let pieces = [
        part(json!({"reasoning_content": "hm"})),
        part(json!({"content": &text[..9]})),
        part(json!({"content": &text[9..]})),
        part(json!({"tool_calls": [call]})),
    ];
    let expected = run(
        Wire::OpenAiChat,
        &lines(&[&pieces[..], &[last("chat.completion.chunk", "delta", json!({}))]].concat()),
    );
    assert_eq!(expected.end, Ok(()));
    for frame in [
        last("chat.completion", "message", message.clone()),
        last("chat.completion.chunk", "message", message.clone()),
        last("chat.completion.chunk", "delta", json!({"content": text})),
    ] {
        for end in ["", "data: [DONE]\n\n"] {
            let body = lines(&[&pieces[..], std::slice::from_ref(&frame)].concat()) + end;
            let repeated = run(Wire::OpenAiChat, &body);
            assert_eq!(repeated.end, Ok(()));
            assert_eq!(repeated.events, expected.events, "{frame}");
            assert_eq!(repeated.decoded.message, expected.decoded.message, "{frame}");
            assert_eq!(repeated.decoded.usage, Usage::reported(5, 2));
        }
    }
    // Without earlier deltas, it is the answer.
    let alone = run(Wire::OpenAiChat, &lines(&[last("chat.completion", "message", message)]));
    assert_eq!(alone.decoded.message, expected.decoded.message);
    // Short words that a model writes twice stay.
    let laugh = |finish: Value| {
        json!({"choices": [{"index": 0, "delta": {"content": "ha"},
        "text": "ha", "finish_reason": finish}]})
    };
    for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions] {
        let twice = run(wire, &lines(&[laugh(json!(null)), laugh(json!("stop"))]));
        assert_eq!(twice.decoded.message.text(), "haha");
    }
    let whole =
        |finish: Value| json!({"choices": [{"index": 0, "text": text, "finish_reason": finish}]});
    let again = run(Wire::OpenAiCompletions, &lines(&[whole(json!(null)), whole(json!("stop"))]));
    assert_eq!(again.decoded.message.text(), text);
}

#[test]
fn anthropic_blocks_do_not_duplicate_their_start_or_a_placeholder() {
    let event =
        |kind: &str, name: &str, value: Value| json!({"type": kind, "index": 0, name: value});
    let end = [
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        json!({"type": "message_stop"}),
    ];
    let text = |text: &str| {
        event("content_block_delta", "delta", json!({"type": "text_delta", "text": text}))
    };
    let json_piece = |piece: &str| {
        event(
            "content_block_delta",
            "delta",
            json!({"type": "input_json_delta", "partial_json": piece}),
        )
    };
    let tool = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    for (start, deltas, expected) in [
        (
            json!({"type": "text", "text": "Hi"}),
            vec![text("Hi"), text(" you")],
            Message::assistant("Hi you"),
        ),
        (
            json!({"type": "text", "text": "ha"}),
            vec![text("la"), text("ha")],
            Message::assistant("halaha"),
        ),
        (
            json!({"type": "text", "text": ""}),
            vec![text("ha"), text("ha")],
            Message::assistant("haha"),
        ),
        (
            tool.clone(),
            vec![json_piece("{}"), json_piece("{\"a\":"), json_piece("1}")],
            Message::assistant("").with(crate::chat::ToolCall::new("t", "f", "{\"a\":1}")),
        ),
        (
            tool,
            vec![json_piece("{}")],
            Message::assistant("").with(crate::chat::ToolCall::new("t", "f", "{}")),
        ),
    ] {
        let events =
            [&[event("content_block_start", "content_block", start)][..], &deltas, &end].concat();
        let run = run(Wire::Anthropic, &lines(&events));
        assert_eq!(run.end, Ok(()));
        assert_eq!(run.decoded.message.text(), expected.text());
        assert!(run.decoded.message.tool_calls().eq(expected.tool_calls()), "{events:?}");
    }
}
