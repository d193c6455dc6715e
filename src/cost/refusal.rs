//! `BudgetRefusal`: what a call needed, what was left, and when it will fit.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use super::{Availability, Money};
use crate::display;
use crate::error::Error;
use crate::time::rfc3339;

/// A budget refused a call: what it needed, what was left, and when it would fit.
///
/// The call was not sent and cost nothing. For a retry, this is about that attempt alone. Find it
/// in the error ([`Error::budget`](crate::Error::budget)) and in
/// [`CostEvent::Refused`](crate::CostEvent::Refused).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetRefusal {
    /// When the call was refused. Stored as RFC 3339 text, like all times here.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// The provider it would have gone to, by its name in reports.
    pub provider: String,
    /// The requested model.
    pub model: String,
    /// The caller's tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The budget's [label](crate::Budget::name).
    pub budget: String,
    /// Which account of the budget, such as `customer=acme`. Empty if the budget has only one.
    #[serde(default)]
    pub account: String,
    /// The most that may be spent in this window.
    pub limit: Money,
    /// Spent in this window.
    pub spent: Money,
    /// Reserved for calls in progress.
    pub reserved: Money,
    /// What the call would have needed at least.
    pub needed: Money,
    /// When the day or month ends. `None` for rolling windows and totals, which have no end.
    #[serde(default, with = "rfc3339::optional")]
    pub ends: Option<SystemTime>,
    /// When the call would fit into all budgets that apply to it.
    #[serde(default)]
    pub available: Availability,
}

/// One sentence: `budget "daily" (customer=acme) refused a call to gpt-4o that may cost
/// $0.30: $4.60 of $5.00 is spent and $0.20 reserved; it will fit from 2026-11-24 00:00 UTC`.
impl fmt::Display for BudgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("budget ")?;
        display::budget(f, &self.budget, &self.account)?;
        let (model, needed) = (display::name(&self.model), display::money(self.needed));
        write!(f, " refused a call to {model} that may cost {needed}: ")?;
        // With enough digits to show that the amounts do not fit together.
        let money = |amount| display::money_beside(amount, self.needed.min(self.limit));
        let (limit, spent, reserved) = (self.limit, self.spent, self.reserved);
        match (spent.is_zero(), reserved.is_zero()) {
            (true, true) => write!(f, "the limit is {}", money(limit))?,
            (false, true) => write!(f, "{} of {} is spent", money(spent), money(limit))?,
            (true, false) => write!(f, "{} of {} is reserved", money(reserved), money(limit))?,
            (false, false) => {
                let (limit, spent, reserved) = (money(limit), money(spent), money(reserved));
                write!(f, "{spent} of {limit} is spent and {reserved} reserved")?;
            }
        }
        self.available.fmt_ending(f, self.at)
    }
}

impl std::error::Error for BudgetRefusal {}

impl Error {
    /// The budget that refused the call, for an error of kind
    /// [`BudgetExceeded`](crate::ErrorKind::BudgetExceeded): what is left of it, what the call
    /// could have cost, and when it would fit. `None` if a stream was stopped at the per-request
    /// limit.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// if let Err(error) = client.chat("Hello") {
    ///     if let Some(refusal) = error.budget() {
    ///         println!("{} of {} is spent", refusal.spent, refusal.limit);
    ///     }
    /// }
    /// ```
    pub fn budget(&self) -> Option<&BudgetRefusal> {
        self.refusal()?.downcast_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_refusal_is_one_sentence_and_reads_back_unchanged() {
        let refusal = BudgetRefusal {
            at: UNIX_EPOCH,
            provider: "openai".into(),
            model: "gpt-4o\r".into(),
            tags: BTreeMap::new(),
            budget: "daily".into(),
            account: "customer=acme".into(),
            limit: Money::dollars(5),
            spent: Money::cents(460),
            reserved: Money::cents(20),
            needed: Money::cents(30),
            ends: None,
            available: Availability::Unknown,
        };
        assert_eq!(
            refusal.to_string(),
            "budget \"daily\" (customer=acme) refused a call to gpt-4o\\r that may cost $0.30: \
             $4.60 of $5.00 is spent and $0.20 reserved"
        );
        let at = |seconds| UNIX_EPOCH + Duration::from_millis(seconds * 1_000);
        let once = |earliest, latest: Option<u64>| Availability::OnceReleased {
            earliest: at(earliest),
            latest: latest.map(at),
        };
        let released = "$0.30: $4.80 of $5.00 is reserved; it will fit once calls in progress \
                        release enough";
        for (spent, reserved, needed, available, end) in [
            (
                0,
                0,
                501,
                Availability::Never,
                "$5.01: the limit is $5.00; waiting will not help".to_owned(),
            ),
            (
                480,
                0,
                30,
                Availability::From(at(86_400)),
                "$0.30: $4.80 of $5.00 is spent; it will fit from 1970-01-02 00:00 UTC".to_owned(),
            ),
            (0, 480, 30, once(0, None), released.to_owned()),
            (
                0,
                480,
                30,
                once(0, Some(61)),
                format!("{released}, by 1970-01-01 00:01:01 UTC at the latest"),
            ),
            (
                0,
                480,
                30,
                once(60, Some(120)),
                format!(
                    "{released}, not before 1970-01-01 00:01 UTC, \
                     by 1970-01-01 00:02 UTC at the latest"
                ),
            ),
        ] {
            let refusal = BudgetRefusal {
                spent: Money::cents(spent),
                reserved: Money::cents(reserved),
                needed: Money::cents(needed),
                available,
                ..refusal.clone()
            };
            assert!(refusal.to_string().ends_with(&end), "{refusal}");
            let stored = serde_json::to_string(&refusal).unwrap();
            assert_eq!(serde_json::from_str::<BudgetRefusal>(&stored).unwrap(), refusal);
        }
        let stored = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<BudgetRefusal>(&stored).unwrap(), refusal);
    }
}
