//! Creates the tables of the SQLite ledger and identifies existing files.

use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

use super::fault::Fault;
use crate::sqlite_file::Identity;

/// Marks a file as a ledger (`PRAGMA application_id`): "toll".
const APPLICATION_ID: i64 = 0x746f_6c6c;

/// The version of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;

const OWN: Identity = Identity { application: APPLICATION_ID, version: VERSION, is_empty: false };

/// Files up to this size are checked when they are opened, which takes less than a second. Damage
/// in larger files shows when it is read.
const CHECKED: i64 = 64 << 20;

/// The smallest page size of a SQLite file, in bytes.
const SMALLEST_PAGE: u64 = 512;

/// The file keeps the comments within the statements: `.schema` shows them.
const TABLES: &str = "
CREATE TABLE slots (
  -- What was spent and is reserved in a slot of an account.
  -- Amounts are pico-dollars (1000000000000 are a dollar), times are seconds since 1970.
  account  TEXT    NOT NULL,
  slot     INTEGER NOT NULL, -- when it begins
  until    INTEGER NOT NULL, -- when it stops counting; 9223372036854775807: never
  kept_until INTEGER NOT NULL, -- when it may be deleted
  spent    INTEGER NOT NULL CHECK (spent >= 0),
  reserved INTEGER NOT NULL CHECK (reserved >= 0), -- the sum of the open reservations
  told     INTEGER NOT NULL CHECK (told >= 0), -- how much of spent alerts have covered
  PRIMARY KEY (account, slot)
) STRICT, WITHOUT ROWID;

CREATE INDEX slots_past ON slots (kept_until);

CREATE TABLE reservations (
  -- What calls in progress may cost.
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  amount     INTEGER NOT NULL CHECK (amount >= 0), -- on each of its lines
  made       INTEGER NOT NULL,
  abandon_at INTEGER NOT NULL, -- when its process counts as dead
  abandoned  INTEGER NOT NULL CHECK (abandoned IN (0, 1)) -- 1: now in spent, not in reserved
) STRICT;

CREATE INDEX reservations_due ON reservations (abandoned, abandon_at);

CREATE TABLE reservation_lines (
  -- Where a reservation counts.
  reservation  INTEGER NOT NULL REFERENCES reservations ON DELETE CASCADE,
  line         INTEGER NOT NULL,
  account      TEXT    NOT NULL,
  slot         INTEGER NOT NULL,
  counted_from INTEGER NOT NULL, -- slots that begin here or later, and before until,
  until        INTEGER NOT NULL, -- count together
  PRIMARY KEY (reservation, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE forgotten (
  -- The time until which slots counted that were deleted with spending in them.
  -- Before that time limits cannot hold. Delete the row to give up that spending.
  only   INTEGER PRIMARY KEY CHECK (only = 1),
  latest INTEGER NOT NULL
) STRICT;

CREATE VIEW balances AS
  -- The slots in dollars and dates (UTC), for people.
  SELECT account,
         datetime(slot, 'unixepoch') AS since,
         datetime(nullif(until, 9223372036854775807), 'unixepoch') AS until,
         spent / 1e12 AS spent_usd,
         reserved / 1e12 AS reserved_usd
  FROM slots
  ORDER BY account, slot;

CREATE VIEW pending AS
  -- The reservations in dollars and dates (UTC), for people.
  SELECT id, account,
         amount / 1e12 AS reserved_usd,
         datetime(made, 'unixepoch') AS made,
         datetime(abandon_at, 'unixepoch') AS abandon_at,
         abandoned
  FROM reservations JOIN reservation_lines ON reservation = id
  ORDER BY id, line;
";

/// Checks that the file is a ledger that can be written, or turns an empty file into one.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Fault> {
    // Before changing anything: the file might belong to another program.
    if identify(connection)? == Contents::Nothing {
        // SQLite treats a file that is shorter than any page as empty.
        let length = connection.path().and_then(|path| Path::new(path).metadata().ok());
        let length = length.map_or(0, |metadata| metadata.len());
        if (1..SMALLEST_PAGE).contains(&length) {
            return Err(Fault::Damaged(format!("it is cut off after {length} bytes")));
        }
    }
    if connection.is_readonly("main")? {
        return Err(Fault::ReadOnly);
    }
    connection.execute_batch(
        // Damage shows sooner this way, a flush on a Mac does not end in the disk's cache, and a
        // log that grew long does not stay long.
        "PRAGMA foreign_keys = ON;
         PRAGMA cell_size_check = ON;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA journal_size_limit = 8388608;
         PRAGMA trusted_schema = OFF;",
    )?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(Fault::from)?;
    if mode != "wal" {
        return Err(Fault::NoWal(mode));
    }
    // Even if there is nothing to create, to find out now whether it can be written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if identify(&transaction)? == Contents::Nothing {
        transaction.execute_batch(TABLES)?;
        OWN.write(&transaction)?;
    }
    transaction.commit()?;
    check(connection)
}

#[derive(Debug, PartialEq)]
enum Contents {
    Nothing,
    Ledger,
}

/// Identifies the file.
fn identify(connection: &Connection) -> Result<Contents, Fault> {
    let identity = Identity::of(connection)?;
    match (identity.application, identity.version) {
        (APPLICATION_ID, VERSION) => Ok(Contents::Ledger),
        (APPLICATION_ID, newer) if newer > VERSION => Err(Fault::Newer(newer)),
        _ if identity.is_empty => Ok(Contents::Nothing),
        (other, _) => Err(Fault::Foreign(other)),
    }
}

fn check(connection: &Connection) -> Result<(), Fault> {
    let size: i64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        (),
        |row| row.get(0),
    )?;
    if size > CHECKED {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Fault::Damaged(found)) }
}
