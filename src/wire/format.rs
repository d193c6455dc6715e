//! What a wire format is: the two traits that the folder of each format implements.

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

/// The names of a member inside a body, from the outside in.
pub(in crate::wire) type Path = &'static [&'static str];

/// How requests are written and answers are read at one endpoint.
pub(in crate::wire) trait WireFormat: Sync {
    /// The provider that invented the format.
    fn inventor(&self) -> Provider;

    /// The path below the base URL. Where that already ends with the first part of this path, the
    /// part is not repeated.
    fn path(&self, model: &str, delivery: Delivery) -> Cow<'static, str>;

    /// Whether every request of a provider goes to the same path.
    fn has_one_path(&self) -> bool {
        true
    }

    /// The members without which no request works. [`ChatRequest::omit`] cannot remove them.
    fn required(&self) -> &'static [&'static str];

    /// Writes the body of a request.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for what the target cannot do.
    fn body(
        &self,
        request: &ChatRequest,
        target: Target<'_>,
        delivery: Delivery,
    ) -> Result<Map<String, Value>, Error>;

    /// The header with the betas that a request asks for, or `None` if the header that is `set`
    /// for the client already says so.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) where the format has no betas.
    fn betas(
        &self,
        request: &ChatRequest,
        _set: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        match request.betas.first() {
            None => Ok(None),
            Some(beta) => Err(Error::invalid_request(format!(
                "the request names the beta {beta:?}, but only Anthropic has betas; leave it \
                 out, or set a header for all requests by ClientBuilder::header"
            ))),
        }
    }

    /// The members that can limit the output of one choice.
    fn output_limits(&self) -> &'static [Path];

    /// The one of [`output_limits`](Self::output_limits) to use for this model.
    fn output_limit(&self, model: &str, dialect: &Dialect) -> Path;

    /// Measures the most that a body can use.
    fn measure<'a>(&self, body: &'a Map<String, Value>, limits: &'a ModelLimits<'a>) -> Prompt<'a>;

    /// Reads the body of a successful response.
    ///
    /// # Errors
    ///
    /// The failure that the body reports, or why it is no answer.
    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure>;

    /// An empty answer that the events of a stream add to.
    fn fold(&self, limit: SizeLimit) -> Box<dyn Fold>;
}

/// The answer that the events of a stream make, as far as it has come.
pub(in crate::wire) trait Fold: Send + Sync {
    /// Adds an event of the body and reports what it brings.
    ///
    /// # Errors
    ///
    /// The failure that the event reports, or why it cannot be read.
    fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure>;

    /// Whether the answer has said why it ended, so that the body may end without the
    /// [end marker](Self::end_marker).
    fn has_finished(&self) -> bool;

    /// Whether the answer has neither content nor a reason for its end.
    fn is_no_answer(&self) -> bool;

    /// What the provider sends at the end of a stream, for error messages.
    fn end_marker(&self) -> &'static str;

    /// Completes the answer: what was held back becomes events.
    fn close(&mut self, events: &mut Vec<StreamEvent>);

    /// The model and the service tier that serve the call; empty where they are not known.
    fn served(&self) -> (&str, Option<&str>);

    /// The usage so far, estimated where the provider has not reported it.
    fn usage(&self, prompt_tokens: u64) -> Usage;

    /// The answer so far.
    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded;

    /// A copy, to look at the answer before it is complete.
    fn boxed_clone(&self) -> Box<dyn Fold>;
}
