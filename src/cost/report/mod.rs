//! What calls have cost, to read.

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
/// It is about the calls of this tracker since it was made, whatever the
/// [ledger](crate::cost::ledger) has kept from before; the budgets are as the ledger has them.
///
/// Its `Display` is a text table for a terminal of 80 columns, with the first rows of each
/// table; `{:#}` has them all. [`csv`](Self::csv) and [`calls_csv`](Self::calls_csv) are
/// for spreadsheets, [`json`](Self::json) for programs.
///
/// Each table sums up to the total: calls for which there were too many different models,
/// values of a tag or days are in a row with the key `(other)`, and those without a tag
/// in the row `(none)` of that tag.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CostReport {
    /// When the first of the calls ended. Stored as RFC 3339 text in UTC, to the
    /// millisecond, as all moments.
    #[serde(with = "rfc3339::optional")]
    pub since: Option<SystemTime>,
    /// All calls.
    pub total: Tally,
    /// By provider and model, as it was asked for; dearest first.
    pub by_model: Vec<Row>,
    /// By provider; dearest first.
    pub by_provider: Vec<Row>,
    /// By the values of each tag; dearest first.
    pub by_tag: BTreeMap<String, Vec<Row>>,
    /// By the day of UTC on which they ended, in order. `(other)` are those before the first.
    pub by_day: Vec<Row>,
    /// How far each budget is used up: an account each, of those that calls were booked on. Of
    /// budgets with several, the 10,000 accounts that were used last.
    pub budgets: Vec<BudgetStatus>,
    /// How often an account was left out of `budgets` while its window went on, because
    /// others were used since; one that was used again and left out again counts twice. Their
    /// limits are kept all the same.
    pub budgets_left_out: u64,
    /// The latest calls, the latest last.
    pub last: Vec<CallRecord>,
    /// How many calls were refused by a budget, or because no budget could hold them. They
    /// cost nothing: one that was sent before, and not again, is not among them.
    pub refused: u64,
    /// How many calls could not be booked, because the ledger failed: what was reserved
    /// for them stays reserved there.
    pub unbooked: u64,
    /// What the ledger failed with last.
    pub ledger_error: Option<String>,
    /// The date of the table of prices, `2026-11-23`.
    pub prices_date: String,
    /// The usage by all that a price may depend on, for [`what_if`](Self::what_if).
    pub usage_classes: Vec<UsageClass>,
}

impl CostReport {
    /// The report as indented JSON. The names in it are stable, amounts are strings of
    /// decimal dollars, moments are RFC 3339; it is read back by serde.
    pub fn json(&self) -> String {
        // Nothing in it fails to serialize: the keys of its maps are strings.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
