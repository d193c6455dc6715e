//! Which calls a provider certainly answers with an error, because their model cannot serve them.
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
    /// A schema for a model that has none, and documents for one without vision.
    schemas_and_files: bool,
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
    /// What a provider refuses:
    ///
    /// - OpenAI: "max_tokens is too large: 8192. This model supports at most 4096 completion tokens"
    ///   (NextChat #3195), `unsupported_parameter` and `unsupported_value` for settings, a schema
    ///   for a model without structured outputs, and files for a model without vision (its page
    ///   "File inputs").
    /// - Anthropic: "This model does not support effort level …" (recorded), and any other sampling
    ///   than the default from Claude Opus 4.7 on (models.dev #1468).
    /// - Groq: "`max_completion_tokens` must be less than or equal to …" (khoj #1236), and
    ///   "`reasoning_effort` is not supported with this model".
    /// - Google: "The input token count (…) exceeds the maximum number of tokens allowed (1048576)"
    ///   (gemini-cli #6678); the answer has a limit of its own (ai.google.dev/gemini-api/docs/models).
    ///
    /// Cohere caps an output limit above the model's own (cohere-developer-experience #600). Gateways
    /// choose among several hosts, drop what a model cannot do, shorten prompts and read documents
    /// themselves (OpenRouter's pages "Message Transforms" and "PDF Inputs"). At Azure the name is
    /// that of a deployment, which its owner chose. Neither refuses anything here.
    pub(super) fn of(profile: &Profile) -> Self {
        if profile.model_names == ModelNames::Gateway || profile.id.as_str().starts_with("azure") {
            return Self::default();
        }
        let basics = Self { basics: true, ..Self::default() };
        let settings = Self { settings: true, output_limits: true, ..basics };
        match profile.id.as_str() {
            "openai" => Self { schemas_and_files: true, off_is_effort: true, ..settings },
            "anthropic" | "groq" => settings,
            "gemini" | "vertex" => Self { window_is_input: true, ..basics },
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
        if self.schemas_and_files {
            certain.schema = known.schema;
            certain.documents = known.documents.filter(|_| known.images == Some(false));
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
            ("openai", settings.schema(false).documents(false)),
            ("anthropic", settings),
            ("groq", settings),
            ("cohere", basics),
            ("gemini", input),
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
