//! Calls to a provider made of Python's http.server, with HTTP/1.0 and 1.1.
//!
//! `TOLLGATE_PYTHON` names the interpreter; without it these tests say that they skip.
#![cfg(unix)]

mod support;

use std::process::Command;
use support::builder_at;
use support::front::Front;
use tollgate::{ChatResponse, Client, Error, ErrorKind, RetryConfig};

const SCRIPT: &str = include_str!("python_server.py");

fn python(version: &str) -> Option<Front> {
    let Ok(program) = std::env::var("TOLLGATE_PYTHON") else {
        eprintln!("skipped: TOLLGATE_PYTHON does not name Python");
        return None;
    };
    let mut command = Command::new(program);
    command.args(["provider.py", version]);
    // Connections wait in the socket until Python accepts them.
    Some(Front::start(&mut command, "provider.py", |_| SCRIPT.to_owned()))
}

fn client(server: &Front, reply: &str) -> Client {
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    builder_at(&server.base_url()).header("x-reply", reply).retry(retry).build().unwrap()
}

fn streamed(client: &Client) -> Result<ChatResponse, Error> {
    client.stream("hi")?.finish()
}

/// How many connections the server had when it answered.
fn connections(answer: &ChatResponse) -> &str {
    answer.request_id.as_deref().unwrap()
}

#[test]
fn a_server_of_http_1_0_answers_on_a_new_connection_each_time() {
    let Some(server) = python("HTTP/1.0") else { return };
    let client = client(&server, "");
    for expected in ["1", "2", "3"] {
        let answer = client.chat("hi").unwrap();
        assert_eq!((answer.text().as_str(), connections(&answer)), ("It works.", expected));
    }
}

#[test]
fn a_server_of_http_1_1_answers_on_the_same_connection() {
    let Some(server) = python("HTTP/1.1") else { return };
    let client = client(&server, "");
    for turn in 0..4 {
        let answer =
            if turn % 2 == 0 { client.chat("hi").unwrap() } else { streamed(&client).unwrap() };
        assert_eq!((answer.text().as_str(), connections(&answer)), ("It works.", "1"));
    }
}

#[test]
fn a_body_of_unknown_length_ends_with_the_connection() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let Some(server) = python(version) else { return };
        let client = client(&server, "until close");
        for expected in ["1", "2"] {
            let answer = client.chat("hi").unwrap();
            assert_eq!((answer.text().as_str(), connections(&answer)), ("It works.", expected));
        }
        let answer = streamed(&client).unwrap();
        assert_eq!((answer.text().as_str(), connections(&answer)), ("It works.", "3"), "{version}");
    }
}

#[test]
fn a_stream_that_ends_with_the_connection_but_without_its_end_marker_is_truncated() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let Some(server) = python(version) else { return };
        let error = streamed(&client(&server, "cut")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{version}: {error}");
    }
}

#[test]
fn interim_responses_before_an_answer_are_passed_over() {
    let Some(server) = python("HTTP/1.1") else { return };
    let client = client(&server, "early");
    assert_eq!(client.chat("hi").unwrap().text(), "It works.");
    assert_eq!(streamed(&client).unwrap().text(), "It works.");
}

#[test]
fn an_error_page_is_quoted_without_its_markup() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let Some(server) = python(version) else { return };
        let client = client(&server, "error");
        for error in [client.chat("hi").unwrap_err(), streamed(&client).unwrap_err()] {
            assert_eq!((error.kind(), error.status()), (ErrorKind::Overloaded, Some(503)));
            assert!(error.message().contains("Down for maintenance"), "{error}");
            assert!(!error.message().contains('<'), "{error}");
        }
    }
}

#[test]
fn an_endpoint_that_the_server_lacks_is_named_with_its_url() {
    let Some(server) = python("HTTP/1.1") else { return };
    // http.server answers a method without a handler with 501.
    let error = client(&server, "").models("openai").unwrap_err();
    assert_eq!(error.status(), Some(501));
    assert!(error.message().contains("Unsupported method"), "{error}");
}
