//! `Period`: the rates of a model over one period of time, by service tier and prompt size.

use super::Rates;
use super::ceiling::Ceiling;
use crate::cost::Money;
use crate::sorted_map::SortedMap;
use crate::time::calendar::DAY;
use crate::upper_bound::UpperBound;
use crate::usage::Usage;

/// The rates of one service tier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) rates: Rates,
    /// The rates for prompts of more tokens than the key.
    pub(super) above: SortedMap<u64, Rates>,
}

impl Sheet {
    pub(super) fn rates(&self, prompt_tokens: u64) -> &Rates {
        let above = self.above.iter().rev().find(|(tokens, _)| prompt_tokens > **tokens);
        above.map_or(&self.rates, |(_, rates)| rates)
    }

    /// The same sheet with `percent` of its prices for tokens.
    pub(super) fn scaled(&self, percent: u8) -> Self {
        let mut scaled = self.clone();
        scaled.rates = self.rates.scaled(percent);
        for (_, rates) in scaled.above.iter_mut() {
            *rates = rates.scaled(percent);
        }
        scaled
    }

    pub(super) fn set_above(&mut self, tokens: u64, rates: Rates) {
        self.above.insert(tokens, rates);
    }

    /// Like [`Price::at_most_beside`](super::Price::at_most_beside).
    pub(super) fn at_most_beside(
        &self,
        usage: &Usage,
        (input, output): (bool, bool),
        bound: &UpperBound,
    ) -> Money {
        let most = |rates: &Rates, ceiling: Ceiling| match output {
            true => ceiling.at(0) + rates.cost(usage).written(),
            false => ceiling.at(bound.output_tokens),
        };
        if input {
            let rates = self.rates(usage.prompt_tokens);
            return rates.cost(usage).read() + most(rates, Ceiling::new(rates, bound, 0));
        }
        let mut highest = Money::ZERO;
        self.each_size(bound, |rates, ceiling| highest = highest.max(most(rates, ceiling)));
        highest
    }
    /// Calls `each` with the rates and the cost ceiling of every size tier that a prompt within the
    /// bound can be in. A smaller prompt may be the more expensive one, if prices fall with size.
    pub(super) fn each_size(&self, bound: &UpperBound, mut each: impl FnMut(&Rates, Ceiling)) {
        let most = bound.input_tokens;
        let mut rates = &self.rates;
        for (end, next) in self.above.iter() {
            each(rates, Ceiling::new(rates, bound, most.min(*end)));
            if most <= *end {
                return;
            }
            rates = next;
        }
        each(rates, Ceiling::new(rates, bound, most));
    }
}

/// When a price applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// From this second after the Unix epoch.
    Since(i64),
    /// Every day between two seconds of the day in UTC, past midnight if the second one is
    /// smaller.
    Daily(u32, u32),
}

impl When {
    /// Whether it applies at `now`, in seconds since the Unix epoch.
    pub(super) fn holds(self, now: i64) -> bool {
        match self {
            Self::Always => true,
            Self::Since(start) => now >= start,
            Self::Daily(from, until) => {
                let (from, until) = (i64::from(from), i64::from(until));
                let second = now.rem_euclid(DAY);
                match from <= until {
                    true => (from..until).contains(&second),
                    false => second >= from || second < until,
                }
            }
        }
    }
}

/// The prices of a period of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) when: When,
    pub(super) standard: Sheet,
    /// By name, in lower case.
    pub(super) tiers: Vec<(String, Sheet)>,
}

impl Period {
    pub(super) fn new(when: When, standard: Sheet) -> Self {
        Self { when, standard, tiers: Vec::new() }
    }

    /// The tier of that name, or the standard one.
    pub(super) fn sheet(&self, service_tier: Option<&str>) -> &Sheet {
        let named =
            |name: &str| self.tiers.iter().find(|(tier, _)| tier.eq_ignore_ascii_case(name));
        service_tier.and_then(named).map_or(&self.standard, |(_, sheet)| sheet)
    }

    pub(super) fn set_tier(&mut self, name: &str, sheet: Sheet) {
        let name = name.to_ascii_lowercase();
        match self.tiers.iter_mut().find(|(tier, _)| *tier == name) {
            Some((_, present)) => *present = sheet,
            None => self.tiers.push((name, sheet)),
        }
    }

    /// The tiers that may serve a call that asks for `asked`: that one or the standard one. If the
    /// provider chooses, any but `batch`, which never serves a call immediately. A call that asks
    /// for none lets the provider choose too: "When not set, the default behavior is 'auto'", which
    /// is "the service tier configured in the Project settings" (OpenAI's API reference,
    /// `service_tier` of chat completions).
    pub(super) fn served<'a>(&'a self, asked: Option<&'a str>) -> impl Iterator<Item = &'a Sheet> {
        let any = asked.is_none_or(|tier| tier.eq_ignore_ascii_case("auto"));
        let named = move |name: &str| match any {
            true => name != "batch",
            false => asked.is_some_and(|tier| tier.eq_ignore_ascii_case(name)),
        };
        let tiers = self.tiers.iter().filter(move |(name, _)| named(name));
        [&self.standard].into_iter().chain(tiers.map(|(_, sheet)| sheet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_tier_starts_above_its_number_of_tokens() {
        let rates = |input| Rates { input, ..Rates::default() };
        let mut sheet = Sheet { rates: rates(1), ..Sheet::default() };
        sheet.set_above(200, rates(3));
        sheet.set_above(100, rates(2));
        for (tokens, input) in [(0, 1), (100, 1), (101, 2), (200, 2), (201, 3), (u64::MAX, 3)] {
            assert_eq!(sheet.rates(tokens).input, input, "{tokens}");
        }
        sheet.set_above(100, rates(9));
        assert_eq!((sheet.rates(101).input, sheet.above.len()), (9, 2));
    }

    #[test]
    fn hours_of_the_day_may_run_past_midnight() {
        let (day, hour) = (86_400, 3_600);
        for (when, hours) in [
            (When::Daily(0, 4 * 3_600), 0..4),
            (When::Daily(6 * 3_600, 10 * 3_600), 6..10),
            (When::Daily(5 * 3_600, 5 * 3_600), 0..0),
        ] {
            for at in 0..24 {
                assert_eq!(when.holds(20_000 * day + at * hour), hours.contains(&at), "{when:?}");
                assert_eq!(when.holds(-day + at * hour), hours.contains(&at), "{when:?} {at}");
            }
        }
        let night = When::Daily(22 * 3_600, 2 * 3_600);
        let holding: Vec<i64> = (0..24).filter(|at| night.holds(at * hour)).collect();
        assert_eq!(holding, [0, 1, 22, 23]);
        assert!(When::Since(10).holds(10) && !When::Since(10).holds(9));
    }
}
