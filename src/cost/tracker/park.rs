//! Charges that outlive the process: parks them, and takes them up again.

use std::time::{Duration, UNIX_EPOCH};

use super::CostTracker;
use crate::cost::ledger::ReservationId;
use crate::cost::reservation::Basis;
use crate::cost::{Bill, CallPlan, Charge, Cost, Money, ParkedCharge, Reservation};
use crate::error::Error;
use crate::time::rfc3339::seconds;

impl CostTracker {
    /// The name of the ledger in stored handles. Without a name of its own, only this tracker has
    /// it.
    pub(crate) fn ledger_name(&self) -> String {
        self.ledger().identity().unwrap_or_else(|| format!("tracker {:016x}", self.inner.nonce))
    }

    /// Takes up a parked charge. `ledger` is the name of the ledger that holds its reservation. If
    /// this tracker has another one, the charge is recorded without a reservation.
    ///
    /// # Errors
    ///
    /// [`Ledger`](crate::ErrorKind::Ledger) if the ledger cannot be written.
    pub(crate) fn take_up(
        &self,
        mut plan: CallPlan,
        parked: &ParkedCharge,
        ledger: &str,
    ) -> Result<Charge, Error> {
        if let Some((input, output)) = parked.most {
            plan = plan.input_tokens(input).output_tokens(output);
        }
        let since = u64::try_from(parked.at).unwrap_or_default();
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(since)).unwrap_or(UNIX_EPOCH);
        let reserved = parked.id.filter(|_| ledger == self.ledger_name()).map(ReservationId);
        let now = seconds(if reserved.is_some() { at } else { self.now() });
        let charges = self.charges(&plan, now);
        let (id, amount) = match reserved {
            Some(id) => (Some(id), parked.amount),
            None => (self.open(&charges, now)?, Money::ZERO),
        };
        let mut held = self.held(Basis { amount, ..self.basis(plan, at) }, id, charges, now);
        held.parked = reserved.is_some();
        Ok(Reservation::new(held).send())
    }
}

impl CostTracker {
    /// What a call costs at today's prices, without recording it.
    pub(crate) fn appraise(&self, plan: CallPlan, bill: Bill) -> Option<Cost> {
        let basis = self.basis(plan, self.now());
        let served = self.served_price(&basis.plan.scope, &bill);
        let terms = basis.terms(served.as_deref().or(basis.price()), bill.service_tier.as_deref());
        terms.answered(&bill.usage, bill.outcome)
    }
}

impl Charge {
    /// Leaves the charge open, for a later process to settle.
    pub(crate) fn park(self) -> ParkedCharge {
        let (id, basis) = self.into_parked();
        let (stated_input, stated_output) = basis.plan.states();
        let bound = &basis.plan.bound;
        ParkedCharge {
            id: id.map(|id| id.0),
            amount: basis.amount,
            most: (stated_input && stated_output)
                .then_some((bound.input_tokens, bound.output_tokens)),
            at: seconds(basis.at),
        }
    }
}
