//! The media types of images and documents, as programs declare them and as the first bytes show.

use std::borrow::Cow;

/// Detects the media type from the first bytes; `None` if they are unknown, as for plain text. The
/// signatures are from the WHATWG's "MIME Sniffing" (sections 6.1 and 7.1) and, for HEIC and AVIF,
/// from ISO/IEC 23008-12.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<&'static str> {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    let at = |start: usize, signature: &[u8]| {
        bytes.get(start..).is_some_and(|rest| rest.starts_with(signature))
    };
    Some(if starts(b"\x89PNG\r\n\x1a\n") {
        "image/png"
    } else if starts(b"\xff\xd8\xff") {
        "image/jpeg"
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        "image/gif"
    } else if starts(b"RIFF") && at(8, b"WEBP") {
        "image/webp"
    } else if starts(b"II*\0") || starts(b"MM\0*") {
        "image/tiff"
    } else if at(4, b"ftypavif") || at(4, b"ftypavis") {
        "image/avif"
    } else if at(4, b"ftyphei") || at(4, b"ftypmif1") || at(4, b"ftyphevc") {
        "image/heic"
    } else if starts(b"BM") && at(6, b"\0\0\0\0") {
        "image/bmp"
    } else if starts(b"%PDF-") {
        "application/pdf"
    } else {
        return None;
    })
}

/// Returns the registered media type (iana.org/assignments/media-types) for common misspellings:
/// `image/jpg`, `png`, `.pdf`.
pub(crate) fn registered(declared: &str) -> Cow<'_, str> {
    let essence = declared.split(';').next().unwrap_or_default().trim();
    let known = |name: &str| match name.to_ascii_lowercase().as_str() {
        "png" | "image/png" | "image/x-png" | "image/apng" => Some("image/png"),
        "jpg" | "jpeg" | "jpe" | "jfif" | "image/jpg" | "image/jpe" | "image/jfif"
        | "image/pjpeg" | "image/x-jpeg" | "image/jpeg" => Some("image/jpeg"),
        "gif" | "image/gif" => Some("image/gif"),
        "webp" | "image/webp" | "image/x-webp" => Some("image/webp"),
        "heic" | "image/heic" => Some("image/heic"),
        "pdf" | "application/pdf" | "application/x-pdf" => Some("application/pdf"),
        "txt" | "text" | "plain" | "text/txt" | "text/plain" => Some("text/plain"),
        "md" | "markdown" | "text/md" | "text/x-markdown" => Some("text/markdown"),
        "csv" | "text/x-csv" | "application/csv" => Some("text/csv"),
        "html" | "htm" => Some("text/html"),
        "json" | "text/json" => Some("application/json"),
        "xml" => Some("application/xml"),
        _ => None,
    };
    match known(essence.trim_start_matches('.')) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Borrowed(essence),
    }
}

/// Returns true if content of this registered media type is readable text.
pub(crate) fn is_text(media_type: &str) -> bool {
    let name = media_type.to_ascii_lowercase();
    name.starts_with("text/")
        || name.ends_with("+json")
        || name.ends_with("+xml") && !name.starts_with("image/")
        || [
            "application/json",
            "application/xml",
            "application/yaml",
            "application/x-yaml",
            "application/toml",
            "application/javascript",
            "application/x-javascript",
            "application/typescript",
            "application/x-sh",
            "application/x-ndjson",
            "application/jsonl",
            "application/sql",
            "application/x-tex",
        ]
        .contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_the_media_type() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"GIF89a..", Some("image/gif")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"II*\0\x08\0", Some("image/tiff")),
            (b"\0\0\0\x18ftypheic\0\0", Some("image/heic")),
            (b"\0\0\0\x18ftypavif\0\0", Some("image/avif")),
            (b"BM\x36\0\0\0\0\0\0\0", Some("image/bmp")),
            (b"BMW is a maker of cars", None),
            (b"%PDF-1.7\n", Some("application/pdf")),
            (b"plain text", None),
            (b"", None),
        ] {
            assert_eq!(of_bytes(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn common_spellings_map_to_registered_types() {
        for (declared, expected) in [
            ("image/jpg", "image/jpeg"),
            ("IMAGE/JPEG; charset=binary", "image/jpeg"),
            ("png", "image/png"),
            (".PNG", "image/png"),
            ("image/x-png", "image/png"),
            ("pdf", "application/pdf"),
            ("application/x-pdf", "application/pdf"),
            ("md", "text/markdown"),
            ("text/markdown; charset=utf-8", "text/markdown"),
            ("image/tiff", "image/tiff"),
            ("whatever", "whatever"),
            ("", ""),
        ] {
            assert_eq!(registered(declared), expected);
        }
        for (name, text) in [
            ("text/markdown", true),
            ("application/json", true),
            ("application/ld+json", true),
            ("image/svg+xml", false),
            ("application/pdf", false),
            ("application/octet-stream", false),
        ] {
            assert_eq!(is_text(name), text, "{name}");
        }
    }
}
