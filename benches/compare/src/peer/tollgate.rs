use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Connection, Peer, TIMEOUT, pause};
use crate::deadline::Deadline;
use crate::pool::{Acquired, Lease, Limits, OriginId, Pool};

const MINUTE: Duration = Duration::from_secs(60);

/// The crate's pool, as its transport uses it.
pub struct Tollgate {
    pool: Pool<Connection>,
    origin: OriginId,
    opened: AtomicU64,
}

impl Tollgate {
    pub fn new(connections: usize) -> Self {
        let limits = Limits {
            max_size: connections,
            max_per_origin: connections,
            idle_timeout: 10 * MINUTE,
        };
        let pool = Pool::new(limits, Duration::from_secs(1));
        Self { origin: pool.register("http://pool.test:80"), pool, opened: AtomicU64::new(0) }
    }

    fn lease(&self) -> Lease<Connection> {
        let deadline = Deadline::after(Instant::now(), TIMEOUT);
        match self.pool.acquire(self.origin, deadline, None).expect("a place within the time") {
            Acquired::Reused(lease, _) => lease,
            Acquired::Open(permit) => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                permit.fill(Connection, Instant::now().checked_add(30 * MINUTE))
            }
        }
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
