use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::SystemTime;

use super::{Money, moment, shown};

/// Tells that what is spent on a budget has reached a share of its limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetAlert {
    /// The budget's name.
    pub budget: String,
    /// Whose account it is, such as `customer=acme`; empty where the budget has but one.
    #[serde(default)]
    pub account: String,
    /// The share that was reached, in percent of the limit.
    pub threshold: u8,
    /// Spent in this window.
    pub spent: Money,
    /// The most that may be spent in this window.
    pub limit: Money,
    /// Whether the budget only warns.
    #[serde(default)]
    pub soft: bool,
    /// When the window began, if it began. Stored as RFC 3339 text, as all moments.
    #[serde(default, with = "moment::optional")]
    pub starts: Option<SystemTime>,
    /// When the window ends, if it does.
    #[serde(default, with = "moment::optional")]
    pub ends: Option<SystemTime>,
    /// When the share was reached.
    #[serde(with = "moment::text")]
    pub at: SystemTime,
    /// What will be spent by the end of the window if it goes on at this rate.
    #[serde(default)]
    pub projected: Option<Money>,
}

/// One sentence: `budget "daily" (customer=acme) reached 80 %: $4.01 of $5.00; at this
/// rate $6.10 by 2026-11-24 00:00 UTC`.
impl fmt::Display for BudgetAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("budget ")?;
        shown::budget(f, &self.budget, &self.account)?;
        let (spent, limit) = (shown::money(self.spent), shown::money(self.limit));
        write!(f, " reached {} %: {spent} of {limit}", self.threshold)?;
        if self.soft {
            f.write_str(", which it only warns of")?;
        }
        match (self.projected, self.ends) {
            (Some(projected), Some(ends)) => {
                let (projected, ends) = (shown::money(projected), moment::minute(ends));
                write!(f, "; at this rate {projected} by {ends}")
            }
            _ => Ok(()),
        }
    }
}

/// The thresholds, in percent of `limit`, that were reached when what is spent went
/// from `before` to `after`: before < threshold ≤ after.
pub(crate) fn crossed(
    before: Money,
    after: Money,
    limit: Money,
    thresholds: &[u8],
) -> impl Iterator<Item = u8> + '_ {
    thresholds.iter().copied().filter(move |threshold| {
        share(limit, *threshold).is_some_and(|share| before < share && share <= after)
    })
}

/// So many percent of an amount, rounded up to the next pico-dollar: as amounts are
/// whole, they reach the one exactly when they reach the other. `None` where it is more
/// than there is.
fn share(limit: Money, percent: u8) -> Option<Money> {
    // In two parts, since the product may be out of range where the share is not.
    let (hundredth, rest) = (limit.as_picos().div_euclid(100), limit.as_picos().rem_euclid(100));
    let percent = i128::from(percent);
    let share = hundredth.checked_mul(percent)?.checked_add((rest * percent + 99) / 100)?;
    Some(Money::picos(share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_threshold_is_reached_once_and_to_the_last_pico_dollar() {
        let picos = Money::picos;
        let all = [50, 80, 100, 120];
        for (before, after, limit, expected) in [
            (0, 49, 100, &[][..]),
            (0, 50, 100, &[50]),
            (49, 50, 100, &[50]),
            (50, 79, 100, &[]),
            (50, 80, 100, &[80]),
            (0, 1_000, 100, &all),
            (99, 100, 100, &[100]),
            (100, 100, 100, &[]),
            (80, 40, 100, &[]),       // corrected downwards
            (40, 80, 100, &[50, 80]), // and up again
            // 80 % of 7 are 5.6: 5 is below and 6 above it.
            (4, 5, 7, &[]),
            (5, 6, 7, &[80]),
            (0, 0, 0, &[]),
            (0, 5, 0, &[]), // a limit of nothing is reached from the beginning
            (0, i128::MAX, i128::MAX, &[50, 80, 100]),
            (i128::MAX / 2, i128::MAX / 2 + 1, i128::MAX, &[50]),
        ] {
            let found: Vec<u8> = crossed(picos(before), picos(after), picos(limit), &all).collect();
            assert_eq!(found, expected, "{before} → {after} of {limit}");
        }
        assert_eq!(crossed(picos(0), picos(9), picos(9), &[]).count(), 0);
    }

    /// The definition, in numbers small enough to multiply out.
    #[test]
    fn the_rounded_share_decides_as_the_exact_one() {
        for limit in 0..40_i128 {
            for threshold in [1, 33, 50, 80, 99, 100, 150, 255_u8] {
                for after in 0..40_i128 {
                    for before in 0..40_i128 {
                        let bound = i128::from(threshold) * limit;
                        let expected = before * 100 < bound && bound <= after * 100;
                        let (before, after) = (Money::picos(before), Money::picos(after));
                        let found = crossed(before, after, Money::picos(limit), &[threshold]);
                        assert_eq!(found.count() == 1, expected);
                    }
                }
            }
        }
    }

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
            "budget \"a\\n\\u{1b}[31m\" reached 80 %: $4.01 of $5.00, which it only warns of"
        );
    }

    #[test]
    fn an_alert_is_read_back_as_it_was_stored() {
        let stored = serde_json::to_string(&alert()).unwrap();
        assert!(stored.contains(r#""ends":"2026-11-24T00:00:00Z""#), "{stored}");
        assert_eq!(serde_json::from_str::<BudgetAlert>(&stored).unwrap(), alert());
    }
}
