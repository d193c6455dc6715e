use std::time::Duration;

use super::sample::{CallSample, Samples};
use super::shard::{AnsweredBy, Book, Slice, place};
use super::snapshot::ModelStats;
use super::target::{OTHER, Targets};
use super::timeline::{self, Reading, Timeline, is_recent, minute};

/// All that was collected from the shards.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// By target.
    series: Vec<Series>,
    /// All of them together.
    total: Timeline,
    /// The latest that failed.
    failed: Samples,
    /// The slowest of each minute.
    slowest: Vec<(u64, Samples)>,
}

#[derive(Debug, Default)]
struct Series {
    timeline: Timeline,
    answered_by: AnsweredBy,
}

/// What a [`Store`] reads.
pub(super) struct Read {
    pub(super) total: Reading,
    pub(super) models: Vec<ModelStats>,
    pub(super) slowest: Vec<CallSample>,
    pub(super) failed: Vec<CallSample>,
}

impl Store {
    pub(super) fn add(&mut self, slice: Slice) {
        for (id, book) in slice.books.into_iter().enumerate() {
            if let Some(book) = book {
                let Book { stats, answered_by } = *book;
                let series = place(&mut self.series, id);
                self.total.add(slice.number, &stats);
                series.timeline.add(slice.number, &stats);
                series.answered_by.add(&answered_by);
            }
        }
        let of = minute(slice.number);
        let Samples { slowest, failed, .. } = slice.samples;
        self.failed.add_failed(failed);
        match self.slowest.iter_mut().find(|(minute, _)| *minute == of) {
            Some((_, samples)) => samples.add_slowest(slowest),
            None => {
                let mut samples = Samples::default();
                samples.add_slowest(slowest);
                self.slowest.push((of, samples));
            }
        }
    }

    /// Moves on to the slice that is open so long after the start.
    pub(super) fn roll(&mut self, since_start: Duration) {
        let now = timeline::slice(since_start);
        for series in &mut self.series {
            series.timeline.roll(now);
        }
        self.total.roll(now);
        self.slowest.retain(|(of, _)| is_recent(*of, minute(now)));
    }

    /// What there is so long after the start, to which it was [rolled](Self::roll), with
    /// the calls in flight by target.
    pub(super) fn read(&self, since_start: Duration, targets: &Targets, in_flight: &[i64]) -> Read {
        let mut models = Vec::new();
        let none = Series::default();
        for id in 0..self.series.len().max(in_flight.len()) {
            let series = self.series.get(id).unwrap_or(&none);
            let in_flight = in_flight.get(id).copied().unwrap_or_default();
            let reading = series.timeline.read();
            if reading.total.calls == 0 && in_flight == 0 {
                continue;
            }
            let known = targets.get(id);
            let (total, windows) = reading.split(since_start);
            models.push(ModelStats {
                provider: known.provider.clone(),
                model: known.model.clone(),
                operation: known.operation.clone(),
                server_address: known.server_address.clone(),
                server_port: known.server_port,
                answered_by: series.answered_by.counts(),
                in_flight: u64::try_from(in_flight).unwrap_or_default(),
                total,
                windows,
            });
        }
        let other = |model: &ModelStats| model.model == OTHER;
        models.sort_by(|left: &ModelStats, right| {
            let by_calls = right.total.calls.cmp(&left.total.calls);
            let by_name = || (&left.provider, &left.model).cmp(&(&right.provider, &right.model));
            other(left).cmp(&other(right)).then(by_calls).then_with(by_name)
        });
        let mut slowest = Samples::default();
        for (_, samples) in &self.slowest {
            slowest.add_slowest(samples.slowest.clone());
        }
        Read {
            total: self.total.read(),
            models,
            slowest: slowest.slowest,
            failed: self.failed.failed.clone(),
        }
    }
}
