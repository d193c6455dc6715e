//! Prepares one call of a client and makes its attempts.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use ureq::http::uri::PathAndQuery;
use ureq::http::{HeaderValue, Uri};

use super::admission::{Admission, admit};
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::chat::{ChatRequest, ChatResponse, Usage, UsageSource};
use crate::config::Settings;
use crate::cost::{Bill, CallPlan, Charge, Meter, Reservation};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::provider::Format;
use crate::retry::SecondSending;
use crate::stream::{Begun, Pace, Source};
use crate::transport::{Headers, Outgoing, Transport, Watch};
use crate::wire::{self, Decoder, Delivery, Failure, Wire, openai_completions};

/// A request, checked and encoded, ready to be sent any number of times.
pub(super) struct Call {
    wire: Wire,
    uri: Uri,
    body: Vec<u8>,
    /// What every further attempt is admitted by.
    plan: CallPlan,
    /// How much of it is text, to estimate its tokens from.
    text_bytes: usize,
    model: String,
    /// The same for every attempt.
    idempotency_key: Option<HeaderValue>,
    /// Where the request asks for others than the client.
    betas: Option<HeaderValue>,
    pub(super) bounds: Bounds,
    /// For a stream.
    pace: Pace,
}

/// What all calls of a client share.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) settings: &'a Settings,
    pub(super) headers: &'a Headers,
    pub(super) transport: &'a Transport,
}

impl Call {
    /// The format a model is asked in.
    pub(super) fn wire(format: Format, model: Option<&String>) -> Wire {
        let completes = model.is_some_and(|model| openai_completions::serves(model));
        match format {
            Format::OpenAiChat if completes => Wire::OpenAiCompletions,
            Format::OpenAiChat => Wire::OpenAiChat,
            Format::Anthropic => Wire::Anthropic,
        }
    }

    /// Everything that can be refused is refused here, and what the first attempt can
    /// cost is set aside.
    pub(super) fn prepare(
        settings: &Settings,
        request: &ChatRequest,
        model: Option<&str>,
        wire: Wire,
        delivery: Delivery,
        begun: Instant,
    ) -> Result<(Self, Reservation), Error> {
        let model = model.ok_or_else(|| {
            Error::invalid_request(
                "no model; name one in the request, or for all requests by \
                 ClientBuilder::model",
            )
        })?;
        if model.trim().is_empty() {
            return Err(Error::invalid_request("the model is empty"));
        }
        let timeout = request.timeout.unwrap_or(settings.timeout);
        let whole_stream = request.stream_timeout.unwrap_or(Duration::MAX);
        for (name, limit) in [("timeout", timeout), ("stream_timeout", whole_stream)] {
            if limit.is_zero() && (name == "timeout" || delivery == Delivery::Stream) {
                return Err(Error::invalid_request(format!(
                    "the {name} is zero, so that the call could not succeed"
                )));
            }
        }
        let end = Deadline::after(begun, whole_stream);
        let deadline = match delivery {
            Delivery::Whole => Deadline::after(begun, timeout),
            Delivery::Stream => Deadline::after(begun, timeout).earlier(end),
        };
        let uri = endpoint(&settings.base, wire)?;
        let idempotency_key = idempotency_key(settings, request)?;
        let betas = wire.betas(request, settings.betas.as_ref())?;
        let Admission { body, text_bytes, plan, reservation } =
            admit(settings, wire, request, model, delivery)?;
        let call = Self {
            wire,
            uri,
            text_bytes,
            body,
            plan,
            model: model.to_owned(),
            idempotency_key,
            betas,
            bounds: Bounds { deadline, cancel: request.cancel_token.clone() },
            pace: Pace { gap: settings.gap_timeout, end },
        };
        Ok((call, reservation))
    }

    /// Sets aside the most that another attempt can cost.
    pub(super) fn admit_again(&self, settings: &Settings) -> Result<Reservation, Error> {
        settings.costs.reserve_again(self.plan.clone())
    }

    /// Makes one attempt, the `retries`th after the first, and reads the answer.
    pub(super) fn attempt(
        &self,
        means: Means<'_>,
        retries: u32,
        second: &mut SecondSending<'_>,
        reservation: Reservation,
    ) -> Result<ChatResponse, Error> {
        let charge = reservation.send();
        let answer = self.ask(means, retries, second);
        match answer {
            Ok(mut response) => {
                response.usage = response.usage.completed(&estimate(&response, self.text_bytes));
                response.cost = charge.settle(bill(&response, self.text_bytes));
                Ok(response)
            }
            Err(error) => {
                charge.fail(&error);
                Err(error)
            }
        }
    }

    fn ask(
        &self,
        means: Means<'_>,
        retries: u32,
        second: &mut SecondSending<'_>,
    ) -> Result<ChatResponse, Error> {
        let settings = means.settings;
        let bounds = self.attempt_bounds(settings);
        let mut incoming = means
            .transport
            .exchange(self.outgoing(means, retries), &bounds, second)
            .map_err(|error| error.hide(&settings.secrets))?;
        incoming.hide_error(&settings.secrets);
        let (reply, now) = (incoming.reply(), SystemTime::now());
        match self.wire.decode(reply, &settings.profile.id) {
            Ok(mut decoded) => {
                decoded.complete(&self.model, &settings.secrets);
                Ok(ChatResponse {
                    request_id: wire::request_id(reply, &settings.secrets),
                    rate_limit: wire::rate_limit(reply, now),
                    raw: into_text(incoming.body),
                    ..decoded.into_response(settings.profile.id.clone())
                })
            }
            Err(failure) => Err(wire::error(failure, reply, now, &settings.secrets)),
        }
    }

    /// Makes one attempt, the `retries`th after the first, and waits for the first
    /// event.
    pub(super) fn begin(
        &self,
        means: Means<'_>,
        retries: u32,
        second: &mut SecondSending<'_>,
        reservation: Reservation,
    ) -> Result<(Begun, Charge), Error> {
        let charge = reservation.send();
        let source = match self.open(means, retries, second, charge.meter()) {
            Ok(source) => source,
            Err(error) => {
                charge.fail(&error);
                return Err(error);
            }
        };
        let decoder = Arc::clone(&source.decoder);
        match source.begin() {
            Ok(begun) => Ok((begun, charge)),
            Err(error) => {
                // Copied, for nothing is booked under a lock.
                let came = began(&decoder.lock());
                match came {
                    // Whatever it failed with, the model was at work.
                    Some(bill) => {
                        let _ = charge.settle(bill.cut_off());
                    }
                    None => charge.fail(&error),
                }
                Err(error)
            }
        }
    }

    fn open(
        &self,
        means: Means<'_>,
        retries: u32,
        second: &mut SecondSending<'_>,
        meter: Meter,
    ) -> Result<Source, Error> {
        let settings = means.settings;
        let bounds = self.attempt_bounds(settings);
        let stop = CancelToken::new();
        let watch = Arc::new(Watch::new(&bounds, Some(stop.clone())));
        let outgoing = self.outgoing(means, retries);
        let first = settings.first_token_timeout;
        let secrets = &settings.secrets;
        let (mut incoming, body) = means
            .transport
            .open_stream(outgoing, &bounds, first, &watch, second)
            .map_err(|error| error.hide(secrets))?;
        let Some(body) = body else {
            incoming.hide_error(secrets);
            let reply = incoming.reply();
            return Err(wire::error(Failure::of(reply), reply, SystemTime::now(), secrets));
        };
        if let Err(failure) = wire::head::check(incoming.reply()) {
            return Err(wire::error(failure, incoming.reply(), SystemTime::now(), secrets));
        }
        incoming.keep_headers(wire::is_read);
        let decoder = Decoder::new(self.wire, self.text_bytes, settings.max_response_bytes)
            .sent_by(settings.profile.id.clone());
        Ok(Source {
            body,
            incoming,
            watch,
            stop,
            decoder: Arc::new(Mutex::new(decoder)),
            secrets: Arc::clone(secrets),
            pace: self.pace,
            meter: Some(meter).filter(Meter::is_limited),
            gaps: Arc::default(),
        })
    }

    /// What it asks the model of.
    pub(super) fn into_model(self) -> String {
        self.model
    }

    fn outgoing<'a>(&'a self, means: Means<'a>, retries: u32) -> Outgoing<'a> {
        Outgoing {
            uri: &self.uri,
            headers: means.headers,
            retries,
            idempotency_key: self.idempotency_key.as_ref(),
            betas: self.betas.as_ref().or(means.settings.betas.as_ref()),
            body: &self.body,
        }
    }

    fn attempt_bounds(&self, settings: &Settings) -> Bounds {
        let mut bounds = self.bounds.clone();
        if let Some(timeout) = settings.attempt_timeout {
            bounds.deadline = bounds.deadline.earlier(Deadline::after(Instant::now(), timeout));
        }
        bounds
    }
}

/// What an answer is charged by. Where the provider reported no usage, it is estimated, as
/// for a stream.
fn bill(response: &ChatResponse, text_bytes: usize) -> Bill {
    let mut usage = response.usage;
    if usage.source == UsageSource::Missing {
        usage = estimate(response, text_bytes);
        usage.reported_cost = response.usage.reported_cost;
    }
    let bill = Bill::new(usage).served_model(response.model.as_str());
    match &response.service_tier {
        Some(tier) => bill.service_tier(tier.as_str()),
        None => bill,
    }
}

/// What there is to charge of a stream that failed before its first event; `None` where not
/// even the beginning of an answer came.
fn began(decoder: &Decoder) -> Option<Bill> {
    let (model, tier) = decoder.served();
    let bill = Bill::new(decoder.usage());
    let bill = bill.served_by(model.map(str::to_owned), tier.map(str::to_owned));
    decoder.has_begun().then_some(bill)
}

/// The usage of an answer, as far as its length tells.
fn estimate(response: &ChatResponse, text_bytes: usize) -> Usage {
    Usage::estimated(text_bytes, response.message.written_bytes())
}

/// The caller's own key, else a fresh one where the client is set to send them.
fn idempotency_key(
    settings: &Settings,
    request: &ChatRequest,
) -> Result<Option<HeaderValue>, Error> {
    let key = match &request.idempotency_key {
        Some(key) => key.clone(),
        None if settings.idempotency_keys => {
            format!("tollgate-{:032x}", fastrand::u128(..))
        }
        None => return Ok(None),
    };
    match HeaderValue::from_str(&key) {
        Ok(value) if !key.trim().is_empty() => Ok(Some(value)),
        _ => Err(Error::invalid_request(
            "the idempotency key is empty or holds a character that cannot be sent; use letters, \
             digits and dashes",
        )),
    }
}

/// A body as text, without a copy where it is text, as JSON always is.
fn into_text(body: Vec<u8>) -> String {
    String::from_utf8(body)
        .unwrap_or_else(|not_text| String::from_utf8_lossy(not_text.as_bytes()).into_owned())
}

/// Where a wire format is spoken below a base URL.
fn endpoint(base: &Uri, wire: Wire) -> Result<Uri, Error> {
    let below = base.path().trim_end_matches('/');
    // Anthropic's base URL has no version, but many write it there.
    let below = match wire {
        Wire::Anthropic => below.strip_suffix("/v1").unwrap_or(below),
        Wire::OpenAiChat | Wire::OpenAiCompletions => below,
    };
    let mut parts = base.clone().into_parts();
    let query = base.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = PathAndQuery::try_from(format!("{below}{}{query}", wire.path()));
    parts.path_and_query = path.ok();
    Uri::from_parts(parts).map_err(|cause| {
        Error::new(ErrorKind::Configuration, "the base URL cannot be extended").with_source(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_lie_below_the_base_url() {
        for (base, wire, expected) in [
            (
                "https://api.openai.com/v1",
                Wire::OpenAiChat,
                "https://api.openai.com/v1/chat/completions",
            ),
            ("http://[::1]:8080", Wire::OpenAiCompletions, "http://[::1]:8080/completions"),
            ("https://api.anthropic.com", Wire::Anthropic, "https://api.anthropic.com/v1/messages"),
            ("http://localhost:4000/v1", Wire::Anthropic, "http://localhost:4000/v1/messages"),
            ("https://a.b/proxy/", Wire::Anthropic, "https://a.b/proxy/v1/messages"),
            (
                "https://a.openai.azure.com/openai/deployments/x?api-version=2024-10-21",
                Wire::OpenAiChat,
                "https://a.openai.azure.com/openai/deployments/x/chat/completions\
                 ?api-version=2024-10-21",
            ),
        ] {
            let uri = endpoint(&base.parse().unwrap(), wire).unwrap();
            assert_eq!(uri, expected);
        }
    }
}
