//! Encodes images and documents as blocks.

use serde_json::{Value, json};
use std::collections::HashSet;

use crate::chat::{Document, Image, MediaSource};
use crate::wire::json::object_of;
use crate::wire::media;

/// `ImageFormat`.
const IMAGES: [(&str, &str); 4] =
    [("image/png", "png"), ("image/jpeg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];

/// `DocumentFormat`.
const DOCUMENTS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

/// The most characters of a document's name (`DocumentBlockNameString`).
const LONGEST_NAME: usize = 200;

pub(super) fn image(image: &Image) -> Result<Value, String> {
    let source = media::image(image)?;
    let (format, source) = match &*source {
        MediaSource::Base64 { media_type, data } => {
            let format = IMAGES.iter().find(|(known, _)| known == media_type);
            let Some((_, format)) = format else {
                return Err(format!(
                    "holds an image of type {media_type:?}, but Bedrock accepts only PNG, JPEG, GIF \
                     and WebP; convert it"
                ));
            };
            (*format, object_of!("bytes": data.as_str().into()))
        }
        elsewhere => {
            let (uri, extension) = object_in_s3(elsewhere, "an image")?;
            let extension = if extension == "jpg" { "jpeg" } else { &extension };
            let format = IMAGES.iter().find(|(_, format)| *format == extension);
            let Some((_, format)) = format else {
                return Err(
                    "holds an image in S3 whose name does not end with .png, .jpg, .gif or \
                            .webp, so its type is unknown; rename it"
                        .into(),
                );
            };
            (*format, location(uri))
        }
    };
    Ok(json!({"image": {"format": format, "source": source}}))
}

/// Encodes a document under a name that no other document of the conversation has.
pub(super) fn document(document: &Document, names: &mut Names) -> Result<Value, String> {
    let source = media::document(&document.source)?;
    let (format, source) = match &*source {
        MediaSource::Base64 { media_type, data } => {
            let kind = media_type.split(';').next().unwrap_or_default().trim();
            let known = DOCUMENTS.iter().find(|(known, _)| kind.eq_ignore_ascii_case(known));
            let format = match known {
                Some((_, format)) => *format,
                // Source code, JSON and the like.
                None if media::text(media_type, data).is_some() => "txt",
                None => {
                    return Err(format!(
                        "holds a document of type {media_type:?}, but Bedrock accepts only PDF, text \
                         and Office files; convert it"
                    ));
                }
            };
            (format, object_of!("bytes": data.as_str().into()))
        }
        elsewhere => {
            let (uri, extension) = object_in_s3(elsewhere, "a document")?;
            let Some((_, format)) = DOCUMENTS.iter().find(|(_, format)| *format == extension)
            else {
                return Err(
                    "holds a document in S3 whose name does not end with a known extension, \
                            such as .pdf or .txt; rename it"
                        .into(),
                );
            };
            (*format, location(uri))
        }
    };
    let name = names.unique(document.name.as_deref().unwrap_or_default());
    Ok(json!({"document": {"format": format, "name": name, "source": source}}))
}

fn location(uri: &str) -> Value {
    json!({"s3Location": {"uri": uri}})
}

/// The URI of an object in S3, and its extension.
fn object_in_s3<'a>(source: &'a MediaSource, what: &str) -> Result<(&'a str, String), String> {
    match source {
        MediaSource::Url(uri) if uri.starts_with("s3://") => {
            let name = uri.rsplit('/').next().unwrap_or_default();
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            Ok((uri, extension.to_ascii_lowercase()))
        }
        MediaSource::Url(_) => Err(format!(
            "holds {what} by URL, but Bedrock fetches only from S3 (s3://…); give the bytes instead"
        )),
        _ => Err(format!(
            "holds {what} by file id, which Bedrock does not have; give the bytes instead"
        )),
    }
}

/// The names of a conversation's documents.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Makes a name valid and unique. It "can only contain" letters, digits, hyphens, parentheses,
    /// square brackets and single spaces (`DocumentBlock`), so a dot becomes a hyphen.
    fn unique(&mut self, wanted: &str) -> String {
        let mut name = String::new();
        for char in wanted.chars().take(LONGEST_NAME - 10) {
            let char = match char {
                char if char.is_whitespace() => ' ',
                char if char.is_ascii_alphanumeric() || "-()[]".contains(char) => char,
                _ => '-',
            };
            if char != ' ' || !name.ends_with(' ') {
                name.push(char);
            }
        }
        let name = name.trim();
        let name = if name.is_empty() { "document" } else { name };
        let mut unique = name.to_owned();
        let mut number = 2;
        while !self.0.insert(unique.to_ascii_lowercase()) {
            unique = format!("{name} {number}");
            number += 1;
        }
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

    #[test]
    fn images_are_bytes_or_objects_in_s3() {
        let bytes = image(&Image::from_bytes("image/png", PNG)).unwrap();
        assert_eq!(bytes, json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}));
        let stored = image(&Image::from_url("s3://bucket/a/b.JPG")).unwrap();
        let expected =
            json!({"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a/b.JPG"}}});
        assert_eq!(stored["image"], expected);
        for (refused, expected) in [
            (Image::from_bytes("image/tiff", b"II*\0"), "PNG, JPEG, GIF and WebP"),
            (Image::from_url("https://x/y.png"), "give the bytes instead"),
            (Image::from_url("s3://bucket/a"), "rename it"),
        ] {
            assert!(image(&refused).unwrap_err().contains(expected));
        }
    }

    #[test]
    fn documents_have_a_format_and_a_name() {
        let mut names = Names::default();
        let pdf = Document::from_bytes("application/pdf", b"%PDF-1.7").name("Report_2026.pdf");
        let made = document(&pdf, &mut names).unwrap();
        assert_eq!(
            made,
            json!({"document": {"format": "pdf", "name": "Report-2026-pdf",
                "source": {"bytes": "JVBERi0xLjc="}}})
        );
        for (kind, format) in [
            ("text/plain; charset=utf-8", "txt"),
            ("text/markdown", "md"),
            ("text/x-rust", "txt"),
            ("application/json", "txt"),
            ("application/vnd.ms-excel", "xls"),
        ] {
            let made = document(&Document::from_bytes(kind, b"a"), &mut names).unwrap();
            assert_eq!(made["document"]["format"], format, "{kind}");
        }
        for (refused, expected) in [
            (Document::from_bytes("application/zip", b"PK"), "PDF, text and Office files"),
            (Document::from_url("https://x/y.pdf"), "give the bytes instead"),
            (Document::from_file_id("f"), "by file id"),
        ] {
            assert!(document(&refused, &mut names).unwrap_err().contains(expected));
        }
    }

    #[test]
    fn names_are_valid_and_unique() {
        let mut names = Names::default();
        for (wanted, expected) in [
            ("a", "a"),
            ("a", "a 2"),
            ("A", "A 3"),
            ("", "document"),
            ("", "document 2"),
            (" x \n y ", "x y"),
            ("Bericht (März) [1].docx", "Bericht (M-rz) [1]-docx"),
        ] {
            assert_eq!(names.unique(wanted), expected);
        }
        assert!(names.unique(&"é".repeat(500)).len() <= LONGEST_NAME);
    }
}
