//! `MetricsSnapshot`: all metrics of a client at one moment.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::sample::CallSample;
use super::stats::Stats;
use crate::cost::{BudgetStatus, CostReport, Tally};
use crate::pool::PoolStats;
use crate::routing::TargetStatus;
use crate::time::rfc3339;

/// What the calls of a client and all its clones did, at one moment.
///
/// Every call is included completely or not at all, and `by_model` adds up to the total. The
/// `Display` output is a table for a terminal of 80 columns with the first rows; `{:#}` shows all
/// rows. [`prometheus`](Self::prometheus) is for scrapers, and serde can store it.
///
/// Its size is bounded: the first 200 models have rows, and `(other)` has the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// When it was taken. Stored as RFC 3339 text in UTC, to the millisecond.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// The time since the client was built.
    pub uptime: Duration,
    /// Calls in progress.
    pub in_flight: u64,
    /// All calls since the start.
    pub total: Stats,
    /// The calls that ended recently.
    pub windows: Windows,
    /// By provider and requested model: the one with the most calls first, `(other)` last.
    pub by_model: Vec<ModelStats>,
    /// The targets of the client's [routes](crate::route::Route), as
    /// [`Client::targets`](crate::Client::targets) returns them.
    #[serde(default)]
    pub targets: Vec<TargetStatus>,
    /// The connections.
    pub pool: PoolStats,
    /// Costs and budgets.
    pub costs: Costs,
    /// How often the store of the [cache](crate::Cache) could not be read or written.
    #[serde(default)]
    pub cache_failures: u64,
    /// How many retries are left in the [retry budget](crate::RetryBudget).
    pub retries_left: u32,
    /// The 10 slowest calls of the last fifteen minutes, however they ended; slowest first.
    pub slowest: Vec<CallSample>,
    /// The 10 most recent calls that failed, newest first. Calls that the caller cancelled or a
    /// budget refused are not included.
    pub failed: Vec<CallSample>,
}

/// The numbers of one model at one provider's server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelStats {
    /// The provider's id, such as `groq`.
    pub provider: String,
    /// The requested model; names are cut at 200 bytes.
    pub model: String,
    /// `chat`, `text_completion` or `raw`.
    pub operation: String,
    /// The host that serves it.
    pub server_address: String,
    /// The port there.
    pub server_port: u16,
    /// How many calls each model answered, by the provider's name for it. The first eight models,
    /// and `(other)`.
    pub answered_by: BTreeMap<String, u64>,
    /// Calls in progress.
    pub in_flight: u64,
    /// All calls since the start.
    pub total: Stats,
    /// The calls that ended recently.
    pub windows: Windows,
}

/// The calls that ended recently.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Windows {
    /// The last minute, plus up to 10 seconds.
    pub one_minute: Window,
    /// The last five minutes, plus up to a minute.
    pub five_minutes: Window,
    /// The last fifteen minutes, plus up to a minute.
    pub fifteen_minutes: Window,
}

/// The calls that ended within some time before the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Window {
    /// The exact length of the window, by which rates are divided. Time is counted in slices, so
    /// it is a little longer than the window's name says, and shorter soon after the start.
    pub span: Duration,
    /// The calls.
    pub stats: Stats,
}

/// Costs and budgets. What the calls cost is also in [`Stats::cost`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Costs {
    /// Everything that was charged: also attempts billed without an answer, and calls made
    /// elsewhere that the program reported.
    pub total: Tally,
    /// How many calls a budget refused.
    pub refused: u64,
    /// How many calls the ledger failed to record.
    pub unrecorded: u64,
    /// How much of each budget is used.
    pub budgets: Vec<BudgetStatus>,
}

impl From<CostReport> for Costs {
    fn from(report: CostReport) -> Self {
        Self {
            total: report.total,
            refused: report.refused,
            unrecorded: report.unrecorded,
            budgets: report.budgets,
        }
    }
}

impl Window {
    /// Calls per second.
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
