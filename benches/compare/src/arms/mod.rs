//! The clients that are compared. Each makes the same call, or reads the same stream, in a
//! process of its own.
//!
//! What is the same for all: the question, the wire format, a name to look up, a connection
//! that is kept, 30 seconds for the whole call (save the floors and `ureq`), the encryption
//! by rustls and ring with the one authority that is trusted, and that the answer is looked
//! at: its text, or the length of all texts of a stream.
//!
//! What is decided in favour of the peers:
//! - what a program has to set up once is set up once: clients, agents, runtimes;
//! - the async ones are measured on both of tokio's runtimes (see [`runtime`]): that of their
//!   examples and, as `…-1`, the one that costs them less;
//! - where a program without a client of a model has to parse an answer itself, it does so
//!   into types, without the tree of a `Value`; a stream's events it reads into `Value`s,
//!   since this is what is written for them;
//! - reqwest asks for no compression and unpacks none, unless its user (genai) says so.
//!
//! tollgate has everything on: pool, retries, deadline, budget, metrics, typed response.

mod async_openai;
mod completion;
pub mod floor;
pub mod genai;
mod reqwest;
pub mod runtime;
pub mod tollgate;
mod unchunked;
mod ureq;

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::processor;
use crate::server::answers::{ANSWER, streamed};
use async_openai::AsyncOpenAi;

/// Within which a call has to be done.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// One way to call a model.
pub trait Arm {
    /// Asks, and hands out the text of the answer.
    fn chat(&mut self) -> Result<String, Failure>;

    /// Asks for a stream, reads it to its end, and tells how long its texts are.
    fn stream(&mut self) -> Result<usize, Failure>;
}

/// Makes an arm that calls the server at this base URL.
type New = fn(&str) -> Result<Box<dyn Arm>, Failure>;

const ALL: [(&str, New); 11] = [
    ("floor", |url| Ok(Box::new(floor::Floor::new(url, false)?))),
    ("floor-typed", |url| Ok(Box::new(floor::Floor::new(url, true)?))),
    ("ureq", |url| Ok(Box::new(ureq::Ureq::new(url, None)?))),
    ("ureq-timeout", |url| Ok(Box::new(ureq::Ureq::new(url, Some(TIMEOUT))?))),
    ("reqwest", |url| Ok(Box::new(reqwest::Reqwest::new(url)?))),
    ("async-openai", |url| Ok(Box::new(AsyncOpenAi::new(url, runtime::of_many_threads()?)?))),
    ("async-openai-1", |url| Ok(Box::new(AsyncOpenAi::new(url, runtime::of_one_thread()?)?))),
    ("genai", |url| Ok(Box::new(genai::GenAi::new(url, runtime::of_many_threads()?)?))),
    ("genai-1", |url| Ok(Box::new(genai::GenAi::new(url, runtime::of_one_thread()?)?))),
    ("tollgate", |url| Ok(Box::new(tollgate::Tollgate::new(url)?))),
    ("tollgate-route", |urls| Ok(Box::new(tollgate::Tollgate::of_route(urls)?))),
];

/// What the calls of one process took, in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// Of a processor, in user and kernel mode, for each call.
    pub cpu: f64,
    pub wall_p50: f64,
    pub wall_p99: f64,
}

/// Makes so many calls, after some that do not count, and prints a [`Sample`].
pub fn run(bench: &str, name: &str, url: &str, calls: &str) -> Result<(), Failure> {
    let calls: u32 = calls.parse()?;
    let (_, new) = ALL.iter().find(|(known, _)| *known == name).ok_or("an unknown arm")?;
    let mut arm = new(url)?;
    let sample = match bench {
        "overhead" => sample(calls, || {
            let text = arm.chat()?;
            if text == ANSWER { Ok(()) } else { Err(format!("a wrong answer: {text}").into()) }
        }),
        "stream" => {
            let whole = streamed();
            sample(calls, || {
                let length = arm.stream()?;
                let message = || format!("a wrong stream: {length} bytes of text, not {whole}");
                if length == whole { Ok(()) } else { Err(message().into()) }
            })
        }
        _ => return Err("an unknown measurement".into()),
    }?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// How many calls come before those that count. They open the connection, and do whatever else is
/// done once.
pub fn warm_up(calls: u32) -> u32 {
    (calls / 10).clamp(5, 500)
}

fn sample(calls: u32, mut call: impl FnMut() -> Result<(), Failure>) -> Result<Sample, Failure> {
    for _ in 0..warm_up(calls) {
        call()?;
    }
    let mut walls = Vec::with_capacity(calls as usize);
    let before = processor::process();
    for _ in 0..calls {
        let begun = Instant::now();
        call()?;
        walls.push(begun.elapsed());
    }
    let took = processor::process() - before;
    walls.sort_unstable();
    let quantile = |percent: usize| walls[(walls.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    Ok(Sample {
        cpu: took.as_secs_f64() * 1e6 / f64::from(calls),
        wall_p50: quantile(50),
        wall_p99: quantile(99),
    })
}
