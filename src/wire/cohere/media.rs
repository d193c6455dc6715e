//! Encodes images and documents.

use serde_json::{Map, Value, json};

use crate::chat::{Document, Image, ImageDetail, MediaSource};
use crate::wire::json::object_of;
use crate::wire::media;

/// The supported kinds of image (docs.cohere.com/docs/image-inputs, "File types").
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/// `ImageContent`: a web address or a data URL, with the level of detail.
pub(super) fn image(image: &Image) -> Result<Value, String> {
    let url = match &*media::image(image)? {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64 { media_type, data } if IMAGES.contains(&media_type.as_str()) => {
            format!("data:{media_type};base64,{data}")
        }
        MediaSource::Base64 { media_type, .. } => {
            return Err(format!(
                "holds an image of type {media_type:?}, but Cohere accepts only PNG, JPEG, WebP \
                 and GIF; convert it"
            ));
        }
        MediaSource::FileId(_) => {
            return Err("holds an image by file id, but Cohere has no files; use its URL or its \
                        bytes"
                .into());
        }
    };
    let mut address = Map::with_capacity(2);
    address.insert("url".to_owned(), url.into());
    if let Some(detail) = image.detail {
        let detail = match detail {
            ImageDetail::Auto => "auto",
            ImageDetail::Low => "low",
            ImageDetail::High => "high",
        };
        address.insert("detail".to_owned(), detail.into());
    }
    Ok(object_of!("type": "image_url".into(), "image_url": address.into()))
}

/// `Document`: "a string-any dictionary", of which the model sees names and values. A JSON object
/// is sent as that dictionary, and any other text as its member `text`. The document's name becomes
/// the `title` (vercel/ai `convert-to-cohere-chat-prompt.ts`; recorded from `ruby_llm`).
pub(super) fn document(document: &Document) -> Result<Value, String> {
    let text = match &*media::document(&document.source)? {
        MediaSource::Base64 { media_type, data } => match media::text(media_type, data) {
            Some(text) => text?,
            None => {
                return Err(format!(
                    "holds a document of type {media_type:?}, but Cohere accepts only text; \
                     extract its text, or send its pages as images"
                ));
            }
        },
        MediaSource::Url(_) | MediaSource::FileId(_) => {
            return Err("holds a document by URL or file id, but Cohere accepts only text; \
                        download it, and use Document::from_bytes"
                .into());
        }
    };
    let mut data = match serde_json::from_str(&text) {
        Ok(Value::Object(members)) if !members.is_empty() => members,
        _ => Map::from_iter([("text".to_owned(), text.into())]),
    };
    if let Some(name) = document.name.as_deref().filter(|name| !name.trim().is_empty()) {
        data.entry("title").or_insert_with(|| name.into());
    }
    Ok(json!({"data": data}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_sent_by_address_or_as_a_data_url() {
        let part = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let jpeg = Image::from_bytes("image/jpg", b"\xff\xd8\xff");
        assert_eq!(image(&jpeg).unwrap(), part("data:image/jpeg;base64,/9j/"));
        let web = Image::from_url("https://x/y");
        assert_eq!(image(&web).unwrap(), part("https://x/y"));
        let low = image(&web.detail(ImageDetail::Low)).unwrap();
        assert_eq!(low["image_url"], json!({"url": "https://x/y", "detail": "low"}));
        for (refused, expected) in [
            (Image::from_bytes("image/tiff", b"II*\0"), "convert it"),
            (Image::from_source(MediaSource::FileId("f".into())), "use its URL or its bytes"),
        ] {
            let error = image(&refused).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn documents_are_dictionaries() {
        let text = Document::from_bytes("text/plain", b"Rome is the capital.");
        let facts = json!({"data": {"text": "Rome is the capital."}});
        assert_eq!(document(&text).unwrap(), facts);
        let named = document(&text.name("facts.txt")).unwrap();
        let data = json!({"text": "Rome is the capital.", "title": "facts.txt"});
        assert_eq!(named, json!({"data": data}));
        let fields = Document::from_bytes("application/json", br#"{"city": "Rome", "title": "T"}"#);
        let data = json!({"city": "Rome", "title": "T"});
        assert_eq!(document(&fields.name("n")).unwrap(), json!({"data": data}));
        let list = Document::from_bytes("application/json", b"[1]");
        assert_eq!(document(&list).unwrap(), json!({"data": {"text": "[1]"}}));
        for (refused, expected) in [
            (Document::from_bytes("application/pdf", b"%PDF-"), "extract its text"),
            (Document::from_url("https://x/y.txt"), "use Document::from_bytes"),
            (Document::from_file_id("f"), "use Document::from_bytes"),
        ] {
            let error = document(&refused).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
