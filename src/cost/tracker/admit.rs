//! Before a call is sent: computes the most it can use, and reserves the money.

use std::sync::Arc;
use std::time::SystemTime;

use super::CostTracker;
use super::describe::{ledger_error, refusal, refusal_error, unknown_price, unstated_tokens};
use crate::cost::availability::{Availability, Fit, moments};
use crate::cost::budget::Charge;
use crate::cost::ledger::{Balance, Hold, HoldError, LedgerError, Line, ReservationId};
use crate::cost::reservation::{Basis, Held};
use crate::cost::scope::Applicable;
use crate::cost::{
    Budget, CallPlan, CostConfig, CostEvent, MaxPrice, Money, Reservation, ReserveAgain,
    UnknownModel, Window,
};
use crate::error::{Error, ErrorKind};
use crate::time::rfc3339::seconds;
use crate::upper_bound::{ModelLimits, Unbounded, UpperBound};

/// The output that is reserved and sent as the limit if neither the request nor the price sets
/// one. Servers refuse a limit beyond what their model can write, and even the older models still
/// in use can write this much.
const DEFAULT_OUTPUT: u64 = 4_096;

impl CostTracker {
    /// Reserves the most that a call can cost, in all budgets that apply to it or in none. With
    /// [`min_output_tokens`](CallPlan::min_output_tokens), it may reserve for less output than
    /// planned: [`Reservation::output_tokens`] says how much.
    ///
    /// # Errors
    ///
    /// [`BudgetExceeded`](ErrorKind::BudgetExceeded) if a budget cannot pay for the call.
    /// [`CostUnknown`](ErrorKind::CostUnknown) if no price is known or assumed, or if a hard budget
    /// applies and the plan does not state how many [input](CallPlan::input_tokens) and [output
    /// tokens](CallPlan::output_tokens) the call can use. [`Ledger`](ErrorKind::Ledger) if the ledger cannot be read or written.
    pub fn reserve(&self, plan: CallPlan) -> Result<Reservation, Error> {
        self.try_reserve(plan).inspect_err(|error| {
            self.send_refusal(error);
            if matches!(error.kind(), ErrorKind::BudgetExceeded | ErrorKind::CostUnknown) {
                self.inner.state.lock().totals.refused();
            }
        })
    }

    /// Like [`reserve`](Self::reserve), for a retry. A refused retry does not count among the
    /// refused calls, which cost nothing.
    pub(crate) fn reserve_again(&self, again: &ReserveAgain) -> Result<Reservation, Error> {
        self.try_reserve(again.plan()).inspect_err(|error| self.send_refusal(error))
    }

    /// A reservation of nothing, for a call that costs nothing. It is priced all the same.
    pub(crate) fn free(&self, mut plan: CallPlan) -> Reservation {
        plan.scope = self.scope_of(&plan);
        let at = self.now();
        let held = self.held(self.basis(plan, at), None, Vec::new(), seconds(at));
        let mut reservation = Reservation::new(held);
        reservation.charge_nothing();
        reservation
    }

    fn send_refusal(&self, error: &Error) {
        if let Some(refusal) = error.budget() {
            self.inner.events.send(|| CostEvent::Refused(refusal.clone()));
        }
    }

    fn try_reserve(&self, mut plan: CallPlan) -> Result<Reservation, Error> {
        let at = self.now();
        let now = seconds(at);
        let scope = self.scope_of(&plan);
        plan.scope = Arc::clone(&scope);
        let Some(price) = scope.price() else {
            if self.inner.unknown_model == UnknownModel::Refuse {
                return Err(unknown_price(&plan));
            }
            // Nothing can be reserved, but the provider may send a bill.
            let charges = self.charges(&plan, now);
            let id = self.open(&charges, now)?;
            let held = self.held(self.basis(plan, at), id, charges, now);
            return Ok(Reservation::new(held));
        };
        if let Some(missing) = plan.missing().filter(|_| self.is_held(&plan)) {
            return Err(unstated_tokens(missing));
        }
        let charges = self.charges(&plan, now);
        let single = self.single_limit(&plan);
        if charges.is_empty() && single.is_none() {
            return Ok(Reservation::new(self.held(self.basis(plan, at), None, charges, now)));
        }
        let tier = plan.service_tier.clone();
        let tier = tier.as_deref();
        let wanted = plan.bound.output_tokens;
        let min_output = plan.min_output.unwrap_or(wanted).min(wanted);
        let [least, mut most] = price.at_most(&plan.bound, [min_output, wanted], tier, at);

        let limit = single.map(|budget| budget.limit);
        if let Some(budget) = single {
            if least > budget.limit {
                let (none, never) = (Balance::default(), Availability::Never);
                let refusal = refusal(budget, &plan, None, none, least, never, at);
                return Err(refusal_error(refusal, &plan, min_output));
            }
            if most > budget.limit {
                let within = price.output_within(&plan.bound, budget.limit, tier, at).min(wanted);
                plan.bound.output_tokens = within;
                [most] = price.at_most(&plan.bound, [within], tier, at);
            }
        }
        if charges.is_empty() {
            let basis = Basis { limit, ..self.basis(plan, at) };
            return Ok(Reservation::new(self.held(basis, None, charges, now)));
        }
        let lines: Vec<_> = charges.iter().map(|(_, charge)| charge.line()).collect();
        let grant = match self.ledger().reserve(&Hold { lines: &lines, least, most, now }) {
            Ok(grant) => grant,
            Err(HoldError::Failed(error)) => return Err(ledger_error(error)),
            Err(HoldError::Refused { line, balance }) => {
                let (place, charge) = &charges[line.min(charges.len() - 1)];
                let budget = &self.budgets()[*place];
                let available = self.available(&charges, least, at);
                let charge = Some(charge);
                let refusal = refusal(budget, &plan, charge, balance, least, available, at);
                return Err(refusal_error(refusal, &plan, min_output));
            }
        };
        if grant.amount < most {
            let bearable = price.output_within(&plan.bound, grant.amount, tier, at);
            plan.bound.output_tokens = bearable.min(plan.bound.output_tokens);
        }
        drop(lines);
        let basis = Basis { amount: grant.amount, limit, ..self.basis(plan, at) };
        Ok(Reservation::new(self.held(basis, Some(grant.id), charges, now)))
    }

    /// When a call that needs `needed` and was refused at `at` would fit into the budgets.
    fn available(
        &self,
        charges: &[(usize, Charge)],
        needed: Money,
        at: SystemTime,
    ) -> Availability {
        let budget = |place: usize| &self.budgets()[place];
        let limits: Vec<_> = charges
            .iter()
            .filter_map(|(place, charge)| Some((budget(*place), charge, charge.limit?)))
            .collect();
        // If waiting cannot help, skip the ledger.
        if limits.iter().any(|(.., limit)| needed > *limit) {
            return Availability::Never;
        }
        let moments: Vec<_> = limits
            .iter()
            .map(|(budget, ..)| moments(budget.window, budget.utc_offset, seconds(at)))
            .collect();
        let mut lines = Vec::new();
        for ((budget, charge, _), moments) in limits.iter().zip(&moments) {
            let spans = moments.iter().filter_map(|at| budget.window.span(budget.utc_offset, *at));
            lines.extend(spans.map(|span| charge.line_in(span)));
        }
        let Ok(balances) = self.ledger().balances(&lines) else {
            return Availability::Unknown;
        };
        let mut balances = balances.into_iter();
        let fits = limits.iter().zip(moments).map(|((budget, _, limit), moments)| {
            let balances = moments.into_iter().zip(balances.by_ref()).collect::<Vec<_>>();
            Fit::of(budget.window, *limit, needed, &balances)
        });
        Availability::of(fits, at)
    }

    /// Computes the most that the encoded request can use, if any budget applies. With `least`,
    /// the client will send an output limit of at least that many tokens. Without it, the
    /// provider enforces the limit in the body, or only the model's own.
    ///
    /// # Errors
    ///
    /// [`CostUnknown`](ErrorKind::CostUnknown) if there is no upper bound and a hard budget
    /// applies.
    pub(crate) fn measure(
        &self,
        plan: &mut CallPlan,
        least: Option<u64>,
        measure: impl FnOnce(&ModelLimits<'_>) -> Result<UpperBound, Unbounded>,
    ) -> Result<(), Error> {
        let scope = self.scope_of(plan);
        if scope.applying(self.budgets(), &plan.tags).next().is_none() {
            return Ok(());
        }
        let Some(price) = scope.price() else { return Ok(()) };
        let config = &self.inner.config;
        let most = plan.max_output(Some(price));
        let sent = || config.default_output.or(most).unwrap_or(DEFAULT_OUTPUT);
        let known = ModelLimits {
            provider: &scope.provider,
            model: &scope.model,
            output_tokens: least.map(|_| sent()).or(most),
            context_window: plan.context_window(Some(price)),
            tokenizer: config.tokenizer.as_deref(),
        };
        match measure(&known) {
            Ok(mut bound) => {
                // A format that always has a limit has its own default, which the caller did
                // not choose.
                if let (Some(least), Some(default)) = (least, config.default_output) {
                    let most = bound.output_of(default.max(least));
                    bound.output_tokens = bound.output_tokens.min(most);
                }
                plan.measured(bound);
                Ok(())
            }
            Err(unbounded) if self.is_held(plan) => {
                self.inner.state.lock().totals.refused();
                Err(Error::new(ErrorKind::CostUnknown, unbounded.to_string()))
            }
            Err(_) => Ok(()),
        }
    }

    /// Refuses a call to a model whose price is above `most`.
    ///
    /// # Errors
    ///
    /// [`BudgetExceeded`](ErrorKind::BudgetExceeded) if it is, or if the price is unknown.
    pub(crate) fn check_price(&self, plan: &CallPlan, most: &MaxPrice) -> Result<(), Error> {
        let (scope, tier) = (self.scope_of(plan), plan.service_tier.as_deref());
        let price = scope.price().map(|price| &**price);
        match most.exceeded_by(price, plan.expected_input(), tier, self.now()) {
            None => Ok(()),
            Some(why) => Err(Error::new(ErrorKind::BudgetExceeded, why)),
        }
    }

    /// Computes the most tokens that the encoded request can use, whether or not a budget applies.
    /// `sent` is the output limit that was added to the encoded request. If there is no limit, the
    /// answer is assumed to have at most [`default_output`](CostConfig::default_output) tokens,
    /// otherwise as many as the model can write, at most 4,096.
    ///
    /// # Errors
    ///
    /// If there is no upper bound.
    pub(crate) fn token_bound(
        &self,
        plan: &CallPlan,
        sent: Option<u64>,
        measure: impl FnOnce(&ModelLimits<'_>) -> Result<UpperBound, Unbounded>,
    ) -> Result<UpperBound, Unbounded> {
        let (scope, config) = (self.scope_of(plan), &self.inner.config);
        let price = scope.price().map(|price| &**price);
        let most = plan.max_output(price);
        let usual = most.map_or(DEFAULT_OUTPUT, |most| most.min(DEFAULT_OUTPUT));
        measure(&ModelLimits {
            provider: &scope.provider,
            model: &scope.model,
            output_tokens: Some(sent.or(config.default_output).unwrap_or(usual)),
            context_window: plan.context_window(price),
            tokenizer: config.tokenizer.as_deref(),
        })
    }

    /// Lowers the output of a measured call, before its limit is sent, to what the prompt leaves
    /// of the model's context window. Some listed models may write as much as the whole window
    /// holds, and servers refuse a limit that does not fit beside the prompt (vLLM; OpenAI for its
    /// older models).
    ///
    /// Assumes the prompt takes half of its bound, far more than most text does, and at most half
    /// of the window.
    pub(crate) fn fit_window(&self, plan: &mut CallPlan) {
        let scope = self.scope_of(plan);
        let price = scope.price().map(|price| &**price);
        let Some(window) = plan.context_window(price) else {
            return;
        };
        let bound = &mut plan.bound;
        if bound.answers > 0 {
            let left = window - (bound.input_tokens / 2).min(window / 2);
            let limit = left.max(self.inner.config.min_output);
            bound.output_tokens = bound.output_tokens.min(bound.output_of(limit));
        }
    }

    /// The fewest output tokens worth a call, if the client should set a limit: a hard budget
    /// applies, and [`CostConfig::limit_output`] is on.
    pub(crate) fn min_output(&self, plan: &CallPlan) -> Option<u64> {
        let config = &self.inner.config;
        (config.limit_output && self.is_held(plan)).then_some(config.min_output)
    }

    /// Whether a hard budget applies to a call.
    pub(crate) fn is_held(&self, plan: &CallPlan) -> bool {
        let scope = self.scope_of(plan);
        scope.applying(self.budgets(), &plan.tags).any(|(_, budget)| !budget.soft)
    }

    /// The accounts in which the budgets charge a call at `now`, in seconds since the Unix epoch,
    /// each with its budget's index.
    pub(super) fn charges(&self, plan: &CallPlan, now: i64) -> Vec<(usize, Charge)> {
        let scope = self.scope_of(plan);
        let most = scope.known.as_ref().map_or(0, |known| known.budgets.len());
        let mut charges = Vec::with_capacity(most);
        for (Applicable { place, account }, budget) in scope.applying(self.budgets(), &plan.tags) {
            if let Some(charge) = budget.line(account, &plan.tags, now) {
                charges.push((*place, charge));
            }
        }
        charges
    }

    /// Opens a reservation of zero, so that any cost can be recorded later. `None` if no budget
    /// applies.
    ///
    /// # Errors
    ///
    /// [`Ledger`](ErrorKind::Ledger) if the ledger cannot be written, or if it refuses although it
    /// must not: zero always fits, and these lines have no limits.
    pub(super) fn open(
        &self,
        charges: &[(usize, Charge)],
        now: i64,
    ) -> Result<Option<ReservationId>, Error> {
        let lines: Vec<_> =
            charges.iter().map(|(_, charge)| Line { limit: None, ..charge.line() }).collect();
        if lines.is_empty() {
            return Ok(None);
        }
        let hold = Hold { lines: &lines, least: Money::ZERO, most: Money::ZERO, now };
        match self.ledger().reserve(&hold) {
            Ok(grant) => Ok(Some(grant.id)),
            Err(HoldError::Failed(error)) => Err(ledger_error(error)),
            Err(HoldError::Refused { .. }) => Err(ledger_error(LedgerError::new(
                "the ledger refused to reserve zero on lines without a limit; Ledger::reserve must \
                 always grant that",
            ))),
        }
    }

    /// The budget with the lowest hard per-request limit.
    fn single_limit(&self, plan: &CallPlan) -> Option<&Budget> {
        let scope = self.scope_of(plan);
        let applying = scope.applying(self.budgets(), &plan.tags);
        applying
            .filter(|(_, budget)| budget.window == Window::Request && !budget.soft)
            .min_by_key(|(_, budget)| budget.limit)
            .map(|(applicable, _)| &self.budgets()[applicable.place])
    }

    /// What a call is priced by, with nothing reserved and no per-request limit.
    pub(super) fn basis(&self, plan: CallPlan, at: SystemTime) -> Basis {
        let CostConfig { unreported, trust_reported, .. } = self.inner.config;
        Basis { plan, amount: Money::ZERO, limit: None, at, unreported, trust_reported }
    }

    /// A reservation with these charges, made at `now`, in seconds since the Unix epoch.
    pub(super) fn held(
        &self,
        basis: Basis,
        id: Option<ReservationId>,
        charges: Vec<(usize, Charge)>,
        now: i64,
    ) -> Held {
        // The report shows reserved amounts too.
        let mut split = charges.iter().filter(|(place, _)| self.budgets()[*place].is_split());
        if let Some(first) = split.next() {
            let mut state = self.inner.state.lock();
            for (place, charge) in [first].into_iter().chain(split) {
                state.note_account(*place, charge, now);
            }
        }
        let tracker = self.clone();
        Held {
            tracker,
            basis: Arc::new(basis),
            id,
            charges,
            sent: false,
            free: false,
            ended: false,
            parked: false,
            at_end: None,
        }
    }
}
