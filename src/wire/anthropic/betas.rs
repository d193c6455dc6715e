//! Betas, which a request enables in the header `anthropic-beta`
//! (platform.claude.com/docs/en/api/beta-headers).

use serde_json::Value;

use crate::chat::{ChatRequest, Format, MediaSource, Part};
use crate::error::Error;
use crate::header::HeaderValue;

/// The name of the header. Its value is a comma-separated list.
pub(crate) const HEADER: &str = "anthropic-beta";

/// The beta for files by id. In anthropic-sdk-python 0.121 only the types of the beta interface
/// have such sources (`beta_file_document_source_param.py`, `beta_file_image_source_param.py`).
/// Anthropic's own API accepts them without the beta since 2026-08-19, and treats a request that
/// names it as before (its release notes of 2026-08-27); other servers with this format still
/// require it.
///
/// It is the only beta that the encoder needs. One-hour cache points, adaptive thinking, effort,
/// schemas and strict tools are in the types of the general interface
/// (`cache_control_ephemeral_param.py`, `thinking_config_adaptive_param.py`,
/// `output_config_param.py`, `tool_param.py`). For other betas (interleaved thinking before Claude
/// 4.6, MCP servers, context editing) the caller names them.
const FILES: &str = "files-api-2025-04-14";

/// Returns the header of a request if it differs from the one `set` for the client: with the
/// client's betas, those that the request names, and those that its content needs, without
/// duplicates.
pub(in crate::wire) fn header(
    request: &ChatRequest,
    set: Option<&HeaderValue>,
) -> Result<Option<HeaderValue>, Error> {
    let has_file = request.messages.iter().flat_map(|message| &message.content).any(is_file);
    if request.betas.is_empty() && !has_file {
        return Ok(None);
    }
    if let Some(wrong) = request.betas.iter().find(|beta| !is_token(beta)) {
        return Err(Error::invalid_request(format!(
            "the beta {wrong:?} cannot be sent; add each one separately, in letters, digits and \
             dashes, such as \"{FILES}\""
        )));
    }
    let set = set.map_or("", HeaderValue::as_str);
    let set = set.split(',').map(str::trim).filter(|beta| !beta.is_empty());
    let named = request.betas.iter().map(String::as_str);
    let mut betas: Vec<&str> = Vec::new();
    for beta in set.chain(named).chain(has_file.then_some(FILES)) {
        if !betas.contains(&beta) {
            betas.push(beta);
        }
    }
    HeaderValue::new(betas.join(",")).map(Some).ok_or_else(|| {
        Error::invalid_request("the betas cannot be sent in a header; remove invalid characters")
    })
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fit)
}

/// Returns true if a part is a file that is sent by id.
fn is_file(part: &Part) -> bool {
    let by_id = |source: &MediaSource| matches!(source, MediaSource::FileId(_));
    match part {
        Part::Image(image) => by_id(&image.source),
        Part::Document(document) => by_id(&document.source),
        Part::ToolResult(result) => result.content.iter().any(is_file),
        Part::Other { provenance: Some(sender), value } if sender.format == Format::Anthropic => {
            let is = |pointer: &str, kind: &str| {
                value.pointer(pointer).and_then(Value::as_str) == Some(kind)
            };
            is("/type", "container_upload") || is("/source/type", "file")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Document, Image, Message, ToolResult};
    use serde_json::json;

    fn written(request: &ChatRequest, set: Option<&'static str>) -> Option<String> {
        let set = set.and_then(HeaderValue::new);
        let header = header(request, set.as_ref()).unwrap();
        header.map(|header| header.as_str().to_owned())
    }

    #[test]
    fn files_by_id_get_their_beta_at_any_depth() {
        let image = Image { source: MediaSource::FileId("f".into()), ..Image::from_url("") };
        let other = |value| Part::native(Format::Anthropic, value);
        let foreign =
            Part::native(Format::OpenAiChat, json!({"type": "container_upload", "file_id": "f"}));
        for (part, expected) in [
            (Document::from_file_id("f").into(), Some(FILES)),
            (image.clone().into(), Some(FILES)),
            (ToolResult::new("t", "see").with(image).into(), Some(FILES)),
            (other(json!({"type": "container_upload", "file_id": "f"})), Some(FILES)),
            (
                other(json!({"type": "document", "source": {"type": "file", "file_id": "f"}})),
                Some(FILES),
            ),
            (other(json!({"type": "server_tool_use"})), None),
            (foreign, None),
            (Document::from_url("https://x/y.pdf").into(), None),
            (Image::from_bytes("image/png", b"x").into(), None),
        ] {
            let part: Part = part;
            let shown = format!("{part:?}");
            let request = ChatRequest::from(Message::user("hi").with(part));
            assert_eq!(written(&request, None).as_deref(), expected, "{shown}");
        }
    }

    #[test]
    fn betas_are_merged_into_one_header_without_duplicates() {
        let file = ChatRequest::from(Message::user("hi").with(Document::from_file_id("f")));
        for (request, set, expected) in [
            (ChatRequest::from("hi"), None, None),
            // The client's own header stays unchanged.
            (ChatRequest::from("hi"), Some("a, b"), None),
            (ChatRequest::from("hi").beta("a"), None, Some("a")),
            (ChatRequest::from("hi").beta("b").beta("c"), Some("a , b,"), Some("a,b,c")),
            (file.clone(), Some("a"), Some("a,files-api-2025-04-14")),
            (file.clone(), Some(FILES), Some(FILES)),
            (file.beta(FILES).beta("a").beta("a"), None, Some("files-api-2025-04-14,a")),
        ] {
            assert_eq!(written(&request, set).as_deref(), expected, "{request:?} {set:?}");
        }
    }

    #[test]
    fn invalid_beta_names_are_rejected() {
        for beta in ["", " ", "a b", "a,b", "a\r\nx-evil: 1", "é", "a\0"] {
            let error = header(&ChatRequest::from("hi").beta(beta), None).unwrap_err();
            assert!(error.message().contains(&format!("{beta:?}")), "{error}");
        }
    }
}
