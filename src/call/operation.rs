//! What differs between operations. The loop is the same for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Caller;
use super::cached::{Gate, Wish, entry_of};
use super::prepared::{Prepared, Signature};
use super::room::{self, Reserved};
use super::target::{Asked, Target};
use super::time_limits::CallTimeLimits;
use crate::bounds::Bounds;
use crate::cache::{Slot, Tape};
use crate::cancel::CancelToken;
use crate::chat::{ChatRequest, ChatResponse};
use crate::config::TimeLimits;
use crate::cost::Money;
use crate::error::{Error, RateLimit};
use crate::header::HeaderValue;
use crate::replay::{self, Response};
use crate::retry::SecondSending;
use crate::routing::Answered;
use crate::stream::StreamBody;
use crate::tags::Tags;
use crate::throttle::{Amount, Permit};
use crate::transport::{Body, Incoming, Outgoing, Watch};
use crate::wire::Delivery;

/// Something a client can ask of a provider.
pub(super) trait Operation {
    /// What it keeps of a prepared request.
    type Content;

    /// What is reserved for an attempt.
    type Reserved: Reserved;

    /// Whether the answer comes whole or as a stream.
    fn delivery(&self) -> Delivery;

    /// The parts of the request that the loop needs.
    fn options(&self) -> Options<'_>;

    /// Whether the provider must not get it twice: it is retried only if the provider certainly did
    /// not serve it. Default: no.
    fn is_sent_once(&self) -> bool {
        false
    }

    /// Whether the same request always gets the same answer, so that a recording may answer it.
    /// Default: yes.
    fn is_replayable(&self) -> bool {
        true
    }

    /// The chat that it sends, whose needs its model has to meet. Default: none.
    fn chat(&self) -> Option<&ChatRequest> {
        None
    }

    /// Whether a budget allows only a shorter answer to a prepared request than it would otherwise
    /// get. Default: no.
    fn is_cut_short(&self, prepared: &Prepared<Self::Content>) -> bool {
        let _ = prepared;
        false
    }

    /// What its request says about the cache; `None` if it is never cached. Default: `None`.
    fn caching(&self) -> Option<Wish> {
        None
    }

    /// The operation's name in metrics and for observers.
    fn name(&self, target: Option<&Target>) -> &'static str;

    /// Encodes the request for a target, and reserves what its first attempt can cost, unless the
    /// `gate` says that it costs nothing. Operations that are never cached do not ask.
    ///
    /// # Errors
    ///
    /// If the request cannot be sent, or a budget refuses it.
    fn prepare(
        &self,
        caller: &Caller,
        target: Target,
        tags: &Tags,
        gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Self::Content>, Self::Reserved), Error>;

    /// Reserves what another attempt can cost.
    ///
    /// # Errors
    ///
    /// If a budget refuses it.
    fn reserve_again(
        &self,
        caller: &Caller,
        prepared: &Prepared<Self::Content>,
    ) -> Result<Self::Reserved, Error>;

    /// What an attempt takes of the client's limits. Default: no limit applies.
    fn amount(&self, prepared: &Prepared<Self::Content>) -> Option<Amount> {
        let _ = prepared;
        None
    }
}

/// The parts of a request that the loop needs.
#[derive(Debug, Clone)]
pub(super) struct Options<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) tags: Tags,
    pub(super) limits: TimeLimits,
    /// When the limit of the whole call began, if the call is part of a longer one.
    pub(super) since: Option<Instant>,
    pub(super) cancel: Option<&'a CancelToken>,
    pub(super) idempotency_key: Option<&'a str>,
}

/// The answer of an attempt, as far as it shows how its target performs.
pub(super) trait Measurable: Send + 'static {
    /// What it shows, if the attempt took this long. Default: nothing.
    fn measured(&self, after: Duration) -> Answered {
        let _ = after;
        Answered::default()
    }

    /// The answer, if it is a whole one to a chat. Default: it is not.
    fn chat(&mut self) -> Option<&mut ChatResponse> {
        None
    }

    /// Whether it is a whole answer that nothing cut short, so that the cache may keep it. A stream
    /// is kept when it ends. Default: it is not.
    fn is_complete(&self) -> bool {
        false
    }

    /// The rate limits in its headers. Default: none.
    fn rate_limit(&self) -> RateLimit {
        RateLimit::default()
    }

    /// Ends an answer that nobody wants, because another one came first. Returns what it cost, if
    /// that is not measured. Default: drops it.
    fn discard(self) -> Option<Money>
    where
        Self: Sized,
    {
        None
    }
}

/// One attempt in progress.
pub(super) struct OngoingAttempt<'a, 'b, C> {
    pub(super) caller: &'a Caller,
    pub(super) prepared: &'a Prepared<C>,
    pub(super) limits: &'a CallTimeLimits,
    /// How many attempts came before it.
    pub(super) retries: u32,
    /// The right to send the request twice.
    pub(super) second: &'a mut SecondSending<'b>,
    /// The response that is replayed instead of sending the request.
    pub(super) recorded: Option<Response>,
    /// Where the cache keeps the answer, if it does.
    pub(super) slot: Option<&'a Slot>,
    /// What is to be kept once the attempt has read the response.
    pub(super) unkept: &'a mut Unkept,
}

/// What is to be kept of the response of an attempt.
#[derive(Default)]
pub(super) struct Unkept {
    /// The response that is to be recorded, and where.
    recording: Option<(replay::Slot, Response)>,
    /// The response as the cache keeps it.
    entry: Option<Vec<u8>>,
}

/// Makes an attempt in its room in the limits, and records its response unless a retry may get a
/// better one. Also returns what the cache keeps of the answer, if that is complete.
pub(super) fn attempt<R: Reserved, T: Measurable>(
    permit: Option<Permit>,
    reserved: R,
    streamed: bool,
    attempt: impl FnOnce(R, &mut Unkept) -> Result<T, Error>,
) -> (Result<T, Error>, Option<Vec<u8>>) {
    let mut unkept = Unkept::default();
    let outcome =
        room::attempt(permit, reserved, streamed, |reserved| attempt(reserved, &mut unkept));
    let Unkept { recording, entry } = unkept;
    if let Some((slot, response)) = recording {
        slot.keep(response, outcome.as_ref().err());
    }
    let entry = entry.filter(|_| outcome.as_ref().is_ok_and(Measurable::is_complete));
    (outcome, entry)
}

impl<C> OngoingAttempt<'_, '_, C> {
    /// Makes the credentials of the attempt, within its time limit.
    ///
    /// # Errors
    ///
    /// If the credentials cannot be had.
    pub(super) fn sign(&self) -> Result<Signature, Error> {
        if self.recorded.is_some() {
            return Ok(self.prepared.unsigned());
        }
        let limit = self.limits.attempt();
        let signed = self.prepared.sign(self.caller, &self.limits.bounds(limit));
        signed.map_err(|error| error.with_limit(limit.setting, limit.value))
    }

    /// Sends the request, or replays its recording, and reads the whole response, of any status.
    ///
    /// # Errors
    ///
    /// The error of the exchange, without secrets.
    pub(super) fn exchange(&mut self, signature: &Signature) -> Result<Incoming, Error> {
        let prepared = self.prepared;
        if let Some(recorded) = self.recorded.take() {
            let (mut incoming, _) = prepared.replayed(recorded);
            incoming.hide_error(&signature.secrets);
            return Ok(incoming);
        }
        let begun = self.slot.map(|_| Instant::now());
        let incoming = self.exchange_live(signature, None)?;
        if let Some(replay) = &self.caller.settings.replay {
            let slot = replay.slot(&prepared.recorded_as(), &signature.secrets);
            self.unkept.recording = Some((slot, incoming.recording()));
        }
        if let (Some(slot), Some(begun)) = (self.slot, begun) {
            self.unkept.entry = entry_of(&incoming, begun.elapsed(), slot, &signature.secrets);
        }
        Ok(incoming)
    }

    /// Like [`exchange`](Self::exchange), but neither replays nor records. The body has this
    /// `content_type` if it is not the client's.
    ///
    /// # Errors
    ///
    /// As for [`exchange`](Self::exchange).
    pub(super) fn exchange_live(
        &mut self,
        signature: &Signature,
        content_type: Option<&HeaderValue>,
    ) -> Result<Incoming, Error> {
        let Self { caller, prepared, limits, retries, second, .. } = self;
        let endpoint = &prepared.target.endpoint;
        let limit = limits.attempt();
        let key = limits.idempotency_key.as_ref();
        let outgoing = Outgoing { content_type, ..prepared.outgoing(*retries, key, signature) };
        let mut incoming = caller
            .transport
            .exchange(&endpoint.origin, outgoing, &limits.bounds(limit), second)
            .map_err(|error| {
                error.with_limit(limit.setting, limit.value).hide(&signature.secrets)
            })?;
        incoming.hide_error(&signature.secrets);
        Ok(incoming)
    }

    /// Sends the request, or replays its recording, and returns the body of the response as a
    /// stream; no stream if the status is an error. `first` is the time limit from sending to the
    /// first event. `stop` ends the waits of a replayed stream.
    ///
    /// # Errors
    ///
    /// The error of the exchange, with secrets.
    pub(super) fn open_stream(
        &mut self,
        signature: &Signature,
        bounds: &Bounds,
        first: Option<Duration>,
        watch: &Arc<Watch>,
        stop: &CancelToken,
    ) -> Result<(Incoming, Option<StreamBody>), Error> {
        let prepared = self.prepared;
        if let Some(recorded) = self.recorded.take() {
            let (incoming, pieces) = prepared.replayed(recorded);
            return Ok((incoming, pieces.map(|pieces| StreamBody::replayed(pieces, stop.clone()))));
        }
        let begun = Instant::now();
        let (incoming, body) = self.open_live(signature, bounds, first, watch)?;
        let mut body = body.map(StreamBody::live);
        if let (Some(slot), Some(body)) = (self.slot, &mut body) {
            let (status, headers) = (incoming.status, incoming.headers.lasting());
            let tape = Tape::new(slot.clone(), &signature.secrets, status, headers, begun);
            body.cache(tape);
        }
        if let Some(replay) = &self.caller.settings.replay {
            let (request, secrets) = (prepared.recorded_as(), &signature.secrets);
            let head = incoming.recording();
            match &mut body {
                Some(body) => body.record(replay.tape(&request, secrets, head)),
                None => self.unkept.recording = Some((replay.slot(&request, secrets), head)),
            }
        }
        Ok((incoming, body))
    }

    /// Like [`open_stream`](Self::open_stream), but neither replays nor records.
    ///
    /// # Errors
    ///
    /// As for [`open_stream`](Self::open_stream).
    pub(super) fn open_live(
        &mut self,
        signature: &Signature,
        bounds: &Bounds,
        first: Option<Duration>,
        watch: &Arc<Watch>,
    ) -> Result<(Incoming, Option<Body>), Error> {
        let Self { caller, prepared, limits, retries, second, .. } = self;
        let outgoing = prepared.outgoing(*retries, limits.idempotency_key.as_ref(), signature);
        let origin = &prepared.target.endpoint.origin;
        caller.transport.open_stream(origin, outgoing, bounds, first, watch, second)
    }
}
