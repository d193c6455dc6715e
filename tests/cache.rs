//! A client answers equal requests from its cache, at once and for free.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use support::{builder, loopback};
use tollgate::cache::Mode;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    AnswerSource, Budget, Cache, ChatRequest, Client, EmbedRequest, ErrorKind, FinishReason,
    Limits, ModerationRequest, Money, RawRequest, Usage,
};

fn caching(server: &Loopback, cache: Cache) -> Client {
    builder(server, "openai").cache(cache).build().unwrap()
}

fn memory() -> Cache {
    Cache::memory(1 << 20)
}

#[test]
fn a_hit_opens_no_connection_and_equals_the_live_answer() {
    let server = loopback();
    server
        .reply(Reply::text("Paris").usage(12, 1).header("x-request-id", "req_1").rate_limit(9, 8));
    let client = caching(&server, memory());
    let live = client.chat("What is the capital of France?").unwrap();
    assert_eq!(live.source(), AnswerSource::Live);
    drop(server);
    let hit = client.chat("What is the capital of France?").unwrap();
    assert_eq!(hit.source(), AnswerSource::Cached);
    assert_eq!(
        (hit.text(), hit.usage, hit.finish_reason),
        (live.text(), live.usage, live.finish_reason)
    );
    assert_eq!(
        (hit.raw(), &hit.request_id, &hit.model),
        (live.raw(), &live.request_id, &live.model)
    );
    assert_eq!((hit.cost, hit.request_id.as_deref()), (live.cost, Some("req_1")));
    // They were those of another moment.
    assert!(live.rate_limit.requests.limit.is_some() && hit.rate_limit.requests.limit.is_none());
    assert_eq!(client.chat("And of Italy?").unwrap_err().kind(), ErrorKind::Connection);
}

#[test]
fn a_hit_charges_nothing_and_needs_no_room_in_budgets_or_limits() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(1_000, 1_000));
    let request = || ChatRequest::from("hi").max_output_tokens(1_000);
    let price = client_price(&server, request());
    // Enough for one call, but not for another one.
    let client = builder(&server, "openai")
        .budget(Budget::total(price + Money::picos(price.as_picos() / 2)))
        .limits(Limits::new().requests_per_minute(1))
        .timeout(Duration::from_millis(500))
        .cache(memory())
        .build()
        .unwrap();
    client.chat(request()).unwrap();
    let before = client.costs();
    for _ in 0..3 {
        let hit = client.chat(request()).unwrap();
        assert_eq!(
            (hit.source(), hit.cost.map(|cost| cost.total)),
            (AnswerSource::Cached, Some(price))
        );
    }
    let after = client.costs();
    assert_eq!((after.total.calls, after.total.cost), (1, before.total.cost));
    assert_eq!(after.budgets, before.budgets);
    assert_eq!(after.refused, 0);
    assert_eq!(
        client.chat(request().cache(Mode::Off)).unwrap_err().kind(),
        ErrorKind::BudgetExceeded
    );
    let cache = client.metrics().total.cache;
    assert_eq!((cache.hits, cache.misses, cache.money_saved), (3, 1, price * 3));
}

/// What a call costs.
fn client_price(server: &Loopback, request: ChatRequest) -> Money {
    let client = builder(server, "openai").build().unwrap();
    client.chat(request).unwrap().cost.unwrap().total
}

#[test]
fn an_output_limit_that_a_budget_sets_is_not_in_the_key() {
    let (server, cache) = (loopback(), memory());
    server.default_reply(Reply::text("Paris").usage(10, 5));
    let limited = |limit: Money| {
        builder(&server, "openai").budget(Budget::total(limit)).cache(&cache).build().unwrap()
    };
    // Too little for a long answer, so that a shorter one is asked for.
    limited(Money::cents(1)).chat("hi").unwrap();
    assert_eq!(limited(Money::dollars(1)).chat("hi").unwrap().source(), AnswerSource::Live);
    let bodies: Vec<_> =
        server.requests().iter().map(|request| request.json().to_string()).collect();
    assert!(bodies.iter().all(|body| body.contains("max_tokens")), "{bodies:?}");
    assert_eq!(limited(Money::cents(1)).chat("hi").unwrap().source(), AnswerSource::Cached);
    assert_eq!(caching(&server, cache.clone()).chat("hi").unwrap().source(), AnswerSource::Cached);
}

#[test]
fn failures_and_answers_that_are_cut_short_are_not_kept() {
    let server = loopback();
    let client = caching(&server, memory());
    for reply in [
        Reply::status(400),
        Reply::status(500),
        Reply::status(429),
        Reply::text("Par").cut_after(60),
        Reply::text("Paris").malformed(),
    ] {
        server.reply(reply);
        client.chat("hi").unwrap_err();
    }
    for reason in [FinishReason::Length, FinishReason::ContentFilter] {
        server.reply(Reply::text("Par").finish_reason(reason));
        let answer = client.chat("hi").unwrap();
        assert_eq!((answer.source(), answer.text()), (AnswerSource::Live, "Par".to_owned()));
    }
    server.reply(Reply::tool_call("weather", serde_json::json!({"city": "Paris"})));
    assert_eq!(client.chat("hi").unwrap().source(), AnswerSource::Live);
    assert_eq!(client.chat("hi").unwrap().source(), AnswerSource::Cached);
}

#[test]
fn every_mode_does_what_it_says() {
    let server = loopback();
    let numbers = AtomicU64::new(0);
    server.respond(move |_| {
        Some(Reply::text(format!("number {}", numbers.fetch_add(1, Ordering::SeqCst))))
    });
    let client = caching(&server, memory());
    let ask = |mode: Mode| client.chat(ChatRequest::from("hi").cache(mode)).unwrap();
    for (mode, text, source) in [
        (Mode::ReadOnly, "number 0", AnswerSource::Live),
        (Mode::Off, "number 1", AnswerSource::Live),
        (Mode::On, "number 2", AnswerSource::Live),
        (Mode::On, "number 2", AnswerSource::Cached),
        (Mode::ReadOnly, "number 2", AnswerSource::Cached),
        (Mode::WriteOnly, "number 3", AnswerSource::Live),
        (Mode::On, "number 3", AnswerSource::Cached),
        (Mode::Off, "number 4", AnswerSource::Live),
        (Mode::Refresh, "number 5", AnswerSource::Live),
        (Mode::On, "number 5", AnswerSource::Cached),
    ] {
        let answer = ask(mode);
        assert_eq!((answer.text(), answer.source()), (text.to_owned(), source), "{mode:?}");
    }
    let cache = client.metrics().total.cache;
    assert_eq!((cache.hits, cache.misses), (4, 2), "only calls that read are counted");
    let client = caching(&server, memory().mode(Mode::Off));
    for source in [AnswerSource::Live, AnswerSource::Live] {
        assert_eq!(client.chat("hi").unwrap().source(), source);
    }
    let on = || ChatRequest::from("hi").cache(Mode::On);
    client.chat(on()).unwrap();
    assert_eq!(client.chat(on()).unwrap().source(), AnswerSource::Cached);
}

#[test]
fn requests_for_varied_answers_are_cached_only_if_they_ask_for_it() {
    let server = loopback();
    let client = caching(&server, memory());
    let varied = || ChatRequest::from("hi").temperature(0.7);
    let cases = [
        (ChatRequest::from("unset"), true),
        (ChatRequest::from("zero").temperature(0.0), true),
        (varied(), false),
        (ChatRequest::from("extra").extra("temperature", 0.7), false),
        (ChatRequest::from("several").n(2), false),
        (varied().cache(Mode::On), true),
    ];
    for (request, is_cached) in cases {
        client.chat(request.clone()).unwrap();
        let again = client.chat(request.clone()).unwrap();
        assert_eq!(again.source() == AnswerSource::Cached, is_cached, "{request:?}");
    }
    let client = caching(&server, memory().sampled(true));
    client.chat(varied()).unwrap();
    assert_eq!(client.chat(varied()).unwrap().source(), AnswerSource::Cached);
}

#[test]
fn an_answer_is_used_until_its_time_to_live_is_over() {
    let (server, seconds) = (loopback(), Arc::new(AtomicU64::new(0)));
    let clock = Arc::clone(&seconds);
    let cache = memory().ttl(Duration::from_secs(60)).clock(move || {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + clock.load(Ordering::SeqCst))
    });
    let client = caching(&server, cache);
    for (second, source) in [
        (0, AnswerSource::Live),
        (59, AnswerSource::Cached),
        (60, AnswerSource::Live),
        (119, AnswerSource::Cached),
        (120, AnswerSource::Live),
    ] {
        seconds.store(second, Ordering::SeqCst);
        assert_eq!(client.chat("hi").unwrap().source(), source, "{second} s");
    }
}

#[test]
fn embeddings_are_cached_for_each_request_that_the_texts_are_split_into() {
    let server = loopback();
    let client = builder(&server, "openai").model("text-embedding-3-small").cache(memory()).build();
    let client = client.unwrap();
    let texts = |texts: [&str; 4]| EmbedRequest::new(texts).batch_size(2);
    let live = client.embed(texts(["a", "b", "c", "d"])).unwrap();
    assert_eq!(server.request_count(), 2);
    let hit = client.embed(texts(["a", "b", "c", "d"])).unwrap();
    assert_eq!(server.request_count(), 2);
    assert!((0..4).all(|at| live[at] == hit[at]) && hit.len() == 4);
    let sources =
        |of: &tollgate::Embeddings| of.batches.iter().map(|one| one.source()).collect::<Vec<_>>();
    assert_eq!(sources(&hit), [AnswerSource::Cached; 2]);
    let partly = client.embed(texts(["a", "b", "x", "y"])).unwrap();
    assert_eq!(sources(&partly), [AnswerSource::Cached, AnswerSource::Live]);
    assert_eq!(server.request_count(), 3);
    assert_eq!(client.embed(EmbedRequest::from("a").cache(Mode::Off)).unwrap().len(), 1);
    assert_eq!(client.costs().total.calls, 4);
}

#[test]
fn other_calls_are_never_cached() {
    let server = loopback();
    let client = caching(&server, memory());
    for count in 1..3 {
        client.moderate(ModerationRequest::from("a nice day")).unwrap();
        let body = serde_json::json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]});
        client.send(RawRequest::post("/chat/completions", body)).unwrap();
        assert_eq!(server.request_count(), 2 * count);
    }
}

#[test]
fn what_the_program_says_does_not_matter_is_not_in_the_key() {
    let server = loopback();
    let cache = memory().rewrite(|text| text.replace("2026-11-27", "[today]")).ignore("/user");
    let client = caching(&server, cache);
    client.chat(ChatRequest::from("It is 2026-11-27.").extra("user", "ann")).unwrap();
    let other = client.chat(ChatRequest::from("It is [today].").extra("user", "bob")).unwrap();
    assert_eq!(other.source(), AnswerSource::Cached);
    assert_eq!(client.chat("It is 2026-11-28.").unwrap().source(), AnswerSource::Live);
}

#[test]
fn clients_that_share_a_cache_share_its_answers() {
    let (server, cache) = (loopback(), memory());
    caching(&server, cache.clone()).chat("hi").unwrap();
    let other = builder(&server, "openai").api_key("sk-another-key").cache(&cache).build().unwrap();
    assert_eq!(other.chat("hi").unwrap().source(), AnswerSource::Cached);
    assert_eq!(server.request_count(), 1);
}

#[test]
fn hits_are_counted_and_use_no_tokens() {
    let server = loopback();
    server.reply(Reply::text("Paris").usage(12, 3).delay(Duration::from_millis(30)));
    let client = caching(&server, memory());
    let live = client.chat("hi").unwrap();
    for _ in 0..4 {
        client.chat("hi").unwrap();
    }
    let metrics = client.metrics();
    let Usage { prompt_tokens, completion_tokens, .. } = live.usage;
    assert_eq!(
        (metrics.total.tokens.input, metrics.total.tokens.output),
        (prompt_tokens, completion_tokens)
    );
    assert_eq!((metrics.total.cost, metrics.total.unpriced), (live.cost.unwrap().total, 0));
    let cache = metrics.total.cache;
    assert!((cache.hit_rate() - 0.8).abs() < 1e-9, "{cache:?}");
    assert!(cache.time_saved > Duration::from_millis(30), "{cache:?}");
    assert_eq!(metrics.by_model[0].total.cache, cache);
    let page = metrics.prometheus();
    for line in [
        "tollgate_cache_hits_total{",
        "tollgate_cache_misses_total{",
        "tollgate_cache_money_saved_usd_total{",
        "tollgate_cache_time_saved_seconds_total{",
        "tollgate_cache_failures_total 0",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    let table = metrics.to_string();
    assert!(table.contains("Cache: 4 hits, 1 miss; "), "{table}");
}
