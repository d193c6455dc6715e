//! Encodes a request's body for Claude.

use serde_json::{Map, Value};

use super::model::Model;
use crate::chat::{ChatRequest, MediaSource, Part};
use crate::error::Error;
use crate::wire::{Delivery, Target, anthropic};

/// The value of `anthropic_version`, which replaces the header
/// (platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai).
const VERSION: &str = "vertex-2023-10-16";

/// Builds Anthropic's body, without the model, which is in the path.
pub(super) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    for (index, message) in request.messages.iter().enumerate() {
        check_all(&message.content)
            .map_err(|what| Error::invalid_request(format!("messages[{index}] {what}")))?;
    }
    let target = Target { model: Model::of(target.model).name, ..target };
    let mut body = anthropic::encode(request, target, delivery)?;
    body.shift_remove("model");
    body.entry("anthropic_version").or_insert_with(|| VERSION.into());
    Ok(body)
}

/// Refuses files that Claude on Vertex AI cannot fetch. It has no URL sources (vercel/ai downloads
/// every file first: "Google Vertex Anthropic doesn't support URL sources") and no Files API
/// (platform.claude.com/docs/en/build-with-claude/files, "Platform availability").
fn check_all(parts: &[Part]) -> Result<(), String> {
    parts.iter().try_for_each(|part| match part {
        Part::Image(image) => check(&image.source),
        Part::Document(document) => check(&document.source),
        Part::ToolResult(result) => check_all(&result.content),
        _ => Ok(()),
    })
}

fn check(source: &MediaSource) -> Result<(), String> {
    match source {
        // A data URL contains the bytes.
        MediaSource::Url(url) if url.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("data:")) => {
            Ok(())
        }
        MediaSource::Url(_) => {
            Err("holds a file by address, which Claude on Vertex AI cannot fetch; give its bytes"
                .into())
        }
        MediaSource::FileId(id) => Err(format!(
            "holds the file {id:?}, but Claude on Vertex AI has no files by id; give its bytes"
        )),
        MediaSource::Base64 { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Document, Image, Message, Provider, ToolResult};
    use crate::wire::openai_chat::Dialect;
    use serde_json::json;

    fn body(request: &ChatRequest, delivery: Delivery) -> Result<Value, Error> {
        let model = "publishers/anthropic/models/claude-sonnet-4-5@20250929";
        let target = Target::of(&Provider::VERTEX, model, &Dialect::OPENAI);
        encode(request, target, delivery).map(Value::Object)
    }

    #[test]
    fn the_version_replaces_the_model() {
        let request = ChatRequest::from("hi").max_output_tokens(9);
        let plain = json!({
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "hi"}],
            "anthropic_version": "vertex-2023-10-16",
        });
        assert_eq!(body(&request, Delivery::Whole).unwrap(), plain);
        let mut streamed = plain;
        streamed["stream"] = true.into();
        assert_eq!(body(&request, Delivery::Stream).unwrap(), streamed);
        let other = request.extra("anthropic_version", "vertex-2099-01-01");
        let body = body(&other, Delivery::Whole).unwrap();
        assert_eq!(body["anthropic_version"], "vertex-2099-01-01");
    }

    #[test]
    fn files_by_address_or_id_are_refused() {
        let bytes = Image::from_bytes("image/png", b"foo");
        let inline = Image::from_url("data:image/png;base64,Zm9v");
        for image in [bytes, inline] {
            let request = ChatRequest::from(Message::user("hi").with(image));
            assert!(body(&request, Delivery::Whole).is_ok());
        }
        let nested = ToolResult::new("c", "").with(Image::from_url("https://x/y.png"));
        for (part, expected) in [
            (
                Part::Image(Image::from_url("https://x/y.png")),
                "messages[0] holds a file by address",
            ),
            (
                Part::Document(Document::from_file_id("file_1")),
                "has no files by id; give its bytes",
            ),
            (Part::ToolResult(nested), "by address"),
        ] {
            let request = ChatRequest::from(Message::user("hi").with(part));
            let error = body(&request, Delivery::Whole).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
