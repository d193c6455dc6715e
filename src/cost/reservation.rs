//! Money reserved for a call, the charge after it is sent, and the bill that settles it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use super::charge::{Terms, may_be_billed};
use super::ledger::ReservationId;
use super::record::CallOutcome;
use super::tracker::CostTracker;
use super::{CallPlan, Cost, Money, Price, UnreportedUsage};
use crate::error::Error;
use crate::usage::Usage;

/// Money set aside for a call that is not sent yet.
///
/// Made by [`CostTracker::reserve`]. Dropped, it gives the money back.
#[must_use = "dropped, it gives the money back"]
#[derive(Debug)]
pub struct Reservation(Held);

/// A call that was sent, and will be charged.
///
/// Made by [`Reservation::send`]. Dropped, it is charged as a call without an answer, by the
/// rule of [`UnreportedUsage`](super::UnreportedUsage): it may have been billed.
#[must_use = "dropped, it is charged as a call that got no answer"]
#[derive(Debug)]
pub struct Charge(Held);

/// What an answer used, whole or as far as it came.
#[derive(Debug, Clone)]
pub struct Bill {
    pub(super) usage: Usage,
    pub(super) served_model: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) outcome: CallOutcome,
}

impl Bill {
    /// A whole answer of this usage.
    pub fn new(usage: Usage) -> Self {
        Self { usage, served_model: None, service_tier: None, outcome: CallOutcome::Answered }
    }

    /// The model that served it, whose price holds. Default: the one that was asked for.
    #[must_use]
    pub fn served_model(mut self, model: impl Into<String>) -> Self {
        self.served_model = Some(model.into());
        self
    }

    /// The service tier that served it, whose price holds. Default: the one that was
    /// asked for.
    #[must_use]
    pub fn service_tier(mut self, tier: impl Into<String>) -> Self {
        self.service_tier = Some(tier.into());
        self
    }

    /// Who served it, as far as that was told.
    pub(crate) fn served_by(mut self, model: Option<String>, tier: Option<String>) -> Self {
        self.served_model = model;
        self.service_tier = tier;
        self
    }

    /// The answer broke off, and its usage counts what came until then: the output is charged
    /// by the rule of [`UnreportedUsage`](super::UnreportedUsage).
    ///
    /// Where the provider reported all that it billed before the answer broke off, this is
    /// not needed.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.usage = self.usage.unfinished();
        self.cut_off()
    }

    /// The answer broke off; the source of its usage says what of it the provider reported.
    pub(crate) fn cut_off(mut self) -> Self {
        self.outcome = CallOutcome::Broken;
        self
    }

    /// The usage alone was told, of a call that nothing was reserved for.
    pub(super) fn tracked(mut self) -> Self {
        self.outcome = CallOutcome::Tracked;
        self
    }
}

/// A reservation and what its end needs.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) tracker: CostTracker,
    pub(super) basis: Arc<Basis>,
    /// In the ledger, where any budget bears on it.
    pub(super) id: Option<ReservationId>,
    /// The budgets by their places, and the accounts in them, in the ledger's order.
    pub(super) accounts: Vec<(usize, String)>,
    /// Whether the request was sent.
    pub(super) sent: bool,
    /// Whether it has ended.
    pub(super) ended: bool,
}

/// What a call is priced by.
#[derive(Debug)]
pub(super) struct Basis {
    /// Its bound is what was reserved for.
    pub(super) plan: CallPlan,
    /// Of the model asked for.
    pub(super) price: Option<Arc<Price>>,
    /// What was reserved.
    pub(super) amount: Money,
    /// The least of the hard limits per request.
    pub(super) limit: Option<Money>,
    /// When it was reserved.
    pub(super) at: SystemTime,
    pub(super) unreported: UnreportedUsage,
    pub(super) trust_reported: bool,
}

/// How a call has ended.
// It is made and taken apart on the stack.
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

    /// How much is set aside. Nothing where no budget bears on the call.
    pub fn amount(&self) -> Money {
        self.0.basis.amount
    }

    /// The output tokens it is enough for, at most those of the plan: what to send as
    /// `max_tokens`, so that the provider itself keeps to it.
    pub fn output_tokens(&self) -> u64 {
        self.0.basis.plan.bound.output_tokens
    }

    /// What to send as the limit of each answer; `None` where no budget bears on the call.
    pub(crate) fn output_limit(&self) -> Option<u64> {
        let bound = &self.0.basis.plan.bound;
        (bound.answers > 0).then(|| bound.limit_within(bound.output_tokens))
    }

    /// The call is sent now. From here on it may be billed.
    pub fn send(mut self) -> Charge {
        self.0.sent = true;
        Charge(self.0)
    }
}

impl Charge {
    /// Charges what the answer cost, gives the rest back and returns the cost. `None`
    /// where the price is not known.
    ///
    /// It may be more than was reserved, where the provider did not keep to the limits
    /// sent; it is booked all the same.
    pub fn settle(mut self, bill: Bill) -> Option<Cost> {
        self.0.end(Ending::Answered(bill))
    }

    /// Gives the money back: the call certainly was not billed.
    pub fn release(mut self) {
        self.0.end(Ending::Released);
    }

    /// Ends a call that failed before any answer: charges it where it may have been
    /// billed.
    pub(crate) fn fail(self, error: &Error) {
        if !may_be_billed(error) {
            self.release();
        }
    }

    /// Watches what a stream costs while it comes.
    pub(crate) fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.0.basis))
    }
}

impl Held {
    fn end(&mut self, ending: Ending) -> Option<Cost> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        self.tracker.end(self, ending)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let ending = if self.sent { Ending::Unanswered } else { Ending::Released };
        // A ledger or a clock of the caller's that panics here, while another panic drops
        // this, would end the process.
        if catch_unwind(AssertUnwindSafe(|| self.end(ending))).is_err() {
            self.tracker.end_failed();
        }
    }
}

/// Watches what a stream costs while it comes.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Basis>);

impl Meter {
    /// What so much usage costs, by the price of the model asked for, if the stream goes on
    /// and ends well.
    pub(crate) fn cost(&self, usage: &Usage) -> Option<Cost> {
        let mut terms = self.0.terms(self.0.price.as_deref(), None);
        if terms.unreported == UnreportedUsage::Reserved {
            terms.unreported = UnreportedUsage::Received;
        }
        terms.answered(usage, CallOutcome::Broken)
    }

    /// The limit per request, once it is passed.
    ///
    /// Output that was not reported counts half of its estimate, so that only a provider that
    /// ignores the output limit is cut off, and not text of long tokens.
    pub(crate) fn passed(&self, usage: &Usage) -> Option<Money> {
        let limit = self.0.limit?;
        let mut usage = *usage;
        if let (_, false) = usage.known() {
            usage.completion_tokens /= 2;
        }
        let mut terms = self.0.terms(self.0.price.as_deref(), None);
        // Whatever is charged if it breaks off: it is to end well, and cost what came.
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
    /// The terms at the `price` of who served the call, and in the tier that did, where
    /// that is known.
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
