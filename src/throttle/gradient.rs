//! A limit on calls in flight that adapts to the latency.

use std::time::{Duration, Instant};

/// A limit on calls in flight that falls while latencies rise.
///
/// Gradient2 of Netflix's concurrency-limits (`Gradient2Limit.java` and `WindowedLimit.java`, with
/// their defaults): the mean latency of a window of calls, against the mean of the last 600
/// windows. A refusal for overload counts as the steepest gradient; Gradient2 itself ignores it.
///
/// Whole answers take far longer than the first event of a stream, so the two are averaged apart.
#[derive(Debug)]
pub(super) struct Gradient {
    limit: f64,
    most: f64,
    /// The most calls in flight since the last change.
    peak: u32,
    whole: Latency,
    first_event: Latency,
}

/// The limit to start with.
const INITIAL: f64 = 20.0;
/// How many calls may queue at the server. The limit grows by this much while latencies are flat.
const QUEUE: f64 = 4.0;
/// How much of the difference to a new limit is taken over.
const SMOOTHING: f64 = 0.2;
/// How far the latency may rise above its long-term mean before the limit falls.
const TOLERANCE: f64 = 1.5;
/// The steepest fall.
const STEEPEST: f64 = 0.5;
/// The windows of the long-term mean, and how many of them it starts with as a plain mean.
const LONG: f64 = 600.0;
const WARM_UP: u32 = 10;
/// A window has at least this many calls and lasts at least this long.
const WINDOW_CALLS: u32 = 10;
const WINDOW_TIME: Duration = Duration::from_secs(1);

impl Gradient {
    /// Starts with a limit of at most `most`.
    pub(super) fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        let (whole, first_event) = Default::default();
        Self { limit: INITIAL.min(most), most, peak: 0, whole, first_event }
    }

    /// The most calls that may be in flight now.
    pub(super) fn limit(&self) -> u32 {
        // It stays between 1 and a `u32`.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let limit = self.limit as u32;
        limit
    }

    /// Notes that this many calls are in flight.
    pub(super) fn in_flight(&mut self, calls: u32) {
        self.peak = self.peak.max(calls);
    }

    /// Notes how long a call took: to its first event if it is a stream, otherwise to its end.
    pub(super) fn answered(&mut self, after: Duration, streamed: bool, now: Instant) {
        let latency = if streamed { &mut self.first_event } else { &mut self.whole };
        let Some((short, long)) = latency.add(after, now) else { return };
        let peak = std::mem::take(&mut self.peak);
        // A limit that is not reached shows nothing.
        if f64::from(peak) >= self.limit / 2.0 {
            self.follow((TOLERANCE * long / short).clamp(STEEPEST, 1.0), QUEUE);
        }
    }

    /// Notes that the server refused a call because it is overloaded.
    pub(super) fn overloaded(&mut self) {
        self.follow(STEEPEST, 0.0);
    }

    fn follow(&mut self, gradient: f64, queue: f64) {
        let aim = self.limit * gradient + queue;
        let limit = self.limit * (1.0 - SMOOTHING) + aim * SMOOTHING;
        self.limit = limit.clamp(1.0, self.most);
    }
}

/// The latencies of one kind of call.
#[derive(Debug, Default)]
struct Latency {
    begun: Option<Instant>,
    sum: f64,
    count: u32,
    windows: u32,
    long: f64,
}

impl Latency {
    /// Adds a latency. At the end of a window, returns its mean and the long-term mean.
    fn add(&mut self, latency: Duration, now: Instant) -> Option<(f64, f64)> {
        let begun = *self.begun.get_or_insert(now);
        // Zero would be an infinite gradient.
        self.sum += latency.as_secs_f64().max(1e-6);
        self.count += 1;
        if self.count < WINDOW_CALLS || now.saturating_duration_since(begun) < WINDOW_TIME {
            return None;
        }
        let short = self.sum / f64::from(self.count);
        (self.begun, self.sum, self.count) = (None, 0.0, 0);
        self.windows = self.windows.saturating_add(1);
        let weight = match self.windows {
            first @ ..=WARM_UP => 1.0 / f64::from(first),
            _ => 2.0 / (LONG + 1.0),
        };
        self.long += (short - self.long) * weight;
        let long = self.long;
        // After a long overload, the mean is brought down faster.
        if self.long / short > 2.0 {
            self.long *= 0.95;
        }
        Some((short, long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers this many windows of calls, with as many in flight as the limit allows.
    fn windows(
        gradient: &mut Gradient,
        count: u32,
        now: &mut Instant,
        latency: impl Fn(u32) -> f64,
    ) {
        for _ in 0..count * WINDOW_CALLS {
            *now += WINDOW_TIME / WINDOW_CALLS + Duration::from_millis(1);
            gradient.in_flight(gradient.limit());
            let seconds = latency(gradient.limit());
            gradient.answered(Duration::from_secs_f64(seconds), false, *now);
        }
    }

    #[test]
    fn the_limit_grows_to_its_maximum_while_latencies_are_flat() {
        let (mut gradient, mut now) = (Gradient::new(50), Instant::now());
        assert_eq!(gradient.limit(), 20);
        windows(&mut gradient, 60, &mut now, |_| 1.0);
        assert_eq!(gradient.limit(), 50);
        assert_eq!(Gradient::new(3).limit(), 3);
    }

    #[test]
    fn the_limit_settles_where_a_server_begins_to_queue() {
        let (mut gradient, mut now) = (Gradient::new(1_000), Instant::now());
        // The server serves 30 calls at once. More wait for each other.
        let latency = |in_flight: u32| f64::from(in_flight.max(30)) / 30.0;
        windows(&mut gradient, 300, &mut now, latency);
        assert!((30..90).contains(&gradient.limit()), "{}", gradient.limit());
    }

    #[test]
    fn the_limit_falls_at_a_slowdown_and_recovers() {
        let (mut gradient, mut now) = (Gradient::new(50), Instant::now());
        windows(&mut gradient, 60, &mut now, |_| 1.0);
        windows(&mut gradient, 30, &mut now, |_| 5.0);
        let slow = gradient.limit();
        assert!(slow < 20, "{slow}");
        windows(&mut gradient, 100, &mut now, |_| 1.0);
        assert_eq!(gradient.limit(), 50);
    }

    #[test]
    fn a_limit_that_is_not_reached_stays() {
        let (mut gradient, mut now) = (Gradient::new(50), Instant::now());
        for _ in 0..1_000 {
            now += WINDOW_TIME;
            gradient.in_flight(3);
            gradient.answered(WINDOW_TIME, false, now);
        }
        assert_eq!(gradient.limit(), 20);
    }

    #[test]
    fn refusals_for_overload_lower_the_limit_down_to_one() {
        let mut gradient = Gradient::new(50);
        let mut before = gradient.limit();
        for _ in 0..100 {
            gradient.overloaded();
            assert!(gradient.limit() <= before && gradient.limit() >= 1);
            before = gradient.limit();
        }
        assert_eq!(before, 1);
    }

    #[test]
    fn streams_and_whole_answers_are_compared_with_their_own_kind() {
        let (mut gradient, mut now) = (Gradient::new(50), Instant::now());
        for call in 0..2_000 {
            now += WINDOW_TIME / WINDOW_CALLS;
            gradient.in_flight(50);
            let streamed = call % 2 == 0;
            let after = if streamed { Duration::from_millis(100) } else { WINDOW_TIME * 30 };
            gradient.answered(after, streamed, now);
        }
        assert_eq!(gradient.limit(), 50);
    }
}
