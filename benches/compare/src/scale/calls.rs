//! 256 calls at once, again and again, to a server that takes 200 ms for each.
//!
//! tollgate uses one thread per call and a pool large enough for all. genai uses one task per call
//! on tokio's multi-threaded runtime, and room for as many idle connections (its default is four).
//! Nobody waits for the others between two calls. All connections
//! are open before the first call that counts.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};
use tollgate::PoolConfig;

use crate::arms;
use crate::failure::Failure;
use crate::processor;
use crate::server::answers::{ANSWER, DELAY, QUESTION};

/// How many call at once.
pub const CALLERS: usize = 256;

/// How many calls a second there would be if clients, server and kernel took no time.
pub fn ideal() -> f64 {
    CALLERS as f64 / DELAY.as_secs_f64()
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Calls {
    pub per_second: f64,
    /// Of a processor, in microseconds, for each call.
    pub cpu: f64,
}

/// Each caller makes so many calls.
pub fn run(arm: &str, url: &str, waves: usize) -> Result<Calls, Failure> {
    match arm {
        "tollgate" => threads(url, waves),
        "genai" => tasks(url, waves),
        _ => Err("an unknown arm".into()),
    }
}

fn calls(begun: Instant, processor_before: Duration, waves: usize) -> Calls {
    let (took, processor) = (begun.elapsed(), processor::process() - processor_before);
    let calls = (CALLERS * waves) as f64;
    Calls { per_second: calls / took.as_secs_f64(), cpu: processor.as_secs_f64() * 1e6 / calls }
}

fn threads(url: &str, waves: usize) -> Result<Calls, Failure> {
    let pool = PoolConfig { max_size: CALLERS, max_per_origin: CALLERS, ..PoolConfig::default() };
    let client = arms::tollgate::builder(url).pool(pool).build()?;
    let ask = || {
        let text = client.chat(QUESTION)?.text();
        if text == ANSWER { Ok(()) } else { Err(Failure::from("a wrong answer")) }
    };
    let start = Barrier::new(CALLERS + 1);
    let ask_all = || {
        let warm = ask();
        start.wait();
        warm?;
        (0..waves).try_for_each(|_| ask())
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(ask_all)).collect();
        // The others wait already, for the connections to be opened.
        thread::sleep(DELAY * 5);
        let before = processor::process();
        let begun = Instant::now();
        start.wait();
        for caller in callers {
            caller.join().map_err(|_| "a thread panicked")??;
        }
        Ok(calls(begun, before, waves))
    })
}

fn tasks(url: &str, waves: usize) -> Result<Calls, Failure> {
    let runtime = arms::runtime::of_many_threads()?;
    let client = arms::genai::client(url, CALLERS)?;
    runtime.block_on(async {
        let start = Arc::new(tokio::sync::Barrier::new(CALLERS + 1));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (client, start) = (client.clone(), Arc::clone(&start));
                tokio::spawn(async move {
                    let warm = arms::genai::ask(&client).await;
                    start.wait().await;
                    warm?;
                    for _ in 0..waves {
                        if arms::genai::ask(&client).await? != ANSWER {
                            return Err(Failure::from("a wrong answer"));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        tokio::time::sleep(DELAY * 5).await;
        let before = processor::process();
        let begun = Instant::now();
        start.wait().await;
        for caller in callers {
            caller.await??;
        }
        Ok(calls(begun, before, waves))
    })
}
