//! The alert of a budget that reached a threshold, and how observers get it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::Money;
use crate::display;
use crate::time::rfc3339;

/// Tells that what is spent on a budget has reached a share of its limit.
///
/// It is told to [`CostConfig::on_alert`](crate::CostConfig::on_alert) and an
/// [event](crate::CostEvent::Alert), in each window once for each
/// [threshold](crate::Budget::alert_at). Its `Display` is a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetAlert {
    /// The budget's name.
    pub budget: String,
    /// Whose account it is, such as `customer=acme`; empty where the budget has but one.
    #[serde(default)]
    pub account: String,
    /// The share that was reached, in percent of the limit.
    pub threshold: u16,
    /// Spent in this window.
    pub spent: Money,
    /// The most that may be spent in this window.
    pub limit: Money,
    /// Whether the budget only warns.
    #[serde(default)]
    pub soft: bool,
    /// When the window began, if it began. Stored as RFC 3339 text, as all moments.
    #[serde(default, with = "rfc3339::optional")]
    pub starts: Option<SystemTime>,
    /// When the window ends: of a day or month. A rolling window and a total have no end.
    #[serde(default, with = "rfc3339::optional")]
    pub ends: Option<SystemTime>,
    /// When the share was reached.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// What will be spent by the end of the window if it goes on at this rate.
    #[serde(default)]
    pub projected: Option<Money>,
}

/// One sentence: `budget "daily" (customer=acme) reached 80 %: $4.01 of $5.00; at this
/// rate $6.10 by 2026-11-24 00:00 UTC`. Of a [soft](Self::soft) budget it begins with
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
    fn an_alert_is_read_back_as_it_was_stored() {
        let stored = serde_json::to_string(&alert()).unwrap();
        assert!(stored.contains(r#""ends":"2026-11-24T00:00:00Z""#), "{stored}");
        assert_eq!(serde_json::from_str::<BudgetAlert>(&stored).unwrap(), alert());
    }
}

/// Calls a client's observers on alerts, for as long as the client exists.
///
/// Clients that share a tracker may also share observers. So `called` lists, by address,
/// the observers that have been called for an alert, and nobody is called twice.
#[derive(Clone)]
pub(crate) struct AlertListener(Arc<dyn Listen>);

/// What an [`AlertListener`] calls.
pub(crate) trait Listen: Send + Sync {
    /// Whether there is still somebody to call.
    fn is_alive(&self) -> bool;

    /// Calls those that are not among `called` yet, and adds them.
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
