//! Measurements: `cargo test --release --lib metrics::tests::speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A streamed call with all there is to record.
fn streamed<'a>(model: &'a str, gaps: &'a Histogram, attempts: &'a [Attempt]) -> CallEnd<'a> {
    CallEnd {
        streamed: true,
        time_to_first_token: Some(millis(200)),
        gaps: Some(gaps),
        attempts,
        ..answered(model, millis(900))
    }
}

fn gaps() -> Histogram {
    let mut gaps = Histogram::default();
    (0..500).for_each(|gap| gaps.record(Duration::from_micros(8_000 + gap * 37)));
    gaps
}

#[test]
#[ignore = "a measurement"]
fn of_recording_a_call() {
    const CALLS: u32 = 1_000_000;
    let (gaps, attempts) = (gaps(), [attempt(None, None)]);
    for threads in [1, 2, 64] {
        for (name, call) in [
            ("whole", CallEnd { attempts: &attempts, ..answered("gpt-4o-mini", millis(900)) }),
            ("streamed", streamed("gpt-4o-mini", &gaps, &attempts)),
        ] {
            let clock = Clock::new();
            let begun = Instant::now();
            let each = CALLS / threads;
            thread::scope(|scope| {
                for thread in 0..threads {
                    let (clock, mut call) = (&clock, call);
                    scope.spawn(move || {
                        for number in 0..each {
                            let spread = number.wrapping_mul(2_654_435_761) >> 20;
                            call.latency = Duration::from_micros(u64::from(spread) * 300 + 1);
                            // A thousand calls a second.
                            let now = Duration::from_millis(u64::from(number * threads + thread));
                            let in_flight = clock.recorder.begin(&call.target);
                            in_flight.end(&call, clock.start + now);
                        }
                    });
                }
            });
            let took = begun.elapsed();
            println!("{threads:>2} threads, {name}: {:?} a call, begin and end", took / CALLS);
            assert_eq!(clock.snapshot(0).total.calls, u64::from(each * threads));
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn of_a_snapshot() {
    let (gaps, attempts) = (gaps(), [attempt(None, None)]);
    for models in [5, 100, 200] {
        let names: Vec<String> = (0..models).map(|model| format!("model-{model}")).collect();
        let clock = Clock::new();
        let mut random = fastrand::Rng::with_seed(1);
        let mut collecting = Duration::ZERO;
        for second in 0..1_000 {
            for name in &names {
                for _ in 0..3 {
                    let call = CallEnd {
                        latency: Duration::from_micros(random.u64(100_000..10_000_000)),
                        ..streamed(name, &gaps, &attempts)
                    };
                    let begun = Instant::now();
                    clock.record(second, &call);
                    collecting = collecting.max(begun.elapsed());
                }
            }
        }
        let mut least = Duration::MAX;
        for _ in 0..20 {
            names.iter().for_each(|name| clock.record(1_000, &streamed(name, &gaps, &attempts)));
            let begun = Instant::now();
            black_box(clock.snapshot(1_001));
            least = least.min(begun.elapsed());
        }
        let snapshot = clock.snapshot(1_001);
        let begun = Instant::now();
        let text = snapshot.prometheus();
        println!(
            "{models} models: snapshot {least:?}; its text of {} bytes {:?}; slowest recording {collecting:?}",
            text.len(),
            begun.elapsed(),
        );
    }
}
