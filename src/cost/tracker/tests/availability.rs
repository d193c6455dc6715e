//! A refusal names the time at which the call fits, checked second by second.

use super::*;
use crate::cost::ledger::{Ledger, MemoryLedger};
use crate::cost::{Availability, Charge};

const DAY: u64 = 86_400;

/// A little before midnight, so that a walk reaches the next day.
const EVENING: u64 = DAY * 20_000 - 500;

/// Longer than any window here except the total, and past midnight.
const FAR: u64 = 700;

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A call of this many output tokens, a thousand pico-dollars each.
fn output(tokens: u64) -> CallPlan {
    CallPlan::new("openai", "m").input_tokens(0).output_tokens(tokens)
}

fn refused(costs: &CostTracker, tokens: u64) -> Option<Availability> {
    let error = costs.reserve(output(tokens)).err()?;
    Some(error.budget().unwrap().available)
}

/// The first second, from `now` on, at which the call is not refused.
fn tried(costs: &CostTracker, watch: &Watch, now: u64, tokens: u64) -> Option<SystemTime> {
    let first = (now..now + FAR).find(|second| {
        watch.set(*second);
        refused(costs, tokens).is_none()
    });
    watch.set(now);
    first.map(time)
}

#[test]
fn a_rolling_budget_names_the_time_at_which_enough_has_left_its_window() {
    let watch = Watch::at(1_000_000);
    let hour = Budget::rolling(Duration::from_secs(3_600), picos(100_000));
    let costs = config().clock(watch.clock()).budget(hour).build().unwrap();
    for (second, tokens) in [(1_000_000, 60), (1_001_800, 30)] {
        watch.set(second);
        costs.reserve(output(tokens)).unwrap().send().settle(bill(0, tokens));
    }
    // The slice of the first call began at 999,960 and counts until an hour after its end.
    let first = time(999_960 + 60 + 3_600);
    let error = costs.reserve(output(50)).unwrap_err();
    let refusal = error.budget().unwrap();
    assert_eq!((refusal.available, refusal.ends), (Availability::From(first), None));
    let said = "; it will fit from 1970-01-12 14:47 UTC";
    assert!(refusal.to_string().ends_with(said), "{refusal}");
    assert_eq!(refused(&costs, 71), Some(Availability::From(time(1_001_760 + 60 + 3_600))));
    assert_eq!(refused(&costs, 101), Some(Availability::Never));
    assert_eq!(costs.report().budgets[0].ends, None);
}

#[test]
fn a_refusal_says_whether_only_reserved_money_is_in_the_way() {
    let watch = Watch::at(1_000_000);
    let budgets = [Budget::total(picos(100_000)), Budget::daily(picos(90_000))];
    let costs = config().clock(watch.clock()).budgets(budgets).build().unwrap();
    let held = costs.reserve(output(60)).unwrap().send();
    let midnight = time(12 * DAY);
    assert_eq!(
        refused(&costs, 40),
        Some(Availability::OnceReleased { earliest: time(1_000_000), latest: Some(midnight) })
    );
    // Tomorrow the total is still in the way.
    assert_eq!(
        refused(&costs, 50),
        Some(Availability::OnceReleased { earliest: time(1_000_000), latest: None })
    );
    held.settle(bill(0, 60));
    assert_eq!(refused(&costs, 50), Some(Availability::Never));
    assert_eq!(refused(&costs, 40), Some(Availability::From(midnight)));
}

#[test]
fn waiting_never_helps_with_a_per_request_limit() {
    let costs = tracker([Budget::per_request(picos(10_000))]);
    assert_eq!(refused(&costs, 11), Some(Availability::Never));
}

/// Spends and reserves at random, and compares what a refusal says with what happens.
fn agrees_with_a_walk(ledger: Arc<dyn Ledger>, seed: u64) -> [u64; 3] {
    let mut random = fastrand::Rng::with_seed(seed);
    let watch = Watch::at(EVENING);
    let mut limit = || picos(random.i128(20..200) * 1_000);
    let all = [
        Budget::total(limit() * 3),
        Budget::daily(limit()),
        Budget::rolling(Duration::from_secs(7), limit()),
        Budget::rolling(Duration::from_secs(61), limit()),
        Budget::rolling(Duration::from_secs(350), limit()),
        Budget::total(picos(1_000)).name("soft").soft(),
    ];
    let budgets = all.into_iter().filter(|_| random.bool());
    let costs = config().clock(watch.clock()).shared_ledger(ledger).budgets(budgets);
    let costs = costs.build().unwrap();
    let mut held: Vec<Charge> = Vec::new();
    let mut now = EVENING;
    let mut met = [0; 3];
    for _ in 0..40 {
        now += random.u64(0..10);
        watch.set(now);
        let tokens = random.u64(1..80);
        match costs.reserve(output(tokens)) {
            Ok(reservation) if random.u8(0..4) == 0 => held.push(reservation.send()),
            Ok(reservation) => {
                reservation.send().settle(bill(0, random.u64(0..=tokens)));
            }
            Err(_) => {}
        }
    }
    let tokens = random.u64(1..120);
    let Some(available) = refused(&costs, tokens) else { return met };
    let case = format!("seed {seed}: {tokens} tokens, {available:?}");
    let latest = tried(&costs, &watch, now, tokens);
    held.into_iter().for_each(Charge::release);
    let earliest = tried(&costs, &watch, now, tokens);
    match available {
        Availability::From(from) => {
            assert_eq!((earliest, latest), (Some(from), Some(from)), "{case}");
            met[0] += 1;
        }
        Availability::OnceReleased { earliest: first, latest: last } => {
            assert_eq!((earliest, latest), (Some(first), last), "{case}");
            met[1] += 1;
        }
        Availability::Never => {
            assert_eq!((earliest, latest), (None, None), "{case}");
            met[2] += 1;
        }
        Availability::Unknown => panic!("{case}"),
    }
    met
}

fn agree(seeds: std::ops::Range<u64>, ledger: impl Fn(u64) -> Arc<dyn Ledger>) {
    let sum = |sum: [u64; 3], more: [u64; 3]| std::array::from_fn(|at| sum[at] + more[at]);
    let met = seeds.map(|seed| agrees_with_a_walk(ledger(seed), seed)).fold([0; 3], sum);
    assert!(met.iter().all(|met| *met > 0), "{met:?}");
}

#[test]
fn a_refusal_names_the_second_at_which_the_call_fits() {
    agree(0..150, |_| Arc::new(MemoryLedger::new()));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_refusal_with_a_sqlite_ledger_names_the_second_at_which_the_call_fits() {
    use crate::cost::ledger::SqliteLedger;

    let folder = std::env::temp_dir().join(format!("tollgate-available-{}", fastrand::u64(..)));
    std::fs::create_dir(&folder).unwrap();
    agree(0..10, |seed| {
        let ledger = SqliteLedger::open(folder.join(format!("{seed}.db"))).unwrap();
        Arc::new(ledger.survive_power_loss(false).abandon_after(Duration::from_secs(10 * DAY)))
    });
    std::fs::remove_dir_all(folder).unwrap();
}
