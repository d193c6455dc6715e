//! `BudgetAlert`: a budget reached a threshold; and how observers receive it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::Money;
use crate::display;
use crate::time::rfc3339;

/// Spending on a budget has reached a share of its limit.
///
/// [`CostConfig::on_alert`](crate::CostConfig::on_alert) and
/// [`CostEvent::Alert`](crate::CostEvent::Alert) deliver it, once per window for each
/// [threshold](crate::Budget::alert_at). Its `Display` is one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetAlert {
    /// The budget's [label](crate::Budget::name).
    pub budget: String,
    /// Which account of the budget, such as `customer=acme`. Empty if the budget has only one.
    #[serde(default)]
    pub account: String,
    /// The share that was reached, in percent of the limit.
    pub threshold: u16,
    /// Spent in this window.
    pub spent: Money,
    /// The most that may be spent in this window.
    pub limit: Money,
    /// Whether the budget only alerts and never refuses.
    #[serde(default)]
    pub soft: bool,
    /// When the window began. `None` for a total. Stored as RFC 3339 text, like all times here.
    #[serde(default, with = "rfc3339::optional")]
    pub starts: Option<SystemTime>,
    /// When the day or month ends. `None` for rolling windows and totals, which have no end.
    #[serde(default, with = "rfc3339::optional")]
    pub ends: Option<SystemTime>,
    /// When the share was reached.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// The spending expected by the end of the window if it continues at this rate.
    #[serde(default)]
    pub projected: Option<Money>,
}

/// One sentence: `budget "daily" (customer=acme) reached 80 %: $4.01 of $5.00; at this
/// rate $6.10 by 2026-11-24 00:00 UTC`. For a [soft](Self::soft) budget it starts with
/// `soft budget`.
impl fmt::Display for BudgetAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.soft { "soft budget " } else { "budget " })?;
        display::budget(f, &self.budget, &self.account)?;
        let money = |amount| display::money_beside(amount, self.limit);
        let (spent, limit) = (money(self.spent), money(self.limit));
        write!(f, " reached {} %: {spent} of {limit}", self.threshold)?;
        match (self.projected, self.ends) {
            (Some(projected), Some(ends)) => {
                let (projected, ends) = (money(projected), rfc3339::minute(ends));
                write!(f, "; at this rate {projected} by {ends}")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn alert() -> BudgetAlert {
        BudgetAlert {
            budget: "daily".into(),
            account: "customer=acme".into(),
            threshold: 80,
            spent: Money::cents(401),
            limit: Money::dollars(5),
            soft: false,
            starts: None,
            ends: Some(UNIX_EPOCH + Duration::from_secs(1_795_478_400)),
            at: UNIX_EPOCH,
            projected: Some(Money::cents(610)),
        }
    }

    #[test]
    fn an_alert_is_one_sentence() {
        assert_eq!(
            alert().to_string(),
            "budget \"daily\" (customer=acme) reached 80 %: $4.01 of $5.00; at this rate $6.10 by \
             2026-11-24 00:00 UTC"
        );
        let alert = BudgetAlert {
            budget: "a\n\u{1b}[31m".into(),
            account: String::new(),
            soft: true,
            projected: None,
            ..alert()
        };
        assert_eq!(
            alert.to_string(),
            "soft budget \"a\\n\\u{1b}[31m\" reached 80 %: $4.01 of $5.00"
        );
    }

    #[test]
    fn a_stored_alert_reads_back_unchanged() {
        let stored = serde_json::to_string(&alert()).unwrap();
        assert!(stored.contains(r#""ends":"2026-11-24T00:00:00Z""#), "{stored}");
        assert_eq!(serde_json::from_str::<BudgetAlert>(&stored).unwrap(), alert());
    }
}

/// Passes alerts to a client's observers while the client exists.
///
/// Clients that share a tracker may also share observers. `called` holds the addresses of the
/// observers already called for an alert, so none is called twice.
#[derive(Clone)]
pub(crate) struct AlertListener(Arc<dyn Listen>);

/// What an [`AlertListener`] calls.
pub(crate) trait Listen: Send + Sync {
    /// Whether there is still an observer to call.
    fn is_alive(&self) -> bool;

    /// Calls the observers that are not in `called` yet, and adds them to it.
    fn call(&self, alert: &BudgetAlert, called: &mut Vec<usize>);
}

impl AlertListener {
    pub(crate) fn new(listen: impl Listen + 'static) -> Self {
        Self(Arc::new(listen))
    }

    pub(super) fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    pub(super) fn call(&self, alert: &BudgetAlert, called: &mut Vec<usize>) {
        self.0.call(alert, called);
    }
}
