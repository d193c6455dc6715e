//! Finds budgets for providers that do not exist, most likely because of a typo.

use super::Budget;
use crate::cost::Prices;
use crate::cost::price::fold;
use crate::provider;

impl Budget {
    /// What is wrong with its provider, if no call can have that name and the budget would
    /// therefore never apply. `own` has the ids of the client's providers. With `priced`, every
    /// call needs a price, so a name that nobody else knows must have one.
    pub(crate) fn provider_problem(
        &self,
        own: &[&str],
        prices: &Prices,
        priced: bool,
    ) -> Option<String> {
        let name = fold(self.provider.as_deref()?.trim());
        let is_own = own.iter().any(|id| fold(id.trim()) == name);
        if name.is_empty() || is_own || prices.has_custom(&name) {
            return None;
        }
        let known = || provider::names().chain(Prices::providers());
        if known().any(|known| known == name) {
            return None;
        }
        let mut near = provider::nearest(&name, known());
        near.dedup();
        if near.is_empty() && !priced {
            return None;
        }
        let label = self.label();
        let meant = match near.is_empty() {
            false => format!("did you mean \"{}\"? ", near.join("\" or \"")),
            true => String::new(),
        };
        Some(format!(
            "the budget \"{label}\" is for the provider {name:?}, but no provider or price has \
             that name; {meant}to use a name of your own, set a price for it with Prices::set"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Money, Price};

    #[test]
    fn a_misspelled_provider_is_refused_but_a_custom_name_is_not() {
        let price = || Price::per_million(Money::dollars(1), Money::dollars(2));
        let own = Prices::empty().set("Our-Gateway", "m", price()).set("openai2", "m", price());
        for (name, priced, free) in [
            ("openai", true, true),
            (" OpenAI", true, true),
            ("gemini-openai", true, true),
            ("xai", true, true),
            ("Kimi", true, true),
            ("google", true, true),
            ("our-gateway", true, true),
            ("openai2", true, true),
            ("openai3", true, true),
            ("oepnai", false, false),
            ("gemini-opnai", false, false),
            ("somebody-elses-gateway", false, true),
        ] {
            let budget = Budget::daily(Money::dollars(1)).provider(name);
            for (needed, passes) in [(true, priced), (false, free)] {
                let problem = budget.provider_problem(&["OpenAI3"], &own, needed);
                assert_eq!(problem.is_none(), passes, "{name} {needed}: {problem:?}");
            }
        }
        let typo = Budget::daily(Money::dollars(1)).provider("Oepnai");
        let problem = typo.provider_problem(&[], &own, true).unwrap();
        assert!(problem.contains("\"oepnai\"") && problem.contains("\"openai\"?"), "{problem}");
    }
}
