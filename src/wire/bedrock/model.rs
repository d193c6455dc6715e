//! The vendor of a model, by the model's name.

/// The vendors whose models have settings of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Vendor {
    Anthropic,
    /// Nova from its second generation on, which can reason.
    Nova2,
    OpenAi,
    Mistral,
    /// Another vendor, or an ARN that does not name the model.
    Other,
}

impl Vendor {
    /// Finds the vendor in the id of a model, in that of an inference profile, which puts a region
    /// before it, or in an ARN that ends with either.
    pub(in crate::wire) fn of(model: &str) -> Self {
        let model = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let has = |vendor: &str| model.starts_with(vendor) || model.contains(&format!(".{vendor}"));
        if has("anthropic.") {
            Self::Anthropic
        } else if has("amazon.nova-2") {
            Self::Nova2
        } else if has("openai.") {
            Self::OpenAi
        } else if has("mistral.") {
            Self::Mistral
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_is_found_in_every_kind_of_name() {
        for (model, expected) in [
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", Vendor::Anthropic),
            ("global.anthropic.claude-opus-4-8-v1:0", Vendor::Anthropic),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-8-v1:0",
                Vendor::Anthropic,
            ),
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0", Vendor::Nova2),
            ("us.amazon.nova-2-lite-v1:0", Vendor::Nova2),
            ("amazon.nova-lite-v1:0", Vendor::Other),
            ("openai.gpt-oss-120b-1:0", Vendor::OpenAi),
            ("mistral.pixtral-large-2502-v1:0", Vendor::Mistral),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", Vendor::Other),
            ("notanthropic.x", Vendor::Other),
        ] {
            assert_eq!(Vendor::of(model), expected, "{model}");
        }
    }
}
