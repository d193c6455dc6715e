//! The lines and the accounts together, in virtual time and between threads.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::*;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::throttle::bucket::Rate;
use crate::throttle::rule::{InFlight, Scope};

const SECOND: Duration = Duration::from_secs(1);

fn rule(name: &str, requests: Option<u64>, tokens: Option<u64>, in_flight: InFlight) -> Rule {
    let rate = |per_minute| Rate { per_minute, burst: SECOND * 60 };
    let (requests, tokens) = (requests.map(rate), tokens.map(rate));
    let allowance = Allowance::Set { requests, tokens, in_flight };
    Rule { name: name.to_owned(), scope: Scope::default(), allowance }
}

/// A demand of the accounts of these rules.
fn demand(rules: &[usize], tokens: u64) -> Arc<Demand> {
    let key = |rule: &usize| AccountKey { rule: *rule, account: String::new() };
    let amount = Amount { input: tokens, output: 0, needed_output: 0, expected_input: tokens };
    Arc::new(Demand { accounts: rules.iter().map(key).collect(), amount })
}

fn unbounded() -> Bounds {
    Bounds { deadline: Deadline::never(), cancel: None }
}

/// Callers that wait in virtual time, in one thread.
struct Simulation<'a> {
    limiter: &'a Arc<Limiter>,
    bounds: &'a Bounds,
    now: Instant,
    waiting: Vec<Waiter<'a>>,
    /// The callers that were served, in that order, and where their attempts are counted.
    served: Vec<(usize, Instant)>,
    running: Vec<(Instant, Arc<Demand>, u64, u64)>,
}

struct Waiter<'a> {
    name: usize,
    demands: Vec<Arc<Demand>>,
    place: Place<'a>,
    ask_again_at: Option<Instant>,
    /// How long its attempt takes, and the tokens it uses.
    takes: (Duration, u64),
}

impl<'a> Simulation<'a> {
    fn new(limiter: &'a Arc<Limiter>, bounds: &'a Bounds) -> Self {
        let (waiting, served, running) = Default::default();
        Self { limiter, bounds, now: Instant::now(), waiting, served, running }
    }

    fn arrive(&mut self, name: usize, demands: Vec<Arc<Demand>>, takes: (Duration, u64)) {
        let place = Place::new(self.limiter, self.bounds);
        self.waiting.push(Waiter { name, demands, place, ask_again_at: Some(self.now), takes });
        self.settle_down();
    }

    /// Lets everybody ask who was called or whose time has come, until nobody is left.
    fn settle_down(&mut self) {
        loop {
            let now = self.now;
            let due = self.waiting.iter().position(|waiter| {
                let lines = &mut self.limiter.waiting.lock().lines;
                let is_called = lines.is_called(waiter.place.ticket);
                is_called || waiter.ask_again_at.is_some_and(|at| at <= now)
            });
            let Some(at) = due else { return };
            let waiter = &mut self.waiting[at];
            match waiter.place.ask(&waiter.demands, now) {
                Ok((which, id)) => {
                    let Waiter { name, demands, place, takes: (time, used), .. } =
                        self.waiting.remove(at);
                    drop(place);
                    self.served.push((name, now));
                    self.running.push((now + time, Arc::clone(&demands[which]), id, used));
                }
                Err(asked) => {
                    let joined = waiter.place.stand(asked.accounts);
                    waiter.ask_again_at = if joined { Some(now) } else { asked.ask_again_at };
                }
            }
        }
    }

    /// Goes on to the next moment at which something happens, by `until` at the latest.
    fn step(&mut self, until: Instant) {
        let ends = self.running.iter().map(|(end, ..)| *end);
        let asks = self.waiting.iter().filter_map(|waiter| waiter.ask_again_at);
        self.now = ends.chain(asks).chain([until]).min().unwrap_or(until).max(self.now);
        while let Some(at) = self.running.iter().position(|(end, ..)| *end <= self.now) {
            let (_, demand, id, used) = self.running.swap_remove(at);
            self.limiter.store.settle(&demand, id, Some(used), self.now);
            self.limiter.call(&demand);
        }
        self.settle_down();
    }

    fn run_until(&mut self, end: Instant) {
        while self.now < end {
            self.step(end);
        }
    }
}

/// Callers of one limit are served in the order of their arrival, never more than it allows, and
/// as soon as there is room.
#[test]
fn a_limit_serves_callers_in_order_and_keeps_its_promise() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let most = random.u32(1..6);
        let rpm = random.u64(20..400);
        let limiter =
            Limiter::in_memory(vec![rule("all", Some(rpm), None, InFlight::AtMost(most))]);
        let bounds = unbounded();
        let mut simulation = Simulation::new(&limiter, &bounds);
        for name in 0..120 {
            let takes = (Duration::from_millis(random.u64(1..1_500)), 0);
            simulation.arrive(name, vec![demand(&[0], 0)], takes);
            let next = simulation.now + Duration::from_millis(random.u64(0..400));
            simulation.run_until(next);
            let running = u32::try_from(simulation.running.len()).unwrap();
            assert!(running <= most, "seed {seed}");
            // Whoever waits, waits for something.
            if !simulation.waiting.is_empty() {
                let full = limiter.store.full(&demand(&[0], 0), &[0], simulation.now);
                assert!(!full.is_empty(), "seed {seed}: there is room, and somebody waits");
            }
        }
        let end = simulation.now + SECOND * 600;
        simulation.run_until(end);
        let names: Vec<_> = simulation.served.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, (0..120).collect::<Vec<_>>(), "seed {seed}");
        for (at, (_, first)) in simulation.served.iter().enumerate() {
            let minute = simulation.served[at..].iter();
            let sent = minute.take_while(|(_, at)| *at < *first + SECOND * 60).count();
            assert!(sent as u64 <= 2 * rpm, "seed {seed}: a burst, and what refills in a minute");
        }
        assert!(limiter.waiting.lock().signals.is_empty());
    }
}

/// Several limits, some shared by calls that need others too: everybody is served in the end.
#[test]
fn nobody_starves_between_two_scarce_limits() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let one = |name| rule(name, None, None, InFlight::AtMost(1));
        let limiter = Limiter::in_memory(vec![one("x"), one("y")]);
        let bounds = unbounded();
        let mut simulation = Simulation::new(&limiter, &bounds);
        let mut names = 0..;
        let mut next = || names.next().unwrap();
        // Both limits always have callers of their own waiting.
        for _ in 0..3 {
            for rules in [[0], [1]] {
                let takes = (Duration::from_millis(random.u64(50..150)), 0);
                simulation.arrive(next(), vec![demand(&rules, 0)], takes);
            }
        }
        let both = next();
        simulation.arrive(both, vec![demand(&[0, 1], 0)], (SECOND, 0));
        let begun = simulation.now;
        while !simulation.served.iter().any(|(name, _)| *name == both) {
            assert!(simulation.now < begun + SECOND * 10, "seed {seed}: it starves");
            let until = simulation.now + SECOND;
            simulation.step(until);
            for rules in [[0], [1]] {
                let takes = (Duration::from_millis(random.u64(50..150)), 0);
                if simulation.waiting.len() < 8 {
                    simulation.arrive(next(), vec![demand(&rules, 0)], takes);
                }
            }
        }
    }
}

/// A customer that has used up its own limit does not hold up the others at the provider's.
#[test]
fn a_caller_that_waits_for_its_own_limit_holds_nobody_up() {
    let limiter = Limiter::in_memory(vec![
        rule("provider", None, None, InFlight::AtMost(1)),
        rule("acme", Some(1), None, InFlight::Any),
    ]);
    let bounds = unbounded();
    let mut simulation = Simulation::new(&limiter, &bounds);
    let takes = (SECOND, 0);
    simulation.arrive(0, vec![demand(&[0, 1], 0)], takes);
    simulation.arrive(1, vec![demand(&[0, 1], 0)], takes);
    simulation.arrive(2, vec![demand(&[0], 0)], takes);
    simulation.arrive(3, vec![demand(&[0], 0)], takes);
    let begun = simulation.now;
    simulation.run_until(begun + SECOND * 90);
    let after: Vec<_> =
        simulation.served.iter().map(|(name, at)| (*name, (*at - begun).as_secs())).collect();
    assert_eq!(after, [(0, 0), (2, 1), (3, 2), (1, 60)]);
}

/// A caller with several targets gets the first that has room.
#[test]
fn a_caller_with_a_choice_takes_the_first_room() {
    let one = |name| rule(name, None, None, InFlight::AtMost(1));
    let limiter = Limiter::in_memory(vec![one("x"), one("y")]);
    let bounds = unbounded();
    let mut simulation = Simulation::new(&limiter, &bounds);
    simulation.arrive(0, vec![demand(&[0], 0)], (SECOND * 9, 0));
    simulation.arrive(1, vec![demand(&[1], 0)], (SECOND * 2, 0));
    simulation.arrive(2, vec![demand(&[0], 0), demand(&[1], 0)], (SECOND, 0));
    simulation.arrive(3, vec![demand(&[0], 0)], (SECOND, 0));
    let begun = simulation.now;
    simulation.run_until(begun + SECOND * 20);
    let after: Vec<_> =
        simulation.served.iter().map(|(name, at)| (*name, (*at - begun).as_secs())).collect();
    assert_eq!(after, [(0, 0), (1, 0), (2, 2), (3, 9)]);
    assert!(limiter.waiting.lock().lines.room(&demand(&[0, 1], 0).accounts).is_empty());
}

#[test]
fn a_correction_lets_the_next_caller_go_earlier() {
    let limiter = Limiter::in_memory(vec![rule("all", None, Some(600), InFlight::Any)]);
    let bounds = unbounded();
    let mut simulation = Simulation::new(&limiter, &bounds);
    simulation.arrive(0, vec![demand(&[0], 600)], (SECOND * 3, 90));
    simulation.arrive(1, vec![demand(&[0], 500)], (SECOND, 1));
    let begun = simulation.now;
    simulation.run_until(begun + SECOND * 60);
    let after = simulation.served[1].1 - begun;
    assert_eq!(after, SECOND * 3, "not after 50 s, as without the correction");
}

#[test]
fn a_wait_past_the_deadline_fails_at_once_if_nothing_can_shorten_it() {
    let limiter = Limiter::in_memory(vec![
        rule("rpm", Some(6), None, InFlight::Any),
        rule("tpm", None, Some(6_000), InFlight::Any),
    ]);
    let within = |seconds| Bounds {
        deadline: Deadline::after(Instant::now(), SECOND * seconds),
        cancel: None,
    };
    let refused = |demand: Arc<Demand>, seconds| {
        let result = limiter.reserve(&[demand], &within(seconds));
        let Err(NoRoom::Full(refusal)) = result else { panic!("{:?}", result.map(|_| ())) };
        refusal
    };
    for _ in 0..6 {
        drop(limiter.reserve(&[demand(&[0], 0)], &unbounded()).unwrap());
    }
    let refusal = refused(demand(&[0], 0), 5);
    assert_eq!(refusal.allowed, Some(crate::throttle::store::Allowed::Requests(6)));
    assert!(refusal.fits_in.is_some_and(|wait| wait > SECOND * 9 && wait <= SECOND * 10));
    // The tokens of an attempt that has ended are not given back any more.
    limiter.reserve(&[demand(&[1], 6_000)], &unbounded()).unwrap().1.end(None);
    assert_eq!(refused(demand(&[1], 3_000), 5).limit, "tpm");
    assert!(limiter.try_reserve(&demand(&[1], 3_000)).is_err());
    assert_eq!(limiter.status().iter().map(|limit| limit.waiting).sum::<usize>(), 0);
}

#[test]
fn a_waiting_caller_can_be_cancelled() {
    let limiter = Limiter::in_memory(vec![rule("all", None, None, InFlight::AtMost(1))]);
    let (_, held) = limiter.reserve(&[demand(&[0], 0)], &unbounded()).unwrap();
    let token = CancelToken::new();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let bounds = Bounds { deadline: Deadline::never(), cancel: Some(token.clone()) };
            limiter.reserve(&[demand(&[0], 0)], &bounds).map(|_| ())
        });
        while limiter.status()[0].waiting == 0 {
            thread::yield_now();
        }
        token.cancel();
        assert!(matches!(waiter.join().unwrap(), Err(NoRoom::Cancelled)));
    });
    assert_eq!((limiter.status()[0].waiting, limiter.status()[0].in_flight), (0, 1));
    drop(held);
    assert_eq!(limiter.status()[0].in_flight, 0);
}

#[test]
fn threads_never_exceed_a_limit_and_all_are_served() {
    let limiter = Limiter::in_memory(vec![
        rule("a", None, None, InFlight::AtMost(2)),
        rule("b", None, None, InFlight::AtMost(3)),
    ]);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        for number in 0..8_usize {
            let (limiter, sender) = (&limiter, sender.clone());
            scope.spawn(move || {
                let demands = match number % 3 {
                    0 => vec![demand(&[0], 0)],
                    1 => vec![demand(&[0, 1], 0)],
                    _ => vec![demand(&[0], 0), demand(&[1], 0)],
                };
                for _ in 0..50 {
                    let (_, permit) = limiter.reserve(&demands, &unbounded()).unwrap();
                    let in_flight: Vec<_> =
                        limiter.status().iter().map(|limit| limit.in_flight).collect();
                    sender.send(in_flight).unwrap();
                    permit.end(None);
                }
            });
        }
    });
    drop(sender);
    let seen: Vec<_> = receiver.into_iter().collect();
    assert_eq!(seen.len(), 400);
    let of = |seen: &[u32], rule: usize| seen.get(rule).copied().unwrap_or(0);
    assert!(seen.iter().all(|seen| of(seen, 0) <= 2 || seen.len() == 1));
    assert!(limiter.status().iter().all(|limit| limit.in_flight == 0 && limit.waiting == 0));
}

#[test]
fn a_demand_names_the_accounts_of_all_limits_that_apply() {
    let mut openai = rule("openai", Some(1), Some(1_000), InFlight::Any);
    openai.scope.provider = Some("openai".into());
    let limiter = Limiter::in_memory(vec![openai, rule("all", Some(1), None, InFlight::Any)]);
    let tags = BTreeMap::new();
    let facts = |provider| Facts { provider, model: "m", tags: &tags, target: None };
    let rules = |provider, tokens| -> Result<Vec<usize>, TooLarge> {
        let amount = Amount { input: tokens, output: 0, needed_output: 0, expected_input: tokens };
        let demand = limiter.demand(&facts(provider), amount)?;
        Ok(demand.unwrap().accounts.iter().map(|key| key.rule).collect())
    };
    assert_eq!(rules("openai", 1_000), Ok(vec![0, 1]));
    assert_eq!(rules("groq", 5_000), Ok(vec![1]));
    let too_large = rules("openai", 1_001);
    assert!(too_large.is_err_and(|error| error.error().message().contains("1,001 tokens")));
    let guess = Amount { input: 4_000, output: 10, needed_output: 10, expected_input: 900 };
    assert!(limiter.demand(&facts("openai"), guess).is_ok(), "it may well fit");
    assert!(limiter.counts_tokens());
}
