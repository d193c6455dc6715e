//! The numbers of one target over time, in slices of ten seconds and minutes.

use std::time::Duration;

use super::snapshot::{Window, Windows};
use super::stats::Stats;

/// How long a slice of time is, in seconds.
const SLICE: u64 = 10;

/// How many slices are a minute.
const MINUTE: u64 = 60 / SLICE;

/// The slices of the last minute, before the one that is open.
const SLICES: u64 = MINUTE;

/// How many minutes the second window has, and the third.
const FIVE: u64 = 5;
const FIFTEEN: u64 = 15;

/// The slice that is open so long after the start.
pub(super) fn slice(since_start: Duration) -> u64 {
    since_start.as_secs() / SLICE
}

/// The minute that a slice belongs to.
pub(super) fn minute(slice: u64) -> u64 {
    slice / MINUTE
}

/// Whether a minute is part of the last fifteen, or the one that is open.
pub(super) fn is_recent(minute: u64, now: u64) -> bool {
    minute.saturating_add(FIFTEEN) >= now
}

fn is_of_five(minute: u64, now: u64) -> bool {
    minute.saturating_add(FIVE) >= now
}

/// How long each of the windows is that end so long after the start: what they are named
/// after, and as much of the slice before that as is counted with them.
fn spans(since_start: Duration) -> [Duration; 3] {
    let now = slice(since_start);
    let first_minute = |minutes| minute(now).saturating_sub(minutes) * 60;
    [now.saturating_sub(SLICES) * SLICE, first_minute(FIVE), first_minute(FIFTEEN)]
        .map(|first| since_start.saturating_sub(Duration::from_secs(first)))
}

/// The numbers of one target over time: since the start, by minute for the last fifteen,
/// and by slices of 10 seconds for the last one.
///
/// Each number is in one slice first; when that is more than a minute old, it is added to
/// its minute, and the minutes that are more than fifteen old are forgotten. The sums that
/// are read are kept with them, so that reading does not add up anything: it copies, and
/// the copies share the memory of the sums until more is added.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    slices: Vec<(u64, Stats)>,
    /// What was in slices that are over.
    minutes: Vec<(u64, Stats)>,
    /// The minute that is open.
    minute: u64,
    /// Since the start.
    total: Stats,
    /// Of `slices`.
    one_minute: Stats,
    /// Of `slices` and those of `minutes` that are within the last five.
    five_minutes: Stats,
    /// Of all of both.
    fifteen_minutes: Stats,
}

impl Timeline {
    /// How many calls ended since the start.
    pub(super) fn calls(&self) -> u64 {
        self.total.calls
    }

    pub(super) fn add(&mut self, slice: u64, stats: &Stats) {
        add(&mut self.slices, slice, stats);
        let Self { total, one_minute, five_minutes, fifteen_minutes, .. } = self;
        for sum in [total, one_minute, five_minutes, fifteen_minutes] {
            sum.add(stats);
            sum.share();
        }
    }

    /// Moves on to the slice that is open now.
    pub(super) fn roll(&mut self, now: u64) {
        let open = minute(now).max(self.minute);
        // Whether a window has lost something.
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
            // Of a thread that is late with what it has recorded.
            is_less |= !is_open && !is_of_five(of, open);
            is_open
        });
        if slices.len() < before {
            self.one_minute = sum(&*slices, &Stats::default());
        }
        // Else each of these has in minutes what it had in slices.
        if is_less {
            let (five, ten): (Vec<_>, Vec<_>) =
                minutes.iter().partition(|(of, _)| is_of_five(*of, open));
            self.five_minutes = sum(five, &self.one_minute);
            self.fifteen_minutes = sum(ten, &self.five_minutes);
        }
    }

    /// What there is, since the start and lately, at the moment to which it was
    /// [rolled](Self::roll), so long after the start.
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

/// Adds up, to be read.
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
