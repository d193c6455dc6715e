//! Equal calls at the same time make one request.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use support::{builder, loopback};
use tollgate::cache::Mode;
use tollgate::observe::{Call, Observer};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    AnswerSource, Cache, CancelToken, ChatRequest, ChatResponse, Client, Error, ErrorKind, Phase,
};

const LONG: Duration = Duration::from_secs(30);

/// Counts the calls that have begun.
#[derive(Default)]
struct Begun {
    calls: Mutex<usize>,
    changed: Condvar,
}

impl Observer for Begun {
    fn call_begun(&self, _: &Call<'_>) {
        *self.calls.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}

impl Begun {
    fn wait_for(&self, calls: usize) {
        let begun = self.calls.lock().unwrap();
        let (_begun, timeout) =
            self.changed.wait_timeout_while(begun, LONG, |begun| *begun < calls).unwrap();
        assert!(!timeout.timed_out(), "not all calls have begun");
    }
}

fn caching(server: &Loopback) -> (Client, Arc<Begun>) {
    let begun = Arc::new(Begun::default());
    let builder = builder(server, "openai").cache(Cache::memory(1 << 20));
    (builder.shared_observer(begun.clone()).build().unwrap(), begun)
}

/// The outcomes of equal calls at the same time.
fn all(client: &Client, calls: usize) -> Vec<Result<ChatResponse, Error>> {
    let threads: Vec<_> = (0..calls)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || client.chat("hi"))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn many_equal_calls_at_the_same_time_make_one_request() {
    const CALLS: usize = 16;
    let server = loopback();
    let (client, begun) = caching(&server);
    server.respond(move |_| {
        begun.wait_for(CALLS);
        Some(Reply::text("Paris"))
    });
    let answers = all(&client, CALLS);
    assert_eq!(server.request_count(), 1);
    let sources: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().source()).collect();
    let live = sources.iter().filter(|source| **source == AnswerSource::Live).count();
    assert_eq!(live, 1, "{sources:?}");
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().text() == "Paris"));
    let cache = client.metrics().total.cache;
    assert_eq!((cache.hits, cache.misses), (CALLS as u64 - 1, 1));
    assert_eq!(client.costs().total.calls, 1);
}

#[test]
fn after_a_failure_one_call_tries_again_and_answers_the_others() {
    const CALLS: usize = 8;
    let server = loopback();
    let (client, begun) = caching(&server);
    let requests = AtomicUsize::new(0);
    server.respond(move |_| {
        begun.wait_for(CALLS);
        Some(match requests.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Reply::error(500, "broken", "try again"),
            _ => Reply::text("Paris"),
        })
    });
    let answers = all(&client, CALLS);
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!((failed, server.request_count()), (2, 3));
}

#[test]
fn a_call_that_waits_takes_over_from_one_that_is_cancelled() {
    let server = loopback();
    server.reply(Reply::hang());
    server.reply(Reply::text("Paris"));
    let (client, begun) = caching(&server);
    let token = CancelToken::new();
    thread::scope(|scope| {
        let request = ChatRequest::from("hi").cancel_token(&token);
        let leader = scope.spawn(|| client.chat(request));
        assert!(server.wait_for_requests(1, LONG));
        let follower = scope.spawn(|| client.chat("hi"));
        begun.wait_for(2);
        token.cancel();
        assert!(leader.join().unwrap().unwrap_err().is_cancelled());
        let answer = follower.join().unwrap().unwrap();
        assert_eq!((answer.text(), answer.source()), ("Paris".to_owned(), AnswerSource::Live));
    });
    assert_eq!(client.chat("hi").unwrap().source(), AnswerSource::Cached);
    assert_eq!(server.request_count(), 2);
}

#[test]
fn a_call_waits_within_its_own_limits() {
    let server = loopback();
    server.reply(Reply::hang());
    let (client, begun) = caching(&server);
    let (stop, token) = (CancelToken::new(), CancelToken::new());
    thread::scope(|scope| {
        let request = ChatRequest::from("hi").cancel_token(&stop);
        let leader = scope.spawn(|| client.chat(request));
        assert!(server.wait_for_requests(1, LONG));

        let error = client.chat(ChatRequest::from("hi").timeout(Duration::from_millis(20)));
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::CacheWait)));
        assert!(error.to_string().contains("20"), "{error}");

        let request = ChatRequest::from("hi").cancel_token(&token);
        let cancelled = scope.spawn(|| client.chat(request));
        begun.wait_for(3);
        token.cancel();
        assert!(cancelled.join().unwrap().unwrap_err().is_cancelled());

        // The one that they waited for goes on.
        assert_eq!(server.request_count(), 1);
        stop.cancel();
        assert!(leader.join().unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn calls_that_do_not_join_make_their_own_requests() {
    let server = loopback();
    server.reply(Reply::hang());
    server.default_reply(Reply::text("Paris"));
    let (client, _) = caching(&server);
    let token = CancelToken::new();
    thread::scope(|scope| {
        let request = ChatRequest::from("hi").cancel_token(&token);
        let leader = scope.spawn(|| client.chat(request));
        assert!(server.wait_for_requests(1, LONG));
        for (number, mode) in [Mode::Off, Mode::ReadOnly, Mode::WriteOnly].into_iter().enumerate() {
            client.chat(ChatRequest::from("hi").cache(mode)).unwrap();
            assert_eq!(server.request_count(), number as u64 + 2, "{mode:?}");
        }
        client.chat("something else").unwrap();
        token.cancel();
        assert!(leader.join().unwrap().is_err());
    });
}
