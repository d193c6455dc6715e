//! Metrics: how many calls, how long they took, how they failed, what they used.
//!
//! [`MetricsSnapshot`] is what callers read. Its `Display` is for a terminal, and
//! [`prometheus`](MetricsSnapshot::prometheus) for a scraper. `names` has every name that other
//! programs see.
//!
//! ```text
//! begin ─► InFlight ─► end ─► shard: the current slice of 10 s           recorder, shard
//!                               │  when it is over, or for a snapshot
//!                               ▼
//!                             store: 10 s ─► 1 min ─► since the start    (pure) store, timeline
//!                               │
//!                               ▼
//!                             MetricsSnapshot                                    snapshot
//! ```

mod cache;
mod call;
pub(crate) mod names;
mod prometheus;
mod recorder;
mod sample;
mod shard;
mod snapshot;
mod stats;
mod store;
mod table;
mod target;
mod timeline;

pub use cache::CacheStats;
pub(crate) use cache::CacheUse;
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(crate) use call::Ending;
pub(crate) use call::{CallEnd, Counted};
pub(crate) use names::{
    BATCH, CHAT, COUNT_TOKENS, EMBEDDINGS, LIST_MODELS, MODERATION, RAW, TEXT_COMPLETION,
};
pub(crate) use recorder::{InFlight, Recorder};
pub use sample::CallSample;
pub use snapshot::{Costs, MetricsSnapshot, ModelStats, Window, Windows};
pub use stats::{ErrorStats, Stats, Tokens};
pub(crate) use target::Target;
#[cfg(feature = "metrics")]
pub(crate) use target::{MOST, OTHER, bounded};

#[cfg(test)]
mod tests;
