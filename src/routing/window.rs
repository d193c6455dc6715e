//! Counts over a moving window.

use std::time::{Duration, Instant};

/// How many slices a window has. The window moves on by one slice at a time.
const SLICES: u32 = 10;

/// Sums of `T` over the last moments: ten slices of equal length, the oldest of which drops out
/// as time goes on.
#[derive(Debug, Clone)]
pub(crate) struct Window<T> {
    start: Instant,
    slice: Duration,
    /// The number of the newest slice since `start`.
    newest: u64,
    /// When the newest slice ends.
    ends: Instant,
    slices: [T; SLICES as usize],
    /// The sum of all slices.
    sum: T,
}

/// Something that a [`Window`] adds up.
pub(crate) trait Sum: Copy + Default {
    fn add(&mut self, other: Self);
}

impl<T: Sum> Window<T> {
    /// Creates an empty window of this length.
    pub(crate) fn new(start: Instant, length: Duration) -> Self {
        let slice = (length / SLICES).max(Duration::from_nanos(1));
        let slices = [T::default(); SLICES as usize];
        let ends = start.checked_add(slice).unwrap_or(start);
        Self { start, slice, newest: 0, ends, slices, sum: T::default() }
    }

    /// Adds to the current slice.
    pub(crate) fn add(&mut self, value: T, now: Instant) {
        self.roll(now);
        self.slices[place(self.newest)].add(value);
        self.sum.add(value);
    }

    /// Returns the sum over the window.
    pub(crate) fn sum(&mut self, now: Instant) -> T {
        self.roll(now);
        self.sum
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.slices = [T::default(); SLICES as usize];
        self.sum = T::default();
    }

    /// Drops the slices that have left the window. Time that goes back changes nothing.
    fn roll(&mut self, now: Instant) {
        // Nearly always. A choice among targets asks several windows of each.
        if now >= self.ends {
            self.roll_on(now);
        }
    }

    #[cold]
    fn roll_on(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.start).as_nanos();
        let current = u64::try_from(since / self.slice.as_nanos()).unwrap_or(u64::MAX);
        let passed = current.saturating_sub(self.newest);
        if passed == 0 {
            return;
        }
        for ahead in 1..=passed.min(SLICES.into()) {
            self.slices[place(self.newest + ahead)] = T::default();
        }
        self.newest = current;
        let ends = self.slice.as_nanos().saturating_mul(u128::from(current) + 1);
        let ends = u64::try_from(ends).map_or(Duration::MAX, Duration::from_nanos);
        self.ends = self.start.checked_add(ends).unwrap_or(now);
        // Anew, because sums of floats would drift.
        self.sum = T::default();
        self.slices.iter().for_each(|slice| self.sum.add(*slice));
    }
}

/// The place of a slice.
fn place(number: u64) -> usize {
    usize::try_from(number % u64::from(SLICES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    struct Count(u32);

    impl Sum for Count {
        fn add(&mut self, other: Self) {
            self.0 += other.0;
        }
    }

    #[test]
    fn the_sum_is_that_of_the_last_ten_slices() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new(start, Duration::from_secs(10));
        let mut added: Vec<(u64, u32)> = Vec::new();
        let mut now = 0;
        for step in 0..2_000_u32 {
            now += u64::from(fastrand::u32(..3)) * u64::from(fastrand::u32(..8));
            window.add(Count(step), at(now));
            added.push((now, step));
            let expected = added.iter().filter(|(time, _)| time + 10 > now);
            assert_eq!(window.sum(at(now)), Count(expected.map(|(_, count)| count).sum()));
        }
        assert_eq!(window.sum(at(now + 10)), Count(0));
    }

    #[test]
    fn time_that_goes_back_changes_nothing() {
        let start = Instant::now();
        let mut window = Window::new(start, Duration::from_secs(10));
        window.add(Count(1), start + Duration::from_secs(100));
        window.add(Count(2), start);
        assert_eq!(window.sum(start), Count(3));
        assert_eq!(window.sum(start + Duration::from_secs(110)), Count(0));
    }
}
