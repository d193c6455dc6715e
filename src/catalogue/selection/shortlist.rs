//! The best few of many models.

use super::{Call, Grounds, Lack, Measured, Offer, lack};

/// The best few models for a call, and how many are left out for which reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shortlist {
    /// Their places among the offers, the best first.
    pub(crate) chosen: Vec<(usize, Grounds)>,
    /// The first of its kind, and how many there are.
    pub(crate) left_out: Vec<(Lack, usize)>,
}

impl Shortlist {
    /// Chooses at most `places` offers. As long as other providers have any, no provider gets more
    /// than half of the places, rounded up: if it fails, a call needs somewhere else to go.
    pub(crate) fn new<'a>(
        offers: impl ExactSizeIterator<Item = &'a Offer> + Clone,
        mut call: Call<'_>,
        measured: impl Fn(usize) -> Measured,
        places: usize,
    ) -> Self {
        let measured: Vec<Measured> = (0..offers.len()).map(measured).collect();
        call.expect(measured.iter().filter_map(|one| one.answer_tokens));
        let mut fit: Vec<(usize, &Offer, Grounds)> = Vec::with_capacity(offers.len());
        let mut left_out = Vec::new();
        for (at, offer) in offers.enumerate() {
            match offer.judge(&call, measured[at]) {
                Ok(grounds) => fit.push((at, offer, grounds)),
                Err(lack) => note(&mut left_out, lack),
            }
        }
        fit.sort_unstable_by(|(_, one, grounds), (_, other, others)| {
            grounds.order(others).then_with(|| one.name_order(other))
        });
        let most = places.div_ceil(2);
        let mut chosen = Vec::with_capacity(places.min(fit.len()));
        let mut beyond = Vec::new();
        for (place, (_, offer, _)) in fit.iter().enumerate() {
            if chosen.len() == places {
                break;
            }
            let provider = &offer.model.provider;
            let its = chosen.iter().filter(|at: &&usize| fit[**at].1.model.provider == *provider);
            match its.count() < most {
                true => chosen.push(place),
                false if beyond.len() < places => beyond.push(place),
                false => {}
            }
        }
        chosen.extend(beyond.into_iter().take(places - chosen.len()));
        chosen.sort_unstable();
        let chosen = chosen.into_iter().map(|place| (fit[place].0, fit[place].2)).collect();
        Self { chosen, left_out }
    }

    /// The reasons why models are left out, with their numbers.
    pub(crate) fn describe(left_out: &[(Lack, usize)]) -> Vec<String> {
        let describe = |(lack, count): &(Lack, usize)| match count {
            1 => format!("1 model: {}", lack.in_general()),
            _ => format!("{count} models: {}", lack.in_general()),
        };
        left_out.iter().map(describe).collect()
    }
}

/// Counts a reason.
fn note(left_out: &mut Vec<(Lack, usize)>, found: Lack) {
    match left_out.iter_mut().find(|(one, _)| lack::is_same(one, &found)) {
        Some((_, count)) => *count += 1,
        None => left_out.push((found, 1)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::catalogue::{Capabilities, Model, Needs};
    use crate::cost::{Money, Price};

    fn offer(provider: &str, name: &str, cents: i64) -> Offer {
        let model = Model::new(provider.to_owned(), name.to_owned());
        let can = Capabilities::default().context_window(9_000).tools(name != "x");
        let price = Price::per_million(Money::cents(cents), Money::cents(cents));
        Offer { model: model.capabilities(can), price: Some(price.into()) }
    }

    fn shortlist(offers: &[Offer], places: usize) -> (Vec<&str>, Vec<String>) {
        let needs = Needs::new().tools(true);
        let call = Call::new(&needs, SystemTime::UNIX_EPOCH);
        let list = Shortlist::new(offers.iter(), call, |_| Measured::default(), places);
        let chosen = list.chosen.iter().map(|(at, _)| &*offers[*at].model.id).collect();
        (chosen, Shortlist::describe(&list.left_out))
    }

    #[test]
    fn the_best_few_are_in_order_and_not_all_of_one_provider() {
        let a: Vec<_> = ["a1", "a2", "a3", "a4"].into_iter().zip(1..).collect();
        let mut offers: Vec<_> = a.iter().map(|(name, cents)| offer("a", name, *cents)).collect();
        assert_eq!(shortlist(&offers, 3).0, ["a1", "a2", "a3"]);
        offers.push(offer("b", "b1", 90));
        offers.push(offer("c", "x", 1));
        offers.push(offer("c", "x", 2));
        for (places, expected) in [
            (1, &["a1"][..]),
            (2, &["a1", "b1"]),
            (3, &["a1", "a2", "b1"]),
            (4, &["a1", "a2", "a3", "b1"]),
            (5, &["a1", "a2", "a3", "a4", "b1"]),
            (20, &["a1", "a2", "a3", "a4", "b1"]),
        ] {
            assert_eq!(shortlist(&offers, places).0, expected, "{places}");
        }
        assert_eq!(shortlist(&offers, 1).1, ["2 models: it does not support tools"]);
    }
}
