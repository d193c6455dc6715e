//! Files that are moved, deleted, replaced or linked while a ledger has them open, and their
//! permissions.
#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const LOG: &str = "budget.db-wal";
const INDEX: &str = "budget.db-shm";

/// Short, so that a test that waits it out is fast.
const SHORT: Duration = Duration::from_millis(100);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Opens a file through another ledger; an error as its message.
    fn opened(&self, name: &str) -> Result<SqliteLedger, String> {
        let opened = SqliteLedger::open_within(&self.path(name), SHORT);
        opened.map_err(|error| error.message().to_owned())
    }
}

/// Deletes, renames or replaces a file of a ledger, as a named step.
type Spoil = (&'static str, fn(&Folder, &str));

const SPOILS: [Spoil; 6] = [
    ("deleted", |folder, name| fs::remove_file(folder.path(name)).unwrap()),
    ("renamed", |folder, name| fs::rename(folder.path(name), folder.path("away")).unwrap()),
    ("deleted and created again", |folder, name| {
        fs::remove_file(folder.path(name)).unwrap();
        fs::write(folder.path(name), "").unwrap();
    }),
    ("replaced by a copy", |folder, name| {
        let contents = fs::read(folder.path(name)).unwrap();
        fs::remove_file(folder.path(name)).unwrap();
        fs::write(folder.path(name), contents).unwrap();
    }),
    ("replaced by a link to it", |folder, name| {
        fs::rename(folder.path(name), folder.path("away")).unwrap();
        symlink(folder.path("away"), folder.path(name)).unwrap();
    }),
    ("replaced by a link to nothing", |folder, name| {
        fs::remove_file(folder.path(name)).unwrap();
        symlink("nowhere", folder.path(name)).unwrap();
    }),
];

#[test]
fn nothing_is_reserved_after_the_log_was_deleted_or_replaced() {
    for (how, spoil) in SPOILS {
        for name in [LOG, INDEX] {
            let case = format!("{name} {how}");
            let folder = Folder::new();
            let ledger = folder.ledger();
            let lines = [day("a", Some(60))];
            let grant = ledger.reserve(&hold(&lines, 40, 0)).unwrap();
            spoil(&folder, name);
            for _ in 0..2 {
                let message = failure(ledger.reserve(&hold(&lines, 5, 0)));
                assert!(message.contains("lost a file beside it"), "{case}: {message}");
                let suffix = if name == LOG { "-wal" } else { "-shm" };
                assert!(message.contains(suffix), "{case}: {message}");
                assert!(ledger.balances(&lines).is_err(), "{case}");
                assert!(ledger.settle(grant.id, Money::picos(1), 0).is_err(), "{case}");
            }
        }
    }
}

#[test]
fn a_file_whose_log_is_missing_cannot_be_opened_again() {
    for (how, spoil) in &SPOILS[..2] {
        for names in [&[LOG][..], &[INDEX], &[LOG, INDEX]] {
            let case = format!("{names:?} {how}");
            let folder = Folder::new();
            let ledger = folder.ledger();
            let lines = [day("a", Some(60))];
            ledger
                .settle(ledger.reserve(&hold(&lines, 40, 0)).unwrap().id, Money::picos(40), 0)
                .unwrap();
            names.iter().for_each(|name| spoil(&folder, name));
            let message = folder.opened("budget.db").unwrap_err();
            assert!(
                message.contains("open in another program without the files"),
                "{case}: {message}"
            );
            // It was left as it was, so the next one to open it gets the error too.
            assert!(names.iter().all(|name| !folder.path(name).exists()), "{case}");
            folder.opened("budget.db").unwrap_err();
            // The last one to end writes its log into the file.
            drop(ledger);
            let ledger = folder.opened("budget.db").unwrap();
            assert_eq!(ledger.balances(&lines).unwrap(), [balance(40, 0)], "{case}");
        }
    }
}

#[test]
fn a_log_without_its_file_is_an_error_and_stays() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let _open = ledger.reserve(&hold(&[day("a", Some(60))], 40, 0)).unwrap();
    fs::rename(folder.file(), folder.path("away")).unwrap();
    for _ in 0..2 {
        let message = folder.opened("budget.db").unwrap_err();
        assert!(message.contains("is empty or gone, but there is a log beside it"), "{message}");
        assert!(folder.path(LOG).metadata().unwrap().len() > 0);
        fs::write(folder.file(), "").unwrap();
    }
    fs::rename(folder.path("away"), folder.file()).unwrap();
    assert!(folder.opened("budget.db").is_ok());
}

#[test]
fn a_file_with_a_hard_link_is_refused_but_a_symbolic_link_works() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let lines = [day("a", Some(60))];
    let _open = ledger.reserve(&hold(&lines, 40, 0)).unwrap();
    fs::hard_link(folder.file(), folder.path("other.db")).unwrap();
    for name in ["budget.db", "other.db"] {
        let message = folder.opened(name).unwrap_err();
        assert!(message.contains("has several names"), "{name}: {message}");
    }
    fs::remove_file(folder.path("other.db")).unwrap();
    // The log is beside the file, not beside the link.
    symlink("budget.db", folder.path("link.db")).unwrap();
    let linked = folder.opened("link.db").unwrap();
    assert_eq!(linked.balances(&lines).unwrap(), [balance(0, 40)]);
    assert!(linked.reserve(&hold(&lines, 21, 0)).is_err());
    // The link leads elsewhere by now.
    fs::remove_file(folder.path("link.db")).unwrap();
    symlink("elsewhere.db", folder.path("link.db")).unwrap();
    assert!(failure(linked.reserve(&hold(&lines, 5, 0))).contains("was moved, replaced"));
    assert!(ledger.reserve(&hold(&lines, 5, 0)).is_ok());
}

#[test]
fn a_file_moved_behind_a_link_is_an_error_and_cannot_be_opened_again() {
    let folder = Folder::new();
    let ledger = folder.ledger();
    let lines = [day("a", Some(60))];
    let _open = ledger.reserve(&hold(&lines, 40, 0)).unwrap();
    // Its name leads to the same file, but a new log would be beside the new place.
    fs::create_dir(folder.path("new")).unwrap();
    fs::rename(folder.file(), folder.path("new/budget.db")).unwrap();
    symlink("new/budget.db", folder.file()).unwrap();
    assert!(failure(ledger.reserve(&hold(&lines, 5, 0))).contains("was moved, replaced"));
    let message = folder.opened("budget.db").unwrap_err();
    assert!(message.contains("open in another program without the files"), "{message}");
}

#[test]
fn a_moved_directory_is_an_error_unless_a_link_still_leads_to_it() {
    let folder = Folder::new();
    fs::create_dir(folder.path("old")).unwrap();
    let ledger = folder.opened("old/budget.db").unwrap();
    let lines = [day("a", Some(60))];
    let _open = ledger.reserve(&hold(&lines, 40, 0)).unwrap();
    fs::rename(folder.path("old"), folder.path("new")).unwrap();
    assert!(failure(ledger.reserve(&hold(&lines, 5, 0))).contains("was moved, replaced"));
    // All three names lead where they led before.
    symlink("new", folder.path("old")).unwrap();
    assert!(ledger.reserve(&hold(&lines, 5, 0)).is_ok());
    let other = folder.opened("old/budget.db").unwrap();
    assert_eq!(other.balances(&lines).unwrap(), [balance(0, 45)]);
}

#[test]
fn what_sqlite_does_with_its_files_is_no_error() {
    let folder = Folder::new();
    let lines = [day("a", None)];
    let ledger = folder.ledger();
    let log = || fs::metadata(folder.path(LOG)).map(|log| log.len()).unwrap();
    for round in 0..20 {
        // Others come and go, empty the log, and read.
        let other = folder.opened("budget.db").unwrap();
        let grant = ledger.reserve(&hold(&lines, 1, 0)).unwrap();
        let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][round % 4];
        let _: i64 = folder.ask(&format!("PRAGMA wal_checkpoint({mode})"));
        assert_eq!(log() == 0, mode == "TRUNCATE");
        other.settle(grant.id, Money::ZERO, 0).unwrap();
        drop(other);
        assert!(ledger.reserve(&hold(&lines, 1, 0)).is_ok());
    }
    drop(ledger);
    assert!(!folder.path(LOG).exists() && !folder.path(INDEX).exists());
    assert_eq!(folder.ledger().balances(&lines).unwrap(), [balance(0, 20)]);
}

#[test]
fn ledgers_that_open_and_close_all_the_time_do_not_disturb_each_other() {
    let folder = Folder::new();
    let lines = [day("a", None)];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..30 {
                    let ledger = folder.ledger();
                    let grant = ledger.reserve(&hold(&lines, 1, 0)).unwrap();
                    ledger.settle(grant.id, Money::picos(1), 0).unwrap();
                }
            });
        }
    });
    assert_eq!(folder.ledger().balances(&lines).unwrap(), [balance(120, 0)]);
}

#[test]
fn a_log_left_behind_by_a_crash_is_read() {
    let folder = Folder::new();
    let lines = [day("a", None)];
    let ledger = folder.ledger();
    let _open = ledger.reserve(&hold(&lines, 7, 0)).unwrap();
    // As a killed process leaves them, but in another directory, where nobody has them open.
    for left in [&[LOG, INDEX][..], &[LOG]] {
        let after = Folder::new();
        for name in left.iter().chain(&["budget.db"]) {
            fs::copy(folder.path(name), after.path(name)).unwrap();
        }
        let ledger = after.opened("budget.db").unwrap();
        assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 7)], "{left:?}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_file_is_private_and_an_existing_one_keeps_its_mode() {
    let folder = Folder::new();
    let modes = |name: &str| {
        let ledger = folder.opened(name).unwrap();
        let _open = ledger.reserve(&hold(&[day("a", None)], 1, 0)).unwrap();
        ["", "-wal", "-shm"].map(|suffix| mode(&folder.path(&format!("{name}{suffix}"))))
    };
    assert_eq!(modes("new.db"), [0o600; 3]);
    // The same for a link to a file that does not exist.
    symlink("target.db", folder.path("link.db")).unwrap();
    drop(folder.opened("link.db").unwrap());
    assert_eq!(mode(&folder.path("target.db")), 0o600);
    for shared in [0o644, 0o660] {
        let file = folder.path("shared.db");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(shared)).unwrap();
        assert_eq!(modes("shared.db"), [shared; 3]);
        assert_eq!(modes("shared.db"), [shared; 3], "opened again");
        fs::remove_file(&file).unwrap();
    }
}
