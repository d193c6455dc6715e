//! Characters that are split across two events.

use super::*;

/// Escaped: `"Go "` with the first half of a rocket, the second half with `"!"`, and a lone first
/// half.
const PIECES: [&str; 3] = [r"Go \ud83d", r"\ude80!", r"\ud83d"];

fn event(around: &str, piece: &str) -> String {
    format!("data: {}\n\n", around.replace("PIECE", piece))
}

#[test]
fn a_character_split_across_two_events_is_joined_in_every_format() {
    let done = "data: [DONE]\n\n";
    let stop = "data: {\"type\": \"message_delta\", \"delta\": {\"stop_reason\": \"end_turn\"}}\n\n\
                data: {\"type\": \"message_stop\"}\n\n";
    for (wire, around, end) in [
        (Wire::OpenAiChat, r#"{"choices": [{"index": 0, "delta": {"content": "PIECE"}}]}"#, done),
        (Wire::OpenAiChat, r#"{"choices": [{"delta": {"reasoning_content": "PIECE"}}]}"#, done),
        (Wire::OpenAiChat, r#"{"choices": [{"delta": {"reasoning": "PIECE"}}]}"#, done),
        (Wire::OpenAiChat, r#"{"choices": [{"delta": {"refusal": "PIECE"}}]}"#, done),
        (
            Wire::OpenAiChat,
            r#"{"choices": [{"delta": {"content": [{"type": "text", "text": "PIECE"}]}}]}"#,
            done,
        ),
        (
            Wire::OpenAiChat,
            r#"{"choices": [{"delta": {"content": [{"type": "thinking", "thinking": "PIECE"}]}}]}"#,
            done,
        ),
        (Wire::OpenAiCompletions, r#"{"choices": [{"index": 0, "text": "PIECE"}]}"#, done),
        (
            Wire::Anthropic,
            r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "PIECE"}}"#,
            stop,
        ),
        (
            Wire::Anthropic,
            r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "PIECE"}}"#,
            stop,
        ),
    ] {
        let [first, second, lost] = PIECES.map(|piece| event(around, piece));
        let plain = event(around, " and on");
        for (body, expected) in [
            (format!("{first}{second}"), "Go 🚀!"),
            (format!("{first}{second}{plain}{first}{second}"), "Go 🚀! and onGo 🚀!"),
            // Without its other half, each is replaced.
            (format!("{first}{plain}{plain}"), "Go \u{fffd} and on and on"),
            (format!("{first}{lost}"), "Go \u{fffd}\u{fffd}"),
            (format!("{second}{first}"), "\u{fffd}!Go \u{fffd}"),
        ] {
            let run = run(wire, &(body.clone() + end));
            assert_eq!(run.end, Ok(()), "{body}");
            let words = |event: &StreamEvent| match event {
                StreamEvent::TextDelta(text)
                | StreamEvent::ReasoningDelta(text)
                | StreamEvent::RefusalDelta(text) => Some(text.clone()),
                _ => None,
            };
            let told: String = run.events.iter().filter_map(words).collect();
            assert_eq!(told, expected, "{body}");
            let kept: String = run
                .decoded
                .message
                .content
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.text.as_str(),
                    Part::Reasoning(reasoning) => reasoning.text.as_str(),
                    Part::Refusal(text) => text.as_str(),
                    _ => "",
                })
                .collect();
            assert_eq!(kept, expected, "{body}");
        }
    }
}

#[test]
fn arguments_join_halves_too() {
    let pieces = [r#"{\"a\": \"\ud83d"#, r#"\ude80\"}"#];
    let delta = r#"{"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "PIECE"}}]}}]}"#;
    let chat = pieces.map(|piece| event(delta, piece)).concat() + "data: [DONE]\n\n";
    let start = r#"{"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}"#;
    let delta = r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "PIECE"}}"#;
    let message = event(start, "")
        + &pieces.map(|piece| event(delta, piece)).concat()
        + "data: {\"type\": \"message_stop\"}\n\n";
    for (wire, body) in [(Wire::OpenAiChat, chat), (Wire::Anthropic, message)] {
        let run = run(wire, &body);
        assert_eq!(run.end, Ok(()), "{body}");
        let call = run.decoded.message.tool_calls().next().unwrap();
        assert_eq!(call.arguments, "{\"a\": \"🚀\"}");
    }
}
