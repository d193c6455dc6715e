//! Decides which address of a host to connect to next, and races them: Happy Eyeballs (RFC 8305). A
//! dead address costs a quarter of a second instead of a timeout.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use crate::deadline::Deadline;

/// How long the latest attempt runs before the next one joins it: the "Connection Attempt Delay"
/// that RFC 8305 section 5 recommends.
pub(super) const DELAY: Duration = Duration::from_millis(250);

/// The addresses in the order in which to try them. The two families alternate, so that a family
/// without a route delays only every other attempt (RFC 8305 section 4). The first address decides
/// which family starts; the system sorts by RFC 6724, usually IPv6 first.
pub(super) fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut ordered = Vec::with_capacity(addresses.len());
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other) = (VecDeque::new(), VecDeque::new());
    for address in addresses {
        let family = if address.is_ipv6() == first_is_v6 { &mut one } else { &mut other };
        // A hosts file may list an address twice.
        if !family.contains(&address) {
            family.push_back(address);
        }
    }
    while !one.is_empty() || !other.is_empty() {
        ordered.extend(one.pop_front());
        ordered.extend(other.pop_front());
    }
    ordered
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Start to connect to this address.
    Start(SocketAddr),
    /// Wait for an attempt to end, until this instant if there is one.
    Wait(Option<Instant>),
    /// Every address failed.
    Lost,
}

/// The state of the race. It is pure: the caller reports what happens and asks what is next.
#[derive(Debug)]
struct Race {
    waiting: VecDeque<SocketAddr>,
    /// Addresses being connected to, the latest last.
    running: Vec<SocketAddr>,
    delay: Duration,
    /// When the next address may start besides the running ones.
    due: Instant,
}

impl Race {
    fn new(addresses: impl IntoIterator<Item = SocketAddr>, delay: Duration, now: Instant) -> Self {
        let waiting = addresses.into_iter().collect();
        Self { waiting, running: Vec::new(), delay, due: now }
    }

    fn next(&mut self, now: Instant) -> Next {
        let may_start = self.running.is_empty() || self.due <= now;
        match self.waiting.front().copied() {
            Some(address) if may_start => {
                self.waiting.pop_front();
                self.running.push(address);
                self.due = now + self.delay;
                Next::Start(address)
            }
            Some(_) => Next::Wait(Some(self.due)),
            None if self.running.is_empty() => Next::Lost,
            None => Next::Wait(None),
        }
    }

    /// An attempt failed. If it was the latest, the next one need not wait for its delay.
    fn failed(&mut self, address: SocketAddr, now: Instant) {
        if self.running.last() == Some(&address) {
            self.due = now;
        }
        self.running.retain(|running| *running != address);
    }

    /// Starts no further address.
    fn stop(&mut self) {
        self.waiting.clear();
    }

    /// Whether the running attempt has no competitor, now or later.
    fn is_alone(&self) -> bool {
        self.running.len() == 1 && self.waiting.is_empty()
    }
}

/// Connects to the first address that answers. `dial` connects to one address and blocks, at most
/// for the time it is given.
///
/// The first address is tried on the caller's thread, and so is each one after a failure. Threads
/// start only if an address has not answered within [`DELAY`] and another one is waiting. At that
/// moment the slow attempt is given up, because std cannot hand over a half-open connection, and
/// its address is dialled again besides the next one.
///
/// A connection that comes after the winner is closed at once. Attempts in progress end on their
/// own, at the deadline at the latest. After `is_cancelled`, no further attempt starts, and the
/// function returns when those in progress have ended.
pub(super) fn connect<T: Send + 'static>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    deadline: Deadline,
    delay: Duration,
    is_cancelled: impl Fn() -> bool,
    dial: impl Fn(SocketAddr, Option<Duration>) -> io::Result<T> + Clone + Send + 'static,
) -> io::Result<T> {
    let mut race = Race::new(addresses, delay, Instant::now());
    // Unbuffered: a connected loser must not wait unseen in a buffer.
    let (sender, ended) = bounded(0);
    // The number of threads that will still report.
    let mut threads = 0_usize;
    let mut failure = io::Error::new(ErrorKind::NotFound, "the host has no address to connect to");
    loop {
        if is_cancelled() {
            race.stop();
        }
        let now = Instant::now();
        let left = deadline.remaining(now);
        if left == Some(Duration::ZERO) {
            return Err(ErrorKind::TimedOut.into());
        }
        let address = match race.next(now) {
            Next::Lost => return Err(failure),
            Next::Start(address) => address,
            Next::Wait(until) => {
                // If nothing is reported in time, the clock decides what is next.
                let report = match [until, deadline.at()].into_iter().flatten().min() {
                    Some(until) => ended.recv_deadline(until).ok(),
                    None => ended.recv().ok(),
                };
                if let Some((address, outcome)) = report {
                    threads -= 1;
                    match outcome {
                        Ok(connection) => return Ok(connection),
                        Err(cause) => {
                            failure = cause;
                            race.failed(address, Instant::now());
                        }
                    }
                }
                continue;
            }
        };
        if threads == 0 {
            let is_alone = race.is_alone();
            let patience = if is_alone { left } else { Some(left.unwrap_or(delay).min(delay)) };
            match dial(address, patience) {
                Ok(connection) => return Ok(connection),
                // The attempt has more time, but not on this thread.
                Err(cause) if cause.kind() == ErrorKind::TimedOut && !is_alone => {
                    if is_cancelled() || deadline.is_past(Instant::now()) {
                        return Err(cause);
                    }
                }
                Err(cause) => {
                    failure = cause;
                    race.failed(address, Instant::now());
                    continue;
                }
            }
        }
        match start(address, deadline, &dial, &sender) {
            Ok(()) => threads += 1,
            Err(cause) => {
                failure = cause;
                race.failed(address, Instant::now());
            }
        }
    }
}

/// Dials on a thread of its own and reports the result, if anyone still waits.
fn start<T: Send + 'static>(
    address: SocketAddr,
    deadline: Deadline,
    dial: &(impl Fn(SocketAddr, Option<Duration>) -> io::Result<T> + Clone + Send + 'static),
    sender: &Sender<(SocketAddr, io::Result<T>)>,
) -> io::Result<()> {
    let (dial, sender) = (dial.clone(), sender.clone());
    let thread = thread::Builder::new().name("tollgate-connect".to_owned());
    let attempt = move || {
        let outcome = match deadline.remaining(Instant::now()) {
            Some(Duration::ZERO) => Err(ErrorKind::TimedOut.into()),
            left => dial(address, left),
        };
        // Fails once the race is over, and then closes the connection.
        let _ = sender.send((address, outcome));
    };
    thread.spawn(attempt).map(drop)
}

#[cfg(all(test, not(loom)))]
mod tests;
