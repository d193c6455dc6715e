//! How far a run is, how fast it is, and what it costs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::task::Facts;
use crate::Money;
use crate::display;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// Shows how far a run is, from any thread. Clones show the same run.
///
/// ```no_run
/// # use tollgate::{ChatRequest, Client};
/// # let client = Client::openai("gpt-4o-mini")?;
/// # let requests: Vec<(u32, ChatRequest)> = Vec::new();
/// let run = client.bulk().chat(requests)?;
/// let progress = run.progress();
/// std::thread::spawn(move || {
///     while !progress.status().ended {
///         eprintln!("{progress}");
///         std::thread::sleep(std::time::Duration::from_secs(1));
///     }
/// });
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Progress {
    /// Guards the counts of a run ([`Lock::BulkProgress`]): each item is counted once.
    counts: Arc<Mutex<Counts>>,
}

/// How far a run was at one moment.
///
/// `Display` writes one line:
///
/// ```text
/// 1,204 of 10,000 done, 3 failed, 41.2 calls/s, 18,200 tokens/s, $1.24 of about $10.30, 3m32s left
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// How many items have an answer, including those that an earlier run answered.
    pub answered: u64,
    /// How many items have failed, including those that failed in an earlier run and are not
    /// repeated.
    pub failed: u64,
    /// How many of these two an earlier run had done already, by the journal.
    pub skipped: u64,
    /// How many items ended without a result, because the run stopped. A run with the same journal
    /// sends them.
    pub unfinished: u64,
    /// How many items have been read and have no result yet.
    pub in_progress: u64,
    /// How many of them wait: for a budget's window, or after a rate limit.
    pub waiting: u64,
    /// The most calls in flight now. A rate limit lowers it, and answers raise it again.
    pub workers: usize,
    /// How many items there are, if that is known: from [`Bulk::total`](super::Bulk::total), or from
    /// an iterator that knows its length.
    pub total: Option<u64>,
    /// How many items have no result yet, if the total is known.
    pub remaining: Option<u64>,
    /// Calls that ended per second, over the last minute.
    pub calls_per_second: f64,
    /// Tokens per second, over the last minute.
    pub tokens_per_second: f64,
    /// What the answers of this run have cost.
    pub spent: Money,
    /// What the whole run will have cost, if the rest costs as much as the answers so far. `None`
    /// before the first answer, or if the total or a price is not known.
    pub projected: Option<Money>,
    /// How many answers of this run have an unknown price. They are not in the money spent.
    pub unpriced: u64,
    /// How many batches are in flight, in a run that uses [batches](super::Bulk::batched).
    pub batches: u64,
    /// How many requests these batches have.
    pub batch_requests: u64,
    /// How many of these requests are over, as the providers count them. Some say it only at the
    /// end of a batch.
    pub batch_requests_done: u64,
    /// The time since the run began.
    pub elapsed: Duration,
    /// The time until the end at the present speed, if the total is known.
    pub time_left: Option<Duration>,
    /// Whether the run has ended.
    pub ended: bool,
}

impl Status {
    /// How many items have an answer or have failed.
    pub fn done(&self) -> u64 {
        self.answered + self.failed
    }
}

impl Progress {
    pub(super) fn new(total: Option<u64>, workers: usize, now: Instant) -> Self {
        let counts = Counts::new(total, workers, now);
        Self { counts: Arc::new(Mutex::new(Lock::BulkProgress, counts)) }
    }

    /// How far the run is now.
    pub fn status(&self) -> Status {
        self.counts.lock().status(Instant::now())
    }

    pub(super) fn update(&self, update: impl FnOnce(&mut Counts)) {
        update(&mut self.counts.lock());
    }
}

/// The [`Status`] as one line.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display::count(self.done()))?;
        if let Some(total) = self.total {
            write!(f, " of {}", display::count(total))?;
        }
        f.write_str(" done")?;
        for (count, what) in
            [(self.failed, "failed"), (self.unfinished, "not finished"), (self.waiting, "waiting")]
        {
            if count > 0 {
                write!(f, ", {} {what}", display::count(count))?;
            }
        }
        let whole = |rate: f64| {
            // A rate is positive, and far below the largest integer.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let whole = rate.round() as u64;
            display::count(whole)
        };
        if self.batches > 0 {
            write!(
                f,
                ", waiting for {} ({} of {} requests done), ",
                display::counted(self.batches, "batch"),
                display::count(self.batch_requests_done),
                display::count(self.batch_requests)
            )?;
        } else {
            write!(f, ", {:.1} calls/s, ", self.calls_per_second)?;
            write!(f, "{} tokens/s, ", whole(self.tokens_per_second))?;
        }
        f.write_str(&display::cost(self.spent, self.unpriced))?;
        if self.unpriced > 0 && !self.spent.is_zero() {
            write!(f, " without {} of unknown price", display::counted(self.unpriced, "answer"))?;
        }
        if let Some(projected) = self.projected.filter(|_| !self.ended) {
            write!(f, " of about {}", display::money(projected))?;
        }
        match self.time_left {
            _ if self.ended => write!(f, ", {}", display::duration(self.elapsed)),
            // Batches have no steady speed.
            Some(left) if self.batches == 0 => write!(f, ", {} left", display::duration(left)),
            _ => Ok(()),
        }
    }
}

/// How many seconds the rates look back.
const SPAN: usize = 60;

/// The counts of a run.
#[derive(Debug)]
pub(super) struct Counts {
    begun: Instant,
    total: Option<u64>,
    /// Items read, including skipped ones.
    read: u64,
    called: u64,
    ended_at: Option<Instant>,
    seconds: [Second; SPAN],
    /// Of each batch in flight, how many requests are over, of how many.
    batches: BTreeMap<u64, (u64, u64)>,
    status: Status,
}

/// What ended within one second.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    number: u64,
    calls: u64,
    tokens: u64,
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Answered,
    Failed,
    Unfinished,
}

impl End {
    pub(super) fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Answered } else { Self::Failed }
    }
}

impl Counts {
    fn new(total: Option<u64>, workers: usize, now: Instant) -> Self {
        Self {
            begun: now,
            total,
            read: 0,
            called: 0,
            ended_at: None,
            seconds: [Second::default(); SPAN],
            batches: BTreeMap::new(),
            status: Status { workers, ..Status::default() },
        }
    }

    pub(super) fn read(&mut self) {
        self.read += 1;
    }

    /// Notes an item that an earlier run has done.
    pub(super) fn skipped(&mut self, end: End) {
        self.status.skipped += 1;
        self.count(end);
    }

    /// Notes the end of an item; `called` says what it used, if a call was made.
    pub(super) fn ended(&mut self, end: End, called: Option<Facts>, now: Instant) {
        self.count(end);
        let Some(Facts { tokens, cost, .. }) = called else { return };
        self.called += 1;
        match cost {
            Some(cost) => self.status.spent += cost,
            None => self.status.unpriced += 1,
        }
        let number = now.saturating_duration_since(self.begun).as_secs();
        let second = &mut self.seconds[place(number)];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second.calls += 1;
        second.tokens = second.tokens.saturating_add(tokens);
    }

    fn count(&mut self, end: End) {
        *match end {
            End::Answered => &mut self.status.answered,
            End::Failed => &mut self.status.failed,
            End::Unfinished => &mut self.status.unfinished,
        } += 1;
    }

    /// Notes how many requests of a batch in flight are over, of how many.
    pub(super) fn batch(&mut self, number: u64, requests: (u64, u64)) {
        self.batches.insert(number, requests);
    }

    pub(super) fn batch_ended(&mut self, number: u64) {
        self.batches.remove(&number);
    }

    /// Notes how many items wait, and how many calls may be in flight.
    pub(super) fn shape(&mut self, (waiting, workers): (usize, usize)) {
        self.status.waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        self.status.workers = workers;
    }

    pub(super) fn run_ended(&mut self, now: Instant) {
        self.ended_at.get_or_insert(now);
    }

    fn status(&self, now: Instant) -> Status {
        let now = self.ended_at.unwrap_or(now);
        let elapsed = now.saturating_duration_since(self.begun);
        let mut status = Status { elapsed, ended: self.ended_at.is_some(), ..self.status };
        let ended = status.done() + status.unfinished;
        status.in_progress = self.read.saturating_sub(ended);
        status.total = self.total.map(|total| total.max(self.read));
        status.remaining = status.total.map(|total| total.saturating_sub(status.done()));
        for (done, requests) in self.batches.values() {
            status.batches += 1;
            status.batch_requests += requests;
            status.batch_requests_done += done;
        }
        // A ring of seconds: those that are over, and the one that has begun.
        let newest = elapsed.as_secs();
        let oldest = (newest + 1).saturating_sub(SPAN as u64);
        let recent =
            self.seconds.iter().filter(|second| (oldest..=newest).contains(&second.number));
        let (calls, tokens) = recent.fold((0, 0), |(calls, tokens): (u64, u64), second| {
            (calls + second.calls, tokens.saturating_add(second.tokens))
        });
        let span = elapsed.as_secs_f64() - float(oldest);
        // A run that has just begun has no speed yet.
        if span > 0.001 {
            status.calls_per_second = float(calls) / span;
            status.tokens_per_second = float(tokens) / span;
        }
        if let Some(remaining) = status.remaining {
            let is_known = status.unpriced == 0;
            if let Some(each) =
                status.spent.as_picos().checked_div(i128::from(self.called)).filter(|_| is_known)
            {
                status.projected = Some(status.spent + Money::picos(each * i128::from(remaining)));
            }
            let left = float(remaining) / status.calls_per_second;
            status.time_left = Duration::try_from_secs_f64(left).ok();
        }
        status
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second % SPAN as u64).unwrap_or_default()
}

// Counts stay far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
