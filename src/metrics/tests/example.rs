//! Example snapshots for the tests of the output formats.

use super::targets::targets;
use super::*;

/// A snapshot with some of everything.
pub(in crate::metrics) fn example() -> MetricsSnapshot {
    let clock = Clock::new();
    let busy = Error::new(ErrorKind::RateLimited, "Rate limit reached for gpt-4o").with_status(429);
    let again = Decision::Retry { after: Duration::from_secs(2), wait: Wait::Backoff };
    let stop = Decision::GiveUp(GiveUp::RetriesSpent);
    let tried = [attempt(Some(&busy), Some(again)), attempt(Some(&busy), Some(stop))];
    let retried = [attempt(Some(&busy), Some(again)), attempt(None, None)];
    let mut gaps = Histogram::default();
    (1..40).for_each(|gap| gaps.record(millis(gap)));
    for second in 0..600 {
        let latency = millis(500 + second * 3);
        let mut usage = Usage::reported(1_000, 50);
        (usage.cached_tokens, usage.reasoning_tokens) = (200, 10);
        let call = CallEnd {
            at: at(second),
            usage,
            attempts: &retried[1..],
            ..answered("gpt-4o", latency)
        };
        clock.record(second, &call);
        let streamed = CallEnd {
            streamed: true,
            time_to_first_token: Some(latency / 4),
            gaps: Some(&gaps),
            cost: Some(Money::picos(420_000_000)),
            attempts: if second % 100 == 0 { &retried } else { &retried[1..] },
            target: Target {
                provider: "anthropic",
                server_address: "api.anthropic.com",
                ..target("claude-sonnet-4-20250514")
            },
            response_model: Some("claude-sonnet-4-20250514"),
            ..call
        };
        if second % 2 == 0 {
            clock.record(second, &streamed);
        }
    }
    let name = "odd \"name\"\\\n\u{1b}[31m";
    clock.record(601, &CallEnd { cost: None, at: at(601), ..answered(name, millis(90)) });
    clock.record(602, &CallEnd { at: at(602), ..failed("gpt-4o", &busy, &tried) });
    let timeout = Error::timeout(Phase::FirstByte);
    let stopped = [attempt(Some(&timeout), Some(Decision::GiveUp(GiveUp::DeadlineTooNear)))];
    let late =
        CallEnd { latency: millis(30_000), at: at(603), ..failed("gpt-4o", &timeout, &stopped) };
    clock.record(603, &late);
    let cut = Error::new(
        ErrorKind::Truncated,
        "the stream\nended \u{1b}[31mearly, with a message that is long",
    );
    clock.record(604, &CallEnd { at: at(604), ..failed("gpt-4o", &cut, &retried[1..]) });
    clock.record(605, &failed("gpt-4o", &Error::cancelled(), &[]));
    clock.record(606, &failed("gpt-4o", &Error::new(ErrorKind::BudgetExceeded, ""), &[]));
    std::mem::forget(clock.recorder.begin(&target("gpt-4o")));

    let mut pool = PoolStats::default();
    let origin = pool.origins.entry("https://api.openai.com:443".into()).or_default();
    (origin.active, origin.idle, origin.waiting) = (3, 5, 1);
    (origin.opened, origin.reused) = (9, 1_893);
    (origin.closed.idle, origin.failed.connect) = (1, 2);
    origin.waits.record(millis(12));
    pool.total = origin.clone();
    let budget = |account: &str, spent| {
        serde_json::from_value(serde_json::json!({
            "budget": "customers", "account": account, "window": "daily", "limit": "10",
            "spent": spent, "reserved": "0.5", "left": "1",
        }))
        .unwrap()
    };
    let costs = Costs {
        refused: 1,
        budgets: vec![budget("customer=acme", "2.5"), budget("customer=tiny", "9.25")],
        ..Costs::default()
    };
    MetricsSnapshot { targets: targets(), ..clock.snapshot_with(607, pool, costs) }
}

/// An empty snapshot.
pub(in crate::metrics) fn sparse() -> MetricsSnapshot {
    Clock::new().snapshot(0)
}
