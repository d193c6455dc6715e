//! Encodes messages as a system prompt and alternating turns.

use serde_json::{Map, Value, json};

use super::block;
use super::media::Names;
use crate::chat::{CacheTtl, Message, Part, Role};
use crate::error::Error;
use crate::wire::Target;
use crate::wire::turns::Turns;

/// Writes `system` and `messages`.
///
/// - System messages from any position go to `system`.
/// - Consecutive messages with the same role become one turn, because roles must alternate ("A
///   conversation must alternate between user and assistant roles", BerriAI/litellm #4747). Tool
///   messages count as the user's.
/// - Tool results come first in their turn, because the models want them right after the calls.
/// - The first turn must be the user's: "A conversation must start with a user message"
///   (langchain-ai/langchain-aws #242).
/// - White space at the end of a final assistant turn is removed, as in vercel/ai.
/// - An assistant message with nothing left, such as one with only another provider's reasoning, is
///   left out.
pub(super) fn write(
    messages: &[Message],
    target: Target<'_>,
    body: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut system: Vec<Value> = Vec::new();
    let mut turns = Turns::default();
    let mut names = Names::default();
    for (index, message) in messages.iter().enumerate() {
        let before = match message.role {
            Role::System => !system.is_empty(),
            role => turns.continues(role),
        };
        let result = blocks(message, target, before, &mut names).and_then(|more| {
            if message.role == Role::System {
                system.extend(more);
                return Ok(());
            }
            turns.add(message, more)
        });
        result.map_err(|what| Error::invalid_request(format!("messages[{index}] {what}")))?;
    }
    // The cache points after a result move with it.
    let is_result = |block: &Value, after_result: bool| {
        block.get("toolResult").is_some() || (after_result && block.get("cachePoint").is_some())
    };
    body.insert("messages".into(), turns.into_messages("Bedrock", is_result, Value::Array)?);
    if !system.is_empty() {
        body.insert("system".into(), system.into());
    }
    Ok(())
}

/// Builds the blocks of one message. `before` is true if others come before them, which a cache
/// point needs.
fn blocks(
    message: &Message,
    target: Target<'_>,
    before: bool,
    names: &mut Names,
) -> Result<Vec<Value>, String> {
    let mut blocks = Vec::with_capacity(message.content.len());
    for part in &message.content {
        match part {
            Part::CachePoint(_) if blocks.is_empty() && !before => {
                return Err(
                    "holds a cache point with nothing before it; put it after content".into()
                );
            }
            Part::CachePoint(ttl) => blocks.push(cache_point(*ttl)),
            part => block::encode(part, message.role, target, names, &mut blocks)?,
        }
    }
    Ok(blocks)
}

/// `CachePointBlock`. Without a `ttl` the cache lasts five minutes (AWS's page "Prompt caching").
pub(super) fn cache_point(ttl: CacheTtl) -> Value {
    match ttl {
        CacheTtl::Short => json!({"cachePoint": {"type": "default"}}),
        CacheTtl::OneHour => json!({"cachePoint": {"type": "default", "ttl": "1h"}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Document, Format, Image, Provenance, Reasoning, ToolCall, ToolResult};

    const SHORT: Part = Part::CachePoint(CacheTtl::Short);

    fn written(messages: &[Message]) -> Result<Value, Error> {
        let mut body = Map::new();
        write(messages, Target::bedrock("m"), &mut body)?;
        Ok(body.into())
    }

    fn point() -> Value {
        json!({"cachePoint": {"type": "default"}})
    }

    #[test]
    fn system_messages_move_out_and_roles_alternate() {
        let messages = [
            Message::system("a"),
            Message::user("hi"),
            Message::user("there"),
            Message::assistant("yes "),
            Message::assistant(" "),
            Message::system("b"),
            Message::user("go"),
            Message::assistant("so \n"),
        ];
        assert_eq!(
            written(&messages).unwrap(),
            json!({
                "messages": [
                    {"role": "user", "content": [{"text": "hi"}, {"text": "there"}]},
                    {"role": "assistant", "content": [{"text": "yes "}]},
                    {"role": "user", "content": [{"text": "go"}]},
                    {"role": "assistant", "content": [{"text": "so"}]},
                ],
                "system": [{"text": "a"}, {"text": "b"}],
            })
        );
    }

    #[test]
    fn tool_results_and_their_cache_points_come_first_in_their_turn() {
        let calls = Message::assistant("")
            .with(ToolCall::new("t1", "f", "{\"a\": 1}"))
            .with(ToolCall::new("t2", "f", ""));
        let messages = [
            Message::user("go"),
            calls,
            Message::user("meanwhile"),
            Message::tool_result("t1", "one"),
            Message::user("").with(ToolResult::new("t2", "two")).with(SHORT),
            Message::user("").with(Document::from_bytes("text/plain", b"x")),
        ];
        let result = |id: &str, text: &str| {
            json!({"toolResult":
            {"toolUseId": id, "content": [{"text": text}], "status": "success"}})
        };
        assert_eq!(
            written(&messages).unwrap()["messages"],
            json!([
                {"role": "user", "content": [{"text": "go"}]},
                {"role": "assistant", "content": [
                    {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
                    {"toolUse": {"toolUseId": "t2", "name": "f", "input": {}}},
                ]},
                {"role": "user", "content": [
                    result("t1", "one"), result("t2", "two"), point(), {"text": "meanwhile"},
                    {"document": {"format": "txt", "name": "document", "source": {"bytes": "eA=="}}},
                ]},
            ])
        );
    }

    #[test]
    fn cache_points_follow_content() {
        let messages = [
            Message::system("s").with(SHORT),
            Message::user("a").with(Part::CachePoint(CacheTtl::OneHour)).with("b"),
            Message::new(Role::User, [SHORT]),
        ];
        let hour = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
        assert_eq!(
            written(&messages).unwrap(),
            json!({
                "messages": [
                    {"role": "user", "content": [{"text": "a"}, hour, {"text": "b"}, point()]},
                ],
                "system": [{"text": "s"}, point()],
            })
        );
    }

    #[test]
    fn signed_reasoning_returns_and_other_reasoning_does_not() {
        let own = || Some(Provenance::new("bedrock", Format::Bedrock));
        let of = |provenance, signature: Option<&str>| Reasoning {
            provenance,
            signature: signature.map(str::to_owned),
            ..Reasoning::new("hm")
        };
        let redacted =
            Reasoning { encrypted: Some("x".into()), provenance: own(), ..of(None, None) };
        let foreign = Some(Provenance::new("anthropic", Format::Anthropic));
        for (reasoning, expected) in [
            (
                of(own(), Some("s")),
                Some(json!({"reasoningText": {"text": "hm", "signature": "s"}})),
            ),
            (redacted, Some(json!({"redactedContent": "x"}))),
            (of(own(), None), None),
            (of(foreign, Some("s")), None),
            (of(None, Some("s")), None),
        ] {
            let messages = [
                Message::user("a"),
                Message::new(Role::Assistant, [reasoning]),
                Message::user("b"),
            ];
            let written = written(&messages).unwrap();
            let sent = written.pointer("/messages/1/content/0/reasoningContent");
            assert_eq!(sent, expected.as_ref());
        }
    }

    #[test]
    fn invalid_conversations_are_rejected() {
        for (messages, expected) in [
            (vec![Message::system("s")], "the request has no user message"),
            (vec![Message::assistant("a")], "starts with the assistant"),
            (vec![Message::user("a"), Message::user(" ")], "messages[1] holds nothing"),
            (vec![Message::new(Role::User, [SHORT]).with("a")], "with nothing before it"),
            (
                vec![Message::system("a").with(Image::from_url("s3://b/c.png"))],
                "messages[0] holds an image, which a system message cannot contain",
            ),
        ] {
            let error = written(&messages).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
