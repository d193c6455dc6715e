//! The two traits that each wire format implements.

use serde_json::{Map, Value};
use std::borrow::Cow;
use ureq::http::HeaderValue;

use super::measure::Prompt;
use super::openai_chat::Dialect;
use super::stream::{SizeLimit, Step};
use super::{Decoded, Delivery, Failure, Target};
use crate::chat::{ChatRequest, Provider, StreamEvent, Usage};
use crate::error::Error;
use crate::upper_bound::ModelLimits;

/// The path to a member inside a body, from the outside in.
pub(in crate::wire) type Path = &'static [&'static str];

/// How one endpoint's requests are written and its answers read.
pub(in crate::wire) trait WireFormat: Sync {
    /// Returns the provider that invented the format.
    fn inventor(&self) -> Provider;

    /// Returns the path below the base URL. If the base URL already ends with the first part of
    /// this path, that part is not repeated.
    fn path(&self, model: &str, delivery: Delivery) -> Cow<'static, str>;

    /// Returns true if every request to a provider goes to the same path.
    fn has_one_path(&self) -> bool {
        true
    }

    /// Returns the members that every request needs. [`ChatRequest::omit`] cannot remove them.
    fn required(&self) -> &'static [&'static str];

    /// Builds the body of a request.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the target cannot express the
    /// request.
    fn body(
        &self,
        request: &ChatRequest,
        target: Target<'_>,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error>;

    /// Returns the header with the requested betas, or `None` if the header `set` for the client
    /// already has them.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the format has no betas.
    fn betas(
        &self,
        request: &ChatRequest,
        _set: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        match request.betas.first() {
            None => Ok(None),
            Some(beta) => Err(Error::invalid_request(format!(
                "the request names the beta {beta:?}, but only Anthropic has betas; remove \
                 it, or set a header for all requests with ClientBuilder::header"
            ))),
        }
    }

    /// Returns the members that can limit the output of one choice.
    fn output_limits(&self) -> &'static [Path];

    /// Returns the one of [`output_limits`](Self::output_limits) to use for this model.
    fn output_limit(&self, model: &str, dialect: &Dialect) -> Path;

    /// Measures the most that a body can use.
    fn measure<'a>(&self, body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a>;

    /// Decodes the body of a successful response.
    ///
    /// # Errors
    ///
    /// The failure that the body reports, or the reason why it is not an answer.
    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure>;

    /// Returns an empty answer for the events of a stream to fill.
    fn fold(&self, limit: SizeLimit) -> Box<dyn Fold>;
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
