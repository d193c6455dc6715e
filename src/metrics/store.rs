//! `Store`: adds up what the shards collected, by model and over time.

use std::cmp::Reverse;
use std::mem;
use std::time::Duration;

use super::sample::{CallSample, KEPT, Samples};
use super::shard::{AnsweredBy, Slice, place};
use super::snapshot::{ModelStats, Windows};
use super::stats::Stats;
use super::target::{Known, OTHER, Targets};
use super::timeline::{self, Timeline, is_recent, minute};

/// Everything collected from the shards.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// By target.
    series: Vec<Series>,
    /// All targets together.
    total: Timeline,
    /// The most recent failed calls.
    failed: Samples,
    /// The slowest calls of each minute.
    slowest: Vec<(u64, Samples)>,
}

#[derive(Debug, Default)]
struct Series {
    timeline: Timeline,
    answered_by: AnsweredBy,
}

/// What a [`Store`] returns for a snapshot.
pub(super) struct Read {
    pub(super) total: Stats,
    pub(super) windows: Windows,
    pub(super) models: Vec<ModelStats>,
    pub(super) slowest: Vec<CallSample>,
    pub(super) failed: Vec<CallSample>,
}

impl Store {
    /// Adds what the shards had, of any times, and leaves the slices empty.
    pub(super) fn add<'a>(&mut self, slices: impl Iterator<Item = &'a mut Slice>) {
        let mut slices: Vec<_> = slices.collect();
        slices.sort_by_key(|slice| slice.number);
        for slices in slices.chunk_by_mut(|one, next| one.number == next.number) {
            self.add_at(slices[0].number, slices);
        }
    }

    /// Adds slices of the same time. Sums them up first, because the timeline of a target spreads
    /// over far more memory.
    fn add_at(&mut self, number: u64, slices: &mut [&mut Slice]) {
        let mut total = Stats::default();
        let ids = slices.iter().map(|slice| slice.by_target.len()).max().unwrap_or_default();
        for id in 0..ids {
            let mut counts =
                slices.iter_mut().filter_map(|slice| slice.by_target.get_mut(id)?.as_deref_mut());
            let Some(sum) = counts.next() else { continue };
            for more in counts {
                sum.add(more);
                more.clear();
            }
            total.add(&sum.stats);
            let series = place(&mut self.series, id);
            series.timeline.add(number, &sum.stats);
            series.answered_by.add(&sum.answered_by);
            sum.clear();
        }
        self.total.add(number, &total);
        let of = minute(number);
        let place = self.slowest.iter().position(|(minute, _)| *minute == of);
        let place = place.unwrap_or_else(|| {
            self.slowest.push((of, Samples::default()));
            self.slowest.len() - 1
        });
        let (_, slowest) = &mut self.slowest[place];
        for slice in slices {
            let samples = mem::take(&mut slice.samples);
            self.failed.add_failed(samples.failed);
            slowest.add_slowest(samples.slowest);
        }
    }

    /// Moves on to the slice that is current this long after the start.
    pub(super) fn roll(&mut self, since_start: Duration) {
        let now = timeline::slice(since_start);
        for series in &mut self.series {
            series.timeline.roll(now);
        }
        self.total.roll(now);
        self.slowest.retain(|(of, _)| is_recent(*of, minute(now)));
    }

    /// The numbers at the time to which this was [rolled](Self::roll), with the calls in flight by
    /// target.
    pub(super) fn read(&self, since_start: Duration, targets: &Targets, in_flight: &[i64]) -> Read {
        let none = Series::default();
        let series = |id: usize| self.series.get(id).unwrap_or(&none);
        let under_way = |id: usize| in_flight.get(id).copied().unwrap_or_default();
        let is_shown = |id: &usize| series(*id).timeline.is_used() || under_way(*id) != 0;
        let known = 0..self.series.len().max(in_flight.len());
        let mut ids: Vec<usize> = known.filter(is_shown).collect();
        // Sorts ids, not the rows, which are far larger.
        ids.sort_by_cached_key(|id| {
            let Known { provider, model, .. } = targets.get(*id);
            let calls = Reverse(series(*id).timeline.calls());
            (model == OTHER, calls, provider, model)
        });
        let model = |id: usize| {
            let known = targets.get(id);
            let (total, windows) = series(id).timeline.read(since_start);
            ModelStats {
                provider: known.provider.clone(),
                model: known.model.clone(),
                operation: known.operation.clone(),
                server_address: known.server_address.clone(),
                server_port: known.server_port,
                answered_by: series(id).answered_by.counts(),
                in_flight: u64::try_from(under_way(id)).unwrap_or_default(),
                total,
                windows,
            }
        };
        let models = ids.into_iter().map(model).collect();
        let mut slowest: Vec<_> =
            self.slowest.iter().flat_map(|(_, samples)| &samples.slowest).collect();
        slowest.sort_by_key(|sample| Reverse(sample.latency));
        slowest.truncate(KEPT);
        let (total, windows) = self.total.read(since_start);
        Read {
            total,
            windows,
            models,
            slowest: slowest.into_iter().cloned().collect(),
            failed: self.failed.failed.clone(),
        }
    }
}
