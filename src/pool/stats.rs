//! The pool's counts, in total and per origin.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::histogram::Histogram;

/// The pool's counts, all taken at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolStats {
    /// The sums over all origins.
    pub total: OriginStats,
    /// Each origin, such as `https://api.openai.com:443`.
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

/// The pool's counts for one origin, or for all.
///
/// `active`, `opening`, `idle` and `waiting` are current; the others count from the start. At every
/// moment, `opened` = `active` + `idle` + the sum of `closed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OriginStats {
    /// Connections in use.
    pub active: usize,
    /// Connections being opened.
    pub opening: usize,
    /// Idle connections, ready for use.
    pub idle: usize,
    /// Callers waiting for a connection.
    pub waiting: usize,
    /// Connections opened.
    pub opened: u64,
    /// How often a call took an idle connection, including those that the server turned out to
    /// have closed or that held unrequested bytes.
    pub reused: u64,
    /// Connections closed, by reason.
    pub closed: ClosedConnections,
    /// Connections that could not be opened, by cause.
    pub failed: ConnectFailures,
    /// How long callers waited for a connection. Callers served at once are not included.
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

/// Counts the variants of an enum, in one field each.
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

            /// The sum of all fields.
            pub fn total(&self) -> u64 {
                0 $(+ self.$field)*
            }
        }
    };
}

counts! {
    /// How many connections were closed, by reason.
    ClosedConnections by CloseReason {
        /// Idle for [`idle_timeout`](crate::PoolConfig::idle_timeout).
        idle: Idle,
        /// Reached [`max_lifetime`](crate::PoolConfig::max_lifetime).
        lifetime: Lifetime,
        /// Dead when reused, or failed while in use.
        broken: Broken,
        /// Not reusable after a response: the server said so or closed it, or the response was not
        /// read to its end.
        ended: Ended,
        /// The server sent bytes that no request asked for; the next call would have read them as
        /// its response. A SOCKS proxy hides the difference from a closed connection, so there they
        /// count as `broken`.
        unrequested: Unrequested,
        /// Its call was cancelled.
        cancelled: Cancelled,
        /// Evicted for a connection to another origin.
        evicted: Evicted,
        /// The pool was shut down.
        shutdown: Shutdown,
    }
}

counts! {
    /// How many connections failed to open, by cause.
    ConnectFailures by ConnectFailure {
        /// The host name did not resolve.
        resolve: Resolve,
        /// The server was unreachable.
        connect: Connect,
        /// The TLS handshake failed.
        tls: Tls,
        /// A time limit passed during any of these.
        timeout: Timeout,
        /// The call was cancelled meanwhile.
        cancelled: Cancelled,
    }
}
