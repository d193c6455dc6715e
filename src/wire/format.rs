//! What each wire format consists of: a row of data, and the answer that its streams build up.

use serde_json::{Map, Value};

use super::body::Body;
use super::framing::Framing;
use super::measure::Prompt;
use super::stream::{SizeLimit, Step};
use super::{AnswerBody, Decoded, Delivery, Failure, Target};
use crate::chat::{ChatRequest, Provider, StreamEvent, Usage};
use crate::error::Error;
use crate::header::HeaderValue;
use crate::upper_bound::ModelLimits;

/// The path to a member inside a body, from the outside in.
pub(in crate::wire) type Path = &'static [&'static str];

/// How one endpoint's requests are written and its answers read: a row of data for each format.
pub(in crate::wire) struct WireFormat {
    /// The provider that invented the format.
    pub(in crate::wire) inventor: Provider,
    pub(in crate::wire) endpoint: Endpoint,
    /// The members that every request needs. [`ChatRequest::omit`] cannot remove them.
    pub(in crate::wire) required: &'static [&'static str],
    /// Builds the body of a request, or refuses what the target cannot express.
    pub(in crate::wire) encode: Encode,
    /// Returns the header with the requested betas, or `None` if the header set for the client
    /// already has them. Refuses betas if the format has none.
    pub(in crate::wire) betas: Betas,
    /// The members that can limit the output of one choice.
    pub(in crate::wire) output_limits: &'static [Path],
    /// Returns the one of them to use for a model.
    pub(in crate::wire) output_limit: fn(target: Target<'_>) -> Path,
    /// Measures the most that a body can use.
    pub(in crate::wire) measure: Measure,
    /// Decodes the body of a successful response, or returns the failure that it reports.
    pub(in crate::wire) decode: fn(body: AnswerBody<'_>) -> Result<Decoded, Failure>,
    /// How its streams mark where one event ends.
    pub(in crate::wire) framing: Framing,
    /// Returns an empty answer for the events of a stream to fill.
    pub(in crate::wire) fold: fn(limit: SizeLimit) -> Box<dyn Fold>,
}

/// Where a format's requests go, below the base URL. If the base URL already ends with the first
/// part of the path, that part is not repeated.
pub(in crate::wire) enum Endpoint {
    /// Every request goes to the same path.
    Fixed(&'static str),
    /// The model and the delivery decide.
    Computed(fn(model: &str, delivery: Delivery) -> String),
}

pub(in crate::wire) type Encode = for<'a> fn(
    request: &'a ChatRequest,
    target: Target<'a>,
    delivery: Delivery,
) -> Result<Body<'a>, Error>;

pub(in crate::wire) type Betas =
    fn(request: &ChatRequest, set: Option<&HeaderValue>) -> Result<Option<HeaderValue>, Error>;

pub(in crate::wire) type Measure =
    for<'a> fn(body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a>;

/// The [`betas`](WireFormat::betas) of formats that have none.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the request names one.
pub(in crate::wire) fn no_betas(
    request: &ChatRequest,
    _set: Option<&HeaderValue>,
) -> Result<Option<HeaderValue>, Error> {
    match request.betas.first() {
        None => Ok(None),
        Some(beta) => Err(Error::invalid_request(format!(
            "the request names the beta {beta:?}, but only Anthropic has betas; remove it, or set \
             a header for all requests with ClientBuilder::header"
        ))),
    }
}

/// The answer that a stream's events build up.
pub(in crate::wire) trait Fold: Send + Sync {
    /// Adds an event and reports what it contributed.
    ///
    /// # Errors
    ///
    /// The failure that the event reports, or the reason why it cannot be read.
    fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure>;

    /// Returns true if the answer has a finish reason, so the body may end without the [end
    /// marker](Self::end_marker).
    fn has_finished(&self) -> bool;

    /// Returns true if the answer has neither content nor a finish reason.
    fn is_no_answer(&self) -> bool;

    /// Returns the end marker of the provider's streams, for error messages.
    fn end_marker(&self) -> &'static str;

    /// Completes the answer; content that was held back becomes events.
    fn close(&mut self, events: &mut Vec<StreamEvent>);

    /// Returns the model and the service tier that serve the call; empty if unknown.
    fn served(&self) -> (&str, Option<&str>);

    /// Returns the usage so far, estimated if the provider has not reported it.
    fn usage(&self, prompt_tokens: u64) -> Usage;

    /// Returns the answer so far.
    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded;

    /// Returns a copy, to inspect the answer before it is complete.
    fn boxed_clone(&self) -> Box<dyn Fold>;
}
