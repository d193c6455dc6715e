//! Whether a budget is for a provider that there is.

use super::Budget;
use crate::cost::Prices;
use crate::cost::price::fold;

/// How many letters a misspelled name differs in from what was meant, at most.
const SLIPS: usize = 2;

impl Budget {
    /// What is wrong with the name of its provider: no call has it, so that the budget
    /// would hold nothing. `priced` is whether calls need a price, since a name of one's own
    /// has prices then.
    pub(crate) fn provider_problem(&self, prices: &Prices, priced: bool) -> Option<String> {
        let name = fold(self.provider.as_deref()?.trim());
        if name.is_empty() || prices.has_own(&name) {
            return None;
        }
        let mut near: Vec<_> =
            Prices::providers().map(|known| (slips(&name, known), known)).collect();
        near.sort_unstable();
        let (least, nearest) = near.first()?;
        if *least == 0 || (!priced && *least > SLIPS) {
            return None;
        }
        let label = self.label();
        let meant = match *least <= SLIPS {
            true => format!("did you mean {nearest:?}? "),
            false => String::new(),
        };
        Some(format!(
            "the budget \"{label}\" is for the provider {name:?}, which no price has; {meant}\
             a name of your own needs a price, set by Prices::set"
        ))
    }
}

/// How many letters must be put in, left out, replaced or swapped with the next to make one
/// name of the other.
fn slips(name: &str, other: &str) -> usize {
    let (name, other): (Vec<_>, Vec<_>) = (name.chars().collect(), other.chars().collect());
    let mut rows = [vec![0; other.len() + 1], (0..=other.len()).collect(), Vec::new()];
    for at in 0..name.len() {
        let (before, last) = (&rows[0], &rows[1]);
        let mut row = vec![at + 1];
        for to in 0..other.len() {
            let replaced = last[to] + usize::from(name[at] != other[to]);
            let mut least = replaced.min(last[to + 1] + 1).min(row[to] + 1);
            let swapped =
                at > 0 && to > 0 && name[at] == other[to - 1] && name[at - 1] == other[to];
            if swapped {
                least = least.min(before[to - 1] + 1);
            }
            row.push(least);
        }
        rows[2] = row;
        rows.rotate_left(1);
    }
    rows[1][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Money, Price};

    #[test]
    fn slips_are_counted() {
        for (one, other, expected) in [
            ("openai", "openai", 0),
            ("oepnai", "openai", 1),
            ("opnai", "openai", 1),
            ("opennai", "openai", 1),
            ("openei", "openai", 1),
            ("xai", "x-ai", 1),
            ("", "openai", 6),
            ("acme", "openai", 6),
        ] {
            assert_eq!((slips(one, other), slips(other, one)), (expected, expected), "{one}");
        }
    }

    #[test]
    fn a_provider_that_no_call_can_have_is_told_from_a_name_of_ones_own() {
        let price = || Price::per_million(Money::dollars(1), Money::dollars(2));
        let own = Prices::empty().set("Our-Gateway", "m", price()).set("openai2", "m", price());
        for (name, priced, free) in [
            ("openai", true, true),
            (" OpenAI", true, true),
            ("our-gateway", true, true),
            ("openai2", true, true),
            ("oepnai", false, false),
            ("xai", false, false),
            ("somebody-elses-gateway", false, true),
        ] {
            let budget = Budget::daily(Money::dollars(1)).provider(name);
            for (needed, passes) in [(true, priced), (false, free)] {
                let problem = budget.provider_problem(&own, needed);
                assert_eq!(problem.is_none(), passes, "{name} {needed}: {problem:?}");
            }
        }
        let typo = Budget::daily(Money::dollars(1)).provider("Oepnai");
        let problem = typo.provider_problem(&own, true).unwrap();
        assert!(problem.contains("\"oepnai\"") && problem.contains("\"openai\"?"), "{problem}");
    }
}
