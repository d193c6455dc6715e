//! Reads and writes rows of the tables.

use rusqlite::{Connection, OptionalExtension};

use super::super::{Balance, Line, Posting, ReservationId};
use super::fault::Fault;
use crate::cost::Money;

const SLOTS: &str = "SELECT slot, until, spent, reserved, told FROM slots
     WHERE account = ?1 AND slot >= ?2 AND slot < ?3";
const INSERT_SLOT: &str =
    "INSERT INTO slots (account, slot, until, kept_until, spent, reserved, told)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)";
const UPDATE_SLOT: &str =
    "UPDATE slots SET spent = ?3, reserved = ?4 WHERE account = ?1 AND slot = ?2";
const EXTEND_SLOT: &str = "UPDATE slots SET until = ?3, kept_until = max(kept_until, ?4)
     WHERE account = ?1 AND slot = ?2";
const MARK_REPORTED: &str = "UPDATE slots SET told = spent
     WHERE account = ?1 AND slot >= ?2 AND slot < ?3 AND (told < spent OR ?4)";
const INSERT_LINE: &str = "INSERT INTO reservation_lines
     (reservation, line, account, slot, counted_from, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const RESERVATION: &str = "SELECT amount, abandoned FROM reservations WHERE id = ?1";
const LINES: &str = "SELECT account, slot, counted_from, until FROM reservation_lines
     WHERE reservation = ?1 ORDER BY line";

/// All statements that this file prepares.
pub(super) const STATEMENTS: [&str; 8] =
    [SLOTS, INSERT_SLOT, UPDATE_SLOT, EXTEND_SLOT, MARK_REPORTED, INSERT_LINE, RESERVATION, LINES];

/// How long things are kept, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Periods {
    /// How long a reservation may stay open before its process counts as dead.
    pub(super) abandon_after: i64,
    /// How long slots of calendar windows are kept after they stop counting.
    pub(super) history: i64,
    /// How many slots are kept although they may be deleted, the latest ones.
    pub(super) keep: u32,
}

impl Periods {
    /// Until when a line's slot is kept.
    fn kept_until(self, line: &Line<'_>) -> i64 {
        // A calendar window is a single slot.
        let history = if line.from == line.slot { self.history } else { 0 };
        line.kept_until().saturating_add(history)
    }
}

/// What the tables say about an account.
pub(super) struct Account {
    /// The balance over all slots that count.
    pub(super) balance: Balance,
    /// The slot that is charged.
    pub(super) slot: Option<Slot>,
    /// How much of the spending in them postings have reported.
    reported: Money,
}

impl Account {
    pub(super) fn read(connection: &Connection, line: &Line<'_>) -> Result<Self, Fault> {
        let mut account = Self { balance: Balance::default(), slot: None, reported: Money::ZERO };
        let mut statement = connection.prepare_cached(SLOTS)?;
        let (first, end) = counting(line);
        let mut rows = statement.query((line.account, first, end))?;
        while let Some(row) = rows.next()? {
            let start: i64 = row.get(0)?;
            let found = Slot {
                until: Some(row.get(1)?),
                spent: Money::picos(row.get::<_, i64>(2)?.into()),
                reserved: Money::picos(row.get::<_, i64>(3)?.into()),
            };
            account.balance.spent += found.spent;
            account.balance.reserved += found.reserved;
            account.reported += Money::picos(row.get::<_, i64>(4)?.into());
            if start == line.slot {
                account.slot = Some(found);
            }
        }
        Ok(account)
    }
}

/// The start of the first slot of a line that counts, and the end of the range.
fn counting(line: &Line<'_>) -> (i64, i64) {
    // The slot that is charged always counts.
    (line.from.min(line.slot), line.until.max(line.slot.saturating_add(1)))
}

/// A row of `slots`.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Slot {
    /// `None` while it is not in the table.
    until: Option<i64>,
    pub(super) spent: Money,
    pub(super) reserved: Money,
}

impl Slot {
    pub(super) fn write(
        &self,
        connection: &Connection,
        line: &Line<'_>,
        periods: Periods,
    ) -> Result<(), Fault> {
        // Ensures that everything reserved can be recorded as spent.
        to_integer(self.spent + self.reserved)?;
        let (spent, reserved) = (to_integer(self.spent)?, to_integer(self.reserved)?);
        let Some(until) = self.until else {
            let row =
                (line.account, line.slot, line.until, periods.kept_until(line), spent, reserved);
            connection.prepare_cached(INSERT_SLOT)?.execute(row)?;
            return Ok(());
        };
        if until < line.until {
            let row = (line.account, line.slot, line.until, periods.kept_until(line));
            connection.prepare_cached(EXTEND_SLOT)?.execute(row)?;
        }
        let row = (line.account, line.slot, spent, reserved);
        connection.prepare_cached(UPDATE_SLOT)?.execute(row)?;
        Ok(())
    }
}

/// A row of `reservations`.
pub(super) struct Reservation {
    pub(super) id: i64,
    pub(super) amount: Money,
    /// Whether it was recorded as spent in full.
    pub(super) abandoned: bool,
}

impl Reservation {
    pub(super) fn read(connection: &Connection, id: ReservationId) -> Result<Self, Fault> {
        let key = i64::try_from(id.0).map_err(|_| Fault::Unknown(id))?;
        let row = connection
            .prepare_cached(RESERVATION)?
            .query_row((key,), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            .optional()?;
        let (amount, abandoned) = row.ok_or(Fault::Unknown(id))?;
        Ok(Self { id: key, amount: Money::picos(amount.into()), abandoned })
    }

    pub(super) fn lines(&self, connection: &Connection) -> Result<Vec<OwnedLine>, Fault> {
        let mut statement = connection.prepare_cached(LINES)?;
        let rows = statement.query_map((self.id,), |row| {
            Ok(OwnedLine {
                account: row.get(0)?,
                slot: row.get(1)?,
                from: row.get(2)?,
                until: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Records `amount` on a line in place of what is reserved there, or of what was recorded when
    /// the reservation was abandoned.
    pub(super) fn end(
        &self,
        connection: &Connection,
        line: &Line<'_>,
        amount: Money,
        periods: Periods,
    ) -> Result<Posting, Fault> {
        let account = Account::read(connection, line)?;
        let before = account.slot.unwrap_or_default();
        let mut after = before;
        // A tool may have reset the slot meanwhile, so nothing goes below zero.
        if self.abandoned {
            after.spent = (before.spent + amount).saturating_sub(self.amount);
        } else {
            after.spent += amount;
            after.reserved = before.reserved.saturating_sub(self.amount);
        }
        after.write(connection, line, periods)?;
        let Balance { spent, reserved } = account.balance;
        let after = Balance {
            spent: spent - before.spent + after.spent,
            reserved: reserved - before.reserved + after.reserved,
        };
        Ok(Posting { before: account.reported, after })
    }

    /// Notes that a posting reported everything spent on a line.
    pub(super) fn mark_reported(connection: &Connection, line: &Line<'_>) -> Result<(), Fault> {
        let (first, end) = counting(line);
        // In a calendar window, which is one slot, spending only grows, except for corrections. In
        // a rolling one it falls anyway.
        let falls = line.from != line.slot;
        connection.prepare_cached(MARK_REPORTED)?.execute((line.account, first, end, falls))?;
        Ok(())
    }
}

/// Adds a row to `reservation_lines`.
pub(super) fn add_line(
    connection: &Connection,
    reservation: i64,
    index: usize,
    line: &Line<'_>,
) -> Result<(), Fault> {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    let row = (reservation, index, line.account, line.slot, line.from, line.until);
    connection.prepare_cached(INSERT_LINE)?.execute(row)?;
    Ok(())
}

/// A row of `reservation_lines`.
pub(super) struct OwnedLine {
    account: String,
    slot: i64,
    from: i64,
    until: i64,
}

impl OwnedLine {
    pub(super) fn borrow(&self) -> Line<'_> {
        Line {
            account: &self.account,
            slot: self.slot,
            from: self.from,
            until: self.until,
            limit: None,
        }
    }
}

/// The stored form of an amount: whole pico-dollars in 64 bits.
pub(super) fn to_integer(amount: Money) -> Result<i64, Fault> {
    i64::try_from(amount.as_picos()).map_err(|_| Fault::Beyond(amount))
}
