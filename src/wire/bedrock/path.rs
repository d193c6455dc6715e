//! The path of a request, below the base URL.

use crate::path_segment;
use crate::wire::Delivery;

/// Returns the path for a model: an id with colons, an inference profile, or an ARN, whose slashes
/// are encoded too, because it is one segment (`requestUri` of the service's description).
pub(super) fn path(model: &str, delivery: Delivery) -> String {
    let operation = match delivery {
        Delivery::Whole => "converse",
        Delivery::Stream => "converse-stream",
    };
    format!("/model/{}/{operation}", path_segment::encode(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_one_segment_of_the_path() {
        for (model, expected) in [
            ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1%3A0"),
            ("eu.anthropic.claude-opus-4-8-v1:0", "eu.anthropic.claude-opus-4-8-v1%3A0"),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0",
                "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile\
                 %2Fus.amazon.nova-pro-v1%3A0",
            ),
            ("../a?b#c", "..%2Fa%3Fb%23c"),
        ] {
            assert_eq!(path(model, Delivery::Whole), format!("/model/{expected}/converse"));
            assert_eq!(path(model, Delivery::Stream), format!("/model/{expected}/converse-stream"));
        }
    }
}
