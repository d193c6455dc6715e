//! Encodes one part of a message as a content part of an input item.

use serde_json::{Map, Value};

use crate::chat::{Document, Format, Image, ImageDetail, MediaSource, Part, Role};
use crate::wire::json::{object, object_of};
use crate::wire::openai_chat::{Dialect, ImageInput};
use crate::wire::{Target, media};

/// Encodes a part of a message as a content part. The error says what is wrong; the caller puts the
/// message's place before it.
///
/// Returns `None` for parts that only make sense elsewhere: reasoning, other providers' blocks, and
/// cache points, because OpenAI caches automatically.
pub(super) fn encode(part: &Part, role: Role, target: Target<'_>) -> Result<Option<Value>, String> {
    let takes_media = matches!(role, Role::User | Role::Tool);
    let problem = match part {
        Part::Text(text) => return Ok(Some(input_text(&text.text))),
        Part::Image(image) if takes_media => return input_image(image, target.dialect).map(Some),
        Part::Document(document) if takes_media => {
            return input_file(document, target.dialect).map(Some);
        }
        Part::Reasoning(_) | Part::CachePoint(_) => return Ok(None),
        Part::Other { provenance, value } => {
            let own =
                provenance.as_ref().is_some_and(|it| target.sent(it, Format::OpenAiResponses));
            return Ok(own.then(|| value.clone()));
        }
        Part::Image(_) => "holds an image; put images into a user message",
        Part::Document(_) => "holds a document; put documents into a user message",
        Part::Audio(_) => {
            "holds speech, which the Responses API does not accept; use Chat Completions, or \
             send the transcript as text"
        }
        Part::Refusal(_) => "holds a refusal; only an assistant message may hold one",
        Part::ToolCall(_) => "holds a tool call; only an assistant message may hold one",
        Part::ToolResult(_) => {
            "holds a tool result; put it into a message of its own, with Message::tool_result"
        }
    };
    Err(problem.to_owned())
}

pub(super) fn input_text(text: &str) -> Value {
    object_of!("type": "input_text".into(), "text": text.into())
}

/// Encodes an `input_image` (`response_input_image_param.py`): a URL, the bytes in a data URL, or a
/// file id. `detail` is required; `auto` is OpenAI's default.
fn input_image(image: &Image, dialect: &Dialect) -> Result<Value, String> {
    if dialect.images == ImageInput::Unsupported {
        return Err("holds an image, which this provider does not accept; choose another model, \
                    or describe the image in text"
            .to_owned());
    }
    let detail = match image.detail {
        None | Some(ImageDetail::Auto) => "auto",
        Some(ImageDetail::Low) => "low",
        Some(ImageDetail::High) => "high",
    };
    let (name, source) = match &*media::image(image)? {
        MediaSource::Url(_) if dialect.images == ImageInput::Bytes => {
            return Err("holds an image by URL, which this provider does not fetch; download it \
                        and give its bytes"
                .to_owned());
        }
        MediaSource::Url(url) => ("image_url", url.clone()),
        MediaSource::Base64 { media_type, data } => {
            ("image_url", media::as_data_url(media_type, data))
        }
        MediaSource::FileId(id) => ("file_id", id.clone()),
    };
    Ok(object([("type", "input_image".into()), (name, source.into()), ("detail", detail.into())]))
}

/// Encodes an `input_file` (`response_input_file_param.py`). The API accepts many types (OpenAI's
/// guide "File inputs"). Text files become plain text, as in every other format.
fn input_file(document: &Document, dialect: &Dialect) -> Result<Value, String> {
    let source = media::document(&document.source)?;
    if let MediaSource::Base64 { media_type, data } = &*source {
        if let Some(text) = media::text(media_type, data) {
            let text = text?;
            return Ok(input_text(&match &document.name {
                Some(name) => format!("<document name={name:?}>\n{text}\n</document>"),
                None => format!("<document>\n{text}\n</document>"),
            }));
        }
    }
    if !dialect.files {
        return Err("holds a file, which this provider does not accept; put its text into the \
                    message"
            .to_owned());
    }
    let mut file = Map::from_iter([("type".to_owned(), "input_file".into())]);
    let mut set = |name: &str, value: &str| {
        file.insert(name.to_owned(), value.into());
    };
    match &*source {
        MediaSource::FileId(id) => set("file_id", id),
        MediaSource::Url(url) => set("file_url", url),
        MediaSource::Base64 { media_type, data } => {
            // If the media type is a general one, the name's extension tells what the file is.
            let name = document.name.as_deref().unwrap_or("document.pdf");
            set("filename", name);
            set("file_data", &media::as_data_url(media_type, data));
        }
    }
    Ok(file.into())
}
