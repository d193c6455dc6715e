//! Plays random calls against one long list in which nothing is ever deleted, and compares after
//! every step.

use super::*;

/// One line of a reservation, and what became of it.
#[derive(Debug)]
struct Entry {
    account: usize,
    slot: i64,
    at: i64,
    id: ReservationId,
    spent: Money,
    reserved: Money,
}

struct Naive(Vec<Entry>);

impl Naive {
    fn balance(&self, account: usize, line: &Line<'_>) -> Balance {
        let counts = |b: &&Entry| b.account == account && (line.from..line.until).contains(&b.slot);
        self.0.iter().filter(counts).fold(Balance::default(), |sum, entry| Balance {
            spent: sum.spent + entry.spent,
            reserved: sum.reserved + entry.reserved,
        })
    }
}

const MINUTE: i64 = 60;

fn accounts() -> [(&'static str, Window, Option<i64>); 7] {
    [
        ("daily", Window::Daily, Some(300)),
        ("daily a", Window::Daily, Some(120)),
        ("monthly", Window::Monthly, Some(4_000)),
        ("total", Window::Total, Some(20_000)),
        ("minute", Window::Rolling(Duration::from_secs(60)), Some(50)),
        ("hours", Window::Rolling(Duration::from_secs(5 * 3_600 + 7)), Some(100)),
        ("counted", Window::Daily, None),
    ]
}

/// How time passes: mostly by little, sometimes by much, sometimes backwards.
fn pass(random: &mut fastrand::Rng, now: i64, latest: i64, back: i64) -> i64 {
    match random.u8(..20) {
        0 => now + random.i64(0..2 * DAY),
        1 => now.min(latest - random.i64(0..=back)),
        2..6 => now + random.i64(0..1_000),
        _ => now + random.i64(0..3),
    }
}

fn play(seed: u64, steps: usize, keep: usize, back: i64, overrun: bool) {
    let mut random = fastrand::Rng::with_seed(seed);
    let accounts = accounts();
    let mut state = State::new(keep);
    let mut naive = Naive(Vec::new());
    let mut open: Vec<(Grant, Vec<usize>, Vec<Line<'static>>)> = Vec::new();
    let mut now = random.i64(-400 * DAY..400 * DAY);
    let mut latest = now;
    let mut gone = 0;
    for _ in 0..steps {
        now = pass(&mut random, now, latest, back);
        latest = latest.max(now);
        let lines = accounts.map(|(name, window, limit)| line(name, window, limit, now));
        if open.is_empty() || random.bool() {
            let mut chosen: Vec<usize> = (0..accounts.len()).collect();
            random.shuffle(&mut chosen);
            chosen.truncate(random.usize(0..=4));
            let most = random.i64(0..40);
            let least = random.i64(0..=most);
            let hold: Vec<_> = chosen.iter().map(|number| lines[*number]).collect();
            let balances: Vec<_> =
                chosen.iter().map(|number| naive.balance(*number, &lines[*number])).collect();
            let left = |(line, balance): (&Line<'_>, &Balance)| {
                Some(line.limit?.saturating_sub(balance.committed()))
            };
            let lefts: Vec<_> = hold.iter().zip(&balances).map(left).collect();
            let tightest = lefts.iter().flatten().min().copied().unwrap_or(Money::MAX);
            match reserve(&mut state, &hold, least, most, now) {
                Ok(grant) => {
                    assert_eq!(grant.amount, cents(most).min(tightest), "the greatest possible");
                    assert!(grant.amount >= cents(least));
                    naive.0.extend(chosen.iter().map(|number| Entry {
                        account: *number,
                        slot: lines[*number].slot,
                        at: now,
                        id: grant.id,
                        spent: Money::ZERO,
                        reserved: grant.amount,
                    }));
                    open.push((grant, chosen, hold));
                }
                Err(HoldError::Refused { line, balance }) => {
                    assert!(tightest < cents(least));
                    assert_eq!(Some(line), lefts.iter().position(|left| *left == Some(tightest)));
                    assert_eq!(balance, balances[line]);
                }
                Err(HoldError::Failed(error)) => {
                    assert!(error.to_string().contains("went back"), "{error}");
                    gone += 1;
                    continue;
                }
            }
        } else {
            let (grant, chosen, lines) = open.swap_remove(random.usize(..open.len()));
            let most = if overrun { cents(60) } else { grant.amount };
            let picos = u64::try_from(most.as_picos()).unwrap();
            let amount = Money::picos(i128::from(random.u64(0..=picos)));
            let spent = |naive: &Naive| -> Vec<_> {
                let pairs = chosen.iter().zip(&lines);
                pairs.map(|(number, line)| naive.balance(*number, line)).collect()
            };
            let before = spent(&naive);
            for entry in naive.0.iter_mut().filter(|entry| entry.id == grant.id) {
                (entry.spent, entry.reserved) = (amount, Money::ZERO);
            }
            let after = spent(&naive);
            let mut postings = Vec::new();
            state.settle(grant.id, amount, |posting| postings.push(posting)).unwrap();
            assert_eq!(postings.len(), lines.len());
            for ((posting, before), after) in postings.iter().zip(before).zip(after) {
                // If a call ended long after it began, other slots in its window may be deleted.
                if back == 0 && keep > steps {
                    assert_eq!((posting.before, posting.after), (before.spent, after));
                }
                assert!(posting.after.committed() <= after.committed());
            }
            assert!(state.settle(grant.id, amount, |_| {}).is_err(), "it can end only once");
        }
        for (number, line) in lines.iter().enumerate() {
            if state.forgot_at.is_some_and(|at| may_be_forgotten(line, now, at)) {
                continue;
            }
            let balance = state.balance(line);
            assert_eq!(balance, naive.balance(number, line), "{} at {now}", line.account);
            let within = line.limit.is_none_or(|limit| balance.committed() <= limit);
            assert!(within || overrun, "{} at {now}: {balance:?}", line.account);
        }
    }
    assert!(back > MINUTE || gone == 0, "a clock set back by less finds its slots");
    for (grant, ..) in open {
        state.settle(grant.id, Money::ZERO, |_| {}).unwrap();
        naive.0.retain(|entry| entry.id != grant.id);
    }
    assert!(state.open.is_empty());
    assert_eq!(state.accounts.reserved(), (Money::ZERO, 0), "nothing is reserved at rest");
    if !overrun {
        no_window_holds_more_than_its_limit(&naive);
    }
}

/// Checked by the times at which money was taken, independent of slots.
fn no_window_holds_more_than_its_limit(naive: &Naive) {
    for (number, (name, window, limit)) in accounts().into_iter().enumerate() {
        let Some(limit) = limit.map(cents) else { continue };
        let taken: Vec<_> = naive.0.iter().filter(|b| b.account == number).collect();
        for last in &taken {
            let within = |at: i64| match window {
                Window::Rolling(length) => {
                    let length = i64::try_from(length.as_secs()).unwrap();
                    (last.at - length..=last.at).contains(&at)
                }
                _ => {
                    let span = window.span(UtcOffset::UTC, last.at).unwrap();
                    (span.start..span.end).contains(&at)
                }
            };
            let sum: Money = taken.iter().filter(|b| within(b.at)).map(|b| b.spent).sum();
            assert!(sum <= limit, "{name} at {}: {sum}", last.at);
        }
    }
}

#[test]
fn agrees_while_time_moves_forward() {
    for seed in 0..20 {
        play(seed, 400, 0, 0, false);
        play(seed, 400, KEEP, 0, false);
    }
}

#[test]
fn agrees_if_the_clock_is_set_back_a_little() {
    for seed in 100..120 {
        play(seed, 400, 0, MINUTE, false);
    }
}

#[test]
fn agrees_if_the_clock_is_set_back_far() {
    for seed in 200..220 {
        play(seed, 400, 0, 3 * DAY, false);
        play(seed, 400, 20, 3 * DAY, false);
    }
}

#[test]
fn agrees_if_calls_cost_more_than_was_reserved() {
    for seed in 300..320 {
        play(seed, 400, 0, MINUTE, true);
    }
}
