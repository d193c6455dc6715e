//! Matches the results of a batch with its requests, by id. Pure.

use std::collections::HashMap;

use super::Item;

/// Which requests of a batch have a result.
pub(crate) struct Collected {
    /// The index of each request, and whether it has a result.
    requests: HashMap<Box<str>, (usize, bool)>,
    /// Whether the requests are known. Otherwise the results say which there are.
    known: bool,
}

/// What a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The first result of the request with this index.
    First(usize),
    /// Another result of the request with this index.
    Again(usize),
    /// The result of a request that is not in the batch.
    Unknown,
}

impl Collected {
    /// Starts without any result. Without `items`, every id is accepted.
    pub(crate) fn new(items: &[Item]) -> Self {
        let index = |(place, item): (usize, &Item)| (Box::from(&*item.id), (place, false));
        let requests: HashMap<_, _> = items.iter().enumerate().map(index).collect();
        Self { known: !items.is_empty(), requests }
    }

    /// Notes a result.
    pub(crate) fn note(&mut self, id: &str) -> Seen {
        let count = self.requests.len();
        match self.requests.get_mut(id) {
            Some((place, seen)) if *seen => Seen::Again(*place),
            Some((place, seen)) => {
                *seen = true;
                Seen::First(*place)
            }
            None if self.known => Seen::Unknown,
            None => {
                self.requests.insert(id.into(), (count, true));
                Seen::First(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::CostTracker;

    fn items(ids: &[&str]) -> Vec<Item> {
        let costs = CostTracker::new();
        let item = |id: &&str| {
            let plan = costs.plan_in_batch("openai", "openai", "gpt-4o", 50, <_>::default());
            let charge = costs.reserve(plan).unwrap().send().park();
            Item { id: (*id).to_owned(), part: 0, tags: None, texts: None, text_bytes: 0, charge }
        };
        ids.iter().map(item).collect()
    }

    #[test]
    fn results_are_matched_by_id() {
        let mut collected = Collected::new(&items(&["a", "b", "c"]));
        assert_eq!(collected.note("c"), Seen::First(2));
        assert_eq!(collected.note("a"), Seen::First(0));
        assert_eq!(collected.note("c"), Seen::Again(2));
        assert_eq!(collected.note("d"), Seen::Unknown);
        assert_eq!(collected.note("b"), Seen::First(1));
    }

    #[test]
    fn without_known_requests_the_results_say_which_there_are() {
        let mut collected = Collected::new(&[]);
        assert_eq!((collected.note("x"), collected.note("y")), (Seen::First(0), Seen::First(1)));
        assert_eq!(collected.note("x"), Seen::Again(0));
    }
}
