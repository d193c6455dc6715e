//! A token bucket, kept as one instant by the generic cell rate algorithm (GCRA).

use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// The longest time that a cost in tokens can stand for. More would only risk an overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How fast a bucket refills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// At least 1.
    pub(crate) per_minute: u64,
    /// How long an empty bucket takes to fill.
    pub(crate) burst: Duration,
}

impl Rate {
    /// How long the bucket takes to refill this many units, rounded up.
    fn time(self, units: u64) -> Duration {
        let nanos = u128::from(units) * MINUTE.as_nanos();
        let nanos = nanos.div_ceil(u128::from(self.per_minute.max(1)));
        u64::try_from(nanos).map_or(LONGEST, Duration::from_nanos).min(LONGEST)
    }

    /// The whole bucket, as a time. It holds at least one unit.
    fn whole(self) -> Duration {
        self.burst.max(self.time(1))
    }

    /// The most units that fit at once.
    pub(super) fn capacity(self) -> u64 {
        units(self.whole(), self.per_minute)
    }
}

/// How many units refill in this time, rounded down.
fn units(time: Duration, per_minute: u64) -> u64 {
    let units = time.as_nanos() * u128::from(per_minute) / MINUTE.as_nanos();
    u64::try_from(units).unwrap_or(u64::MAX)
}

/// A token bucket.
///
/// It is full at [`full_at`](Self::full_at), which GCRA calls the theoretical arrival time (ITU-T
/// I.371, annex A), and refills evenly until then. Units fit if taking them moves that instant no
/// further than a whole bucket from now.
///
/// A reservation takes the upper bound of its cost. Once the cost is known, the bucket is as if it
/// had been taken from the start, or emptier: units that had already refilled by then are not
/// given back a second time.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    full_at: Instant,
    /// The reservations that may still be corrected.
    open: Vec<Open>,
}

/// A reservation that may still be corrected.
#[derive(Debug)]
struct Open {
    id: u64,
    taken: Duration,
    /// The shortest time to a full bucket that any later reservation met. Giving back more would
    /// give back units that had refilled before it.
    least: Option<Duration>,
}

impl Open {
    /// The most that can be given back.
    fn returnable(&self) -> Duration {
        self.least.map_or(self.taken, |least| self.taken.min(least))
    }
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, full_at: now, open: Vec::new() }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// When this many units fit. That is `now` if they fit at once. More units than the bucket
    /// holds count as a whole bucket.
    pub(super) fn fit_at(&self, units: u64, now: Instant) -> Instant {
        now + (self.missing(now) + self.cost(units)).saturating_sub(self.rate.whole())
    }

    /// When one unit fits if this many others are taken before it.
    pub(super) fn fit_after(&self, ahead: u64, now: Instant) -> Instant {
        let cost = self.rate.time(ahead.saturating_add(1));
        now + (self.missing(now) + cost).saturating_sub(self.rate.whole())
    }

    /// When this many units could fit at the earliest: if all open reservations turn out to have
    /// used nothing.
    pub(super) fn could_fit_at(&self, units: u64, now: Instant) -> Instant {
        let back =
            self.open.iter().map(Open::returnable).fold(Duration::ZERO, |a, b| a.saturating_add(b));
        let missing = self.missing(now).saturating_sub(back);
        now + (missing + self.cost(units)).saturating_sub(self.rate.whole())
    }

    /// Takes units for good.
    pub(super) fn take(&mut self, units: u64, now: Instant) {
        self.add(self.cost(units), now);
    }

    /// Takes the most that a reservation can use.
    pub(super) fn reserve(&mut self, id: u64, units: u64, now: Instant) {
        let taken = self.cost(units);
        self.add(taken, now);
        self.open.push(Open { id, taken, least: None });
    }

    /// Ends a reservation that used this many units. `None` counts all that it reserved.
    pub(super) fn settle(&mut self, id: u64, used: Option<u64>, now: Instant) {
        let Some(place) = self.open.iter().position(|open| open.id == id) else { return };
        let open = self.open.swap_remove(place);
        let Some(used) = used.map(|units| self.rate.time(units)) else { return };
        if used > open.taken {
            return self.add(used - open.taken, now);
        }
        let back = (open.taken - used).min(open.returnable());
        self.full_at = self.full_at.checked_sub(back).unwrap_or(now);
        for other in &mut self.open {
            other.least = other.least.map(|least| least.saturating_sub(back));
        }
    }

    /// How many units fit now.
    pub(super) fn available(&self, now: Instant) -> u64 {
        units(self.rate.whole().saturating_sub(self.missing(now)), self.rate.per_minute)
    }

    /// Whether it is full and nothing is reserved, as a new one.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.open.is_empty() && self.full_at <= now
    }

    /// How long until the bucket is full.
    fn missing(&self, now: Instant) -> Duration {
        self.full_at.saturating_duration_since(now)
    }

    fn cost(&self, units: u64) -> Duration {
        self.rate.time(units).min(self.rate.whole())
    }

    fn add(&mut self, cost: Duration, now: Instant) {
        let missing = self.missing(now);
        for open in &mut self.open {
            open.least = Some(open.least.map_or(missing, |least| least.min(missing)));
        }
        self.full_at = self.full_at.max(now) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(per_minute: u64, burst: u64) -> Rate {
        Rate { per_minute, burst: SECOND * u32::try_from(burst).unwrap() }
    }

    #[test]
    fn units_fit_until_the_bucket_is_empty_and_then_one_by_one() {
        let now = Instant::now();
        // One unit each second, at most three at once.
        let mut bucket = Bucket::new(rate(60, 3), now);
        assert_eq!((bucket.rate().capacity(), bucket.available(now)), (3, 3));
        for left in [2, 1, 0] {
            assert_eq!(bucket.fit_at(1, now), now);
            bucket.take(1, now);
            assert_eq!(bucket.available(now), left);
        }
        assert_eq!(bucket.fit_at(1, now), now + SECOND);
        assert_eq!(bucket.fit_at(3, now), now + SECOND * 3);
        assert_eq!(bucket.fit_at(1000, now), now + SECOND * 3, "counts as a whole bucket");
        assert_eq!(bucket.fit_at(1, now + SECOND / 2), now + SECOND);
        assert_eq!(bucket.fit_after(0, now), now + SECOND);
        assert_eq!(bucket.fit_after(99, now), now + SECOND * 100);
        assert_eq!(bucket.available(now + SECOND * 2), 2);
        assert!(!bucket.is_fresh(now + SECOND * 2) && bucket.is_fresh(now + SECOND * 3));
    }

    #[test]
    fn a_slow_rate_still_holds_one_unit() {
        let now = Instant::now();
        let mut bucket = Bucket::new(rate(1, 1), now);
        assert_eq!(bucket.rate().capacity(), 1);
        bucket.take(1, now);
        assert_eq!(bucket.fit_at(1, now), now + SECOND * 60);
    }

    #[test]
    fn huge_numbers_do_not_overflow() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Rate { per_minute: u64::MAX, burst: LONGEST }, now);
        bucket.reserve(1, u64::MAX, now);
        bucket.settle(1, Some(0), now);
        let mut bucket = Bucket::new(rate(1, 60), now);
        bucket.reserve(1, 1, now);
        bucket.settle(1, Some(u64::MAX), now);
        assert!(bucket.fit_at(1, now) > now + LONGEST / 2);
    }

    #[test]
    fn a_correction_gives_back_what_was_not_used() {
        let now = Instant::now();
        for (used, available) in [(Some(0), 60), (Some(10), 50), (Some(40), 20), (None, 20)] {
            let mut bucket = Bucket::new(rate(60, 60), now);
            bucket.reserve(7, 40, now);
            assert_eq!(bucket.available(now), 20);
            assert_eq!(bucket.could_fit_at(60, now), now);
            bucket.settle(7, used, now);
            assert_eq!(bucket.available(now), available, "{used:?}");
        }
        let mut bucket = Bucket::new(rate(60, 60), now);
        bucket.reserve(7, 10, now);
        bucket.settle(7, Some(75), now);
        assert_eq!(bucket.fit_at(1, now), now + SECOND * 16, "more than was reserved is owed");
    }

    #[test]
    fn what_has_refilled_is_not_given_back_again() {
        let now = Instant::now();
        let mut bucket = Bucket::new(rate(60, 60), now);
        bucket.reserve(1, 10, now);
        bucket.reserve(2, 10, now);
        // By now 15 of the 20 have refilled.
        let later = now + SECOND * 15;
        bucket.take(1, later);
        bucket.settle(1, Some(0), later);
        bucket.settle(2, Some(0), later);
        assert_eq!(bucket.available(later), 59, "only the last unit is missing");
    }

    /// A bucket as a provider might keep it: a level in billionths of a unit, refilled before each
    /// use, with the true costs taken when the calls begin.
    struct Naive {
        level: i128,
        at: Instant,
        rate: Rate,
    }

    impl Naive {
        fn take(&mut self, units: u64, now: Instant) -> bool {
            let whole = i128::from(self.rate.capacity()) * 1_000_000_000;
            let past = i128::try_from((now - self.at).as_nanos()).unwrap();
            self.level = whole.min(self.level + past * i128::from(self.rate.per_minute) / 60);
            self.at = now;
            self.level -= i128::from(units) * 1_000_000_000;
            // Each step may round by a billionth.
            self.level >= -1_000_000
        }
    }

    /// Every call that the bucket admits would be admitted by a bucket that knew its true cost in
    /// advance. So no window ever has more than the limit allows.
    #[test]
    fn a_bucket_that_knew_all_costs_would_admit_the_same_calls() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let start = Instant::now();
            let rate = rate(random.u64(1..5_000), random.u64(1..90));
            let capacity = rate.capacity();
            let mut bucket = Bucket::new(rate, start);
            // (when it began, the true cost) of each admitted call.
            let mut admitted: Vec<(Instant, u64)> = Vec::new();
            let mut open: Vec<(u64, u64, Instant)> = Vec::new();
            let mut now = start;
            for id in 0..400 {
                now += Duration::from_millis(random.u64(0..2_000));
                while let Some(place) = open.iter().position(|(.., end)| *end <= now) {
                    let (id, used, _) = open.swap_remove(place);
                    bucket.settle(id, Some(used), now);
                }
                let bound = random.u64(1..=capacity);
                if bucket.fit_at(bound, now) > now {
                    continue;
                }
                let used = random.u64(0..=bound);
                bucket.reserve(id, bound, now);
                admitted.push((now, used));
                open.push((id, used, now + Duration::from_millis(random.u64(0..120_000))));
            }
            let whole = i128::from(capacity) * 1_000_000_000;
            let mut naive = Naive { level: whole, at: start, rate };
            for (at, used) in &admitted {
                assert!(naive.take(*used, *at), "seed {seed}: {} too few", -naive.level);
            }
            for (at, (begin, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (end, used) in &admitted[at..] {
                    sum += used;
                    let refilled = units(*end - *begin, rate.per_minute) + 1;
                    assert!(sum <= capacity + refilled, "seed {seed}");
                }
            }
        }
    }

    /// With the smallest bucket, no minute ever has more than the limit.
    #[test]
    fn without_a_burst_no_minute_exceeds_the_limit() {
        let start = Instant::now();
        let mut random = fastrand::Rng::with_seed(1);
        let mut bucket = Bucket::new(Rate { per_minute: 50, burst: Duration::ZERO }, start);
        let (mut now, mut sent) = (start, Vec::new());
        while now < start + SECOND * 600 {
            if bucket.fit_at(1, now) <= now {
                bucket.take(1, now);
                sent.push(now);
            }
            now += Duration::from_millis(random.u64(1..1_500));
        }
        for first in &sent {
            let minute = sent.iter().filter(|at| *at >= first && **at < *first + MINUTE);
            assert!(minute.count() <= 50);
        }
    }
}
