//! Moderation: one attempt at a request.

use std::time::{Duration, SystemTime};

use super::Caller;
use super::cached::Gate;
use super::chat::into_text;
use super::input_only;
use super::operation::{Measurable, OngoingAttempt, Operation, Options};
use super::prepared::{Prepared, Signature};
use super::target::{self, Asked, Target};
use super::url;
use crate::answer_source::AnswerSource;
use crate::chat::Provider;
use crate::config::TimeLimits;
use crate::cost::{Reservation, ReserveAgain};
use crate::error::{Error, RateLimit};
use crate::metrics;
use crate::moderation::{Moderation, ModerationFormat, ModerationRequest};
use crate::observed::Answer;
use crate::tags::Tags;
use crate::throttle::Amount;
use crate::transport::Method;
use crate::wire::moderation::{self, Decoded};
use crate::wire::{self, Delivery};

/// Content to judge.
pub(super) struct Moderate<'a> {
    request: &'a ModerationRequest,
    /// The provider and its moderation model, if the request names no model.
    usual: Option<(Provider, &'static str)>,
}

/// The parts of an encoded request besides its bytes.
pub(super) struct Encoding {
    /// How many results the answer must have.
    results: usize,
    /// The bytes of the texts, to estimate their tokens.
    text_bytes: usize,
    /// What every later attempt reserves.
    again: ReserveAgain,
    /// What each attempt takes of the client's limits.
    amount: Amount,
}

impl<'a> Moderate<'a> {
    /// Chooses the model: the client's own is for chats.
    pub(super) fn new(caller: &Caller, request: &'a ModerationRequest) -> Self {
        let usual = || {
            let asked = Asked::Provider(request.provider.as_ref(), "");
            let Caller { endpoints, settings, transport, .. } = caller;
            // Without a provider the call fails, and says so.
            let target = target::resolve(asked, endpoints, settings, transport).ok()?;
            let format = format(&target).ok()?;
            Some((target.endpoint.id().clone(), format.default_model()))
        };
        Self { request, usual: if request.model.is_none() { usual() } else { None } }
    }
}

impl Measurable for Moderation {
    fn rate_limit(&self) -> RateLimit {
        self.rate_limit.clone()
    }
}

impl<'a> From<&'a Moderation> for Answer<'a> {
    fn from(moderation: &'a Moderation) -> Self {
        Self {
            model: &moderation.model,
            id: moderation.id.as_deref(),
            request_id: moderation.request_id.as_deref(),
            finish_reason: None,
            usage: moderation.usage,
            cost: moderation.cost,
        }
    }
}

/// The format of a target's moderation.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the provider has none.
fn format(target: &Target) -> Result<ModerationFormat, Error> {
    let profile = &target.endpoint.settings.profile;
    profile.moderation.ok_or_else(|| {
        Error::invalid_request(format!(
            "no moderation is known for {}; name another provider with \
             ModerationRequest::provider, such as \"openai\" or \"mistral\", set \
             Profile::moderation, or use Client::post",
            profile.id
        ))
    })
}

impl Operation for Moderate<'_> {
    type Content = Encoding;
    type Reserved = Reservation;

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        let request = self.request;
        let asked = match (&self.usual, &request.model) {
            (Some((provider, model)), _) => Asked::Provider(Some(provider), model),
            (None, Some(model)) => Asked::Model(request.provider.as_ref(), Some(model)),
            (None, None) => Asked::Provider(request.provider.as_ref(), ""),
        };
        Options {
            asked,
            tags: (&request.tags).into(),
            limits: TimeLimits {
                call: request.timeout,
                attempt: request.attempt_timeout,
                ..TimeLimits::default()
            },
            since: None,
            cancel: request.cancel_token.as_ref(),
            idempotency_key: request.idempotency_key.as_deref(),
        }
    }

    fn name(&self, _target: Option<&Target>) -> &'static str {
        metrics::MODERATION
    }

    fn prepare(
        &self,
        caller: &Caller,
        target: Target,
        tags: &Tags,
        _gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Encoding>, Reservation), Error> {
        let format = format(&target)?;
        let settings = &target.endpoint.settings;
        let encoded = moderation::encode(format, self.request, target.as_wire())?;
        let moderation::Encoded { path, body, results, text_bytes, most_tokens } = encoded;
        let uri = url::at(&settings.base, path, &target.model)?;

        let plan = input_only::plan(caller, &target, tags, text_bytes, None);
        let (reservation, expected_input) = input_only::reserve(caller, plan, || most_tokens)?;
        let amount = Amount { input: most_tokens, output: 0, needed_output: 0, expected_input };
        let content = Encoding { results, text_bytes, again: reservation.again(), amount };
        let method = Method::Post;
        Ok((Prepared { target, method, uri, body, betas: None, content }, reservation))
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

/// Makes one attempt.
pub(super) fn sent(
    mut attempt: OngoingAttempt<'_, '_, Encoding>,
    reserved: Reservation,
) -> Result<Moderation, Error> {
    let signature = attempt.sign()?;
    let (charge, text_bytes) = (reserved.send(), attempt.prepared.content.text_bytes);
    let moderation = ask(&mut attempt, &signature);
    input_only::settle(
        charge,
        text_bytes,
        moderation,
        |Moderation { model, usage, cost, .. }| (model, usage, cost),
    )
}

/// Sends a request and reads the answer.
fn ask(
    attempt: &mut OngoingAttempt<'_, '_, Encoding>,
    signature: &Signature,
) -> Result<Moderation, Error> {
    let (incoming, prepared) = (attempt.exchange(signature)?, attempt.prepared);
    let (target, secrets) = (&prepared.target, &signature.secrets);
    let (reply, now) = (incoming.reply(), SystemTime::now());
    match moderation::decode(reply, prepared.content.results) {
        Ok(Decoded { mut results, usage, mut model, mut id }) => {
            input_only::show_names(&mut model, &mut id, &target.model, secrets);
            for category in results.iter_mut().flat_map(|result| &mut result.categories) {
                wire::showable(&mut category.name, secrets);
            }
            Ok(Moderation {
                results,
                model,
                provider: target.endpoint.id().clone(),
                id,
                usage,
                cost: None,
                request_id: wire::request_id(reply, secrets),
                rate_limit: wire::rate_limit(reply, now),
                latency: Duration::ZERO,
                attempts: Vec::new(),
                raw: into_text(incoming.body),
                source: AnswerSource::Live,
            })
        }
        Err(failure) => Err(wire::error(failure, reply, now, secrets)),
    }
}
