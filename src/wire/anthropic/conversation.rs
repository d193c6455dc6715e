//! Encodes messages as a system prompt and alternating turns.

use serde_json::{Map, Value};

use super::block;
use crate::chat::{Message, Part, Role};
use crate::error::Error;
use crate::wire::Target;
use crate::wire::turns::Turns;

/// Writes `system` and `messages`.
///
/// - System messages go to `system`, wherever they are. Since Opus 4.8 the format also accepts
///   `role: system` after a user turn, but not for every model (not Sonnet 5, nor any older one)
///   and not in every position; other models reject the request (Anthropic's page "Mid-conversation
///   system messages"; simonw/llm-anthropic#73). So a later system message applies to the whole
///   conversation, and invalidates the cache because it changes the start.
/// - Consecutive messages with the same role become one turn. Tool messages count as the user's.
/// - Tool results come first in their turn, because the format wants them right after the calls.
/// - The first turn must be the user's: "first message must use the "user" role"
///   (langbot-app/LangBot#867). The SDK no longer says so, but gateways still rejected it in 2026
///   (agent0ai/agent-zero#1158).
/// - White space at the end of a final assistant turn is removed: "final assistant content cannot
///   end with trailing whitespace" (anomalyco/opencode#1295); vercel/ai does the same. Models from
///   4.6 on reject such a turn altogether.
/// - An assistant message with nothing left, such as one with only another provider's reasoning, is
///   left out.
pub(super) fn write(
    messages: &[Message],
    target: Target<'_>,
    body: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut system: Vec<Value> = Vec::new();
    let mut turns = Turns::default();
    for (index, message) in messages.iter().enumerate() {
        let result = match message.role {
            Role::System => {
                blocks(message, target, system.last_mut()).map(|more| system.extend(more))
            }
            _ => blocks(message, target, turns.last_block())
                .and_then(|more| turns.add(message, more)),
        };
        result.map_err(|what| Error::invalid_request(format!("messages[{index}] {what}")))?;
    }
    if !system.is_empty() {
        body.insert("system".into(), block::shorthand(system));
    }
    let is_result = |block: &Value, _| {
        block.as_object().is_some_and(|block| block::kind(block) == "tool_result")
    };
    let messages = turns.into_messages("Anthropic", is_result, block::shorthand)?;
    body.insert("messages".into(), messages);
    Ok(())
}

/// Builds the blocks of one message. `before` is the block before its first one, for a cache point
/// that comes first.
fn blocks(
    message: &Message,
    target: Target<'_>,
    before: Option<&mut Value>,
) -> Result<Vec<Value>, String> {
    let mut before = before;
    let mut blocks = Vec::with_capacity(message.content.len());
    for part in &message.content {
        match part {
            Part::CachePoint(ttl) => {
                block::mark(blocks.last_mut().or(before.as_deref_mut()), *ttl)?;
            }
            _ => blocks.extend(block::encode(part, message.role, target)?),
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{CacheTtl, Image, Reasoning, ToolCall, ToolResult};
    use serde_json::json;

    const SHORT: Part = Part::CachePoint(CacheTtl::Short);

    fn written(messages: &[Message]) -> Result<Value, Error> {
        let mut body = Map::new();
        write(messages, Target::anthropic("m"), &mut body)?;
        Ok(body.into())
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    fn cached(text: &str) -> Value {
        json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
    }

    #[test]
    fn system_messages_move_to_the_top() {
        let messages = [
            Message::system("a"),
            Message::user("hi"),
            Message::assistant("yes"),
            Message::system("b"),
            Message::user("go"),
        ];
        assert_eq!(
            written(&messages).unwrap(),
            json!({
                "system": [text("a"), text("b")],
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": "yes"},
                    {"role": "user", "content": "go"},
                ],
            })
        );
        assert_eq!(written(&messages[..2]).unwrap()["system"], "a");
    }

    #[test]
    fn consecutive_messages_of_a_role_become_one_turn() {
        let messages = [
            Message::user("a"),
            Message::user("b"),
            Message::assistant("c"),
            Message::assistant(" "),
            Message::assistant("d"),
            Message::user("e"),
        ];
        assert_eq!(
            written(&messages).unwrap()["messages"],
            json!([
                {"role": "user", "content": [text("a"), text("b")]},
                {"role": "assistant", "content": [text("c"), text("d")]},
                {"role": "user", "content": "e"},
            ])
        );
    }

    #[test]
    fn tool_results_come_first_in_their_turn_in_order() {
        let calls = Message::assistant("")
            .with(ToolCall::new("t1", "f", "{}"))
            .with(ToolCall::new("t2", "f", "{}"));
        let messages = [
            Message::user("go"),
            calls,
            Message::user("meanwhile"),
            Message::tool_result("t1", "one"),
            Message::user("").with(ToolResult::new("t2", "two")),
        ];
        assert_eq!(
            written(&messages).unwrap()["messages"],
            json!([
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
                    {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
                    {"type": "tool_result", "tool_use_id": "t2", "content": "two"},
                    text("meanwhile"),
                ]},
            ])
        );
    }

    #[test]
    fn cache_points_mark_the_block_before_them() {
        let messages = [
            Message::system("s").with(SHORT),
            Message::user("a").with(SHORT).with("b"),
            Message::assistant("c"),
            Message::new(Role::User, [SHORT]).with("d"),
            Message::tool_result("t", "r").with(Part::CachePoint(CacheTtl::OneHour)),
            Message::new(Role::System, [SHORT]),
        ];
        assert_eq!(
            written(&messages).unwrap(),
            json!({
                "system": [cached("s")],
                "messages": [
                    {"role": "user", "content": [cached("a"), text("b")]},
                    {"role": "assistant", "content": [cached("c")]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "t", "content": "r",
                            "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                        text("d"),
                    ]},
                ],
            })
        );
        let only = [Message::user("a"), Message::new(Role::User, [SHORT])];
        let expected = json!([{"role": "user", "content": [cached("a")]}]);
        assert_eq!(written(&only).unwrap()["messages"], expected);
    }

    #[test]
    fn own_reasoning_keeps_its_position_and_foreign_reasoning_is_dropped() {
        let signed = Reasoning {
            provenance: Some(crate::chat::Provenance::any(crate::chat::Format::Anthropic)),
            signature: Some("s".into()),
            ..Reasoning::new("hm")
        };
        let messages = [
            Message::user("a"),
            Message::new(Role::Assistant, [Reasoning::new("foreign")]),
            Message::user("b"),
            Message::new(Role::Assistant, [signed]).with("c"),
            Message::user("d"),
        ];
        assert_eq!(
            written(&messages).unwrap()["messages"],
            json!([
                {"role": "user", "content": [text("a"), text("b")]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    text("c"),
                ]},
                {"role": "user", "content": "d"},
            ])
        );
    }

    #[test]
    fn a_final_assistant_turn_has_no_trailing_white_space() {
        let messages = [Message::user("a\n"), Message::assistant("b \n").with("c \n")];
        assert_eq!(
            written(&messages).unwrap()["messages"],
            json!([
                {"role": "user", "content": "a\n"},
                {"role": "assistant", "content": [text("b \n"), text("c")]},
            ])
        );
    }

    #[test]
    fn invalid_conversations_are_rejected() {
        let image = Image::from_url("https://x/y");
        for (messages, expected) in [
            (vec![Message::system("s")], "the request has no user message"),
            (vec![Message::system("s"), Message::assistant("a")], "starts with the assistant"),
            (vec![Message::user("a"), Message::user(" ")], "messages[1] holds nothing"),
            (vec![Message::new(Role::User, [SHORT]).with("a")], "with nothing before it"),
            (vec![Message::user("").with(SHORT)], "messages[0] holds a cache point with nothing"),
            (vec![Message::new(Role::System, [SHORT]), Message::user("a")], "nothing before it"),
            (vec![Message::user("a"), Message::assistant("").with(image)], "messages[1] holds an"),
        ] {
            let error = written(&messages).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
