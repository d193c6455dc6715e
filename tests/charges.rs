//! What a failed or partly answered call is charged.

mod support;

use std::error::Error as _;
use std::time::Duration;

use support::costs::{ample, client, config, spent, usd};
use support::stream::{BOTH, first_word_and_end};
use support::{builder, cancelled, loopback, quick_retries};
use tollgate::cost::{CallOutcome, CallRecord};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Budget, CancelToken, ChatRequest, Client, CostSource, Error, ErrorKind, Money, Phase,
    StreamEvent, UnreportedUsage,
};

/// Allows 100 output tokens. The call is not retried.
fn question() -> ChatRequest {
    ChatRequest::from("hi").max_output_tokens(100)
}

/// The call that is in the books, if any is.
fn booked(client: &Client) -> Option<CallRecord> {
    let report = client.costs();
    assert!(report.total.calls <= 1, "{report}");
    assert_eq!(spent(client), report.total.cost.total);
    report.last.into_iter().next()
}

/// All that was reserved is charged.
fn assert_in_full(client: &Client, case: &str) {
    let call = booked(client).unwrap_or_else(|| panic!("{case}: not charged"));
    let cost = call.cost.unwrap();
    assert_eq!((call.outcome, cost.source), (CallOutcome::Unanswered, CostSource::Bound), "{case}");
    assert_eq!(cost.output, usd("0.0002"), "{case}");
    assert!(cost.input > Money::ZERO && call.served_model.is_empty(), "{case}");
}

/// Makes a call and a stream, and expects both to fail before any part of an answer arrives.
fn fails(client: &Client, request: &ChatRequest, streamed: bool) -> Error {
    match streamed {
        false => client.chat(request.clone()).unwrap_err(),
        true => client.stream(request.clone()).map(drop).unwrap_err(),
    }
}

/// Calls until one times out while it waits for the answer. A call that times out before its request
/// is sent, as can happen on a busy machine, is not charged.
fn runs_out_of_time(client: &Client, streamed: bool) {
    let mut timeout = Duration::from_millis(100);
    loop {
        let error = fails(client, &question().timeout(timeout), streamed);
        assert!(error.is_timeout(), "{error}");
        if error.phase() == Some(Phase::FirstByte) {
            return;
        }
        assert_eq!(booked(client), None, "{error}");
        timeout *= 2;
    }
}

fn both_ways() -> impl Iterator<Item = (&'static str, bool)> {
    BOTH.into_iter().flat_map(|provider| [(provider, false), (provider, true)])
}

#[test]
fn an_error_in_place_of_an_answer_costs_nothing() {
    for (provider, streamed) in both_ways() {
        for status in [400, 401, 404, 429, 500, 503, 529] {
            let server = loopback();
            server.reply(Reply::status(status));
            let client = client(&server, provider, config([ample()]));
            let error = fails(&client, &question(), streamed);
            assert_eq!(error.status(), Some(status));
            assert_eq!(booked(&client), None, "{provider} {status}");
        }
    }
}

#[test]
fn an_error_under_a_good_status_costs_nothing() {
    let said = r#"{"error":{"message":"no","type":"server_error","code":null}}"#;
    for streamed in [false, true] {
        let server = loopback();
        server.reply(Reply::raw(200, "application/json", said));
        let client = client(&server, "openai", config([ample()]));
        assert_eq!(fails(&client, &question(), streamed).kind(), ErrorKind::Server);
        assert_eq!(booked(&client), None);
    }
}

#[test]
fn a_call_lost_in_transit_is_charged_in_full() {
    let lost = [
        ("reset", Reply::reset()),
        ("closed", Reply::disconnect()),
        ("bad gateway", Reply::status(502)),
        ("gateway timeout", Reply::status(504)),
        ("nonsense", Reply::raw(200, "text/html", "<html>welcome</html>")),
        ("cut", Reply::text("Paris").cut_after(5)),
        ("reset within", Reply::text("Paris").reset_after(5)),
    ];
    for (provider, streamed) in both_ways() {
        for (case, reply) in &lost {
            let server = loopback();
            server.reply(reply.clone());
            let client = client(&server, provider, config([ample()]));
            fails(&client, &question(), streamed);
            assert_in_full(&client, &format!("{provider} {case} {streamed}"));
        }
    }
}

#[test]
fn a_lost_call_is_charged_as_unreported_usage_says() {
    for (rule, least, most) in [
        (UnreportedUsage::Reserved, "0.0002", "1"),
        // Only the input, by its size.
        (UnreportedUsage::Estimate, "0.000001", "0.0001"),
        (UnreportedUsage::Nothing, "0", "0"),
    ] {
        let server = loopback();
        server.reply(Reply::reset());
        let client = client(&server, "openai", config([ample()]).unreported_usage(rule));
        client.chat(question()).unwrap_err();
        let charged = booked(&client).unwrap().cost.unwrap().total;
        assert!((usd(least)..=usd(most)).contains(&charged), "{rule:?}: {charged}");
    }
}

#[test]
fn a_call_that_timed_out_or_was_cancelled_is_charged_in_full() {
    for (provider, streamed) in both_ways() {
        let server = loopback();
        server.default_reply(Reply::hang());
        let client = client(&server, provider, config([ample()]));
        runs_out_of_time(&client, streamed);
        assert!(server.wait_for_requests(1, Duration::from_secs(60)));
        assert_in_full(&client, &format!("{provider} {streamed}"));
    }
    let server = loopback();
    server.default_reply(Reply::hang());
    let client = client(&server, "openai", config([ample()]));
    cancelled(&client, || {
        assert!(server.wait_for_requests(1, Duration::from_secs(60)));
        // The report includes calls in progress.
        assert!(client.costs().budgets[0].reserved > Money::ZERO);
    });
    assert_eq!(booked(&client).unwrap().outcome, CallOutcome::Unanswered);
}

#[test]
fn what_never_reached_the_provider_costs_nothing() {
    for streamed in [false, true] {
        let server = loopback();
        let client = client(&server, "openai", config([ample()]));
        server.refuse_connections().unwrap();
        assert_eq!(fails(&client, &question(), streamed).kind(), ErrorKind::Connection);
        server.accept_connections().unwrap();
        let token = CancelToken::new();
        token.cancel();
        let cancelled = question().cancel_token(&token);
        assert!(fails(&client, &cancelled, streamed).is_cancelled());
        let bad = question().temperature(f64::NAN);
        assert_eq!(fails(&client, &bad, streamed).kind(), ErrorKind::InvalidRequest);
        assert_eq!((booked(&client), server.request_count()), (None, 0));
    }
}

/// How a stream ends early.
const ENDS: [&str; 6] = ["dropped", "cancelled", "cut", "reset", "truncated", "error event"];

/// Streams an answer that ends this way after its first word, "one ".
fn broken(server: &Loopback, client: &Client, provider: &str, end: &str) -> Option<Error> {
    let reply = || Reply::text("one two three four five six seven eight nine ten").usage(80, 10);
    let (first_word, _) = first_word_and_end(provider, reply());
    let events = if provider == "openai" { 2 } else { 4 };
    server.reply(match end {
        "cut" => reply().cut_after(first_word),
        "reset" => reply().reset_after(first_word),
        "truncated" => reply().end_after(events),
        "error event" => reply().stream_error(events, "overloaded_error", "Overloaded"),
        _ => reply().stall_after(first_word),
    });
    let token = CancelToken::new();
    let mut stream = client.stream(question().cancel_token(&token)).unwrap();
    let first = stream.by_ref().find(|event| matches!(event, Ok(StreamEvent::TextDelta(_))));
    assert!(first.is_some(), "{provider} {end}");
    // In progress, it costs what has arrived.
    assert!(stream.partial().cost.unwrap().total > Money::ZERO);
    match end {
        "dropped" => return None,
        "cancelled" => token.cancel(),
        _ => {}
    }
    let error = stream.finish().unwrap_err();
    assert_eq!(stream.partial().cost, client.costs().last[0].cost, "{provider} {end}");
    Some(error)
}

#[test]
fn a_truncated_stream_is_charged_its_reserved_output_or_by_choice_what_arrived() {
    for provider in BOTH {
        for end in ENDS {
            for (rule, output) in
                [(UnreportedUsage::Reserved, "0.0002"), (UnreportedUsage::Received, "0.000008")]
            {
                let case = format!("{provider} {end} {rule:?}");
                let server = loopback();
                let client = client(&server, provider, config([ample()]).unreported_usage(rule));
                let error = broken(&server, &client, provider, end);
                assert_eq!(error.is_none(), end == "dropped", "{case}");
                let call = booked(&client).unwrap();
                let cost = call.cost.unwrap();
                assert_eq!((call.outcome, cost.source), (CallOutcome::Broken, CostSource::Bound));
                // A reset can discard some of the four bytes.
                if (end, rule) != ("reset", UnreportedUsage::Received) {
                    assert_eq!(cost.output, usd(output), "{case}");
                }
                // The input is what Anthropic reported at the start, or its upper bound.
                match provider {
                    "anthropic" => assert_eq!(cost.input, usd("0.00008"), "{case}"),
                    _ => assert!(cost.input > usd("0.0002"), "{case}"),
                }
            }
        }
    }
}

#[test]
fn a_complete_stream_is_charged_as_reported_however_it_is_read() {
    for provider in BOTH {
        let server = loopback();
        server.default_reply(Reply::text("one two").usage(80, 10));
        let client = client(&server, provider, config([ample()]));
        let whole = client.stream(question()).unwrap().finish().unwrap();
        assert_eq!(whole.cost.unwrap().total, usd("0.0001"), "{provider}");
        for event in client.stream(question()).unwrap() {
            event.unwrap();
        }
        let report = client.costs();
        assert_eq!(spent(&client), usd("0.0002"));
        assert!(report.last.iter().all(|call| call.outcome == CallOutcome::Answered));
    }
}

#[test]
fn every_attempt_is_reserved_and_charged_separately() {
    for (provider, streamed) in both_ways() {
        let server = loopback();
        for status in [500, 502, 429] {
            server.reply(Reply::status(status));
        }
        server.reply(Reply::text("Paris").usage(80, 10));
        let costs = config([ample()]);
        let client =
            builder(&server, provider).costs(costs).retry(quick_retries(5)).build().unwrap();
        let answer = match streamed {
            true => client.stream(question()).unwrap().finish().unwrap(),
            false => client.chat(question()).unwrap(),
        };
        assert_eq!((answer.attempts().len(), answer.cost.unwrap().total), (4, usd("0.0001")));
        // The second attempt may have been billed; the last one was.
        let report = client.costs();
        let outcomes: Vec<_> = report.last.iter().map(|call| call.outcome).collect();
        assert_eq!(outcomes, [CallOutcome::Unanswered, CallOutcome::Answered], "{provider}");
        assert_eq!(spent(&client), report.total.cost.total);
        assert_eq!(report.total.bound, 1);
    }
}

#[test]
fn a_retry_that_no_longer_fits_the_budget_ends_the_call() {
    for streamed in [false, true] {
        // What one such attempt is charged.
        let server = loopback();
        server.default_reply(Reply::status(502));
        let probe = client(&server, "openai", config([ample()]));
        fails(&probe, &question(), streamed);
        let one = spent(&probe);

        let costs = config([Budget::total(one + one - Money::picos(1))]);
        let client =
            builder(&server, "openai").costs(costs).retry(quick_retries(5)).build().unwrap();
        let error = fails(&client, &question(), streamed);
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
        assert_eq!(error.budget().unwrap().spent, one);
        let before: &Error = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!(before.status(), Some(502));
        assert_eq!((server.request_count(), spent(&client)), (2, one));
        assert_eq!(client.costs().refused, 0);
    }
}
