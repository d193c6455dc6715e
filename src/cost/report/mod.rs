//! `CostReport`: what calls have cost.

mod csv;
mod row;
mod status;
mod table;
mod what_if;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{CallRecord, Tally};
use crate::time::rfc3339;
pub use row::Row;
pub(super) use row::{NONE, OTHER};
pub use status::BudgetStatus;
pub use what_if::{UsageClass, WhatIf, WhatIfRow};

/// What calls have cost so far, at one moment: made by
/// [`Client::costs`](crate::Client::costs) and
/// [`CostTracker::report`](crate::CostTracker::report).
///
/// ```
/// use tollgate::cost::{Bill, CallPlan};
/// use tollgate::{CostTracker, Usage};
///
/// let costs = CostTracker::new();
/// let call = CallPlan::new("openai", "gpt-4o-mini").tag("customer", "acme");
/// costs.track(call, Bill::new(Usage::reported(10_000, 2_000)))?;
///
/// let report = costs.report();
/// assert_eq!(report.total.cost.total, "0.0027".parse()?);
/// for row in &report.by_tag["customer"] {
///     println!("{}: {} for {} calls", row.key, row.tally.cost, row.tally.calls);
/// }
/// println!("{report}");
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// It covers the calls of this tracker since its creation, whatever older spending the
/// [ledger](crate::cost::ledger) has. Budgets show what the ledger has.
///
/// Its `Display` is a text table for a terminal of 80 columns, with the first rows of each table;
/// `{:#}` shows all rows. [`csv`](Self::csv) and [`calls_csv`](Self::calls_csv) are for
/// spreadsheets, [`json`](Self::json) is for programs.
///
/// Each table adds up to the total. If there are too many models, tag values or days, the row
/// `(other)` holds the rest. In the table of a tag, the row `(none)` holds the calls without it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CostReport {
    /// When the first call ended. Stored as RFC 3339 text in UTC, to the millisecond, like all
    /// times here.
    #[serde(with = "rfc3339::optional")]
    pub since: Option<SystemTime>,
    /// All calls.
    pub total: Tally,
    /// By provider and requested model; most expensive first.
    pub by_model: Vec<Row>,
    /// By provider; most expensive first.
    pub by_provider: Vec<Row>,
    /// By the values of each tag; most expensive first.
    pub by_tag: BTreeMap<String, Vec<Row>>,
    /// By the UTC day on which they ended, in order. `(other)` holds the days before the first.
    pub by_day: Vec<Row>,
    /// The state of each budget account that calls were charged to. For budgets with several
    /// accounts, the 10,000 most recently used.
    pub budgets: Vec<BudgetStatus>,
    /// How often an account was dropped from `budgets` before its window ended, because others
    /// were used more recently. An account that is used again and dropped again counts twice. Its
    /// limit applies all the same.
    pub budgets_left_out: u64,
    /// The most recent calls, newest last.
    pub last: Vec<CallRecord>,
    /// How many calls were refused by a budget, or because they have no price or upper bound.
    /// They cost nothing. A call that was sent once and then refused a retry is not counted.
    pub refused: u64,
    /// How many calls the ledger failed to record. Their reservations stay in the ledger.
    pub unrecorded: u64,
    /// The ledger's latest error.
    pub ledger_error: Option<String>,
    /// The date of the price table, such as `2026-11-23`.
    pub prices_date: String,
    /// Usage split by everything a price may depend on, for [`what_if`](Self::what_if).
    pub usage_classes: Vec<UsageClass>,
}

impl CostReport {
    /// The report as indented JSON. Its names are stable, amounts are strings of decimal dollars,
    /// and times are RFC 3339. Serde reads it back.
    pub fn json(&self) -> String {
        // Serialization cannot fail: all map keys are strings.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
