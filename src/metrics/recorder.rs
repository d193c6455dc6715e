//! Records the calls of a client in shards, and takes snapshots.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::call::CallEnd;
use super::shard::{Shard, place};
use super::snapshot::{Costs, MetricsSnapshot};
use super::store::Store;
use super::target::{Target, Targets};
use super::timeline;
use crate::chat::Usage;
use crate::money::Money;
use crate::pool::PoolStats;
use crate::sync::Lock;
use crate::sync::ordered::{Mutex, MutexGuard};

/// How many shards there are: usually more than threads that end a call at the same moment.
const SHARDS: usize = 8;

/// Records the calls of a client and all its clones.
///
/// Recording a call takes one lock, that of one shard. A thread finds a free one unless more
/// threads end a call at once than there are shards. Every 10 seconds, and for every snapshot, the
/// shards are emptied into the store.
///
/// The lock order is store, shards by index, targets (see `sync.rs`). Recording holds one shard at
/// a time, and no lock when it takes the store's.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    shards: [CacheLine; SHARDS],
    /// Invariant: every target has exactly one id.
    targets: Mutex<Targets>,
    /// Invariant: every slice that has left a shard is in here. Whoever takes slices holds this
    /// lock until they are in.
    store: Mutex<Store>,
}

/// Invariant: a call is recorded completely. Two shards in one cache line would slow each other
/// down.
#[derive(Debug)]
#[repr(align(128))]
struct CacheLine(Mutex<Shard>);

impl Default for CacheLine {
    fn default() -> Self {
        Self(Mutex::new(Lock::MetricsShard, Shard::default()))
    }
}

/// A call that has begun. Dropping it without [`end`](Self::end) only removes it from the calls in
/// flight.
#[derive(Debug)]
#[must_use = "a call that is dropped at once was never in flight"]
pub(crate) struct InFlight {
    recorder: Arc<Recorder>,
    id: usize,
    ended: bool,
}

impl Recorder {
    pub(crate) fn new(start: Instant) -> Arc<Self> {
        Arc::new(Self {
            start,
            shards: Default::default(),
            targets: Mutex::new(Lock::MetricsTargets, Targets::new()),
            store: Mutex::new(Lock::MetricsStore, Store::default()),
        })
    }

    /// Notes that a call begins.
    pub(crate) fn begin(self: &Arc<Self>, target: &Target<'_>) -> InFlight {
        let mut shard = self.shard();
        let id = self.id(&mut shard, target);
        shard.add_in_flight(id, 1);
        drop(shard);
        InFlight { recorder: self.clone(), id, ended: false }
    }

    /// Records the end of a call that began with this target id.
    fn record(&self, call: &CallEnd<'_>, now: Instant, id: usize) {
        let slice = timeline::slice(self.since_start(now));
        let mut shard = self.shard();
        shard.add_in_flight(id, -1);
        let is_full = shard.record(slice, id, call);
        drop(shard);
        // If the store is busy, the next call will try again.
        if let Some(mut store) = is_full.then(|| self.store.try_lock()).flatten() {
            self.collect(&mut store);
            store.roll(self.since_start(now));
        }
    }

    /// Records what a call in progress to this target has used so far.
    fn used(&self, id: usize, usage: Usage, cost: Option<Money>, now: Instant) {
        let slice = timeline::slice(self.since_start(now));
        self.shard().used(slice, id, usage, cost);
    }

    /// The thread's own shard or, if that is busy, any free one.
    fn shard(&self) -> MutexGuard<'_, Shard> {
        let own = own_shard();
        (0..SHARDS)
            .find_map(|next| self.shards[(own + next) % SHARDS].0.try_lock())
            .unwrap_or_else(|| self.shards[own].0.lock())
    }

    fn id(&self, shard: &mut Shard, target: &Target<'_>) -> usize {
        if let Some(id) = shard.id(target) {
            return id;
        }
        match self.targets.lock().id(target) {
            Some((id, known)) => {
                shard.learn(id, known);
                id
            }
            None => Targets::OTHER,
        }
    }

    /// Empties the shards into the store, all at the same moment. Returns the calls then in
    /// flight, by target.
    fn collect(&self, store: &mut Store) -> Vec<i64> {
        let mut shards: Vec<_> = self.shards.iter().map(|shard| shard.0.lock()).collect();
        let mut in_flight = Vec::new();
        let mut taken = Vec::with_capacity(SHARDS);
        for shard in &mut shards {
            for (id, calls) in shard.in_flight().iter().enumerate() {
                *place(&mut in_flight, id) += calls;
            }
            taken.push(shard.take());
        }
        drop(shards);
        store.add(taken.iter_mut().flatten());
        for (shard, mut slices) in self.shards.iter().zip(taken) {
            let emptied = slices.pop().map_or_else(Vec::new, |slice| slice.by_target);
            let unused = shard.0.lock().reuse(emptied);
            // Freed only after the shard is unlocked.
            drop(unused);
        }
        in_flight
    }

    /// A snapshot of one moment. It contains every call that ended before, each one completely.
    pub(crate) fn snapshot(
        &self,
        now: Instant,
        at: SystemTime,
        pool: PoolStats,
        costs: Costs,
        retries_left: u32,
    ) -> MetricsSnapshot {
        let uptime = self.since_start(now);
        let mut store = self.store.lock();
        let in_flight = self.collect(&mut store);
        store.roll(uptime);
        let read = store.read(uptime, &self.targets.lock(), &in_flight);
        drop(store);
        MetricsSnapshot {
            at,
            uptime,
            in_flight: read.models.iter().map(|model| model.in_flight).sum(),
            total: read.total,
            windows: read.windows,
            by_model: read.models,
            targets: Vec::new(),
            pool,
            costs,
            cache_failures: 0,
            retries_left,
            slowest: read.slowest,
            failed: read.failed,
        }
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }
}

impl InFlight {
    /// Records an answer that does not end the call.
    pub(crate) fn used(&self, usage: Usage, cost: Option<Money>, now: Instant) {
        self.recorder.used(self.id, usage, cost, now);
    }

    /// Records the end of the call, on the target with which it began.
    pub(crate) fn end(mut self, call: &CallEnd<'_>, now: Instant) {
        self.ended = true;
        self.recorder.record(call, now, self.id);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.recorder.shard().add_in_flight(self.id, -1);
        }
    }
}

/// The index of the thread's own shard.
fn own_shard() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    // A thread that is ending has none left.
    OWN.try_with(Cell::get).unwrap_or_default()
}
