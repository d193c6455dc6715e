//! How much of a budget's limit is used up in its current window.

use serde::{Deserialize, Serialize};
use std::time::SystemTime;

use crate::cost::Money;
use crate::time::rfc3339;

/// How far a budget is used up: one of its accounts, in the window that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetStatus {
    /// The budget's name.
    pub budget: String,
    /// Whose account it is, such as `customer=acme`; empty where the budget has but one.
    #[serde(default)]
    pub account: String,
    /// The name of the window, such as `daily`.
    pub window: String,
    /// When the window began, if it began. Stored as RFC 3339 text, as all moments.
    #[serde(default, with = "rfc3339::optional")]
    pub starts: Option<SystemTime>,
    /// When the window ends: of a day or month. A rolling window and a total have no end.
    #[serde(default, with = "rfc3339::optional")]
    pub ends: Option<SystemTime>,
    /// The most that may be spent in the window.
    pub limit: Money,
    /// Whether the budget only warns.
    #[serde(default)]
    pub soft: bool,
    /// Spent.
    pub spent: Money,
    /// Reserved for calls under way, at the most they may cost.
    pub reserved: Money,
    /// What the limit leaves; nothing where it is overrun.
    pub left: Money,
    /// What will be spent by the end of the window if it goes on at this rate.
    #[serde(default)]
    pub projected: Option<Money>,
}

impl BudgetStatus {
    /// The share of the limit that is spent: 0.5 is half, and more than 1 is overrun. Of
    /// a limit of nothing it is 0 until something is spent, and then infinite.
    pub fn utilisation(&self) -> f64 {
        match (self.spent.is_zero(), self.limit.is_zero()) {
            (true, _) => 0.0,
            (false, true) => f64::INFINITY,
            (false, false) => self.spent.as_dollars() / self.limit.as_dollars(),
        }
    }
}
