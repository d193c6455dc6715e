//! Streams are cached, and replayed as streams.

mod support;

use std::thread;
use std::time::Duration;
use support::{builder, folder::Folder, loopback};
use tollgate::testing::{Loopback, Reply};
use tollgate::{AnswerSource, Cache, ChatResponse, Client, FinishReason, NextEvent, StreamEvent};

const LONG: Duration = Duration::from_secs(30);

fn caching(server: &Loopback, provider: &str, cache: Cache) -> Client {
    builder(server, provider).cache(cache).build().unwrap()
}

/// The events and the whole answer of a stream.
fn read(client: &Client) -> (Vec<StreamEvent>, ChatResponse, AnswerSource) {
    let mut stream = client.stream("hi").unwrap();
    let events = stream.by_ref().map(Result::unwrap).collect();
    (events, stream.finish().unwrap(), stream.source())
}

#[test]
fn a_stream_from_the_cache_has_the_same_events() {
    for provider in ["openai", "anthropic", "gemini", "cohere", "ollama"] {
        for shared in [false, true] {
            let (server, folder) = (loopback(), Folder::new("cache-stream"));
            server.reply(Reply::text("The capital is Paris, é漢🎉.").usage(12, 9).write_size(7));
            let cache = if shared { Cache::folder(&folder.0) } else { Cache::memory(1 << 20) };
            let client = caching(&server, provider, cache);
            let live = read(&client);
            drop(server);
            let hit = read(&client);
            assert_eq!((live.2, hit.2), (AnswerSource::Live, AnswerSource::Cached), "{provider}");
            assert_eq!(hit.0, live.0, "{provider}");
            assert_eq!(
                (hit.1.usage, hit.1.cost, hit.1.text()),
                (live.1.usage, live.1.cost, live.1.text())
            );
            assert_eq!(client.costs().total.calls, 1);
            let cache = client.metrics().total.cache;
            assert_eq!((cache.hits, cache.misses), (1, 1));
        }
    }
}

#[test]
fn only_a_stream_that_ended_completely_is_kept() {
    let server = loopback();
    let client = caching(&server, "openai", Cache::memory(1 << 20));
    // Dropped after its first event.
    server.reply(Reply::pieces(["a", "b", "c"]).chunk_delay(Duration::from_millis(20)));
    drop(client.stream("hi").unwrap());
    for reply in [
        Reply::pieces(["a", "b", "c"]).end_after(2),
        Reply::pieces(["a", "b", "c"]).reset_after(300),
        Reply::text("a").stream_error(1, "server_error", "broken"),
    ] {
        server.reply(reply);
        assert!(client.stream("hi").and_then(|mut stream| stream.finish()).is_err());
    }
    server.reply(Reply::text("a").finish_reason(FinishReason::Length));
    assert_eq!(read(&client).2, AnswerSource::Live);
    server.reply(Reply::text("Paris"));
    assert_eq!(read(&client).2, AnswerSource::Live);
    let hit = read(&client);
    assert_eq!((hit.1.text(), hit.2), ("Paris".to_owned(), AnswerSource::Cached));
    assert_eq!(server.request_count(), 6);
}

#[test]
fn equal_streams_at_the_same_time_make_one_request() {
    let server = loopback();
    server.reply(Reply::pieces(vec!["Paris "; 20]).stall_after(3_000));
    server.default_reply(Reply::text("Paris"));
    let client = caching(&server, "openai", Cache::memory(1 << 20));
    thread::scope(|scope| {
        let mut leader = client.stream("hi").unwrap();
        let followers: Vec<_> = (0..4).map(|_| scope.spawn(|| read(&client))).collect();
        assert!(matches!(leader.next_timeout(LONG), Ok(NextEvent::Event(_))));
        // It never ends, so the others would wait for their own deadlines.
        drop(leader);
        let answers: Vec<_> = followers.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(answers.iter().all(|(_, answer, _)| answer.text() == "Paris"));
        let live = answers.iter().filter(|(.., source)| *source == AnswerSource::Live).count();
        assert_eq!(live, 1);
    });
    assert_eq!(server.request_count(), 2);
}

#[test]
fn a_stream_that_nobody_reads_does_not_hold_up_equal_ones() {
    let server = loopback();
    let pieces: Vec<String> =
        (0..2_000).map(|number| format!("{number} {}", "x".repeat(2_000))).collect();
    server.default_reply(Reply::pieces(pieces));
    let client = caching(&server, "openai", Cache::memory(64 << 20));
    let unread = client.stream("hi").unwrap();
    let (_, answer, source) = read(&client);
    assert_eq!(source, AnswerSource::Live);
    assert!(answer.text().starts_with("0 xxx"));
    drop(unread);
    assert_eq!(read(&client).2, AnswerSource::Cached);
}
