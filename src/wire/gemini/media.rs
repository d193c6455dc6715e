//! Encodes images and documents as parts.

use serde_json::{Value, json};

use crate::chat::{Document, Image, MediaSource};
use crate::wire::media;

/// The supported types of images (ai.google.dev/gemini-api/docs/image-understanding, "Supported
/// image formats").
const IMAGES: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"];

/// The address of uploaded files (ai.google.dev/api/files).
const FILES: &str = "https://generativelanguage.googleapis.com/v1beta/";

/// Media types by the ending of a URL. Google asks for them
/// (ai.google.dev/gemini-api/docs/file-input-methods).
const ENDINGS: [(&str, &str); 14] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".heic", "image/heic"),
    (".heif", "image/heif"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".md", "text/markdown"),
    (".html", "text/html"),
    (".csv", "text/csv"),
    (".mp3", "audio/mp3"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
];

pub(super) fn image(image: &Image) -> Result<Value, String> {
    let content = media::image(image)?;
    if let MediaSource::Base64 { media_type, .. } = &*content {
        if !IMAGES.contains(&media_type.as_str()) {
            return Err(format!(
                "holds an image of type {media_type:?}, but Gemini takes only PNG, JPEG, WebP, \
                 HEIC and HEIF; convert it"
            ));
        }
    }
    Ok(source(&content))
}

/// Encodes a file of any type that Google reads: PDF, text, audio, video. The format has no member
/// for its name, so the name becomes a text before the file.
pub(super) fn document(document: &Document) -> Result<Vec<Value>, String> {
    let file = source(&*media::document(&document.source)?);
    let name = document.name.as_deref().filter(|name| !name.trim().is_empty());
    Ok(name.map(|name| json!({"text": name})).into_iter().chain([file]).collect())
}

/// Encodes a source as `inlineData` or `fileData`.
fn source(source: &MediaSource) -> Value {
    match source {
        MediaSource::Base64 { media_type, data } => {
            json!({"inlineData": {"mimeType": media_type, "data": data}})
        }
        MediaSource::Url(url) => {
            let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            let known = ENDINGS.iter().find(|(ending, _)| path.ends_with(ending));
            match known {
                Some((_, media_type)) => {
                    json!({"fileData": {"mimeType": media_type, "fileUri": url}})
                }
                None => json!({"fileData": {"fileUri": url}}),
            }
        }
        MediaSource::FileId(id) => {
            let uri = match id {
                uri if uri.contains("://") => uri.clone(),
                name if name.starts_with("files/") => format!("{FILES}{name}"),
                id => format!("{FILES}files/{id}"),
            };
            json!({"fileData": {"fileUri": uri}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_become_inline_data_or_file_data() {
        for (source, expected) in [
            (
                MediaSource::from_bytes("image/jpg", b"\xff\xd8\xff"),
                json!({"inlineData": {"mimeType": "image/jpeg", "data": "/9j/"}}),
            ),
            (
                MediaSource::Url("https://x/y.PNG?sig=1".into()),
                json!({"fileData": {"mimeType": "image/png", "fileUri": "https://x/y.PNG?sig=1"}}),
            ),
            (
                MediaSource::Url("https://x/y".into()),
                json!({"fileData": {"fileUri": "https://x/y"}}),
            ),
            (
                MediaSource::FileId("files/abc".into()),
                json!({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}),
            ),
            (
                MediaSource::FileId("abc".into()),
                json!({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}),
            ),
            (
                MediaSource::FileId("gs://bucket/x".into()),
                json!({"fileData": {"fileUri": "gs://bucket/x"}}),
            ),
        ] {
            assert_eq!(image(&Image::from_source(source)).unwrap(), expected);
        }
    }

    #[test]
    fn a_documents_name_comes_before_it() {
        let file = json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}});
        let pdf = Document::from_bytes("application/pdf", b"%PDF-");
        assert_eq!(document(&pdf).unwrap(), std::slice::from_ref(&file));
        assert_eq!(document(&pdf.name("a.pdf")).unwrap(), [json!({"text": "a.pdf"}), file]);
        let clip = Document::from_bytes("audio/mp3", b"x");
        assert_eq!(document(&clip).unwrap()[0]["inlineData"]["mimeType"], "audio/mp3");
    }

    #[test]
    fn images_of_other_types_are_rejected() {
        let error = image(&Image::from_bytes("image/gif", b"GIF89a")).unwrap_err();
        assert!(error.contains("\"image/gif\"") && error.contains("convert it"), "{error}");
    }
}
