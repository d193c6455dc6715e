//! The path of a request, below the base URL.

use crate::path_segment;
use crate::wire::Delivery;

/// Returns the path for a model: `/models/{model}:generateContent`, or its method for streams.
/// Without `alt=sse` a stream is one JSON list (ai.google.dev/api/generate-content).
///
/// A collection in the model's name (`models/…`, `tunedModels/…`) replaces `/models`.
pub(super) fn path(model: &str, delivery: Delivery) -> String {
    let method = match delivery {
        Delivery::Whole => "generateContent",
        Delivery::Stream => "streamGenerateContent?alt=sse",
    };
    method_path(model, method)
}

/// Returns the path of a model's method.
pub(in crate::wire) fn method_path(model: &str, method: &str) -> String {
    let collection = if has_collection(model) { "" } else { "/models" };
    let segments: Vec<_> = model.split('/').map(path_segment::encode).collect();
    format!("{collection}/{}:{method}", segments.join("/"))
}

/// Returns the name of a model as a resource, with its collection.
pub(in crate::wire) fn resource(model: &str) -> String {
    let collection = if has_collection(model) { "" } else { "models/" };
    format!("{collection}{model}")
}

fn has_collection(model: &str) -> bool {
    ["models/", "tunedModels/"].iter().any(|name| model.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_model() {
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
