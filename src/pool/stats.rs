//! The pool's counts, in total and by origin.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::histogram::Histogram;

/// What a pool holds and has done, all at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolStats {
    /// Over all origins.
    pub total: OriginStats,
    /// By origin, such as `https://api.openai.com:443`.
    pub origins: BTreeMap<String, OriginStats>,
}

impl PoolStats {
    pub(super) fn sum(origins: impl IntoIterator<Item = (String, OriginStats)>) -> Self {
        let mut stats = Self::default();
        for (name, origin) in origins {
            stats.total.add(&origin);
            stats.origins.insert(name, origin);
        }
        stats
    }
}

/// A pool's numbers for one origin, or for all.
///
/// The first four are what is there now; the others count since the start, and
/// `opened` = `active` + `idle` + all of `closed` at every moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OriginStats {
    /// Connections in use.
    pub active: usize,
    /// Connections being opened.
    pub opening: usize,
    /// Connections at rest, ready for use.
    pub idle: usize,
    /// Callers in line for one.
    pub waiting: usize,
    /// Connections opened.
    pub opened: u64,
    /// How often an idle connection was taken for another call, including those that then
    /// turned out to be closed by the server or to hold unrequested bytes.
    pub reused: u64,
    /// Connections closed, by reason.
    pub closed: ClosedConnections,
    /// Connections that could not be opened, by what failed.
    pub failed: ConnectFailures,
    /// How long callers waited in line. Those served at once are not in it.
    pub waits: Histogram,
}

impl OriginStats {
    fn add(&mut self, other: &Self) {
        self.active += other.active;
        self.opening += other.opening;
        self.idle += other.idle;
        self.waiting += other.waiting;
        self.opened += other.opened;
        self.reused += other.reused;
        self.closed.add(&other.closed);
        self.failed.add(&other.failed);
        self.waits.add(&other.waits);
    }
}

/// Counts by the variants of an enum: a field for each.
macro_rules! counts {
    ($(#[$about:meta])* $counts:ident by $kind:ident {
        $($(#[$doc:meta])* $field:ident: $variant:ident,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $counts {
            $($(#[$doc])* pub $field: u64,)*
        }

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $kind {
            $($variant,)*
        }

        impl $counts {
            pub(super) fn count(&mut self, kind: $kind) {
                match kind {
                    $($kind::$variant => self.$field += 1,)*
                }
            }

            fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }

            /// All of them.
            pub fn total(&self) -> u64 {
                0 $(+ self.$field)*
            }
        }
    };
}

counts! {
    /// Why connections were closed, and how many for each reason.
    ClosedConnections by CloseReason {
        /// Unused for [`idle_timeout`](crate::PoolConfig::idle_timeout).
        idle: Idle,
        /// As old as [`max_lifetime`](crate::PoolConfig::max_lifetime).
        lifetime: Lifetime,
        /// Found dead, or failed while in use.
        broken: Broken,
        /// Not to be used again after an answer: the server said so or closed it,
        /// or the answer was not read to its end.
        ended: Ended,
        /// The server sent bytes that no request had asked for; the next call would have
        /// taken them for its answer. Some connections cannot tell them from an end and count
        /// as `broken`: those through a SOCKS proxy.
        unrequested: Unrequested,
        /// Because its call was cancelled.
        cancelled: Cancelled,
        /// To make way for another origin.
        evicted: Evicted,
        /// With the pool itself.
        shutdown: Shutdown,
    }
}

counts! {
    /// What kept connections from being opened, and how often.
    ConnectFailures by ConnectFailure {
        /// The host name was not found.
        resolve: Resolve,
        /// The server could not be reached.
        connect: Connect,
        /// No encrypted connection came about.
        tls: Tls,
        /// Time ran out in any of these.
        timeout: Timeout,
        /// The call was cancelled meanwhile.
        cancelled: Cancelled,
    }
}
