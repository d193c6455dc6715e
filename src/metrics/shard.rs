//! `Shard`: a thread's share of the counts until they are collected.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::call::CallEnd;
use super::sample::Samples;
use super::stats::Stats;
use super::target::{Known, OTHER, Target, bounded};
use crate::chat::Usage;
use crate::money::Money;

/// How many slices a shard holds if nobody collects them.
const MAX_SLICES: usize = 4;

/// How many answering models are counted separately for each requested model.
const MAX_ANSWERED_BY: usize = 8;

/// One part of the counts. Each thread writes to one shard, so that threads rarely contend.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// The targets seen in this shard, in their [order](Known::order). Most programs have few, and
    /// comparing names is quicker than hashing one.
    known: Vec<(usize, Arc<Known>)>,
    /// Calls begun here minus calls ended here, by target. A call ends on the target with which it
    /// began, but often in the shard of another thread: only the sum over all shards is
    /// meaningful.
    in_flight: Vec<i64>,
    /// What has not been collected yet, latest last.
    slices: Vec<Slice>,
    /// The counts collected last, emptied, for reuse of their memory.
    spare: ByTarget,
}

/// Counts, indexed by target id.
pub(super) type ByTarget = Vec<Option<Box<Counts>>>;

/// The counts of a slice of time.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) number: u64,
    pub(super) by_target: ByTarget,
    pub(super) samples: Samples,
}

/// The counts of one target.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) stats: Stats,
    pub(super) answered_by: AnsweredBy,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.stats.add(&other.stats);
        self.answered_by.add(&other.answered_by);
    }

    pub(super) fn clear(&mut self) {
        self.stats.clear();
        self.answered_by.0.clear();
    }
}

impl Shard {
    /// The id of a target that this shard has seen.
    pub(super) fn id(&self, target: &Target<'_>) -> Option<usize> {
        self.place(target).ok().map(|place| self.known[place].0)
    }

    /// Notes that this shard has seen a target.
    pub(super) fn learn(&mut self, id: usize, known: Arc<Known>) {
        if let Err(place) = self.place(&known.target()) {
            self.known.insert(place, (id, known));
        }
    }

    fn place(&self, target: &Target<'_>) -> Result<usize, usize> {
        self.known.binary_search_by(|(_, known)| known.order(target))
    }

    pub(super) fn add_in_flight(&mut self, id: usize, calls: i64) {
        *place(&mut self.in_flight, id) += calls;
    }

    /// Records a call. Returns whether there are ended slices to collect.
    pub(super) fn record(&mut self, number: u64, id: usize, call: &CallEnd<'_>) -> bool {
        if let Some((counts, samples)) = self.counts(number, id) {
            counts.stats.record(call);
            if let Some(model) = call.response_model {
                counts.answered_by.count(model, 1);
            }
            samples.record(call);
        }
        self.slices.len() > 1
    }

    /// Records what a call in progress has used so far.
    pub(super) fn used(&mut self, number: u64, id: usize, usage: Usage, cost: Option<Money>) {
        if let Some((counts, _)) = self.counts(number, id) {
            counts.stats.used(usage, cost);
        }
    }

    /// The counts of a target in a slice, and the samples of that slice.
    fn counts(&mut self, number: u64, id: usize) -> Option<(&mut Counts, &mut Samples)> {
        // A thread may arrive late with a time it read earlier. Its call then counts in the
        // current slice.
        let is_new = self.slices.last().is_none_or(|slice| slice.number < number);
        if is_new && self.slices.len() < MAX_SLICES {
            self.slices.push(Slice { number, ..Slice::default() });
        }
        let Slice { by_target, samples, .. } = self.slices.last_mut()?;
        let spare = || self.spare.get_mut(id).and_then(Option::take).unwrap_or_default();
        Some((place(by_target, id).get_or_insert_with(spare), samples))
    }

    pub(super) fn in_flight(&self) -> &[i64] {
        &self.in_flight
    }

    /// Removes everything that has not been collected yet.
    pub(super) fn take(&mut self) -> Vec<Slice> {
        mem::take(&mut self.slices)
    }

    /// Takes back the memory of collected counts. Returns what was not used since the last time,
    /// so that nothing is kept for targets that are no longer called.
    pub(super) fn reuse(&mut self, emptied: ByTarget) -> ByTarget {
        mem::replace(&mut self.spare, emptied)
    }
}

/// How many calls each model answered, by the provider's name for it.
#[derive(Debug, Clone, Default)]
pub(super) struct AnsweredBy(Vec<(Box<str>, u64)>);

impl AnsweredBy {
    fn count(&mut self, model: &str, calls: u64) {
        let model = bounded(model);
        let known = self.0.iter().position(|(known, _)| **known == *model);
        let place = known.unwrap_or_else(|| {
            match self.0.len() {
                ..MAX_ANSWERED_BY => self.0.push((model.into(), 0)),
                MAX_ANSWERED_BY => self.0.push((OTHER.into(), 0)),
                _ => {}
            }
            self.0.len() - 1
        });
        self.0[place].1 += calls;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (model, calls) in &other.0 {
            self.count(model, *calls);
        }
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (model, calls) in &self.0 {
            *counts.entry(model.to_string()).or_default() += calls;
        }
        counts
    }
}

/// The element of an id in a list that grows as needed.
pub(super) fn place<T: Default>(list: &mut Vec<T>, id: usize) -> &mut T {
    if list.len() <= id {
        list.resize_with(id + 1, T::default);
    }
    &mut list[id]
}
