//! Embeddings: order, splitting, parallel requests, budgets, retries, cancelling, deadlines.

mod support;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use support::costs::{client as priced, config, spent, usd};
use support::{KEY, builder, client, loopback, quick_retries};
use tollgate::embed::{EmbedRequest, Embeddings};
use tollgate::testing::{Loopback, Reply, Request, embedding};
use tollgate::{
    Budget, CancelToken, Client, Error, ErrorKind, Money, PoolConfig, Prices, UsageSource,
};

/// Far longer than any answer here takes.
const LONG: Duration = Duration::from_secs(30);

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text {number:03}")).collect()
}

fn inputs(request: &Request) -> Vec<String> {
    let texts = request.json()["input"].as_array().expect("a list of texts");
    texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_vectors(embeddings: &Embeddings, texts: &[String], dimension: usize) {
    assert_eq!((embeddings.len(), embeddings.dimension()), (texts.len(), dimension));
    for (vector, text) in embeddings.rows().zip(texts) {
        assert_eq!(vector, embedding(text, dimension), "{text}");
    }
}

/// Never answers these requests.
fn hangs(server: &Loopback, matches: impl Fn(&Request) -> bool + Send + Sync + 'static) {
    server.on(matches, Reply::hang());
}

#[test]
fn each_text_has_its_vector() {
    let server = loopback();
    let client = builder(&server, "openai").model("text-embedding-3-small").build().unwrap();
    let embeddings = client.embed(["Paris", "Rome", "Zürich 🦀"]).unwrap();
    assert_vectors(&embeddings, &["Paris".into(), "Rome".into(), "Zürich 🦀".into()], 16);
    assert_eq!(embeddings.model, "text-embedding-3-small");
    assert_eq!((embeddings.provider.as_str(), embeddings.batches.len()), ("openai", 1));
    assert!(embeddings.usage.prompt_tokens > 0 && embeddings.usage.completion_tokens == 0);
    let cost = embeddings.cost.expect("the price is built in");
    assert_eq!((cost.total, client.costs().total.calls), (client.costs().total.cost.total, 1));
    assert!(embeddings.batches[0].request_id.is_some());

    let short = client.embed(EmbedRequest::from("Paris").dimensions(3).tag("team", "a")).unwrap();
    assert_eq!(&short[0], embedding("Paris", 3));
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.path() == "/v1/embeddings"));
    let body = requests[1].json();
    assert_eq!(
        body.to_string(),
        r#"{"model":"text-embedding-3-small","input":["Paris"],"dimensions":3,"encoding_format":"base64"}"#
    );
    let metrics = client.metrics().prometheus();
    assert!(metrics.contains("gen_ai_operation_name=\"embeddings\""), "{metrics}");
}

#[test]
fn vectors_are_read_as_numbers_too() {
    let server = loopback();
    let client = client(&server, "openai");
    let floats = client.embed(EmbedRequest::from("Paris").omit("encoding_format")).unwrap();
    assert_eq!(&floats[0], embedding("Paris", 16));
    assert!(server.requests()[0].json().get("encoding_format").is_none());
}

#[test]
fn any_number_of_texts_comes_back_in_order() {
    let server = loopback();
    // Some later requests are answered before earlier ones.
    server.on(|request| request.body_contains("text 000"), Reply::text("").delay(LONG / 100));
    let client = priced(&server, "openai", config([Budget::total(Money::dollars(1))]));
    let all = texts(23);
    let request = EmbedRequest::new(&all).batch_size(5).idempotency_key("key");
    let embeddings = client.embed(&request).unwrap();
    assert_vectors(&embeddings, &all, 16);
    let sizes: Vec<_> = embeddings.batches.iter().map(|batch| batch.texts).collect();
    assert_eq!(sizes, [5, 5, 5, 5, 3]);

    let mut sent: Vec<_> = server.requests().iter().map(inputs).collect();
    sent.sort();
    assert_eq!(sent.concat(), all);
    let requests = server.requests();
    let mut keys: Vec<_> =
        requests.iter().map(|request| request.header("idempotency-key").unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["key-1", "key-2", "key-3", "key-4", "key-5"]);

    // The loopback provider counts a token for every four bytes of a request.
    let tokens: u64 = sent.iter().map(|texts| texts.concat().len().div_ceil(4) as u64).sum();
    assert_eq!(embeddings.usage.prompt_tokens, tokens);
    assert_eq!(embeddings.usage.source, UsageSource::Reported);
    let cost = embeddings.cost.unwrap().total;
    assert_eq!((cost, client.costs().total.calls), (spent(&client), 5));
    assert_eq!(cost, usd(&format!("0.{tokens:06}")));
}

#[test]
fn requests_are_sent_in_parallel() {
    let server = loopback();
    let together = Arc::new(Barrier::new(4));
    server.respond(move |_| {
        together.wait();
        None
    });
    let client = client(&server, "openai");
    let all = texts(4);
    let request = EmbedRequest::new(&all).batch_size(1).parallel_requests(4);
    assert_vectors(&client.embed(request).unwrap(), &all, 16);
}

#[test]
fn the_pool_and_the_request_limit_the_parallel_requests() {
    for (pool, parallel, most) in [(1, None, 1), (50, Some(2), 2), (3, Some(9), 3)] {
        let server = loopback();
        let pool = PoolConfig { max_per_origin: pool, ..PoolConfig::default() };
        let client = builder(&server, "openai").pool(pool).build().unwrap();
        let all = texts(12);
        let mut request = EmbedRequest::new(&all).batch_size(1);
        request.parallel_requests = parallel;
        assert_vectors(&client.embed(request).unwrap(), &all, 16);
        assert!(server.connections().peak <= most, "{:?}", server.connections());
    }
}

#[test]
fn a_failed_request_is_retried_alone() {
    let server = loopback();
    let failed = AtomicBool::new(false);
    server.respond(move |request| {
        let fails = request.body_contains("text 001") && !failed.swap(true, Ordering::SeqCst);
        fails.then(|| Reply::status(500))
    });
    let client = builder(&server, "openai").retry(quick_retries(2)).build().unwrap();
    let all = texts(3);
    let embeddings = client.embed(EmbedRequest::new(&all).batch_size(1)).unwrap();
    assert_vectors(&embeddings, &all, 16);
    let attempts: Vec<_> = embeddings.batches.iter().map(|batch| batch.attempts.len()).collect();
    assert_eq!((attempts, server.request_count()), (vec![1, 2, 1], 4));
}

#[test]
fn the_first_failure_stops_the_other_requests() {
    let server = loopback();
    server.respond(|request| {
        request.body_contains("text 001").then(|| Reply::error(400, "bad", "No such thing."))
    });
    hangs(&server, |_| true);
    let costs = config([Budget::total(Money::dollars(1))]);
    let client = priced(&server, "openai", costs);
    let request = EmbedRequest::new(texts(40)).batch_size(1).parallel_requests(2);
    let error = client.embed(request).unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(400)), "{error}");
    assert_eq!(error.provider(), Some("openai"));
    assert!(server.request_count() <= 2, "{}", server.request_count());
    // The refused one is free. The one in flight may have been billed.
    assert_eq!(spent(&client), client.costs().total.cost.total);
}

/// The places of the texts that a failed call embedded, whose vectors and costs must be right.
#[track_caller]
fn embedded(client: &Client, error: &Error, all: &[String]) -> Vec<Range<usize>> {
    let parts = error.embedded();
    for part in parts {
        assert_vectors(&part.embeddings, &all[part.texts.clone()], 16);
        assert_eq!(part.embeddings.batches.len(), 1);
        assert_eq!(part.embeddings.usage, part.embeddings.batches[0].usage);
    }
    let cost: Money = parts.iter().map(|part| part.embeddings.cost.unwrap().total).sum();
    assert!(cost <= spent(client), "{cost} {}", spent(client));
    parts.iter().map(|part| part.texts.clone()).collect()
}

#[test]
fn an_error_carries_the_vectors_of_the_requests_already_answered() {
    let server = loopback();
    server.respond(|request| {
        request.body_contains("text 005").then(|| Reply::error(400, "bad", "No such thing."))
    });
    let client = priced(&server, "openai", config([Budget::total(Money::dollars(1))]));
    let all = texts(9);
    let request = EmbedRequest::new(&all).batch_size(2).parallel_requests(1);
    let error = client.embed(&request).unwrap_err();
    assert_eq!((error.status(), server.request_count()), (Some(400), 3), "{error}");
    assert_eq!(embedded(&client, &error, &all), [0..2, 2..4]);
    let cost: Money = error.embedded().iter().map(|part| part.embeddings.cost.unwrap().total).sum();
    assert_eq!(cost, spent(&client));
    assert!(!format!("{error} {error:?}").contains("text 0"), "{error:?}");

    // Requests sent at the same time: whatever was answered, in order.
    let error = client.embed(request.parallel_requests(4)).unwrap_err();
    let found = embedded(&client, &error, &all);
    assert!(!found.contains(&(4..6)) && found.is_sorted_by_key(|range| range.start), "{found:?}");

    let error = client.embed("text 005").unwrap_err();
    assert!(error.embedded().is_empty());
}

#[test]
fn a_cancelled_call_carries_the_vectors_of_the_requests_already_answered() {
    let server = loopback();
    hangs(&server, |request| request.body_contains("text 002"));
    let client = priced(&server, "openai", config([Budget::total(Money::dollars(1))]));
    let (token, all) = (CancelToken::new(), texts(4));
    let request = EmbedRequest::new(&all).batch_size(1).parallel_requests(1).cancel_token(&token);
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| client.embed(request).unwrap_err());
        assert!(server.wait_for_requests(3, LONG));
        token.cancel();
        call.join().unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert_eq!(embedded(&client, &error, &all), [0..1, 1..2]);
}

#[test]
fn cancelling_ends_all_requests() {
    let server = loopback();
    hangs(&server, |_| true);
    let client = client(&server, "openai");
    let token = CancelToken::new();
    let request =
        EmbedRequest::new(texts(9)).batch_size(1).parallel_requests(3).cancel_token(&token);
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| client.embed(request).unwrap_err());
        assert!(server.wait_for_requests(3, LONG));
        token.cancel();
        call.join().unwrap()
    });
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::Cancelled, 3), "{error}");
    // A cancelled token stops a call before anything is sent.
    let request = EmbedRequest::new(texts(9)).batch_size(1).cancel_token(&token);
    assert_eq!(client.embed(request).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(server.request_count(), 3);
}

#[test]
fn one_deadline_covers_all_requests() {
    let server = loopback();
    let timeout = Duration::from_millis(600);
    // Each alone is fast enough; both together are not.
    server.default_reply(Reply::text("").delay(timeout * 3 / 4));
    let client = client(&server, "openai");
    let request = EmbedRequest::new(texts(2)).batch_size(1).parallel_requests(1).timeout(timeout);
    let error = client.embed(request).unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[test]
fn budgets_hold_what_the_texts_can_cost() {
    let server = loopback();
    // 20 bytes, so at most 20 tokens at a dollar per million.
    let text = || EmbedRequest::from("twenty bytes of text");
    let too_small = config([Budget::total(usd("0.000019"))]);
    let client = priced(&server, "openai", too_small);
    let error = client.embed(text()).unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::BudgetExceeded, 0), "{error}");

    let client = priced(&server, "openai", config([Budget::total(usd("0.000020"))]));
    let embeddings = client.embed(text()).unwrap();
    assert_eq!(
        (embeddings.cost.unwrap().total, spent(&client)),
        (usd("0.000005"), usd("0.000005"))
    );
    assert_eq!(client.embed(text()).unwrap_err().kind(), ErrorKind::BudgetExceeded);
}

#[test]
fn no_text_is_reserved_beyond_what_the_model_reads() {
    let server = loopback();
    // The model reads 8,192 tokens at most and refuses longer texts.
    let client = priced(&server, "openai", config([Budget::total(usd("0.008192"))]));
    client.embed("x".repeat(20_000)).unwrap();
    let client = priced(&server, "openai", config([Budget::total(usd("0.008191"))]));
    let error = client.embed("x".repeat(20_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
}

#[test]
fn the_books_equal_what_the_server_billed() {
    let server = loopback();
    server.default_reply(Reply::text("").usage(7, 0));
    let client = priced(&server, "openai", config([Budget::total(Money::dollars(1))]));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client: Client = client.clone();
            thread::spawn(move || client.embed(EmbedRequest::new(texts(10)).batch_size(3)).unwrap())
        })
        .collect();
    let answers: Vec<Embeddings> = threads.into_iter().map(|call| call.join().unwrap()).collect();
    assert_eq!(server.request_count(), 16);
    assert_eq!(spent(&client), usd("0.000112"));
    let total: Money = answers.iter().map(|answer| answer.cost.unwrap().total).sum();
    assert_eq!(total, usd("0.000112"));
}

#[test]
fn usage_that_is_not_reported_is_estimated() {
    let server = loopback();
    server.default_reply(Reply::text("").no_usage());
    let client = priced(&server, "openai", config([Budget::total(Money::dollars(1))]));
    let embeddings = client.embed("twenty bytes of text").unwrap();
    assert_eq!(embeddings.usage.source, UsageSource::Estimated);
    assert_eq!(embeddings.usage.prompt_tokens, 5);
    assert_eq!(embeddings.cost.unwrap().total, spent(&client));
}

#[test]
fn the_same_client_embeds_with_other_providers() {
    let server = loopback();
    let mistral = Client::builder().provider("mistral").api_key(KEY);
    let client = mistral.model("mistral-embed").base_url(server.base_url("mistral"));
    let client = client.costs(config([]).prices(Prices::empty())).build().unwrap();
    let embeddings = client.embed(EmbedRequest::from("a").dimensions(4)).unwrap();
    assert_eq!((&embeddings[0], embeddings.cost), (&*embedding("a", 4), None));
    let body = server.requests()[0].json().clone();
    assert_eq!((&body["output_dimension"], body.get("dimensions")), (&4.into(), None));
}
