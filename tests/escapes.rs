//! Text from a server contains nothing that controls a terminal or reverses text, however it is
//! shown.

mod support;

use serde_json::json;
use std::error::Error as _;
use std::fmt::Write as _;
use support::observer::watched;
use support::{builder, loopback};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, Client, Error, ErrorKind};

/// Red, the title of the window, a bell, C1's CSI and OSC, an override, an isolate, a
/// zero-width space, a mark in the middle of a word.
const NASTY: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\u{9d}x\u{9c}\u{202e}evil\u{202c}\
                     \u{2066}y\u{2069}\u{200b}\u{feff}\u{7f}\u{8}end";

/// Whether a text contains only visible characters, line ends and tabs.
fn is_plain(text: &str) {
    let acts = |char: char| {
        (char.is_control() && char != '\n' && char != '\t')
            || matches!(char, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!text.contains(acts), "{text:?}");
}

fn shown(error: &Error) -> String {
    let mut shown = format!("{error}\n{error:?}\n{error:#?}\n{}\n", error.message());
    let _ = writeln!(shown, "{:?} {:?}", error.code(), error.request_id());
    for word in [error.code(), error.request_id()].into_iter().flatten() {
        shown += word;
    }
    for attempt in error.attempts() {
        let _ = writeln!(shown, "{attempt} {attempt:?}");
        let failure = attempt.failure.as_ref().unwrap();
        shown += &failure.message;
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        let _ = writeln!(shown, "{source} {source:?}");
        cause = source.source();
    }
    shown
}

fn reports(client: &Client) -> String {
    let (metrics, costs) = (client.metrics(), client.costs());
    let tables = [format!("{metrics}{metrics:#}{metrics:?}"), metrics.prometheus()];
    let costs = [format!("{costs}{costs:?}"), costs.csv(), costs.calls_csv()];
    // RFC 4180 ends lines by CR LF.
    tables.into_iter().chain(costs).collect::<String>().replace("\r\n", "\n")
}

fn client(server: &Loopback) -> Client {
    builder(server, "openai").build().unwrap()
}

#[test]
fn errors_contain_no_control_characters() {
    let server = loopback();
    let fault = json!({"message": NASTY, "code": NASTY, "type": NASTY});
    let event = format!("data: {}\n\n", json!({"error": fault}));
    let page = format!("<title>{NASTY}</title><p>{NASTY}");
    for reply in [
        Reply::error(400, NASTY, NASTY),
        Reply::raw(429, "application/json", json!({"error": {"message": NASTY}}).to_string()),
        Reply::raw(500, "application/json", json!({"error": NASTY}).to_string()),
        Reply::raw(502, "text/html", page),
        Reply::raw(400, "text/plain", NASTY),
        Reply::raw(200, "application/json", json!({"error": fault}).to_string()),
        Reply::raw(200, "text/event-stream", event),
        Reply::error(400, "bad", "no").header("x-request-id", "\u{9b}2J\u{202e}x"),
        Reply::status(307).header("location", "https://\u{9b}2J.test/"),
        Reply::status(200).header("server", "\u{1b}[31m"),
    ] {
        server.reply(reply.clone());
        server.reply(reply);
        let client = client(&server);
        is_plain(&shown(&client.chat("hi").unwrap_err()));
        is_plain(&shown(&client.stream("hi").map(drop).unwrap_err()));
        is_plain(&reports(&client));
    }
}

#[test]
fn a_message_keeps_its_lines_but_displays_as_one_line() {
    let server = loopback();
    server.reply(Reply::error(400, "bad", "one\r\n\ttwo\u{1b}[0m\n\nthree"));
    let error = client(&server).chat("hi").unwrap_err();
    assert_eq!(error.message(), "one \n\ttwo [0m\n\nthree");
    assert!(error.to_string().starts_with("invalid request: one two [0m three ("), "{error}");
}

#[test]
fn names_from_the_server_contain_no_control_characters() {
    let server = loopback();
    let reply = Reply::text("fine").model(NASTY).finish_reason_raw(NASTY);
    for _ in 0..3 {
        server.reply(reply.clone());
    }
    let (watcher, client) = watched(builder(&server, "openai"));
    watcher.let_go();
    let response = client.chat("hi").unwrap();
    let mut stream = client.stream("hi").unwrap();
    let streamed = stream.finish().unwrap();
    for response in [&response, &streamed] {
        let words = [&response.id, &response.finish_reason_raw, &response.service_tier];
        words.into_iter().flatten().for_each(|word| is_plain(word));
        is_plain(&response.model);
        is_plain(&format!("{response:?}"));
    }
    is_plain(&format!("{stream:?}"));
    is_plain(&reports(&client));
    is_plain(&watcher.shown());
}

#[test]
fn names_from_the_caller_are_escaped_in_tables() {
    let server = loopback();
    server.reply(Reply::error(400, "bad", "no"));
    let client = client(&server);
    let request = ChatRequest::from("hi").model(NASTY).tag("customer", NASTY).tag(NASTY, "x");
    client.chat(request.clone()).unwrap_err();
    client.chat(request).unwrap();
    is_plain(&reports(&client));
}

#[test]
fn an_error_made_by_the_caller_contains_no_control_characters_either() {
    let error = tollgate::Client::builder().provider(NASTY).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    is_plain(&error.to_string());
}
