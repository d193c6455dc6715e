//! What a program asks of a model besides what a request shows.

use std::time::Duration;

use super::Needs;
use crate::cost::MaxPrice;

/// What only a selection looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Wishes {
    pub(super) context: Option<u64>,
    pub(super) prompt_tokens: Option<u64>,
    pub(super) answer_tokens: Option<u64>,
    pub(super) max_price: Option<MaxPrice>,
    pub(super) max_latency: Option<Duration>,
    pub(super) quality: Option<f64>,
    pub(super) providers: Vec<String>,
    pub(super) models: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) any_provider: bool,
}

impl Needs {
    /// Starts without any needs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the model must look at images. Default: as the request shows, otherwise no.
    pub fn images(mut self, needed: bool) -> Self {
        self.images = needed;
        self
    }

    /// Sets whether the model must read documents such as PDFs. Default: as the request shows,
    /// otherwise no.
    pub fn documents(mut self, needed: bool) -> Self {
        self.documents = needed;
        self
    }

    /// Sets whether the model must listen to sound. Default: as the request shows, otherwise no.
    pub fn audio(mut self, needed: bool) -> Self {
        self.audio = needed;
        self
    }

    /// Sets whether the model must watch videos. Default: as the request shows, otherwise no.
    pub fn video(mut self, needed: bool) -> Self {
        self.video = needed;
        self
    }

    /// Sets whether the model must call tools. Default: as the request shows, otherwise no.
    pub fn tools(mut self, needed: bool) -> Self {
        self.tools = needed;
        self
    }

    /// Sets whether the model must call several tools at once. Default: no.
    pub fn parallel_tools(mut self, needed: bool) -> Self {
        self.parallel_tools = needed;
        self
    }

    /// Sets whether the answer must match a JSON schema. Default: as the request shows, otherwise
    /// no.
    pub fn schema(mut self, needed: bool) -> Self {
        self.schema = needed;
        self
    }

    /// Sets whether the model must accept a reasoning effort. Default: as the request shows,
    /// otherwise no.
    pub fn reasoning(mut self, needed: bool) -> Self {
        self.reasoning = needed;
        self
    }

    /// Sets how many tokens the model must be able to write. Default: the request's output limit,
    /// otherwise any number.
    pub fn max_output(mut self, tokens: u64) -> Self {
        self.max_output = Some(tokens);
        self
    }

    /// Sets the smallest context window that will do, in tokens. Default: what prompt and answer
    /// need.
    pub fn context(mut self, tokens: u64) -> Self {
        self.wishes.context = Some(tokens);
        self
    }

    /// Sets how many tokens the prompt has, which decides what a call costs and which windows are
    /// large enough. Default: estimated from the request's text, at four bytes a token; 1,000
    /// without a request.
    pub fn prompt_tokens(mut self, tokens: u64) -> Self {
        self.wishes.prompt_tokens = Some(tokens);
        self
    }

    /// Sets how many tokens the answer can be expected to have, which decides what a call costs.
    /// Default: as many as the model's recent answers, as far as the client has measured them;
    /// otherwise the mean of those that it has measured of others, otherwise 300. Never more than
    /// the output limit.
    pub fn answer_tokens(mut self, tokens: u64) -> Self {
        self.wishes.answer_tokens = Some(tokens);
        self
    }

    /// Sets the highest price, in dollars per million tokens. A model without a known price is then
    /// left out. Default: the request's [`max_price`](crate::ChatRequest::max_price), otherwise no
    /// limit.
    pub fn max_price(mut self, most: MaxPrice) -> Self {
        self.wishes.max_price = Some(most);
        self
    }

    /// Sets the longest latency: to the first event for a stream, otherwise to the whole answer. A
    /// model that the client has measured as slower is left out. One that it has not measured stays.
    /// Default: no limit.
    pub fn max_latency(mut self, longest: Duration) -> Self {
        self.wishes.max_latency = Some(longest);
        self
    }

    /// Sets the lowest [quality](super::Model::quality), from 0 to 100. A model of unknown quality
    /// is left out. Default: any quality.
    pub fn quality(mut self, lowest: f64) -> Self {
        self.wishes.quality = Some(lowest);
        self
    }

    /// Sets the providers, by name or alias. Default: all.
    pub fn providers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.wishes.providers = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the models, each by its own name, at any provider, or as `provider/model`. Default: all.
    pub fn models<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.wishes.models = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the regions that may serve the call. A name stands for all regions that begin with it:
    /// `eu` for `eu-west-1` and `europe-west4`. A model whose region is unknown is left out. Default:
    /// any region.
    pub fn regions<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.wishes.regions = names.into_iter().map(Into::into).collect();
        self
    }

    /// The needs of a call to a route with standing needs. Which providers, models and regions the
    /// route may choose is settled before any call, so that is left out.
    pub(crate) fn under(&self, standing: &Self) -> Self {
        let (own, its) = (&self.wishes, &standing.wishes);
        let higher = |one: Option<u64>, other: Option<u64>| one.max(other);
        Self {
            prompt_bytes: self.prompt_bytes,
            max_output: higher(self.max_output, standing.max_output),
            images: self.images || standing.images,
            documents: self.documents || standing.documents,
            audio: self.audio || standing.audio,
            video: self.video || standing.video,
            tools: self.tools || standing.tools,
            parallel_tools: self.parallel_tools || standing.parallel_tools,
            schema: self.schema || standing.schema,
            reasoning: self.reasoning || standing.reasoning,
            effort: self.effort,
            sampling: self.sampling,
            wishes: Wishes {
                context: higher(own.context, its.context),
                prompt_tokens: own.prompt_tokens,
                answer_tokens: own.answer_tokens.or(its.answer_tokens),
                max_price: lower(own.max_price, its.max_price),
                max_latency: its.max_latency,
                quality: its.quality,
                ..Wishes::default()
            },
        }
    }

    /// Lowers the highest price.
    pub(crate) fn and_max_price(mut self, most: MaxPrice) -> Self {
        self.wishes.max_price = lower(self.wishes.max_price, Some(most));
        self
    }

    /// The names of providers that are asked for.
    pub(crate) fn asked_providers(&self) -> &[String] {
        &self.wishes.providers
    }

    /// Includes providers that the client has no key for, to see what they offer. Default: only
    /// those that it can call.
    pub fn any_provider(mut self) -> Self {
        self.wishes.any_provider = true;
        self
    }
}

/// The limit that is within both.
fn lower(one: Option<MaxPrice>, other: Option<MaxPrice>) -> Option<MaxPrice> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}
