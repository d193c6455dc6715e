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
    pub(super) fn add(&mut self, slice: u64, stats: Stats) {
        add(&mut self.slices, slice, stats);
    }

    /// Moves on to the slice that is open now.
    pub(super) fn roll(&mut self, now: u64) {
        let (before, minutes) = (&mut self.before, &mut self.minutes);
        self.slices.retain_mut(|(slice, stats)| {
            let stays = slice.saturating_add(SLICES) >= now;
            if !stays {
                before.add(stats);
                add(minutes, minute(*slice), std::mem::take(stats));
            }
            stays
        });
        minutes.retain(|(of, _)| is_recent(*of, minute(now)));
    }

    /// What there is at a moment in the slice to which it was [rolled](Self::roll).
    pub(super) fn read(&self, now: u64) -> Reading {
        let mut reading = Reading::default();
        for (_, stats) in &self.slices {
            reading.one_minute.add(stats);
        }
        // Every minute is added to the least window that has it, for each is in all
        // greater ones: what is still in slices is in the least.
        let five = |of: u64| of.saturating_add(FIVE) >= minute(now);
        for (of, stats) in &self.minutes {
            let window =
                if five(*of) { &mut reading.five_minutes } else { &mut reading.fifteen_minutes };
            window.add(stats);
        }
        reading.five_minutes.add(&reading.one_minute);
        reading.fifteen_minutes.add(&reading.five_minutes);
        reading.total = self.before.clone();
        reading.total.add(&reading.one_minute);
        reading
    }
}

impl Reading {
    pub(super) fn add(&mut self, other: &Self) {
        self.total.add(&other.total);
        self.one_minute.add(&other.one_minute);
        self.five_minutes.add(&other.five_minutes);
        self.fifteen_minutes.add(&other.fifteen_minutes);
    }

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

fn add(times: &mut Vec<(u64, Stats)>, time: u64, stats: Stats) {
    match times.iter_mut().find(|(of, _)| *of == time) {
        Some((_, sum)) => sum.add(&stats),
        None => times.push((time, stats)),
    }
}
