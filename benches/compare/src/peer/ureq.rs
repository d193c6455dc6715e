use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::{Peer, pause};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// ureq's own pool. It cannot be had by itself: a turn is a request over a
/// connection in memory, and what the pool takes of it is timed from inside.
///
/// It keeps so many connections when they are not in use, but has no cap on those
/// that are: no one waits, and whoever finds none opens one.
pub struct Ureq {
    agent: Agent,
    opened: Arc<AtomicU64>,
}

thread_local! {
    /// The request of this thread.
    static REQUEST: Marks = const { Marks::new() };
}

struct Marks {
    hold: Cell<Duration>,
    /// When it had looked up the host; the pool is asked next.
    resolved: Cell<Option<Instant>>,
    /// When the connection was first used.
    leased: Cell<Option<Instant>>,
    /// When it was found that the whole answer is there; the pool is next.
    answered: Cell<Option<Instant>>,
}

impl Marks {
    const fn new() -> Self {
        Self {
            hold: Cell::new(Duration::ZERO),
            resolved: Cell::new(None),
            leased: Cell::new(None),
            answered: Cell::new(None),
        }
    }
}

fn mark(at: &Cell<Option<Instant>>) {
    if at.get().is_none() {
        at.set(Some(Instant::now()));
    }
}

impl Ureq {
    pub fn new(connections: usize) -> Self {
        let opened = Arc::new(AtomicU64::new(0));
        let config = Config::builder()
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .proxy(None)
            .build();
        let agent = Agent::with_parts(config, InMemory { opened: Arc::clone(&opened) }, NoLookup);
        Self { agent, opened }
    }

    /// One request. Returns how long it took to get a connection, and to return it.
    fn request(&self, hold: Duration) -> (Duration, Duration) {
        REQUEST.with(|marks| {
            marks.hold.set(hold);
            for mark in [&marks.resolved, &marks.leased, &marks.answered] {
                mark.set(None);
            }
        });
        let answer = self.agent.get("http://pool.test/").call().expect("an answer");
        let mut body = answer.into_body();
        assert_eq!(body.read_to_vec().expect("a body"), b"ok");
        let now = Instant::now();
        REQUEST.with(|marks| {
            let at = |mark: &Cell<Option<Instant>>| mark.get().expect("every request comes by");
            (at(&marks.leased) - at(&marks.resolved), now - at(&marks.answered))
        })
    }
}

impl Peer for Ureq {
    fn name(&self) -> &'static str {
        "ureq"
    }

    fn turns(&self, times: u32) -> Duration {
        (0..times)
            .map(|_| {
                let (lease, give_back) = self.request(Duration::ZERO);
                lease + give_back
            })
            .sum()
    }

    fn hold(&self, hold: Duration) -> Duration {
        self.request(hold).0
    }

    fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct NoLookup;

impl Resolver for NoLookup {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.empty();
        REQUEST.with(|marks| mark(&marks.resolved));
        Ok(addresses)
    }
}

#[derive(Debug)]
struct InMemory {
    opened: Arc<AtomicU64>,
}

impl Connector for InMemory {
    type Out = Answering;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Answering>, ureq::Error> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Answering { buffers: LazyBuffers::new(1024, 1024), in_use: false }))
    }
}

/// Answers every request, after the time that its thread wants.
struct Answering {
    buffers: LazyBuffers,
    /// Whether a request was sent on it and not all of the answer read.
    in_use: bool,
}

impl Transport for Answering {
    fn buffers(&mut self) -> &mut dyn Buffers {
        REQUEST.with(|marks| mark(&marks.leased));
        &mut self.buffers
    }

    fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.in_use = true;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        REQUEST.with(|marks| pause(marks.hold.get()));
        self.buffers.input_append_buf()[..ANSWER.len()].copy_from_slice(ANSWER);
        self.buffers.input_appended(ANSWER.len());
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        // The pool asks when it is given the connection and when it hands it out.
        if self.in_use {
            self.in_use = false;
            REQUEST.with(|marks| mark(&marks.answered));
        }
        true
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}
