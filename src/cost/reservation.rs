//! `Reservation`, `Charge` and `Bill`: money reserved, a sent call, and what settles it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use super::charge::{Terms, may_be_billed};
use super::ledger::ReservationId;
use super::record::{self, CallOutcome, Tier};
use super::tracker::CostTracker;
use super::{CallPlan, Cost, Money, Price, UnreportedUsage, budget};
use crate::error::Error;
use crate::usage::{Usage, UsageSource};

/// Money reserved for a call that has not been sent yet.
///
/// Made by [`CostTracker::reserve`]. Dropping it releases the money.
#[must_use = "dropping it releases the money"]
#[derive(Debug)]
pub struct Reservation(Held);

/// What a reservation was made for. Another attempt can [reserve](CostTracker::reserve_again) the
/// same.
#[derive(Debug)]
pub(crate) struct ReserveAgain(Arc<Basis>);

/// A call that was sent and will be charged.
///
/// Made by [`Reservation::send`]. The call may have been billed, so dropping this charges it like
/// a call without an answer, by the rule of [`UnreportedUsage`](super::UnreportedUsage).
#[must_use = "dropping it charges the call as one without an answer"]
#[derive(Debug)]
pub struct Charge(Held);

/// What an answer used, complete or as far as it arrived.
#[derive(Debug, Clone)]
pub struct Bill {
    pub(super) usage: Usage,
    pub(super) served_model: Option<String>,
    pub(super) service_tier: Option<Tier>,
    pub(super) outcome: CallOutcome,
}

impl Bill {
    /// A complete answer with this usage.
    pub fn new(usage: Usage) -> Self {
        Self { usage, served_model: None, service_tier: None, outcome: CallOutcome::Answered }
    }

    /// Sets the model that served it, whose price applies. Default: the requested model.
    #[must_use]
    pub fn served_model(mut self, model: impl Into<String>) -> Self {
        self.served_model = Some(model.into());
        self
    }

    /// Sets the service tier that served it, whose price applies. Default: the requested tier.
    #[must_use]
    pub fn service_tier(mut self, tier: impl Into<String>) -> Self {
        self.service_tier = Some(Tier::Owned(tier.into()));
        self
    }

    /// Sets who served it, if known.
    pub(crate) fn served_by(mut self, model: Option<&str>, tier: Option<&str>) -> Self {
        self.served_model = model.map(str::to_owned);
        self.service_tier = tier.map(record::tier);
        self
    }

    /// Charges the requested tier, whatever tier the answer names.
    pub(crate) fn forget_tier(&mut self) {
        self.service_tier = None;
    }

    /// Marks the answer as broken off: its usage counts only what arrived. The output is charged
    /// by the rule of [`UnreportedUsage`](super::UnreportedUsage).
    ///
    /// Do not call this if the provider reported everything it billed before the break.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.usage = self.usage.unfinished();
        self.cut_off()
    }

    /// Like [`broken`](Self::broken), but the usage's source already says what was reported.
    pub(crate) fn cut_off(mut self) -> Self {
        self.outcome = CallOutcome::Broken;
        self
    }

    /// Marks usage of a call made elsewhere, for which nothing was reserved.
    pub(super) fn tracked(mut self) -> Self {
        self.outcome = CallOutcome::Tracked;
        self
    }
}

/// Called once when a call ends.
pub(crate) trait AtEnd: fmt::Debug + Send + Sync {
    /// The call is charged this many tokens. `None` if it is charged the whole reservation, because
    /// its usage is not fully known.
    fn ended(self: Box<Self>, tokens: Option<u64>);
}

/// A reservation and what is needed to end it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) tracker: CostTracker,
    pub(super) basis: Arc<Basis>,
    /// Its id in the ledger, if any budget applies.
    pub(super) id: Option<ReservationId>,
    /// The accounts charged, each with its budget's index, in the ledger's order.
    pub(super) charges: Vec<(usize, budget::Charge)>,
    /// Whether the request was sent.
    pub(super) sent: bool,
    /// Whether nothing is charged, because a recording answers.
    pub(super) free: bool,
    /// Whether it has ended.
    pub(super) ended: bool,
    /// Whether another process may have settled it, because a stored handle keeps it.
    pub(super) parked: bool,
    /// Called when it ends.
    pub(super) at_end: Option<Box<dyn AtEnd>>,
}

/// What a call is priced by.
#[derive(Debug)]
pub(super) struct Basis {
    /// Its bound is what was reserved.
    pub(super) plan: CallPlan,
    /// What was reserved.
    pub(super) amount: Money,
    /// The lowest hard per-request limit.
    pub(super) limit: Option<Money>,
    /// When it was reserved.
    pub(super) at: SystemTime,
    pub(super) unreported: UnreportedUsage,
    pub(super) trust_reported: bool,
}

/// How a call has ended.
// Made and taken apart on the stack.
#[allow(clippy::large_enum_variant)]
pub(super) enum Ending {
    Released,
    Answered(Bill),
    Unanswered,
}

impl Reservation {
    pub(super) fn new(held: Held) -> Self {
        Self(held)
    }

    /// How much is reserved. Zero if no budget applies to the call.
    pub fn amount(&self) -> Money {
        self.0.basis.amount
    }

    /// The output tokens it pays for, at most those of the plan. Send this as `max_tokens`, so
    /// that the provider enforces it.
    pub fn output_tokens(&self) -> u64 {
        self.0.basis.plan.bound.output_tokens
    }

    /// The output limit to send for each answer; `None` if no budget applies to the call.
    pub(crate) fn output_limit(&self) -> Option<u64> {
        let bound = &self.0.basis.plan.bound;
        (bound.answers > 0).then(|| bound.limit_within(bound.output_tokens))
    }

    /// Calls this when the call ends, with the tokens that it is charged.
    pub(crate) fn at_end(&mut self, called: Box<dyn AtEnd>) {
        self.0.at_end = Some(called);
    }

    /// Charges nothing when the call ends: a recording answers it. It is priced all the same.
    pub(crate) fn charge_nothing(&mut self) {
        self.0.free = true;
    }

    /// What it was made for.
    pub(crate) fn plan(&self) -> &CallPlan {
        &self.0.basis.plan
    }

    /// What it was made for, so that another attempt can reserve the same.
    pub(crate) fn again(&self) -> ReserveAgain {
        ReserveAgain(Arc::clone(&self.0.basis))
    }

    /// Marks the call as sent. From here on it may be billed.
    pub fn send(mut self) -> Charge {
        self.0.sent = true;
        Charge(self.0)
    }
}

impl ReserveAgain {
    /// The output limit of the first attempt was lowered to what the budgets could pay for, and
    /// has been sent. It stays.
    pub(super) fn plan(&self) -> CallPlan {
        let mut plan = self.0.plan.clone();
        plan.min_output = None;
        plan
    }
}

impl Charge {
    /// Charges what the answer cost, releases the rest and returns the cost. `None` if the price
    /// is not known.
    ///
    /// The cost can exceed the reservation if the provider ignored the limits it was sent. It is
    /// recorded anyway.
    pub fn settle(mut self, bill: Bill) -> Option<Cost> {
        self.0.end(Ending::Answered(bill))
    }

    /// Releases the money: the call was certainly not billed.
    pub fn release(mut self) {
        self.0.end(Ending::Released);
    }

    /// Ends a call that failed before any answer, and charges it if it may have been billed.
    pub(crate) fn fail(self, error: &Error) {
        if !may_be_billed(error) {
            self.release();
        }
    }

    /// Lets go of the charge without ending it. Its room in the limits is given back.
    pub(super) fn into_parked(mut self) -> (Option<ReservationId>, Arc<Basis>) {
        self.0.ended = true;
        if let Some(at_end) = self.0.at_end.take() {
            at_end.ended(Some(0));
        }
        (self.0.id, Arc::clone(&self.0.basis))
    }

    /// Watches what a stream costs as it arrives.
    pub(crate) fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.0.basis))
    }
}

impl Held {
    fn end(&mut self, ending: Ending) -> Option<Cost> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        if let Some(at_end) = self.at_end.take() {
            at_end.ended(self.basis.tokens(&ending));
        }
        self.tracker.end(self, ending)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let ending = if self.sent { Ending::Unanswered } else { Ending::Released };
        // If the caller's ledger or clock panicked here while another panic unwinds, the process
        // would abort.
        if catch_unwind(AssertUnwindSafe(|| self.end(ending))).is_err() {
            self.tracker.end_failed();
        }
    }
}

/// Watches what a stream costs as it arrives.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Basis>);

impl Meter {
    /// What this usage costs at the price of the requested model, if the stream goes on and ends
    /// well.
    pub(crate) fn cost(&self, usage: &Usage) -> Option<Cost> {
        let mut terms = self.0.terms(self.0.price(), None);
        if terms.unreported == UnreportedUsage::Reserved {
            terms.unreported = UnreportedUsage::Received;
        }
        terms.answered(usage, CallOutcome::Broken)
    }

    /// The per-request limit, once the stream has exceeded it.
    ///
    /// Unreported output counts half of its estimate, so that only a provider that ignores the
    /// output limit is cut off, and not text with long tokens.
    pub(crate) fn passed(&self, usage: &Usage) -> Option<Money> {
        let limit = self.0.limit?;
        let mut usage = *usage;
        if let (_, false) = usage.known() {
            usage.completion_tokens /= 2;
        }
        let mut terms = self.0.terms(self.0.price(), None);
        // Not what a broken stream is charged: the stream should end well and cost what arrived.
        terms.unreported = match terms.unreported {
            UnreportedUsage::Reserved => UnreportedUsage::Received,
            UnreportedUsage::Nothing => UnreportedUsage::Estimate,
            rule => rule,
        };
        let cost = terms.answered(&usage, CallOutcome::Broken)?;
        (cost.total > limit).then_some(limit)
    }

    /// Whether there is any limit to watch.
    pub(crate) fn is_limited(&self) -> bool {
        self.0.limit.is_some()
    }
}

impl Basis {
    /// The price of the requested model.
    pub(super) fn price(&self) -> Option<&Price> {
        self.plan.scope.price().map(|price| &**price)
    }

    /// The tokens that a call is charged; `None` if it is charged the whole reservation.
    fn tokens(&self, ending: &Ending) -> Option<u64> {
        use UnreportedUsage::{Received, Reserved};

        let terms = self.terms(None, None);
        let (usage, charged) = match ending {
            Ending::Released => return Some(0),
            Ending::Answered(bill) => (bill.usage, terms.charged(&bill.usage)),
            Ending::Unanswered => (Usage::default(), terms.lost()),
        };
        match (usage.known(), self.unreported) {
            ((true, true), _) => Some(charged.total_tokens),
            (_, Reserved) => None,
            (_, Received) if usage.source == UsageSource::Missing => None,
            _ => Some(charged.total_tokens),
        }
    }

    /// What is needed to price a call at `price`, that of the model that served it, in the tier
    /// that served it if known.
    pub(super) fn terms<'a>(
        &'a self,
        price: Option<&'a Price>,
        served_tier: Option<&'a str>,
    ) -> Terms<'a> {
        Terms {
            price,
            bound: &self.plan.bound,
            stated: self.plan.states(),
            reserved: self.amount,
            expected_input: self.plan.expected_input(),
            asked_tier: self.plan.service_tier.as_deref(),
            served_tier,
            at: self.at,
            unreported: self.unreported,
            trust_reported: self.trust_reported,
        }
    }
}
