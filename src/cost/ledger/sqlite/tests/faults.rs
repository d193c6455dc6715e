//! Files that cannot be used: each gives an error, and nothing is reserved.

use super::*;

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_alone() {
    let folder = Folder::new();
    for (contents, expected) in [
        (vec![b'x'; 10_000], "is damaged or not a SQLite database; restore a backup"),
        ((0..=255).cycle().take(70_000).collect(), "is damaged or not a SQLite database"),
    ] {
        fs::write(folder.file(), &contents).unwrap();
        assert!(folder.problem().contains(expected), "{}", folder.problem());
        assert_eq!(fs::read(folder.file()).unwrap(), contents);
        fs::remove_file(folder.file()).unwrap();
    }

    folder.tool().execute_batch("CREATE TABLE mine (a)").unwrap();
    let before = fs::read(folder.file()).unwrap();
    assert!(folder.problem().contains("is another program's database"), "{}", folder.problem());
    assert_eq!(fs::read(folder.file()).unwrap(), before);
    fs::remove_file(folder.file()).unwrap();

    drop(folder.ledger());
    folder.tool().pragma_update(None, "user_version", 2).unwrap();
    let problem = folder.problem();
    assert!(problem.contains("by a newer version of this library; update"), "{problem}");
    folder.tool().pragma_update(None, "user_version", 1).unwrap();
    drop(folder.ledger());
    folder.tool().execute_batch("DROP TABLE forgotten").unwrap();
    let problem = folder.problem();
    assert!(problem.contains("undo any manual changes to its tables"), "{problem}");
    assert!(problem.contains("no such table: forgotten"), "{problem}");
}

#[test]
fn a_name_that_no_file_can_have_is_refused() {
    let folder = Folder::new();
    for (name, expected) in [
        ("missing/budget.db", "is in a directory that does not exist; create the directory"),
        ("", "is a directory; name a file in it"),
        ("nul\0", "has a NUL character in its name"),
    ] {
        let error = SqliteLedger::open(folder.0.join(name)).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    assert!(SqliteLedger::open("").is_err());
    // Names that SQLite would interpret differently.
    for name in [":memory:", "file:budget.db?mode=memory"] {
        drop(SqliteLedger::open(folder.0.join(name)).unwrap());
        assert!(folder.0.join(name).is_file());
    }
}

#[test]
fn an_empty_file_is_an_empty_ledger() {
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    assert_eq!(folder.ledger().balances(&[day("a", None)]).unwrap(), [balance(0, 0)]);
}

/// A ledger that fills many pages.
fn full(folder: &Folder) {
    let ledger = folder.ledger();
    let names: Vec<_> = (0..600).map(|number| format!("customer/{number:0100}")).collect();
    let lines: Vec<_> = names.iter().map(|name| day(name, None)).collect();
    for lines in lines.chunks(100) {
        let _open = ledger.reserve(&hold(lines, 1, 0)).unwrap();
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = Folder::new();
    full(&folder);
    let whole = fs::read(folder.file()).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 20, "{pages}");
    let mut random = fastrand::Rng::with_seed(7);
    for page in 0..pages {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..4096].fill_with(|| random.u8(..));
        fs::write(folder.file(), &bytes).unwrap();
        let Err(error) = SqliteLedger::open(folder.file()) else { panic!("{page} of {pages}") };
        let problem = error.message();
        assert!(problem.contains("is damaged or not a SQLite database"), "{page}: {problem}");
    }
    for length in [1, 100, 512, 4096, 5000, whole.len() / 2, whole.len() - 4096] {
        fs::write(folder.file(), &whole[..length]).unwrap();
        let Err(error) = SqliteLedger::open(folder.file()) else { panic!("{length}") };
        let problem = error.message();
        assert!(problem.contains("is damaged or not a SQLite database"), "{length}: {problem}");
    }
    fs::write(folder.file(), &whole).unwrap();
    drop(folder.ledger());
}

#[test]
#[cfg(unix)]
fn nothing_is_reserved_once_the_file_is_damaged() {
    let folder = Folder::new();
    full(&folder);
    let ledger = folder.ledger();
    let lines = [day("a", None)];
    // Written by another process, so that our locks stay.
    let dd = "head -c 40960 /dev/zero | tr '\\0' x | dd of=\"$0\" bs=4096 seek=1 conv=notrunc";
    let mut command = process::Command::new("sh");
    let done = command.args(["-c", dd]).arg(folder.file()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    ledger.with(|connection| connection.execute_batch("PRAGMA shrink_memory").unwrap());
    for _ in 0..2 {
        let message = failure(ledger.reserve(&hold(&lines, 5, 0)));
        assert!(message.contains("is damaged or not a SQLite database"), "{message}");
        assert!(ledger.settle(ReservationId(1), Money::ZERO, 0).is_err());
        assert!(ledger.balances(&lines).is_err());
    }
}

#[test]
fn nothing_is_reserved_on_a_full_disk() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let pages: i64 = folder.ask("PRAGMA page_count");
    ledger.with(|connection| {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    });
    let name = "x".repeat(20_000);
    let lines = [day("a", Some(100)), day(&name, None)];
    let message = failure(ledger.reserve(&hold(&lines, 5, 0)));
    assert!(message.contains("is on a full disk; free some space"), "{message}");
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 0); 2]);
    ledger.with(|connection| {
        connection.pragma_update_and_check(None, "max_page_count", 1_000, |_| Ok(())).unwrap();
    });
    let _open = ledger.reserve(&hold(&lines, 5, 0)).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 5); 2]);
}

#[test]
fn nothing_is_reserved_if_the_file_cannot_be_written() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let lines = [day("a", None)];
    let grant = ledger.reserve(&hold(&lines, 5, 0)).unwrap();
    ledger.with(|connection| connection.pragma_update(None, "query_only", true).unwrap());
    let message = failure(ledger.reserve(&hold(&lines, 5, 0)));
    assert!(message.contains("cannot be written; give this user permission"), "{message}");
    ledger.settle(grant.id, Money::ZERO, 0).unwrap_err();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 5)]);
}

#[test]
fn nothing_is_reserved_while_another_process_holds_the_lock() {
    let folder = Folder::new();
    let ledger = folder.ledger().busy_timeout(Duration::from_millis(30));
    let lines = [day("a", None)];
    let tool = folder.tool();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    let message = failure(ledger.reserve(&hold(&lines, 5, 0)));
    assert!(message.contains("locked by other processes for longer than"), "{message}");
    // Reading needs no lock.
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 0)]);

    let ledger = ledger.busy_timeout(Duration::from_secs(60));
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            begun.store(true, Ordering::Release);
            ledger.reserve(&hold(&lines, 5, 0))
        });
        while !begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
        tool.execute_batch("COMMIT").unwrap();
        assert!(waiting.join().unwrap().is_ok());
    });
}

#[test]
#[cfg(unix)]
fn nothing_is_reserved_after_the_file_was_moved_or_replaced() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let lines = [day("a", None)];
    let elsewhere = folder.0.join("elsewhere.db");
    fs::rename(folder.file(), &elsewhere).unwrap();
    let moved = "was moved, replaced or deleted while this program had it open";
    let message = failure(ledger.reserve(&hold(&lines, 5, 0)));
    assert!(message.contains(moved), "{message}");
    fs::write(folder.file(), "").unwrap();
    assert!(failure(ledger.reserve(&hold(&lines, 5, 0))).contains(moved));
    assert!(ledger.balances(&lines).is_err());
    fs::rename(&elsewhere, folder.file()).unwrap();
    assert!(ledger.reserve(&hold(&lines, 5, 0)).is_ok());
}

#[test]
fn a_forked_process_cannot_use_its_parents_ledger() {
    let folder = Folder::new();
    let parent = folder.ledger();
    let mut child = folder.ledger();
    child.owner += 1;
    let message = failure(child.reserve(&hold(&[day("a", None)], 5, 0)));
    assert!(message.contains("open the ledger in each process"), "{message}");
    drop(child);
    assert!(parent.reserve(&hold(&[day("a", None)], 5, 0)).is_ok());
}
