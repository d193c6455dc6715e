//! Encodes one part of a message as one content block.

use serde_json::{Map, Value, json};

use super::{call, media};
use crate::chat::{CacheTtl, Format, Image, Part, Provenance, Reasoning, Role, Text};
use crate::wire::Target;
use crate::wire::json::{member, member_mut, object_of};
use crate::wire::part_name::misplaced;

/// Builds the block for a part in a message of `role`; `None` for a part that is left out. The
/// error says what is wrong, to follow the message's index.
///
/// Cache points are not blocks themselves; see [`mark`].
pub(super) fn encode(part: &Part, role: Role, target: Target<'_>) -> Result<Option<Value>, String> {
    match (part, role) {
        (Part::Text(text), Role::System | Role::User) => Ok(text_block(&text.text)),
        (Part::Text(text), Role::Assistant) => Ok(cited_block(text)),
        (Part::Refusal(text), Role::Assistant) => Ok(text_block(text)),
        (Part::Audio(audio), Role::Assistant) => Ok(text_block(&audio.transcript)),
        // An image that another provider's model generated; see `Part`.
        (Part::Image(Image { opaque: Some(_), .. }), Role::Assistant) => Ok(None),
        (Part::Image(image), Role::User) => media::image(image).map(Some),
        (Part::Document(document), Role::User) => media::document(document).map(Some),
        (Part::Reasoning(reasoning), Role::Assistant) => Ok(thinking(reasoning, target)),
        (Part::ToolCall(call), Role::Assistant) => call::tool_use(call, target).map(Some),
        (Part::ToolResult(result), Role::User | Role::Tool) => {
            call::tool_result(result, target).map(Some)
        }
        (Part::Other { provenance, value }, _) => {
            Ok(allows(provenance.as_ref(), target).then(|| value.clone()))
        }
        (part, role) => Err(misplaced(part, role)),
    }
}

/// Adds a cache breakpoint to the block before it. `cache_control` is valid on every kind of block
/// except thinking (`thinking_block_param.py`).
pub(super) fn mark(block: Option<&mut Value>, ttl: CacheTtl) -> Result<(), String> {
    let Some(Value::Object(block)) = block else {
        return Err("holds a cache point with nothing before it; put it after content".into());
    };
    if matches!(kind(block), "thinking" | "redacted_thinking") {
        return Err(
            "holds a cache point after reasoning, which Anthropic does not support; move it".into(),
        );
    }
    let control = match ttl {
        CacheTtl::Short => json!({"type": "ephemeral"}),
        CacheTtl::OneHour => json!({"type": "ephemeral", "ttl": "1h"}),
    };
    block.insert("cache_control".into(), control);
    Ok(())
}

/// Returns the bare text if the content is one plain text block.
pub(super) fn shorthand(mut blocks: Vec<Value>) -> Value {
    if let [Value::Object(block)] = blocks.as_mut_slice() {
        if block.len() == 2 && kind(block) == "text" {
            return member_mut(block, "text").map(Value::take).unwrap_or_default();
        }
    }
    blocks.into()
}

pub(super) fn kind(block: &Map<String, Value>) -> &str {
    member(block, "type").and_then(Value::as_str).unwrap_or_default()
}

/// Blank texts are left out, because Anthropic rejects them ("text content blocks must contain
/// non-whitespace text", anthropics/claude-code#23369).
fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| object_of!("type": "text".into(), "text": text.into()))
}

/// Builds a text block with citations. Citations from elsewhere are left out, because Anthropic
/// accepts only its five types (`text_citation_param.py`).
fn cited_block(text: &Text) -> Option<Value> {
    let mut block = text_block(&text.text)?;
    let own = |citation: &&Value| {
        matches!(
            citation.get("type").and_then(Value::as_str),
            Some(
                "char_location"
                    | "page_location"
                    | "content_block_location"
                    | "search_result_location"
                    | "web_search_result_location"
            )
        )
    };
    let citations: Vec<_> = text.citations.iter().filter(own).cloned().collect();
    if !citations.is_empty() {
        block["citations"] = citations.into();
    }
    Some(block)
}

/// Thinking goes back unchanged at its position, even if its text was withheld. Thinking from
/// another provider is left out.
///
/// The Anthropic endpoints of DeepSeek and Kimi can send thinking without a signature, and reject
/// the next turn of a tool loop without it. Anthropic itself signs all thinking and rejects
/// unsigned thinking: "messages.1.content.0.thinking.signature: Field required". Incomplete
/// thinking, from an answer that was cut off, has no provenance and is never sent.
fn thinking(reasoning: &Reasoning, target: Target<'_>) -> Option<Value> {
    if !allows(reasoning.provenance.as_ref(), target) {
        return None;
    }
    let mut block = match (&reasoning.signature, &reasoning.encrypted) {
        (None, Some(data)) => json!({"type": "redacted_thinking", "data": data}),
        (None, None) if !target.dialect.unsigned_thinking => return None,
        (None, None) => json!({"type": "thinking", "thinking": reasoning.text}),
        (Some(signature), _) => json!({
            "type": "thinking",
            "thinking": reasoning.text,
            "signature": signature,
        }),
    };
    for (name, value) in &reasoning.extra {
        if block.get(name).is_none() {
            block[name.as_str()] = value.clone();
        }
    }
    Some(block)
}

/// Returns true if the request may include content with this provenance.
pub(super) fn allows(provenance: Option<&Provenance>, target: Target<'_>) -> bool {
    provenance.is_some_and(|it| target.sent(it, Format::Anthropic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Document, Image, ToolCall, ToolResult};

    #[test]
    fn parts_become_blocks() {
        let own = || Some(Provenance::new("anthropic", Format::Anthropic));
        let of = |provenance, signature: Option<&str>, text| Reasoning {
            provenance,
            signature: signature.map(str::to_owned),
            ..Reasoning::new(text)
        };
        let redacted = Reasoning { encrypted: Some("x".into()), ..of(own(), None, "") };
        let marked = Reasoning {
            extra: Map::from_iter([("type".to_owned(), json!("no")), ("m".to_owned(), json!(1))]),
            ..of(own(), Some("s"), "hm")
        };
        let deepseek = Provenance::new("deepseek-anthropic", Format::Anthropic);
        let other = |provenance| Part::Other {
            provenance: Some(provenance),
            value: json!({"type": "server_tool_use", "id": "srv_1"}),
        };
        let found =
            json!({"type": "web_search_result_location", "url": "u", "encrypted_index": "E"});
        let cited = Text {
            citations: vec![json!({"type": "url_citation"}), found.clone()],
            ..Text::from("a")
        };
        for (role, part, expected) in [
            (Role::User, Part::from("hi"), json!({"type": "text", "text": "hi"})),
            (Role::User, Part::from(" \n"), Value::Null),
            (Role::Assistant, Part::Refusal("no".into()), json!({"type": "text", "text": "no"})),
            (Role::User, cited.clone().into(), json!({"type": "text", "text": "a"})),
            (
                Role::Assistant,
                cited.into(),
                json!({"type": "text", "text": "a", "citations": [found]}),
            ),
            (
                Role::User,
                Image::from_url("https://x/y").into(),
                json!({"type": "image", "source": {"type": "url", "url": "https://x/y"}}),
            ),
            (
                Role::User,
                Document::from_file_id("file_1").into(),
                json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
            ),
            (
                Role::Assistant,
                of(own(), Some("s"), "hm").into(),
                json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            ),
            (
                Role::Assistant,
                of(own(), Some("s"), "").into(),
                json!({"type": "thinking", "thinking": "", "signature": "s"}),
            ),
            (
                Role::Assistant,
                of(own(), None, "hm").into(),
                json!({"type": "thinking", "thinking": "hm"}),
            ),
            (
                Role::Assistant,
                marked.into(),
                json!({"type": "thinking", "thinking": "hm", "signature": "s", "m": 1}),
            ),
            (Role::Assistant, redacted.into(), json!({"type": "redacted_thinking", "data": "x"})),
            (Role::Assistant, of(Some(deepseek.clone()), Some("s"), "hm").into(), Value::Null),
            (Role::Assistant, of(None, Some("s"), "hm").into(), Value::Null),
            (
                Role::Assistant,
                ToolCall::new("t1", "f", " ").into(),
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
            ),
            (
                Role::Assistant,
                other(own().unwrap()),
                json!({"type": "server_tool_use", "id": "srv_1"}),
            ),
            (Role::Assistant, other(deepseek), Value::Null),
            (Role::Assistant, other(Provenance::any(Format::OpenAiChat)), Value::Null),
        ] {
            let block = encode(&part, role, Target::anthropic("m")).unwrap();
            assert_eq!(block.unwrap_or_default(), expected, "{part:?}");
        }
    }

    #[test]
    fn parts_in_the_wrong_message_are_rejected_without_quoting_them() {
        let secret = "the prompt";
        for (role, part, expected) in [
            (Role::System, Image::from_url(secret).into(), "an image, which a system message"),
            (Role::User, ToolCall::new("t", "f", secret).into(), "a tool call, which a user"),
            (Role::User, Reasoning::new(secret).into(), "reasoning, which a user"),
            (Role::User, Part::Refusal(secret.into()), "a refusal, which a user"),
            (Role::Assistant, ToolResult::new("t", secret).into(), "a tool result, which an"),
            (Role::Tool, secret.into(), "text, which a tool message"),
            (Role::Assistant, ToolCall::new("", "f", "{}").into(), "without an id or a name"),
            (Role::Tool, ToolResult::new("", secret).into(), "without the id of its call"),
            (
                Role::Tool,
                ToolResult::new("t", "").with(ToolCall::new("u", "f", "")).into(),
                "a tool result that contains a tool call",
            ),
            (
                Role::Tool,
                ToolResult::new("t", "").with(Part::CachePoint(CacheTtl::Short)).into(),
                "with nothing before it",
            ),
            (Role::User, Document::from_bytes("image/tiff", b"").into(), "only PDF and text"),
            (Role::User, Image::from_url("data:,").into(), "data URL"),
        ] {
            let error = encode(&part, role, Target::anthropic("m")).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains(secret));
        }
    }

    #[test]
    fn cache_points_mark_every_block_except_thinking() {
        let mut text = json!({"type": "text", "text": "a"});
        mark(Some(&mut text), CacheTtl::OneHour).unwrap();
        assert_eq!(text["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
        for kind in ["thinking", "redacted_thinking"] {
            let error = mark(Some(&mut json!({"type": kind})), CacheTtl::Short).unwrap_err();
            assert!(error.contains("after reasoning"), "{error}");
        }
        assert!(mark(None, CacheTtl::Short).is_err());
        assert_eq!(shorthand(vec![text.clone()]), json!([text]));
    }
}
