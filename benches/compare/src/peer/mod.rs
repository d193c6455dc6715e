//! The pools, each behind the same few operations, with connections that cost
//! nothing to open.

mod r2d2;
mod tollgate;
mod ureq;

use std::thread;
use std::time::Duration;

/// The most that a turn waits for a connection.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What was opened.
#[derive(Debug)]
pub struct Connection;

pub trait Peer: Sync {
    fn name(&self) -> &'static str;

    /// Leases a connection and returns it, `times` over. Returns how long that
    /// took in all.
    fn turns(&self, times: u32) -> Duration;

    /// Leases a connection, keeps it for `hold`, returns it. Tells the wait for it.
    fn hold(&self, hold: Duration) -> Duration;

    /// How many connections were opened so far.
    fn opened(&self) -> u64;
}

/// How each is made, with room for so many connections.
pub const ALL: [fn(usize) -> Box<dyn Peer>; 3] = [
    |connections| Box::new(tollgate::Tollgate::new(connections)),
    |connections| Box::new(r2d2::R2d2::new(connections)),
    |connections| Box::new(ureq::Ureq::new(connections)),
];

fn pause(hold: Duration) {
    if !hold.is_zero() {
        thread::sleep(hold);
    }
}
