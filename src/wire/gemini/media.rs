//! Encodes images and documents as parts.

use serde_json::{Value, json};

use super::service::{Files, Service};
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

/// Videos by address that tell no media type
/// (docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/video-understanding).
const YOUTUBE: [&str; 2] = ["https://www.youtube.com/watch", "https://youtu.be/"];

pub(super) fn image(image: &Image, service: &Service) -> Result<Value, String> {
    let content = media::image(image)?;
    if let MediaSource::Base64 { media_type, .. } = &*content {
        if !IMAGES.contains(&media_type.as_str()) {
            return Err(format!(
                "holds an image of type {media_type:?}, but Gemini takes only PNG, JPEG, WebP, \
                 HEIC and HEIF; convert it"
            ));
        }
    }
    source(&content, service)
}

/// Encodes a file of any type that Google reads: PDF, text, audio, video. The format has no member
/// for its name, so the name becomes a text before the file.
pub(super) fn document(document: &Document, service: &Service) -> Result<Vec<Value>, String> {
    let file = source(&*media::document(&document.source)?, service)?;
    let name = document.name.as_deref().filter(|name| !name.trim().is_empty());
    Ok(name.map(|name| json!({"text": name})).into_iter().chain([file]).collect())
}

/// Encodes a source as `inlineData` or `fileData`.
fn source(source: &MediaSource, service: &Service) -> Result<Value, String> {
    let address = match source {
        MediaSource::Base64 { media_type, data } => {
            return Ok(json!({"inlineData": {"mimeType": media_type, "data": data}}));
        }
        MediaSource::Url(url) => url.clone(),
        MediaSource::FileId(id) => match (id, service.files) {
            (uri, _) if uri.contains("://") => uri.clone(),
            (id, Files::CloudStorage) => {
                return Err(format!(
                    "holds the file {id:?}, but {} has no files by id; upload it to Cloud Storage, \
                     and give its address, such as \"gs://bucket/a.pdf\", or give the bytes",
                    service.name
                ));
            }
            (name, Files::Uploaded) if name.starts_with("files/") => format!("{FILES}{name}"),
            (id, Files::Uploaded) => format!("{FILES}files/{id}"),
        },
    };
    if service.files == Files::CloudStorage && YOUTUBE.iter().any(|at| address.starts_with(at)) {
        return Ok(json!({"fileData": {"mimeType": "video/mp4", "fileUri": address}}));
    }
    let is_url = matches!(source, MediaSource::Url(_)) || service.files == Files::CloudStorage;
    match media_type(&address).filter(|_| is_url) {
        Some(media_type) => Ok(json!({"fileData": {"mimeType": media_type, "fileUri": address}})),
        None if service.files == Files::CloudStorage => Err(format!(
            "holds a file by address whose media type the address does not tell, but {} needs it; \
             use an address that ends in .pdf or .png, for example, or give the bytes",
            service.name
        )),
        None => Ok(json!({"fileData": {"fileUri": address}})),
    }
}

/// Returns the media type that the ending of an address tells.
fn media_type(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, media_type)| *media_type)
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
            let image = image(&Image::from_source(source), &Service::GEMINI);
            assert_eq!(image.unwrap(), expected);
        }
    }

    #[test]
    fn a_documents_name_comes_before_it() {
        let file = json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}});
        let pdf = Document::from_bytes("application/pdf", b"%PDF-");
        let document = |given: &Document| document(given, &Service::GEMINI);
        assert_eq!(document(&pdf).unwrap(), std::slice::from_ref(&file));
        assert_eq!(document(&pdf.name("a.pdf")).unwrap(), [json!({"text": "a.pdf"}), file]);
        let clip = Document::from_bytes("audio/mp3", b"x");
        assert_eq!(document(&clip).unwrap()[0]["inlineData"]["mimeType"], "audio/mp3");
    }

    #[test]
    fn images_of_other_types_are_rejected() {
        let error =
            image(&Image::from_bytes("image/gif", b"GIF89a"), &Service::GEMINI).unwrap_err();
        assert!(error.contains("\"image/gif\"") && error.contains("convert it"), "{error}");
    }

    #[test]
    fn vertex_takes_addresses_with_a_known_media_type() {
        let image = |source| image(&Image::from_source(source), &Service::VERTEX);
        let file = |media_type: &str, uri: &str| {
            Ok(json!({"fileData": {"mimeType": media_type, "fileUri": uri}}))
        };
        for (source, expected) in [
            (MediaSource::Url("gs://b/a.png".into()), file("image/png", "gs://b/a.png")),
            (MediaSource::FileId("gs://b/a.JPG".into()), file("image/jpeg", "gs://b/a.JPG")),
            (
                MediaSource::Url("https://youtu.be/x".into()),
                file("video/mp4", "https://youtu.be/x"),
            ),
            (MediaSource::Url("gs://b/a".into()), Err("Vertex AI needs it; use an address")),
            (MediaSource::FileId("files/abc".into()), Err("Vertex AI has no files by id; upload")),
        ] {
            match (image(source), expected) {
                (Ok(part), Ok(expected)) => assert_eq!(part, expected),
                (Err(problem), Err(expected)) => assert!(problem.contains(expected), "{problem}"),
                (got, expected) => panic!("{got:?}, expected {expected:?}"),
            }
        }
    }
}
