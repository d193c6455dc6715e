//! The limits of a client, shared by all threads: reserves at once, or waits in line.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::line::{Called, Lines, Ticket};
use super::permit::Permit;
use super::refusal::{Refusal, TooLarge};
use super::rule::{Allowance, Facts, Rule};
use super::status::LimitStatus;
use super::store::{AccountKey, Demand, Full, Report, Store};
use super::{Amount, MemoryStore};
use crate::bounds::Bounds;
use crate::cancel::Listening;
use crate::sync::{Condvar, Lock, Mutex, none_held};

/// The limits of a client.
pub(crate) struct Limiter {
    rules: Arc<[Rule]>,
    store: Box<dyn Store>,
    /// Guards who waits and who is first ([`Lock::LimitLines`]). The condition variables of the
    /// waiting callers use it. The store is never called under it.
    waiting: Mutex<Waiting>,
}

/// The callers that wait.
#[derive(Default)]
struct Waiting {
    lines: Lines,
    /// Wakes each caller that sleeps.
    signals: HashMap<Ticket, Arc<Condvar>>,
}

impl Waiting {
    fn wake(&self, called: &Called) {
        for signal in called.iter().filter_map(|ticket| self.signals.get(ticket)) {
            signal.notify_one();
        }
    }
}

/// Why a caller got no room.
#[derive(Debug)]
pub(crate) enum NoRoom {
    /// There is none before the deadline.
    Full(Refusal),
    /// The caller has cancelled the call.
    Cancelled,
}

impl Limiter {
    /// Counts limits in memory.
    pub(crate) fn in_memory(rules: Vec<Rule>) -> Arc<Self> {
        let rules: Arc<[Rule]> = rules.into();
        Self::new(Arc::clone(&rules), Box::new(MemoryStore::new(rules)))
    }

    fn new(rules: Arc<[Rule]>, store: Box<dyn Store>) -> Arc<Self> {
        let waiting = Mutex::new(Lock::LimitLines, Waiting::default());
        Arc::new(Self { rules, store, waiting })
    }

    /// Whether any limit counts tokens.
    pub(crate) fn counts_tokens(&self) -> bool {
        self.rules.iter().any(Rule::counts_tokens)
    }

    /// What an attempt needs of the limits; `None` if none applies to it.
    ///
    /// # Errors
    ///
    /// If a limit could never admit it.
    pub(crate) fn demand(
        &self,
        facts: &Facts<'_>,
        amount: Amount,
    ) -> Result<Option<Arc<Demand>>, TooLarge> {
        let applies = |(_, rule): &(usize, &Rule)| rule.applies(facts);
        let mut accounts = Vec::new();
        for (place, rule) in self.rules.iter().enumerate().filter(applies) {
            if let Allowance::Set { tokens: Some(rate), .. } = rule.allowance {
                let (needed, most) = (amount.needed_tokens(), rate.capacity());
                if needed > most {
                    return Err(TooLarge { limit: rule.name.clone(), rate, needed });
                }
            }
            accounts.push(AccountKey { rule: place, account: rule.account(facts) });
        }
        let demand = Demand { accounts, amount };
        Ok((!demand.accounts.is_empty()).then(|| Arc::new(demand)))
    }

    /// Reserves an attempt if there is room at once and nobody waits for it.
    pub(crate) fn try_reserve(self: &Arc<Self>, demand: &Arc<Demand>) -> Result<Permit, Refusal> {
        let now = Instant::now();
        let is_waited_for = self.waiting.lock().lines.is_waited_for(demand);
        let full = match is_waited_for {
            true => self.store.full(demand, &vec![1; demand.accounts.len()], now),
            false => match self.store.reserve(demand, now) {
                Ok(id) => return Ok(Permit::new(Arc::clone(self), id, Arc::clone(demand))),
                Err(full) => full,
            },
        };
        Err(self.refusal(demand, &full, now))
    }

    /// Waits in line until one of these demands fits, reserves it, and returns its place among
    /// them.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]: as soon as it is certain that nothing fits before the deadline, or when the call
    /// is cancelled.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        demands: &[Arc<Demand>],
        bounds: &Bounds,
    ) -> Result<(usize, Permit), NoRoom> {
        let mut place = Place::new(self, bounds);
        loop {
            place.note_call();
            if bounds.is_cancelled() {
                return Err(NoRoom::Cancelled);
            }
            let now = Instant::now();
            let asked = match place.ask(demands, now) {
                Ok((at, id)) => {
                    let demand = Arc::clone(&demands[at]);
                    return Ok((at, Permit::new(Arc::clone(self), id, demand)));
                }
                Err(asked) => asked,
            };
            // Room may have come before it stood in line.
            if place.stand(asked.accounts) {
                continue;
            }
            let deadline = bounds.deadline.at();
            let earliest = asked.could_fit_at.max(now);
            if deadline.is_some_and(|deadline| earliest >= deadline) {
                let (demand, full) = (&demands[asked.nearest], &asked.full);
                return Err(NoRoom::Full(self.refusal(demand, full, now)));
            }
            let wake = [asked.ask_again_at, deadline].into_iter().flatten().min();
            place.sleep(wake);
        }
    }

    /// Ends a reservation that used this many tokens. `None` counts all that it reserved.
    pub(super) fn settle(&self, demand: &Demand, id: u64, used: Option<u64>) {
        self.store.settle(demand, id, used, Instant::now());
        self.call(demand);
    }

    /// Learns from the response to a reservation.
    pub(super) fn learn(&self, demand: &Demand, id: u64, report: &Report<'_>) {
        self.store.learn(demand, id, report, Instant::now());
        self.call(demand);
    }

    /// Whether anything can be learned from the responses to a demand.
    pub(super) fn learns(&self, demand: &Demand) -> bool {
        demand.accounts.iter().any(|key| self.rules[key.rule].learns())
    }

    /// Makes the first in the lines of a demand ask again.
    fn call(&self, demand: &Demand) {
        let waiting = &mut *self.waiting.lock();
        let called = waiting.lines.room(&demand.accounts);
        waiting.wake(&called);
    }

    fn refusal(&self, demand: &Demand, full: &[(usize, Full)], now: Instant) -> Refusal {
        // The account that stays full for longest, as far as that is known.
        let latest = full.iter().max_by_key(|(_, full)| (full.fit_at, full.could_fit_at));
        let (place, full) = match latest {
            Some((place, full)) => (*place, Some(*full)),
            None => (0, None),
        };
        let key = &demand.accounts[place];
        Refusal {
            limit: self.rules[key.rule].name.clone(),
            account: key.account.clone(),
            allowed: full.map(|full| full.allowed),
            fits_in: full.and_then(|full| full.fit_at).map(|at| at.saturating_duration_since(now)),
        }
    }

    /// The state of every account.
    pub(crate) fn status(&self) -> Vec<LimitStatus> {
        let accounts = self.store.status(Instant::now());
        let waiting = self.waiting.lock();
        let status = accounts
            .into_iter()
            .map(|(key, status)| LimitStatus { waiting: waiting.lines.waiting(&key), ..status });
        status.collect()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// What a caller learned by asking.
struct Asked {
    /// The accounts to wait for.
    accounts: Vec<AccountKey>,
    /// When to ask again, if nobody calls it earlier.
    ask_again_at: Option<Instant>,
    /// When there could be room at the earliest.
    could_fit_at: Instant,
    /// The demand that could fit first, and its full accounts.
    nearest: usize,
    full: Vec<(usize, Full)>,
}

/// A caller's place in the lines. Dropping it lets the next one ask.
struct Place<'a> {
    limiter: &'a Arc<Limiter>,
    bounds: &'a Bounds,
    ticket: Ticket,
    /// Its signal once it stands in line, and the listener that wakes it if the call is cancelled.
    signal: Option<(Arc<Condvar>, Option<Listening>)>,
}

/// When a demand could fit, its place, and the accounts that have no room for it.
type Nearest = (Instant, usize, Vec<(usize, Full)>);

impl<'a> Place<'a> {
    fn new(limiter: &'a Arc<Limiter>, bounds: &'a Bounds) -> Self {
        let ticket = limiter.waiting.lock().lines.arrive();
        Self { limiter, bounds, ticket, signal: None }
    }

    /// Forgets that it was called, because it is about to ask.
    fn note_call(&self) {
        if self.signal.is_some() {
            self.limiter.waiting.lock().lines.is_called(self.ticket);
        }
    }

    /// Asks for each demand in turn. Returns the place of the one that was reserved, and its id.
    fn ask(&self, demands: &[Arc<Demand>], now: Instant) -> Result<(usize, u64), Asked> {
        let mut accounts = Vec::new();
        let mut ask_again_at: Option<Instant> = None;
        let mut nearest: Option<Nearest> = None;
        for (at, demand) in demands.iter().enumerate() {
            let ahead = self.limiter.waiting.lock().lines.ahead(self.ticket, demand);
            let is_first = ahead.iter().all(|ahead| *ahead == 0);
            let full = match is_first {
                true => match self.limiter.store.reserve(demand, now) {
                    Ok(id) => return Ok((at, id)),
                    Err(full) => full,
                },
                false => self.limiter.store.full(demand, &ahead, now),
            };
            let is_full = |place: usize| full.iter().any(|(full, _)| *full == place);
            let waited = demand.accounts.iter().zip(&ahead).enumerate();
            let waited = waited.filter(|(place, (_, ahead))| **ahead > 0 || is_full(*place));
            accounts.extend(waited.map(|(_, (key, _))| key.clone()));
            // Only the first asks; the others are called.
            if is_first {
                let soonest = full.iter().filter_map(|(_, full)| full.fit_at).min();
                ask_again_at = [ask_again_at, soonest].into_iter().flatten().min();
            }
            let could = full.iter().map(|(_, full)| full.could_fit_at).max().unwrap_or(now);
            if nearest.as_ref().is_none_or(|(before, ..)| could < *before) {
                nearest = Some((could, at, full));
            }
        }
        let (could_fit_at, nearest, full) = nearest.unwrap_or((now, 0, Vec::new()));
        Err(Asked { accounts, ask_again_at, could_fit_at, nearest, full })
    }

    /// Stands in the lines of these accounts. Returns whether one of them is new.
    fn stand(&mut self, accounts: Vec<AccountKey>) -> bool {
        let mut waiting = self.limiter.waiting.lock();
        if self.signal.is_none() {
            let signal = Arc::new(Condvar::new());
            waiting.signals.insert(self.ticket, Arc::clone(&signal));
            self.signal = Some((signal, None));
        }
        let (joined, called) = waiting.lines.stand(self.ticket, accounts);
        waiting.wake(&called);
        joined
    }

    /// Sleeps until it is called, or until this time.
    fn sleep(&mut self, until: Option<Instant>) {
        none_held("a call waits for room in a limit");
        let Some((signal, listening)) = &mut self.signal else { return };
        if listening.is_none() {
            *listening = self.bounds.cancel.as_ref().map(|token| {
                let (limiter, ticket) = (Arc::downgrade(self.limiter), self.ticket);
                token.listen(move || {
                    if let Some(limiter) = limiter.upgrade() {
                        let waiting = &mut *limiter.waiting.lock();
                        let called = waiting.lines.call(vec![ticket]);
                        waiting.wake(&called);
                    }
                })
            });
        }
        let mut waiting = self.limiter.waiting.lock();
        let mut is_over = false;
        while !waiting.lines.is_called(self.ticket) && !is_over {
            match until {
                Some(at) => is_over = signal.wait_until(&mut waiting, at).timed_out(),
                None => signal.wait(&mut waiting),
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some((_, listening)) = self.signal.take() else { return };
        let mut waiting = self.limiter.waiting.lock();
        waiting.signals.remove(&self.ticket);
        let called = waiting.lines.leave(self.ticket);
        waiting.wake(&called);
        // Dropping the listener waits for its callback, which takes the lock.
        drop(waiting);
        drop(listening);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod model;
