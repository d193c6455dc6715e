//! What counts as progress of an answer, and what does not.

use super::{Decoder, LIMIT, Wire, chunk, json, lines};
use serde_json::Value;

/// Pushes events into one decoder, and checks for each if it is progress. An event that is not
/// progress is none when repeated either.
fn check(wire: Wire, events: impl IntoIterator<Item = (String, bool)>) {
    let mut decoder = Decoder::new(wire, 0, LIMIT);
    for (event, progress) in events {
        let times = if progress { 1 } else { 3 };
        for _ in 0..times {
            let pushed = decoder.push(event.as_bytes(), &mut Vec::new());
            assert_eq!(pushed, Ok(progress), "{event}");
        }
    }
}

fn data(value: &Value) -> String {
    lines([value])
}

/// A chunk of the choice that is read.
fn delta(delta: Value) -> String {
    data(&chunk(delta, json!(null)))
}

#[test]
fn only_additions_to_the_read_choice_of_a_chat_are_progress() {
    let other = |index| json!({"index": index, "delta": {"content": "x"}});
    let usage = |prompt: u64, completion: u64| {
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion});
        data(&json!({"choices": [], "usage": usage}))
    };
    let finish = |reason: &str| data(&chunk(json!({}), json!(reason)));
    let call = |call: Value| delta(json!({"tool_calls": [call]}));
    check(
        Wire::OpenAiChat,
        [
            (": keep-alive\n\n".to_owned(), false),
            ("\n\n".to_owned(), false),
            ("data:\n\n".to_owned(), false),
            ("data: {}\n\n".to_owned(), false),
            ("event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(), false),
            ("data: {\"choices\": []}\n\n".to_owned(), false),
            ("data: {\"choices\": [{\"delta\": null}]}\n\n".to_owned(), false),
            (delta(json!({"role": "assistant"})), false),
            (delta(json!({"role": "assistant", "content": ""})), false),
            (delta(json!({})), false),
            (delta(json!({"content": "", "refusal": null, "tool_calls": []})), false),
            (delta(json!({"content": []})), false),
            (delta(json!({"content": [{"type": "text", "text": ""}]})), false),
            (delta(json!({"content": [{"type": "thinking", "thinking": []}]})), false),
            (delta(json!({"reasoning_content": "", "reasoning": null})), false),
            (data(&json!({"choices": [other(1)]})), false),
            (data(&json!({"choices": (1..50).map(other).collect::<Vec<_>>()})), false),
            (data(&json!({"choices": [other(1)], "usage": {"completion_tokens": 1}})), false),
            ("data: {\"choices\"".to_owned(), false),
            (": [{\"delta\": {\"content\": \"x\"}}]}\n".to_owned(), false),
        ],
    );
    check(
        Wire::OpenAiChat,
        [
            (delta(json!({"content": "x"})), true),
            (delta(json!({"content": "x"})), true),
            (delta(json!({"content": ""})), false),
            (delta(json!({"content": [{"type": "text", "text": "x"}]})), true),
            (delta(json!({"reasoning_content": "x"})), true),
            (delta(json!({"reasoning": "x"})), true),
            (delta(json!({"refusal": "x"})), true),
            (delta(json!({"annotations": [{"type": "url_citation", "url": "x"}]})), true),
            (call(json!({"index": 0, "id": "c", "function": {"name": "f"}})), true),
            (call(json!({"index": 0, "id": "c", "function": {"name": "f"}})), false),
            (call(json!({"index": 0, "function": {"arguments": ""}})), false),
            (call(json!({"index": 0, "function": {"arguments": "{"}})), true),
            (delta(json!({"audio": {"id": "a", "transcript": "x"}})), true),
            (delta(json!({"audio": {"id": "a", "transcript": ""}})), false),
            (delta(json!({"audio": {"id": "a", "data": "x"}})), true),
            // Not modelled, but part of the answer.
            (
                delta(json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]})),
                true,
            ),
            (delta(json!({"reasoning_details": [{"type": "reasoning.text", "text": ""}]})), false),
            (delta(json!({"reasoning_details": []})), false),
            (delta(json!({"images": [{"image_url": {"url": "data:x"}}]})), true),
            (delta(json!({"extra_content": {"google": {"thought_signature": "x"}}})), true),
            (delta(json!({"novelty": "x"})), true),
            (delta(json!({"novelty": {"type": "x", "values": [0, null, true, ""]}})), false),
            (finish("stop"), true),
            (finish("stop"), false),
            (finish("length"), false),
            (usage(7, 3), true),
            (usage(7, 3), false),
            (usage(8, 3), false),
            (usage(7, 2), false),
            (usage(7, 4), true),
            (usage(7, 3), false),
            ("data: [DONE]\n\n".to_owned(), true),
            ("data: [DONE]\n\n".to_owned(), false),
        ],
    );
}

#[test]
fn only_additions_to_the_read_choice_of_a_completion_are_progress() {
    check(
        Wire::OpenAiCompletions,
        [
            (data(&json!({"choices": [{"text": ""}]})), false),
            (data(&json!({"choices": [{"text": "", "logprobs": {"tokens": []}}]})), false),
            (data(&json!({"choices": [{"index": 1, "text": "x"}]})), false),
            (data(&json!({"choices": [{"text": "x"}]})), true),
            (data(&json!({"choices": [{"text": "", "finish_reason": "stop"}]})), true),
            (data(&json!({"choices": [{"text": "", "finish_reason": "stop"}]})), false),
            (data(&json!({"choices": [], "usage": {"completion_tokens": 1}})), true),
            (data(&json!({"choices": [], "usage": {"completion_tokens": 1}})), false),
            ("data: [DONE]\n\n".to_owned(), true),
        ],
    );
}

#[test]
fn only_additions_to_the_blocks_of_a_message_are_progress() {
    let start = |block: Value| {
        data(&json!({"type": "content_block_start", "index": 0, "content_block": block}))
    };
    let delta =
        |delta: Value| data(&json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    let message = |delta: Value, usage: Value| {
        data(&json!({"type": "message_delta", "delta": delta, "usage": usage}))
    };
    let stop = || data(&json!({"type": "content_block_stop", "index": 0}));
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    check(
        Wire::Anthropic,
        [
            ("event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(), false),
            ("data: {\"type\": \"ping\"}\n\n".to_owned(), false),
            ("event: novelty\ndata: not even JSON\n\n".to_owned(), false),
            (
                data(&json!({"type": "message_start", "message": {"id": "x", "usage": usage}})),
                false,
            ),
            (start(json!({})), false),
            (start(json!({"type": "text", "text": ""})), false),
            (start(json!({"type": "thinking", "thinking": "", "signature": ""})), false),
            (delta(json!({"type": "thinking_delta", "thinking": ""})), false),
            (delta(json!({"type": "thinking_delta", "thinking": "x"})), true),
            (delta(json!({"type": "thinking_delta", "thinking": ""})), false),
            (delta(json!({"type": "signature_delta"})), false),
            (delta(json!({"type": "signature_delta", "signature": "x"})), true),
            (delta(json!({"type": "signature_delta", "signature": "x"})), false),
            (stop(), false),
            (start(json!({"type": "text", "text": "x"})), true),
            (delta(json!({"type": "text_delta", "text": "x"})), true),
            (delta(json!({"type": "text_delta", "text": "x"})), true),
            (delta(json!({"type": "text_delta", "text": ""})), false),
            (delta(json!({"type": "citations_delta", "citation": null})), false),
            (
                delta(json!({"type": "citations_delta", "citation": {"type": "x", "url": "y"}})),
                true,
            ),
            // Not modelled, but part of the answer.
            (delta(json!({"type": "novelty_delta", "novelty": "x"})), true),
            (delta(json!({"type": "novelty_delta", "novelty": ""})), false),
            (start(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})), true),
            (delta(json!({"type": "input_json_delta", "partial_json": ""})), false),
            (delta(json!({"type": "input_json_delta", "partial_json": "{}"})), true),
            // The call is complete, once.
            (stop(), true),
            (stop(), false),
            (delta(json!({"type": "input_json_delta", "partial_json": "{}"})), false),
            (start(json!({"type": "redacted_thinking", "data": "x"})), true),
            (start(json!({"type": "compaction", "content": ""})), false),
            (delta(json!({"type": "compaction_delta", "content": "x"})), true),
            (delta(json!({"type": "compaction_delta", "content": "", "done": false})), true),
            (delta(json!({"type": "compaction_delta", "content": "", "done": false})), false),
            (message(json!({"stop_reason": null}), json!({"output_tokens": 5})), true),
            (message(json!({"stop_reason": null}), json!({"output_tokens": 5})), false),
            (message(json!({"stop_reason": null}), json!({"output_tokens": 4})), false),
            (message(json!({"stop_reason": "end_turn"}), json!({"output_tokens": 5})), true),
            (message(json!({"stop_reason": "end_turn"}), json!({"output_tokens": 5})), false),
            (message(json!({"stop_reason": "tool_use"}), json!({"output_tokens": 5})), false),
            (data(&json!({"type": "message_stop"})), true),
            (data(&json!({"type": "message_stop"})), false),
        ],
    );
}

#[test]
fn any_non_blank_byte_of_another_body_is_progress() {
    check(
        Wire::OpenAiChat,
        [
            ("\n \n".to_owned(), false),
            ("{\"choices\"".to_owned(), true),
            (" \r\n\t".to_owned(), false),
            (": [".to_owned(), true),
        ],
    );
}

#[test]
fn events_without_progress_still_belong_to_the_format() {
    for known in [
        "data: {\"choices\": [{\"delta\": {\"role\": \"assistant\"}}]}\n\n",
        "data: {\"choices\": [{\"index\": 1, \"delta\": {\"content\": \"x\"}}]}\n\n",
        "data: {\"choices\": []}\n\n",
    ] {
        let mut decoder = Decoder::new(Wire::OpenAiChat, 0, LIMIT);
        let strange = "data: {\"novelty\": 1}\n\n";
        decoder.push(format!("{strange}{known}").as_bytes(), &mut Vec::new()).unwrap();
        let failure = decoder.finish(&mut Vec::new()).unwrap_err();
        assert!(failure.message.contains("before its end marker"), "{}", failure.message);
    }
}
