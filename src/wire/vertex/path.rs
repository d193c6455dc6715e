//! The path of a request, below the project and location in the base URL.

use super::model::Model;
use crate::path_segment;
use crate::wire::Delivery;

/// Returns the path for a Gemini model
/// (docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference). A tuned model has
/// an endpoint instead of a publisher
/// (docs.cloud.google.com/vertex-ai/generative-ai/docs/deploy/overview).
pub(super) fn gemini(model: &str, delivery: Delivery) -> String {
    method_path(
        model,
        match delivery {
            Delivery::Whole => "generateContent",
            Delivery::Stream => "streamGenerateContent?alt=sse",
        },
    )
}

/// Returns the path for a Claude model
/// (platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai; anthropic-sdk-python
/// `lib/vertex/_client.py`).
pub(super) fn claude(model: &str, delivery: Delivery) -> String {
    method_path(
        model,
        match delivery {
            Delivery::Whole => "rawPredict",
            Delivery::Stream => "streamRawPredict",
        },
    )
}

/// Returns the path of a model's method.
pub(in crate::wire) fn method_path(model: &str, method: &str) -> String {
    let Model { publisher, name } = Model::of(model);
    // Versions follow an `@`, which a path may contain (RFC 3986 section 3.3).
    let name = path_segment::encode(name).replace("%40", "@");
    match publisher {
        "" => format!("/endpoints/{name}:{method}"),
        publisher => {
            format!("/publishers/{}/models/{name}:{method}", path_segment::encode(publisher))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_publisher_model_and_method() {
        let google = "/publishers/google/models";
        for (model, expected) in [
            ("gemini-2.5-flash", format!("{google}/gemini-2.5-flash:generateContent")),
            (
                "publishers/google/models/gemini-2.5-flash",
                format!("{google}/gemini-2.5-flash:generateContent"),
            ),
            ("endpoints/123", "/endpoints/123:generateContent".to_owned()),
            ("google/../b", format!("{google}/..%2Fb:generateContent")),
            ("a b?c#d", format!("{google}/a%20b%3Fc%23d:generateContent")),
        ] {
            assert_eq!(gemini(model, Delivery::Whole), expected);
        }
        assert_eq!(
            gemini("gemini-2.5-flash", Delivery::Stream),
            format!("{google}/gemini-2.5-flash:streamGenerateContent?alt=sse")
        );
        let anthropic = "/publishers/anthropic/models/claude-sonnet-4-5@20250929";
        for (delivery, method) in
            [(Delivery::Whole, "rawPredict"), (Delivery::Stream, "streamRawPredict")]
        {
            let path = claude("claude-sonnet-4-5@20250929", delivery);
            assert_eq!(path, format!("{anthropic}:{method}"));
        }
    }
}
