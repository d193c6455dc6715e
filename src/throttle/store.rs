//! Where limits are counted: in memory, or in a store that several processes share.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::Amount;
use super::status::LimitStatus;
use crate::error::RateLimit;

/// Counts what calls take of the limits.
///
/// The limiter keeps the lines of waiting callers itself, and asks the store for the first in each
/// line. So a store that several processes share is fair within each of them. It calls the store
/// outside of its own lock.
pub(crate) trait Store: Debug + Send + Sync {
    /// Reserves an amount in all its accounts, or in none. Ids rise with each reservation.
    ///
    /// # Errors
    ///
    /// The accounts that are full, by their places in the demand.
    fn reserve(&self, demand: &Demand, now: Instant) -> Result<u64, Vec<(usize, Full)>>;

    /// What is full for a caller that has this many others ahead in each account.
    fn full(&self, demand: &Demand, ahead: &[u64], now: Instant) -> Vec<(usize, Full)>;

    /// Ends a reservation that used this many tokens. `None` counts all that it reserved.
    fn settle(&self, demand: &Demand, id: u64, used: Option<u64>, now: Instant);

    /// Learns from the response to a reservation, which may have ended.
    fn learn(&self, demand: &Demand, id: u64, report: &Report<'_>, now: Instant);

    /// The state of every account.
    fn status(&self, now: Instant) -> Vec<(AccountKey, LimitStatus)>;
}

/// An account: the place of its limit, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AccountKey {
    pub(crate) rule: usize,
    pub(crate) account: String,
}

/// What one attempt needs, and of whom.
#[derive(Debug, Clone)]
pub(crate) struct Demand {
    /// No two are the same.
    pub(crate) accounts: Vec<AccountKey>,
    pub(crate) amount: Amount,
}

/// An account that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    /// What it allows.
    pub(crate) allowed: Allowed,
    /// When there will be room, if that is known.
    pub(crate) fit_at: Option<Instant>,
    /// When there could be room at the earliest: reservations may give back what they do not use.
    pub(crate) could_fit_at: Instant,
}

/// What a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Requests per minute.
    Requests(u64),
    /// Tokens per minute.
    Tokens(u64),
    /// Calls in flight.
    InFlight(u32),
    /// A quantity that the provider limits, and its limit.
    Reported(&'static str, u64),
    /// Nothing until the time that the provider named.
    Later,
}

/// What a response shows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report<'a> {
    /// The rate limits in its headers.
    pub(crate) headers: Option<&'a RateLimit>,
    /// How long the provider asks to wait, if it refused the call because of a rate limit.
    pub(crate) refused_for: Option<Duration>,
    /// How long the answer took, to its first event if `true`.
    pub(crate) answered: Option<(Duration, bool)>,
    /// Whether the provider refused the call because it is overloaded.
    pub(crate) overloaded: bool,
}
