//! Records the begin and end of calls, a thousand per second of the recorder's clock.

use serde::Serialize;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use tollgate::Usage;
use tollgate::cost::Money;
use tollgate::internals::Recorder;

use super::naive::Naive;
use crate::processor;
use crate::rounds::{Effort, median, ratio, spread};

pub const NAMES: [&str; 3] = ["map", "recorder", "recorder-streamed"];

/// Those that a program asks in turn.
const MODELS: [&str; 5] =
    ["gpt-4o-mini", "gpt-5", "gpt-5-mini", "claude-sonnet-4-5", "claude-haiku-4-5"];

/// One way to count a call.
trait Count: Sync {
    /// The `number`th of all.
    fn call(&self, number: u32);

    fn counted(&self) -> u64;
}

struct Map(Naive);

impl Count for Map {
    fn call(&self, number: u32) {
        let (model, latency) = (model(number), latency(number));
        self.0.begin("openai", model);
        let answer = (Usage::reported(1_100, 320), Money::picos(357_000_000));
        self.0.end("openai", model, Some(answer), latency);
    }

    fn counted(&self) -> u64 {
        self.0.calls()
    }
}

struct Own {
    recorder: Recorder,
    streamed: bool,
}

impl Count for Own {
    fn call(&self, number: u32) {
        let now = Duration::from_millis(number.into());
        self.recorder.call(model(number), latency(number), self.streamed, now);
    }

    fn counted(&self) -> u64 {
        self.recorder.snapshot(Duration::from_secs(1_000_000)).total.calls
    }
}

fn model(number: u32) -> &'static str {
    MODELS[number as usize % MODELS.len()]
}

/// From nothing to 1.2 s.
fn latency(number: u32) -> Duration {
    Duration::from_micros(u64::from(number.wrapping_mul(2_654_435_761) >> 20) * 300 + 1)
}

/// Makes each way anew, so that no round sees what another has counted.
const ALL: [fn() -> Box<dyn Count>; 3] = [
    || Box::new(Map(Naive::default())),
    || Box::new(Own { recorder: Recorder::default(), streamed: false }),
    || Box::new(Own { recorder: Recorder::default(), streamed: true }),
];

#[derive(Debug, Serialize)]
pub struct Recording {
    pub threads: usize,
    /// In the order of the names: time for each call of all threads together.
    pub nanos: [f64; 3],
    /// What each call takes of a processor. Missing where the system does not tell.
    pub processor_nanos: [Option<f64>; 3],
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; 3],
    pub to_map: f64,
    pub streamed_to_map: f64,
}

/// What the calls of a round took, each.
#[derive(Debug, Clone, Copy)]
struct Took {
    nanos: f64,
    processor_nanos: Option<f64>,
}

impl Took {
    /// Of a processor, which the rest of the machine does not take any of, where it is
    /// known.
    fn cost(&self) -> f64 {
        self.processor_nanos.unwrap_or(self.nanos)
    }
}

impl Recording {
    /// What a call takes of a processor, or of the time where that is unknown.
    pub fn cost(&self) -> f64 {
        self.processor_nanos[1].unwrap_or(self.nanos[1])
    }
}

pub fn measure(effort: Effort, threads: usize) -> Recording {
    let times = if threads == 1 { 100_000 } else { 256_000 };
    let found = effort.rotate(&ALL, |new| {
        let way = new();
        turns(&*way, 1, 1_000);
        turns(&*way, threads, times)
    });
    let [map, whole, streamed] = &found;
    let costs = |rounds: &Vec<Took>| rounds.iter().map(Took::cost).collect::<Vec<_>>();
    let processor = |rounds: &Vec<Took>| {
        let known: Option<Vec<f64>> = rounds.iter().map(|took| took.processor_nanos).collect();
        known.map(median)
    };
    Recording {
        threads,
        to_map: ratio(whole, map, Took::cost),
        streamed_to_map: ratio(streamed, map, Took::cost),
        spread: [map, whole, streamed].map(|rounds| spread(&costs(rounds))),
        processor_nanos: [map, whole, streamed].map(processor),
        nanos: found.map(|rounds| median(rounds.iter().map(|took| took.nanos))),
    }
}

/// Counts so many calls in one of the ways, to be looked at by a profiler.
pub fn repeat(name: &str, times: usize) {
    if let Some(at) = NAMES.iter().position(|known| *known == name) {
        turns(&*ALL[at](), 1, times);
    }
}

/// Counts so many calls in all.
fn turns(way: &dyn Count, threads: usize, times: usize) -> Took {
    let each = times / threads;
    let (before, ready) = (way.counted(), Barrier::new(threads));
    let work = |thread: usize| {
        ready.wait();
        let numbers = (0..each).map(|turn| turn * threads + thread);
        let mut span = None;
        let processor = processor::of(|| {
            let begun = Instant::now();
            numbers.for_each(|number| way.call(u32::try_from(number).expect("few")));
            span = Some((begun, Instant::now()));
        });
        (span.expect("it has run"), processor)
    };
    let found: Vec<_> = thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        workers.into_iter().map(|worker| worker.join().expect("it can be counted")).collect()
    });
    let calls = each * threads;
    assert_eq!(way.counted() - before, calls as u64);
    let begun = found.iter().map(|((begun, _), _)| *begun).min();
    let ended = found.iter().map(|((_, ended), _)| *ended).max();
    let took = ended.zip(begun).map(|(ended, begun)| ended - begun).unwrap_or_default();
    let processor: Option<Duration> = found.iter().map(|(_, processor)| *processor).sum();
    let nanos = |time: Duration| time.as_secs_f64() * 1e9 / calls as f64;
    Took { nanos: nanos(took), processor_nanos: processor.map(nanos) }
}
