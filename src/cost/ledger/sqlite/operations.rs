//! What each operation does to the tables, within its transaction.

use rusqlite::{Connection, OptionalExtension};

use super::super::{Balance, Grant, Hold, Line, Posting, ReservationId};
use super::fault::Fault;
use super::rows::{self, Account, Periods, Reservation, to_integer};
use crate::cost::Money;

/// How many past slots may be deleted whenever a new one begins: more than begin, so that their
/// number falls, and few enough to be quick.
const FORGOTTEN_AT_ONCE: u32 = 64;

/// How long an abandoned reservation can still be corrected, in seconds: a week.
const CORRECTABLE: i64 = 7 * 24 * 60 * 60;

/// Earliest first: to a clock that runs far ahead for a moment, all slots are past.
const PAST: &str = "SELECT account, slot, until, spent FROM slots
     WHERE kept_until <= ?1 AND reserved = 0 ORDER BY kept_until LIMIT ?2";
const PAST_COUNT: &str =
    "SELECT count(*) FROM (SELECT 1 FROM slots WHERE kept_until <= ?1 LIMIT ?2)";
const FORGET_SLOT: &str = "DELETE FROM slots WHERE account = ?1 AND slot = ?2";
const FORGOTTEN: &str = "SELECT latest FROM forgotten";
const HAVE_FORGOTTEN: &str = "INSERT INTO forgotten (only, latest) VALUES (1, ?1)
     ON CONFLICT (only) DO UPDATE SET latest = max(latest, excluded.latest)";
const INSERT_RESERVATION: &str =
    "INSERT INTO reservations (amount, made, abandon_at, abandoned) VALUES (?1, ?2, ?3, 0)";
const DELETE_RESERVATION: &str = "DELETE FROM reservations WHERE id = ?1";
const DUE: &str = "SELECT id, amount FROM reservations WHERE abandoned = 0 AND abandon_at <= ?1";
const ABANDON: &str = "UPDATE reservations SET abandoned = 1 WHERE id = ?1";
const FORGET_RESERVATIONS: &str =
    "DELETE FROM reservations WHERE abandoned = 1 AND abandon_at <= ?1";

const STATEMENTS: [&str; 10] = [
    PAST,
    PAST_COUNT,
    FORGET_SLOT,
    FORGOTTEN,
    HAVE_FORGOTTEN,
    INSERT_RESERVATION,
    DELETE_RESERVATION,
    DUE,
    ABANDON,
    FORGET_RESERVATIONS,
];

/// Prepares every statement. Fails if a table or column is missing.
pub(super) fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection
        .set_prepared_statement_cache_capacity(2 * (STATEMENTS.len() + rows::STATEMENTS.len()));
    for statement in STATEMENTS.into_iter().chain(rows::STATEMENTS) {
        connection.prepare_cached(statement)?;
    }
    Ok(())
}

/// The result of a [`Hold`].
pub(super) enum Held {
    Granted(Grant),
    Refused { line: usize, balance: Balance },
}

/// Whether the caller receives the postings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reported {
    Yes,
    No,
}

/// Refuses holds that are invalid or cannot be stored.
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
            // Zero always fits.
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
        rows::add_line(connection, id, index, line)?;
    }
    if begins {
        forget(connection, hold.now, periods.keep)?;
    }
    Ok(Held::Granted(Grant { id: ReservationId(id.unsigned_abs()), amount }))
}

/// How much is reserved under `id` on each of its lines.
pub(super) fn reserved(connection: &Connection, id: ReservationId) -> Result<Money, Fault> {
    Reservation::read(connection, id).map(|reservation| reservation.amount)
}

pub(super) fn settle(
    connection: &Connection,
    id: ReservationId,
    amount: Money,
    now: i64,
    reported: Reported,
    periods: Periods,
) -> Result<Vec<Posting>, Fault> {
    if amount.is_negative() {
        return Err(Fault::Negative(amount));
    }
    let reservation = Reservation::read(connection, id)?;
    let mut postings = Vec::new();
    for line in reservation.lines(connection)? {
        let line = line.borrow();
        postings.push(reservation.end(connection, &line, amount, periods)?);
        if reported == Reported::Yes {
            Reservation::mark_reported(connection, &line)?;
        }
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

/// Records the reservations of dead processes as spent in full.
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

/// Deletes past slots beyond the `keep` latest, a few at a time. Notes the time until which those
/// with spending in them counted.
fn forget(connection: &Connection, now: i64, keep: u32) -> Result<(), Fault> {
    let count = connection
        .prepare_cached(PAST_COUNT)?
        .query_row((now, keep + FORGOTTEN_AT_ONCE), |row| row.get::<_, u32>(0))?;
    if count <= keep {
        return Ok(());
    }
    let mut past: Vec<(String, i64)> = Vec::new();
    let mut counted = None;
    let mut statement = connection.prepare_cached(PAST)?;
    let mut rows = statement.query((now, count - keep))?;
    while let Some(row) = rows.next()? {
        past.push((row.get(0)?, row.get(1)?));
        if row.get::<_, i64>(3)? != 0 {
            counted = counted.max(Some(row.get::<_, i64>(2)?));
        }
    }
    for slot in past {
        connection.prepare_cached(FORGET_SLOT)?.execute(slot)?;
    }
    if let Some(until) = counted {
        connection.prepare_cached(HAVE_FORGOTTEN)?.execute((until,))?;
    }
    Ok(())
}

/// The time until which deleted slots with spending in them counted.
fn forgotten(connection: &Connection) -> Result<Option<i64>, Fault> {
    let mut statement = connection.prepare_cached(FORGOTTEN)?;
    Ok(statement.query_row((), |row| row.get(0)).optional()?)
}

/// Fails if slots that count on the line at `now` may have been deleted.
fn look_back(line: &Line<'_>, now: i64, forgotten: Option<i64>) -> Result<(), Fault> {
    match forgotten {
        Some(until) if line.until < i64::MAX && now < until => {
            Err(Fault::Back(until.saturating_sub(now)))
        }
        _ => Ok(()),
    }
}
