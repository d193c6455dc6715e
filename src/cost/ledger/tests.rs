//! The contract that every ledger must keep. [`keeps_the_contract`] and [`agrees_with_a_model`]
//! take any ledger.

use std::collections::BTreeMap;

use super::{Balance, Grant, Hold, HoldError, Ledger, Line, Money, Posting, ReservationId};

/// A line with the slot `[0, 100)` of an account.
fn line(account: &str, limit: Option<i128>) -> Line<'_> {
    Line { account, slot: 0, from: 0, until: 100, limit: limit.map(Money::picos) }
}

fn balance(spent: i128, reserved: i128) -> Balance {
    Balance { spent: Money::picos(spent), reserved: Money::picos(reserved) }
}

fn posting(before: i128, spent: i128, reserved: i128) -> Posting {
    Posting { before: Money::picos(before), after: balance(spent, reserved) }
}

fn hold<'a>(lines: &'a [Line<'a>], least: i128, most: i128) -> Hold<'a> {
    Hold { lines, least: Money::picos(least), most: Money::picos(most), now: 10 }
}

fn granted(ledger: &dyn Ledger, lines: &[Line<'_>], amount: i128) -> Grant {
    let grant = ledger.reserve(&hold(lines, amount, amount)).unwrap();
    assert_eq!(grant.amount, Money::picos(amount));
    grant
}

#[track_caller]
fn refused(ledger: &dyn Ledger, hold: &Hold<'_>, line: usize, balance: Balance) {
    match ledger.reserve(hold) {
        Err(HoldError::Refused { line: which, balance: found }) => {
            assert_eq!((which, found), (line, balance));
        }
        other => panic!("{other:?}"),
    }
}

/// Checks the contract of the trait, on a ledger that is empty or whose accounts do not begin with
/// `test/`.
pub(super) fn keeps_the_contract(ledger: &dyn Ledger) {
    for scenario in [
        all_lines_or_none,
        as_much_as_fits_between_least_and_most,
        more_than_reserved_is_recorded,
        a_reservation_ends_once,
        later_slots_count_and_earlier_do_not,
        invalid_holds_are_refused,
        a_line_without_a_limit_keeps_count,
        a_line_may_be_overdrawn,
        zero_can_be_reserved,
        ids_are_not_reused,
        postings_are_in_the_order_of_lines,
        a_released_reservation_leaves_no_trace,
        an_account_can_be_read_in_several_lines,
    ] {
        scenario(ledger);
    }
}

fn all_lines_or_none(ledger: &dyn Ledger) {
    let lines = [line("test/all/a", Some(100)), line("test/all/b", Some(30))];
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 0); 2]);
    refused(ledger, &hold(&lines, 31, 31), 1, balance(0, 0));
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 0); 2]);
    let first = granted(ledger, &lines, 20);
    refused(ledger, &hold(&lines, 11, 11), 1, balance(0, 20));
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 20); 2]);
    let postings = ledger.settle(first.id, Money::picos(5), 11).unwrap();
    assert_eq!(postings, [posting(0, 5, 0); 2]);
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(5, 0); 2]);
    let rest = granted(ledger, &lines, 25);
    let postings = ledger.settle(rest.id, Money::picos(25), 11).unwrap();
    assert_eq!(postings, [posting(5, 30, 0); 2]);
}

fn as_much_as_fits_between_least_and_most(ledger: &dyn Ledger) {
    let lines = [line("test/fit/a", Some(100)), line("test/fit/b", Some(70))];
    for (least, most, amount) in [(0, 40, 40), (0, 40, 30), (0, 40, 0)] {
        let grant = ledger.reserve(&hold(&lines, least, most)).unwrap();
        assert_eq!(grant.amount, Money::picos(amount));
    }
    refused(ledger, &hold(&lines, 1, 40), 1, balance(0, 70));
    // A refusal names the tightest line, and among equals the first.
    let lines = [line("test/fit/a", Some(71)), line("test/fit/b", Some(71))];
    refused(ledger, &hold(&lines, 2, 40), 0, balance(0, 70));
    assert_eq!(ledger.reserve(&hold(&lines, 1, 40)).unwrap().amount, Money::picos(1));
    // Nothing is left after a limit was lowered.
    let lowered = [line("test/fit/a", Some(50))];
    refused(ledger, &hold(&lowered, 1, 1), 0, balance(0, 71));
}

fn more_than_reserved_is_recorded(ledger: &dyn Ledger) {
    let lines = [line("test/more", Some(100))];
    let grant = granted(ledger, &lines, 90);
    let postings = ledger.settle(grant.id, Money::picos(250), 11).unwrap();
    assert_eq!(postings, [posting(0, 250, 0)]);
    refused(ledger, &hold(&lines, 1, 1), 0, balance(250, 0));
}

fn a_reservation_ends_once(ledger: &dyn Ledger) {
    let lines = [line("test/once", None)];
    let grant = granted(ledger, &lines, 10);
    ledger.settle(grant.id, Money::picos(3), 11).unwrap();
    let message = ledger.settle(grant.id, Money::picos(3), 11).unwrap_err().to_string();
    assert!(message.contains("no reservation"), "{message}");
    assert!(ledger.release(grant.id, 11).is_err());
    for unknown in [0, u64::MAX, u64::MAX / 2] {
        assert!(ledger.settle(ReservationId(unknown), Money::ZERO, 11).is_err());
    }
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(3, 0)]);
}

fn later_slots_count_and_earlier_do_not(ledger: &dyn Ledger) {
    let at = |slot, from, limit| Line {
        account: "test/slots",
        slot,
        from,
        until: i64::MAX,
        limit: Some(Money::picos(limit)),
    };
    for (slot, amount) in [(0, 1), (10, 20), (20, 300), (30, 4000)] {
        let grant = granted(ledger, &[at(slot, 0, 10_000)], amount);
        ledger.settle(grant.id, Money::picos(amount), 40).unwrap();
    }
    for (from, spent) in [(0, 4321), (1, 4320), (10, 4320), (20, 4300), (30, 4000)] {
        assert_eq!(ledger.balances(&[at(30, from, 0)]).unwrap(), [balance(spent, 0)]);
    }
    // A clock that is behind sees spending of its future.
    refused(ledger, &hold(&[at(20, 20, 4310)], 11, 11), 0, balance(4300, 0));
    let grant = granted(ledger, &[at(20, 20, 4310)], 10);
    assert_eq!(ledger.balances(&[at(30, 30, 0)]).unwrap(), [balance(4000, 0)]);
    let postings = ledger.settle(grant.id, Money::picos(7), 40).unwrap();
    assert_eq!(postings, [posting(4300, 4307, 0)]);
    // But not beyond the line's end.
    let yesterday = Line { until: 30, ..at(20, 20, 310) };
    assert_eq!(ledger.balances(&[yesterday]).unwrap(), [balance(307, 0)]);
    refused(ledger, &hold(&[yesterday], 4, 4), 0, balance(307, 0));
    let grant = granted(ledger, &[yesterday], 3);
    let postings = ledger.settle(grant.id, Money::picos(3), 40).unwrap();
    assert_eq!(postings, [posting(307, 310, 0)]);
}

fn invalid_holds_are_refused(ledger: &dyn Ledger) {
    let lines = [line("test/nonsense/a", None), line("test/nonsense/b", None)];
    for (least, most) in [(-1, 1), (2, 1), (-2, -1)] {
        let error = ledger.reserve(&hold(&lines, least, most)).unwrap_err();
        assert!(matches!(error, HoldError::Failed(_)), "{error:?}");
    }
    let twice = [lines[0], lines[1], Line { slot: 50, ..lines[0] }];
    let error = ledger.reserve(&hold(&twice, 1, 1)).unwrap_err();
    assert!(matches!(error, HoldError::Failed(_)), "{error:?}");
    let grant = granted(ledger, &lines, 5);
    assert!(ledger.settle(grant.id, Money::picos(-1), 11).is_err());
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 5); 2]);
    ledger.release(grant.id, 11).unwrap();
}

fn a_line_without_a_limit_keeps_count(ledger: &dyn Ledger) {
    let lines = [line("test/count/a", None), line("test/count/b", Some(10))];
    let _open = [granted(ledger, &lines[..1], 1_000_000), granted(ledger, &lines, 10)];
    refused(ledger, &hold(&lines, 1, 1), 1, balance(0, 10));
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 1_000_010), balance(0, 10)]);
}

fn a_line_may_be_overdrawn(ledger: &dyn Ledger) {
    let lines = [line("test/over/a", Some(10)), line("test/over/b", Some(1_000))];
    let first = granted(ledger, &lines, 6);
    let second = granted(ledger, &lines, 4);
    ledger.settle(first.id, Money::picos(100), 11).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(100, 4); 2]);
    refused(ledger, &hold(&lines, 1, 1), 0, balance(100, 4));
    // Free calls are not refused.
    let free = ledger.reserve(&hold(&lines, 0, 1)).unwrap();
    assert_eq!(free.amount, Money::ZERO);
    ledger.release(free.id, 11).unwrap();
    let postings = ledger.settle(second.id, Money::picos(1), 11).unwrap();
    assert_eq!(postings, [posting(100, 101, 0); 2]);
}

fn zero_can_be_reserved(ledger: &dyn Ledger) {
    let lines = [line("test/nothing", Some(0))];
    let grant = granted(ledger, &lines, 0);
    let postings = ledger.settle(grant.id, Money::picos(2), 11).unwrap();
    assert_eq!(postings, [posting(0, 2, 0)]);
    let nowhere = granted(ledger, &[], 5);
    assert_eq!(ledger.settle(nowhere.id, Money::picos(5), 11).unwrap(), []);
    assert_eq!(ledger.balances(&[]).unwrap(), []);
}

fn ids_are_not_reused(ledger: &dyn Ledger) {
    let lines = [line("test/ids", None)];
    let mut last = None;
    for _ in 0..5 {
        let grant = granted(ledger, &lines, 1);
        assert!(last < Some(grant.id));
        last = Some(grant.id);
        ledger.release(grant.id, 11).unwrap();
    }
}

fn postings_are_in_the_order_of_lines(ledger: &dyn Ledger) {
    let names = ["test/order/c", "test/order/a", "test/order/d", "test/order/b"];
    for (index, name) in names.into_iter().enumerate() {
        let amount = i128::try_from(index).unwrap() + 1;
        let grant = granted(ledger, &[line(name, None)], amount);
        ledger.settle(grant.id, Money::picos(amount), 11).unwrap();
    }
    let lines = names.map(|name| line(name, None));
    let grant = granted(ledger, &lines, 10);
    let postings = ledger.settle(grant.id, Money::picos(10), 11).unwrap();
    assert_eq!(postings, [1, 2, 3, 4].map(|spent| posting(spent, spent + 10, 0)));
}

fn a_released_reservation_leaves_no_trace(ledger: &dyn Ledger) {
    let lines = [line("test/release", Some(10))];
    for _ in 0..3 {
        let grant = granted(ledger, &lines, 10);
        ledger.release(grant.id, 11).unwrap();
    }
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 0)]);
}

fn an_account_can_be_read_in_several_lines(ledger: &dyn Ledger) {
    let at = |slot| Line {
        account: "test/several",
        slot,
        from: slot - 10,
        until: slot + 20,
        limit: Some(Money::picos(100)),
    };
    for (slot, amount) in [(0, 1), (10, 20)] {
        let grant = granted(ledger, &[at(slot)], amount);
        ledger.settle(grant.id, Money::picos(amount), 20).unwrap();
    }
    let lines = [at(10), at(20), at(30), at(0)];
    let spent = [21, 20, 0, 21].map(|spent| balance(spent, 0));
    assert_eq!(ledger.balances(&lines).unwrap(), spent);
}

/// The simplest model of a ledger.
#[derive(Default)]
struct Model {
    spent: BTreeMap<(String, i64), i128>,
    open: Vec<Open>,
}

#[derive(Clone)]
struct Open {
    id: ReservationId,
    amount: i128,
    /// Accounts, slots, from and until.
    lines: Vec<(String, i64, i64, i64)>,
}

impl Model {
    fn balance(&self, account: &str, from: i64, until: i64) -> Balance {
        let counts = |name: &str, slot| name == account && (from..until).contains(&slot);
        let spent = self.spent.iter().filter(|((name, slot), _)| counts(name, *slot));
        let reserved = self.open.iter().flat_map(|open| {
            open.lines.iter().filter(|(name, slot, ..)| counts(name, *slot)).map(|_| open.amount)
        });
        balance(spent.map(|(_, amount)| amount).sum(), reserved.sum())
    }

    fn reserve(&self, hold: &Hold<'_>) -> Result<Money, (usize, Balance)> {
        let rooms = hold.lines.iter().enumerate().filter_map(|(index, line)| {
            let balance = self.balance(line.account, line.from, line.until);
            line.limit.map(|limit| (limit.saturating_sub(balance.committed()), index, balance))
        });
        match rooms.min_by_key(|(room, ..)| *room) {
            Some((room, index, balance)) if room < hold.least => Err((index, balance)),
            Some((room, ..)) => Ok(room.min(hold.most)),
            None => Ok(hold.most),
        }
    }

    fn settle(&mut self, index: usize, amount: i128) -> Vec<Posting> {
        let lines = self.open[index].lines.clone();
        let balances = |model: &Self| -> Vec<_> {
            let line = |(name, _, from, until): &(String, i64, i64, i64)| {
                model.balance(name, *from, *until)
            };
            lines.iter().map(line).collect()
        };
        let before = balances(self);
        self.open.remove(index);
        for (name, slot, ..) in &lines {
            *self.spent.entry((name.clone(), *slot)).or_default() += amount;
        }
        let after = balances(self);
        let moved = before.into_iter().zip(after);
        moved.map(|(before, after)| Posting { before: before.spent, after }).collect()
    }
}

/// Makes `steps` random operations, and checks that the ledger behaves like the model. `ledgers`
/// are one ledger, or several views of the same one.
pub(super) fn agrees_with_a_model(ledgers: &[&dyn Ledger], seed: u64, steps: u32) {
    let mut random = fastrand::Rng::with_seed(seed);
    let names = ["model/a", "model/b", "model/c", "model/d"];
    let mut model = Model::default();
    for step in 0..steps {
        let context = || format!("seed {seed}, step {step}");
        let ledger = ledgers[random.usize(..ledgers.len())];
        // Never long enough for a slot to be deleted, which each ledger does in its own way.
        let now = i64::from(step / 8) % 90;
        let mut lines = Vec::new();
        let number = random.usize(..=names.len());
        for name in random.choose_multiple(names, number) {
            let slot = now - now % 10;
            let from = if name == "model/a" { slot } else { slot - 30 };
            let limit = random.bool().then(|| Money::picos(random.i128(0..2_000)));
            let until = if random.bool() { slot + 40 } else { i64::MAX };
            lines.push(Line { account: name, slot, from, until, limit });
        }
        match random.u8(..10) {
            0..5 => {
                let least = random.i128(0..50);
                let most = least + random.i128(0..100);
                let hold = Hold { now, ..hold(&lines, least, most) };
                match (ledger.reserve(&hold), model.reserve(&hold)) {
                    (Ok(grant), Ok(amount)) => {
                        assert_eq!(grant.amount, amount, "{}", context());
                        let line = |line: &Line<'_>| {
                            (line.account.to_owned(), line.slot, line.from, line.until)
                        };
                        model.open.push(Open {
                            id: grant.id,
                            amount: amount.as_picos(),
                            lines: lines.iter().map(line).collect(),
                        });
                    }
                    (Err(HoldError::Refused { line, balance }), Err(expected)) => {
                        assert_eq!((line, balance), expected, "{}", context());
                    }
                    (found, expected) => panic!("{found:?}, not {expected:?}: {}", context()),
                }
            }
            5..9 if !model.open.is_empty() => {
                let index = random.usize(..model.open.len());
                let Open { id, amount: reserved, .. } = model.open[index];
                let amount = random.i128(0..=reserved + 10);
                let postings = ledger.settle(id, Money::picos(amount), now).unwrap();
                assert_eq!(postings, model.settle(index, amount), "{}", context());
            }
            _ => {
                let balance = |line: &Line<'_>| model.balance(line.account, line.from, line.until);
                let expected: Vec<_> = lines.iter().map(balance).collect();
                assert_eq!(ledger.balances(&lines).unwrap(), expected, "{}", context());
            }
        }
    }
}
