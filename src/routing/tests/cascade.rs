//! A cascade of three models beside each of them alone, over the same requests. To see the figures:
//!
//! ```text
//! cargo test --lib routing::tests::cascade -- --nocapture
//! ```
//!
//! The difficulty of a request is random, from 0 to 1. A model solves it with a probability that
//! falls from 1 to 0 around its skill. A check sees whether an answer will do, but errs: it accepts
//! one wrong answer in ten, and rejects one right answer in fifty. One attempt in a hundred fails
//! with a server error. The prices are those of gpt-5-nano, gpt-5-mini and gpt-5 in the price table
//! (dollars per million tokens of input and output). Skills, lengths and latencies are assumptions,
//! so the figures show how a cascade works, not how good a model is.

use super::*;

const CALLS: u64 = 10_000;

/// A simulated model.
struct Model {
    skill: f64,
    rates: (f64, f64),
    latency: Duration,
}

const MODELS: [Model; 3] = [
    Model { skill: 0.60, rates: (0.05, 0.4), latency: Duration::from_millis(800) },
    Model { skill: 0.85, rates: (0.25, 2.0), latency: Duration::from_millis(1_500) },
    Model { skill: 1.05, rates: (1.25, 10.0), latency: Duration::from_millis(4_000) },
];

/// How wide the range of difficulties is in which a model sometimes fails.
const SPREAD: f64 = 0.05;

/// The answer of a model, and what the check says of it.
#[derive(Clone, Copy)]
struct Answer {
    dollars: f64,
    latency: Duration,
    is_right: bool,
    is_accepted: bool,
}

/// A request, and what each model would answer.
struct Request {
    /// The difficulty as a classifier sees it: only roughly, as from the length of a prompt.
    guess: f64,
    answers: [Answer; 3],
}

fn requests() -> Vec<Request> {
    let mut random = fastrand::Rng::with_seed(11);
    let request = |_| {
        let difficulty = random.f64();
        let guess = difficulty + 0.4 * (random.f64() - 0.5);
        let (input, output) = (500.0 + 1_000.0 * random.f64(), 100.0 + 400.0 * random.f64());
        let answers = MODELS.each_ref().map(|Model { skill, rates: (read, written), latency }| {
            let solves = 1.0 / (1.0 + ((difficulty - skill) / SPREAD).exp());
            let is_right = random.f64() < solves;
            let errs = random.f64() < if is_right { 0.02 } else { 0.1 };
            Answer {
                dollars: (read * input + written * output) / 1e6,
                latency: latency.mul_f64(0.7 + 0.6 * random.f64()),
                is_right,
                is_accepted: is_right != errs,
            }
        });
        Request { guess, answers }
    };
    (0..CALLS).map(request).collect()
}

/// What came of all calls.
#[derive(Default)]
struct Sum {
    dollars: f64,
    accepted: u64,
    right: u64,
    attempts: u64,
    unanswered: u64,
    latencies: Vec<Duration>,
}

impl Sum {
    fn share(count: u64) -> f64 {
        count as f64 / CALLS as f64
    }

    fn quantile(&mut self, share: f64) -> Duration {
        self.latencies.sort_unstable();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = (share * (self.latencies.len() - 1) as f64).round() as usize;
        self.latencies[at]
    }
}

/// Serves all requests with a cascade over these models, which begins where `first` says.
fn run(models: &[usize], first: impl Fn(&Request) -> usize) -> Sum {
    let start = Instant::now();
    let route =
        Arc::new(route(models.len(), Ascending::default(), BreakerConfig::default(), start));
    let (policy, mut random) = (RetryConfig::default(), fastrand::Rng::with_seed(5));
    let (mut sum, mut now) = (Sum::default(), start);
    for request in requests() {
        let begun = now;
        let mut walk = Walk::new(Arc::clone(&route), RoutedCall::new(false, 0));
        let target = first(&request);
        let [classifier, name, reason] = ["simulated", "", ""].map(str::to_owned);
        let why = Classification { classifier, target: name, reason, is_known: true };
        walk.begin_at(Some(target), why);
        let mut kept: Option<Answer> = None;
        let returned = loop {
            let Chosen::Target(at, mut ticket) = walk.choose(now, &mut || 0.5, &|_, _| None) else {
                break kept;
            };
            sum.attempts += 1;
            if random.f64() < 0.01 {
                now += MILLISECOND * 50;
                let error = server_error();
                ticket.failed(&error, MILLISECOND * 50, false, now);
                let ours = policy.backoff_with_seed(1).draw();
                let left = Some(TIMEOUT);
                let failed = Failed { error: &error, policy: &policy, retries: 0, ours, left };
                match walk.failed(&failed, now) {
                    Decision::GiveUp(_) => break kept,
                    Decision::Retry { after, .. } => now += after,
                    Decision::FailOver | Decision::MoveUp => {}
                }
                continue;
            }
            let answer = request.answers[models[at]];
            now += answer.latency;
            ticket.served(now);
            sum.dollars += answer.dollars;
            if answer.is_accepted || !walk.not_accepted("wrong".to_owned(), None) {
                break Some(answer);
            }
            kept = Some(answer);
        };
        let Some(answer) = returned else {
            sum.unanswered += 1;
            continue;
        };
        sum.accepted += u64::from(answer.is_accepted);
        sum.right += u64::from(answer.is_right);
        sum.latencies.push(now - begun);
    }
    sum
}

#[test]
fn a_cascade_costs_a_fraction_of_its_largest_model_and_answers_as_well() {
    let classify = |request: &Request| match request.guess {
        ..0.6 => 0,
        ..0.85 => 1,
        _ => 2,
    };
    let all = [0, 1, 2];
    let mut rows = [
        ("always the smallest", run(&[0], |_| 0)),
        ("always the middle one", run(&[1], |_| 0)),
        ("always the largest", run(&[2], |_| 0)),
        ("cascade of all three", run(&all, |_| 0)),
        ("cascade with a classifier", run(&all, classify)),
    ];
    println!("{CALLS} requests of random difficulty, in virtual time");
    println!(
        "{:26} {:>10} {:>9} {:>8} {:>9} {:>8} {:>8}",
        "", "$/1000", "accepted", "right", "attempts", "p50", "p99"
    );
    for (name, sum) in &mut rows {
        let [p50, p99] = [0.5, 0.99].map(|share| sum.quantile(share).as_millis());
        println!(
            "{name:26} {:>10.3} {:>7.1} % {:>6.1} % {:>9.2} {p50:>5} ms {p99:>5} ms",
            sum.dollars / CALLS as f64 * 1_000.0,
            Sum::share(sum.accepted) * 100.0,
            Sum::share(sum.right) * 100.0,
            Sum::share(sum.attempts),
        );
    }
    let [(_, smallest), _, (_, largest), (_, cascade), (_, classified)] = &rows;
    for (name, sum) in &rows {
        assert_eq!(sum.unanswered, 0, "{name}");
    }
    for ours in [cascade, classified] {
        assert!(
            ours.dollars < 0.5 * largest.dollars,
            "{} beside {}",
            ours.dollars,
            largest.dollars
        );
        assert!(ours.accepted >= largest.accepted, "{} of {}", ours.accepted, largest.accepted);
        assert!(Sum::share(ours.right) > Sum::share(largest.right) - 0.05);
        assert!(ours.right > smallest.right);
    }
}

#[test]
fn a_cascade_never_asks_a_target_again_that_has_answered_nor_one_below() {
    let mut random = fastrand::Rng::with_seed(3);
    let policy = RetryConfig::default();
    for by_cost in [false, true] {
        for _ in 0..2_000 {
            let mut now = Instant::now();
            let strategy = Ascending { by_cost };
            let route = Arc::new(route(4, strategy, BreakerConfig::default(), now));
            let dollars: Vec<i64> = (0..4).map(|_| random.i64(1..100)).collect();
            let cost = |at: usize, _| Some(Money::cents(dollars[at]));
            let mut walk = Walk::new(Arc::clone(&route), RoutedCall::new(false, 0));
            let mut answered: Vec<usize> = Vec::new();
            for attempts in 0.. {
                assert!(attempts < 20, "it ends");
                let Chosen::Target(at, mut ticket) = walk.choose(now, &mut || 0.5, &cost) else {
                    break;
                };
                assert!(!answered.contains(&at), "{answered:?}, then {at}");
                if let (Some(last), false) = (answered.last(), by_cost) {
                    assert!(at > *last, "{answered:?}, then {at}");
                }
                now += SECOND;
                if random.bool() {
                    ticket.served(now);
                    answered.push(at);
                    if !walk.not_accepted("no".to_owned(), None) {
                        break;
                    }
                    continue;
                }
                let error = match random.bool() {
                    true => server_error(),
                    false => rate_limited(SECOND * 20),
                };
                ticket.failed(&error, SECOND, false, now);
                let (ours, left) = (policy.backoff_with_seed(1).draw(), Some(TIMEOUT));
                let failed = Failed { error: &error, policy: &policy, retries: 0, ours, left };
                match walk.failed(&failed, now) {
                    Decision::GiveUp(_) => break,
                    Decision::Retry { after, .. } => now += after,
                    Decision::FailOver | Decision::MoveUp => {}
                }
            }
        }
    }
}
