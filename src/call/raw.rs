//! A request to an endpoint the crate does not model: one attempt at it.

use std::time::{Duration, SystemTime};

use super::Caller;
use super::cached::Gate;
use super::operation::{Measurable, OngoingAttempt, Operation, Options};
use super::prepared::Prepared;
use super::room::Room;
use super::target::{Asked, Target};
use super::url::below;
use crate::answer_source::AnswerSource;
use crate::config::TimeLimits;
use crate::error::{Error, ErrorKind, RateLimit};
use crate::metrics;
use crate::raw::{RawRequest, RawResponse};
use crate::tags::Tags;
use crate::throttle::Amount;
use crate::transport::Method;
use crate::wire::{self, Delivery, Failure};

/// A request that is sent unchanged.
pub(super) struct Raw<'a>(pub(super) &'a RawRequest);

impl Operation for Raw<'_> {
    type Content = ();
    type Reserved = Room;

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        let request = self.0;
        Options {
            asked: Asked::Provider(request.provider.as_ref(), request.model()),
            tags: (&request.tags).into(),
            limits: TimeLimits { call: request.timeout, ..TimeLimits::default() },
            since: None,
            cancel: request.cancel_token.as_ref(),
            idempotency_key: request.idempotency_key.as_deref(),
        }
    }

    fn name(&self, _target: Option<&Target>) -> &'static str {
        metrics::RAW
    }

    fn prepare(
        &self,
        caller: &Caller,
        target: Target,
        tags: &Tags,
        _gate: &mut Gate<'_>,
    ) -> Result<(Prepared<()>, Room), Error> {
        let request = self.0;
        let settings = &target.endpoint.settings;
        let uri = below(&settings.base, &request.path)?;
        let (method, body) = match &request.body {
            None => (Method::Get, Vec::new()),
            Some(body) => {
                let costs = &caller.settings.costs;
                let plan = costs.plan(
                    settings.profile.id.as_str(),
                    settings.price_provider.as_str(),
                    &target.model,
                    tags.clone(),
                );
                if costs.is_held(&plan) {
                    return Err(Error::new(
                        ErrorKind::CostUnknown,
                        "a budget applies to this request, but its maximum cost is unknown; make the \
                         budget soft, or send the request with a client without it",
                    ));
                }
                (Method::Post, body.to_string().into_bytes())
            }
        };
        Ok((Prepared { target, method, uri, body, betas: None, content: () }, Room::default()))
    }

    fn reserve_again(&self, _caller: &Caller, _prepared: &Prepared<()>) -> Result<Room, Error> {
        Ok(Room::default())
    }

    /// Its tokens are not known, and a `GET` uses none of the limits.
    fn amount(&self, _prepared: &Prepared<()>) -> Option<Amount> {
        self.0.body.as_ref().map(|_| Amount::default())
    }
}

impl Measurable for RawResponse {
    fn rate_limit(&self) -> RateLimit {
        self.rate_limit.clone()
    }
}

/// Makes one attempt.
pub(super) fn sent(
    mut attempt: OngoingAttempt<'_, '_, ()>,
    _room: Room,
) -> Result<RawResponse, Error> {
    let signature = attempt.sign()?;
    let (incoming, secrets) = (attempt.exchange(&signature)?, &signature.secrets);
    let (reply, now) = (incoming.reply(), SystemTime::now());
    let checked = match (200..300).contains(&reply.status) {
        true => wire::head::check_coding(reply),
        false => Err(Failure::of(reply)),
    };
    match checked {
        Ok(()) => Ok(RawResponse {
            status: reply.status,
            media_type: reply.header("content-type").map(str::to_owned),
            provider: attempt.prepared.target.endpoint.id().clone(),
            request_id: wire::request_id(reply, secrets),
            rate_limit: wire::rate_limit(reply, now),
            latency: Duration::ZERO,
            attempts: Vec::new(),
            source: AnswerSource::Live,
            body: incoming.body,
        }),
        Err(failure) => Err(wire::error(failure, reply, now, secrets)),
    }
}
