//! One model.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::time::SystemTime;

use super::{Capabilities, ModelApi, ModelDate, ModelStatus, Thinking};
use crate::chat::{Provider, ReasoningEffort};
use crate::family::Traits;

/// A string of the table or of the program.
type Text = Cow<'static, str>;

/// A model at a provider, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Model {
    /// The id of its provider.
    pub provider: Provider,
    /// Its name at the provider.
    pub id: Text,
    /// The family that it belongs to, such as `claude-opus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Text>,
    /// What it accepts, and how much of it.
    #[serde(flatten)]
    pub capabilities: Capabilities,
    /// The efforts of reasoning that it accepts; empty if they are unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub efforts: Vec<ReasoningEffort>,
    /// What it writes besides text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<Modality>,
    /// How it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ModelApi>,
    /// Whether it takes OpenAI's newer parameters: `max_completion_tokens` and the role
    /// `developer`, in place of `max_tokens` and `system`. A client asks this only where a
    /// provider's models differ in it ([`OutputLimit::ByModel`](crate::provider::OutputLimit)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_parameters: Option<bool>,
    /// How a request sets how much it thinks, if it is a Claude or a Gemini.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Whether its weights can be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_weights: Option<bool>,
    /// When its knowledge ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<ModelDate>,
    /// When it was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<ModelDate>,
    /// When its provider stops serving it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires: Option<ModelDate>,
    /// The model that its provider names as its successor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<Text>,
    /// How good it is, from 0 to 100, as the program sees it. The table has no figures: its sources
    /// publish none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// Where it is served, such as `eu-west-1`, as the program knows it; empty if unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Text>,
}

/// What a model can read or write besides text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Modality {
    /// Images.
    Image,
    /// Sound.
    Audio,
    /// Moving images.
    Video,
}

/// The members of a model in a file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Members {
    family: Option<String>,
    efforts: Vec<ReasoningEffort>,
    output: Vec<Modality>,
    api: Option<ModelApi>,
    newer_parameters: Option<bool>,
    thinking: Option<Thinking>,
    open_weights: Option<bool>,
    knowledge: Option<ModelDate>,
    released: Option<ModelDate>,
    retires: Option<ModelDate>,
    successor: Option<String>,
    #[serde(deserialize_with = "read_quality")]
    quality: Option<f64>,
    regions: Vec<String>,
    context_window: Option<u64>,
    max_input: Option<u64>,
    max_output: Option<u64>,
    images: Option<bool>,
    documents: Option<bool>,
    audio: Option<bool>,
    video: Option<bool>,
    tools: Option<bool>,
    parallel_tools: Option<bool>,
    schema: Option<bool>,
    reasoning: Option<bool>,
    temperature: Option<bool>,
    status: Option<ModelStatus>,
}

impl Model {
    /// Makes a model of which nothing is known.
    pub fn new(provider: impl Into<Provider>, id: impl Into<Text>) -> Self {
        Self {
            provider: provider.into(),
            id: id.into(),
            family: None,
            capabilities: Capabilities::default(),
            efforts: Vec::new(),
            output: Vec::new(),
            api: None,
            newer_parameters: None,
            thinking: None,
            open_weights: None,
            knowledge: None,
            released: None,
            retires: None,
            successor: None,
            quality: None,
            regions: Vec::new(),
        }
    }

    /// Its name as `provider/model`, as requests use it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }

    /// Sets what it accepts. Default: unknown.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets how good it is, from 0 to 100, for [`Needs::quality`](super::Needs::quality): the share
    /// of your own tests that it passes, for example. A number outside that range counts as the
    /// nearest one within it. Default: unknown.
    #[must_use]
    pub fn quality(mut self, quality: f64) -> Self {
        self.quality = (!quality.is_nan()).then(|| quality.clamp(0.0, 100.0));
        self
    }

    /// Sets where it is served, such as `eu-west-1`, for [`Needs::regions`](super::Needs::regions).
    /// Default: unknown.
    #[must_use]
    pub fn regions<T: Into<Text>>(mut self, regions: impl IntoIterator<Item = T>) -> Self {
        self.regions = regions.into_iter().map(Into::into).collect();
        self
    }

    /// Returns its status at this moment: `Retired` from its retirement date on, and otherwise the
    /// status in its capabilities. Routes ignore the date.
    pub fn status(&self, at: SystemTime) -> Option<ModelStatus> {
        let (status, _) = self.status_on(ModelDate::on(at));
        status
    }

    /// Its status on a day, and the date of its retirement if that has come.
    pub(super) fn status_on(&self, day: ModelDate) -> (Option<ModelStatus>, Option<ModelDate>) {
        match self.retires.filter(|date| *date <= day) {
            Some(date) => (Some(ModelStatus::Retired), Some(date)),
            None => (self.capabilities.status, None),
        }
    }

    /// Whether it is deprecated, or its end is announced.
    pub(crate) fn is_leaving(&self) -> bool {
        self.capabilities.status == Some(ModelStatus::Deprecated) || self.retires.is_some()
    }

    /// Returns what a request to it depends on: what is known here, and what `guessed` says about
    /// the rest.
    pub(crate) fn traits(&self, guessed: Traits) -> Traits {
        let is_newer = self.newer_parameters.unwrap_or(guessed.newer_parameters);
        // Its efforts are known, and none of them turns thinking off.
        let lacks_off = !self.efforts.is_empty() && !self.efforts.contains(&ReasoningEffort::None);
        Traits {
            api: self.api.filter(|api| *api != ModelApi::Embeddings).unwrap_or(guessed.api),
            newer_parameters: is_newer,
            // All of OpenAI's models with the newer parameters reason.
            encrypted_reasoning: self.newer_parameters.unwrap_or(guessed.encrypted_reasoning),
            thinking: self.thinking.or(guessed.thinking),
            never_thinks: self.capabilities.reasoning.map_or(guessed.never_thinks, |can| !can),
            always_thinks: lacks_off || guessed.always_thinks,
            ..guessed
        }
    }

    /// Makes it from the members in a file.
    pub(super) fn read(provider: &str, id: String, members: Members) -> Self {
        Self {
            provider: provider.into(),
            id: id.into(),
            family: members.family.map(Cow::Owned),
            capabilities: Capabilities {
                context_window: members.context_window,
                max_input: members.max_input,
                max_output: members.max_output,
                images: members.images,
                documents: members.documents,
                audio: members.audio,
                video: members.video,
                tools: members.tools,
                parallel_tools: members.parallel_tools,
                schema: members.schema,
                reasoning: members.reasoning,
                temperature: members.temperature,
                status: members.status,
            },
            efforts: members.efforts,
            output: members.output,
            api: members.api,
            newer_parameters: members.newer_parameters,
            thinking: members.thinking,
            open_weights: members.open_weights,
            knowledge: members.knowledge,
            released: members.released,
            retires: members.retires,
            successor: members.successor.map(Cow::Owned),
            quality: members.quality,
            regions: members.regions.into_iter().map(Cow::Owned).collect(),
        }
    }

    /// Fills what it leaves unknown from `base`.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            provider: base.provider,
            id: base.id,
            family: self.family.or(base.family),
            capabilities: self.capabilities.or(base.capabilities),
            efforts: if self.efforts.is_empty() { base.efforts } else { self.efforts },
            output: if self.output.is_empty() { base.output } else { self.output },
            api: self.api.or(base.api),
            newer_parameters: self.newer_parameters.or(base.newer_parameters),
            thinking: self.thinking.or(base.thinking),
            open_weights: self.open_weights.or(base.open_weights),
            knowledge: self.knowledge.or(base.knowledge),
            released: self.released.or(base.released),
            retires: self.retires.or(base.retires),
            successor: self.successor.or(base.successor),
            quality: self.quality.or(base.quality),
            regions: if self.regions.is_empty() { base.regions } else { self.regions },
        }
    }
}

fn read_quality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let quality = Option::<f64>::deserialize(deserializer)?;
    match quality.filter(|quality| !(0.0..=100.0).contains(quality)) {
        None => Ok(quality),
        Some(wrong) => {
            Err(D::Error::custom(format!("the quality is {wrong}; set a number from 0 to 100")))
        }
    }
}
