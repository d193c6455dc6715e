//! One shard of the metrics: a thread's share of the counts until they are collected.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use super::call::CallEnd;
use super::sample::Samples;
use super::stats::Stats;
use super::target::{Known, OTHER, Target, bounded};

/// How many slices a shard holds when nobody collects them.
const MAX_SLICES: usize = 4;

/// How many models that answered are told apart, for each that was asked for.
const MAX_ANSWERED_BY: usize = 8;

/// A part of the books, of which each thread writes into one, so that threads rarely meet.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// The targets that were seen here, by model.
    known: HashMap<Box<str>, Vec<(usize, Arc<Known>)>>,
    /// How many calls have begun here, less those that have ended here, by target. A call
    /// ends on the target that it began with, but often in the shard of another thread: only
    /// the sum over all shards means anything.
    in_flight: Vec<i64>,
    /// What has not been collected, the latest last.
    slices: Vec<Slice>,
    /// Those that were collected last, emptied, so that their memory is used again.
    spare: Books,
}

/// What happened, by target.
pub(super) type Books = Vec<Option<Box<Book>>>;

/// What happened in a slice of time.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) number: u64,
    pub(super) books: Books,
    pub(super) samples: Samples,
}

/// What happened to one target.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) stats: Stats,
    pub(super) answered_by: AnsweredBy,
}

impl Book {
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
    /// The id of a target that was seen here.
    pub(super) fn id(&self, target: &Target<'_>) -> Option<usize> {
        let known = self.known.get(bounded(target.model))?;
        known.iter().find(|(_, known)| known.is(target)).map(|(id, _)| *id)
    }

    /// From now on, a target is seen here.
    pub(super) fn learn(&mut self, id: usize, known: Arc<Known>) {
        self.known.entry(known.model.as_str().into()).or_default().push((id, known));
    }

    pub(super) fn add_in_flight(&mut self, id: usize, calls: i64) {
        *place(&mut self.in_flight, id) += calls;
    }

    /// Books a call. Returns whether slices have ended that can be collected.
    pub(super) fn record(&mut self, number: u64, id: usize, call: &CallEnd<'_>) -> bool {
        // A thread may come late with a time that it has read before: its call is then
        // booked on the slice that is open.
        let is_new = self.slices.last().is_none_or(|slice| slice.number < number);
        if is_new && self.slices.len() < MAX_SLICES {
            self.slices.push(Slice { number, ..Slice::default() });
        }
        if let Some(slice) = self.slices.last_mut() {
            let spare = || self.spare.get_mut(id).and_then(Option::take).unwrap_or_default();
            let book = place(&mut slice.books, id).get_or_insert_with(spare);
            book.stats.record(call);
            if let Some(model) = call.response_model {
                book.answered_by.count(model, 1);
            }
            slice.samples.record(call);
        }
        self.slices.len() > 1
    }

    pub(super) fn in_flight(&self) -> &[i64] {
        &self.in_flight
    }

    /// All that has not been collected.
    pub(super) fn take(&mut self) -> Vec<Slice> {
        mem::take(&mut self.slices)
    }

    /// Takes back the memory of books that were collected. Gives up what it has not used
    /// since the last time, so that nothing is kept of targets that are called no more.
    pub(super) fn reuse(&mut self, emptied: Books) -> Books {
        mem::replace(&mut self.spare, emptied)
    }
}

/// How many calls each model answered, as the provider calls it.
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

/// The place of an id in a list that grows with the ids.
pub(super) fn place<T: Default>(list: &mut Vec<T>, id: usize) -> &mut T {
    if list.len() <= id {
        list.resize_with(id + 1, T::default);
    }
    &mut list[id]
}
