//! `Timeline`: the numbers of one target over time, in slices of ten seconds and minutes.

use std::time::Duration;

use super::snapshot::{Window, Windows};
use super::stats::{Stats, Tokens};

/// How long a slice of time is, in seconds.
const SLICE: u64 = 10;

/// How many slices are a minute.
const MINUTE: u64 = 60 / SLICE;

/// How many ended slices the one-minute window has, besides the current one.
const SLICES: u64 = MINUTE;

/// How many minutes the other two windows have.
const FIVE: u64 = 5;
const FIFTEEN: u64 = 15;

/// The slice that is current this long after the start.
pub(super) fn slice(since_start: Duration) -> u64 {
    since_start.as_secs() / SLICE
}

/// The minute that a slice belongs to.
pub(super) fn minute(slice: u64) -> u64 {
    slice / MINUTE
}

/// Whether a minute is the current one or among the fifteen before it.
pub(super) fn is_recent(minute: u64, now: u64) -> bool {
    minute.saturating_add(FIFTEEN) >= now
}

fn is_of_five(minute: u64, now: u64) -> bool {
    minute.saturating_add(FIVE) >= now
}

/// The exact length of each window at this time after the start. A window is a little longer than
/// its name says, by what its first slice or minute includes.
fn spans(since_start: Duration) -> [Duration; 3] {
    let now = slice(since_start);
    let first_minute = |minutes| minute(now).saturating_sub(minutes) * 60;
    [now.saturating_sub(SLICES) * SLICE, first_minute(FIVE), first_minute(FIFTEEN)]
        .map(|first| since_start.saturating_sub(Duration::from_secs(first)))
}

/// The numbers of one target: since the start, per minute for the last fifteen minutes, and per 10
/// seconds for the last minute.
///
/// Each number starts in a slice. When the slice is more than a minute old, it is added to its
/// minute. Minutes more than fifteen old are dropped. The sums of each window are kept up to date,
/// so a read adds nothing up: it copies, and copies share the memory of the sums until more is
/// added.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    slices: Vec<(u64, Stats)>,
    /// What was in slices that have left the last minute.
    minutes: Vec<(u64, Stats)>,
    /// The current minute.
    minute: u64,
    /// Since the start.
    total: Stats,
    /// The sum of `slices`.
    one_minute: Stats,
    /// The sum of `slices` and of the last five in `minutes`.
    five_minutes: Stats,
    /// The sum of `slices` and `minutes`.
    fifteen_minutes: Stats,
}

impl Timeline {
    /// How many calls ended since the start.
    pub(super) fn calls(&self) -> u64 {
        self.total.calls
    }

    /// Whether anything is known of the target: calls that ended, or an answer that was not accepted.
    pub(super) fn is_used(&self) -> bool {
        self.total.calls > 0 || self.total.tokens != Tokens::default() || !self.total.cost.is_zero()
    }

    pub(super) fn add(&mut self, slice: u64, stats: &Stats) {
        add(&mut self.slices, slice, stats);
        let Self { total, one_minute, five_minutes, fifteen_minutes, .. } = self;
        for sum in [total, one_minute, five_minutes, fifteen_minutes] {
            sum.add(stats);
            sum.share();
        }
    }

    /// Moves on to the slice that is current now.
    pub(super) fn roll(&mut self, now: u64) {
        let open = minute(now).max(self.minute);
        // Whether any window has lost something.
        let mut is_less = open > self.minute;
        self.minute = open;
        self.minutes.retain(|(of, _)| is_recent(*of, open));
        let Self { slices, minutes, .. } = self;
        let before = slices.len();
        slices.retain(|(slice, stats)| {
            let is_open = slice.saturating_add(SLICES) >= now;
            let of = minute(*slice);
            if !is_open && is_recent(of, open) {
                add(minutes, of, stats);
            }
            // From a thread that recorded late.
            is_less |= !is_open && !is_of_five(of, open);
            is_open
        });
        if slices.len() < before {
            self.one_minute = sum(&*slices, &Stats::default());
        }
        // Otherwise each sum is the same: what left `slices` is in `minutes`.
        if is_less {
            let (five, ten): (Vec<_>, Vec<_>) =
                minutes.iter().partition(|(of, _)| is_of_five(*of, open));
            self.five_minutes = sum(five, &self.one_minute);
            self.fifteen_minutes = sum(ten, &self.five_minutes);
        }
    }

    /// The numbers since the start and of each window, at the time to which this was
    /// [rolled](Self::roll).
    pub(super) fn read(&self, since_start: Duration) -> (Stats, Windows) {
        let [one, five, fifteen] = spans(since_start);
        let windows = Windows {
            one_minute: Window { span: one, stats: self.one_minute.clone() },
            five_minutes: Window { span: five, stats: self.five_minutes.clone() },
            fifteen_minutes: Window { span: fifteen, stats: self.fifteen_minutes.clone() },
        };
        (self.total.clone(), windows)
    }
}

/// Adds up for reading.
fn sum<'a>(times: impl IntoIterator<Item = &'a (u64, Stats)>, first: &Stats) -> Stats {
    let mut sum = first.clone();
    times.into_iter().for_each(|(_, stats)| sum.add(stats));
    sum.share();
    sum
}

fn add(times: &mut Vec<(u64, Stats)>, time: u64, stats: &Stats) {
    match times.iter_mut().find(|(of, _)| *of == time) {
        Some((_, sum)) => sum.add(stats),
        None => times.push((time, stats.clone())),
    }
}
