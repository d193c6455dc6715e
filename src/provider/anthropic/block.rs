//! One part of a message as one content block.

use serde_json::{Map, Value, json};

use crate::Provider;
use crate::base64;
use crate::chat::{CacheTtl, Document, Image, Part, Reasoning, Role, Source, ToolCall, ToolResult};

/// The block for a part in a message of `role`, or none where the part is to be
/// left out. The error says what is wrong, to go after the message's place.
///
/// Cache points are no blocks of their own; see [`mark`].
pub(super) fn encode(part: &Part, role: Role) -> Result<Option<Value>, String> {
    match (part, role) {
        (Part::Text(text), Role::System | Role::User | Role::Assistant) => {
            Ok(text_block(&text.text))
        }
        (Part::Refusal(text), Role::Assistant) => Ok(text_block(text)),
        (Part::Image(image), Role::User) => Ok(Some(image_block(image))),
        (Part::Document(document), Role::User) => document_block(document).map(Some),
        (Part::Reasoning(reasoning), Role::Assistant) => Ok(thinking(reasoning)),
        (Part::ToolCall(call), Role::Assistant) => tool_use(call).map(Some),
        (Part::ToolResult(result), Role::User | Role::Tool) => tool_result(result).map(Some),
        (Part::Other { provider, value }, _) => {
            Ok((provider == Provider::Anthropic.name()).then(|| value.clone()))
        }
        (part, role) => {
            let role = match role {
                Role::System => "a system message",
                Role::User => "a user message",
                Role::Assistant => "an assistant message",
                Role::Tool => "a tool message",
            };
            Err(format!("holds {}, which {role} cannot carry", noun(part)))
        }
    }
}

/// Marks the end of what may be cached, on the block it ends with.
/// `cache_control` fits every kind of block but the thinking ones, which have no
/// such field (`thinking_block_param.py`).
pub(super) fn mark(block: Option<&mut Value>, ttl: CacheTtl) -> Result<(), String> {
    let Some(Value::Object(block)) = block else {
        return Err("holds a cache point with nothing before it".into());
    };
    if matches!(kind(block), "thinking" | "redacted_thinking") {
        return Err("holds a cache point behind reasoning, where Anthropic takes none".into());
    }
    let control = match ttl {
        CacheTtl::Short => json!({"type": "ephemeral"}),
        CacheTtl::OneHour => json!({"type": "ephemeral", "ttl": "1h"}),
    };
    block.insert("cache_control".into(), control);
    Ok(())
}

/// The content as its text alone, where that says it all: one bare text block.
pub(super) fn shorthand(mut blocks: Vec<Value>) -> Value {
    if let [Value::Object(block)] = blocks.as_mut_slice() {
        if block.len() == 2 && kind(block) == "text" {
            return block.remove("text").unwrap_or_default();
        }
    }
    blocks.into()
}

pub(super) fn kind(block: &Map<String, Value>) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// Blank texts are refused ("text content blocks must contain non-whitespace
/// text", anthropics/claude-code#23369), so they are left out.
fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn image_block(image: &Image) -> Value {
    json!({"type": "image", "source": source(&image.source)})
}

/// Sources in base64, by address and by file id. A file id also needs the
/// header `anthropic-beta: files-api-2025-04-14` (vercel/ai
/// `convert-to-anthropic-prompt.ts`).
fn source(source: &Source) -> Value {
    match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Base64 { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::FileId(id) => json!({"type": "file", "file_id": id}),
    }
}

/// PDFs travel in base64, texts of all kinds as plain text, the only kind there
/// is (`document_block_param.py`, `plain_text_source_param.py`).
fn document_block(document: &Document) -> Result<Value, String> {
    let source = match &document.source {
        Source::Base64 { media_type, data } => {
            let essence = media_type.split(';').next().unwrap_or_default().trim();
            let essence = essence.to_ascii_lowercase();
            if essence.starts_with("text/") {
                let text = base64::decode(data).and_then(|bytes| String::from_utf8(bytes).ok());
                let Some(text) = text else {
                    return Err("holds a text document that is not UTF-8 in base64".into());
                };
                json!({"type": "text", "media_type": "text/plain", "data": text})
            } else if essence == "application/pdf" {
                json!({"type": "base64", "media_type": essence, "data": data})
            } else {
                return Err(format!(
                    "holds a document of type {media_type:?}, but Anthropic takes only PDF and text"
                ));
            }
        }
        elsewhere => source(elsewhere),
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = &document.name {
        block["title"] = name.as_str().into();
    }
    Ok(block)
}

/// Thinking goes back where it stood, unchanged, even when its text was
/// withheld. What has no signature, or an id as only OpenAI gives one, came from
/// elsewhere and is left out.
fn thinking(reasoning: &Reasoning) -> Option<Value> {
    match (&reasoning.signature, &reasoning.encrypted, &reasoning.id) {
        (Some(signature), _, _) => Some(json!({
            "type": "thinking",
            "thinking": reasoning.text,
            "signature": signature,
        })),
        (None, Some(data), None) => Some(json!({"type": "redacted_thinking", "data": data})),
        _ => None,
    }
}

fn tool_use(call: &ToolCall) -> Result<Value, String> {
    if call.id.is_empty() || call.name.is_empty() {
        return Err("holds a tool call without an id or a name".into());
    }
    let arguments = call.arguments.trim();
    let input = if arguments.is_empty() { "{}" } else { arguments };
    match serde_json::from_str(input) {
        Ok(Value::Object(input)) => {
            Ok(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}))
        }
        _ => Err(format!(
            "holds the call {:?} of tool {:?} with arguments that are no JSON object",
            call.id, call.name
        )),
    }
}

fn tool_result(result: &ToolResult) -> Result<Value, String> {
    if result.call_id.is_empty() {
        return Err("holds a tool result without the id of its call".into());
    }
    let mut content = Vec::with_capacity(result.content.len());
    for part in &result.content {
        match part {
            Part::CachePoint(ttl) => mark(content.last_mut(), *ttl)?,
            Part::Text(_) | Part::Image(_) | Part::Document(_) | Part::Other { .. } => {
                content.extend(encode(part, Role::User)?);
            }
            _ => return Err(format!("holds a tool result with {} in it", noun(part))),
        }
    }
    let mut block = json!({"type": "tool_result", "tool_use_id": result.call_id});
    if !content.is_empty() {
        block["content"] = shorthand(content);
    }
    if result.is_error {
        block["is_error"] = true.into();
    }
    Ok(block)
}

fn noun(part: &Part) -> &'static str {
    match part {
        Part::Text(_) => "text",
        Part::Image(_) => "an image",
        Part::Document(_) => "a document",
        Part::Refusal(_) => "a refusal",
        Part::Reasoning(_) => "reasoning",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult(_) => "a tool result",
        Part::CachePoint(_) => "a cache point",
        Part::Other { .. } => "a provider's own block",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_blocks() {
        let foreign = Reasoning { encrypted: Some("x".into()), ..Reasoning::new("") };
        let openai = Reasoning { id: Some("rs_1".into()), ..foreign.clone() };
        let signed = |text| Reasoning { signature: Some("s".into()), ..Reasoning::new(text) };
        let other = |provider: &str| Part::Other {
            provider: provider.into(),
            value: json!({"type": "server_tool_use", "id": "srv_1"}),
        };
        let document = |media_type: &str, text: &str| {
            Part::from(Document::from_bytes(media_type, text.as_bytes()))
        };
        for (role, part, expected) in [
            (Role::User, Part::from("hi"), json!({"type": "text", "text": "hi"})),
            (Role::User, Part::from(" \n"), Value::Null),
            (Role::Assistant, Part::Refusal("no".into()), json!({"type": "text", "text": "no"})),
            (
                Role::User,
                Image::from_bytes("image/png", b"foo").into(),
                json!({"type": "image", "source":
                    {"type": "base64", "media_type": "image/png", "data": "Zm9v"}}),
            ),
            (
                Role::User,
                Image::from_url("https://x/y").into(),
                json!({"type": "image", "source": {"type": "url", "url": "https://x/y"}}),
            ),
            (
                Role::User,
                Document::from_file_id("file_1").name("A").into(),
                json!({"type": "document", "title": "A",
                    "source": {"type": "file", "file_id": "file_1"}}),
            ),
            (
                Role::User,
                document("application/pdf", "foo"),
                json!({"type": "document", "source":
                    {"type": "base64", "media_type": "application/pdf", "data": "Zm9v"}}),
            ),
            (
                Role::User,
                document("text/csv; charset=utf-8", "a,ü"),
                json!({"type": "document", "source":
                    {"type": "text", "media_type": "text/plain", "data": "a,ü"}}),
            ),
            (
                Role::Assistant,
                signed("hm").into(),
                json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            ),
            (
                Role::Assistant,
                signed("").into(),
                json!({"type": "thinking", "thinking": "", "signature": "s"}),
            ),
            (Role::Assistant, foreign.into(), json!({"type": "redacted_thinking", "data": "x"})),
            (Role::Assistant, openai.into(), Value::Null),
            (Role::Assistant, Reasoning::new("unsigned").into(), Value::Null),
            (
                Role::Assistant,
                ToolCall::new("t1", "f", " ").into(),
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
            ),
            (
                Role::Assistant,
                ToolCall::new("t1", "f", "{\"a\": [1]}").into(),
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}}),
            ),
            (
                Role::Assistant,
                other("anthropic"),
                json!({"type": "server_tool_use", "id": "srv_1"}),
            ),
            (Role::Assistant, other("openai"), Value::Null),
        ] {
            let block = encode(&part, role).unwrap();
            assert_eq!(block.unwrap_or_default(), expected, "{part:?}");
        }
    }

    #[test]
    fn tool_results_hold_a_text_or_blocks() {
        let image = || Image::from_url("https://x/y");
        for (result, expected) in [
            (
                ToolResult::new("t1", "ok"),
                json!({"type": "tool_result", "tool_use_id": "t1", "content": "ok"}),
            ),
            (
                ToolResult::error("t1", "bad"),
                json!({"type": "tool_result", "tool_use_id": "t1", "content": "bad",
                    "is_error": true}),
            ),
            (ToolResult::new("t1", ""), json!({"type": "tool_result", "tool_use_id": "t1"})),
            (
                ToolResult::new("t1", "see").with(image()).with(Part::CachePoint(CacheTtl::Short)),
                json!({"type": "tool_result", "tool_use_id": "t1", "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image", "source": {"type": "url", "url": "https://x/y"},
                        "cache_control": {"type": "ephemeral"}},
                ]}),
            ),
        ] {
            let block = encode(&result.clone().into(), Role::Tool).unwrap();
            assert_eq!(block, Some(expected.clone()));
            assert_eq!(encode(&result.into(), Role::User).unwrap(), Some(expected));
        }
    }

    #[test]
    fn parts_in_the_wrong_place_are_refused_without_their_text() {
        let secret = "the prompt";
        for (role, part, expected) in [
            (Role::System, Image::from_url(secret).into(), "an image, which a system message"),
            (Role::User, ToolCall::new("t", "f", secret).into(), "a tool call, which a user"),
            (Role::User, Reasoning::new(secret).into(), "reasoning, which a user"),
            (Role::User, Part::Refusal(secret.into()), "a refusal, which a user"),
            (Role::Assistant, ToolResult::new("t", secret).into(), "a tool result, which an"),
            (Role::Tool, secret.into(), "text, which a tool message"),
            (Role::Assistant, ToolCall::new("", "f", "{}").into(), "without an id or a name"),
            (Role::Assistant, ToolCall::new("t9", "f", secret).into(), "the call \"t9\" of tool"),
            (Role::Assistant, ToolCall::new("t9", "f", "[1]").into(), "no JSON object"),
            (Role::Tool, ToolResult::new("", secret).into(), "without the id of its call"),
            (
                Role::Tool,
                ToolResult::new("t", "").with(ToolCall::new("u", "f", "")).into(),
                "a tool result with a tool call in it",
            ),
            (
                Role::Tool,
                ToolResult::new("t", "").with(Part::CachePoint(CacheTtl::Short)).into(),
                "with nothing before it",
            ),
            (Role::User, Document::from_bytes("image/tiff", b"").into(), "only PDF and text"),
            (Role::User, Document::from_bytes("text/plain", b"\xff").into(), "not UTF-8"),
        ] {
            let error = encode(&part, role).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains(secret));
        }
    }

    #[test]
    fn cache_points_mark_blocks_but_no_thinking() {
        let mut text = json!({"type": "text", "text": "a"});
        mark(Some(&mut text), CacheTtl::OneHour).unwrap();
        assert_eq!(text["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
        for kind in ["thinking", "redacted_thinking"] {
            let error = mark(Some(&mut json!({"type": kind})), CacheTtl::Short).unwrap_err();
            assert!(error.contains("behind reasoning"), "{error}");
        }
        assert!(mark(None, CacheTtl::Short).is_err());
        assert_eq!(shorthand(vec![text.clone()]), json!([text]));
    }
}
