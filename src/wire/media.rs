//! Checks and corrects images and documents before a format writes them.

use std::borrow::Cow;

use crate::base64;
use crate::chat::{Image, MediaSource, media_type};

/// Returns an image's source as sent: with a registered media type that matches its bytes, or with
/// a URL that a provider can fetch.
///
/// Providers compare the type with the bytes and reject a mismatch ("the image appears to be a
/// image/jpeg image", Anthropic; home-assistant/core #167208), so the bytes decide.
///
/// # Errors
///
/// What is wrong, to follow the message's index in an error.
pub(super) fn image(image: &Image) -> Result<Cow<'_, MediaSource>, String> {
    match &image.source {
        MediaSource::Url(url) => match data_url(url) {
            None => fetchable(url, "an image", "Image::from_path"),
            Some(content) => {
                let (media_type, data) = content.ok_or_else(bad_data_url)?;
                Ok(Cow::Owned(typed(image_type(media_type, data)?, data)))
            }
        },
        MediaSource::Base64 { media_type, data } => {
            let fitting = image_type(media_type, data)?;
            match fitting == *media_type {
                true => Ok(Cow::Borrowed(&image.source)),
                false => Ok(Cow::Owned(typed(fitting, data))),
            }
        }
        MediaSource::FileId(_) => Ok(Cow::Borrowed(&image.source)),
    }
}

/// Returns a data URL (RFC 2397).
pub(super) fn as_data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// Returns a document's source as sent; see [`image`].
pub(super) fn document(source: &MediaSource) -> Result<Cow<'_, MediaSource>, String> {
    match source {
        MediaSource::Url(url) => match data_url(url) {
            None => fetchable(url, "a document", "Document::from_path"),
            Some(content) => {
                let (media_type, data) = content.ok_or_else(bad_data_url)?;
                Ok(Cow::Owned(typed(document_type(media_type, data)?, data)))
            }
        },
        MediaSource::Base64 { media_type, data } => {
            let fitting = document_type(media_type, data)?;
            match fitting == *media_type {
                true => Ok(Cow::Borrowed(source)),
                false => Ok(Cow::Owned(typed(fitting, data))),
            }
        }
        MediaSource::FileId(_) => Ok(Cow::Borrowed(source)),
    }
}

/// Decodes the text of a text document.
pub(super) fn text(media_type: &str, data: &str) -> Option<Result<String, String>> {
    media_type::is_text(media_type).then(|| {
        let text = base64::decode(data).and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| {
            "holds a text document that is not UTF-8 in base64; use Document::from_bytes".to_owned()
        })
    })
}

fn typed(media_type: Cow<'_, str>, data: &str) -> MediaSource {
    MediaSource::Base64 { media_type: media_type.into_owned(), data: data.to_owned() }
}

fn image_type<'a>(declared: &'a str, data: &str) -> Result<Cow<'a, str>, String> {
    if data.is_empty() {
        return Err("holds an image without content; give its bytes".to_owned());
    }
    let detected = detected(data);
    if detected == Some("application/pdf") {
        return Err("holds a PDF as an image; use Document::from_bytes".to_owned());
    }
    let declared = match detected {
        Some(detected) => Cow::Borrowed(detected),
        None => media_type::registered(declared),
    };
    if declared.starts_with("image/") {
        return Ok(declared);
    }
    Err(match declared.split_once('/') {
        Some(_) => format!(
            "holds an image of type {declared:?}, which is not an image type; use \
             Document::from_bytes, or a type such as \"image/png\""
        ),
        None => format!(
            "holds an image of type {declared:?}, which is not a media type; give one such as \
             \"image/png\""
        ),
    })
}

fn document_type<'a>(declared: &'a str, data: &str) -> Result<Cow<'a, str>, String> {
    let detected = detected(data);
    if let Some(image) = detected.filter(|detected| detected.starts_with("image/")) {
        return Err(format!("holds an image ({image}) as a document; use Image::from_bytes"));
    }
    let declared = match detected {
        Some(detected) => Cow::Borrowed(detected),
        None => media_type::registered(declared),
    };
    if declared.contains('/') {
        return Ok(declared);
    }
    Err(format!(
        "holds a document of type {declared:?}, which is not a media type; give one such as \
         \"application/pdf\" or \"text/plain\""
    ))
}

/// Detects the media type from the first bytes.
fn detected(data: &str) -> Option<&'static str> {
    let first = data.get(..32).unwrap_or(data);
    let first = first.get(..first.len() / 4 * 4)?;
    media_type::of_bytes(&base64::decode(first)?)
}

fn bad_data_url() -> String {
    "holds a data URL without a media type or base64 content; use from_bytes instead".to_owned()
}

/// Returns the media type and content of a `data:` URL (RFC 2397). `Some(None)` if it is not in
/// base64 or has no type, `None` for any other URL.
#[expect(clippy::option_option, reason = "another URL is not a broken data URL")]
pub(super) fn data_url(url: &str) -> Option<Option<(&str, &str)>> {
    let url = url.trim();
    let scheme = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    scheme.then(|| {
        let (about, data) = url[5..].split_once(',')?;
        let split = about.len().checked_sub(";base64".len())?;
        let (media_type, base64) = (about.get(..split)?, about.get(split..)?);
        let essence = media_type.split(';').next().unwrap_or_default();
        (base64.eq_ignore_ascii_case(";base64") && essence.contains('/')).then_some((essence, data))
    })
}

/// Accepts a URL that a provider can fetch: one with a scheme other than `file`. The provider
/// decides which schemes it supports besides `https` (`gs`, `s3`). Errors do not show the URL,
/// because it can hold a signature.
fn fetchable<'a>(url: &'a str, what: &str, remedy: &str) -> Result<Cow<'a, MediaSource>, String> {
    let trimmed = url.trim();
    let scheme = trimmed.split_once("://").map(|(scheme, rest)| (scheme, rest.is_empty()));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    match scheme {
        Some((scheme, false)) if is_scheme(scheme) && !scheme.eq_ignore_ascii_case("file") => {
            Ok(Cow::Owned(MediaSource::Url(trimmed.to_owned())))
        }
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => Err(format!(
            "holds {what} with a local path, which the provider cannot read; use {remedy}"
        )),
        _ => Err(format!(
            "holds {what} with a URL without https://, which the provider cannot fetch; use \
             {remedy} for a local file, or give the full URL"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Document;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nsecret-secret-secret";

    #[test]
    fn the_bytes_decide_the_type_and_misspellings_are_corrected() {
        for (given, expected) in [
            (Image::from_bytes("image/jpg", b"foo"), "image/jpeg"),
            (Image::from_bytes("png", b"foo"), "image/png"),
            (Image::from_bytes("image/png", b"\xff\xd8\xff\xe0\0\x10JFIF\0"), "image/jpeg"),
            (Image::from_bytes("application/octet-stream", PNG), "image/png"),
            (Image::from_bytes("", PNG), "image/png"),
            (Image::from_url("data:image/jpg;base64,Zm9v"), "image/jpeg"),
            (Image::from_bytes("image/tiff", b"foo"), "image/tiff"),
        ] {
            let source = image(&given).unwrap().into_owned();
            let MediaSource::Base64 { media_type, .. } = source else { panic!() };
            assert_eq!(media_type, expected);
        }
        for (given, expected) in [
            (Document::from_bytes("pdf", b"foo"), "application/pdf"),
            (Document::from_bytes("application/octet-stream", b"%PDF-1.4 foo"), "application/pdf"),
            (Document::from_bytes("text/x-markdown", b"# foo"), "text/markdown"),
        ] {
            let source = document(&given.source).unwrap().into_owned();
            let MediaSource::Base64 { media_type, .. } = source else { panic!() };
            assert_eq!(media_type, expected);
        }
        let spaced = Image::from_url(" https://x/y.png\n");
        assert_eq!(*image(&spaced).unwrap(), MediaSource::Url("https://x/y.png".into()));
    }

    #[test]
    fn unusable_media_are_rejected_with_a_remedy_and_not_quoted() {
        for (url, expected) in [
            ("/tmp/secret.png", "Image::from_path"),
            ("secret.png", "Image::from_path"),
            ("./secret.png", "Image::from_path"),
            ("~/secret.png", "Image::from_path"),
            ("C:\\secret.png", "Image::from_path"),
            ("file:///tmp/secret.png", "a local path"),
            ("www.example.com/secret.png", "full URL"),
            ("//cdn.example/secret.png", "full URL"),
            ("https://", "full URL"),
            ("", "full URL"),
            ("data:image/png,secret", "data URL"),
            ("data:;base64,secret", "data URL"),
            ("data:é;base6,secret", "data URL"),
        ] {
            let problem = image(&Image::from_url(url)).unwrap_err();
            assert!(problem.contains(expected) && !problem.contains("secret"), "{url}: {problem}");
            let problem = document(&MediaSource::Url(url.into())).unwrap_err();
            let expected = expected.replace("Image::", "Document::");
            assert!(problem.contains(&expected) && !problem.contains("secret"), "{problem}");
        }
        for (given, expected) in [
            (Image::from_bytes("application/pdf", b"secret"), "Document::from_bytes"),
            (Image::from_bytes("image/png", b"%PDF-1.4 secret"), "holds a PDF"),
            (Image::from_bytes("bitmap", b"secret"), "\"bitmap\", which is not a media type"),
            (Image::from_bytes("", b"secret"), "\"\", which is not a media type"),
            (Image::from_bytes("image/png", b""), "without content"),
        ] {
            let problem = image(&given).unwrap_err();
            assert!(problem.contains(expected) && !problem.contains("secret"), "{problem}");
        }
        let source = MediaSource::from_bytes("application/pdf", PNG);
        assert!(document(&source).unwrap_err().contains("Image::from_bytes"));
        let source = MediaSource::from_bytes("word", b"secret");
        assert!(document(&source).unwrap_err().contains("not a media type"));
    }
}
