//! Runs in virtual time: a provider with a rate limit, a budget with windows, and workers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What the calls of a simulated run meet.
#[derive(Debug, Clone, Copy)]
struct World {
    items: usize,
    workers: usize,
    look_ahead: usize,
    ordered: bool,
    /// The most calls that begin within a second; more get a 429.
    rate: Option<usize>,
    /// The most answers within a window, and its length; more are refused until the next window.
    budget: Option<(usize, Duration)>,
    /// The longest call.
    longest: Duration,
}

impl Default for World {
    fn default() -> Self {
        Self {
            items: 300,
            workers: 8,
            look_ahead: 32,
            ordered: false,
            rate: None,
            budget: None,
            longest: SECOND,
        }
    }
}

/// An item, and the round in which it was sent.
#[derive(Debug, Clone, Copy)]
struct Sent(u64, Round);

/// How a simulated run went.
#[derive(Debug)]
struct Ended {
    yielded: Vec<u64>,
    took: Duration,
    limited: usize,
    refused: usize,
    most_in_flight: usize,
}

impl World {
    fn simulate(self, seed: u64) -> Ended {
        let mut random = fastrand::Rng::with_seed(seed);
        let begun = Instant::now();
        let mut now = begun;
        let mut core: Core<u64, u64> = Core::new(self.workers, self.look_ahead, self.ordered);
        let mut queue: VecDeque<Sent> = VecDeque::new();
        let mut in_flight: Vec<(Instant, Sent, Option<Again>)> = Vec::new();
        let mut calls: Vec<Instant> = Vec::new();
        let mut spent = vec![0; 10_000];
        let (mut read, mut yielded) = (0, Vec::new());
        let (mut limited, mut refused, mut most_in_flight) = (0, 0, 0);
        while yielded.len() < self.items {
            // As the shell does: give, start, yield, wait.
            while let Some(item) = core.take_waiting(now) {
                queue.push_back(Sent(item, core.send()));
            }
            while read < self.items && core.may_read() {
                read += 1;
                let item = core.add();
                queue.push_back(Sent(item, core.send()));
            }
            while in_flight.len() < self.workers && !queue.is_empty() {
                let sent = queue.pop_front().unwrap();
                let window = |length: Duration| {
                    let number = (now - begun).as_nanos() / length.as_nanos();
                    usize::try_from(number).unwrap()
                };
                let recent = calls.iter().rev().take_while(|call| now - **call < SECOND).count();
                let (takes, again) = match (self.budget, self.rate) {
                    (Some((most, length)), _) if spent[window(length)] >= most => {
                        refused += 1;
                        let opens = length * u32::try_from(window(length) + 1).unwrap();
                        (Duration::ZERO, Some(Again::After(begun + opens - now)))
                    }
                    (_, Some(rate)) if recent >= rate => {
                        limited += 1;
                        (SECOND / 100, Some(Again::After(SECOND)))
                    }
                    (budget, _) => {
                        if let Some((_, length)) = budget {
                            spent[window(length)] += 1;
                        }
                        calls.push(now);
                        (self.longest.mul_f64(random.f64().max(0.05)), None)
                    }
                };
                in_flight.push((now + takes, sent, again));
            }
            most_in_flight = most_in_flight.max(in_flight.len());
            if let Some(item) = core.pop() {
                yielded.push(item);
                continue;
            }
            let next = in_flight.iter().enumerate().min_by_key(|(_, (ends, ..))| *ends);
            let ends = next.map(|(place, (ends, ..))| (*ends, place));
            match (ends, core.wake()) {
                (Some((ends, _)), Some(wake)) if wake < ends => now = now.max(wake),
                (None, Some(wake)) => now = now.max(wake),
                (Some((ends, place)), _) => {
                    now = now.max(ends);
                    let (_, Sent(item, round), again) = in_flight.swap_remove(place);
                    let is_limited = self.rate.is_some() && again.is_some();
                    let met = again.is_none().then_some(false);
                    core.returned(round, if is_limited { Some(true) } else { met }, now);
                    while core.has_too_many() {
                        let Some(Sent(early, _)) = queue.pop_front() else { break };
                        core.recall(early);
                    }
                    match again {
                        Some(again) => core.hold(item, again, now),
                        None => core.finish(item, item),
                    }
                }
                (None, None) => panic!("nothing happens any more: {self:?}"),
            }
        }
        assert!(core.is_empty() && core.sent() == 0 && core.shape().0 == 0);
        Ended { yielded, took: now - begun, limited, refused, most_in_flight }
    }

    /// Checks what holds for every run.
    fn run(self, seed: u64) -> Ended {
        let mut ended = self.simulate(seed);
        assert!(ended.most_in_flight <= self.workers);
        let everything: Vec<u64> = (0..self.items as u64).collect();
        if !self.ordered {
            ended.yielded.sort_unstable();
        }
        assert_eq!(ended.yielded, everything, "every item once: {self:?}");
        ended
    }
}

#[test]
fn every_item_is_yielded_once_in_every_world() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let workers = random.usize(1..12);
        World {
            items: random.usize(0..120),
            workers,
            look_ahead: random.usize(1..40),
            ordered: random.bool(),
            rate: random.bool().then(|| random.usize(1..20)),
            budget: random.bool().then(|| (random.usize(1..30), SECOND * random.u32(1..90))),
            longest: SECOND,
        }
        .run(seed);
    }
}

#[test]
fn without_limits_the_workers_are_always_busy() {
    let world = World { longest: SECOND, items: 800, ..World::default() };
    let took = world.run(1).took.as_secs_f64();
    // A call takes 0.5 s on average.
    let ideal = 800.0 * 0.5 / 8.0;
    assert!(took < ideal * 1.06, "{took} of {ideal}");
    // In order, the look-ahead is what a slow call may hold up.
    let narrow = World { ordered: true, look_ahead: 8, ..world }.run(1).took;
    let wide = World { ordered: true, look_ahead: 64, ..world }.run(1).took;
    assert!(wide < narrow && wide.as_secs_f64() < ideal * 1.06, "{wide:?} {narrow:?}");
}

#[test]
fn a_rate_limit_is_met_rarely_and_its_rate_is_used() {
    let world =
        World { items: 1_000, workers: 64, look_ahead: 256, rate: Some(20), ..World::default() };
    let ended = world.run(2);
    let used = 1_000.0 / ended.took.as_secs_f64() / 20.0;
    assert!(used > 0.6, "{used} of the rate is used");
    assert!(ended.limited < 400, "{} of 1,000 calls met the limit", ended.limited);
}

#[test]
fn a_run_pauses_at_its_budget_and_goes_on_when_the_window_opens() {
    for ordered in [false, true] {
        let world =
            World { budget: Some((25, SECOND * 60)), items: 100, ordered, ..World::default() };
        let ended = world.run(3);
        // Four windows: the last 25 items begin after three minutes.
        assert!((SECOND * 180..SECOND * 184).contains(&ended.took), "{:?}", ended.took);
        // Each of those that wait asks once per window.
        assert!(ended.refused <= 3 * 32, "{}", ended.refused);
    }
}
