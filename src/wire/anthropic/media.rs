//! Encodes images and documents as blocks.

use serde_json::{Value, json};

use crate::chat::{Document, Image, MediaSource};
use crate::wire::media;

/// The supported kinds of image (`base64_image_source_param.py`).
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

pub(super) fn image(image: &Image) -> Result<Value, String> {
    let content = media::image(image)?;
    if let MediaSource::Base64 { media_type, .. } = &*content {
        if !IMAGES.contains(&media_type.as_str()) {
            return Err(format!(
                "holds an image of type {media_type:?}, but Anthropic accepts only JPEG, PNG, \
                 GIF and WebP; convert it"
            ));
        }
    }
    Ok(json!({"type": "image", "source": source(&content)?}))
}

/// PDFs are sent in base64, and texts of all kinds as plain text, the only kind that Anthropic has
/// (`document_block_param.py`, `plain_text_source_param.py`).
pub(super) fn document(document: &Document) -> Result<Value, String> {
    let source = match &*media::document(&document.source)? {
        MediaSource::Base64 { media_type, data } => match media::text(media_type, data) {
            Some(text) => json!({"type": "text", "media_type": "text/plain", "data": text?}),
            None if media_type == "application/pdf" => {
                json!({"type": "base64", "media_type": media_type, "data": data})
            }
            None => {
                return Err(format!(
                    "holds a document of type {media_type:?}, but Anthropic accepts only PDF and text; convert it"
                ));
            }
        },
        elsewhere => source(elsewhere)?,
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = &document.name {
        block["title"] = name.as_str().into();
    }
    Ok(block)
}

/// Builds a source in base64, by URL or by file id. A file id also needs a [beta](super::betas).
fn source(source: &MediaSource) -> Result<Value, String> {
    Ok(match source {
        MediaSource::Url(url) => {
            let http = |scheme| url.get(..scheme).map(str::to_ascii_lowercase);
            if http(8).as_deref() != Some("https://") && http(7).as_deref() != Some("http://") {
                return Err("holds an address that Anthropic cannot fetch; it must begin with \
                            https://"
                    .into());
            }
            json!({"type": "url", "url": url})
        }
        MediaSource::Base64 { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        MediaSource::FileId(id) => json!({"type": "file", "file_id": id}),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_sent_by_url_or_as_bytes() {
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
    fn unusable_media_are_rejected_and_not_quoted() {
        for given in [
            Image::from_bytes("image/tiff", b"secret"),
            Image::from_bytes("image/svg+xml", b"secret"),
            Image::from_url("gs://secret/x.png"),
            Image::from_url("/tmp/secret.png"),
        ] {
            let error = image(&given).unwrap_err();
            let named = ["convert it", "cannot fetch"].iter().any(|what| error.contains(what));
            assert!(named && !error.contains("secret"), "{error}");
        }
        for (given, expected) in [
            (Document::from_bytes("application/msword", b"secret"), "only PDF and text"),
            (Document::from_bytes("text/plain", b"\xff"), "not UTF-8"),
            (Document::from_url("data:application/zip;base64,Zm9v"), "only PDF and text"),
            (Document::from_url("ftp://secret/x.pdf"), "must begin with https://"),
        ] {
            let error = document(&given).unwrap_err();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
