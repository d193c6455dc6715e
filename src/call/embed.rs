//! Embeddings: one attempt at one request.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime};

use super::Caller;
use super::cached::{Gate, Wish};
use super::input_only;
use super::operation::{Measurable, OngoingAttempt, Operation, Options};
use super::prepared::{self, Prepared, Signature};
use super::target::{Asked, Target};
use super::url;
use crate::answer_source::AnswerSource;
use crate::cancel::CancelToken;
use crate::config::TimeLimits;
use crate::cost::{Reservation, ReserveAgain};
use crate::embed::{EmbedBatch, EmbedRequest, Rows, Truncation};
use crate::error::{Error, RateLimit};
use crate::metrics;
use crate::observed::Answer;
use crate::tags::Tags;
use crate::throttle::Amount;
use crate::transport::Method;
use crate::wire::embeddings::{self, Batch, Embeddings, Limits, Size};
use crate::wire::{self, Delivery};

/// The texts of one request, which is one call for budgets, metrics and observers.
pub(super) struct Embed<'a> {
    pub(super) request: &'a EmbedRequest,
    pub(super) texts: &'a [String],
    /// The place of the first of them in the request.
    pub(super) first: usize,
    /// The sizes of the texts; empty if they are not known yet.
    pub(super) sizes: &'a [Size],
    pub(super) cancel: Option<&'a CancelToken>,
    pub(super) idempotency_key: Option<Cow<'a, str>>,
    /// When the call for all texts began.
    pub(super) since: Instant,
}

/// The parts of an encoded request besides its bytes.
pub(super) struct Encoding {
    format: Embeddings,
    texts: usize,
    dimensions: Option<u32>,
    /// What every later attempt reserves.
    again: ReserveAgain,
    /// The bytes of the texts, to estimate their tokens.
    text_bytes: usize,
    /// What each attempt takes of the client's limits.
    amount: Amount,
}

/// The answer to one request.
pub(super) struct Answered {
    pub(super) rows: Rows,
    pub(super) model: String,
    pub(super) batch: EmbedBatch,
}

impl Measurable for Answered {
    fn is_complete(&self) -> bool {
        true
    }

    fn rate_limit(&self) -> RateLimit {
        self.batch.rate_limit.clone()
    }
}

impl<'a> From<&'a Answered> for Answer<'a> {
    fn from(answered: &'a Answered) -> Self {
        let Answered { model, batch, .. } = answered;
        Self {
            model,
            id: batch.id.as_deref(),
            request_id: batch.request_id.as_deref(),
            finish_reason: None,
            usage: batch.usage,
            cost: batch.cost,
        }
    }
}

/// The format of a target's embeddings.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the provider has none.
pub(super) fn format(target: &Target) -> Result<Embeddings, Error> {
    let profile = &target.endpoint.settings.profile;
    profile.embeddings.map(Embeddings::of).ok_or_else(|| {
        Error::invalid_request(format!(
            "no embeddings are known for {}; name another provider, set \
             Profile::embeddings, or use Client::post",
            profile.id
        ))
    })
}

/// A target as the wire formats see it.
pub(super) fn wire_target(target: &Target) -> embeddings::Target<'_> {
    embeddings::Target { provider: target.endpoint.id(), model: &target.model }
}

/// The sizes of texts for a target.
pub(super) fn sizes(caller: &Caller, target: &Target, texts: &[String]) -> Vec<Size> {
    let tokenizer = caller.settings.costs.tokenizer();
    let provider = target.endpoint.id().as_str();
    let counted = |text: &String| {
        tokenizer.and_then(|tokenizer| tokenizer.count(provider, &target.model, text))
    };
    texts.iter().map(|text| Size::of(text, counted(text))).collect()
}

/// Returns why these texts cannot be sent. `first` is the place of the first of them in the request.
pub(super) fn problem(
    request: &EmbedRequest,
    texts: &[String],
    sizes: &[Size],
    first: usize,
    limits: &Limits,
) -> Option<Error> {
    if request.texts.is_empty() {
        return Some(Error::invalid_request("the request has no texts to embed; add at least one"));
    }
    for (setting, value) in
        [("batch_size", request.batch_size), ("parallel_requests", request.parallel_requests)]
    {
        if value == Some(0) {
            return Some(Error::invalid_request(format!(
                "the {setting} is zero; set more than zero, or leave it unset"
            )));
        }
    }
    // Providers answer 400 to an empty text, and some embed it.
    if let Some(empty) = texts.iter().position(String::is_empty) {
        return Some(Error::invalid_request(format!(
            "the text {} is empty; remove it",
            first + empty
        )));
    }
    let may_truncate = request.truncation.is_some_and(|it| it != Truncation::Off)
        || (request.truncation.is_none() && limits.truncates);
    let most = limits.text_tokens.filter(|_| !may_truncate)?;
    let (place, tokens) = sizes.iter().enumerate().find_map(|(place, size)| {
        let tokens = size.counted.filter(|tokens| *tokens > most)?;
        Some((first + place, tokens))
    })?;
    Some(Error::invalid_request(format!(
        "the text {place} has {tokens} tokens, but the model reads at most {most}; split it, or \
         set a truncation if the provider has one"
    )))
}

impl Operation for Embed<'_> {
    type Content = Encoding;
    type Reserved = Reservation;

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        let request = self.request;
        Options {
            asked: asked(request),
            tags: (&request.tags).into(),
            limits: TimeLimits {
                call: request.timeout,
                attempt: request.attempt_timeout,
                ..TimeLimits::default()
            },
            since: Some(self.since),
            cancel: self.cancel,
            idempotency_key: self.idempotency_key.as_deref(),
        }
    }

    fn caching(&self) -> Option<Wish> {
        Some(Wish { mode: self.request.cache, is_sampled: false })
    }

    fn name(&self, _target: Option<&Target>) -> &'static str {
        metrics::EMBEDDINGS
    }

    fn prepare(
        &self,
        caller: &Caller,
        target: Target,
        tags: &Tags,
        gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Encoding>, Reservation), Error> {
        let format = format(&target)?;
        let (request, texts) = (self.request, self.texts);
        let limits = format.limits(wire_target(&target));
        let sizes = match self.sizes.len() == texts.len() {
            true => Cow::Borrowed(self.sizes),
            false => Cow::Owned(sizes(caller, &target, texts)),
        };
        if let Some(problem) = problem(request, texts, &sizes, self.first, &limits) {
            return Err(problem);
        }
        let path = format.path(wire_target(&target));
        let settings = &target.endpoint.settings;
        let uri = url::at(&settings.base, &path, &target.model)?;
        let body = format.encode(&Batch { request, texts, target: wire_target(&target) })?;
        let text_bytes = texts.iter().map(String::len).sum();

        let input_tokens = || {
            let tokens = sizes.iter().map(|size| limits.billed(size.tokens()));
            tokens.fold(0, u64::saturating_add)
        };
        let method = Method::Post;
        let is_free = gate.is_free(|| prepared::recorded_as(&target, method, &uri, None, &body))?;
        let plan = input_only::plan(caller, &target, tags, text_bytes, None);
        let (reservation, expected_input) = match is_free {
            true => (caller.settings.costs.free(plan), 0),
            false => input_only::reserve(caller, plan, input_tokens)?,
        };
        let counts_tokens = caller.limiter.as_ref().is_some_and(|limiter| limiter.counts_tokens());
        let input = if counts_tokens { input_tokens() } else { 0 };
        let amount = Amount { input, output: 0, needed_output: 0, expected_input };
        let again = reservation.again();
        let (texts, dimensions) = (texts.len(), request.dimensions);
        let content = Encoding { format, texts, dimensions, again, text_bytes, amount };
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

/// The model that a request asks for.
pub(super) fn asked(request: &EmbedRequest) -> Asked<'_> {
    Asked::Model(request.provider.as_ref(), request.model.as_deref())
}

/// Makes one attempt.
pub(super) fn sent(
    mut attempt: OngoingAttempt<'_, '_, Encoding>,
    reserved: Reservation,
) -> Result<Answered, Error> {
    let signature = attempt.sign()?;
    let (charge, text_bytes) = (reserved.send(), attempt.prepared.content.text_bytes);
    let answered = ask(&mut attempt, &signature);
    input_only::settle(charge, text_bytes, answered, |Answered { model, batch, .. }| {
        (model, &mut batch.usage, &mut batch.cost)
    })
}

/// Sends a request and reads the answer.
fn ask(
    attempt: &mut OngoingAttempt<'_, '_, Encoding>,
    signature: &Signature,
) -> Result<Answered, Error> {
    let (incoming, prepared) = (attempt.exchange(signature)?, attempt.prepared);
    let (content, secrets) = (&prepared.content, &signature.secrets);
    let (reply, now) = (incoming.reply(), SystemTime::now());
    let decoded = content.format.decode(reply, content.texts, content.dimensions);
    match decoded {
        Ok(embeddings::Decoded { rows, usage, mut model, mut id }) => {
            input_only::show_names(&mut model, &mut id, &prepared.target.model, secrets);
            let batch = EmbedBatch {
                texts: content.texts,
                usage,
                cost: None,
                id,
                request_id: wire::request_id(reply, secrets),
                rate_limit: wire::rate_limit(reply, now),
                latency: Duration::ZERO,
                attempts: Vec::new(),
                source: AnswerSource::Live,
            };
            Ok(Answered { rows, model, batch })
        }
        Err(failure) => Err(wire::error(failure, reply, now, secrets)),
    }
}
