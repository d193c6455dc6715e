//! A client records what a provider answers, and replays it without a key or a network.

mod support;

use serde_json::json;
use std::fs;
use support::folder::Folder;
use support::{KEY, builder, loopback};
use tollgate::embed::EmbedBatch;
use tollgate::replay::Mode;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    AnswerSource, Budget, ChatRequest, Client, ClientBuilder, EmbedRequest, ErrorKind,
    ModerationRequest, Money, RawRequest, RetryConfig,
};

fn recording(server: &Loopback, folder: &Folder) -> Client {
    builder(server, "openai").replay(folder.replay(Mode::Record)).build().unwrap()
}

/// A client that was never given a key.
fn keyless(url: &str) -> ClientBuilder {
    Client::builder().provider("openai").model("gpt-4o-mini").base_url(url)
}

fn replaying(url: &str, folder: &Folder) -> Client {
    keyless(url).replay(folder.replay(Mode::Replay)).build().unwrap()
}

#[test]
fn a_recorded_answer_is_replayed_without_a_key_or_a_server() {
    let (folder, server) = (Folder::new("chat"), loopback());
    server.reply(Reply::text("Paris").usage(12, 1));
    let client = recording(&server, &folder);
    let live = client.chat("What is the capital of France?").unwrap();
    assert_eq!(live.source(), AnswerSource::Live);
    // The second call is answered by the recording of the first.
    let again = client.chat("What is the capital of France?").unwrap();
    assert_eq!(again.source(), AnswerSource::Replayed);
    assert_eq!(server.requests().len(), 1);

    let url = server.base_url("openai");
    drop(server);
    let client = replaying(&url, &folder);
    let replayed = client.chat("What is the capital of France?").unwrap();
    assert_eq!(replayed.source(), AnswerSource::Replayed);
    assert_eq!((replayed.text(), replayed.usage), (live.text(), live.usage));
    assert_eq!((replayed.raw(), &replayed.request_id), (live.raw(), &live.request_id));
    assert_eq!(replayed.cost, live.cost);
    let names = folder.names();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("openai-completions-gpt-4o-mini-"), "{names:?}");
    let text = fs::read_to_string(folder.0.join(&names[0])).unwrap();
    assert!(!text.contains(KEY), "{text}");
}

#[test]
fn a_miss_names_the_file_and_opens_no_connection() {
    let (folder, server) = (Folder::new("miss"), loopback());
    let client = replaying(&server.base_url("openai"), &folder);
    let error = client.chat("my secret prompt").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRecorded);
    let text = error.to_string();
    for part in ["openai-completions-gpt-4o-mini-", ".json", "TOLLGATE_REPLAY=record"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("secret prompt"), "{text}");
    assert_eq!(client.stream("hi").unwrap_err().kind(), ErrorKind::NotRecorded);
    assert_eq!(client.embed("hi").unwrap_err().kind(), ErrorKind::NotRecorded);
    assert_eq!(client.models("openai").unwrap_err().kind(), ErrorKind::NotRecorded);
    assert_eq!(client.warm_up(2).unwrap(), 0);
    assert_eq!(server.connections().opened, 0);
    assert!(folder.names().is_empty());
}

#[test]
fn a_stream_is_replayed_event_by_event() {
    let (folder, server) = (Folder::new("stream"), loopback());
    server.reply(Reply::text("The capital of France is Paris, é漢🎉.").usage(12, 9));
    let client = recording(&server, &folder);
    let mut stream = client.stream("hi").unwrap();
    let live: Vec<_> = stream.by_ref().map(Result::unwrap).collect();
    let live = (live, stream.finish().unwrap());
    assert_eq!(stream.source(), AnswerSource::Live);
    let url = server.base_url("openai");
    drop(server);
    let mut stream = replaying(&url, &folder).stream("hi").unwrap();
    let events: Vec<_> = stream.by_ref().map(Result::unwrap).collect();
    assert_eq!(events, live.0);
    let answer = stream.finish().unwrap();
    assert_eq!(answer.source(), AnswerSource::Replayed);
    assert_eq!(
        (answer.message, answer.usage, answer.cost),
        (live.1.message, live.1.usage, live.1.cost)
    );
}

#[test]
fn a_stream_that_does_not_end_is_not_recorded() {
    let (folder, server) = (Folder::new("partial"), loopback());
    server.reply(Reply::text("one two three four").end_after(2));
    server.reply(Reply::text("one two three four").chunk_delay(std::time::Duration::from_secs(5)));
    let client = recording(&server, &folder);
    let error = client.stream("hi").unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(folder.names().is_empty());
    let mut stream = client.stream("dropped").unwrap();
    stream.next();
    drop(stream);
    assert!(folder.names().is_empty());
}

#[test]
fn lasting_errors_are_recorded_and_passing_ones_are_not() {
    let (folder, server) = (Folder::new("errors"), loopback());
    server.reply(Reply::error(400, "invalid_value", "the model cannot do that"));
    server.reply(Reply::error(429, "rate_limit_exceeded", "slow down"));
    server.reply(Reply::status(503));
    // Gateways report an overload with the status 200, and providers in the middle of a stream.
    let overload = "{\"error\":{\"code\":503,\"message\":\"overloaded\"}}";
    server.reply(Reply::raw(200, "application/json", overload));
    server.reply(Reply::text("one two").stream_error(2, "server_error", "overloaded"));
    let client = recording(&server, &folder);
    let live = client.chat("bad").unwrap_err();
    assert_eq!(client.chat("limited").unwrap_err().kind(), ErrorKind::RateLimited);
    assert!(client.stream("down").is_err());
    assert!(client.chat("overloaded").unwrap_err().is_retryable());
    let mut stream = client.stream("overloaded").unwrap();
    assert!(stream.finish().unwrap_err().is_retryable());
    // Another key would get an answer.
    for (status, code, kind) in [
        (401, "invalid_api_key", ErrorKind::Authentication),
        (403, "", ErrorKind::Permission),
        (429, "insufficient_quota", ErrorKind::QuotaExhausted),
    ] {
        server.reply(Reply::error(status, code, ""));
        assert_eq!(client.chat("refused").unwrap_err().kind(), kind);
    }
    assert_eq!(folder.names().len(), 1);
    let url = server.base_url("openai");
    drop(server);
    let replayed = replaying(&url, &folder).chat("bad").unwrap_err();
    assert_eq!(replayed.to_string(), live.to_string());
    assert_eq!((replayed.kind(), replayed.status()), (live.kind(), live.status()));
    assert_eq!(replayed.request_id(), live.request_id());
}

#[test]
fn a_recorded_failure_is_replayed_without_retries_and_waits() {
    let (folder, server) = (Folder::new("transient"), loopback());
    server.default_reply(Reply::status(429).header("retry-after", "60"));
    let replay = folder.replay(Mode::Record).transient_failures(true);
    let client = builder(&server, "openai").replay(replay).build().unwrap();
    client.chat("hi").unwrap_err();
    let url = server.base_url("openai");
    drop(server);
    let client = keyless(&url)
        .retry(RetryConfig { max_retries: 5, ..RetryConfig::default() })
        .replay(folder.replay(Mode::Replay))
        .build()
        .unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::RateLimited, 1));
}

#[test]
fn every_operation_is_recorded_and_replayed() {
    let (folder, server) = (Folder::new("operations"), loopback());
    let list = json!({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]});
    server.on(
        |request| request.path().ends_with("/models"),
        Reply::raw(200, "application/json", list.to_string()),
    );
    let run = |client: &Client| {
        let raw = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "raw"}]});
        let sent = client.send(RawRequest::post("/chat/completions", raw)).unwrap();
        let moderation =
            client.moderate(ModerationRequest::from(["a nice day", "pure violence"])).unwrap();
        let embeddings = client.embed(["one", "two"]).unwrap();
        let sources = [sent.source(), moderation.source(), embeddings.source()];
        let answers = (
            client.complete("hi").unwrap().text(),
            client.complete_stream("hi").unwrap().finish().unwrap().text(),
            (embeddings[0].to_vec(), embeddings[1].to_vec(), embeddings.usage),
            client.models("openai").unwrap(),
            moderation.results,
            (sent.body, sent.media_type),
        );
        (answers, sources)
    };
    let (live, sources) = run(&recording(&server, &folder));
    assert_eq!(sources, [AnswerSource::Live; 3]);
    let url = server.base_url("openai");
    drop(server);
    let replay = folder.replay(Mode::Replay);
    let client = keyless(&url).replay(&replay).build().unwrap();
    assert_eq!(run(&client), (live, [AnswerSource::Replayed; 3]));
    assert_eq!(folder.names().len(), 6);
    replay.check().unwrap();
}

#[test]
fn a_split_call_is_live_if_the_provider_answered_any_of_its_requests() {
    let (folder, server) = (Folder::new("split"), loopback());
    let client = recording(&server, &folder);
    let embed = |texts: &[&str]| {
        let request = EmbedRequest::from(texts).batch_size(1);
        let embeddings = client.embed(request).unwrap();
        let batches: Vec<_> = embeddings.batches.iter().map(EmbedBatch::source).collect();
        (embeddings.source(), batches)
    };
    let (live, replayed) = (AnswerSource::Live, AnswerSource::Replayed);
    assert_eq!(embed(&["one"]), (live, vec![live]));
    assert_eq!(embed(&["one", "two"]), (live, vec![replayed, live]));
    assert_eq!(embed(&["one", "two"]), (replayed, vec![replayed; 2]));
}

#[test]
fn a_replayed_call_charges_no_budget_and_appears_in_no_report() {
    let (folder, server) = (Folder::new("budget"), loopback());
    server.default_reply(Reply::text("Paris").usage(12, 1));
    let request = || ChatRequest::from("hi").max_output_tokens(10);
    let budget = Budget::total(Money::dollars(1));
    let client = builder(&server, "openai")
        .budget(budget.clone())
        .replay(folder.replay(Mode::Record))
        .build()
        .unwrap();
    client.chat(request()).unwrap();
    let spent = client.costs();
    assert_eq!(spent.total.calls, 1);
    // A hit while recording.
    client.chat(request()).unwrap();
    assert_eq!(client.costs(), spent);
    let client = keyless(&server.base_url("openai"))
        .budget(budget)
        .replay(folder.replay(Mode::Replay))
        .build()
        .unwrap();
    assert!(client.chat(request()).unwrap().cost.is_some());
    client.stream(request()).unwrap_err();
    assert_eq!(client.costs().total.calls, 0);
    assert_eq!(client.metrics().total.cost, Money::ZERO);
}

#[test]
fn a_missing_key_is_an_error_only_if_something_has_to_be_sent() {
    let (folder, server) = (Folder::new("key"), loopback());
    recording(&server, &folder).chat("hi").unwrap();
    let client =
        keyless(&server.base_url("openai")).replay(folder.replay(Mode::Record)).build().unwrap();
    client.chat("hi").unwrap();
    let error = client.chat("not recorded").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn refresh_records_each_request_once_for_each_client() {
    let (folder, server) = (Folder::new("refresh"), loopback());
    for answer in ["old", "new"] {
        server.reply(Reply::text(answer));
    }
    assert_eq!(recording(&server, &folder).chat("hi").unwrap().text(), "old");
    let refreshing = |mode| {
        let client = builder(&server, "openai").replay(folder.replay(mode)).build().unwrap();
        client.chat("hi").unwrap().text() + &client.chat("hi").unwrap().text()
    };
    let old = Mode::RefreshOlderThan(std::time::Duration::from_secs(3600));
    assert_eq!(refreshing(old), "oldold");
    assert_eq!(refreshing(Mode::Refresh), "newnew");
    assert_eq!(server.requests().len(), 2);
    server.reply(Reply::text("newest"));
    let now = Mode::RefreshOlderThan(std::time::Duration::ZERO);
    assert_eq!(refreshing(now), "newestnewest");
}

#[test]
fn equal_requests_have_recordings_in_sequence_if_asked_for() {
    let (folder, server) = (Folder::new("sequence"), loopback());
    for answer in ["one", "two", "three"] {
        server.reply(Reply::text(answer));
    }
    let run = |url: &str, mode| {
        let replay = folder.replay(mode).sequence(true);
        let client = keyless(url).api_key(KEY).replay(replay).build().unwrap();
        [(); 3].map(|()| client.chat("hi").unwrap().text())
    };
    let url = server.base_url("openai");
    assert_eq!(run(&url, Mode::Record), ["one", "two", "three"]);
    drop(server);
    assert_eq!(run(&url, Mode::Replay), ["one", "two", "three"]);
    let names = folder.names();
    assert!(names[0].ends_with("-2.json") && names[1].ends_with("-3.json"), "{names:?}");
}

#[test]
fn recordings_that_no_call_uses_are_reported() {
    let (folder, server) = (Folder::new("unused"), loopback());
    let replay = folder.replay(Mode::Record);
    let client = builder(&server, "openai").replay(&replay).build().unwrap();
    client.chat("one").unwrap();
    client.chat("two").unwrap();
    assert!(replay.unused().unwrap().is_empty());
    let replay = folder.replay(Mode::Replay);
    let client = keyless(&server.base_url("openai")).replay(&replay).build().unwrap();
    assert_eq!(replay.unused().unwrap().len(), 2);
    client.chat("two").unwrap();
    let unused = replay.unused().unwrap();
    assert_eq!(unused.len(), 1);
    let error = replay.check().unwrap_err();
    let name = unused[0].file_name().unwrap().to_str().unwrap();
    assert!(error.to_string().contains(name), "{error}");
    client.chat("one").unwrap();
    replay.check().unwrap();
}

#[test]
fn what_a_rule_leaves_out_finds_the_same_recording() {
    let (folder, server) = (Folder::new("rules"), loopback());
    server.reply(Reply::text("Sunny."));
    let run = |url: &str, mode, day: &'static str, user: &str| {
        let rules = move |text: &str| text.replace(day, "[today]");
        let replay = folder.replay(mode).rewrite(rules).ignore("/user");
        let client = keyless(url).api_key(KEY).replay(replay).build().unwrap();
        let request = ChatRequest::from(format!("It is {day}. How is the weather?"));
        client.chat(request.extra("user", json!(user)))
    };
    let url = server.base_url("openai");
    run(&url, Mode::Record, "Monday", "anna").unwrap();
    assert!(server.requests()[0].body_contains("Monday"));
    assert!(server.requests()[0].body_contains("anna"));
    drop(server);
    assert_eq!(run(&url, Mode::Replay, "Tuesday", "berta").unwrap().text(), "Sunny.");
    let text = fs::read_to_string(folder.0.join(&folder.names()[0])).unwrap();
    assert!(!text.contains("Monday") && !text.contains("anna"), "{text}");
}

#[test]
fn a_folder_or_rule_that_cannot_be_used_is_an_error_of_the_configuration() {
    let folder = Folder::new("file");
    fs::write(&folder.0, "").unwrap();
    let url = "http://127.0.0.1:1";
    let error = keyless(url).replay(folder.replay(Mode::Record)).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("the folder of recordings"), "{error}");
    fs::remove_file(&folder.0).unwrap();
    let error = keyless(url).replay(folder.replay(Mode::Replay).hide("short")).build().unwrap_err();
    assert!(error.to_string().contains("Replay::hide"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let (folder, server) = (Folder::new("newer"), loopback());
    recording(&server, &folder).chat("hi").unwrap();
    let path = folder.0.join(&folder.names()[0]);
    let text = fs::read_to_string(&path).unwrap();
    let newer = text.replace("\"tollgate_recording\": 1", "\"tollgate_recording\": 9");
    fs::write(&path, newer).unwrap();
    let client = replaying(&server.base_url("openai"), &folder);
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("version 9") && text.contains(path.to_str().unwrap()), "{text}");
}
