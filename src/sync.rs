//! The crate's locks, and the one order in which they may be taken.
//!
//! # The order
//!
//! Every lock belongs to a [`Lock`], and every `Lock` has a [level](Lock::level). A thread may
//! take a lock only if its level is above the levels of all locks that the thread holds. So
//! no two threads can wait for each other. Debug builds check it at every lock, and panic;
//! release builds contain nothing of it.
//!
//! | level | lock | may be held while taking |
//! |---|---|---|
//! | 1 | [`LoopbackControl`](Lock::LoopbackControl) | the loopback server's state |
//! | 1 | [`Cleaner`](Lock::Cleaner) | the pool's bookkeeping |
//! | 1 | [`CancelListener`](Lock::CancelListener) | the pool's bookkeeping, or a socket's handle |
//! | 1 | [`MetricsStore`](Lock::MetricsStore) | the metrics' shards, then their targets |
//! | 2 | [`MetricsShard`](Lock::MetricsShard) | further shards by rising index, then the targets |
//! | 3 | all others | nothing |
//!
//! Most locks never nest: whoever needs two of them copies out of the first. No lock is held
//! across network I/O, a sleep, the closing of a connection, or code of the caller (observers,
//! alert callbacks, ledgers, tokenizers); [`none_held`] checks most of that in debug builds.
//! There are three exceptions: a [`CancelListener`](Lock::CancelListener) is held while it
//! shuts a socket down, which does not block; the SQLite ledger's connection while SQLite
//! works; and [`LoopbackControl`](Lock::LoopbackControl) while the loopback server changes its
//! mode, which takes a connection to itself.
//!
//! Four reader-writer locks stand outside the check. Nothing is taken under them either: the
//! remembered look-ups of a price table (`cost::Prices`), the providers of a client
//! (`call/endpoint.rs`), and the key and the paths of the loopback server. The retry budget,
//! the cancel flag and the switches of an exchange are atomics.
//!
//! # Loom
//!
//! With `--cfg loom`, [`Mutex`] and [`Condvar`] are loom's, so that tests can try every
//! interleaving of the pool, of cancelling and of the ledger in memory. Everything else uses
//! [`ordered`] directly, which is never loom's.

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

/// Every lock of the crate. The comment at the lock itself names what it guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Who changes the loopback server's mode (`testing/server.rs`).
    #[cfg(feature = "testing")]
    LoopbackControl,
    /// Who joins the pool's cleaner thread (`pool/cleaner.rs`). A failed start of the thread
    /// is noted in the pool while it is held.
    Cleaner,
    /// One listener of a cancel token (`cancel.rs`). It is held while the listener is called,
    /// so that dropping the registration waits for the call. Listeners wake a waiter under the
    /// pool's lock, shut a socket down, or send on a channel, and nothing else.
    CancelListener,
    /// The metrics collected from the shards (`metrics/recorder.rs`).
    MetricsStore,
    /// A shard of the metrics (`metrics/recorder.rs`). Calls hold one at a time; the collector
    /// takes all by rising index, and holds the store.
    MetricsShard,
    /// The ids of the metrics' targets (`metrics/recorder.rs`).
    MetricsTargets,
    /// The pool's bookkeeping (`pool/mod.rs`). The condition variables of waiters and of the
    /// cleaner wait under it.
    Pool,
    /// The listeners of a cancel token (`cancel.rs`). Held to add, remove or copy them, never
    /// while one is called.
    CancelListeners,
    /// The handle that shuts a socket down (`transport/connection.rs`).
    Socket,
    /// The leased connection on its way into ureq (`transport/handoff.rs`).
    Handoff,
    /// The deadline of an exchange (`transport/watch.rs`).
    ExchangeDeadline,
    /// How far the opening of a connection has come (`transport/progress.rs`).
    ConnectPhase,
    /// Who waits for which name lookup (`transport/resolve.rs`).
    NameLookups,
    /// A stream's answer so far (`stream/source.rs`). Held for a step of decoding.
    StreamDecoder,
    /// The times between a stream's tokens (`stream/source.rs`).
    StreamGaps,
    /// The error that a stream's reader ended with (`stream/reader.rs`).
    StreamError,
    /// What cost reports are made of (`cost/tracker.rs`).
    CostTracker,
    /// The clients that share a cost tracker and observe its alerts (`cost/tracker.rs`).
    AlertListeners,
    /// The readers of cost events (`cost/event.rs`).
    CostReaders,
    /// The ledger in memory (`cost/ledger/memory.rs`).
    MemoryLedger,
    /// The SQLite ledger's connection (`cost/ledger/sqlite/mod.rs`). Unlike all others it is
    /// held over I/O: it makes the threads of a process wait in line for the file.
    #[cfg(feature = "sqlite")]
    SqliteLedger,
    /// The open spans of a `TracingObserver` (`observe/tracing.rs`).
    #[cfg(feature = "tracing")]
    TracingSpans,
    /// The label values of a `MetricsObserver` (`observe/metrics.rs`).
    #[cfg(feature = "metrics")]
    MetricsLabels,
    /// The loopback server's connections (`testing/server.rs`). Its condition variables wait
    /// under it.
    #[cfg(feature = "testing")]
    Loopback,
    /// The requests that a loopback server recorded (`testing/record.rs`).
    #[cfg(feature = "testing")]
    LoopbackRecord,
    /// The replies of a loopback server (`testing/script.rs`).
    #[cfg(feature = "testing")]
    LoopbackScript,
}

impl Lock {
    /// The level that decides what may be taken while it is held; see the [module](self).
    #[cfg_attr(not(debug_assertions), expect(dead_code))]
    pub(crate) const fn level(self) -> u8 {
        match self {
            #[cfg(feature = "testing")]
            Self::LoopbackControl => 1,
            Self::Cleaner | Self::CancelListener | Self::MetricsStore => 1,
            Self::MetricsShard => 2,
            _ => 3,
        }
    }

    /// Whether a thread may hold several of these.
    #[cfg_attr(not(debug_assertions), expect(dead_code))]
    pub(crate) const fn is_indexed(self) -> bool {
        matches!(self, Self::MetricsShard)
    }
}
