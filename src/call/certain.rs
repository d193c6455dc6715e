//! What a provider certainly answers with an error, of all that its models cannot do.
//!
//! A catalogue can be wrong, and many servers ignore what a model cannot do, or do it themselves. A
//! call is refused only where its provider is known to refuse it.

use crate::catalogue::Capabilities;
use crate::chat::ReasoningEffort;
use crate::provider::{Format, ImageInput, ModelNames, Profile, ReasoningControl, ResponseFormats};

/// What a provider refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Refusals {
    /// Images, sound and tools for a model without them, and a prompt beyond the window.
    basics: bool,
    /// A schema for a model that has none.
    schemas: bool,
    /// A reasoning effort that the model does not have, and sampling that it does not accept.
    settings: bool,
    /// An output limit above the model's own.
    output_limits: bool,
    /// Whether switching reasoning off is an effort like any other.
    off_is_effort: bool,
    /// Whether the window holds the prompt alone, and the answer has a limit of its own.
    window_is_input: bool,
}

impl Refusals {
    /// What a provider refuses, by its own pages and its recorded answers:
    ///
    /// - OpenAI: `unsupported_parameter` and `unsupported_value` for settings ("Only the default (1)
    ///   value is supported"), "max_tokens is too large: … This model supports at most …", "Invalid
    ///   parameter: 'response_format' of type 'json_schema' is not supported with this model".
    /// - Anthropic: "This model does not support effort level …" (recorded), "max_tokens: … which is
    ///   the maximum allowed number of output tokens", and a 400 for sampling parameters from Claude
    ///   Opus 4.7 on (its page "What's new in Claude Opus 4.7").
    /// - Groq: "`max_completion_tokens` must be less than or equal to …", "`reasoning_effort` is not
    ///   supported with this model".
    /// - Gemini: an output limit outside the "supported range", and separate limits for input and
    ///   output (ai.google.dev/gemini-api/docs/models).
    /// - Cohere: "too many tokens: max tokens must be less than or equal to …".
    ///
    /// Gateways choose among several hosts, drop what a model cannot do, shorten prompts and read
    /// documents themselves (OpenRouter's pages "Message Transforms" and "PDF Inputs"). At Azure the
    /// name is that of a deployment, which its owner chose. Neither refuses anything here.
    pub(super) fn of(profile: &Profile) -> Self {
        if profile.model_names == ModelNames::Gateway || profile.id.as_str().starts_with("azure") {
            return Self::default();
        }
        let basics = Self { basics: true, ..Self::default() };
        let with = |settings, output_limits| Self { settings, output_limits, ..basics };
        match profile.id.as_str() {
            "openai" => Self { schemas: true, off_is_effort: true, ..with(true, true) },
            "anthropic" | "groq" => with(true, true),
            "gemini" => Self { window_is_input: true, ..with(false, true) },
            "vertex" => Self { window_is_input: true, ..basics },
            "cohere" => with(false, true),
            _ => basics,
        }
    }

    /// What is certain of a model with these capabilities.
    pub(super) fn certain(self, known: Capabilities, efforts: &[ReasoningEffort]) -> Capabilities {
        let mut certain = Capabilities { status: known.status, ..Capabilities::default() };
        if self.basics {
            (certain.images, certain.tools) = (known.images, known.tools);
            (certain.audio, certain.video) = (known.audio, known.video);
            certain.max_input = known.max_input;
            certain.context_window = known.context_window;
        }
        if self.window_is_input {
            certain.max_input = known.max_input.or(known.context_window);
            certain.context_window = None;
        }
        if self.schemas {
            certain.schema = known.schema;
        }
        if self.settings {
            certain.reasoning = known.reasoning;
            // Models that can stop reasoning accept a temperature without it.
            let always_reasons = !efforts.is_empty() && !efforts.contains(&ReasoningEffort::None);
            certain.temperature = known.temperature.filter(|_| always_reasons);
        }
        if self.output_limits {
            certain.max_output = known.max_output;
        }
        certain
    }

    /// The efforts, if others are certainly refused.
    pub(super) fn efforts(self, known: &[ReasoningEffort]) -> Vec<ReasoningEffort> {
        if !self.settings || known.is_empty() {
            return Vec::new();
        }
        let mut efforts = known.to_vec();
        if !self.off_is_effort && !efforts.contains(&ReasoningEffort::None) {
            efforts.insert(0, ReasoningEffort::None);
        }
        efforts
    }
}

/// What a provider's profile rules out for all its models.
pub(super) fn of_profile(profile: &Profile) -> Capabilities {
    if profile.format != Some(Format::OpenAiChat) {
        return Capabilities::default();
    }
    let dialect = &profile.dialect;
    let not = |unsupported: bool| unsupported.then_some(false);
    Capabilities {
        images: not(dialect.images == ImageInput::Unsupported),
        documents: not(!dialect.files),
        schema: not(dialect.response_formats == ResponseFormats::JsonObject),
        reasoning: not(dialect.reasoning_control == ReasoningControl::Unsupported),
        ..Capabilities::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReasoningEffort::{High, Low, None as Off};

    fn refusals(provider: &str) -> Refusals {
        Refusals::of(&Profile::builtin(provider).expect("a built-in provider"))
    }

    #[test]
    fn only_what_a_provider_refuses_is_certain() {
        let unable = Capabilities::default()
            .context_window(1_000)
            .max_output(100)
            .images(false)
            .documents(false)
            .tools(false)
            .schema(false)
            .reasoning(false)
            .temperature(false);
        let basics = Capabilities::default().context_window(1_000).images(false).tools(false);
        let settings = basics.max_output(100).reasoning(false).temperature(false);
        let input = Capabilities { context_window: None, max_input: Some(1_000), ..basics };
        for (provider, expected) in [
            ("openai", settings.schema(false)),
            ("anthropic", settings),
            ("groq", settings),
            ("cohere", basics.max_output(100)),
            ("gemini", input.max_output(100)),
            ("vertex", input),
            ("mistral", basics),
            ("together", basics),
            // These serve what the model alone could not, or name no model.
            ("openrouter", Capabilities::default()),
            ("litellm", Capabilities::default()),
            ("azure", Capabilities::default()),
            ("azure-deployments", Capabilities::default()),
        ] {
            assert_eq!(refusals(provider).certain(unable, &[Low, High]), expected, "{provider}");
        }
    }

    #[test]
    fn a_temperature_is_refused_only_by_models_that_always_reason() {
        let fixed = Capabilities::default().temperature(false);
        for (efforts, expected) in
            [(&[Low, High][..], Some(false)), (&[Off, Low], None), (&[], None)]
        {
            assert_eq!(refusals("openai").certain(fixed, efforts).temperature, expected);
        }
    }

    #[test]
    fn unknown_efforts_refuse_none_and_most_providers_can_switch_reasoning_off() {
        for (provider, known, expected) in [
            ("openai", &[Low, High][..], &[Low, High][..]),
            ("openai", &[], &[]),
            ("anthropic", &[Low, High], &[Off, Low, High]),
            ("mistral", &[Low], &[]),
        ] {
            assert_eq!(refusals(provider).efforts(known), expected, "{provider}");
        }
    }
}
