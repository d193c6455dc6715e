//! Which items may be read, and in which order their results are yielded.

use std::collections::VecDeque;

/// The items that have been read and whose results have not been yielded yet.
#[derive(Debug)]
pub(super) struct Window<T> {
    /// The most items it holds.
    ahead: usize,
    /// The number of the next item.
    next: u64,
    results: Results<T>,
    open: usize,
}

#[derive(Debug)]
enum Results<T> {
    /// As they come.
    Unordered(VecDeque<T>),
    /// In the order of the input. The first place belongs to item number `first`.
    Ordered { first: u64, places: VecDeque<Option<T>> },
}

impl<T> Window<T> {
    pub(super) fn new(ahead: usize, ordered: bool) -> Self {
        let results = match ordered {
            true => Results::Ordered { first: 0, places: VecDeque::new() },
            false => Results::Unordered(VecDeque::new()),
        };
        Self { ahead: ahead.max(1), next: 0, results, open: 0 }
    }

    /// Whether another item may be read.
    pub(super) fn has_room(&self) -> bool {
        self.open < self.ahead
    }

    /// Adds an item, and returns its number.
    pub(super) fn add(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open += 1;
        if let Results::Ordered { places, .. } = &mut self.results {
            places.push_back(None);
        }
        number
    }

    /// Notes the result of an item.
    pub(super) fn finish(&mut self, number: u64, result: T) {
        match &mut self.results {
            Results::Unordered(ready) => ready.push_back(result),
            Results::Ordered { first, places } => {
                let place = usize::try_from(number - *first).unwrap_or(usize::MAX);
                if let Some(place) = places.get_mut(place) {
                    *place = Some(result);
                }
            }
        }
    }

    /// The next result, if it is there.
    pub(super) fn pop(&mut self) -> Option<T> {
        let result = match &mut self.results {
            Results::Unordered(ready) => ready.pop_front()?,
            Results::Ordered { first, places } => {
                let result = places.front_mut()?.take()?;
                places.pop_front();
                *first += 1;
                result
            }
        };
        self.open -= 1;
        Some(result)
    }

    /// Whether every item has been yielded.
    pub(super) fn is_empty(&self) -> bool {
        self.open == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads items while there is room, finishes them in a random order, and yields what is ready.
    fn simulate(ordered: bool, ahead: usize, count: u64, seed: u64) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut window = Window::new(ahead, ordered);
        let (mut running, mut yielded) = (Vec::new(), Vec::new());
        let mut read = 0;
        while (yielded.len() as u64) < count {
            while read < count && window.has_room() {
                assert_eq!(window.add(), read);
                running.push(read);
                read += 1;
            }
            assert!(read - yielded.len() as u64 <= ahead as u64, "more items than allowed");
            if !running.is_empty() {
                let number = running.swap_remove(random.usize(..running.len()));
                window.finish(number, number);
            }
            if random.bool() || running.is_empty() {
                yielded.extend(window.pop());
            }
        }
        assert!(window.is_empty() && window.pop().is_none());
        yielded
    }

    #[test]
    fn every_item_is_yielded_once_within_the_look_ahead() {
        for seed in 0..200 {
            let ahead = 1 + usize::try_from(seed % 9).expect("a small number");
            let count = seed % 50;
            let everything: Vec<u64> = (0..count).collect();
            assert_eq!(simulate(true, ahead, count, seed), everything);
            let mut any_order = simulate(false, ahead, count, seed);
            any_order.sort_unstable();
            assert_eq!(any_order, everything);
        }
    }

    #[test]
    fn without_order_a_slow_item_holds_nobody_up() {
        let mut window = Window::new(3, false);
        let (_slow, fast) = (window.add(), window.add());
        window.finish(fast, "fast");
        assert_eq!(window.pop(), Some("fast"));
        let mut window = Window::new(3, true);
        let (slow, fast) = (window.add(), window.add());
        window.finish(fast, "fast");
        assert_eq!(window.pop(), None);
        window.finish(slow, "slow");
        assert_eq!([window.pop(), window.pop()], [Some("slow"), Some("fast")]);
    }
}
