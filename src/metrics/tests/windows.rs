//! Tests of the windows of one, five and fifteen minutes.

use super::*;

#[test]
fn windows_drop_older_calls_and_the_total_keeps_them() {
    let clock = Clock::new();
    let calls = |seconds| {
        let snapshot = clock.snapshot(seconds);
        assert_eq!(sum(&snapshot), snapshot.total);
        let windows = &snapshot.windows;
        [&windows.one_minute, &windows.five_minutes, &windows.fifteen_minutes]
            .map(|window| window.stats.calls)
    };
    clock.record(5, &answered("a", millis(1)));
    assert_eq!(calls(5), [1, 1, 1]);
    assert_eq!(calls(69), [1, 1, 1]);
    assert_eq!(calls(70), [0, 1, 1]);
    clock.record(70, &answered("a", millis(1)));
    clock.record(71, &answered("b", millis(1)));
    assert_eq!(calls(130), [2, 3, 3]);
    assert_eq!(calls(140), [0, 3, 3]);
    assert_eq!(calls(359), [0, 3, 3]);
    assert_eq!(calls(360), [0, 2, 3]);
    assert_eq!(calls(420), [0, 0, 3]);
    assert_eq!(calls(959), [0, 0, 3]);
    assert_eq!(calls(960), [0, 0, 2]);
    assert_eq!(calls(1_020), [0, 0, 0]);
    assert_eq!(clock.snapshot(1_000_000).total.calls, 3);
}

/// Compared with a list of all calls.
#[test]
fn windows_have_the_calls_that_ended_within_their_spans() {
    let mut random = fastrand::Rng::with_seed(5);
    let clock = Clock::new();
    let mut ended = Vec::new();
    let mut now = 0;
    for _ in 0..3_000 {
        now += random.u64(0..8) * u64::from(random.u8(0..40) == 0) * 20 + random.u64(0..4);
        // A thread may record late.
        let second: u64 = if random.u8(0..10) == 0 { now.saturating_sub(3) } else { now };
        clock.record(second, &answered(["a", "b"][random.usize(0..2)], millis(now)));
        // Its call counts in its own slice, or in the current one.
        ended.push((second, if second / 10 < now / 10 { now } else { second }));
        if random.u8(0..10) == 0 {
            let snapshot = clock.snapshot(now);
            let windows = &snapshot.windows;
            for (least, window) in [
                (60, &windows.one_minute),
                (300, &windows.five_minutes),
                (900, &windows.fifteen_minutes),
            ] {
                let span = window.span.as_secs();
                assert!(span >= least.min(now) && span < least + 60, "{span} of {least}");
                let first = now - span;
                let within = |place: fn(&(u64, u64)) -> u64| {
                    ended.iter().filter(|ended| place(ended) >= first).count() as u64
                };
                let expected = within(|ended| ended.0)..=within(|ended| ended.1);
                assert!(expected.contains(&window.stats.calls), "{least} at {now}");
            }
            assert_eq!(snapshot.total.calls, ended.len() as u64);
        }
    }
}

#[test]
fn an_older_snapshot_does_not_change() {
    let clock = Clock::new();
    let error = Error::cancelled();
    let call = |second| {
        clock.record(second, &answered("a", millis(second + 1)));
        clock.record(second, &failed("b", &error, &[]));
    };
    call(1);
    let (first, stored) = (clock.snapshot(2), serde_json::to_string(&clock.snapshot(2)).unwrap());
    call(2);
    call(30);
    // What was collected from the shards is not collected again.
    assert_eq!(clock.snapshot(31).total.calls, 6);
    assert_eq!(clock.snapshot(200).total.latency.count(), 3);
    assert_eq!(serde_json::to_string(&first).unwrap(), stored);
}
