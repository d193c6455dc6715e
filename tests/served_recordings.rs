//! The loopback provider serves a folder of recordings to programs in any language.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use support::folder::Folder;
use support::http::{Received, ask, chat_body as body, read_until, send};
use support::{builder, loopback};
use tollgate::replay::Mode;
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, RawRequest};

/// A server that answers from a folder. The provider is gone.
fn serving(folder: &Folder) -> Loopback {
    let server = loopback();
    server.recordings(folder.replay(Mode::Replay)).unwrap();
    server
}

fn chat(address: SocketAddr, body: &str) -> Received {
    let headers = [("content-type", "application/json"), ("authorization", "Bearer another-key")];
    ask(address, "/v1/chat/completions", &headers, body)
}

#[test]
fn answers_streams_and_errors_are_served_as_they_were_recorded() {
    let folder = Folder::new("served");
    let provider = loopback();
    provider.reply(Reply::text("Paris").usage(12, 1));
    provider.reply(Reply::text("one two three, é漢🎉").usage(12, 9));
    provider.reply(Reply::error(400, "invalid_value", "the model cannot do that"));
    let models = json!({"object": "list", "data": []}).to_string();
    provider.on(
        |request| request.path().ends_with("/models"),
        Reply::raw(200, "application/json", models.clone()),
    );
    let client = builder(&provider, "openai").replay(folder.replay(Mode::Record)).build().unwrap();
    let live = client.chat("hi").unwrap();
    let streamed = client.stream("hi").unwrap().finish().unwrap();
    let failed = client.chat("bad").unwrap_err();
    client.send(RawRequest::get("/models?limit=2&key=secret")).unwrap();
    drop(provider);

    let server = loopback();
    let replay = folder.replay(Mode::Replay);
    server.recordings(&replay).unwrap();
    let address = server.address();
    let answer = chat(address, &body("hi", false));
    assert_eq!((answer.status, answer.text()), (200, live.raw().to_owned()));
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let id = live.request_id.clone().unwrap();
    assert!(answer.head.contains(&id), "{}", answer.head);

    let stream = chat(address, &body("hi", true));
    assert!(stream.head.contains("transfer-encoding: chunked"), "{}", stream.head);
    assert!(stream.head.contains("content-type: text/event-stream"), "{}", stream.head);
    let mut file = folder.files().into_iter().map(|(_, text)| text);
    let file = file.find(|text| text.contains("\"chunks\"")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let chunks: Vec<String> = serde_json::from_value(file["response"]["chunks"].clone()).unwrap();
    assert_eq!(stream.pieces, chunks.iter().map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>());

    let error = chat(address, &body("bad", false));
    assert_eq!(error.status, 400);
    assert_eq!(error.json()["error"]["code"], "invalid_value");
    assert!(error.head.contains(failed.request_id().unwrap()), "{}", error.head);
    // Credentials in the address do not count.
    assert_eq!(replay.unused().unwrap().len(), 1);
    assert_eq!(ask(address, "/v1/models?limit=2&key=other", &[], "").text(), models);
    replay.check().unwrap();

    // A client of this crate gets the same from it, at an address that was never recorded.
    let client = builder(&server, "openai").build().unwrap();
    assert_eq!(client.chat("hi").unwrap().raw(), live.raw());
    let again = client.stream("hi").unwrap().finish().unwrap();
    assert_eq!((again.text(), again.usage), (streamed.text(), streamed.usage));
    assert_eq!(client.chat("bad").unwrap_err().to_string(), failed.to_string());
}

#[test]
fn a_request_without_a_recording_gets_an_error_that_names_the_file() {
    let folder = Folder::new("unserved");
    let server = serving(&folder);
    let openai = chat(server.address(), &body("my secret prompt", false));
    assert_eq!(openai.status, 404);
    let error = openai.json()["error"].clone();
    assert_eq!(error["code"], "not_recorded");
    let message = error["message"].as_str().unwrap();
    let file = folder.0.join("openai-completions-gpt-4o-mini-");
    for part in [file.to_str().unwrap(), "POST /v1/chat/completions", "TOLLGATE_REPLAY=record"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("secret prompt") && !message.contains("another-key"), "{message}");
    let headers = [("anthropic-version", "2023-06-01"), ("x-api-key", "another-key")];
    let anthropic = ask(server.address(), "/v1/messages", &headers, "{\"model\":\"claude\"}");
    assert_eq!((anthropic.status, &anthropic.json()["type"]), (404, &json!("error")));
    assert!(anthropic.text().contains("/anthropic-messages-claude-"), "{}", anthropic.text());
    let head = ask(server.address(), "/v1/unknown", &[], "");
    assert_eq!(head.status, 404);
}

#[test]
fn a_missing_file_has_the_name_that_a_client_would_give_it() {
    let folder = Folder::new("named");
    let server = serving(&folder);
    let answer = chat(server.address(), &body("hi", false)).text();
    // The name in the test of keys, computed by another program.
    assert!(answer.contains("openai-completions-gpt-4o-mini-8f41ccd1c3e9c8bd.json"), "{answer}");
}

#[test]
fn a_server_follows_the_rules_of_its_recordings() {
    let folder = Folder::new("served-rules");
    let rules = |mode, day: &'static str| {
        let replay = folder.replay(mode).rewrite(move |text| text.replace(day, "[today]"));
        replay.ignore("/user").sequence(true).hide("customer-4711")
    };
    let provider = loopback();
    for answer in ["first", "second", "third"] {
        provider.reply(Reply::text(answer));
    }
    let replay = rules(Mode::Record, "Monday");
    let client = builder(&provider, "openai").replay(replay).build().unwrap();
    let request = || ChatRequest::from("It is Monday, customer-4711.").extra("user", json!("a"));
    for _ in 0..3 {
        client.chat(request()).unwrap();
    }
    let server = loopback();
    server.recordings(rules(Mode::Replay, "Tuesday")).unwrap();
    let asked = body("It is Tuesday, customer-4711.", false);
    for answer in ["first", "second", "third"] {
        assert!(chat(server.address(), &asked).text().contains(answer));
    }
    assert_eq!(chat(server.address(), &asked).status, 404);
    assert_eq!(chat(server.address(), &body("It is Monday, customer-4711.", false)).status, 404);
}

#[test]
fn a_request_is_found_whatever_the_spaces_in_its_body() {
    let folder = Folder::new("spaces");
    let provider = loopback();
    provider.reply(Reply::text("Paris"));
    let client = builder(&provider, "openai").replay(folder.replay(Mode::Record)).build().unwrap();
    client.chat("hi").unwrap();
    let server = serving(&folder);
    let value: Value = serde_json::from_str(&body("hi", false)).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(chat(server.address(), &pretty).status, 200);
    // The order of the members counts, because it may change the answer.
    let other = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"model\":\"gpt-4o-mini\"}";
    assert_eq!(chat(server.address(), other).status, 404);
}

#[test]
fn rules_of_the_server_come_before_recordings_and_its_script_does_not_apply() {
    let folder = Folder::new("before");
    let server = serving(&folder);
    server.reply(Reply::text("scripted"));
    server.on(|request| request.body_contains("rule"), Reply::text("by rule"));
    assert!(chat(server.address(), &body("rule", false)).text().contains("by rule"));
    assert_eq!(chat(server.address(), &body("script", false)).status, 404);
    assert_eq!(server.unused_replies(), 1);
    server.require_key("sk-required");
    assert_eq!(chat(server.address(), &body("rule", false)).status, 401);
}

#[test]
fn a_stream_is_served_at_its_recorded_pace_until_the_server_stops() {
    let folder = Folder::new("served-pace");
    let provider = loopback();
    provider.reply(Reply::text("one two three"));
    let replay = folder.replay(Mode::Record).timing(true);
    let client = builder(&provider, "openai").replay(replay).build().unwrap();
    client.stream("hi").unwrap().finish().unwrap();
    // Two pieces, and the second takes an hour.
    let [(name, text)] = folder.files().try_into().unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    file["response"]["chunks"] = json!(["data: first\n\n", "data: second\n\n"]);
    file["response"]["waits_ms"] = json!([0, 3_600_000]);
    fs::write(folder.0.join(name), file.to_string()).unwrap();
    let server = serving(&folder);
    let mut socket = send(server.address(), "/v1/chat/completions", &[], &body("hi", true));
    let seen = read_until(&mut socket, "data: first");
    server.stop();
    let mut rest = String::new();
    let _ = socket.read_to_string(&mut rest);
    assert!(!(seen + &rest).contains("second"));
}
