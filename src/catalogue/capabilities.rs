//! What a model can do, as far as is known.

use serde::{Deserialize, Serialize};

use crate::cost::Price;

/// What a model can do, as far as is known. `None` means unknown, and what is unknown is allowed.
///
/// A client refuses a call that its model certainly cannot serve, see
/// [`ClientBuilder::check_models`](crate::ClientBuilder::check_models). A route
/// [skips](crate::route::TargetStep::CannotServe) a target for the same reasons. What
/// [`RouteTarget`](crate::route::RouteTarget) sets comes first. After it come the facts that the
/// client has: the context window and the output limit in the price table, and what the provider's
/// [profile](crate::provider::Profile) rules out.
///
/// ```
/// use tollgate::route::{Capabilities, RouteTarget};
///
/// let small = Capabilities::default().context_window(8_192).images(false).tools(false);
/// let target = RouteTarget::new("ollama/phi3").capabilities(small);
/// # let _ = target;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Capabilities {
    /// The most tokens of prompt and answer together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// The most tokens of a prompt, if that is less than the context window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_input: Option<u64>,
    /// The most tokens of an answer, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// Whether it can look at images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<bool>,
    /// Whether it can read documents such as PDFs. Plain text counts as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<bool>,
    /// Whether it can listen to sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    /// Whether it can watch videos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// Whether it can call tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<bool>,
    /// Whether it can call several tools at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tools: Option<bool>,
    /// Whether its answer can be made to match a JSON schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<bool>,
    /// Whether it accepts a reasoning effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
    /// Whether it accepts a temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<bool>,
    /// Where it is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ModelStatus>,
}

/// Where a model is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelStatus {
    /// In service.
    Active,
    /// In service for tries; it can change or end at short notice.
    Preview,
    /// Still in service, but its provider advises against it. Routes use it like any other.
    Deprecated,
    /// Out of service. Calls to a model that your program gave this status are refused before they
    /// are sent, and routes skip it. A retirement date alone does neither.
    Retired,
}

impl Capabilities {
    /// Sets the most tokens of prompt and answer together. Default: unknown.
    #[must_use]
    pub fn context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Sets the most tokens of a prompt. Default: as many as the context window holds.
    #[must_use]
    pub fn max_input(mut self, tokens: u64) -> Self {
        self.max_input = Some(tokens);
        self
    }

    /// Sets the most tokens of an answer, reasoning included. Default: unknown.
    #[must_use]
    pub fn max_output(mut self, tokens: u64) -> Self {
        self.max_output = Some(tokens);
        self
    }

    /// Sets whether it can look at images. Default: unknown.
    #[must_use]
    pub fn images(mut self, can: bool) -> Self {
        self.images = Some(can);
        self
    }

    /// Sets whether it can read documents such as PDFs. Default: unknown.
    #[must_use]
    pub fn documents(mut self, can: bool) -> Self {
        self.documents = Some(can);
        self
    }

    /// Sets whether it can listen to sound. Default: unknown.
    #[must_use]
    pub fn audio(mut self, can: bool) -> Self {
        self.audio = Some(can);
        self
    }

    /// Sets whether it can watch videos. Default: unknown.
    #[must_use]
    pub fn video(mut self, can: bool) -> Self {
        self.video = Some(can);
        self
    }

    /// Sets whether it can call tools. Default: unknown.
    #[must_use]
    pub fn tools(mut self, can: bool) -> Self {
        self.tools = Some(can);
        self
    }

    /// Sets whether it can call several tools at once. Default: unknown.
    #[must_use]
    pub fn parallel_tools(mut self, can: bool) -> Self {
        self.parallel_tools = Some(can);
        self
    }

    /// Sets whether its answer can be made to match a JSON schema. Default: unknown.
    #[must_use]
    pub fn schema(mut self, can: bool) -> Self {
        self.schema = Some(can);
        self
    }

    /// Sets whether it accepts a reasoning effort. Default: unknown.
    #[must_use]
    pub fn reasoning(mut self, can: bool) -> Self {
        self.reasoning = Some(can);
        self
    }

    /// Sets whether it accepts a temperature. Default: unknown.
    #[must_use]
    pub fn temperature(mut self, can: bool) -> Self {
        self.temperature = Some(can);
        self
    }

    /// Sets where the model is in its life. Default: unknown.
    #[must_use]
    pub fn status(mut self, status: ModelStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// The limits that a price states; nothing without a price.
    pub(crate) fn of_price(price: Option<&Price>) -> Self {
        Self {
            context_window: price.and_then(Price::context_window_tokens),
            max_output: price.and_then(Price::max_output_tokens),
            ..Self::default()
        }
    }

    /// Fills in from `others` what is unknown here.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            context_window: self.context_window.or(others.context_window),
            max_input: self.max_input.or(others.max_input),
            max_output: self.max_output.or(others.max_output),
            images: self.images.or(others.images),
            documents: self.documents.or(others.documents),
            audio: self.audio.or(others.audio),
            video: self.video.or(others.video),
            tools: self.tools.or(others.tools),
            parallel_tools: self.parallel_tools.or(others.parallel_tools),
            schema: self.schema.or(others.schema),
            reasoning: self.reasoning.or(others.reasoning),
            temperature: self.temperature.or(others.temperature),
            status: self.status.or(others.status),
        }
    }
}
