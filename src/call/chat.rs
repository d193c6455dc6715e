//! Chat, complete and streamed: one attempt of each.

use serde_json::{Map, Value};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Caller;
use super::admission::{Admission, admit};
use super::cached::{Gate, Wish};
use super::operation::{Measurable, OngoingAttempt, Operation, Options};
use super::prepared::{self, Prepared, Signature};
use super::target::{Asked, Target};
use crate::cancel::CancelToken;
use crate::chat::{ChatRequest, ChatResponse, Usage};
use crate::config::TimeLimits;
use crate::cost::{Bill, Charge, Meter, Money, Reservation, ReserveAgain};
use crate::deadline::TimeLimit;
use crate::error::{Error, RateLimit};
use crate::header::HeaderValue;
use crate::histogram::Histogram;
use crate::metrics;
use crate::provider::Format;
use crate::routing::Answered;
use crate::stream::{Source, StartedStream};
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use crate::tags::Tags;
use crate::throttle::Amount;
use crate::transport::{Method, Watch};
use crate::wire::{self, AnswerBody, Decoder, Delivery, Failure, Reply, Wire};

/// A chat request, or the completion of a prompt.
pub(crate) struct Chat<'a> {
    pub(crate) request: &'a ChatRequest,
    /// Those of the request, to share.
    pub(crate) tags: Tags,
    /// Whether to use text completions, for any model.
    pub(crate) completion: bool,
    /// Whether the answer comes whole or as a stream.
    pub(crate) delivery: Delivery,
}

/// The parts of an encoded chat besides its bytes.
pub(super) struct Encoding {
    wire: Wire,
    /// What every later attempt reserves.
    again: ReserveAgain,
    /// How many bytes of the body are text, to estimate its tokens.
    text_bytes: usize,
    /// What each attempt takes of the client's limits.
    amount: Amount,
    /// Whether the budgets can only afford a shorter answer than planned.
    is_cut_short: bool,
}

impl Chat<'_> {
    /// The same for all calls of a conversation, for routes that keep it at one target.
    pub(super) fn routing_key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match &self.request.routing_key {
            Some(key) => key.hash(&mut hasher),
            None => self.request.hash_start(&mut hasher),
        }
        hasher.finish()
    }

    /// The wire format of this chat. The profile decides, and between OpenAI's two formats the
    /// request, or a model that exists in Responses only.
    pub(super) fn wire(&self, target: &Target) -> Result<Wire, Error> {
        let profile = &target.endpoint.settings.profile;
        let (Some(own), Some(wire)) = (profile.format, target.known.wire) else {
            return Err(Error::invalid_request(format!(
                "{} has no chats, only embeddings; use Client::embed, or name another provider",
                profile.id
            )));
        };
        let format = match self.request.wire_format {
            Some(asked) if asked != own => {
                let is_openai =
                    |format| matches!(format, Format::OpenAiChat | Format::OpenAiResponses);
                if !is_openai(asked) || !is_openai(own) {
                    return Err(Error::invalid_request(format!(
                        "the request asks for the wire format {}, but {} speaks {}; leave \
                         wire_format unset, or name another provider",
                        asked.as_str(),
                        profile.id,
                        own.as_str()
                    )));
                }
                asked
            }
            Some(asked) => asked,
            None if !self.completion => return Ok(wire),
            None => own,
        };
        if !self.completion {
            return Ok(Wire::chat(format, &target.model, target.known.traits.api));
        }
        let wire = Wire::completions(format).filter(|_| profile.dialect.text_completions);
        wire.ok_or_else(|| {
            Error::invalid_request(format!(
                "{} has no text completions; use Client::chat instead",
                profile.id
            ))
        })
    }
}

impl Operation for Chat<'_> {
    type Content = Encoding;
    type Reserved = Reservation;

    fn delivery(&self) -> Delivery {
        self.delivery
    }

    fn options(&self) -> Options<'_> {
        options(self.request, self.tags.clone())
    }

    fn chat(&self) -> Option<&ChatRequest> {
        Some(self.request)
    }

    fn is_cut_short(&self, prepared: &Prepared<Encoding>) -> bool {
        prepared.content.is_cut_short
    }

    fn caching(&self) -> Option<Wish> {
        let ChatRequest { cache, temperature, n, extra, .. } = self.request;
        let is_sampled = temperature.is_some_and(|value| value > 0.0)
            || n.is_some_and(|choices| choices > 1)
            || samples(extra);
        Some(Wish { mode: *cache, is_sampled })
    }

    fn name(&self, target: Option<&Target>) -> &'static str {
        match target.and_then(|target| self.wire(target).ok()) {
            Some(Wire::OpenAiCompletions) => metrics::TEXT_COMPLETION,
            Some(_) => metrics::CHAT,
            None if self.completion => metrics::TEXT_COMPLETION,
            None => metrics::CHAT,
        }
    }

    fn prepare(
        &self,
        caller: &Caller,
        target: Target,
        tags: &Tags,
        gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Encoding>, Reservation), Error> {
        let wire = self.wire(&target)?;
        let uri = target.endpoint.uri(wire, &target.model, self.delivery)?;
        let is_free = |body: &[u8], betas: Option<&HeaderValue>| {
            gate.is_free(|| prepared::recorded_as(&target, Method::Post, &uri, betas, body))
        };
        let Admission { body, text_bytes, betas, reservation, amount, is_cut_short } =
            admit(caller, &target, tags, wire, self.request, self.delivery, None, is_free)?;
        let again = reservation.again();
        let content = Encoding { wire, again, text_bytes, amount, is_cut_short };
        Ok((Prepared { target, method: Method::Post, uri, body, betas, content }, reservation))
    }

    fn reserve_again(
        &self,
        caller: &Caller,
        prepared: &Prepared<Encoding>,
    ) -> Result<Reservation, Error> {
        caller.settings.costs.reserve_again(&prepared.content.again)
    }

    fn amount(&self, prepared: &Prepared<Encoding>) -> Option<Amount> {
        Some(prepared.content.amount)
    }
}

/// Whether members of the body set a temperature above 0. Some formats have it in an object, such as
/// `generationConfig`.
fn samples(members: &Map<String, Value>) -> bool {
    members.iter().any(|(name, value)| match value {
        Value::Object(members) => samples(members),
        value => name == "temperature" && value.as_f64().is_some_and(|value| value > 0.0),
    })
}

/// The parts of a request that the loop needs.
pub(super) fn options(request: &ChatRequest, tags: Tags) -> Options<'_> {
    Options {
        asked: Asked::Model(request.provider.as_ref(), request.model.as_deref()),
        tags,
        limits: TimeLimits {
            call: request.timeout,
            connect: None,
            attempt: request.attempt_timeout,
            first_token: request.first_token_timeout,
            idle: request.idle_timeout,
            stream: request.stream_timeout,
        },
        since: None,
        cancel: request.cancel_token.as_ref(),
        idempotency_key: request.idempotency_key.as_deref(),
    }
}

impl Measurable for Box<ChatResponse> {
    fn measured(&self, after: Duration) -> Answered {
        Answered::of(&self.usage, self.cost.map(|cost| cost.total), after)
    }

    fn chat(&mut self) -> Option<&mut ChatResponse> {
        Some(self)
    }

    fn is_complete(&self) -> bool {
        self.finish_reason.is_complete()
    }

    fn rate_limit(&self) -> RateLimit {
        self.rate_limit.clone()
    }
}

/// A stream is measured when it ends.
impl Measurable for (StartedStream, Charge) {
    fn discard(self) -> Option<Money> {
        let (started, charge) = self;
        let decoder = started.decoder();
        // Closes the connection, so that no more is written.
        drop(started);
        // Copied, because nothing is charged under a lock.
        let (bill, is_whole) = {
            let decoder = decoder.lock();
            (bill_of(&decoder), decoder.whole().is_some())
        };
        let cost = charge.settle(if is_whole { bill } else { bill.cut_off() });
        cost.map(|cost| cost.total)
    }

    fn rate_limit(&self) -> RateLimit {
        self.0.rate_limit()
    }
}

/// Makes one attempt at a chat whose answer comes whole.
pub(super) fn whole(
    mut attempt: OngoingAttempt<'_, '_, Encoding>,
    reserved: Reservation,
) -> Result<Box<ChatResponse>, Error> {
    let signature = attempt.sign()?;
    let (charge, text_bytes) = (reserved.send(), attempt.prepared.content.text_bytes);
    match ask(&mut attempt, &signature) {
        Ok(mut response) => {
            response.usage = response.usage.completed(&estimate(&response, text_bytes));
            response.cost =
                charge.settle(bill(&response, &attempt.prepared.target.model, text_bytes));
            Ok(response)
        }
        Err(error) => {
            charge.fail(&error);
            Err(error)
        }
    }
}

/// Makes one attempt at a streamed chat. It ends when the first event has arrived.
pub(super) fn streamed(
    mut attempt: OngoingAttempt<'_, '_, Encoding>,
    reserved: Reservation,
) -> Result<(StartedStream, Charge), Error> {
    let signature = attempt.sign()?;
    let charge = reserved.send();
    let source = match open(&mut attempt, &signature, charge.meter()) {
        Ok(source) => source,
        Err(error) => {
            charge.fail(&error);
            return Err(error);
        }
    };
    let decoder = Arc::clone(&source.decoder);
    match StartedStream::begin(source) {
        Ok(begun) => Ok((begun, charge)),
        Err(error) => {
            // Copied, because nothing is charged under a lock.
            let came = bill_of_failed_stream(&decoder.lock());
            match came {
                // The model was already working, whatever the failure.
                Some(bill) => {
                    let _ = charge.settle(bill.cut_off());
                }
                None => charge.fail(&error),
            }
            Err(error)
        }
    }
}

/// Sends a request and reads the whole answer.
fn ask(
    attempt: &mut OngoingAttempt<'_, '_, Encoding>,
    signature: &Signature,
) -> Result<Box<ChatResponse>, Error> {
    let (mut incoming, prepared) = (attempt.exchange(signature)?, attempt.prepared);
    let (endpoint, secrets) = (&prepared.target.endpoint, &signature.secrets);
    // JSON is always text, and the answer keeps it.
    let text = String::from_utf8(mem::take(&mut incoming.body));
    let body = match &text {
        Ok(text) => AnswerBody::from(text.as_str()),
        Err(bytes) => AnswerBody::from(bytes.as_bytes()),
    };
    let (reply, now) = (Reply { body: body.bytes, ..incoming.reply() }, SystemTime::now());
    match prepared.content.wire.decode_body(reply, body, endpoint.id()) {
        Ok(mut decoded) => {
            decoded.complete(&prepared.target.model, secrets);
            let mut response = Box::new(decoded.into_response(endpoint.id().clone()));
            response.request_id = wire::request_id(reply, secrets);
            response.rate_limit = wire::rate_limit(reply, now);
            response.raw = text.unwrap_or_else(lossy);
            Ok(response)
        }
        Err(failure) => Err(wire::error(failure, reply, now, secrets)),
    }
}

/// Sends a request whose answer comes as a stream.
fn open(
    attempt: &mut OngoingAttempt<'_, '_, Encoding>,
    signature: &Signature,
    meter: Meter,
) -> Result<Source, Error> {
    let OngoingAttempt { caller, prepared, limits, .. } = *attempt;
    let endpoint = &prepared.target.endpoint;
    let secrets = &signature.secrets;
    let limit = limits.attempt();
    let bounds = limits.bounds(limit);
    let stop = CancelToken::new();
    let watch = Arc::new(Watch::new(&bounds, Some(stop.clone())));
    let first = limits.first_token;
    let opened = attempt.open_stream(signature, &bounds, first, &watch, &stop);
    // The transport starts the limit for the first event when it sends the request.
    let begin = match first {
        Some(value) if watch.deadline().is_before(limit.deadline) => {
            TimeLimit { setting: "first_token_timeout", value, deadline: watch.deadline() }
        }
        _ => limit,
    };
    let (mut incoming, body) =
        opened.map_err(|error| error.with_limit(begin.setting, begin.value).hide(secrets))?;
    let Some(body) = body else {
        incoming.hide_error(secrets);
        let reply = incoming.reply();
        return Err(wire::error(Failure::of(reply), reply, SystemTime::now(), secrets));
    };
    if let Err(failure) = wire::head::check(incoming.reply()) {
        return Err(wire::error(failure, incoming.reply(), SystemTime::now(), secrets));
    }
    let largest = caller.settings.max_response_bytes;
    let decoder = Decoder::new(prepared.content.wire, prepared.content.text_bytes, largest)
        .sent_by(endpoint.id().clone());
    Ok(Source {
        body,
        incoming,
        watch,
        stop,
        decoder: Arc::new(Mutex::new(Lock::StreamDecoder, decoder)),
        secrets: Arc::clone(secrets),
        pace: limits.pace(begin),
        meter: Some(meter).filter(Meter::is_limited),
        gaps: Arc::new(Mutex::new(Lock::StreamGaps, Histogram::default())),
    })
}

/// The bill for an answer. If the provider reported no usage, it is estimated, as for a stream.
pub(super) fn bill(response: &ChatResponse, asked: &str, text_bytes: usize) -> Bill {
    let usage = response.usage.or_estimate(|| estimate(response, text_bytes));
    let served = Some(response.model.as_str()).filter(|model| *model != asked);
    Bill::new(usage).served_by(served, response.service_tier.as_deref())
}

/// The bill for a stream that failed before its first event; `None` if not even the start of an
/// answer came.
fn bill_of_failed_stream(decoder: &Decoder) -> Option<Bill> {
    decoder.has_begun().then(|| bill_of(decoder))
}

/// The bill for what has arrived of a stream.
fn bill_of(decoder: &Decoder) -> Bill {
    let (model, tier) = decoder.served();
    let bill = Bill::new(decoder.usage());
    bill.served_by(model, tier)
}

/// The usage of an answer, estimated from its length.
pub(super) fn estimate(response: &ChatResponse, text_bytes: usize) -> Usage {
    Usage::estimated(text_bytes, response.message.written_bytes())
}

/// A body as text, without a copy if it is valid UTF-8, as JSON always is.
pub(super) fn into_text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(lossy)
}

fn lossy(not_text: FromUtf8Error) -> String {
    String::from_utf8_lossy(not_text.as_bytes()).into_owned()
}
