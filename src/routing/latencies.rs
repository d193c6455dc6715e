//! The latest latencies of a target, for their quantiles.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The most latencies that are kept.
const MOST: usize = 256;

/// How long a latency counts.
const WINDOW: Duration = Duration::from_secs(300);

/// The fewest latencies that say anything about a 95th percentile: one in twenty is above it.
const FEWEST: usize = 20;

/// How much longer than the slowest answer to wait if more than 5 % were cut off.
const LONGER: f64 = 1.1;

/// The latest latencies of a target: at most 256, of the last five minutes.
///
/// A hedge cuts off the slowest answers, and their latencies stay unknown. They count as slower than
/// all others. Without them, the 95th percentile would fall with every hedge, and calls would be
/// hedged earlier and earlier.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    answers: VecDeque<(Instant, Duration)>,
    /// When answers were cut off, since the oldest of `answers`.
    cut_off: VecDeque<Instant>,
}

impl Latencies {
    /// Adds the latency of an answer.
    pub(crate) fn add(&mut self, latency: Duration, now: Instant) {
        if self.answers.len() == MOST {
            self.answers.pop_front();
        }
        self.answers.push_back((now, latency));
        self.forget(now);
    }

    /// Adds an answer that nobody waited for any longer after this time. A time below the 95th
    /// percentile says nothing.
    pub(crate) fn add_cut_off(&mut self, after: Duration, now: Instant) {
        if self.p95(now).is_some_and(|p95| p95 <= after) {
            if self.cut_off.len() == MOST {
                self.cut_off.pop_front();
            }
            self.cut_off.push_back(now);
        }
    }

    /// Returns the latency that 95 % of the answers do not exceed (nearest rank); `None` before
    /// there are 20. If more than 5 % were cut off, it is known only to be longer than the others,
    /// and a little more than the slowest of them is returned. So it finds its way back up, but
    /// never runs away from a target that has stopped answering.
    pub(crate) fn p95(&mut self, now: Instant) -> Option<Duration> {
        self.forget(now);
        let count = self.answers.len();
        if count < FEWEST {
            return None;
        }
        let rank = ((count + self.cut_off.len()) * 95).div_ceil(100);
        let mut latencies: Vec<_> = self.answers.iter().map(|(_, latency)| *latency).collect();
        if rank > count {
            return latencies.into_iter().max().map(|slowest| slowest.mul_f64(LONGER));
        }
        Some(*latencies.select_nth_unstable(rank - 1).1)
    }

    fn forget(&mut self, now: Instant) {
        let is_old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.answers.front().is_some_and(|(at, _)| is_old(*at)) {
            self.answers.pop_front();
        }
        let oldest = self.answers.front().map_or(now, |(at, _)| *at);
        while self.cut_off.front().is_some_and(|at| *at < oldest) {
            self.cut_off.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of(seconds: impl IntoIterator<Item = u32>, now: Instant) -> Latencies {
        let mut latencies = Latencies::default();
        seconds.into_iter().for_each(|seconds| latencies.add(SECOND * seconds, now));
        latencies
    }

    #[test]
    fn the_percentile_is_that_of_the_sorted_latencies() {
        let now = Instant::now();
        assert_eq!(of(1..20, now).p95(now), None);
        for (count, expected) in [(20, 19), (21, 20), (40, 38), (100, 95), (200, 190)] {
            let mut seconds: Vec<u32> = (1..=count).collect();
            fastrand::shuffle(&mut seconds);
            assert_eq!(of(seconds, now).p95(now), Some(SECOND * expected), "{count}");
        }
    }

    #[test]
    fn only_the_latest_count() {
        let start = Instant::now();
        let mut latencies = of([100; 300], start);
        assert_eq!(latencies.answers.len(), MOST);
        let later = start + WINDOW / 2;
        (0..MOST).for_each(|_| latencies.add(SECOND, later));
        assert_eq!(latencies.p95(later), Some(SECOND));
        assert!(latencies.p95(later + WINDOW).is_some());
        assert_eq!(latencies.p95(later + WINDOW + SECOND), None);
        assert!(latencies.answers.is_empty());
    }

    #[test]
    fn time_that_goes_back_drops_nothing() {
        let start = Instant::now();
        let mut latencies = of([5; 20], start + SECOND);
        latencies.add(SECOND * 5, start);
        assert_eq!(latencies.p95(start), Some(SECOND * 5));
    }

    #[test]
    fn cutting_off_the_slowest_answers_leaves_the_percentile_where_it_is() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut now = Instant::now();
        let (mut cut_off, mut all) = (0.0, 0.0);
        let mut latencies = Latencies::default();
        for call in 0..20_000 {
            now += SECOND / 10;
            let latency = SECOND.mul_f64(-random.f64().ln());
            match latencies.p95(now).filter(|p95| *p95 < latency) {
                Some(p95) => latencies.add_cut_off(p95, now),
                None => latencies.add(latency, now),
            }
            if call >= 5_000 {
                all += 1.0;
                cut_off += f64::from(latencies.cut_off.back() == Some(&now));
            }
        }
        let share = cut_off / all;
        assert!((0.04..0.06).contains(&share), "{share} of the answers are cut off");
    }

    #[test]
    fn the_percentile_follows_a_target_that_becomes_slower_and_faster() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut now = Instant::now();
        let mut latencies = Latencies::default();
        for mean in [1.0, 10.0, 1.0] {
            for _ in 0..2_000 {
                now += SECOND / 10;
                let latency = SECOND.mul_f64(-random.f64().ln() * mean);
                match latencies.p95(now).filter(|p95| *p95 < latency) {
                    Some(p95) => latencies.add_cut_off(p95, now),
                    None => latencies.add(latency, now),
                }
            }
            let p95 = latencies.p95(now).unwrap().as_secs_f64() / mean;
            assert!((2.3..4.0).contains(&p95), "{p95} at {mean}");
        }
    }

    #[test]
    fn the_percentile_stays_if_a_target_stops_answering() {
        let mut now = Instant::now();
        let mut latencies = of(1..=20, now);
        for _ in 0..1_000 {
            let p95 = latencies.p95(now).unwrap();
            assert!(p95 <= SECOND * 22, "{p95:?}");
            latencies.add_cut_off(p95, now);
            now += SECOND / 4;
        }
        assert_eq!(latencies.cut_off.len(), MOST);
    }

    #[test]
    fn a_short_wait_does_not_count() {
        let now = Instant::now();
        let mut latencies = of(1..=20, now);
        latencies.add_cut_off(SECOND * 18, now);
        assert!(latencies.cut_off.is_empty());
        latencies.add_cut_off(SECOND * 19, now);
        assert_eq!(latencies.p95(now), Some(SECOND * 20));
        let mut unknown = of(1..10, now);
        unknown.add_cut_off(SECOND * 99, now);
        assert!(unknown.cut_off.is_empty());
    }
}
