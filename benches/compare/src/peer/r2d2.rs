use r2d2::{ManageConnection, Pool, PooledConnection};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Connection, Peer, TIMEOUT, pause};

/// r2d2's pool with its defaults.
pub struct R2d2 {
    pool: Pool<Manager>,
    opened: Arc<AtomicU64>,
}

struct Manager {
    opened: Arc<AtomicU64>,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Infallible;

    fn connect(&self) -> Result<Connection, Infallible> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Connection)
    }

    fn is_valid(&self, _: &mut Connection) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

impl R2d2 {
    pub fn new(connections: usize) -> Self {
        let opened = Arc::new(AtomicU64::new(0));
        let pool = Pool::builder()
            .max_size(u32::try_from(connections).expect("a small number"))
            .connection_timeout(TIMEOUT)
            .build(Manager { opened: Arc::clone(&opened) })
            .expect("connecting cannot fail");
        Self { pool, opened }
    }

    fn lease(&self) -> PooledConnection<Manager> {
        self.pool.get().expect("a place within the time")
    }
}

impl Peer for R2d2 {
    fn name(&self) -> &'static str {
        "r2d2"
    }

    fn turns(&self, times: u32) -> Duration {
        let begun = Instant::now();
        for _ in 0..times {
            drop(self.lease());
        }
        begun.elapsed()
    }

    fn hold(&self, hold: Duration) -> Duration {
        let begun = Instant::now();
        let lease = self.lease();
        let wait = begun.elapsed();
        pause(hold);
        drop(lease);
        wait
    }

    fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}
