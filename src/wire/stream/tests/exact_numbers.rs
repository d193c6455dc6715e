//! Long numbers in tool arguments, streamed and not, received and sent back.

use super::*;
use crate::chat::ChatRequest;
use crate::wire::{Delivery, Target, write};

const ARGUMENTS: &str = r#"{"id":123456789012345678901234567890,"more":[-98765432109876543210]}"#;

fn arguments(message: &Message) -> String {
    message.tool_calls().next().expect("a call").arguments.clone()
}

#[test]
fn integers_beyond_64_bits_stay_exact_in_every_format() {
    let quoted = json!(ARGUMENTS).to_string();
    let chat = |arguments: &str, member: &str, finish: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"{member}":{{"tool_calls":[{{"index":0,"id":"t","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}},"finish_reason":{finish}}}]}}"#
        )
    };
    let block = format!(r#"{{"type":"tool_use","id":"t","name":"f","input":{ARGUMENTS}}}"#);
    let server =
        r#"{"type":"server_tool_use","id":"s","name":"g","input":{"a":123456789012345678901}}"#;
    let message =
        format!(r#"{{"type":"message","content":[{server},{block}],"stop_reason":"tool_use"}}"#);
    let event = |data: &str| format!("data: {data}\n\n");
    let start =
        event(&format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#));
    let end = event(r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#)
        + &event(r#"{"type":"message_stop"}"#);
    for (wire, body) in [
        (Wire::OpenAiChat, chat(&quoted, "message", "\"tool_calls\"")),
        (Wire::OpenAiChat, chat(ARGUMENTS, "message", "\"tool_calls\"")),
        (Wire::OpenAiChat, event(&chat(&quoted, "delta", "\"tool_calls\""))),
        (Wire::OpenAiChat, event(&chat(ARGUMENTS, "delta", "\"tool_calls\""))),
        (Wire::Anthropic, message.clone()),
        (Wire::Anthropic, start + &end),
        (Wire::Anthropic, event(&message) + &end),
    ] {
        let run = run(wire, &body);
        assert_eq!(run.end, Ok(()), "{body}");
        assert_eq!(arguments(&run.decoded.message), ARGUMENTS, "{body}");
        // Nothing else that is kept has marks.
        assert!(!format!("{:?}", run.decoded.message.content).contains('\u{10f7fe}'));
        let others = run.decoded.message.content.iter().filter_map(|part| match part {
            Part::Other { value, .. } => Some(value.to_string()),
            _ => None,
        });
        assert!(others.into_iter().all(|value| value.contains("\"a\":1.2345678901234568e")));
        let result = Message::tool_result("t", "done");
        let request = ChatRequest::new([Message::user("hi"), run.decoded.message, result]);
        for (wire, target) in
            [(Wire::OpenAiChat, Target::openai("m")), (Wire::Anthropic, Target::anthropic("m"))]
        {
            let body = wire.members(&request, target, Delivery::Whole).unwrap();
            let written = String::from_utf8(write(&body).unwrap()).unwrap();
            let expected = match wire {
                Wire::OpenAiChat => &quoted,
                _ => ARGUMENTS,
            };
            assert!(written.contains(expected), "{written}");
        }
    }
}
