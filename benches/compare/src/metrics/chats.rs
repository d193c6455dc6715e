//! What a whole call takes of a processor, with more and more that watches it.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tollgate::observe::{Call, CallEnd, Lease, Observer};
use tollgate::{Attempt, Budget, Client, ClientBuilder, Money};

use crate::processor;
use crate::rounds::{Effort, median, ratio, spread};
use crate::server::answers::{ANSWER, KEY, MODEL, QUESTION};
use crate::server::{Manner, Server};

/// The first is measured twice, so that it is known what a difference is worth.
pub const NAMES: [&str; 5] =
    ["off", "off again", "metrics", "metrics and observer", "metrics, observer and budget"];

const ALL: [fn(ClientBuilder) -> ClientBuilder; 5] = [
    |builder| builder.metrics(false),
    |builder| builder.metrics(false),
    |builder| builder,
    |builder| builder.observer(Counter::default()),
    |builder| builder.observer(Counter::default()).budget(Budget::daily(Money::dollars(1_000))),
];

/// Sees all that happens to a call.
#[derive(Debug, Default)]
struct Counter {
    seen: AtomicU64,
    micros: AtomicU64,
}

impl Counter {
    fn see(&self) {
        self.seen.fetch_add(1, Ordering::Relaxed);
    }
}

impl Observer for Counter {
    fn call_begun(&self, _: &Call<'_>) {
        self.see();
    }

    fn attempt_begun(&self, _: &Call<'_>, _: u32) {
        self.see();
    }

    fn attempt_ended(&self, _: &Call<'_>, _: &Attempt) {
        self.see();
    }

    fn connection_leased(&self, _: &Lease<'_>) {
        self.see();
    }

    fn call_ended(&self, _: &Call<'_>, end: &CallEnd<'_>) {
        self.see();
        let micros = u64::try_from(end.latency.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

#[derive(Debug, Serialize)]
pub struct Chats {
    pub rounds: usize,
    /// In the order of the names, in user and kernel mode together.
    pub micros: [f64; NAMES.len()],
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; NAMES.len()],
    pub to_off: [f64; NAMES.len()],
}

/// How many times the clients are created, because their place in memory matters, too.
const TIMES_NEW: usize = 10;

/// Few, so that what else the machine does hits all of a round alike.
const CALLS: u32 = 100;

/// Nothing where the system does not tell.
pub fn measure(effort: Effort) -> Option<Chats> {
    processor::mine()?;
    let server = Server::start(false).expect("it runs once more");
    let mut found = [const { Vec::new() }; NAMES.len()];
    for _ in 0..TIMES_NEW {
        let clients = ALL.map(|watched| client(&server, watched));
        let rounds = effort.rotate(&clients, |client| {
            let took = processor::of(|| (0..CALLS).for_each(|_| ask(client)));
            took.unwrap_or_default().as_secs_f64() * 1e6 / f64::from(CALLS)
        });
        found.iter_mut().zip(rounds).for_each(|(all, rounds)| all.extend(rounds));
    }
    let off = found[0].clone();
    Some(Chats {
        rounds: off.len(),
        to_off: found.each_ref().map(|rounds| ratio(rounds, &off, |micros| *micros)),
        spread: found.each_ref().map(|rounds| spread(rounds)),
        micros: found.map(median),
    })
}

fn client(server: &Server, watched: impl Fn(ClientBuilder) -> ClientBuilder) -> Client {
    let builder = Client::builder()
        .provider("openai")
        .model(MODEL)
        .api_key(KEY)
        .base_url(server.url(Manner::AtOnce))
        .timeout(Duration::from_secs(30));
    let client = watched(builder).build().expect("a valid configuration");
    // Opens the connection, and finds the price.
    (0..100).for_each(|_| ask(&client));
    client
}

fn ask(client: &Client) {
    let response = client.chat(QUESTION).expect("an answer");
    assert_eq!(response.text(), ANSWER);
}
