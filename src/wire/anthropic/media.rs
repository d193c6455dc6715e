//! Images and documents as blocks.

use serde_json::{Value, json};
use std::borrow::Cow;

use crate::base64;
use crate::chat::{Document, Image, Source};

pub(super) fn image(image: &Image) -> Result<Value, String> {
    Ok(json!({"type": "image", "source": source(&*inline(&image.source)?)}))
}

/// PDFs travel in base64, texts of all kinds as plain text, the only kind there
/// is (`document_block_param.py`, `plain_text_source_param.py`).
pub(super) fn document(document: &Document) -> Result<Value, String> {
    let source = match &*inline(&document.source)? {
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

/// Sources in base64, by address and by file id. A file id also needs a
/// [beta](super::betas).
fn source(source: &Source) -> Value {
    match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Base64 { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::FileId(id) => json!({"type": "file", "file_id": id}),
    }
}

/// A `data:` URL (RFC 2397) as its content, which is how other providers are sent
/// one. Anthropic fetches addresses and knows none of this kind.
fn inline(source: &Source) -> Result<Cow<'_, Source>, String> {
    let Source::Url(url) = source else { return Ok(Cow::Borrowed(source)) };
    let scheme = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if !scheme {
        return Ok(Cow::Borrowed(source));
    }
    let content = url[5..].split_once(',').and_then(|(about, data)| {
        let split = about.len().checked_sub(";base64".len())?;
        let (media_type, base64) = (about.get(..split)?, about.get(split..)?);
        let essence = media_type.split(';').next().unwrap_or_default();
        (base64.eq_ignore_ascii_case(";base64") && essence.contains('/'))
            .then(|| Source::Base64 { media_type: essence.to_owned(), data: data.to_owned() })
    });
    content.map(Cow::Owned).ok_or_else(|| {
        "holds a data URL without a media type or not in base64; give the bytes instead".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_by_address_or_whole() {
        for (given, expected) in [
            (
                Image::from_bytes("image/png", b"foo"),
                json!({"type": "base64", "media_type": "image/png", "data": "Zm9v"}),
            ),
            (Image::from_url("https://x/y"), json!({"type": "url", "url": "https://x/y"})),
            (
                Image::from_url("data:image/png;base64,Zm9v"),
                json!({"type": "base64", "media_type": "image/png", "data": "Zm9v"}),
            ),
            (
                Image::from_url("DATA:image/jpeg;name=a;BASE64,Zm9v"),
                json!({"type": "base64", "media_type": "image/jpeg", "data": "Zm9v"}),
            ),
        ] {
            assert_eq!(image(&given).unwrap(), json!({"type": "image", "source": expected}));
        }
    }

    #[test]
    fn documents_are_pdf_or_text() {
        for (given, expected) in [
            (
                Document::from_file_id("file_1").name("A"),
                json!({"type": "document", "title": "A",
                    "source": {"type": "file", "file_id": "file_1"}}),
            ),
            (
                Document::from_bytes("application/pdf", b"foo"),
                json!({"type": "document", "source":
                    {"type": "base64", "media_type": "application/pdf", "data": "Zm9v"}}),
            ),
            (
                Document::from_bytes("text/csv; charset=utf-8", "a,ü".as_bytes()),
                json!({"type": "document", "source":
                    {"type": "text", "media_type": "text/plain", "data": "a,ü"}}),
            ),
            (
                Document::from_url("data:text/plain;base64,Zm9v"),
                json!({"type": "document", "source":
                    {"type": "text", "media_type": "text/plain", "data": "foo"}}),
            ),
        ] {
            assert_eq!(document(&given).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_unquoted() {
        for url in [
            "data:image/png,secret",
            "data:;base64,secret",
            "data:base64,secret",
            "data:secret",
            "data:é;base6,secret",
        ] {
            let error = image(&Image::from_url(url)).unwrap_err();
            assert!(error.contains("data URL") && !error.contains("secret"), "{error}");
        }
        for (given, expected) in [
            (Document::from_bytes("image/tiff", b"secret"), "only PDF and text"),
            (Document::from_bytes("text/plain", b"\xff"), "not UTF-8"),
            (Document::from_url("data:image/tiff;base64,Zm9v"), "only PDF and text"),
        ] {
            let error = document(&given).unwrap_err();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
