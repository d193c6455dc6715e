//! Routes and cascades whose answers are replayed.

mod support;

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use support::cascades::{cascade, priced};
use support::folder::Folder;
use support::quick_retries;
use support::routes::{MODELS, Servers, names};
use tollgate::observe::Call;
use tollgate::replay::Mode;
use tollgate::route::{Hedge, Route};
use tollgate::testing::Reply;
use tollgate::{
    AnswerSource, Attempt, ChatResponse, Client, ErrorKind, Observer, ProviderConfig, Replay,
};

/// A client with the same route, without a key, for servers that are gone.
fn offline(urls: &[String], route: Route, replay: &Replay) -> Client {
    let mut builder = Client::builder().model("all").retry(quick_retries(2)).route(route);
    for ((provider, _), url) in MODELS.into_iter().zip(urls) {
        builder = builder.add_provider(ProviderConfig::new(provider).base_url(url));
    }
    builder.replay(replay).build().unwrap()
}

/// The addresses of servers that are then gone.
fn stopped(servers: Servers) -> Vec<String> {
    let urls =
        servers.0.iter().zip(MODELS).map(|(server, (provider, _))| server.base_url(provider));
    urls.collect()
}

#[test]
fn a_failover_is_replayed_as_the_answer_of_the_target_that_answered() {
    let folder = Folder::new("failover");
    let servers = Servers::start();
    servers.0[0].default_reply(Reply::status(503));
    let client =
        servers.builder(|route| route).replay(folder.replay(Mode::Record)).build().unwrap();
    let live = client.chat("hi").unwrap();
    let mut stream = client.stream("hi").unwrap();
    let streamed = stream.finish().unwrap();
    assert_eq!((live.provider.as_str(), live.source()), ("anthropic", AnswerSource::Live));
    // The failures of the first target may not happen again.
    assert!(
        folder.names().iter().all(|name| name.starts_with("anthropic-")),
        "{:?}",
        folder.names()
    );
    assert_eq!(folder.names().len(), 2);
    // Another call finds them although the first target works again.
    servers.0[0].default_reply(Reply::text("back"));
    let counts = servers.counts();
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    assert_eq!(servers.counts(), counts);

    let urls = stopped(servers);
    let replay = folder.replay(Mode::Replay);
    let client = offline(&urls, Route::new("all").targets(names()), &replay);
    let replayed = client.chat("hi").unwrap();
    assert_eq!((replayed.source(), replayed.text()), (AnswerSource::Replayed, live.text()));
    assert_eq!((&replayed.provider, &replayed.model), (&live.provider, &live.model));
    assert_eq!(replayed.attempts().len(), 1);
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), streamed.text());
    let error = client.chat("something else").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRecorded);
    assert!(error.to_string().contains("openai-completions-gpt-4o-mini-"), "{error}");
    replay.check().unwrap();
}

#[test]
fn a_call_that_every_target_refused_is_replayed_as_its_failure() {
    let folder = Folder::new("refused");
    let servers = Servers::start();
    for server in &servers.0 {
        server.default_reply(Reply::error(400, "invalid_value", "no target can do that"));
    }
    let client =
        servers.builder(|route| route).replay(folder.replay(Mode::Record)).build().unwrap();
    let live = client.chat("hi").unwrap_err();
    let urls = stopped(servers);
    let replay = folder.replay(Mode::Replay);
    let client = offline(&urls, Route::new("all").targets(names()), &replay);
    let replayed = client.chat("hi").unwrap_err();
    assert_eq!((replayed.kind(), replayed.status()), (live.kind(), live.status()));
    replay.check().unwrap();
}

#[test]
fn a_cascade_is_replayed_as_the_answer_that_it_accepted() {
    let folder = Folder::new("cascade");
    let servers = Servers::start();
    servers.0[0].default_reply(Reply::refusal("no").usage(100, 10));
    let client = priced(&servers, cascade()).replay(folder.replay(Mode::Record)).build().unwrap();
    let live = client.chat("hi").unwrap();
    assert_eq!((live.text().as_str(), servers.counts()), ("from anthropic", [1, 1, 0]));
    // The refusal is recorded too.
    assert_eq!(folder.names().len(), 2);
    let again = client.chat("hi").unwrap();
    assert_eq!((again.text(), again.source()), (live.text(), AnswerSource::Replayed));
    assert_eq!(servers.counts(), [1, 1, 0]);
    let urls = stopped(servers);
    let replay = folder.replay(Mode::Replay);
    let client = offline(&urls, cascade(), &replay);
    assert_eq!(client.chat("hi").unwrap().text(), live.text());
    // The refusal counts as used.
    replay.check().unwrap();
}

#[test]
fn a_hedged_call_records_and_replays_the_answer_that_came_first() {
    let folder = Folder::new("hedge");
    let servers = Servers::start();
    // The second target answers once the first has the request, which it never answers.
    let arrived = Arc::new((Mutex::new(false), Condvar::new()));
    let seen = Arc::clone(&arrived);
    servers.0[0].respond(move |_| {
        *seen.0.lock().unwrap() = true;
        seen.1.notify_all();
        Some(Reply::hang())
    });
    servers.0[1].respond(move |_| {
        drop(arrived.1.wait_while(arrived.0.lock().unwrap(), |arrived| !*arrived).unwrap());
        None
    });
    let hedge = Hedge::after(Duration::from_millis(2));
    let client = servers
        .builder(|route| route.hedge(hedge))
        .timeout(Duration::from_secs(120))
        .replay(folder.replay(Mode::Record))
        .build()
        .unwrap();
    let live = client.chat("hi").unwrap();
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), "from anthropic");
    assert_eq!((live.text().as_str(), live.attempts().len()), ("from anthropic", 2));
    drop(client);
    // The cancelled attempts left nothing.
    let names_of = folder.names();
    assert!(names_of.iter().all(|name| name.starts_with("anthropic-")), "{names_of:?}");
    assert_eq!(names_of.len(), 2);
    let urls = stopped(servers);
    let replay = folder.replay(Mode::Replay);
    let client = offline(&urls, Route::new("all").targets(names()).hedge(hedge), &replay);
    let replayed = client.chat("hi").unwrap();
    assert_eq!((replayed.text(), replayed.attempts().len()), (live.text(), 1));
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), "from anthropic");
    replay.check().unwrap();
}

#[test]
fn a_cascade_judges_a_recorded_answer_as_it_judges_a_live_one() {
    let folder = Folder::new("judged");
    let servers = Servers::start();
    // The first target refuses, and the others are down for now.
    servers.0[0].default_reply(Reply::refusal("no").usage(100, 10));
    for server in &servers.0[1..] {
        server.reply(Reply::status(503));
        server.reply(Reply::status(503));
        server.reply(Reply::status(503));
    }
    let recording =
        priced(&servers, cascade()).replay(folder.replay(Mode::Record)).build().unwrap();
    let live = recording.chat("hi").unwrap();
    assert_eq!((live.text().as_str(), live.not_accepted().is_some()), ("", true));
    assert_eq!(folder.names().len(), 1);
    let urls = [0, 1, 2].map(|at| servers.0[at].base_url(MODELS[at].0));
    let error = offline(&urls, cascade(), &folder.replay(Mode::Replay)).chat("hi").unwrap_err();
    let expected = (ErrorKind::NotRecorded, Some("anthropic"));
    assert_eq!((error.kind(), error.provider()), expected, "{error}");
    // Once the others are back, a client that records asks them.
    let again = recording.chat("hi").unwrap();
    assert_eq!((again.text().as_str(), again.source()), ("from anthropic", AnswerSource::Live));
    assert!(again.cost.is_some());
    assert_eq!(recording.chat("hi").unwrap().source(), AnswerSource::Replayed);

    // What no target does well enough is the same failure again.
    let folder = Folder::new("judged-strictly");
    let strict = || cascade().accept(|_| Err::<(), _>("no")).require_accepted(true);
    let client = priced(&servers, strict()).replay(folder.replay(Mode::Record)).build().unwrap();
    let live = client.chat("hi").unwrap_err();
    assert_eq!((live.kind(), folder.names().len()), (ErrorKind::NotAccepted, 3));
    let replayed = offline(&urls, strict(), &folder.replay(Mode::Replay)).chat("hi").unwrap_err();
    assert_eq!(replayed.kind(), live.kind());
    // One for each recorded answer; none for the failures of the live call.
    let why = "groq/llama-3.3-70b-versatile, was not accepted because no (groq, 3 attempts)";
    assert!(replayed.to_string().ends_with(why), "{replayed}");
}

/// Notes the answers that are not accepted.
#[derive(Default)]
struct Judged(Mutex<Vec<String>>);

impl Observer for Judged {
    fn not_accepted(&self, call: &Call<'_>, attempt: &Attempt, reason: &str) {
        let Attempt { number, decision, .. } = attempt;
        let text = format!("{number} of {}: {reason}, {decision:?}", call.target.unwrap());
        self.0.lock().unwrap().push(text);
    }
}

#[test]
fn a_replayed_cascade_shows_and_costs_what_the_live_one_did() {
    let servers = Servers::start();
    let texts = ["a guess", "unsure", "certain"];
    for (server, text) in servers.0.iter().zip(texts) {
        server.default_reply(Reply::text(text).usage(100, 10));
    }
    for (accepted, answers) in [("a guess", 1), ("unsure", 2), ("certain", 3), ("none", 3)] {
        let folder = Folder::new("trace");
        let run = |mode| {
            let judged = Arc::new(Judged::default());
            let route = cascade().accept(move |answer| match answer.text() == accepted {
                true => Ok(()),
                false => Err(format!("it says {}", answer.text())),
            });
            let client = priced(&servers, route).shared_observer(judged.clone());
            let response = client.replay(folder.replay(mode)).build().unwrap().chat("hi").unwrap();
            let judged = judged.0.lock().unwrap().clone();
            (response, judged)
        };
        let ((live, seen), (replayed, seen_again)) = (run(Mode::Record), run(Mode::Replay));
        assert_eq!(
            (live.source(), replayed.source()),
            (AnswerSource::Live, AnswerSource::Replayed)
        );
        assert_eq!(folder.names().len(), answers, "{accepted}");
        assert!(live.route().is_some() && live.cost.is_some());
        assert_eq!(replayed.route(), live.route());
        assert_eq!(replayed.not_accepted(), live.not_accepted());
        assert_eq!((replayed.text(), replayed.cost), (live.text(), live.cost));
        let decisions = |response: &ChatResponse| -> Vec<_> {
            let attempts = response.attempts().iter();
            attempts.map(|one| (one.number, one.provider.clone(), one.decision)).collect()
        };
        assert_eq!(decisions(&replayed), decisions(&live));
        assert_eq!(seen_again, seen);
        assert_eq!(seen.len(), answers - usize::from(accepted != "none"));
    }
}

#[test]
fn a_cascade_that_accepts_more_than_before_takes_the_cheapest_recorded_answer() {
    let folder = Folder::new("lenient");
    let servers = Servers::start();
    let strict = cascade().accept(|answer| answer.text() == "from groq");
    let client = priced(&servers, strict).replay(folder.replay(Mode::Record)).build().unwrap();
    assert_eq!(
        (client.chat("hi").unwrap().text().as_str(), folder.names().len()),
        ("from groq", 3)
    );
    let urls = stopped(servers);
    let replay = folder.replay(Mode::Replay);
    assert_eq!(offline(&urls, cascade(), &replay).chat("hi").unwrap().text(), "from openai");
    // Those that it did not need are still its own.
    replay.check().unwrap();
}
