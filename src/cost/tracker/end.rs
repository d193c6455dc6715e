//! Settles a call with the ledger and records it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use super::CostTracker;
use super::describe::alert;
use crate::cost::ledger::LedgerError;
use crate::cost::record::{self, KeptRecord};
use crate::cost::reservation::{Ending, Held};
use crate::cost::scope::Scope;
use crate::cost::{
    Bill, Budget, BudgetAlert, CallOutcome, CallPlan, Cost, CostEvent, Money, Price, Window,
};
use crate::sync::none_held;
use crate::time::rfc3339::seconds;

impl CostTracker {
    /// Records the end of a call.
    pub(in crate::cost) fn end(&self, held: &Held, ending: Ending) -> Option<Cost> {
        let basis = &*held.basis;
        let now = self.now();
        let plan = &basis.plan;
        let scope = &plan.scope;
        let (usage, cost) = match &ending {
            Ending::Released => {
                if let Some(id) = held.id {
                    match self.ledger().release(id, seconds(now)) {
                        Err(error) if held.parked && error.says_ended() => {}
                        released => drop(self.check_ledger(released)),
                    }
                }
                return None;
            }
            Ending::Unanswered => {
                let terms = basis.terms(basis.price(), None);
                (terms.lost(), terms.unanswered())
            }
            Ending::Answered(bill) => {
                let served = self.served_price(scope, bill);
                let price = served.as_deref().or(basis.price());
                let terms = basis.terms(price, bill.service_tier.as_deref());
                terms.settled(&bill.usage, bill.outcome)
            }
        };
        if held.free {
            self.end(held, Ending::Released);
            return cost;
        }
        let (outcome, served_model, tier) = match ending {
            Ending::Answered(Bill { outcome, served_model, service_tier, .. }) => {
                (outcome, served_model, service_tier)
            }
            Ending::Released | Ending::Unanswered => {
                (CallOutcome::Unanswered, Some(String::new()), None)
            }
        };
        let record = KeptRecord {
            at: now,
            scope: Arc::clone(scope),
            served_model: served_model.filter(|model| *model != scope.model),
            service_tier: tier.or_else(|| plan.service_tier.as_deref().map(record::tier)),
            tags: plan.tags.clone(),
            usage,
            cost,
            outcome,
        };
        let total = cost.map_or(Money::ZERO, |cost| cost.total);
        let settled = held.id.map(|id| self.ledger().settle(id, total, seconds(now)));
        // Somebody has read the same result of the same batch before.
        if held.parked && matches!(&settled, Some(Err(error)) if error.says_ended()) {
            return cost;
        }
        let postings = settled.and_then(|settled| self.check_ledger(settled)).unwrap_or_default();
        // Sent after the record is in the totals, which consume it.
        let spent = self.inner.events.are_read().then(|| CostEvent::Spent(record.shown()));
        let mut state = self.inner.state.lock();
        let alerts = state.record(record, self.budgets(), &held.charges, &postings, basis.at);
        drop(state);
        if let Some(spent) = spent {
            self.inner.events.send(|| spent);
        }
        alerts.iter().for_each(|alert| self.alert(alert));
        self.warn_of(&basis.plan, total, now);
        cost
    }

    /// The price of the model that served a call, if it is not the requested one.
    pub(super) fn served_price(&self, scope: &Scope, bill: &Bill) -> Option<Arc<Price>> {
        let served = bill.served_model.as_deref().filter(|model| *model != scope.model)?;
        let price = self.prices().find(scope.prices(), served)?;
        Some(scope.priced(price))
    }

    /// Alerts for soft per-request limits that a call reached: nothing else adds those up.
    fn warn_of(&self, plan: &CallPlan, total: Money, now: SystemTime) {
        let soft = |budget: &Budget| budget.soft && budget.window == Window::Request;
        let applying = plan.scope.applying(self.budgets(), &plan.tags);
        for (applicable, budget) in applying.filter(|(_, budget)| soft(budget)) {
            for percent in budget.reached(Money::ZERO, total) {
                let account = budget.account(&applicable.account, &plan.tags);
                self.alert(&alert(budget, &account, percent, total, now, now));
            }
        }
    }

    /// Delivers an alert, outside all locks.
    fn alert(&self, alert: &BudgetAlert) {
        let listeners = self.inner.listeners.lock().clone();
        none_held("an alert is passed on");
        let mut called = Vec::new();
        listeners.iter().for_each(|listener| listener.call(alert, &mut called));
        if let Some(listener) = &self.inner.config.on_alert {
            // A caller's panic must not end the call that reached the threshold.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(alert)));
        }
        self.inner.events.send(|| CostEvent::Alert(alert.clone()));
    }

    /// Notes that the ledger or the clock panicked as a call ended, so the call may not be
    /// recorded.
    pub(in crate::cost) fn end_failed(&self) {
        let error = LedgerError::new("the ledger or the clock panicked when a call was dropped");
        self.inner.state.lock().failed(&error);
    }

    /// Notes a failure of the ledger. The money stays reserved there.
    fn check_ledger<T>(&self, outcome: Result<T, LedgerError>) -> Option<T> {
        outcome.inspect_err(|error| self.inner.state.lock().failed(error)).ok()
    }
}
