//! `CostTracker`: reserves before a call, settles after it, and reports.

mod admit;
mod describe;
mod end;
mod park;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::alert::AlertListener;
use super::budget::Charge;
use super::event::Events;
use super::ledger::{Ledger, MemoryLedger};
use super::scope::{Applicable, Known, Scope};
use super::{
    Bill, Budget, CallPlan, Cost, CostConfig, CostEvents, CostReport, Prices, Reservation, Tally,
    UnknownModel, UsageClass, WhatIf,
};
use crate::error::{Error, ErrorKind};
use crate::memo::Memo;
use crate::sync::ordered::Mutex;
use crate::sync::{Lock, none_held};
use crate::tags::Tags;
use crate::time::rfc3339::seconds;
use crate::upper_bound::Tokenizer;
use crate::usage::Usage;
use describe::{status, unknown_price};
use state::State;

/// The tier of calls in batches, as the price table names it.
const BATCH_TIER: &str = "batch";

/// Tracks what calls cost, and enforces budgets.
///
/// Every [`Client`](crate::Client) has one, and several clients can share one; see
/// [`ClientBuilder::cost_tracker`](crate::ClientBuilder::cost_tracker). Cloning is cheap, and all
/// clones share their state.
///
/// Programs that send their requests by other means can use one directly:
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
/// // Send the request here. If it fails and `call` is dropped, the call is charged in full.
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
    /// By the names of the model, of the provider, and of the provider in the price table.
    scopes: Memo<3, Arc<Scope>>,
    /// The same for calls in batches, which have prices of their own.
    batch_scopes: Memo<3, Arc<Scope>>,
    /// Names this tracker in stored handles, if its ledger has no name.
    nonce: u64,
    /// Guards the totals behind reports ([`Lock::CostTracker`]): they agree with each other.
    /// Nothing else is locked, called or written while it is held.
    state: Mutex<State>,
    events: Events,
    /// The listeners of the clients that share it ([`Lock::AlertListeners`]). Locked to change or
    /// copy the list, not while they are called.
    listeners: Mutex<Vec<AlertListener>>,
}

impl CostTracker {
    /// Creates a tracker with default settings and no budgets.
    pub fn new() -> Self {
        let config = CostConfig::default();
        let ledger = Arc::new(MemoryLedger::new());
        Self::with(config, ledger)
    }

    pub(super) fn with(config: CostConfig, ledger: Arc<dyn Ledger>) -> Self {
        let unknown_model = config.unknown_models();
        let state = State::new(&config);
        let inner = Inner {
            config,
            ledger,
            unknown_model,
            scopes: Memo::default(),
            batch_scopes: Memo::default(),
            nonce: fastrand::u64(..),
            state: Mutex::new(Lock::CostTracker, state),
            events: Events::default(),
            listeners: Mutex::new(Lock::AlertListeners, Vec::new()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A tracker with the same settings and budgets, of which nothing is spent yet. It shares
    /// nothing with this one.
    pub(crate) fn rehearsal(&self) -> Self {
        Self::with(self.inner.config.clone(), Arc::new(MemoryLedger::new()))
    }

    /// The prices it uses.
    pub fn prices(&self) -> &Prices {
        &self.inner.config.prices
    }

    /// The caller's tokenizer.
    pub(crate) fn tokenizer(&self) -> Option<&dyn Tokenizer> {
        self.inner.config.tokenizer.as_deref()
    }

    /// Calls `listener` on every alert, as long as the listener is alive.
    pub(crate) fn add_listener(&self, listener: AlertListener) {
        let mut listeners = self.inner.listeners.lock();
        listeners.retain(AlertListener::is_alive);
        listeners.push(listener);
    }

    /// Its budgets.
    pub fn budgets(&self) -> &[Budget] {
        &self.inner.config.budgets
    }

    /// Prices usage that came from elsewhere, and records it. `None` if the price is not known
    /// and calls without a price are [allowed](UnknownModel::Allow).
    ///
    /// # Errors
    ///
    /// Like [`track`](Self::track).
    pub fn track_usage(
        &self,
        provider: &str,
        model: &str,
        usage: &Usage,
    ) -> Result<Option<Cost>, Error> {
        self.track(CallPlan::new(provider, model), Bill::new(*usage))
    }

    /// Prices and records a call made by other means, with its tags and tiers. No budget refuses
    /// it, because the money is already spent.
    ///
    /// # Errors
    ///
    /// [`CostUnknown`](ErrorKind::CostUnknown) if there is no price and
    /// [`UnknownModel::Refuse`] applies; the call then counts as unpriced. [`Ledger`](ErrorKind::Ledger) if the ledger cannot be written.
    pub fn track(&self, mut plan: CallPlan, bill: Bill) -> Result<Option<Cost>, Error> {
        let at = self.now();
        plan.scope = self.scope_of(&plan);
        let now = seconds(at);
        let charges = self.charges(&plan, now);
        let id = self.open(&charges, now)?;
        let unknown = plan.scope.price().is_none().then(|| unknown_price(&plan));
        let held = self.held(self.basis(plan, at), id, charges, now);
        let cost = Reservation::new(held).send().settle(bill.tracked());
        match (cost, unknown) {
            (None, Some(error)) if self.inner.unknown_model == UnknownModel::Refuse => Err(error),
            (cost, _) => Ok(cost),
        }
    }

    /// The report as of now.
    pub fn report(&self) -> CostReport {
        let now = seconds(self.now());
        let (mut report, accounts) = {
            let mut state = self.inner.state.lock();
            (state.report(), state.accounts())
        };
        report.prices_date = self.prices().date().to_owned();
        let charges: Vec<_> = accounts
            .into_iter()
            .filter_map(|(place, account)| {
                let budget = &self.budgets()[place];
                let span = budget.window.span(budget.utc_offset, now)?;
                Some((place, Charge { account: account.into(), span, limit: None }))
            })
            .collect();
        let lines: Vec<_> = charges.iter().map(|(_, charge)| charge.line()).collect();
        match self.ledger().balances(&lines) {
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

    /// Reprices the recorded usage as if another model had served it, at today's prices.
    /// `provider` is a name of the price table ([`Prices::providers`]).
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if that model has no price.
    pub fn what_if(&self, provider: &str, model: &str) -> Result<WhatIf, Error> {
        let price = self.prices().find(provider, model).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!(
                    "no price is known for model {model:?} of {provider:?}; set one with \
                     Prices::set"
                ),
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

    /// Subscribes to every call, alert and refusal from now on.
    pub fn events(&self) -> CostEvents {
        self.inner.events.subscribe()
    }

    fn ledger(&self) -> &dyn Ledger {
        none_held("the ledger is used");
        &*self.inner.ledger
    }

    fn now(&self) -> SystemTime {
        (self.inner.config.clock)()
    }

    /// Plans a call to a model of a provider that is called `prices` in the price table.
    pub(crate) fn plan(&self, provider: &str, prices: &str, model: &str, tags: Tags) -> CallPlan {
        CallPlan::to(self.scope(provider, prices, model), tags)
    }

    /// Plans a call in a batch, at the price of batches: the listed one, or `percent` of the
    /// standard price if none is listed.
    pub(crate) fn plan_in_batch(
        &self,
        provider: &str,
        prices: &str,
        model: &str,
        percent: u8,
        tags: Tags,
    ) -> CallPlan {
        let names = [model, provider, prices];
        let scope = self.inner.batch_scopes.get(names).unwrap_or_else(|| {
            let Scope { provider, price_provider, model, known, .. } =
                &*self.scope(provider, prices, model);
            let mut scope = Scope::named(provider.clone(), price_provider.clone(), model.clone());
            scope.batch_percent = Some(percent);
            scope.known = known.as_ref().map(|Known { price, budgets }| Known {
                price: price.as_ref().map(|price| scope.priced(Arc::clone(price))),
                budgets: budgets.clone(),
            });
            let scope = Arc::new(scope);
            self.inner.batch_scopes.insert(names, Arc::clone(&scope));
            scope
        });
        CallPlan::to(scope, tags).service_tier(BATCH_TIER)
    }

    /// A plan's provider and model, with what the tracker knows about them.
    fn scope_of(&self, plan: &CallPlan) -> Arc<Scope> {
        let scope = &plan.scope;
        match scope.known {
            Some(_) => Arc::clone(scope),
            None => self.scope(&scope.provider, scope.prices(), &scope.model),
        }
    }

    fn scope(&self, provider: &str, prices: &str, model: &str) -> Arc<Scope> {
        // The model first: it differs most.
        let names = [model, provider, prices];
        if let Some(scope) = self.inner.scopes.get(names) {
            return scope;
        }
        let price_provider = (prices != provider).then(|| prices.to_owned());
        let mut scope = Scope::named(provider.to_owned(), price_provider, model.to_owned());
        let price = self.prices().find(prices, model).or_else(|| match &self.inner.unknown_model {
            UnknownModel::Assume(price) => Some(Arc::clone(price)),
            UnknownModel::Refuse | UnknownModel::Allow => None,
        });
        let budgets = self.budgets().iter().enumerate();
        let budgets = budgets
            .filter(|(_, budget)| budget.covers(&scope))
            .map(|(place, budget)| Applicable { place, account: budget.account_start(&scope) });
        let budgets = budgets.collect();
        scope.known = Some(Known { price, budgets });
        let scope = Arc::new(scope);
        self.inner.scopes.insert(names, Arc::clone(&scope));
        scope
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
