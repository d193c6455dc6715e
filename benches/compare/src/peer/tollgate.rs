use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tollgate::internals::{Lease, Pool};

use super::{Connection, Peer, TIMEOUT, pause};

/// The crate's pool, as its transport uses it.
pub struct Tollgate {
    pool: Pool<Connection>,
    opened: AtomicU64,
}

impl Tollgate {
    pub fn new(connections: usize) -> Self {
        Self { pool: Pool::new(connections), opened: AtomicU64::new(0) }
    }

    fn lease(&self) -> Lease<Connection> {
        let open = || {
            self.opened.fetch_add(1, Ordering::Relaxed);
            Connection
        };
        self.pool.lease(TIMEOUT, open).expect("a place within the time")
    }
}

impl Peer for Tollgate {
    fn name(&self) -> &'static str {
        "tollgate"
    }

    fn turns(&self, times: u32) -> Duration {
        let begun = Instant::now();
        for _ in 0..times {
            self.lease().give_back();
        }
        begun.elapsed()
    }

    fn hold(&self, hold: Duration) -> Duration {
        let begun = Instant::now();
        let lease = self.lease();
        let wait = begun.elapsed();
        pause(hold);
        lease.give_back();
        wait
    }

    fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}
