//! How often the threads of a client wake up that has nothing to do.

use serde::Serialize;
use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use crate::call::{self, Ask};
use crate::peer;
use crate::rounds::Effort;
use crate::switches;

#[derive(Debug, Serialize)]
pub struct Idle {
    pub seconds: u64,
    /// Wake-ups, by the name of the thread: `None` if there is no such thread.
    pub tollgate: Option<u64>,
    pub r2d2: Option<u64>,
}

/// A client that has made one call and an r2d2 pool, both with a connection at
/// rest, in the same while. ureq's own pool has no thread: it closes what is too
/// old when it is next used.
pub fn measure(effort: Effort) -> Idle {
    let seconds = if effort.quick { 10 } else { 60 };
    let server = call::server();
    let client = call::Tollgate::new(&call::url(&server));
    client.ask();
    let r2d2 = peer::ALL[1](1);
    r2d2.turns(1);
    // The threads they start have settled by then.
    thread::sleep(Duration::from_secs(1));
    let before: HashMap<u64, u64> =
        switches::all().iter().map(|thread| (thread.id, thread.voluntary)).collect();
    thread::sleep(Duration::from_secs(seconds));
    let after = switches::all();
    assert_eq!(client.idle(), 1, "the connection is still at rest");
    let of = |prefix: &str| {
        let ours = after.iter().filter(|thread| thread.name.starts_with(prefix));
        // Who wakes has to go to sleep again, which is what is counted.
        ours.map(|thread| thread.voluntary - before.get(&thread.id).copied().unwrap_or(0))
            .reduce(|sum, wakes| sum + wakes)
    };
    Idle { seconds, tollgate: of("tollgate-pool"), r2d2: of("r2d2") }
}
