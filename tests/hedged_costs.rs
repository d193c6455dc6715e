//! What hedges cost: each attempt is reserved and charged by the rules for any other.

mod support;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use support::eventually;
use support::routes::{MODELS, config};
use support::{loopback, quick_retries};
use tollgate::route::{Hedge, Route};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Budget, CancelToken, ChatRequest, Client, Money};

const SOON: Duration = Duration::from_millis(2);

/// A client with a hedged route over servers, in the order of `MODELS`.
fn client(servers: &[&Arc<Loopback>], budget: Money) -> Client {
    let names = MODELS.map(|(provider, model)| format!("{provider}/{model}"));
    let targets = names.into_iter().take(servers.len());
    let route = Route::new("all").targets(targets).hedge(Hedge::after(SOON));
    let mut builder = Client::builder().model("all").retry(quick_retries(0));
    for (server, (provider, _)) in servers.iter().zip(MODELS) {
        builder = builder.add_provider(config(server, provider));
    }
    let timeout = Duration::from_secs(120);
    builder.route(route).budget(Budget::total(budget)).timeout(timeout).build().unwrap()
}

fn half(money: Money) -> Money {
    Money::picos(money.as_picos() / 2)
}

fn reserved(client: &Client) -> Money {
    client.costs().budgets[0].reserved
}

fn spent(client: &Client, provider: &str) -> Money {
    let report = client.costs();
    let row = report.by_provider.iter().find(|row| row.key == provider);
    row.map_or(Money::ZERO, |row| row.tally.cost.total)
}

/// What a request that is sent to a silent target reserves, and what it costs if the caller cancels
/// it.
fn alone(place: usize, request: &ChatRequest) -> (Money, Money) {
    let server = loopback();
    server.default_reply(Reply::hang());
    let (provider, model) = MODELS[place];
    let client = Client::builder()
        .add_provider(config(&server, provider))
        .budget(Budget::total(Money::dollars(100)))
        .build()
        .unwrap();
    let token = CancelToken::new();
    let request = request.clone().model(format!("{provider}/{model}")).cancel_token(&token);
    let amount = std::thread::scope(|scope| {
        let call = scope.spawn(|| client.chat(request).unwrap_err());
        assert!(server.wait_for_requests(1, Duration::from_secs(60)));
        let amount = reserved(&client);
        token.cancel();
        call.join().unwrap();
        amount
    });
    (amount, spent(&client, provider))
}

#[test]
fn both_attempts_are_reserved_and_the_cancelled_one_is_charged_like_any_without_an_answer() {
    let request = ChatRequest::from("hi").max_output_tokens(50);
    let [(first, lost), (second, _)] = [0, 1].map(|place| alone(place, &request));
    assert!(!lost.is_zero());

    let (silent, other) = (Arc::new(loopback()), Arc::new(loopback()));
    silent.default_reply(Reply::hang());
    let (watched, seen) = (Arc::new(OnceLock::<Client>::new()), Arc::new(Mutex::new(None)));
    let (from, to, before) = (Arc::clone(&watched), Arc::clone(&seen), Arc::clone(&silent));
    other.respond(move |_| {
        // Otherwise the cancelled request may never be sent, and costs nothing.
        assert!(before.wait_for_requests(1, Duration::from_secs(60)));
        *to.lock().unwrap() = from.get().map(reserved);
        Some(Reply::text("hello").usage(100, 10))
    });
    let client = client(&[&silent, &other], Money::dollars(100));
    watched.set(client.clone()).unwrap();
    let response = client.chat(request).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(first + second));
    eventually("all is settled", || reserved(&client).is_zero());
    assert_eq!(spent(&client, "openai"), lost);
    assert_eq!(Some(spent(&client, "anthropic")), response.cost.map(|cost| cost.total));
}

#[test]
fn a_budget_that_affords_one_attempt_serves_the_call_without_a_hedge() {
    // Without a limit of its own, the second request could be made to fit, with a shorter answer.
    for request in [ChatRequest::from("hi").max_output_tokens(50), ChatRequest::from("hi")] {
        let [(first, _), (second, _)] = [0, 1].map(|place| alone(place, &request));
        let (slow, other) = (Arc::new(loopback()), Arc::new(loopback()));
        slow.default_reply(Reply::text("slow").usage(100, 10).delay(SOON * 20));
        let client = client(&[&slow, &other], first + half(second));
        let response = client.chat(request).unwrap();
        assert_eq!((response.text().as_str(), other.request_count()), ("slow", 0));
        assert_eq!((client.targets()[0].hedged, client.retries_left()), (0, 100));
        assert!(reserved(&client).is_zero());
    }
}

#[test]
fn a_target_that_was_too_expensive_as_a_hedge_still_serves_the_call_after_a_failure() {
    let request = ChatRequest::from("hi").max_output_tokens(50);
    let [(first, _), (second, _)] = [0, 1].map(|place| alone(place, &request));
    let (slow, other) = (Arc::new(loopback()), Arc::new(loopback()));
    slow.default_reply(Reply::error(500, "x", "it broke").delay(SOON * 20));
    other.default_reply(Reply::text("fine").usage(100, 10));
    let client = client(&[&slow, &other], half(first) + second);
    assert_eq!(client.chat(request).unwrap().text(), "fine");
    assert_eq!(client.targets()[0].hedged, 0);
}
