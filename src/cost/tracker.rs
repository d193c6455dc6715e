mod end;
mod live;
mod notice;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::bound::{self, Bound};
use super::budget::Charge;
use super::event::Events;
use super::ledger::{Balance, Hold, HoldError, Ledger, Line, MemoryLedger, ReservationId};
use super::reservation::{Basis, Held};
use super::{
    Bill, Budget, CallPlan, Cost, CostConfig, CostEvent, CostEvents, CostReport, Money, Price,
    Prices, Reservation, Tally, UnknownModel, UsageClass, WhatIf, Window,
};
use crate::chat::Usage;
use crate::error::{Error, ErrorKind};
use crate::moment::seconds;
use crate::observe::{Observers, WeakObservers};
use crate::provider::Wire;
use live::Live;
use notice::{refusal, refused, status, unkept, unknown};

/// The output that is reserved, and sent as the limit, where neither the request nor the
/// price says how much there can be. A server refuses a limit beyond what its model can
/// write, and the older ones that are asked for still write this much.
const DEFAULT_OUTPUT: u64 = 4_096;

/// Keeps track of what calls cost, and holds budgets.
///
/// Every [`Client`](crate::Client) has one; several clients may share one, by
/// [`ClientBuilder::cost_tracker`](crate::ClientBuilder::cost_tracker). Cheap to clone;
/// all clones are one.
///
/// It can be used on its own by programs that send their requests by other means:
///
/// ```
/// use tollgate::{CostTracker, Usage};
///
/// let costs = CostTracker::new();
/// let cost = costs.track_usage("openai", "gpt-4o-mini", &Usage::reported(1_000, 200))?;
/// println!("{}", cost.expect("the price is known"));
/// println!("{}", costs.report());
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// With budgets, money is [reserved](Self::reserve) before a call is sent:
///
/// ```
/// use tollgate::cost::{Bill, CallPlan};
/// use tollgate::{Budget, CostConfig, Money, Usage};
///
/// let costs = CostConfig::default()
///     .budget(Budget::daily(Money::dollars(5)).per_tag("customer"))
///     .build()?;
/// let plan = CallPlan::new("openai", "gpt-4o")
///     .input_tokens(1_200)
///     .output_tokens(500)
///     .tag("customer", "acme");
/// let call = costs.reserve(plan)?.send();
/// // The request goes out here; dropped on a failure, `call` is charged in full.
/// let cost = call.settle(Bill::new(Usage::reported(1_100, 320)));
/// # assert_eq!(cost.unwrap().total, "0.00595".parse().unwrap());
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Clone)]
pub struct CostTracker {
    inner: Arc<Inner>,
}

struct Inner {
    config: CostConfig,
    ledger: Arc<dyn Ledger>,
    unknown_model: UnknownModel,
    /// Guards what reports are made of: the sums agree with each other. Nothing else is
    /// locked, called or written while it is held.
    live: Mutex<Live>,
    events: Events,
    /// Those of the clients that share it, as long as these are there. Locked to look them
    /// up, not while they are told.
    observers: Mutex<Vec<WeakObservers>>,
}

impl CostTracker {
    /// One that keeps track with every default, and has no budgets.
    pub fn new() -> Self {
        let config = CostConfig::default();
        let ledger = Arc::new(MemoryLedger::new());
        Self::with(config, ledger)
    }

    pub(super) fn with(config: CostConfig, ledger: Arc<dyn Ledger>) -> Self {
        let unknown_model =
            config.unknown_model.clone().unwrap_or(match config.budgets.is_empty() {
                true => UnknownModel::Allow,
                false => UnknownModel::Refuse,
            });
        let live = Live::new(&config);
        let inner = Inner {
            config,
            ledger,
            unknown_model,
            live: Mutex::new(live),
            events: Events::default(),
            observers: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The prices it goes by.
    pub fn prices(&self) -> &Prices {
        &self.inner.config.prices
    }

    /// Has a client's observers told of alerts, too.
    pub(crate) fn add_observers(&self, observers: &Observers) {
        if !observers.is_empty() {
            let mut known = self.inner.observers.lock();
            known.retain(WeakObservers::is_alive);
            known.push(observers.downgrade());
        }
    }

    /// Its budgets.
    pub fn budgets(&self) -> &[Budget] {
        &self.inner.config.budgets
    }

    /// Prices usage that was told by someone else, and books it. `None` where the price
    /// is not known, and calls of unknown price are [let through](UnknownModel::Allow).
    ///
    /// # Errors
    ///
    /// As [`track`](Self::track).
    pub fn track_usage(
        &self,
        provider: &str,
        model: &str,
        usage: &Usage,
    ) -> Result<Option<Cost>, Error> {
        self.track(CallPlan::new(provider, model), Bill::new(*usage))
    }

    /// Prices and books a call that was made by other means, with its tags and tiers.
    /// Nothing is refused for a budget, for the money is gone.
    ///
    /// # Errors
    ///
    /// Where no price is known, and none was to be assumed: the call is counted as
    /// unpriced. Where the books cannot be written.
    pub fn track(&self, plan: CallPlan, bill: Bill) -> Result<Option<Cost>, Error> {
        let at = self.now();
        let price = self.price(&plan.provider, &plan.model);
        let charges = self.charges(&plan, at);
        let id = self.open(&charges, at)?;
        let unknown = price.is_none().then(|| unknown(&plan));
        let held = self.held(plan, price, Money::ZERO, None, at, id, charges);
        let cost = Reservation::new(held).send().settle(bill.tracked());
        match (cost, unknown) {
            (None, Some(error)) if self.inner.unknown_model == UnknownModel::Refuse => Err(error),
            (cost, _) => Ok(cost),
        }
    }

    /// Sets aside the most that a call can cost, in all budgets that bear on it, or
    /// nothing. With [`at_least`](CallPlan::at_least), the output may be less than
    /// planned: [`Reservation::output_tokens`] says how much.
    ///
    /// # Errors
    ///
    /// [`Budget`](ErrorKind::Budget) where a budget does not bear the call, or no price
    /// is known for it and none is assumed; [`Ledger`](ErrorKind::Ledger) where the books
    /// cannot be read or written.
    pub fn reserve(&self, plan: CallPlan) -> Result<Reservation, Error> {
        let reserved = self.try_reserve(plan);
        if let Err(error) = &reserved {
            if error.kind() == ErrorKind::Budget {
                self.inner.live.lock().books.refused();
                if let Some(refusal) = error.budget() {
                    self.inner.events.send(|| CostEvent::Refused(refusal.clone()));
                }
            }
        }
        reserved
    }

    fn try_reserve(&self, mut plan: CallPlan) -> Result<Reservation, Error> {
        let at = self.now();
        let Some(price) = self.price(&plan.provider, &plan.model) else {
            if self.inner.unknown_model == UnknownModel::Refuse {
                return Err(unknown(&plan));
            }
            // Nothing can be set aside, but the provider may send a bill.
            let charges = self.charges(&plan, at);
            let id = self.open(&charges, at)?;
            let held = self.held(plan, None, Money::ZERO, None, at, id, charges);
            return Ok(Reservation::new(held));
        };
        let tier = plan.service_tier.clone();
        let tier = tier.as_deref();
        let most = |bound: &Bound| price.at_most(bound, tier, at);
        let wanted = plan.bound.output_tokens;
        let least_output = plan.least_output.unwrap_or(wanted).min(wanted);
        let least = most(&Bound { output_tokens: least_output, ..plan.bound });

        let single = self.single_limit(&plan);
        let limit = single.map(|budget| budget.limit);
        if let Some(budget) = single {
            if least > budget.limit {
                let none = Balance::default();
                let refusal = refusal(budget, &plan, None, none, least, at);
                return Err(refused(refusal, &plan, least_output));
            }
            if most(&plan.bound) > budget.limit {
                plan.bound.output_tokens =
                    price.output_within(&plan.bound, budget.limit, tier, at).min(wanted);
            }
        }

        let charges = self.charges(&plan, at);
        if charges.is_empty() {
            let held = self.held(plan, Some(price), Money::ZERO, limit, at, None, charges);
            return Ok(Reservation::new(held));
        }
        let lines: Vec<_> = charges.iter().map(|(_, charge)| charge.line()).collect();
        let most = most(&plan.bound);
        let grant =
            match self.inner.ledger.reserve(&Hold { lines: &lines, least, most, now: seconds(at) })
            {
                Ok(grant) => grant,
                Err(HoldError::Failed(error)) => return Err(unkept(error)),
                Err(HoldError::Refused { line, balance }) => {
                    let (place, charge) = &charges[line.min(charges.len() - 1)];
                    let budget = &self.budgets()[*place];
                    let charge = Some(charge);
                    let refusal = refusal(budget, &plan, charge, balance, least, at);
                    return Err(refused(refusal, &plan, least_output));
                }
            };
        if grant.amount < most {
            let bearable = price.output_within(&plan.bound, grant.amount, tier, at);
            plan.bound.output_tokens = bearable.min(plan.bound.output_tokens);
        }
        drop(lines);
        let (id, amount) = (Some(grant.id), grant.amount);
        Ok(Reservation::new(self.held(plan, Some(price), amount, limit, at, id, charges)))
    }

    /// Finds the most that a request can use as it is encoded, where any budget bears on
    /// it.
    ///
    /// # Errors
    ///
    /// [`Budget`](ErrorKind::Budget) where there is no bound.
    pub(crate) fn measure(
        &self,
        plan: &mut CallPlan,
        body: &Map<String, Value>,
        wire: Wire,
    ) -> Result<(), Error> {
        if !self.budgets().iter().any(|budget| budget.matches(&plan.facts())) {
            return Ok(());
        }
        let Some(price) = self.price(&plan.provider, &plan.model) else { return Ok(()) };
        let config = &self.inner.config;
        let default = config.default_output.or(price.max_output_tokens());
        let known = bound::Basis {
            wire,
            model: &plan.model,
            output_tokens: Some(default.unwrap_or(DEFAULT_OUTPUT)),
            context_window: price.context_window_tokens(),
            tokenizer: config.tokenizer.as_deref(),
        };
        plan.bound = Bound::of(body, &known).map_err(|unbounded| {
            self.inner.live.lock().books.refused();
            Error::new(ErrorKind::Budget, unbounded.to_string())
        })?;
        Ok(())
    }

    /// Lowers the output of a measured call to what the model's context window leaves
    /// beside the prompt, for a limit that is about to be sent: models are listed that may
    /// write as much as the window holds, and servers refuse a limit that does not fit in it
    /// beside the prompt (vLLM; OpenAI for its older models).
    ///
    /// The prompt is taken to be half its bound, which is far more than text mostly is, and no
    /// more than half the window.
    pub(crate) fn leave_room(&self, plan: &mut CallPlan) {
        let price = self.price(&plan.provider, &plan.model);
        let Some(window) = price.and_then(|price| price.context_window_tokens()) else { return };
        let bound = &mut plan.bound;
        if bound.answers > 0 {
            let room = window - (bound.input_tokens / 2).min(window / 2);
            let limit = room.max(self.inner.config.least_output);
            bound.output_tokens = bound.output_tokens.min(bound.output_of(limit));
        }
    }

    /// The fewest output tokens worth a call, where the client may set the limit.
    pub(crate) fn least_output(&self) -> Option<u64> {
        let config = &self.inner.config;
        config.limit_output.then_some(config.least_output)
    }

    /// What the report says, at this moment.
    pub fn report(&self) -> CostReport {
        let now = seconds(self.now());
        let (mut report, accounts) = {
            let live = self.inner.live.lock();
            (live.report(), live.accounts())
        };
        report.prices_date = self.prices().date().to_owned();
        let charges: Vec<_> = accounts
            .into_iter()
            .filter_map(|(place, account)| {
                let budget = &self.budgets()[place];
                let span = budget.window.span(budget.utc_offset, now)?;
                Some((place, Charge { account, span, limit: None }))
            })
            .collect();
        let lines: Vec<_> = charges.iter().map(|(_, charge)| charge.line()).collect();
        match self.inner.ledger.balances(&lines) {
            Ok(balances) => {
                report.budgets = charges
                    .iter()
                    .zip(balances)
                    .map(|((place, charge), balance)| {
                        status(&self.budgets()[*place], charge, balance, now)
                    })
                    .collect();
            }
            Err(error) => report.ledger_error = Some(error.to_string()),
        }
        report
    }

    /// What the recorded usage would have cost on another model, at today's prices.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) where there is no price for it.
    pub fn what_if(&self, provider: &str, model: &str) -> Result<WhatIf, Error> {
        let price = self.prices().find(provider, model).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!("there is no price for {model:?} of {provider:?}; set one in Prices"),
            )
        })?;
        let at = self.now();
        let reprice = |class: &UsageClass| {
            let Tally { calls, usage, .. } = &class.tally;
            let tier = class.service_tier.as_deref();
            price.cost_of(usage, *calls, class.most_prompt_tokens, tier, at)
        };
        Ok(self.report().what_if(model, &price.borders(at), reprice))
    }

    /// Tells every call, alert and refusal from now on, as it happens.
    pub fn events(&self) -> CostEvents {
        self.inner.events.subscribe()
    }

    fn now(&self) -> SystemTime {
        (self.inner.config.clock)()
    }

    /// The price of a model, or the one to be assumed.
    fn price(&self, provider: &str, model: &str) -> Option<Arc<Price>> {
        self.prices().find(provider, model).or_else(|| match &self.inner.unknown_model {
            UnknownModel::Assume(price) => Some(Arc::clone(price)),
            UnknownModel::Refuse | UnknownModel::Allow => None,
        })
    }

    /// Where the budgets charge a call.
    fn charges(&self, plan: &CallPlan, at: SystemTime) -> Vec<(usize, Charge)> {
        let (facts, now) = (plan.facts(), seconds(at));
        let line = |(place, budget): (usize, &Budget)| {
            // First, since most programs have many budgets that a call does not fall under.
            if !budget.matches(&facts) {
                return None;
            }
            budget.line(&facts, now).map(|charge| (place, charge))
        };
        self.budgets().iter().enumerate().filter_map(line).collect()
    }

    /// Reserves nothing, so that whatever a call has cost can be booked. That is never
    /// refused.
    fn open(
        &self,
        charges: &[(usize, Charge)],
        at: SystemTime,
    ) -> Result<Option<ReservationId>, Error> {
        let lines: Vec<_> =
            charges.iter().map(|(_, charge)| Line { limit: None, ..charge.line() }).collect();
        if lines.is_empty() {
            return Ok(None);
        }
        let hold = Hold { lines: &lines, least: Money::ZERO, most: Money::ZERO, now: seconds(at) };
        match self.inner.ledger.reserve(&hold) {
            Ok(grant) => Ok(Some(grant.id)),
            Err(HoldError::Failed(error)) => Err(unkept(error)),
            // There are no limits on these lines.
            Err(HoldError::Refused { .. }) => Ok(None),
        }
    }

    /// The budget with the least hard limit per request.
    fn single_limit(&self, plan: &CallPlan) -> Option<&Budget> {
        self.budgets()
            .iter()
            .filter(|budget| budget.window == Window::Request && !budget.soft)
            .filter(|budget| budget.matches(&plan.facts()))
            .min_by_key(|budget| budget.limit)
    }

    #[allow(clippy::too_many_arguments)]
    fn held(
        &self,
        plan: CallPlan,
        price: Option<Arc<Price>>,
        amount: Money,
        limit: Option<Money>,
        at: SystemTime,
        id: Option<ReservationId>,
        charges: Vec<(usize, Charge)>,
    ) -> Held {
        let CostConfig { unreported, believe_reported, .. } = self.inner.config;
        let basis = Basis { plan, price, amount, limit, at, unreported, believe_reported };
        let accounts: Vec<_> =
            charges.into_iter().map(|(place, charge)| (place, charge.account)).collect();
        // The report shows what is reserved as well.
        let split = |(place, _): &&(usize, String)| self.budgets()[*place].is_split();
        if accounts.iter().any(|account| split(&account)) {
            let mut live = self.inner.live.lock();
            accounts.iter().filter(split).for_each(|(place, account)| live.meet(*place, account));
        }
        let tracker = self.clone();
        Held { tracker, basis: Arc::new(basis), id, accounts, sent: false, ended: false }
    }
}

impl Default for CostTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CostTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostTracker").field("config", &self.inner.config).finish_non_exhaustive()
    }
}
