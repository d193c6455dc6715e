//! A snapshot of all metrics of a client at one moment.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::sample::CallSample;
use super::stats::Stats;
use crate::cost::{BudgetStatus, CostReport, Tally};
use crate::pool::PoolStats;
use crate::time::rfc3339;

/// What the calls of a client and all its clones did, at one moment.
///
/// Every call is in it as a whole or not at all, and `by_model` sums up to the total. Its
/// `Display` is a table for a terminal of 80 columns, with the first rows; `{:#}` has them
/// all. [`prometheus`](Self::prometheus) is for scrapers, and serde stores it.
///
/// What it takes is bounded: there is a row for each of the first 200 models, and
/// `(other)` for the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// When it was taken. Stored as RFC 3339 text in UTC, to the millisecond.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// How long there has been the client.
    pub uptime: Duration,
    /// Calls under way.
    pub in_flight: u64,
    /// All calls since the start.
    pub total: Stats,
    /// The calls that ended lately.
    pub windows: Windows,
    /// By provider and model, as it was asked for; the one with the most calls first, and
    /// `(other)` last.
    pub by_model: Vec<ModelStats>,
    /// The connections.
    pub pool: PoolStats,
    /// The money.
    pub costs: Costs,
    /// How many retries the [budget](crate::RetryBudget) has left.
    pub retries_left: u32,
    /// The 10 slowest calls of the last fifteen minutes, however they ended; the slowest
    /// first.
    pub slowest: Vec<CallSample>,
    /// The latest 10 calls that failed, the latest first. Those are not among them that
    /// the caller cancelled or a budget refused.
    pub failed: Vec<CallSample>,
}

/// The numbers of one model, at one provider's server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelStats {
    /// The provider's id, such as `groq`.
    pub provider: String,
    /// The model, as it was asked for; names are cut at 200 bytes.
    pub model: String,
    /// `chat` or `text_completion`.
    pub operation: String,
    /// The host that serves it.
    pub server_address: String,
    /// The port there.
    pub server_port: u16,
    /// How many calls were answered by which model, as the provider calls it. The first
    /// eight, and `(other)`.
    pub answered_by: BTreeMap<String, u64>,
    /// Calls under way.
    pub in_flight: u64,
    /// All calls since the start.
    pub total: Stats,
    /// The calls that ended lately.
    pub windows: Windows,
}

/// The calls that ended lately.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Windows {
    /// The last minute, and up to 10 seconds before it.
    pub one_minute: Window,
    /// The last five minutes, and up to a minute before them.
    pub five_minutes: Window,
    /// The last fifteen minutes, and up to a minute before them.
    pub fifteen_minutes: Window,
}

/// The calls that ended within some time before the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Window {
    /// How long that is, exactly: what a rate is divided by. Time is counted in slices,
    /// so it is a little more than the window is named after; soon after the start it is
    /// less.
    pub span: Duration,
    /// The calls.
    pub stats: Stats,
}

/// What the budgets say. What the calls cost is in [`Stats::cost`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Costs {
    /// All that is in the books: attempts that were billed without an answer included,
    /// and calls made elsewhere that the program told of.
    pub total: Tally,
    /// How many calls were refused by a budget.
    pub refused: u64,
    /// How many calls could not be booked, because the ledger failed.
    pub unbooked: u64,
    /// How far each budget is used up.
    pub budgets: Vec<BudgetStatus>,
}

impl From<CostReport> for Costs {
    fn from(report: CostReport) -> Self {
        Self {
            total: report.total,
            refused: report.refused,
            unbooked: report.unbooked,
            budgets: report.budgets,
        }
    }
}

impl Window {
    /// Calls a second.
    #[expect(clippy::cast_precision_loss)]
    pub fn rate(&self) -> f64 {
        match self.span.as_secs_f64() {
            seconds if seconds > 0.0 => self.stats.calls as f64 / seconds,
            _ => 0.0,
        }
    }
}

impl MetricsSnapshot {
    /// All calls since the start, by provider.
    pub fn by_provider(&self) -> BTreeMap<&str, Stats> {
        let mut providers: BTreeMap<&str, Stats> = BTreeMap::new();
        for model in &self.by_model {
            providers.entry(&model.provider).or_default().add(&model.total);
        }
        providers
    }
}
