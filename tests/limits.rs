//! Limits: what they allow is never exceeded, and callers wait in line within their deadline.

mod support;

use std::thread;
use std::time::Duration;

use support::{builder, eventually, loopback, quick_retries};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Budget, CancelToken, ChatRequest, Client, ClientBuilder, EmbedRequest, Error, ErrorKind,
    LimitStatus, Limits, Money, Phase, RawRequest,
};

fn limited(server: &Loopback, limits: Limits) -> ClientBuilder {
    builder(server, "openai").limits(limits)
}

fn client(server: &Loopback, limits: Limits) -> Client {
    limited(server, limits).build().expect("a valid configuration")
}

fn only(client: &Client) -> LimitStatus {
    let mut limits = client.limits();
    assert_eq!(limits.len(), 1, "{limits:?}");
    limits.remove(0)
}

/// The error of a call that a limit has refused.
#[track_caller]
fn assert_refused(error: &Error, text: &str) {
    assert_eq!((error.kind(), error.phase()), (ErrorKind::RateLimited, Some(Phase::LimitWait)));
    assert!(error.message().contains(text), "{error}");
    assert!(error.is_rate_limited() && !error.is_retryable() && error.status().is_none());
    assert!(error.attempts().is_empty(), "nothing was sent");
}

/// The tokens that are available.
fn tokens(client: &Client) -> u64 {
    only(client).tokens.expect("a limit on tokens").available
}

#[test]
fn threads_never_have_more_calls_in_flight_than_the_limit() {
    let server = loopback();
    server.default_reply(Reply::text("ok").delay(Duration::from_millis(2)));
    let client = client(&server, Limits::new().max_in_flight(3));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(client.chat("hi").unwrap().text(), "ok");
                    assert!(only(&client).in_flight <= 3);
                }
            });
        }
    });
    assert_eq!(server.request_count(), 40);
    // Each call in flight has a connection of its own.
    assert!(client.pool().total.opened <= 3, "{:?}", client.pool().total);
    let limit = only(&client);
    assert_eq!((limit.in_flight, limit.waiting, limit.max_in_flight), (0, 0, Some(3)));
}

#[test]
fn waiting_callers_are_served_in_the_order_of_their_arrival() {
    let server = loopback();
    let client = client(&server, Limits::new().name("one").max_in_flight(1));
    server.reply(Reply::hang());
    let token = CancelToken::new();
    thread::scope(|scope| {
        let first = scope.spawn(|| client.chat(ChatRequest::from("0").cancel_token(&token)));
        eventually("the first call is sent", || server.request_count() == 1);
        for number in 1..=4 {
            let client = &client;
            scope.spawn(move || client.chat(number.to_string()).unwrap());
            eventually("it stands in line", || only(client).waiting == number);
        }
        token.cancel();
        assert!(first.join().unwrap().unwrap_err().is_cancelled());
    });
    let order: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.json()["messages"][0]["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(order, ["0", "1", "2", "3", "4"]);
}

#[test]
fn a_waiting_caller_is_cancelled_and_nothing_is_sent() {
    let server = loopback();
    let client = client(&server, Limits::new().max_in_flight(1));
    let stream = client.stream("hi").unwrap();
    let error = support::cancelled(&client, || {
        eventually("it stands in line", || only(&client).waiting == 1);
    });
    assert_eq!(error.phase(), Some(Phase::LimitWait));
    assert_eq!((only(&client).waiting, only(&client).in_flight), (0, 1));
    drop(stream);
    assert_eq!(only(&client).in_flight, 0);
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_call_that_would_wait_past_its_deadline_fails_and_says_when_there_is_room() {
    let server = loopback();
    let client = client(&server, Limits::new().provider("openai").requests_per_minute(1));
    client.chat("hi").unwrap();
    let error = client.chat(ChatRequest::from("hi").timeout(Duration::from_secs(20))).unwrap_err();
    assert_refused(&error, "the limit \"openai\" allows 1 request per minute; this call fits in");
    assert!(error.message().contains("the call's timeout of 20s ends sooner"), "{error}");
    let wait = error.retry_after().expect("when there is room");
    assert!(wait > Duration::from_secs(20) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(error.provider(), Some("openai"));
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_caller_in_line_gives_up_at_its_deadline() {
    let server = loopback();
    let client = client(&server, Limits::new().max_in_flight(1));
    let _stream = client.stream("hi").unwrap();
    let error = client.chat(ChatRequest::from("hi").timeout(Duration::from_millis(50)));
    let error = error.unwrap_err();
    assert_refused(&error, "the limit \"all calls\" allows 1 call in flight; this call fits when");
    assert_eq!((error.retry_after(), server.request_count()), (None, 1));
}

#[test]
fn a_request_above_the_token_limit_is_refused_before_it_is_sent() {
    let server = loopback();
    let client = client(&server, Limits::new().name("small").tokens_per_minute(1_000));
    let error = client.chat(ChatRequest::from("hi").max_output_tokens(2_000)).unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, 0));
    assert!(
        error.message().contains("the limit \"small\" allows 1,000 tokens per minute"),
        "{error}"
    );
    // As a bound, each byte is a token. The prompt is more likely to have a quarter of that.
    let prompt = "word ".repeat(400);
    server.reply(Reply::text("ok").usage(500, 10));
    client.chat(ChatRequest::from(prompt).max_output_tokens(100)).unwrap();
    assert!((490..600).contains(&tokens(&client)), "{}", tokens(&client));
}

#[test]
fn tokens_are_reserved_by_the_bound_and_corrected_by_the_usage() {
    let limits = || Limits::new().tokens_per_minute(100_000);
    let request = || ChatRequest::from("hi").max_output_tokens(50_000);
    let server = loopback();
    server.default_reply(Reply::pieces(["o", "k"]).usage(9_900, 100));

    // 1,667 tokens come back each second.
    let client = client(&server, limits());
    client.chat(request()).unwrap();
    assert!((90_000..100_000).contains(&tokens(&client)), "{}", tokens(&client));

    let mut stream = client.stream(request()).unwrap();
    assert!(tokens(&client) < 50_000, "reserved until the stream ends");
    assert_eq!(only(&client).in_flight, 1);
    stream.finish().unwrap();
    assert!((80_000..90_000).contains(&tokens(&client)), "{}", tokens(&client));
    assert_eq!(only(&client).in_flight, 0);

    // What is certainly not billed is given back.
    server.reply(Reply::status(500));
    client.chat(request()).unwrap_err();
    assert!((80_000..90_000).contains(&tokens(&client)), "{}", tokens(&client));

    // A stream that ends early counts in full, as with budgets.
    server.reply(Reply::pieces(["o", "k"]).end_after(2));
    client.stream(request()).unwrap().finish().unwrap_err();
    assert!(tokens(&client) < 49_000, "{}", tokens(&client));
    assert_eq!(only(&client).in_flight, 0);
}

#[test]
fn an_output_limit_that_a_budget_sets_counts() {
    let server = loopback();
    let budget = || Budget::total(Money::dollars(1));
    let limits = |tokens| Limits::new().tokens_per_minute(tokens);
    // The provider may have served it, so all of it counts.
    server.default_reply(Reply::status(502));
    let client = limited(&server, limits(100_000)).budget(budget()).build().unwrap();
    client.chat("hi").unwrap_err();
    let sent = server.requests()[0].json()["max_tokens"].as_u64().unwrap();
    assert!(sent > 4_096, "{sent}");
    let reserved = 100_000 - tokens(&client);
    assert!(reserved > sent - 4_000, "{reserved} of {sent}");

    // Only the caller's own limit can be too large: a budget's takes what there is.
    let client = limited(&server, limits(sent / 2)).budget(budget()).build().unwrap();
    assert_eq!(client.chat("hi").unwrap_err().status(), Some(502));
    assert!(tokens(&client) < sent / 4, "{}", tokens(&client));
}

#[test]
fn an_attempt_that_may_have_been_served_counts_in_full() {
    let server = loopback();
    let client = client(&server, Limits::new().tokens_per_minute(100_000));
    server.reply(Reply::status(502));
    client.chat(ChatRequest::from("hi").max_output_tokens(51_000)).unwrap_err();
    assert!(tokens(&client) < 49_000, "{}", tokens(&client));
    assert_eq!(only(&client).in_flight, 0);
}

#[test]
fn every_attempt_takes_a_request() {
    let server = loopback();
    let limits = Limits::new().requests_per_minute(60).burst(Duration::from_secs(10));
    let client = limited(&server, limits).retry(quick_retries(2)).build().unwrap();
    server.reply(Reply::status(503));
    server.reply(Reply::status(503));
    assert_eq!(client.chat("hi").unwrap().attempts().len(), 3);
    let left = only(&client).requests.unwrap();
    assert!(left.limit == 60 && (7..10).contains(&left.available), "{left:?}");
}

#[test]
fn a_caller_in_line_holds_no_money() {
    let server = loopback();
    let budget = Budget::total(Money::dollars(1));
    let limits = Limits::new().max_in_flight(1);
    let client = limited(&server, limits).budget(budget).build().unwrap();
    let stream = client.stream("hi").unwrap();
    let reserved = || client.costs().budgets[0].reserved;
    let alone = reserved();
    assert!(!alone.is_zero());
    thread::scope(|scope| {
        let waiter = scope.spawn(|| client.chat("hi").unwrap());
        eventually("it stands in line", || only(&client).waiting == 1);
        assert_eq!(reserved(), alone);
        drop(stream);
        assert!(waiter.join().unwrap().cost.is_some());
    });
    assert!(reserved().is_zero());
}

#[test]
fn each_customer_has_a_limit_of_its_own() {
    let server = loopback();
    let client = client(&server, Limits::new().per_tag("customer").requests_per_minute(1));
    let from = |customer: &str| {
        let request = ChatRequest::from("hi").timeout(Duration::from_secs(5));
        client.chat(request.tag("customer", customer))
    };
    from("acme").unwrap();
    assert_refused(&from("acme").unwrap_err(), "\"per customer\" (customer=acme) allows 1");
    from("globex").unwrap();
    assert_refused(&from("globex").unwrap_err(), "(customer=globex)");
    let accounts: Vec<_> = client.limits().into_iter().map(|limit| limit.account).collect();
    assert_eq!(accounts, ["customer=acme", "customer=globex"]);
}

#[test]
fn embeddings_and_raw_requests_wait_too() {
    let server = loopback();
    let limits = Limits::new().provider("openai").max_in_flight(2).requests_per_minute(60);
    let client = limited(&server, limits).model("text-embedding-3-small").build().unwrap();
    let texts: Vec<String> = (0..12).map(|number| format!("text {number}")).collect();
    let request = EmbedRequest::from(texts).batch_size(2).parallel_requests(6);
    assert_eq!(client.embed(request).unwrap().len(), 12);
    assert_eq!(server.request_count(), 6);
    assert!(client.pool().total.opened <= 2, "{:?}", client.pool().total);
    let before = only(&client).requests.unwrap().available;
    server.reply(Reply::raw(200, "application/json", "{}"));
    client.post("/moderations", serde_json::json!({"input": "x"})).unwrap();
    assert_eq!(only(&client).requests.unwrap().available, before - 1);
    // Reading costs nothing.
    assert_eq!(client.send(RawRequest::get("/files")).unwrap_err().status(), Some(404));
    assert!(only(&client).requests.unwrap().available >= before - 1);
    assert_eq!(only(&client).in_flight, 0);
}

#[test]
fn embeddings_reserve_their_tokens() {
    let server = loopback();
    let limits = Limits::new().tokens_per_minute(1_000);
    let client = limited(&server, limits).model("text-embedding-3-small").build().unwrap();
    let error = client.embed(["word ".repeat(2_000)]).unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, 0), "{error}");
    client.embed(["word ".repeat(150)]).unwrap();
    // 17 come back each second.
    assert!((700..1_000).contains(&tokens(&client)), "{}", tokens(&client));
}

#[test]
fn the_headers_of_a_provider_become_limits() {
    let server = loopback();
    let client = client(&server, Limits::new().provider("openai").learned());
    let soon = || ChatRequest::from("hi").timeout(Duration::from_secs(5));
    // 10 requests and 10,000 tokens, which refill in a minute.
    server.reply(Reply::text("ok").rate_limit(10, 0));
    client.chat(soon()).unwrap();
    let limit = only(&client);
    assert!(limit.is_learned && limit.account == "openai/gpt-4o-mini", "{limit:?}");
    assert_eq!(limit.requests.map(|level| level.limit), Some(10));
    assert_eq!(limit.tokens.map(|level| level.limit), Some(10_000));
    let error = client.chat(soon().max_output_tokens(5_000)).unwrap_err();
    assert_refused(&error, "has learned that the provider allows 10,000 tokens; this call fits in");
    assert_eq!(server.request_count(), 1);

    // Another model has limits of its own, and a refusal says when to come back.
    let other = || soon().model("gpt-4o");
    server.reply(Reply::error(429, "rate_limit_exceeded", "slow").header("retry-after", "30"));
    assert!(client.chat(other()).unwrap_err().status().is_some());
    let error = client.chat(other()).unwrap_err();
    assert_refused(&error, "(openai/gpt-4o) has learned that the provider accepts no calls");
    let wait = error.retry_after().unwrap();
    assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(30), "{wait:?}");
}

#[test]
fn refusals_for_overload_lower_an_adaptive_limit() {
    let server = loopback();
    let client = client(&server, Limits::new().adaptive().max_in_flight(16));
    client.chat("hi").unwrap();
    assert_eq!(only(&client).max_in_flight, Some(16));
    server.default_reply(Reply::status(503));
    for _ in 0..5 {
        client.chat("hi").unwrap_err();
    }
    let lower = only(&client).max_in_flight.unwrap();
    assert!((8..12).contains(&lower), "{lower}");
}

#[test]
fn limits_are_checked_when_the_client_is_built() {
    let server = loopback();
    let error = limited(&server, Limits::new()).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("limits \"all calls\": it limits nothing"), "{error}");
    let nameless = || Limits::new().max_in_flight(1);
    let error = limited(&server, nameless()).limits(nameless()).build().unwrap_err();
    assert!(error.message().contains("give it one with .name"), "{error}");
}
