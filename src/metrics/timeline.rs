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
/// its minute and to the sum since the start, and the minutes that are more than fifteen
/// old are forgotten.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Of all slices that are not in `slices` any more.
    before: Stats,
    slices: Vec<(u64, Stats)>,
    minutes: Vec<(u64, Stats)>,
    /// The minute that is open.
    minute: u64,
    /// The sum of those of `minutes` that are within the last five, and of the others, so
    /// that reading does not add them up each time.
    five: Stats,
    ten: Stats,
}

/// What a [`Timeline`] reads: since the start, and over the three windows.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) total: Stats,
    pub(super) one_minute: Stats,
    pub(super) five_minutes: Stats,
    pub(super) fifteen_minutes: Stats,
}

impl Timeline {
    pub(super) fn add(&mut self, slice: u64, stats: &Stats) {
        add(&mut self.slices, slice, stats);
    }

    /// Moves on to the slice that is open now.
    pub(super) fn roll(&mut self, now: u64) {
        let open = minute(now).max(self.minute);
        if open > self.minute {
            self.minute = open;
            self.minutes.retain(|(of, _)| is_recent(*of, open));
            (self.five, self.ten) = <(Stats, Stats)>::default();
            for (of, stats) in &self.minutes {
                let sum = if is_of_five(*of, open) { &mut self.five } else { &mut self.ten };
                sum.add(stats);
            }
        }
        let Self { before, minutes, five, ten, .. } = self;
        self.slices.retain_mut(|(slice, stats)| {
            if slice.saturating_add(SLICES) >= now {
                return true;
            }
            before.add(stats);
            let of = minute(*slice);
            if is_recent(of, open) {
                let sum = if is_of_five(of, open) { &mut *five } else { &mut *ten };
                sum.add(stats);
                add(minutes, of, stats);
            }
            false
        });
    }

    /// What there is at the moment to which it was [rolled](Self::roll).
    pub(super) fn read(&self) -> Reading {
        // Each window is in all greater ones, and what is in a slice is in the least.
        let mut reading = Reading { total: self.before.clone(), ..Reading::default() };
        for (_, stats) in &self.slices {
            reading.one_minute.add(stats);
        }
        reading.total.add(&reading.one_minute);
        reading.five_minutes = self.five.clone();
        reading.five_minutes.add(&reading.one_minute);
        reading.fifteen_minutes = self.ten.clone();
        reading.fifteen_minutes.add(&reading.five_minutes);
        reading
    }
}

impl Reading {
    /// As it is shown, so long after the start.
    pub(super) fn split(self, since_start: Duration) -> (Stats, Windows) {
        let [one, five, fifteen] = spans(since_start);
        let windows = Windows {
            one_minute: Window { span: one, stats: self.one_minute },
            five_minutes: Window { span: five, stats: self.five_minutes },
            fifteen_minutes: Window { span: fifteen, stats: self.fifteen_minutes },
        };
        (self.total, windows)
    }
}

fn add(times: &mut Vec<(u64, Stats)>, time: u64, stats: &Stats) {
    match times.iter_mut().find(|(of, _)| *of == time) {
        Some((_, sum)) => sum.add(stats),
        None => times.push((time, stats.clone())),
    }
}
