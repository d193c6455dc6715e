//! `BudgetStatus`: how much of a budget's limit is used in its current window.

use serde::{Deserialize, Serialize};
use std::time::SystemTime;

use crate::cost::Money;
use crate::time::rfc3339;

/// How much of a budget is used: one of its accounts, in its current window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetStatus {
    /// The budget's [label](crate::Budget::name).
    pub budget: String,
    /// Which account of the budget, such as `customer=acme`. Empty if the budget has only one.
    #[serde(default)]
    pub account: String,
    /// The name of the window, such as `daily`.
    pub window: String,
    /// When the window began. `None` for a total. Stored as RFC 3339 text, like all times here.
    #[serde(default, with = "rfc3339::optional")]
    pub starts: Option<SystemTime>,
    /// When the day or month ends. `None` for rolling windows and totals, which have no end.
    #[serde(default, with = "rfc3339::optional")]
    pub ends: Option<SystemTime>,
    /// The most that may be spent in the window.
    pub limit: Money,
    /// Whether the budget only alerts and never refuses.
    #[serde(default)]
    pub soft: bool,
    /// Spent.
    pub spent: Money,
    /// Reserved for calls in progress, at the most they may cost.
    pub reserved: Money,
    /// What is left of the limit; zero if it is exceeded.
    pub left: Money,
    /// The spending expected by the end of the window if it continues at this rate.
    #[serde(default)]
    pub projected: Option<Money>,
}

impl BudgetStatus {
    /// The share of the limit that is spent: 0.5 is half, more than 1 is over the limit. With a
    /// limit of zero it is 0 until something is spent, then infinite.
    pub fn utilisation(&self) -> f64 {
        match (self.spent.is_zero(), self.limit.is_zero()) {
            (true, _) => 0.0,
            (false, true) => f64::INFINITY,
            (false, false) => self.spent.as_dollars() / self.limit.as_dollars(),
        }
    }
}
