//! Where a model is asked, below the base URL.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::wire::Delivery;

/// The path of a model, `/models/{model}:generateContent`, which names the stream as well:
/// without `alt=sse` a stream is one JSON list (ai.google.dev/api/generate-content).
///
/// A model whose name has a collection (`models/…`, `tunedModels/…`) is asked there.
pub(super) fn path(model: &str, delivery: Delivery) -> Cow<'static, str> {
    let method = match delivery {
        Delivery::Whole => "generateContent",
        Delivery::Stream => "streamGenerateContent?alt=sse",
    };
    let mut path = String::with_capacity(model.len() + 48);
    if !["models/", "tunedModels/"].iter().any(|collection| model.starts_with(collection)) {
        path.push_str("/models");
    }
    for segment in model.split('/') {
        path.push('/');
        for byte in segment.bytes() {
            match byte {
                // Unreserved characters (RFC 3986 section 2.3).
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    path.push(char::from(byte));
                }
                byte => {
                    let _ = write!(path, "%{byte:02X}");
                }
            }
        }
    }
    path.push(':');
    path.push_str(method);
    Cow::Owned(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_a_path_of_its_own() {
        for (model, expected) in [
            ("gemini-2.5-flash", "/models/gemini-2.5-flash:generateContent"),
            ("models/gemini-2.5-flash", "/models/gemini-2.5-flash:generateContent"),
            ("tunedModels/mine", "/tunedModels/mine:generateContent"),
            ("a b:c?d#e", "/models/a%20b%3Ac%3Fd%23e:generateContent"),
        ] {
            assert_eq!(path(model, Delivery::Whole), expected);
        }
        let streamed = path("gemini-2.5-flash", Delivery::Stream);
        assert_eq!(streamed, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    }
}
