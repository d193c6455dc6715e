//! What belongs to a stream besides its body: attempts, timing, cost and observer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer_source::AnswerSource;
use crate::chat::{ChatResponse, Provider, Usage};
use crate::cost::{Bill, Charge, Cost, Meter};
use crate::error::{Attempt, Decision, Error, GiveUp, RateLimit};
use crate::histogram::Histogram;
use crate::key::Secrets;
use crate::observed::{Answer, Ended, ObservedCall};
use crate::routing::{Answered, Change, LazyTrace, Ticket};
use crate::sync::ordered::Mutex;
use crate::wire::{self, Decoded, Decoder};

/// What the client knows about a streamed response besides its body.
pub(super) struct StreamContext {
    pub(super) provider: Provider,
    pub(super) model: String,
    pub(super) answer_source: AnswerSource,
    pub(super) secrets: Arc<Secrets>,
    pub(super) request_id: Option<String>,
    pub(super) rate_limit: RateLimit,
    pub(super) attempts: Vec<Attempt>,
    pub(super) status: u16,
    pub(super) begun: Instant,
    /// How long the first token took, if the answer has any.
    pub(super) first_token: Option<Duration>,
    /// The times between pieces of the answer. The reader writes them until the stream ends.
    pub(super) gaps: Arc<Mutex<Histogram>>,
    pub(super) meter: Meter,
    /// `None` once the stream has ended.
    pub(super) charge: Option<Charge>,
    /// How a route served the call.
    pub(super) route: Option<LazyTrace>,
    /// The ticket of the route's target. `None` once the stream has ended.
    pub(super) ticket: Option<Ticket>,
    /// `None` once the stream has ended.
    pub(super) watched: Option<ObservedCall>,
    /// How long the stream took, once it has ended.
    pub(super) latency: Option<Duration>,
    /// What the stream cost, once it has ended.
    pub(super) cost: Option<Cost>,
}

impl StreamContext {
    /// The response made of what was decoded so far.
    pub(super) fn response(&self, mut decoded: Decoded) -> ChatResponse {
        let cost = match self.charge {
            Some(_) => self.meter.cost(&decoded.usage),
            None => self.cost,
        };
        decoded.complete(&self.model, &self.secrets);
        ChatResponse {
            request_id: self.request_id.clone(),
            rate_limit: self.rate_limit.clone(),
            latency: self.latency.unwrap_or_else(|| self.begun.elapsed()),
            attempts: self.attempts.clone(),
            cost,
            route: self.route.clone(),
            source: self.answer_source,
            ..decoded.into_response(self.provider.clone())
        }
    }

    /// Records the latency. The last attempt is the stream: it ends now too, with the same result.
    pub(super) fn stop_the_clock(&mut self, error: Option<&Error>) {
        let latency = self.begun.elapsed();
        self.latency = Some(latency);
        let Some(last) = self.attempts.last_mut() else { return };
        last.duration = latency.saturating_sub(last.started_after);
        if let Some(error) = error {
            last.failure = Some(error.into());
            last.decision = Some(Decision::GiveUp(match error.is_cancelled() {
                true => GiveUp::Cancelled,
                false => GiveUp::StreamStarted,
            }));
        }
    }

    /// Notes how the target of a route performed.
    fn report_to_route(
        &self,
        ticket: &Ticket,
        usage: Usage,
        error: Option<&Error>,
    ) -> Option<Change> {
        let now = Instant::now();
        let cost = self.cost.map(|cost| cost.total);
        match error {
            None => {
                let first = self.first_token.unwrap_or_default();
                let writing = self.latency.unwrap_or_default().saturating_sub(first);
                ticket.answered(&Answered::of(&usage, cost, writing), now);
                None
            }
            Some(error) => {
                ticket.billed(cost);
                ticket.failed_late(error, now)
            }
        }
    }

    /// Charges the call, and reports its end to observers.
    pub(super) fn end(&mut self, decoder: &Mutex<Decoder>, error: Option<&Error>) {
        // Copied, because nothing is reported under a lock.
        let (mut model, mut tier, usage, mut id, finish_reason) = {
            let decoder = decoder.lock();
            let (model, tier) = decoder.served();
            let whole = decoder.whole();
            (
                model.map(str::to_owned),
                tier.map(str::to_owned),
                decoder.usage(),
                whole.and_then(|whole| whole.id.clone()),
                whole.map(|whole| whole.finish_reason),
            )
        };
        if let Some(model) = &mut model {
            wire::showable_model(model, &self.model, &self.secrets);
        }
        for word in [&mut tier, &mut id].into_iter().flatten() {
            wire::showable(word, &self.secrets);
        }
        if let Some(charge) = self.charge.take() {
            let bill = Bill::new(usage).served_by(model.as_deref(), tier.as_deref());
            self.cost = charge.settle(match finish_reason {
                Some(_) => bill,
                None => bill.cut_off(),
            });
        }
        let ticket = self.ticket.take();
        let change = ticket.and_then(|ticket| self.report_to_route(&ticket, usage, error));
        let Some(watched) = self.watched.take() else { return };
        if let (Some(change), Some(target)) =
            (change, self.route.as_ref().and_then(LazyTrace::answered))
        {
            let (route, target) = target;
            watched.target_changed(route, target, change);
        }
        if let Some(last) = self.attempts.last() {
            watched.attempt_ended(last);
        }
        let gaps = std::mem::take(&mut *self.gaps.lock());
        watched.end(&Ended {
            answer: Some(Answer {
                model: model.as_deref().unwrap_or(&self.model),
                id: id.as_deref(),
                request_id: self.request_id.as_deref(),
                finish_reason,
                usage,
                cost: self.cost,
            }),
            error,
            attempts: &self.attempts,
            time_to_first_token: self.first_token,
            gaps: Some(&gaps),
        });
    }
}
