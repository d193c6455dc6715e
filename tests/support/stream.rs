//! What the tests of streams share.

use serde_json::json;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tollgate::testing::{Framing, Reply};
use tollgate::{ChatStream, Client, Error};

use super::listener::connect;
use super::loopback;
use super::server::{RawServer, request, send};

pub(crate) const BOTH: [&str; 2] = ["openai", "anthropic"];

/// Much longer than anything here takes, and much shorter than the waits under test.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(20);

pub(crate) const LONG: Duration = Duration::from_secs(300);

/// An event of OpenAI's that says "one ".
pub(crate) const CHUNK: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one \"}}]}\n\n";

/// The head of a stream that goes on until its connection is closed.
pub(crate) fn head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned()
}

/// A server that sends events without end, and reports when the client has gone.
pub(crate) fn flood() -> (RawServer, Receiver<()>) {
    let (sender, gone) = channel();
    let server = RawServer::start(move |_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &head());
        let chunk = CHUNK.repeat(1000);
        while socket.write_all(chunk.as_bytes()).is_ok() {}
        // Not every test wants to know.
        let _ = sender.send(());
    });
    (server, gone)
}

/// The text of a stream up to its end, and its error if that is one.
pub(crate) fn drain(stream: &mut ChatStream) -> (String, Option<Error>) {
    let mut text = String::new();
    for delta in stream.text() {
        match delta {
            Ok(delta) => text.push_str(&delta),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

/// The text of a stream that ends well.
pub(crate) fn whole(stream: &mut ChatStream) -> String {
    let (text, error) = drain(stream);
    assert!(error.is_none(), "{error:?}");
    text
}

/// Nothing of a client is in use, and all its connections that are left are idle.
pub(crate) fn at_rest(client: &Client) {
    let total = client.pool().total;
    assert_eq!((total.active, total.opening, total.waiting), (0, 0, 0));
}

/// Where the first word of a streamed reply ends, and where the last event before its end marker
/// begins.
pub(crate) fn first_word_and_end(provider: &str, reply: Reply) -> (usize, usize) {
    let server = loopback();
    server.reply(reply.framing(Framing::UntilClose));
    let mut socket = connect(server.address()).unwrap();
    // As the client of `support::builder` asks.
    let (path, model) = match provider {
        "openai" => ("/v1/chat/completions", "gpt-4o-mini"),
        _ => ("/v1/messages", "claude-haiku-4-5"),
    };
    let body = json!({
        "model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}],
        "stream": true, "stream_options": {"include_usage": true},
    })
    .to_string();
    let length = body.len();
    send(
        &mut socket,
        &format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}"),
    );
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let word = body.find("\"one").unwrap();
    let first = word + body[word..].find("\n\n").unwrap() + 2;
    let last = body.rfind("ten").unwrap();
    (first, last)
}
