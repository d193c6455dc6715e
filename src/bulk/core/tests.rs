//! Runs in virtual time: a provider with a rate limit, a budget with windows, and workers.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What the calls of a simulated run meet.
#[derive(Debug, Clone, Copy)]
struct World {
    items: usize,
    workers: usize,
    look_ahead: usize,
    ordered: bool,
    /// The most calls that begin within a second; more get a 429.
    rate: Option<usize>,
    /// The most requests and tokens within a minute, by the client's own limits.
    per_minute: Option<(usize, u64)>,
    /// The most answers within a window, and its length; more are refused until the next window.
    budget: Option<(usize, Duration)>,
    /// How many calls in flight the budget has money for; more are refused until one ends.
    money: Option<usize>,
    /// How long the batch of each item takes to expire, after which a call answers it; `None` for a
    /// run without batches.
    expires: Option<Duration>,
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
            per_minute: None,
            budget: None,
            money: None,
            expires: None,
            longest: SECOND,
        }
    }
}

/// An item, and what had happened when it was sent.
#[derive(Debug, Clone, Copy)]
struct Sent(u64, Begun);

/// What a call met.
#[derive(Debug, Clone, Copy)]
enum Met {
    Answer,
    RateLimit,
    /// The client's own limits or budgets, which say when there is room.
    Refusal(Again),
}

/// How a simulated run went.
#[derive(Debug, Default)]
struct Ended {
    yielded: Vec<u64>,
    took: Duration,
    limited: usize,
    refused: usize,
    most_in_flight: usize,
}

/// The calls of a simulated run so far.
struct Calls {
    begun: Instant,
    /// When each began that met no refusal, and how many tokens it used.
    sent: Vec<(Instant, u64)>,
    /// The answers of each window of the budget.
    spent: HashMap<u128, usize>,
    in_flight: Vec<(Instant, Sent, Met)>,
}

/// How many tokens an item uses.
fn tokens(item: u64) -> u64 {
    1 + item % 100
}

impl World {
    /// What a call meets that begins now.
    fn meets(self, item: u64, calls: &mut Calls, now: Instant) -> Met {
        if let Some(again) = self.room_per_minute(item, &calls.sent, now) {
            return Met::Refusal(again);
        }
        if let Some((most, length)) = self.budget {
            let window = (now - calls.begun).as_nanos() / length.as_nanos();
            let spent = calls.spent.entry(window).or_default();
            if *spent >= most {
                let opens = length * u32::try_from(window + 1).unwrap();
                return Met::Refusal(Again::After(calls.begun + opens - now));
            }
            *spent += 1;
        }
        let holds_money = |(.., met): &&(Instant, Sent, Met)| matches!(met, Met::Answer);
        let held = calls.in_flight.iter().filter(holds_money).count();
        if self.money.is_some_and(|most| held >= most) {
            return Met::Refusal(Again::Released { not_before: Duration::ZERO });
        }
        let recent = calls.sent.iter().rev().take_while(|(at, _)| now - *at < SECOND).count();
        if self.rate.is_some_and(|rate| recent >= rate) {
            return Met::RateLimit;
        }
        calls.sent.push((now, tokens(item)));
        Met::Answer
    }

    /// When the client's own limits have room, if they have none now.
    fn room_per_minute(self, item: u64, sent: &[(Instant, u64)], now: Instant) -> Option<Again> {
        let (requests, most) = self.per_minute?;
        let recent: Vec<_> = sent.iter().filter(|(at, _)| now - *at < MINUTE).collect();
        let mut used: u64 = recent.iter().map(|(_, tokens)| tokens).sum();
        let mut room = None;
        for (ended, (at, used_then)) in recent.iter().enumerate() {
            if recent.len() - ended < requests && used + tokens(item) <= most {
                break;
            }
            used -= used_then;
            room = Some(Again::After(*at + MINUTE - now));
        }
        room
    }

    fn simulate(self, seed: u64) -> Ended {
        let mut random = fastrand::Rng::with_seed(seed);
        let begun = Instant::now();
        let mut now = begun;
        let mut core: Core<u64, u64> = Core::new(self.workers, self.look_ahead, self.ordered);
        let mut queue: VecDeque<Sent> = VecDeque::new();
        let mut calls =
            Calls { begun, sent: Vec::new(), spent: HashMap::new(), in_flight: Vec::new() };
        let mut batched: VecDeque<(Instant, u64)> = VecDeque::new();
        let mut read = 0;
        let mut ended = Ended::default();
        while ended.yielded.len() < self.items {
            while let Some((_, item)) = batched.front().filter(|(expires, _)| *expires <= now) {
                core.leave_batch();
                core.put_back(*item);
                batched.pop_front();
            }
            // As the shell does: give, start, yield, wait.
            while let Some(item) = core.take_waiting(now) {
                queue.push_back(Sent(item, core.send()));
            }
            while read < self.items && core.may_read(self.expires.is_some()) {
                read += 1;
                let item = core.add();
                match self.expires {
                    Some(expires) => {
                        core.enter_batch();
                        batched.push_back((now + expires, item));
                    }
                    None => queue.push_back(Sent(item, core.send())),
                }
            }
            while calls.in_flight.len() < self.workers && !queue.is_empty() {
                let sent = queue.pop_front().unwrap();
                let met = self.meets(sent.0, &mut calls, now);
                let takes = match met {
                    Met::Answer => self.longest.mul_f64(random.f64().max(0.05)),
                    Met::RateLimit => SECOND / 100,
                    Met::Refusal(_) => Duration::ZERO,
                };
                ended.limited += usize::from(matches!(met, Met::RateLimit));
                ended.refused += usize::from(matches!(met, Met::Refusal(_)));
                assert!(ended.refused <= 1_000 * self.items, "it asks without end: {self:?}");
                calls.in_flight.push((now + takes, sent, met));
            }
            ended.most_in_flight = ended.most_in_flight.max(calls.in_flight.len());
            if let Some(item) = core.pop() {
                ended.yielded.push(item);
                continue;
            }
            let next = calls.in_flight.iter().enumerate().min_by_key(|(_, (ends, ..))| *ends);
            let ends = next.map(|(place, (ends, ..))| (*ends, place));
            let expires = batched.front().map(|(expires, _)| *expires);
            match (ends, core.wake().into_iter().chain(expires).min()) {
                (Some((ends, _)), Some(wake)) if wake < ends => now = now.max(wake),
                (None, Some(wake)) => now = now.max(wake),
                (Some((ends, place)), _) => {
                    now = now.max(ends);
                    let (_, Sent(item, begun), met) = calls.in_flight.swap_remove(place);
                    let limited = match met {
                        Met::Answer => Some(false),
                        Met::RateLimit => Some(true),
                        Met::Refusal(_) => None,
                    };
                    core.returned(begun, limited);
                    if !matches!(met, Met::Refusal(Again::Released { .. })) {
                        core.released(now);
                    }
                    while core.has_too_many() {
                        let Some(Sent(early, _)) = queue.pop_front() else { break };
                        core.recall(early);
                    }
                    match met {
                        Met::Answer => core.finish(item, item),
                        Met::RateLimit => core.hold(item, begun, Again::After(SECOND), now),
                        Met::Refusal(again) => core.hold(item, begun, again, now),
                    }
                }
                (None, None) => panic!("nothing happens any more: {self:?}"),
            }
        }
        assert!(core.is_empty() && core.sent() == 0 && core.shape().0 == 0);
        assert_eq!(core.in_batches(), 0);
        Ended { took: now - begun, ..ended }
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
            per_minute: random.bool().then(|| (random.usize(1..60), random.u64(100..2_000))),
            budget: random.bool().then(|| (random.usize(1..30), SECOND * random.u32(1..90))),
            money: random.bool().then(|| random.usize(1..12)),
            expires: random.bool().then(|| SECOND * random.u32(0..90)),
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
fn requests_per_minute_are_kept_and_used_fully() {
    for ordered in [false, true] {
        let world = World { per_minute: Some((60, u64::MAX)), ordered, ..World::default() };
        // 60 begin in the first minute, and the last 60 after four minutes.
        let took = world.run(4).took;
        assert!((MINUTE * 4..MINUTE * 4 + SECOND * 15).contains(&took), "{took:?}");
    }
}

#[test]
fn tokens_per_minute_are_kept_and_used_fully() {
    for ordered in [false, true] {
        let per_minute = 1_000;
        let world = World { per_minute: Some((1_000, per_minute)), ordered, ..World::default() };
        let took = world.run(5).took.as_secs_f64() / 60.0;
        let all: u64 = (0..300).map(tokens).sum();
        // An item uses up to 100 tokens, so that many may be left over in each minute.
        let least = all as f64 / per_minute as f64 - 1.0;
        let most = all as f64 / (per_minute - 100) as f64 + 1.0;
        assert!((least..=most).contains(&took), "{took} minutes, not {least} to {most}");
    }
}

#[test]
fn calls_for_items_of_an_expired_batch_have_the_pace_and_the_limits_of_all_calls() {
    // All of them expire at the same moment.
    let expires = Some(SECOND * 60);
    let world = World { look_ahead: 1_000, expires, ..World::default() };

    let paced = World { items: 1_000, workers: 64, rate: Some(20), ..world }.run(7);
    let used = 1_000.0 / (paced.took - MINUTE).as_secs_f64() / 20.0;
    assert!(used > 0.6, "{used} of the rate is used");
    assert!(paced.limited < 400, "{} of 1,000 calls met the limit", paced.limited);

    let requests = World { per_minute: Some((60, u64::MAX)), ..world }.run(8).took - MINUTE;
    assert!((MINUTE * 4..MINUTE * 4 + SECOND * 15).contains(&requests), "{requests:?}");

    let tokens_of_all: u64 = (0..300).map(tokens).sum();
    let spent = World { per_minute: Some((1_000, 1_000)), ..world }.run(9).took - MINUTE;
    let minutes = spent.as_secs_f64() / 60.0;
    let (least, most) = (tokens_of_all as f64 / 1_000.0, tokens_of_all as f64 / 900.0);
    assert!((least - 1.0..=most + 1.0).contains(&minutes), "{minutes} minutes");
}

#[test]
fn items_wait_for_money_that_calls_hold_until_a_call_ends() {
    for ordered in [false, true] {
        let world = World { money: Some(3), items: 100, ordered, ..World::default() };
        let ended = world.run(6);
        // Three calls at a time, of half a second on average.
        let ideal = 100.0 * 0.5 / 3.0;
        let took = ended.took.as_secs_f64();
        assert!((ideal * 0.9..ideal * 1.2).contains(&took), "{took} of {ideal}");
        // An item asks when it is read, after another call has ended, and once a second.
        let seconds = usize::try_from(ended.took.as_secs()).unwrap() + 2;
        let most = 2 * 100 + 32 * seconds;
        assert!(ended.refused <= most, "{} of {most}", ended.refused);
    }
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
