//! The loopback provider records what another program asks a provider.

mod support;

use serde_json::json;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use support::folder::Folder;
use support::http::{Received, ask, chat_body as body, read_until, send};
use support::{KEY, loopback};
use tollgate::replay::Mode;
use tollgate::testing::{Loopback, Reply};
use tollgate::{Client, Replay};

/// A server between a program and a provider.
fn between(provider: &Loopback, replay: &Replay) -> Loopback {
    let server = loopback();
    server.recordings(replay).unwrap();
    server.forward_to("openai", provider.base_url("openai")).unwrap();
    server
}

fn headers() -> [(&'static str, String); 3] {
    [
        ("content-type", "application/json".to_owned()),
        ("authorization", format!("Bearer {KEY}")),
        ("x-program", "another one".to_owned()),
    ]
}

fn chat(address: SocketAddr, body: &str) -> Received {
    let headers = headers();
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    ask(address, "/v1/chat/completions", &headers, body)
}

#[test]
fn what_a_program_asks_is_sent_on_once_and_recorded_as_a_client_would() {
    let (folder, provider) = (Folder::new("proxied"), loopback());
    provider.require_key(KEY);
    provider.reply(Reply::text("Paris").usage(12, 1));
    provider.reply(Reply::text("one two three, é漢🎉").usage(12, 9));
    provider.reply(Reply::error(400, "invalid_value", "the model cannot do that"));
    let server = between(&provider, &folder.replay(Mode::Record));
    let address = server.address();
    let run = || {
        [("hi", false), ("hi", true), ("bad", false)]
            .map(|(prompt, stream)| chat(address, &body(prompt, stream)))
            .map(|answer| (answer.status, answer.text()))
    };
    let live = run();
    assert_eq!(live.each_ref().map(|(status, _)| *status), [200, 200, 400]);
    // The program's own headers reach the provider.
    let sent = &provider.requests()[0];
    assert_eq!(sent.header("x-program"), Some("another one"));
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
    assert_eq!(sent.body(), body("hi", false).as_bytes());
    assert_eq!(run(), live);
    assert_eq!((provider.request_count(), folder.names().len()), (3, 3));

    // A client of the same provider finds these recordings, without a key or a network.
    let url = provider.base_url("openai");
    drop((server, provider));
    let replay = folder.replay(Mode::Replay);
    let client = Client::builder().provider("openai").model("gpt-4o-mini").base_url(url);
    let client = client.replay(&replay).build().unwrap();
    assert_eq!(client.chat("hi").unwrap().text(), "Paris");
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), "one two three, é漢🎉");
    assert_eq!(client.chat("bad").unwrap_err().status(), Some(400));
    replay.check().unwrap();
}

#[test]
fn a_stream_is_passed_on_as_it_arrives_and_recorded_only_if_it_ends() {
    let (folder, provider) = (Folder::new("passed"), loopback());
    provider.reply(Reply::text("one two three").stall_after(300));
    let server = between(&provider, &folder.replay(Mode::Record));
    let headers = headers();
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut socket = send(server.address(), "/v1/chat/completions", &headers, &body("hi", true));
    // The provider never ends this stream, and its start is here.
    read_until(&mut socket, "data: ");
    provider.close_connections();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the program sees that the stream broke");
    server.stop();
    assert_eq!(folder.names().len(), 0);
}

#[test]
fn failures_that_may_pass_are_not_recorded() {
    let (folder, provider) = (Folder::new("passing"), loopback());
    provider.reply(Reply::error(429, "rate_limit_exceeded", "slow down"));
    provider.reply(Reply::status(503));
    let overload = "{\"error\":{\"code\":503,\"message\":\"overloaded\"}}";
    provider.reply(Reply::raw(200, "application/json", overload));
    provider.reply(Reply::text("one two").stream_error(2, "server_error", "overloaded"));
    provider.reply(Reply::text("one two").end_after(2));
    let server = between(&provider, &folder.replay(Mode::Record));
    for stream in [false, false, false, true, true] {
        chat(server.address(), &body("hi", stream));
    }
    assert_eq!((provider.request_count(), provider.unused_replies()), (5, 0));
    assert_eq!(folder.names(), [""; 0]);
    drop(provider);
    let answer = chat(server.address(), &body("hi", false));
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (502, &json!("not_forwarded")));
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn a_server_that_only_replays_sends_nothing_on() {
    let (folder, provider) = (Folder::new("proxy-offline"), loopback());
    let server = between(&provider, &folder.replay(Mode::Replay));
    let answer = chat(server.address(), &body("hi", false));
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("TOLLGATE_REPLAY=record"), "{}", answer.text());
    assert_eq!(provider.connections().opened, 0);
}

#[test]
fn no_secret_of_a_program_is_in_any_file() {
    const GATEWAY: &str = "gw-planted-header-secret";
    const IN_URL: &str = "url-planted-secret-value";
    const COOKIE: &str = "session=planted-cookie-value";
    let (folder, provider) = (Folder::new("proxy-secrets"), loopback());
    let all = [KEY, GATEWAY, IN_URL, COOKIE].join(" and ");
    let said = format!("{all} {}", all.replace('-', "\\u002d"));
    let answer = format!("{{\"choices\":[{{\"message\":{{\"content\":\"{said}\"}}}}]}}");
    let error = format!("{{\"error\":{{\"message\":\"wrong key {said}\"}}}}");
    let json = |status, body: &str| {
        let reply = Reply::raw(status, "application/json", body);
        reply.header("x-request-id", &all).header("set-cookie", COOKIE)
    };
    provider.reply(json(200, &answer));
    provider.reply(json(400, &error));
    provider.reply(Reply::text(&all).write_size(5));
    provider.on(|request| request.path().ends_with("/models"), json(200, &answer));
    let server = between(&provider, &folder.replay(Mode::Record));
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", &*bearer), ("x-gateway-key", GATEWAY), ("cookie", COOKIE)];
    let target = format!("/v1/chat/completions?api_key={IN_URL}");
    for (prompt, stream) in [("one", false), ("two", false), ("three", true)] {
        ask(server.address(), &target, &headers, &body(&format!("{prompt} {all}"), stream));
    }
    ask(server.address(), &format!("/v1/models?token={IN_URL}"), &headers, "");
    assert_eq!(provider.request_count(), 4);
    let files = folder.files();
    assert_eq!(files.len(), 4, "{files:?}");
    for (name, text) in files {
        for secret in [KEY, GATEWAY, IN_URL, COOKIE] {
            let escaped = secret.replace('-', "\\\\u002d");
            assert!(!text.contains(secret) && !text.contains(&escaped), "{name}: {text}");
        }
        for word in ["authorization", "cookie", "x-gateway-key"] {
            assert!(!text.contains(&format!("{word}:")), "{name}: {text}");
        }
    }
    // Another program with the same key finds them.
    ask(server.address(), &target, &headers, &body(&format!("one {all}"), false));
    assert_eq!(provider.request_count(), 4);
}

#[test]
fn one_request_of_many_programs_leaves_one_complete_file() {
    let (folder, provider) = (Folder::new("proxy-storm"), loopback());
    let answer = "word ".repeat(2_000);
    provider.default_reply(Reply::text(&answer).usage(1, 1));
    let server = between(&provider, &folder.replay(Mode::Record));
    let (address, barrier) = (server.address(), Barrier::new(8));
    thread::scope(|scope| {
        for number in 0..8 {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                assert_eq!(chat(address, &body("hi", number % 2 == 0)).status, 200);
            });
        }
    });
    assert_eq!(folder.names().len(), 2);
    server.stop();
    let url = provider.base_url("openai");
    let client = Client::builder().provider("openai").model("gpt-4o-mini").base_url(url);
    let client = client.replay(folder.replay(Mode::Replay)).build().unwrap();
    assert_eq!(client.chat("hi").unwrap().text(), answer);
    assert_eq!(client.stream("hi").unwrap().finish().unwrap().text(), answer);
}

#[test]
fn stopping_the_server_ends_what_it_has_sent_on() {
    let (folder, provider) = (Folder::new("proxy-stop"), loopback());
    provider.default_reply(Reply::hang());
    let server = between(&provider, &folder.replay(Mode::Record));
    let socket = send(server.address(), "/v1/chat/completions", &[], &body("hi", false));
    assert!(provider.wait_for_requests(1, Duration::from_secs(60)));
    // It would wait for the provider otherwise.
    server.stop();
    drop(socket);
    assert_eq!(folder.names(), [""; 0]);
}
