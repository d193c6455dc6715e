//! Counts, rates and the line for terminals.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn facts(tokens: u64, cents: i64) -> Option<Facts> {
    Some(Facts { tokens, cost: Some(Money::cents(cents)), limited: false })
}

#[test]
fn rates_look_back_one_minute() {
    let begun = Instant::now();
    let mut counts = Counts::new(Some(1_000), 4, begun);
    for item in 0..100 {
        counts.read();
        counts.ended(End::Answered, facts(50, 1), begun + SECOND * item / 10);
    }
    // 100 calls in 10 seconds.
    let status = counts.status(begun + SECOND * 10);
    assert_eq!((status.calls_per_second, status.tokens_per_second), (10.0, 500.0));
    assert_eq!((status.spent, status.projected), (Money::dollars(1), Some(Money::dollars(10))));
    assert_eq!((status.remaining, status.time_left), (Some(900), Some(SECOND * 90)));
    // A minute later they are forgotten.
    let status = counts.status(begun + SECOND * 90);
    assert_eq!((status.calls_per_second, status.time_left), (0.0, None));
    counts.read();
    counts.ended(End::Answered, facts(50, 1), begun + SECOND * 90);
    assert!(counts.status(begun + SECOND * 91).calls_per_second < 0.02);
}

#[test]
fn every_item_is_counted_once() {
    let now = Instant::now();
    let mut counts = Counts::new(None, 4, now);
    for _ in 0..7 {
        counts.read();
    }
    counts.skipped(End::Answered);
    counts.skipped(End::Failed);
    counts.ended(End::Answered, facts(1, 1), now);
    counts.ended(End::Failed, None, now);
    counts.ended(End::Unfinished, None, now);
    let status = counts.status(now);
    assert_eq!((status.answered, status.failed, status.unfinished), (2, 2, 1));
    assert_eq!((status.skipped, status.in_progress, status.done()), (2, 2, 4));
    assert_eq!((status.total, status.remaining, status.projected), (None, None, None));
    counts.run_ended(now + SECOND);
    assert_eq!(counts.status(now + SECOND * 9).elapsed, SECOND);
}

#[test]
fn an_unknown_price_is_no_price_of_zero() {
    let now = Instant::now();
    let mut counts = Counts::new(Some(4), 4, now);
    let unpriced = Some(Facts { cost: None, ..Facts::UNANSWERED });
    counts.ended(End::Answered, unpriced, now);
    counts.ended(End::Failed, Some(Facts::UNANSWERED), now);
    let status = counts.status(now);
    assert_eq!((status.unpriced, status.projected), (1, None));
    assert!(status.to_string().ends_with(" tokens/s, unknown cost"), "{status}");
    counts.ended(End::Answered, facts(1, 1), now);
    let status = counts.status(now);
    let end = "$0.01 without 1 answer of unknown price";
    assert!(status.to_string().ends_with(end), "{status}");
}

#[test]
fn batches_in_flight_are_counted_until_they_end() {
    let now = Instant::now();
    let mut counts = Counts::new(None, 4, now);
    counts.batch(1, (0, 50));
    counts.batch(2, (10, 60));
    counts.batch(1, (7, 50));
    let shown =
        |status: Status| (status.batches, status.batch_requests, status.batch_requests_done);
    assert_eq!(shown(counts.status(now)), (2, 110, 17));
    counts.batch_ended(1);
    assert_eq!(shown(counts.status(now)), (1, 60, 10));
}

#[test]
fn a_status_is_one_line() {
    let mut status = Status {
        answered: 1_201,
        failed: 3,
        total: Some(10_000),
        calls_per_second: 41.23,
        tokens_per_second: 18_199.7,
        spent: Money::cents(124),
        projected: Some(Money::cents(1_030)),
        time_left: Some(SECOND * 212),
        elapsed: SECOND * 29,
        ..Status::default()
    };
    assert_eq!(
        status.to_string(),
        "1,204 of 10,000 done, 3 failed, 41.2 calls/s, 18,200 tokens/s, $1.24 of about \
         $10.30, 3m32s left"
    );
    (status.batches, status.batch_requests, status.batch_requests_done) = (2, 9_000, 1_250);
    status.unpriced = 1;
    assert_eq!(
        status.to_string(),
        "1,204 of 10,000 done, 3 failed, waiting for 2 batches (1,250 of 9,000 requests done), \
         $1.24 without 1 answer of unknown price of about $10.30"
    );
    (status.batches, status.unpriced) = (0, 0);
    (status.unfinished, status.waiting, status.total) = (2, 5, None);
    (status.time_left, status.projected) = (None, None);
    assert_eq!(
        status.to_string(),
        "1,204 done, 3 failed, 2 not finished, 5 waiting, 41.2 calls/s, 18,200 tokens/s, $1.24"
    );
}
