//! The crate's locks, and the one order in which they may be taken.
//!
//! # The order
//!
//! Every lock belongs to a [`Lock`], and every `Lock` has a [level](Lock::level). A thread may take
//! a lock only if its level is above the levels of all locks the thread holds. So no two threads
//! can deadlock. Debug builds check this at every lock, and panic if it fails; release builds
//! contain no check.
//!
//! | level | lock | may be held while taking |
//! |---|---|---|
//! | 1 | [`LoopbackControl`](Lock::LoopbackControl) | the loopback server's state |
//! | 1 | [`Cleaner`](Lock::Cleaner) | the pool's bookkeeping |
//! | 1 | [`CancelListener`](Lock::CancelListener) | the pool's bookkeeping, the limits' lines, or a socket's handle |
//! | 1 | [`MetricsStore`](Lock::MetricsStore) | the metrics' shards, then their targets |
//! | 1 | [`Journal`](Lock::Journal) | the journal's buffer |
//! | 2 | [`MetricsShard`](Lock::MetricsShard) | further shards by rising index, then the targets |
//! | 3 | all others | nothing |
//!
//! Most locks never nest: code that needs two of them copies the data out of the first. No lock is
//! held across network I/O, a sleep, the closing of a connection, or the caller's code (observers,
//! alert callbacks, ledgers, tokenizers); [`none_held`] checks most of that in debug builds. There
//! are four exceptions. A [`CancelListener`](Lock::CancelListener) is held while it shuts a socket
//! down, which does not block. The connections of the SQLite ledger and of the cache's SQLite file
//! are held while SQLite works.
//! [`Journal`](Lock::Journal) is held while lines are written to its file.
//! [`LoopbackControl`](Lock::LoopbackControl) is held while the loopback server changes its mode,
//! for which it connects to itself.
//!
//! Eight reader-writer locks are not checked, and no other lock is taken under them: the cached
//! look-ups of a `Memo` (`memo.rs`), the providers of a client (`call/endpoint.rs`), the lists of
//! models that it has read (`call/lists.rs`), the models and the health of automatic routes
//! (`call/automatic.rs`), and the key, the paths and the recordings of the loopback server. The retry budget, the
//! cancel flag and the switches of an exchange are atomics.
//!
//! # Loom
//!
//! With `--cfg loom`, [`Mutex`] and [`Condvar`] are loom's, so that tests can try every
//! interleaving of the pool, of cancelling, of the in-memory ledger, of the limits and of routes. All
//! other code uses [`ordered`] directly, which is never loom's.

#[cfg(loom)]
mod model;
pub(crate) mod ordered;

#[cfg(loom)]
pub(crate) use model::{AtomicBool, Condvar, Mutex, Ordering};
#[cfg(not(loom))]
pub(crate) use ordered::{Condvar, Mutex};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use ordered::none_held;

/// Every lock of the crate. The comment at each lock says what it guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Which thread changes the loopback server's mode (`testing/server.rs`).
    #[cfg(feature = "testing")]
    LoopbackControl,
    /// Which thread joins the pool's cleaner thread (`pool/cleaner.rs`). If that thread cannot
    /// start, the pool is updated under this lock.
    Cleaner,
    /// One listener of a cancel token (`cancel.rs`). It is held while the listener is called, so
    /// that dropping the registration waits for the call. Listeners only wake a waiter under the
    /// pool's or the limits' lock, shut a socket down, or send on a channel.
    CancelListener,
    /// The metrics collected from the shards (`metrics/recorder.rs`).
    MetricsStore,
    /// A shard of the metrics (`metrics/recorder.rs`). A call holds one shard at a time. The
    /// collector takes all of them by rising index, while it holds the store.
    MetricsShard,
    /// The ids of the metrics' targets (`metrics/recorder.rs`).
    MetricsTargets,
    /// The pool's bookkeeping (`pool/mod.rs`). The condition variables of waiters and of the
    /// cleaner use it.
    Pool,
    /// The listeners of a cancel token (`cancel.rs`). Held to add, remove or copy them, never while
    /// one is called.
    CancelListeners,
    /// The handle that shuts a socket down (`transport/connection.rs`).
    Socket,
    /// The deadline of an exchange (`transport/watch.rs`).
    ExchangeDeadline,
    /// How far a connection being opened has got (`transport/progress.rs`).
    ConnectPhase,
    /// Which calls wait for which name lookup (`transport/resolve.rs`).
    NameLookups,
    /// A stream's answer so far (`stream/source.rs`). Held for one decoding step.
    StreamDecoder,
    /// The times between a stream's tokens (`stream/source.rs`).
    StreamGaps,
    /// The error that a stream's reader ended with (`stream/reader.rs`).
    StreamError,
    /// The health of a target (`route/state.rs`).
    RouteTarget,
    /// The targets where conversations stay (`route/state.rs`).
    RoutePins,
    /// The accounts of the limits (`throttle/memory.rs`).
    LimitAccounts,
    /// Who waits for room in the limits (`throttle/limiter.rs`).
    LimitLines,
    /// The data of cost reports (`cost/tracker.rs`).
    CostTracker,
    /// The clients that share a cost tracker and observe its alerts (`cost/tracker.rs`).
    AlertListeners,
    /// The readers of cost events (`cost/event.rs`).
    CostReaders,
    /// The in-memory ledger (`cost/ledger/memory.rs`).
    MemoryLedger,
    /// The SQLite ledger's connection (`cost/ledger/sqlite/mod.rs`). Unlike all others, it is held
    /// across I/O: the threads of a process queue for the file here.
    #[cfg(feature = "sqlite")]
    SqliteLedger,
    /// The file of a bulk run's journal (`journal/writer.rs`). It is held across the write.
    Journal,
    /// The lines that wait to be written to a journal (`journal/writer.rs`).
    JournalBuffer,
    /// The answers that the cache keeps in memory (`cache/memory.rs`).
    CacheMemory,
    /// The calls that wait for equal ones (`cache/flight.rs`).
    CacheFlights,
    /// The connection of the cache's SQLite file (`cache/sqlite.rs`). It is held across I/O, like that
    /// of the ledger.
    #[cfg(feature = "sqlite")]
    CacheSqlite,
    /// The counts of a bulk run (`bulk/progress.rs`).
    BulkProgress,
    /// The open spans of a `TracingObserver` (`observe/tracing.rs`).
    #[cfg(feature = "tracing")]
    TracingSpans,
    /// A token or project of Google Cloud, and who waits for it (`provider/auth/google/shared.rs`).
    #[cfg(feature = "vertex")]
    GoogleCredentials,
    /// The label values of a `MetricsObserver` (`observe/metrics.rs`).
    #[cfg(feature = "metrics")]
    MetricsLabels,
    /// The loopback server's connections (`testing/server.rs`). Its condition variables use it.
    #[cfg(feature = "testing")]
    Loopback,
    /// The requests that a loopback server recorded (`testing/record.rs`).
    #[cfg(feature = "testing")]
    LoopbackRecord,
    /// The replies of a loopback server (`testing/script.rs`).
    #[cfg(feature = "testing")]
    LoopbackScript,
    /// The files and jobs of a loopback server (`testing/batches.rs`).
    #[cfg(feature = "testing")]
    LoopbackBatches,
}

impl Lock {
    /// The level that decides which locks may be taken under this one; see the [module](self).
    #[cfg_attr(not(debug_assertions), expect(dead_code))]
    pub(crate) const fn level(self) -> u8 {
        match self {
            #[cfg(feature = "testing")]
            Self::LoopbackControl => 1,
            Self::Cleaner | Self::CancelListener | Self::MetricsStore | Self::Journal => 1,
            Self::MetricsShard => 2,
            _ => 3,
        }
    }

    /// Whether a thread may hold several locks of this kind.
    #[cfg_attr(not(debug_assertions), expect(dead_code))]
    pub(crate) const fn is_indexed(self) -> bool {
        matches!(self, Self::MetricsShard)
    }
}
