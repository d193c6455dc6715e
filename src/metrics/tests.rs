//! Tests of the recorder as a whole: many threads, virtual time, bounds.

mod example;
mod targets;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::target::MOST;
use super::*;
use crate::chat::Usage;
use crate::error::{Attempt, Decision, Error, ErrorKind, GiveUp, Phase, Wait};
use crate::histogram::Histogram;
use crate::money::Money;
use crate::pool::PoolStats;
pub(super) use example::{example, sparse};

static NO_TAGS: BTreeMap<String, String> = BTreeMap::new();

/// 2026-11-23T17:08:00Z.
pub(super) const NOON: u64 = 1_795_453_680;

pub(super) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOON + seconds)
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn target(model: &str) -> Target<'_> {
    Target {
        provider: "openai",
        model,
        operation: CHAT,
        server_address: "api.openai.com",
        server_port: 443,
    }
}

/// A call that was answered after `latency`.
pub(super) fn answered(model: &str, latency: Duration) -> CallEnd<'_> {
    CallEnd {
        target: target(model),
        response_model: Some(model),
        streamed: false,
        at: at(0),
        latency,
        time_to_first_token: None,
        gaps: None,
        usage: Usage::reported(100, 50),
        cost: Some(Money::cents(1)),
        is_live: true,
        cache: CacheUse::Unused,
        saved: None,
        counted: Counted::default(),
        attempts: &[],
        outcome: Ok(()),
        request_id: None,
        tags: &NO_TAGS,
    }
}

pub(super) fn failed<'a>(model: &'a str, error: &'a Error, attempts: &'a [Attempt]) -> CallEnd<'a> {
    CallEnd {
        response_model: None,
        usage: Usage::default(),
        cost: None,
        counted: Counted::default(),
        outcome: Err(error),
        attempts,
        ..answered(model, millis(30))
    }
}

pub(super) fn attempt(error: Option<&Error>, decision: Option<Decision>) -> Attempt {
    Attempt {
        number: 0,
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        started_after: Duration::ZERO,
        duration: millis(10),
        resent: false,
        failure: error.map(Into::into),
        decision,
    }
}

/// A recorder with a clock that the test sets.
pub(super) struct Clock {
    pub(super) recorder: Arc<Recorder>,
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        let start = Instant::now();
        Self { recorder: Recorder::new(start), start }
    }

    pub(super) fn record(&self, seconds: u64, call: &CallEnd<'_>) {
        let now = self.start + Duration::from_secs(seconds);
        self.recorder.begin(&call.target).end(call, now);
    }

    pub(super) fn snapshot(&self, seconds: u64) -> MetricsSnapshot {
        self.snapshot_with(seconds, PoolStats::default(), Costs::default())
    }

    pub(super) fn snapshot_with(
        &self,
        seconds: u64,
        pool: PoolStats,
        costs: Costs,
    ) -> MetricsSnapshot {
        let now = self.start + Duration::from_secs(seconds);
        self.recorder.snapshot(now, at(seconds), pool, costs, 100)
    }
}

/// The sum of the rows.
fn sum(snapshot: &MetricsSnapshot) -> Stats {
    let mut sum = Stats::default();
    snapshot.by_model.iter().for_each(|model| sum.add(&model.total));
    sum
}

#[test]
fn a_call_is_counted_in_every_number_it_affects() {
    let clock = Clock::new();
    let mut gaps = Histogram::default();
    gaps.record(millis(20));
    gaps.record(millis(30));
    let busy = Error::new(ErrorKind::RateLimited, "slow down").with_status(429);
    let again = Decision::Retry { after: millis(100), wait: Wait::RetryAfter };
    let attempts = [
        attempt(Some(&busy), Some(again)),
        Attempt { started_after: millis(500), resent: true, ..attempt(None, None) },
    ];
    let call = CallEnd {
        streamed: true,
        time_to_first_token: Some(millis(700)),
        gaps: Some(&gaps),
        attempts: &attempts,
        response_model: Some("gpt-4o-2024-08-06"),
        ..answered("gpt-4o", millis(1_500))
    };
    clock.record(1, &call);
    let timeout = Error::timeout(Phase::FirstByte);
    let stopped = [attempt(Some(&timeout), Some(Decision::GiveUp(GiveUp::RetriesSpent)))];
    clock.record(2, &failed("gpt-4o", &timeout, &stopped));
    clock.record(2, &failed("gpt-4o", &Error::cancelled(), &[attempt(Some(&busy), Some(again))]));
    let refused = Error::new(ErrorKind::BudgetExceeded, "");
    clock.record(3, &failed("gpt-4o", &refused, &[]));

    let snapshot = clock.snapshot(4);
    let total = &snapshot.total;
    assert_eq!((total.calls, total.answered, total.failed), (4, 1, 1));
    assert_eq!((total.cancelled, total.refused, total.streamed), (1, 1, 1));
    assert_eq!((total.attempts, total.resent, total.retried()), (4, 1, 1));
    assert!((total.error_rate() - 0.5).abs() < 1e-9);
    // The cancelled call was waiting to retry, and did not.
    assert_eq!(total.retries, BTreeMap::from([(ErrorKind::RateLimited, 1)]));
    assert_eq!(total.waits, BTreeMap::from([(Wait::RetryAfter, 1)]));
    assert_eq!(total.given_up, BTreeMap::from([(GiveUp::RetriesSpent, 1)]));
    assert_eq!(total.errors[&ErrorKind::Timeout].phases[&Phase::FirstByte], 1);
    assert_eq!(total.errors.values().map(|errors| errors.calls).sum::<u64>(), 3);
    assert_eq!((total.latency.count(), total.latency.max()), (1, millis(1_500)));
    assert_eq!(total.time_to_first_token.max(), millis(700));
    assert_eq!(
        (total.time_between_tokens.count(), total.time_between_tokens.sum()),
        (2, millis(50))
    );
    // 50 tokens in the second of the successful attempt.
    assert!((total.output_rate.max() - 50.0).abs() < 1e-9);
    assert_eq!((total.tokens.input, total.tokens.output), (100, 50));
    assert_eq!((total.input_tokens.max(), total.output_tokens.max()), (100, 50));
    assert_eq!(
        (total.cost, total.costs.sum(), total.unpriced),
        (Money::cents(1), Money::cents(1), 0)
    );
    assert_eq!(snapshot.by_model[0].answered_by, BTreeMap::from([("gpt-4o-2024-08-06".into(), 1)]));
    assert_eq!(snapshot.by_provider()["openai"], *total);
    assert_eq!(snapshot.windows.one_minute.stats, *total);
    assert_eq!(snapshot.windows.one_minute.span, Duration::from_secs(4));
    let mut cleared = total.clone();
    cleared.clear();
    assert_eq!(cleared, Stats::default());

    let kinds = |samples: &[CallSample]| -> Vec<_> {
        samples.iter().map(|sample| sample.failure.as_ref().map(|failure| failure.kind)).collect()
    };
    assert_eq!(kinds(&snapshot.failed), [Some(ErrorKind::Timeout)]);
    assert_eq!(snapshot.failed[0].attempts, stopped);
    assert_eq!(snapshot.slowest.len(), 4);
    assert_eq!(kinds(&snapshot.slowest[..1]), [None]);

    let stored = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<MetricsSnapshot>(&stored).unwrap(), snapshot);
}

#[test]
fn nothing_is_lost_with_64_threads_and_every_snapshot_adds_up() {
    const EACH: u64 = 500;
    let clock = Clock::new();
    let busy = Error::new(ErrorKind::Overloaded, "");
    let total = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|thread| {
                let (clock, busy) = (&clock, &busy);
                scope.spawn(move || {
                    let model = format!("model-{}", thread % 7);
                    for number in 0..EACH {
                        let in_flight = clock.recorder.begin(&target(&model));
                        let call = match number % 5 {
                            0 => failed(&model, busy, &[]),
                            _ => answered(&model, millis(number)),
                        };
                        let now = clock.start + Duration::from_millis(number * 40);
                        in_flight.end(&call, now);
                    }
                })
            })
            .collect();
        let mut last = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            let snapshot = clock.snapshot(20);
            assert_eq!(sum(&snapshot), snapshot.total);
            assert_eq!(snapshot.total.answered + snapshot.total.failed, snapshot.total.calls);
            assert_eq!(snapshot.total.latency.count(), snapshot.total.answered);
            assert!(snapshot.total.calls >= last && snapshot.in_flight <= 64);
            last = snapshot.total.calls;
            std::thread::yield_now();
        }
        clock.snapshot(20)
    });
    assert_eq!((total.total.calls, total.in_flight), (64 * EACH, 0));
    assert_eq!(total.total.failed, 64 * EACH / 5);
    assert_eq!(total.by_model.len(), 7);
    assert_eq!(total.windows.one_minute.stats, total.total);
}

#[test]
fn calls_are_in_flight_until_they_end_or_are_dropped() {
    let clock = Clock::new();
    let one = clock.recorder.begin(&target("a"));
    let two = clock.recorder.begin(&target("a"));
    let three = std::thread::scope(|scope| {
        scope.spawn(|| clock.recorder.begin(&target("b"))).join().unwrap()
    });
    let in_flight = || {
        let snapshot = clock.snapshot(1);
        let by_model = snapshot.by_model.iter().map(|model| model.in_flight).collect::<Vec<_>>();
        (snapshot.in_flight, by_model)
    };
    assert_eq!(in_flight(), (3, vec![2, 1]));
    drop(one);
    three.end(&answered("b", millis(1)), clock.start);
    // The one with ended calls comes first.
    assert_eq!(in_flight(), (1, vec![0, 1]));
    two.end(&answered("a", millis(1)), clock.start);
    assert_eq!(in_flight(), (0, vec![0, 0]));
    assert_eq!(clock.snapshot(1).total.calls, 2);
}

#[test]
fn any_number_of_models_takes_a_bounded_number_of_rows() {
    let clock = Clock::new();
    for number in 0..1_000 {
        let model = format!("model-{number}");
        let call = CallEnd { response_model: Some(&model), ..answered(&model, millis(1)) };
        clock.record(1, &call);
        clock.record(1, &CallEnd { target: target("same"), ..call });
    }
    let snapshot = clock.snapshot(2);
    assert_eq!(snapshot.by_model.len(), MOST + 1);
    let (first, last) = (&snapshot.by_model[0], &snapshot.by_model[MOST]);
    assert_eq!((first.model.as_str(), first.total.calls), ("same", 1_000));
    assert_eq!((last.model.as_str(), last.total.calls), ("(other)", 801));
    assert_eq!(first.answered_by.len(), 9);
    assert_eq!(first.answered_by["(other)"], 992);
    assert_eq!(sum(&snapshot), snapshot.total);
}

#[test]
fn samples_are_the_recent_failures_and_the_slowest_of_fifteen_minutes() {
    let clock = Clock::new();
    let error = Error::new(ErrorKind::Server, "broke");
    for second in 0..600 {
        let latency = millis(second * 7_919 % 600);
        clock.record(second, &CallEnd { at: at(second), ..answered("a", latency) });
        let failed = CallEnd { latency: millis(0), at: at(second), ..failed("a", &error, &[]) };
        clock.record(second, &failed);
    }
    let snapshot = clock.snapshot(600);
    let latencies: Vec<_> = snapshot.slowest.iter().map(|call| call.latency.as_millis()).collect();
    assert_eq!(latencies, (590..600).rev().collect::<Vec<u128>>());
    let times: Vec<_> = snapshot.failed.iter().map(|call| call.at).collect();
    assert_eq!(times, (590..600).rev().map(at).collect::<Vec<_>>());
    let later = clock.snapshot(1_560);
    assert_eq!((later.slowest.len(), later.failed.len()), (0, 10));
}

#[test]
fn the_size_of_a_sample_is_bounded() {
    let clock = Clock::new();
    let error = Error::new(ErrorKind::Server, "x".repeat(10_000)).bounded();
    let attempts: Vec<Attempt> = (0..500)
        .map(|number| Attempt { started_after: millis(number), ..attempt(Some(&error), None) })
        .collect();
    let tags = (0..500).map(|number| (format!("{number:03}"), "é".repeat(1_000))).collect();
    let long = "m".repeat(5_000);
    let call = CallEnd { tags: &tags, request_id: Some(&long), ..failed(&long, &error, &attempts) };
    clock.record(1, &call);
    let sample = &clock.snapshot(1).failed[0];
    assert_eq!((sample.model.len(), sample.request_id.as_ref().unwrap().len()), (200, 200));
    assert_eq!((sample.attempts.len(), sample.attempts[0].started_after), (20, millis(480)));
    assert_eq!((sample.tags.len(), sample.tags["019"].len()), (20, 200));
    assert!(sample.failure.as_ref().unwrap().message.len() < 2_010);
}
