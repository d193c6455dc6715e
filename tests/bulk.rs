//! Bulk runs over the loopback provider: every item is yielded once, whatever happens.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{builder, client, loopback};
use tollgate::bulk::{OnBudget, OnCancel};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Budget, CancelToken, ChatRequest, Client, CostConfig, EmbedRequest, Error, ErrorKind, Limits,
    Money, Price, Prices,
};

/// Answers each prompt with itself.
fn echo(server: &Loopback) {
    server.respond(|request| {
        let body = request.json();
        let prompt = body["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        Some(Reply::text(prompt).usage(10, 5))
    });
}

fn items(count: usize) -> impl Iterator<Item = (usize, ChatRequest)> {
    (0..count).map(|number| (number, ChatRequest::from(format!("item {number}"))))
}

#[test]
fn every_item_is_answered_once_in_any_order_or_in_its_own() {
    let server = loopback();
    echo(&server);
    let client = client(&server, "openai");
    let mut answers = BTreeMap::new();
    let mut run = client.bulk().workers(6).chat(items(200)).unwrap();
    for (id, result) in &mut run {
        assert!(answers.insert(id, result.unwrap().text()).is_none());
    }
    assert!(run.next().is_none());
    let status = run.finish().unwrap();
    assert_eq!((status.answered, status.failed, status.in_progress), (200, 0, 0));
    assert_eq!(answers.len(), 200);
    assert!(answers.iter().all(|(id, text)| *text == format!("item {id}")));

    let ordered = client.bulk().workers(6).ordered().look_ahead(9).chat(items(200)).unwrap();
    let ids: Vec<String> = ordered.map(|(id, _)| id).collect();
    assert_eq!(ids, (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(server.request_count(), 400);
}

#[test]
fn items_are_read_when_there_is_room_for_them() {
    let server = loopback();
    let client = client(&server, "openai");
    let read = AtomicU32::new(0);
    let counted = items(100).inspect(|_| {
        read.fetch_add(1, Ordering::Relaxed);
    });
    let mut run = client.bulk().workers(2).look_ahead(5).chat(counted).unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 1, "only the first one, to check the journal");
    for yielded in 1..=100 {
        assert!(run.next().is_some());
        assert!(read.load(Ordering::Relaxed) <= yielded + 5);
    }
    assert!(run.next().is_none());
}

/// The ids of the items that fail, with their errors. All others are answered.
fn failing(client: &Client, items: Vec<(String, ChatRequest)>) -> Vec<(String, Error)> {
    let count = items.len() as u64;
    let run = client.bulk().ordered().chat(items).unwrap();
    let progress = run.progress();
    let failed: Vec<_> = run.filter_map(|(id, result)| Some((id, result.err()?))).collect();
    let status = progress.status();
    assert_eq!((status.failed, status.ended), (failed.len() as u64, true));
    assert_eq!(status.answered, count - status.failed);
    failed
}

fn named_items(count: usize) -> Vec<(String, ChatRequest)> {
    items(count).map(|(id, request)| (id.to_string(), request)).collect()
}

#[test]
fn failures_are_results_and_the_rest_goes_on() {
    let server = loopback();
    server.on(|request| request.body_contains("item 3\""), Reply::status(400));
    server.on(|request| request.body_contains("item 5\""), Reply::status(500));
    let failed = failing(&client(&server, "openai"), named_items(10));
    let kinds: Vec<_> = failed.iter().map(|(id, error)| (id.as_str(), error.kind())).collect();
    assert_eq!(kinds, [("3", ErrorKind::InvalidRequest), ("5", ErrorKind::Server)]);
}

#[test]
fn an_id_that_is_empty_too_long_or_used_twice_fails_before_it_is_sent() {
    let server = loopback();
    let mut all = named_items(10);
    let long = "x".repeat(10 * 1024);
    all.extend([("", "empty"), (&long, "long"), ("7", "twice")].map(|(id, text)| {
        let id: &str = id;
        (id.to_owned(), ChatRequest::from(text))
    }));
    let failed = failing(&client(&server, "openai"), all);
    assert_eq!(failed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["", &long, "7"]);
    assert!(failed.iter().all(|(_, error)| error.kind() == ErrorKind::InvalidRequest));
    assert!(failed[0].1.message().starts_with("the id is empty"));
    assert!(failed[1].1.message().starts_with("the id has 10240 bytes"));
    assert!(failed[1].1.message().len() < 200, "it does not repeat the id");
    assert!(failed[2].1.message().starts_with("the id \"7\" occurs twice"));
    assert_eq!(server.request_count(), 10, "nothing was sent for a bad id");
}

#[test]
fn a_request_that_no_target_can_serve_fails_alone() {
    let server = loopback();
    let mut all = named_items(4);
    all.insert(2, ("nowhere".into(), ChatRequest::from("hi").provider("no-such-provider")));
    let failed = failing(&client(&server, "openai"), all);
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, "nowhere"));
    assert_eq!(failed[0].1.kind(), ErrorKind::Configuration);
    assert!(failed[0].1.message().contains("no-such-provider"), "{}", failed[0].1);
    assert_eq!(server.request_count(), 4);
}

#[test]
fn an_error_that_meets_every_item_can_stop_the_run() {
    let server = loopback();
    server.require_key("another-key");
    let client = client(&server, "openai");
    let bulk = client.bulk().stop_on(|error| error.kind() == ErrorKind::Authentication);
    let run = bulk.workers(2).look_ahead(8).chat(items(1_000)).unwrap();
    let progress = run.progress();
    assert!(run.inspect(|(_, result)| assert!(result.is_err())).count() < 20);
    assert_eq!((progress.status().failed, progress.status().answered), (0, 0));
    assert!(server.request_count() <= 4);
}

#[test]
fn zero_workers_are_refused() {
    let server = loopback();
    let error = client(&server, "openai").bulk().workers(0).chat(items(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("workers is 0"));
}

#[test]
fn no_items_are_no_work() {
    let server = loopback();
    let mut run = client(&server, "openai").bulk().chat(items(0)).unwrap();
    assert!(run.next().is_none());
    assert_eq!(run.finish().unwrap().total, Some(0));
}

#[test]
fn a_rate_limit_slows_the_run_down_and_drops_nothing() {
    let server = loopback();
    let served = Arc::new(AtomicU32::new(0));
    let limited = Arc::clone(&served);
    server.respond(move |_| {
        let number = limited.fetch_add(1, Ordering::Relaxed);
        // Every third request of the first 60.
        let is_limited = number < 60 && number % 3 == 0;
        is_limited.then(|| Reply::status(429).header("retry-after-ms", "1"))
    });
    // Its own retries are off, so the run alone repeats.
    let client = builder(&server, "openai").build().unwrap();
    let run = client.bulk().workers(8).chat(items(100)).unwrap();
    let progress = run.progress();
    let mut slowest = 8;
    let mut count = 0;
    for (_, result) in run {
        result.unwrap();
        count += 1;
        slowest = slowest.min(progress.status().workers);
    }
    assert_eq!(count, 100);
    assert!(slowest < 8, "the pace fell");
    assert_eq!(served.load(Ordering::Relaxed), 120);
}

#[test]
fn a_run_waits_for_the_clients_own_limits_longer_than_a_call_may() {
    let server = loopback();
    let limits = Limits::new().requests_per_minute(1_200).burst(Duration::from_millis(50));
    // Without the run, a call that does not fit within its timeout fails.
    let client = builder(&server, "openai").limits(limits).timeout(Duration::from_secs(1)).build();
    let run = client.unwrap().bulk().workers(32).look_ahead(64).chat(items(40)).unwrap();
    let status = run.progress();
    assert!(run.map(|(_, result)| result).all(|result| result.is_ok()));
    assert_eq!(status.status().answered, 40);
}

/// A client whose calls cost at most one cent each, and really so if they use 1,000 tokens.
fn paid(server: &Loopback, budget: Budget, tokens: u64) -> Client {
    server.default_reply(Reply::text("x").usage(1, tokens));
    let price = Price::per_million(Money::ZERO, Money::dollars(10)).max_output(1_000);
    let prices = Prices::empty().set("openai", "gpt-4o-mini", price);
    let costs = CostConfig::default().budget(budget).prices(prices);
    builder(server, "openai").costs(costs).build().unwrap()
}

#[test]
fn a_spent_budget_stops_the_run() {
    let server = loopback();
    let client = paid(&server, Budget::total(Money::cents(5)), 1_000);
    for on_budget in [OnBudget::Stop, OnBudget::Wait] {
        let bulk = client.bulk().on_budget(on_budget).workers(2).look_ahead(8);
        let run = bulk.chat(items(1_000)).unwrap();
        let progress = run.progress();
        let refused = run.filter_map(|(_, result)| result.err());
        assert!(refused.map(|error| error.kind()).all(|kind| kind == ErrorKind::BudgetExceeded));
        let status = progress.status();
        assert_eq!(status.failed, 0, "they are not done");
        assert!((1..=8).contains(&status.unfinished), "the rest was not even read: {status:?}");
    }
    assert_eq!(server.request_count(), 5);
    assert_eq!(client.costs().total.cost.total, Money::cents(5));
}

#[test]
fn a_run_waits_for_money_that_calls_hold() {
    let server = loopback();
    // Room for three calls at once. Each then costs a hundredth of what it reserved.
    let client = paid(&server, Budget::total(Money::cents(4)), 10);
    for on_budget in [OnBudget::Stop, OnBudget::Wait, OnBudget::Continue] {
        let run = client.bulk().on_budget(on_budget).workers(8).chat(items(30)).unwrap();
        for (id, result) in run {
            assert!(result.is_ok(), "{on_budget:?}, {id}: {}", result.unwrap_err());
        }
    }
    assert_eq!(server.request_count(), 90);
}

#[test]
fn other_customers_go_on_when_one_has_spent_its_budget() {
    let server = loopback();
    let budget = Budget::total(Money::cents(5)).per_tag("customer");
    let client = paid(&server, budget, 1_000);
    let names = ["acme", "globex"];
    let requests = (0..20).map(|id| {
        let customer = names[usize::from(id >= 15)];
        (id, ChatRequest::from("hi").tag("customer", customer))
    });
    let run = client.bulk().on_budget(OnBudget::Continue).chat(requests).unwrap();
    let answered: Vec<u32> =
        run.filter_map(|(id, result)| result.ok().map(|_| id.parse().unwrap())).collect();
    let of = |names: std::ops::Range<u32>| answered.iter().filter(|id| names.contains(id)).count();
    assert_eq!((of(0..15), of(15..20)), (5, 5));
}

#[test]
fn dropping_a_run_cancels_its_calls_and_joins_its_workers() {
    let server = loopback();
    server.default_reply(Reply::hang());
    server.on(|request| request.body_contains("item 0\""), Reply::text("first"));
    let client = client(&server, "openai");
    let mut run = client.bulk().workers(4).chat(items(1_000)).unwrap();
    assert_eq!(run.next().unwrap().0, "0");
    assert!(server.wait_for_requests(5, Duration::from_secs(30)));
    let progress = run.progress();
    drop(run);
    assert_eq!(client.pool().total.active, 0, "no call is left");
    assert!(progress.status().ended);
}

#[test]
fn cancelling_lets_calls_in_flight_finish_or_cancels_them() {
    for on_cancel in [OnCancel::Finish, OnCancel::Cancel] {
        let server = loopback();
        let token = CancelToken::new();
        let cancelling = token.clone();
        // The third request cancels the run.
        let served = AtomicU32::new(0);
        server.respond(move |_| match served.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Some(Reply::text("early").delay(Duration::from_millis(300))),
            _ => {
                cancelling.cancel();
                Some(Reply::text("late").delay(Duration::from_millis(300)))
            }
        });
        let client = client(&server, "openai");
        let bulk = client.bulk().workers(3).cancel_token(&token).on_cancel(on_cancel);
        let run = bulk.chat(items(50)).unwrap();
        let progress = run.progress();
        let results: Vec<_> = run.map(|(_, result)| result).collect();
        let answered = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(answered, if on_cancel == OnCancel::Finish { 3 } else { 0 });
        assert!(results.iter().filter_map(|result| result.as_ref().err()).all(Error::is_cancelled));
        assert_eq!(server.request_count(), 3);
        let status = progress.status();
        assert_eq!((status.answered, status.failed), (answered as u64, 0));
        assert_eq!(status.unfinished, (results.len() - answered) as u64);
    }
}

#[test]
fn panics_of_the_programs_own_code_surface() {
    let server = loopback();
    let client = client(&server, "openai");
    let message = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<&str>().unwrap();
    let panicking = items(10).inspect(|(id, _)| assert!(*id < 5, "in the iterator"));
    let run = catch_unwind(AssertUnwindSafe(|| {
        client.bulk().workers(2).chat(panicking).unwrap().count()
    }));
    assert!(message(run.unwrap_err()).starts_with("in the iterator"));

    let map = |answer: tollgate::ChatResponse| -> Result<String, Error> {
        let text = answer.text();
        if !text.is_empty() {
            panic!("in the map");
        }
        Ok(text)
    };
    let mut run = client.bulk().workers(2).chat_map(items(10), map).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| run.next())).map(drop).unwrap_err();
    assert_eq!(message(panic), "in the map");
    assert!(run.next().is_none(), "the run is over");
}

#[test]
fn answers_become_values_of_the_programs_own() {
    let server = loopback();
    echo(&server);
    let client = client(&server, "openai");
    let map = |answer: tollgate::ChatResponse| answer.text()[5..].parse::<u32>();
    let mut requests: Vec<_> = items(5).collect();
    requests[3].1 = ChatRequest::from("item three");
    let run = client.bulk().ordered().chat_map(requests, map).unwrap();
    let values: Vec<_> = run.map(|(_, value)| value).collect();
    assert_eq!(values[4].as_ref().unwrap(), &4);
    let error = values[3].as_ref().unwrap_err();
    assert_eq!(error.message(), "the program rejects the answer: invalid digit found in string");
    let source = std::error::Error::source(error).unwrap();
    assert!(source.is::<std::num::ParseIntError>());
    // An error of the crate stays as it is.
    let run = client.bulk().chat_map(items(1), |answer| answer.parse::<u32>()).unwrap();
    let kinds: Vec<_> = run.map(|(_, value)| value.unwrap_err().kind()).collect();
    assert_eq!(kinds, [ErrorKind::Protocol]);
}

#[test]
fn equal_requests_are_sent_once() {
    let server = loopback();
    server.on(|request| request.body_contains("wrong"), Reply::status(400));
    echo(&server);
    let client = client(&server, "openai");
    let texts = ["a", "b", "wrong"];
    let requests = (0..30).map(|id| (id, ChatRequest::from(texts[id % 3])));
    let run = client.bulk().deduplicate(true).ordered().chat(requests).unwrap();
    let progress = run.progress();
    for (id, result) in run {
        match texts[id.parse::<usize>().unwrap() % 3] {
            "wrong" => assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidRequest),
            text => assert_eq!(result.unwrap().text(), text),
        }
    }
    let status = progress.status();
    assert_eq!((status.answered, status.failed), (20, 10));
    // A failure is not kept: whoever comes after it asks again.
    assert!((3..=12).contains(&server.request_count()), "{}", server.request_count());
    assert_eq!(client.costs().total.usage.total_tokens, 30);
}

#[test]
fn embeddings_run_in_bulk_too() {
    let server = loopback();
    let client = builder(&server, "openai").model("text-embedding-3-small").build().unwrap();
    let requests = (0..20).map(|id| (id, EmbedRequest::new([format!("text {id}")])));
    let run = client.bulk().embed(requests).unwrap();
    let ids: BTreeSet<String> = run
        .map(|(id, result)| {
            assert_eq!(result.unwrap().len(), 1);
            id
        })
        .collect();
    assert_eq!(ids.len(), 20);
}
