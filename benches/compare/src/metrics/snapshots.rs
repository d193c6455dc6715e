//! A snapshot with many models after fifteen minutes of calls (by the recorder's clock), compared with
//! writing it as JSON.

use serde::Serialize;
use std::hint::black_box;
use std::thread;
use std::time::Duration;
use tollgate::internals::Recorder;
use tollgate::{ChatRequest, Client};

use crate::processor::micros;
use crate::rounds::{Effort, median, ratio, spread};
use crate::server::{Manner, Server};

pub const MODELS: usize = 100;

/// As many threads as there are shards, so that each has a part of what is read.
const THREADS: usize = 8;

/// Until when there were calls.
const TIME: Duration = Duration::from_secs(1_000);

const STEP: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
pub struct Snapshots {
    pub models: usize,
    pub calls: u64,
    /// Of a processor: of all calls by one thread, and by many.
    pub micros: [f64; 2],
    pub json_micros: f64,
    pub json_bytes: usize,
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; 3],
    /// Of the snapshot of many threads' calls.
    pub to_json: f64,
    /// Of a whole client, its pool and its costs included, that has just called them all.
    pub client_micros: f64,
}

pub fn measure(effort: Effort) -> Snapshots {
    let names = names();
    let (alone, crowd) = (filled(&names, 1), filled(&names, THREADS));
    let snapshot = crowd.snapshot(TIME);
    let arms: [&dyn Fn() -> f64; 3] = [
        &|| {
            calls(&alone, &names, 1, TIME, 1);
            micros(|| alone.snapshot(TIME))
        },
        &|| {
            calls(&crowd, &names, THREADS, TIME, 1);
            micros(|| crowd.snapshot(TIME))
        },
        &|| micros(|| serde_json::to_vec(&snapshot)),
    ];
    let found = effort.rotate(&arms, |arm| arm());
    let to_json = ratio(&found[1], &found[2], |micros| *micros);
    let spread = [&found[0], &found[1], &found[2]].map(|rounds| spread(rounds));
    let [alone, crowd, json_micros] = found.map(median);
    Snapshots {
        models: snapshot.by_model.len(),
        calls: snapshot.total.calls,
        micros: [alone, crowd],
        json_micros,
        json_bytes: serde_json::to_vec(&snapshot).map_or(0, |text| text.len()),
        spread,
        to_json,
        client_micros: of_a_client(effort, &names),
    }
}

/// Fifteen minutes and more of calls.
fn filled(names: &[String], threads: usize) -> Recorder {
    let recorder = Recorder::default();
    let mut time = Duration::ZERO;
    while time < TIME {
        calls(&recorder, names, threads, time, 24 / threads);
        time += STEP;
    }
    recorder
}

/// Each thread calls every model so many times, all at the same time of the recorder's.
fn calls(recorder: &Recorder, names: &[String], threads: usize, time: Duration, times: usize) {
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let seed = time.as_secs() * 64 + thread as u64;
                let mut random = fastrand::Rng::with_seed(seed);
                for name in names.iter().cycle().take(names.len() * times) {
                    let latency = Duration::from_micros(random.u64(100_000..10_000_000));
                    recorder.call(name, latency, true, time);
                }
            });
        }
    });
}

/// Takes a snapshot so many times, to be looked at by a profiler.
pub fn repeat(times: usize) {
    let names = names();
    let recorder = filled(&names, THREADS);
    for _ in 0..times {
        calls(&recorder, &names, THREADS, TIME, 1);
        black_box(recorder.snapshot(TIME));
    }
}

fn names() -> Vec<String> {
    (0..MODELS).map(|model| format!("model-{model}")).collect()
}

fn of_a_client(effort: Effort, names: &[String]) -> f64 {
    let server = Server::start(false).expect("it runs once more");
    let client = Client::builder()
        .provider("openai")
        .api_key("sk-loopback")
        .base_url(server.url(Manner::AtOnce))
        .build()
        .expect("a valid configuration");
    let taken = (0..effort.rounds).map(|_| {
        for name in names {
            client.chat(ChatRequest::from("Hello").model(name)).expect("an answer");
        }
        micros(|| client.metrics())
    });
    median(taken)
}
