//! Whole calls, to the loopback provider by its host name, within 30 seconds.

use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tollgate::Client;
use tollgate::testing::{Loopback, Reply};
use ureq::Agent;
use ureq::config::Config;

use crate::rounds::{Effort, median, ratio};

const TIMEOUT: Duration = Duration::from_secs(30);
const MODEL: &str = "gpt-4o-mini";
const KEY: &str = "sk-loopback";

/// One way to ask a question.
pub trait Ask {
    fn ask(&self);
}

/// A client of this crate.
pub struct Tollgate {
    client: Client,
}

impl Tollgate {
    pub fn new(url: &str) -> Self {
        let client = Client::builder()
            .provider("openai")
            .model(MODEL)
            .api_key(KEY)
            .base_url(url)
            .timeout(TIMEOUT)
            .build()
            .expect("a valid configuration");
        Self { client }
    }

    /// How many connections are at rest.
    pub fn idle(&self) -> usize {
        self.client.pool().total.idle
    }
}

impl Ask for Tollgate {
    fn ask(&self) {
        let response = self.client.chat("What is the capital of France?").expect("an answer");
        assert_eq!(response.text(), "Paris");
    }
}

/// What one would write with ureq and its own pool.
pub struct Ureq {
    agent: Agent,
    url: String,
}

impl Ureq {
    pub fn new(url: &str) -> Self {
        let config = Config::builder().timeout_global(Some(TIMEOUT)).build();
        Self { agent: config.into(), url: format!("{url}/chat/completions") }
    }
}

impl Ask for Ureq {
    fn ask(&self) {
        let body = json!({
            "model": MODEL,
            "messages": [{ "role": "user", "content": "What is the capital of France?" }],
        });
        let response = self
            .agent
            .post(&self.url)
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .send(body.to_string());
        let body = response.and_then(|mut response| response.body_mut().read_to_vec());
        let answer: Value = serde_json::from_slice(&body.expect("an answer")).expect("JSON");
        assert_eq!(answer["choices"][0]["message"]["content"], "Paris");
    }
}

pub fn server() -> Loopback {
    let server = Loopback::start().expect("a free port");
    server.record_requests(false);
    server.default_reply(Reply::text("Paris"));
    server
}

/// By name: an address would need no lookup.
pub fn url(server: &Loopback) -> String {
    format!("http://localhost:{}/v1", server.address().port())
}

/// Makes `count` calls over one connection: what is run under strace.
pub fn requests(peer: &str, url: &str, count: u32) {
    let (tollgate, ureq);
    let caller: &dyn Ask = if peer == "ureq" {
        ureq = Ureq::new(url);
        &ureq
    } else {
        tollgate = Tollgate::new(url);
        &tollgate
    };
    for _ in 0..count {
        caller.ask();
    }
}

#[derive(Debug, Serialize)]
pub struct Calls {
    pub tollgate_us: f64,
    pub ureq_us: f64,
    pub to_ureq: f64,
}

pub fn measure(effort: Effort) -> Calls {
    let times = if effort.quick { 500 } else { 5_000 };
    let server = server();
    let (tollgate, ureq) = (Tollgate::new(&url(&server)), Ureq::new(&url(&server)));
    let found = effort.rotate(&[&tollgate as &dyn Ask, &ureq], |caller| {
        caller.ask();
        let begun = Instant::now();
        for _ in 0..times {
            caller.ask();
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    });
    let to_ureq = ratio(&found[0], &found[1], |micros| *micros);
    let [tollgate_us, ureq_us] = found.map(median);
    Calls { tollgate_us, ureq_us, to_ureq }
}
