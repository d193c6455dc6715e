//! A set of numbers as ranges.

/// Numbers that mostly follow each other, which take no memory of their own.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The first and the last number of each range: sorted, with gaps between them.
    ranges: Vec<(u64, u64)>,
}

/// How many ranges are kept.
const MOST: usize = 1_024;

/// What happened to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    New,
    /// It was there before.
    Known,
    /// It would need another range, and there are too many. It was not added.
    NoRoom,
}

impl Numbers {
    pub(super) fn contains(&self, number: u64) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < number);
        self.ranges.get(at).is_some_and(|(first, _)| *first <= number)
    }

    pub(super) fn add(&mut self, number: u64) -> Added {
        // The first range that does not end before the number.
        let at = self.ranges.partition_point(|(_, last)| *last < number);
        let next = self.ranges.get(at).map(|(first, _)| *first);
        if next.is_some_and(|first| first <= number) {
            return Added::Known;
        }
        let follows = at > 0 && self.ranges[at - 1].1 == number - 1;
        let precedes = next.is_some_and(|first| number == first - 1);
        match (follows, precedes) {
            (true, true) => {
                let (_, last) = self.ranges.remove(at);
                self.ranges[at - 1].1 = last;
            }
            (true, false) => self.ranges[at - 1].1 = number,
            (false, true) => self.ranges[at].0 = number,
            (false, false) if self.ranges.len() < MOST => self.ranges.insert(at, (number, number)),
            (false, false) => return Added::NoRoom,
        }
        Added::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_number_is_new_once_in_any_order() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut numbers, mut expected) = (Numbers::default(), BTreeSet::new());
            for _ in 0..500 {
                // Also at both ends of what a `u64` holds.
                let near = random.u64(..100 + seed * 20);
                let number = if random.bool() { near } else { u64::MAX - near };
                let added = if expected.insert(number) { Added::New } else { Added::Known };
                assert_eq!(numbers.add(number), added, "{number}, seed {seed}");
            }
            let gaps = |(one, other): (&(u64, u64), &(u64, u64))| one.1 + 1 < other.0;
            assert!(numbers.ranges.iter().zip(&numbers.ranges[1..]).all(gaps));
        }
    }

    #[test]
    fn numbers_that_follow_each_other_are_one_range() {
        let mut numbers = Numbers::default();
        assert!((1..=100_000).all(|number| numbers.add(number) == Added::New));
        assert_eq!(numbers.ranges, [(1, 100_000)]);
    }

    #[test]
    fn too_many_ranges_are_refused() {
        let mut numbers = Numbers::default();
        assert!((0..MOST as u64).all(|number| numbers.add(number * 3) == Added::New));
        assert_eq!(numbers.add(100_000), Added::NoRoom);
        assert_eq!(numbers.add(4), Added::New, "it only makes a range longer");
        assert_eq!(numbers.add(5), Added::New, "it joins two ranges");
        assert_eq!(numbers.add(100_000), Added::New);
    }
}
