//! Tests of the SQLite ledger on real files.

use rusqlite::types::FromSql;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::tests::{agrees_with_a_model, keeps_the_contract};
use super::*;

mod abandoned;
mod faults;
mod files;

/// A directory that is removed at the end. While a ledger is open, only SQLite opens its file.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("tollgate-ledger-{}-{}", process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("budget.db")
    }

    /// A ledger that does not wait for the disk.
    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.file()).unwrap().survive_power_loss(false)
    }

    /// Another program's connection, to read or write the tables.
    fn tool(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    fn ask<T: FromSql>(&self, question: &str) -> T {
        self.tool().query_row(question, (), |row| row.get(0)).unwrap()
    }

    fn problem(&self) -> String {
        let error = SqliteLedger::open(self.file()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.message().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The line of a calendar window, `[0, 86400)`.
fn day(account: &str, limit: Option<i128>) -> Line<'_> {
    Line { account, slot: 0, from: 0, until: 86_400, limit: limit.map(Money::picos) }
}

fn hold<'a>(lines: &'a [Line<'a>], amount: i128, now: i64) -> Hold<'a> {
    Hold { lines, least: Money::picos(amount), most: Money::picos(amount), now }
}

impl SqliteLedger {
    /// Keeps up to `slots` slots that may be deleted.
    fn keeping(mut self, slots: u32) -> Self {
        self.periods.keep = slots;
        self
    }

    fn with(&self, act: impl FnOnce(&Connection)) {
        act(&self.connection.lock().as_ref().unwrap().0);
    }
}

fn balance(spent: i128, reserved: i128) -> Balance {
    Balance { spent: Money::picos(spent), reserved: Money::picos(reserved) }
}

#[track_caller]
fn failure(result: Result<Grant, HoldError>) -> String {
    match result {
        Err(HoldError::Failed(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_keeps_the_contract_of_ledgers() {
    let folder = Folder::new();
    keeps_the_contract(&folder.ledger());
    let folder = Folder::new();
    keeps_the_contract(&SqliteLedger::open(folder.file()).unwrap());
}

#[test]
fn it_agrees_with_a_simple_model_from_one_or_two_connections() {
    for seed in 0..4 {
        let folder = Folder::new();
        agrees_with_a_model(&[&folder.ledger()], seed, 600);
        let folder = Folder::new();
        agrees_with_a_model(&[&folder.ledger(), &folder.ledger()], seed, 600);
    }
}

#[test]
fn amounts_survive_reopening_the_file() {
    let folder = Folder::new();
    let lines = [day("a", Some(100))];
    let ledger = folder.ledger();
    let first = ledger.reserve(&hold(&lines, 60, 0)).unwrap();
    drop(ledger);
    let ledger = folder.ledger();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 60)]);
    ledger.settle(first.id, Money::picos(50), 1).unwrap();
    drop(ledger);
    let ledger = folder.ledger();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(50, 0)]);
    let second = ledger.reserve(&hold(&lines, 1, 0)).unwrap();
    assert!(second.id > first.id);
}

#[test]
fn threads_together_stay_within_the_limit() {
    let folder = Folder::new();
    let ledgers = [folder.ledger(), folder.ledger()];
    let lines = [day("a", Some(500)), day("b", Some(1_000))];
    let spent: i128 = thread::scope(|scope| {
        let spend = move |ledger: &SqliteLedger| {
            let mut spent = 0;
            while let Ok(grant) = ledger.reserve(&hold(&lines, 7, 0)) {
                let amount = fastrand::i128(0..=7);
                ledger.settle(grant.id, Money::picos(amount), 0).unwrap();
                spent += amount;
            }
            spent
        };
        let ledgers = [0, 1, 0, 1, 0, 1].map(|number| &ledgers[number]);
        let threads = ledgers.map(|ledger| scope.spawn(move || spend(ledger)));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!((494..=500).contains(&spent), "{spent}");
    assert_eq!(ledgers[0].balances(&lines).unwrap(), [balance(spent, 0); 2]);
}

#[test]
fn old_reservations_are_deleted() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let lines = [day("a", None)];
    let first = ledger.reserve(&hold(&lines, 1, 0)).unwrap();
    let _second = ledger.reserve(&hold(&lines, 1, 8 * 86_400)).unwrap();
    assert_eq!(folder.ask::<i64>("SELECT count(*) FROM reservations"), 1);
    let error = ledger.settle(first.id, Money::ZERO, 8 * 86_400).unwrap_err();
    assert!(error.to_string().contains("no reservation 1"), "{error}");
    assert_eq!(folder.ask::<i64>("SELECT count(*) FROM reservation_lines"), 1);
}

#[test]
fn old_slots_are_deleted() {
    let folder = Folder::new();
    let ledger = folder.ledger().history(Duration::from_secs(5 * 86_400)).keeping(0);
    let minute = |now: i64| {
        let slot = now - now % 60;
        let limit = Some(Money::picos(1_000));
        Line { account: "rolling", slot, from: slot - 540, until: slot + 600, limit }
    };
    let today = |now: i64| {
        let slot = now - now % 86_400;
        let limit = Some(Money::picos(1_000));
        Line { account: "day", slot, from: slot, until: slot + 86_400, limit }
    };
    for tick in 0..300 {
        let now = tick * 3_600;
        let lines = [minute(now), today(now), Line { until: i64::MAX, ..day("total", None) }];
        let grant = ledger.reserve(&hold(&lines, 3, now)).unwrap();
        ledger.settle(grant.id, Money::picos(2), now).unwrap();
    }
    let count = |account| {
        folder.ask::<i64>(&format!("SELECT count(*) FROM slots WHERE account = '{account}'"))
    };
    assert!(count("rolling") <= 2, "{}", count("rolling"));
    // Today, five days, and the one day for which slots are always kept.
    assert_eq!((count("day"), count("total")), (7, 1));
    assert_eq!(folder.ask::<i64>("SELECT spent FROM slots WHERE account = 'total'"), 600);

    // For a clock that is behind, slots with spending may be gone.
    let then = 250 * 3_600;
    for line in [minute(then), today(then)] {
        let message = failure(ledger.reserve(&hold(&[line], 1, then)));
        let expected = format!("windows that last {} more seconds", 298 * 3_600 + 600 - then);
        assert!(message.contains(&expected), "{message}");
        assert!(ledger.reserve(&hold(&[Line { limit: None, ..line }], 1, then)).is_ok());
    }
    assert!(ledger.reserve(&hold(&[minute(299 * 3_600 - 700)], 1, 299 * 3_600 - 60)).is_ok());
}

#[test]
fn a_clock_that_was_far_ahead_for_a_moment_does_no_harm() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let at = |slot| Line { slot, from: slot, until: slot + 86_400, ..day("a", Some(100)) };
    let spend = |now: i64| {
        let line = at(now - now % 86_400);
        let grant = ledger.reserve(&hold(&[line], 10, now))?;
        ledger.settle(grant.id, Money::picos(10), now).map_err(HoldError::from)
    };
    spend(0).unwrap();
    for year in 1..5 {
        spend(year * 366 * 86_400).unwrap();
    }
    spend(100).unwrap();
    assert_eq!(ledger.balances(&[at(0)]).unwrap(), [balance(20, 0)]);
    drop(ledger);
    assert!(folder.ledger().reserve(&hold(&[at(0)], 10, 200)).is_ok());
}

#[test]
fn reserving_fails_while_slots_deleted_too_early_would_count() {
    let folder = Folder::new();
    let ledger = folder.ledger().keeping(0);
    let at = |slot| Line { slot, from: slot, until: slot + 86_400, ..day("a", Some(100)) };
    let grant = ledger.reserve(&hold(&[at(0)], 10, 0)).unwrap();
    ledger.settle(grant.id, Money::picos(10), 0).unwrap();
    let ahead = 3_000 * 86_400;
    ledger.release(ledger.reserve(&hold(&[at(ahead)], 10, ahead)).unwrap().id, ahead).unwrap();
    let message = failure(ledger.reserve(&hold(&[at(0)], 10, 100)));
    assert!(message.contains("last 86300 more seconds"), "{message}");
    assert!(message.contains("DELETE FROM forgotten"), "{message}");
    // The deleted spending does not count the next day.
    assert!(ledger.reserve(&hold(&[at(86_400)], 100, 86_400)).is_ok());
    folder.tool().execute("DELETE FROM forgotten", ()).unwrap();
    assert!(ledger.reserve(&hold(&[at(0)], 100, 100)).is_ok());
}

#[test]
fn amounts_beyond_64_bits_are_refused() {
    let most = i128::from(i64::MAX);
    let folder = Folder::new();
    let ledger = folder.ledger();
    let message = failure(ledger.reserve(&hold(&[day("a", Some(most + 1))], 1, 0)));
    assert!(message.contains("$9223372.036854775808 is more than"), "{message}");
    assert!(
        message.ends_with("can hold, which is $9223372.036854775807; use a smaller amount"),
        "{message}"
    );
    failure(ledger.reserve(&hold(&[day("a", None)], most + 1, 0)));
    failure(ledger.reserve(&hold(&[day("a", None)], Money::MAX.as_picos(), 0)));
    failure(ledger.reserve(&hold(&[], most + 1, 0)));

    let lines = [day("a", None), day("b", Some(most))];
    let grant = ledger.reserve(&hold(&lines, most - 5, 0)).unwrap();
    failure(ledger.reserve(&hold(&lines[..1], 6, 0)));
    let small = ledger.reserve(&hold(&lines[..1], 5, 0)).unwrap();
    // Reserved money must still fit once it is spent.
    ledger.settle(small.id, Money::picos(6), 0).unwrap_err();
    ledger.settle(small.id, Money::MAX, 0).unwrap_err();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, most), balance(0, most - 5)]);
    ledger.settle(small.id, Money::picos(5), 0).unwrap();
    ledger.settle(grant.id, Money::picos(most - 5), 0).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(most, 0), balance(most - 5, 0)]);
    // The sum of several slots may be larger.
    let both = Line { slot: 1, from: 0, ..day("a", None) };
    let _open = ledger.reserve(&hold(&[both], most, 0)).unwrap();
    assert_eq!(ledger.balances(&[both]).unwrap(), [balance(most, most)]);
}

#[test]
fn a_limit_that_the_file_cannot_hold_is_refused_at_build() {
    use crate::cost::{Budget, CostConfig};
    let folder = Folder::new();
    let most = folder.ledger().greatest();
    let build = |budget| CostConfig::default().ledger(folder.ledger()).budget(budget).build();
    let _open = folder.ledger().reserve(&hold(&[day("a", Some(most.as_picos()))], 1, 0)).unwrap();
    build(Budget::daily(most)).unwrap();
    let above = most + Money::picos(1);
    let error = build(Budget::daily(above)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let expected = "budget \"daily\": the limit is $9223372.036854775808, but the ledger can hold";
    assert!(error.message().contains(expected), "{error}");
    // The ledger does not see these.
    build(Budget::daily(above).soft()).unwrap();
    build(Budget::per_request(above)).unwrap();
    CostConfig::default().budget(Budget::daily(above)).build().unwrap();
}

#[test]
fn every_text_can_name_an_account() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let names = ["", "'; DROP TABLE slots; --", "日本", "a\0b", "a", "A", "a ", "%_?1"];
    let lines = names.map(|name| day(name, Some(10)));
    let grant = ledger.reserve(&hold(&lines, 10, 0)).unwrap();
    ledger.settle(grant.id, Money::picos(4), 0).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(4, 0); 8]);
}

#[test]
fn people_can_read_the_views() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let dollar = Money::dollars(1).as_picos();
    let day = Line { slot: 86_400, from: 86_400, until: 2 * 86_400, ..day("daily/a", None) };
    let lines = [day, Line { account: "total", until: i64::MAX, ..day }];
    let grant = ledger.reserve(&hold(&lines, dollar, 90_000)).unwrap();
    ledger.settle(grant.id, Money::cents(125), 90_000).unwrap();
    let _open = ledger.reserve(&hold(&lines, dollar / 4, 90_000)).unwrap();
    let columns = "account || '|' || since || '|' || ifnull(until, '-') || '|' || spent_usd
         || '|' || reserved_usd";
    let balances = format!("SELECT group_concat({columns}, ';') FROM balances");
    assert_eq!(
        folder.ask::<String>(&balances),
        "daily/a|1970-01-02 00:00:00|1970-01-03 00:00:00|1.25|0.25;\
         total|1970-01-02 00:00:00|-|1.25|0.25"
    );
    assert_eq!(
        folder.ask::<String>(
            "SELECT group_concat(id || account || reserved_usd || made || abandoned) FROM pending"
        ),
        "2daily/a0.251970-01-02 01:00:000,2total0.251970-01-02 01:00:000"
    );
}

#[test]
fn a_tool_can_reset_a_budget() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let lines = [day("a", Some(100)), day("b", Some(100))];
    let grant = ledger.reserve(&hold(&lines, 90, 0)).unwrap();
    folder.tool().execute("DELETE FROM slots WHERE account = 'a'", ()).unwrap();
    folder.tool().execute("UPDATE slots SET reserved = 0 WHERE account = 'b'", ()).unwrap();
    ledger.settle(grant.id, Money::picos(30), 0).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(30, 0); 2]);
}

#[test]
fn a_log_that_grew_long_is_emptied() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let log = || fs::metadata(folder.0.join("budget.db-wal")).unwrap().len();
    let lines = [day("a", None)];
    let call = || {
        let grant = ledger.reserve(&hold(&lines, 1, 0)).unwrap();
        ledger.settle(grant.id, Money::ZERO, 0).unwrap();
    };
    call();
    let reader = folder.tool();
    reader.execute_batch("BEGIN; SELECT * FROM slots").unwrap();
    while log() < 9 << 20 {
        call();
    }
    drop(reader);
    let mut calls = 0;
    while log() > 8 << 20 {
        call();
        calls += 1;
        assert!(calls < 10_000);
    }
}

#[test]
fn debug_output_is_short() {
    let folder = Folder::new();
    let shown = format!("{:?}", folder.ledger());
    assert!(shown.starts_with("SqliteLedger { path: ") && shown.len() < 400, "{shown}");
}
