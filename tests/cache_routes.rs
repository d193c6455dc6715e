//! The cache together with routes, cascades, hedges and recordings.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::{KEY, builder, folder::Folder, loopback};
use tollgate::replay::Mode;
use tollgate::route::{Hedge, Route, TargetStep};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    AnswerSource, Cache, ChatResponse, Client, ClientBuilder, ProviderConfig, RetryConfig,
};

fn routed(server: &Loopback, route: Route) -> ClientBuilder {
    let provider =
        |name: &str| ProviderConfig::new(name).api_key(KEY).base_url(server.base_url(name));
    Client::builder()
        .add_provider(provider("openai"))
        .add_provider(provider("anthropic"))
        .route(route)
        .model("any")
        .timeout(Duration::from_secs(30))
        .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .cache(Cache::memory(1 << 20))
}

fn both() -> Route {
    Route::new("any").target("openai/gpt-4o-mini").target("anthropic/claude-haiku-4-5")
}

fn facts(response: &ChatResponse) -> (AnswerSource, &str, String) {
    (response.source(), response.provider.as_str(), response.text())
}

#[test]
fn a_stored_answer_of_any_target_answers_before_one_is_chosen() {
    let server = loopback();
    server.on(|request| request.path().contains("chat"), Reply::status(500));
    server.default_reply(Reply::text("Paris"));
    let client = routed(&server, both()).build().unwrap();
    let live = client.chat("hi").unwrap();
    assert_eq!(facts(&live), (AnswerSource::Live, "anthropic", "Paris".to_owned()));
    let (requests, targets) = (server.request_count(), client.targets());
    let hit = client.chat("hi").unwrap();
    assert_eq!(facts(&hit), (AnswerSource::Cached, "anthropic", "Paris".to_owned()));
    assert_eq!((server.request_count(), client.targets()), (requests, targets));
    // The answer belongs to the target, not to the route.
    let direct = tollgate::ChatRequest::from("hi").model("anthropic/claude-haiku-4-5");
    assert_eq!(client.chat(direct).unwrap().source(), AnswerSource::Cached);
    let cache = client.metrics().total.cache;
    assert_eq!((cache.hits, cache.misses), (2, 1));
}

#[test]
fn a_stream_of_a_route_is_cached() {
    let server = loopback();
    let client = routed(&server, both()).build().unwrap();
    for source in [AnswerSource::Live, AnswerSource::Cached] {
        let mut stream = client.stream("hi").unwrap();
        stream.finish().unwrap();
        assert_eq!(stream.source(), source);
    }
    assert_eq!(server.request_count(), 1);
}

#[test]
fn the_answer_of_a_hedge_is_cached_and_a_hit_starts_none() {
    let server = loopback();
    server.on(|request| request.path().contains("chat"), Reply::hang());
    server.default_reply(Reply::text("Paris"));
    let route = both().hedge(Hedge::after(Duration::from_millis(10)));
    let client = routed(&server, route).build().unwrap();
    assert_eq!(facts(&client.chat("hi").unwrap()).1, "anthropic");
    let requests = server.request_count();
    assert_eq!(client.chat("hi").unwrap().source(), AnswerSource::Cached);
    assert_eq!(server.request_count(), requests);
}

#[test]
fn a_cascade_is_never_answered_by_what_it_does_not_accept() {
    let server = loopback();
    server.on(|request| request.path().contains("chat"), Reply::text("I am not sure."));
    server.default_reply(Reply::text("Paris"));
    let judged = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&judged);
    let route = Route::cascade("any", ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"]).accept(
        move |answer: &ChatResponse| {
            count.fetch_add(1, Ordering::SeqCst);
            !answer.text().contains("not sure")
        },
    );
    let client = routed(&server, route).build().unwrap();
    // The cheap model's answer to a call of its own is stored.
    let direct = tollgate::ChatRequest::from("hi").model("openai/gpt-4o-mini");
    client.chat(direct).unwrap();
    assert_eq!(
        facts(&client.chat("hi").unwrap()),
        (AnswerSource::Live, "anthropic", "Paris".to_owned())
    );
    let requests = server.request_count();
    for _ in 0..2 {
        let hit = client.chat("hi").unwrap();
        assert_eq!(facts(&hit), (AnswerSource::Cached, "anthropic", "Paris".to_owned()));
        assert_eq!(hit.route().unwrap().targets[1].steps, [TargetStep::Answered]);
    }
    assert_eq!((server.request_count(), judged.load(Ordering::SeqCst)), (requests, 5));
}

#[test]
fn a_client_with_recordings_does_not_use_its_cache() {
    let (server, folder) = (loopback(), Folder::new("cache-replay"));
    let cache = Cache::memory(1 << 20);
    builder(&server, "openai").cache(&cache).build().unwrap().chat("hi").unwrap();
    let client =
        builder(&server, "openai").cache(&cache).replay(folder.replay(Mode::Record)).build();
    let client = client.unwrap();
    assert_eq!(client.chat("hi").unwrap().source(), AnswerSource::Live);
    assert_eq!(client.chat("hi").unwrap().source(), AnswerSource::Replayed);
    assert_eq!((server.request_count(), folder.names().len()), (2, 1));
}
