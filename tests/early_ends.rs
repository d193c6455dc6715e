//! A stream that ends before its final usage is charged the most that the request could use:
//! providers and gateways may keep generating and bill it in full.

mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::costs::{ample, client, config, spent, usd};
use support::stream::{BOTH, first_word_and_end};
use support::{builder, loopback};
use tollgate::cost::CallOutcome;
use tollgate::testing::{Loopback, Reply, Request};
use tollgate::{
    Budget, CancelToken, ChatRequest, ChatStream, Client, CostConfig, CostSource, ErrorKind, Money,
    UnreportedUsage, UsageSource,
};

/// A stream that goes on after its first word.
fn story() -> Reply {
    Reply::text("one two three four five six seven eight nine ten").usage(80, 10)
}

/// Allows 1,000 output tokens, for $0.002.
fn question() -> ChatRequest {
    ChatRequest::from("hi").max_output_tokens(1_000)
}

/// A server whose streams stop after their first word, but that bills each for its whole output
/// limit.
fn bills_in_full(provider: &str) -> (Loopback, Arc<AtomicU64>) {
    let (first_word, _) = first_word_and_end(provider, story());
    let (server, billed) = (loopback(), Arc::new(AtomicU64::new(0)));
    server.respond({
        let billed = Arc::clone(&billed);
        move |request: &Request| {
            let most = request.json()["max_tokens"].as_u64().unwrap();
            billed.fetch_add(80 * 1_000_000 + most * 2_000_000, Ordering::SeqCst);
            Some(story().stall_after(first_word))
        }
    });
    (server, billed)
}

/// Opens streams and drops each after its first event, until the budget refuses.
fn drop_streams_until_refused(client: &Client) -> u64 {
    for dropped in 0.. {
        match client.stream(question()) {
            Ok(mut stream) => assert!(stream.next().unwrap().is_ok()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
                return dropped;
            }
        }
    }
    unreachable!("no budget lasts for ever")
}

fn holds(provider: &str, costs: CostConfig, limit: Money) {
    let (server, billed) = bills_in_full(provider);
    let client = client(&server, provider, costs);
    let dropped = drop_streams_until_refused(&client);
    let billed = Money::picos(billed.load(Ordering::SeqCst).into());
    assert!(dropped >= 2, "{provider}: {dropped} streams");
    assert!(billed <= spent(&client), "{provider}: {billed} billed, {} spent", spent(&client));
    assert!(spent(&client) <= limit, "{provider}: {} spent", spent(&client));
}

#[test]
fn a_hard_budget_holds_even_if_dropped_streams_are_billed_in_full() {
    let limit = usd("0.01");
    for provider in BOTH {
        for budget in [
            Budget::total(limit),
            Budget::daily(limit),
            Budget::rolling(Duration::from_secs(3_600), limit),
        ] {
            holds(provider, config([budget]), limit);
        }
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_hard_budget_in_a_file_holds_even_if_dropped_streams_are_billed_in_full() {
    use tollgate::cost::ledger::SqliteLedger;

    let folder = std::env::temp_dir().join(format!("tollgate-early-{}", fastrand::u64(..)));
    std::fs::create_dir(&folder).unwrap();
    let limit = usd("0.01");
    for provider in BOTH {
        let file = folder.join(format!("{provider}.db"));
        let ledger = SqliteLedger::open(file).unwrap().survive_power_loss(false);
        holds(provider, config([Budget::total(limit)]).ledger(ledger), limit);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// What the one call of a client was charged.
fn charged(client: &Client, case: &str) -> (Money, UsageSource) {
    let report = client.costs();
    let [call] = report.last.as_slice() else { panic!("{case}: {report}") };
    let cost = call.cost.unwrap();
    assert_eq!((call.outcome, cost.source), (CallOutcome::Broken, CostSource::Bound), "{case}");
    assert_eq!(spent(client), cost.total, "{case}");
    (cost.output, call.usage.source)
}

#[test]
fn a_stream_that_ends_early_in_any_way_is_charged_its_reserved_output() {
    fn ended(provider: &str, end: &str, stream: &mut ChatStream, token: &CancelToken) {
        assert!(stream.next().unwrap().is_ok(), "{provider} {end}");
        if end == "cancelled" {
            token.cancel();
        }
        let kind = stream.finish().unwrap_err().kind();
        let expected = match end {
            "cancelled" => ErrorKind::Cancelled,
            _ => ErrorKind::Timeout,
        };
        assert_eq!(kind, expected, "{provider} {end}");
    }
    for provider in BOTH {
        for end in ["dropped", "cancelled", "out of idle_timeout", "out of stream_timeout"] {
            let (server, _) = bills_in_full(provider);
            let mut builder = builder(&server, provider).costs(config([ample()]));
            let (token, mut request) = (CancelToken::new(), question());
            match end {
                "cancelled" => request = request.cancel_token(&token),
                "out of idle_timeout" => {
                    builder = builder.idle_timeout(Duration::from_millis(200));
                }
                "out of stream_timeout" => {
                    request = request.stream_timeout(Duration::from_secs(1));
                }
                _ => {}
            }
            let client = builder.build().unwrap();
            let mut stream = client.stream(request).unwrap();
            if end != "dropped" {
                ended(provider, end, &mut stream, &token);
            }
            drop(stream);
            let case = format!("{provider} {end}");
            assert_eq!(charged(&client, &case).0, usd("0.002"), "{case}");
        }
    }
}

#[test]
fn a_stream_stopped_by_a_limit_per_request_is_charged_at_least_its_reserved_output() {
    for provider in BOTH {
        let server = loopback();
        // It ignores the limit of a thousand tokens.
        server.default_reply(Reply::pieces(vec!["word "; 4_000]).usage(80, 4_000));
        let costs = config([Budget::per_request(usd("0.0035")), ample()]);
        let client = client(&server, provider, costs);
        let error = client.stream(question()).unwrap().finish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
        let (output, _) = charged(&client, provider);
        assert!(output >= usd("0.002"), "{provider}: {output}");
    }
}

/// A body of chunks in OpenAI's format.
fn chunks(chunks: &[Value]) -> Reply {
    let body: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    Reply::raw(200, "text/event-stream", body)
}

fn chunk(content: &str, finish: Value, usage: Value) -> Value {
    let choice = json!({"index": 0, "delta": {"content": content}, "finish_reason": finish});
    json!({"model": "gpt-4o-mini", "choices": [choice], "usage": usage})
}

#[test]
fn usage_in_the_middle_of_a_stream_is_not_its_last() {
    let usage = |output: u64| json!({"prompt_tokens": 80, "completion_tokens": output});
    let null = || json!(null);
    for (case, body, output, source) in [
        // vLLM with `continuous_usage_stats`, Perplexity.
        (
            "on each chunk",
            vec![chunk("one ", null(), usage(1)), chunk("two ", null(), usage(2))],
            "0.002",
            UsageSource::EstimatedOutput,
        ),
        (
            "on the first chunk",
            vec![chunk("", null(), usage(0)), chunk("two ", null(), null())],
            "0.002",
            UsageSource::EstimatedOutput,
        ),
        // The final usage has arrived and only the end marker is missing, so the answer is complete.
        (
            "after the finish reason",
            vec![chunk("one ", json!("stop"), null()), json!({"choices": [], "usage": usage(7)})],
            "0.000014",
            UsageSource::Reported,
        ),
    ] {
        let server = loopback();
        server.reply(chunks(&body));
        let client = client(&server, "openai", config([ample()]));
        let mut stream = client.stream(question()).unwrap();
        let kind = stream.finish().err().map(|error| error.kind());
        let cut = case != "after the finish reason";
        assert_eq!(kind, cut.then_some(ErrorKind::Truncated), "{case}");
        let call = client.costs().last.pop().unwrap();
        let cost = call.cost.unwrap();
        // The reported input counts in any case.
        assert_eq!((cost.input, cost.output), (usd("0.00008"), usd(output)), "{case}");
        assert_eq!((call.usage.source, spent(&client)), (source, cost.total), "{case}");
    }
}

#[test]
fn a_stream_that_fails_between_its_beginning_and_its_first_event_is_charged() {
    let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "no"}});
    let start = json!({"type": "message_start", "message":
        {"usage": {"input_tokens": 80, "output_tokens": 1}}});
    for (provider, begin, kind) in [
        ("openai", chunk("", json!(null), json!(null)), "server_error"),
        ("anthropic", start, "overloaded_error"),
    ] {
        let fail = |events: &[Value]| {
            let server = loopback();
            server.reply(chunks(events));
            let client = client(&server, provider, config([ample()]));
            client.stream(question()).map(drop).unwrap_err();
            client
        };
        let begun = fail(&[begin, error(kind)]);
        assert_eq!(charged(&begun, provider).0, usd("0.002"), "{provider}");
        // An error in place of an answer is not billed.
        let refused = fail(&[error(kind)]);
        assert_eq!((refused.costs().total.calls, spent(&refused)), (0, Money::ZERO));
    }
}

#[test]
fn without_a_budget_a_broken_stream_is_charged_by_estimate_whatever_the_rule() {
    for rule in [UnreportedUsage::Reserved, UnreportedUsage::Received] {
        for provider in BOTH {
            let (server, _) = bills_in_full(provider);
            let client = client(&server, provider, config([]).unreported_usage(rule));
            drop(client.stream(question()).unwrap());
            let cost = client.costs().last[0].cost.unwrap();
            assert_eq!(cost.source, CostSource::Estimated, "{provider} {rule:?}");
            assert!(cost.output < usd("0.0001"), "{provider} {rule:?}: {cost:?}");
        }
    }
}
