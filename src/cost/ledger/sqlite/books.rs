//! What an operation does to the tables, within its transaction.

use rusqlite::{Connection, OptionalExtension};

use super::super::{Balance, Grant, Hold, Line, Posting, ReservationId};
use super::fault::Fault;
use crate::cost::Money;

/// How many slots of the past are forgotten whenever a new one begins: more than
/// begin, so that their number sinks, and few enough to do in passing.
const FORGOTTEN_AT_ONCE: u32 = 64;

/// For how long a reservation taken for abandoned can still be corrected, in seconds:
/// a week.
const CORRECTABLE: i64 = 7 * 24 * 60 * 60;

const SLOTS: &str = "SELECT slot, until, spent, reserved FROM slots
     WHERE account = ?1 AND slot >= ?2 AND slot < ?3";
const INSERT_SLOT: &str = "INSERT INTO slots (account, slot, until, kept_until, spent, reserved)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const UPDATE_SLOT: &str =
    "UPDATE slots SET spent = ?3, reserved = ?4 WHERE account = ?1 AND slot = ?2";
const EXTEND_SLOT: &str = "UPDATE slots SET until = ?3, kept_until = max(kept_until, ?4)
     WHERE account = ?1 AND slot = ?2";
const PAST: &str = "SELECT account, slot, spent FROM slots
     WHERE kept_until <= ?1 AND reserved = 0 LIMIT ?2";
const FORGET_SLOT: &str = "DELETE FROM slots WHERE account = ?1 AND slot = ?2";
const FORGOTTEN: &str = "SELECT latest FROM forgotten";
const HAVE_FORGOTTEN: &str = "INSERT INTO forgotten (only, latest) VALUES (1, ?1)
     ON CONFLICT (only) DO UPDATE SET latest = max(latest, excluded.latest)";
const INSERT_RESERVATION: &str =
    "INSERT INTO reservations (amount, made, abandon_at, abandoned) VALUES (?1, ?2, ?3, 0)";
const INSERT_LINE: &str = "INSERT INTO reservation_lines
     (reservation, line, account, slot, counted_from, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const RESERVATION: &str = "SELECT amount, abandoned FROM reservations WHERE id = ?1";
const LINES: &str = "SELECT account, slot, counted_from, until FROM reservation_lines
     WHERE reservation = ?1 ORDER BY line";
const DELETE_RESERVATION: &str = "DELETE FROM reservations WHERE id = ?1";
const DUE: &str = "SELECT id, amount FROM reservations WHERE abandoned = 0 AND abandon_at <= ?1";
const ABANDON: &str = "UPDATE reservations SET abandoned = 1 WHERE id = ?1";
const FORGET_RESERVATIONS: &str =
    "DELETE FROM reservations WHERE abandoned = 1 AND abandon_at <= ?1";

const STATEMENTS: [&str; 16] = [
    SLOTS,
    INSERT_SLOT,
    UPDATE_SLOT,
    EXTEND_SLOT,
    PAST,
    FORGET_SLOT,
    FORGOTTEN,
    HAVE_FORGOTTEN,
    INSERT_RESERVATION,
    INSERT_LINE,
    RESERVATION,
    LINES,
    DELETE_RESERVATION,
    DUE,
    ABANDON,
    FORGET_RESERVATIONS,
];

/// Prepares every statement, which fails where a table or a column is missing.
pub(super) fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection.set_prepared_statement_cache_capacity(2 * STATEMENTS.len());
    for statement in STATEMENTS {
        connection.prepare_cached(statement)?;
    }
    Ok(())
}

/// How long things are kept, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Periods {
    /// A reservation open for longer is taken for a dead process's.
    pub(super) abandon_after: i64,
    /// Slots of calendar's windows are kept for so long when they count no more.
    pub(super) history: i64,
}

impl Periods {
    /// Until when a line's slot is kept.
    fn keep(self, line: &Line<'_>) -> i64 {
        // A calendar's window is one slot.
        let history = if line.from == line.slot { self.history } else { 0 };
        line.kept_until().saturating_add(history)
    }
}

/// What came of a [`Hold`].
pub(super) enum Held {
    Granted(Grant),
    Refused { line: usize, balance: Balance },
}

/// Whether a hold can be written down at all.
pub(super) fn check(hold: &Hold<'_>) -> Result<(), Fault> {
    for amount in [hold.least, hold.most] {
        if amount.is_negative() {
            return Err(Fault::Negative(amount));
        }
    }
    if hold.least > hold.most {
        return Err(Fault::Crossed(hold.least, hold.most));
    }
    for (index, line) in hold.lines.iter().enumerate() {
        if let Some(limit) = line.limit {
            to_integer(limit)?;
        }
        if hold.lines[..index].iter().any(|other| other.account == line.account) {
            return Err(Fault::Twice(line.account.to_owned()));
        }
    }
    Ok(())
}

pub(super) fn reserve(
    connection: &Connection,
    hold: &Hold<'_>,
    periods: Periods,
) -> Result<Held, Fault> {
    abandon(connection, hold.now, periods)?;
    let forgotten = forgotten(connection)?;
    let mut found = Vec::with_capacity(hold.lines.len());
    let mut amount = hold.most;
    let mut tightest = None;
    for (index, line) in hold.lines.iter().enumerate() {
        let account = Account::read(connection, line)?;
        if let Some(limit) = line.limit {
            look_back(line, hold.now, forgotten)?;
            // Nothing always fits.
            let left = limit.saturating_sub(account.balance.committed());
            if left < amount {
                amount = left;
                tightest = Some((index, account.balance));
            }
        }
        found.push(account);
    }
    if let Some((line, balance)) = tightest.filter(|_| amount < hold.least) {
        return Ok(Held::Refused { line, balance });
    }

    let stored = to_integer(amount)?;
    connection.prepare_cached(INSERT_RESERVATION)?.execute((
        stored,
        hold.now,
        hold.now.saturating_add(periods.abandon_after),
    ))?;
    let id = connection.last_insert_rowid();
    let mut begins = false;
    for (index, (line, account)) in hold.lines.iter().zip(found).enumerate() {
        begins |= account.slot.is_none();
        let mut slot = account.slot.unwrap_or_default();
        slot.reserved += amount;
        slot.write(connection, line, periods)?;
        let number = i64::try_from(index).unwrap_or(i64::MAX);
        connection.prepare_cached(INSERT_LINE)?.execute((
            id,
            number,
            line.account,
            line.slot,
            line.from,
            line.until,
        ))?;
    }
    if begins {
        forget(connection, hold.now)?;
    }
    Ok(Held::Granted(Grant { id: ReservationId(id.unsigned_abs()), amount }))
}

/// How much is reserved under `id`, on each of its lines.
pub(super) fn reserved(connection: &Connection, id: ReservationId) -> Result<Money, Fault> {
    Reservation::read(connection, id).map(|reservation| reservation.amount)
}

pub(super) fn settle(
    connection: &Connection,
    id: ReservationId,
    amount: Money,
    now: i64,
    periods: Periods,
) -> Result<Vec<Posting>, Fault> {
    if amount.is_negative() {
        return Err(Fault::Negative(amount));
    }
    let reservation = Reservation::read(connection, id)?;
    let mut postings = Vec::new();
    for line in reservation.lines(connection)? {
        postings.push(reservation.end(connection, &line.borrow(), amount, periods)?);
    }
    connection.prepare_cached(DELETE_RESERVATION)?.execute((reservation.id,))?;
    abandon(connection, now, periods)?;
    Ok(postings)
}

pub(super) fn balances(connection: &Connection, lines: &[Line<'_>]) -> Result<Vec<Balance>, Fault> {
    lines
        .iter()
        .map(|line| Account::read(connection, line).map(|account| account.balance))
        .collect()
}

/// Books in full what is reserved for processes that are taken for dead.
fn abandon(connection: &Connection, now: i64, periods: Periods) -> Result<(), Fault> {
    let mut due = Vec::new();
    let mut statement = connection.prepare_cached(DUE)?;
    let mut rows = statement.query((now,))?;
    while let Some(row) = rows.next()? {
        due.push(Reservation {
            id: row.get(0)?,
            amount: Money::picos(row.get::<_, i64>(1)?.into()),
            abandoned: false,
        });
    }
    for reservation in &due {
        for line in reservation.lines(connection)? {
            reservation.end(connection, &line.borrow(), reservation.amount, periods)?;
        }
        connection.prepare_cached(ABANDON)?.execute((reservation.id,))?;
    }
    if !due.is_empty() {
        connection
            .prepare_cached(FORGET_RESERVATIONS)?
            .execute((now.saturating_sub(CORRECTABLE),))?;
    }
    Ok(())
}

/// Deletes some slots of the past, and notes when anything spent was.
fn forget(connection: &Connection, now: i64) -> Result<(), Fault> {
    let mut past: Vec<(String, i64)> = Vec::new();
    let mut anything = false;
    let mut statement = connection.prepare_cached(PAST)?;
    let mut rows = statement.query((now, FORGOTTEN_AT_ONCE))?;
    while let Some(row) = rows.next()? {
        past.push((row.get(0)?, row.get(1)?));
        anything |= row.get::<_, i64>(2)? != 0;
    }
    for slot in past {
        connection.prepare_cached(FORGET_SLOT)?.execute(slot)?;
    }
    if anything {
        connection.prepare_cached(HAVE_FORGOTTEN)?.execute((now,))?;
    }
    Ok(())
}

/// When anything spent was last forgotten.
fn forgotten(connection: &Connection) -> Result<Option<i64>, Fault> {
    let mut statement = connection.prepare_cached(FORGOTTEN)?;
    Ok(statement.query_row((), |row| row.get(0)).optional()?)
}

/// Fails where slots that count on the line at `now` may have been forgotten.
fn look_back(line: &Line<'_>, now: i64, forgotten: Option<i64>) -> Result<(), Fault> {
    match forgotten {
        Some(latest) if line.until < i64::MAX && now < latest.saturating_sub(line.kept()) => {
            Err(Fault::Back(latest.saturating_sub(now)))
        }
        _ => Ok(()),
    }
}

/// What the tables hold of an account.
struct Account {
    /// In all slots that count.
    balance: Balance,
    /// In the one that is charged.
    slot: Option<Slot>,
}

impl Account {
    fn read(connection: &Connection, line: &Line<'_>) -> Result<Self, Fault> {
        let mut account = Self { balance: Balance::default(), slot: None };
        let mut statement = connection.prepare_cached(SLOTS)?;
        // The slot that is charged counts in any case.
        let (first, end) = (line.from.min(line.slot), line.until.max(line.slot.saturating_add(1)));
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
            if start == line.slot {
                account.slot = Some(found);
            }
        }
        Ok(account)
    }
}

/// A row of `slots`.
#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    /// `None` while it is not in the table.
    until: Option<i64>,
    spent: Money,
    reserved: Money,
}

impl Slot {
    fn write(
        &self,
        connection: &Connection,
        line: &Line<'_>,
        periods: Periods,
    ) -> Result<(), Fault> {
        // So that what is reserved can always be booked as spent.
        to_integer(self.spent + self.reserved)?;
        let (spent, reserved) = (to_integer(self.spent)?, to_integer(self.reserved)?);
        let Some(until) = self.until else {
            let row = (line.account, line.slot, line.until, periods.keep(line), spent, reserved);
            connection.prepare_cached(INSERT_SLOT)?.execute(row)?;
            return Ok(());
        };
        if until < line.until {
            let row = (line.account, line.slot, line.until, periods.keep(line));
            connection.prepare_cached(EXTEND_SLOT)?.execute(row)?;
        }
        let row = (line.account, line.slot, spent, reserved);
        connection.prepare_cached(UPDATE_SLOT)?.execute(row)?;
        Ok(())
    }
}

/// A row of `reservations`.
struct Reservation {
    id: i64,
    amount: Money,
    /// It was booked as spent in full.
    abandoned: bool,
}

impl Reservation {
    fn read(connection: &Connection, id: ReservationId) -> Result<Self, Fault> {
        let key = i64::try_from(id.0).map_err(|_| Fault::Unknown(id))?;
        let row = connection
            .prepare_cached(RESERVATION)?
            .query_row((key,), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            .optional()?;
        let (amount, abandoned) = row.ok_or(Fault::Unknown(id))?;
        Ok(Self { id: key, amount: Money::picos(amount.into()), abandoned })
    }

    fn lines(&self, connection: &Connection) -> Result<Vec<OwnedLine>, Fault> {
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

    /// Books `amount` on a line instead of what is reserved there, or of what was booked
    /// when the reservation was abandoned.
    fn end(
        &self,
        connection: &Connection,
        line: &Line<'_>,
        amount: Money,
        periods: Periods,
    ) -> Result<Posting, Fault> {
        let account = Account::read(connection, line)?;
        let before = account.slot.unwrap_or_default();
        let mut after = before;
        // Somebody may have set the slot back by hand meanwhile, so nothing goes below zero.
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
        Ok(Posting { before: spent, after })
    }
}

/// A row of `reservation_lines`.
struct OwnedLine {
    account: String,
    slot: i64,
    from: i64,
    until: i64,
}

impl OwnedLine {
    fn borrow(&self) -> Line<'_> {
        Line {
            account: &self.account,
            slot: self.slot,
            from: self.from,
            until: self.until,
            limit: None,
        }
    }
}

/// An amount as it is stored: whole pico-dollars in 64 bits.
fn to_integer(amount: Money) -> Result<i64, Fault> {
    i64::try_from(amount.as_picos()).map_err(|_| Fault::Beyond(amount))
}
