//! Tests of simulated faults, over sockets.

use serde_json::Value;
use std::time::Instant;

use super::*;
use crate::testing::Framing;

const BODY: &str = "0123456789";

fn raw() -> Reply {
    Reply::raw(200, "text/plain", BODY)
}

/// The bytes after the head, and how the connection ended.
fn after_head(reply: Reply) -> (String, String, End) {
    let (_server, mut client) = asked(reply).unwrap();
    let head = client.until("\r\n\r\n");
    let (body, end) = client.rest();
    (head, String::from_utf8(body).unwrap(), end)
}

#[test]
fn a_cut_sends_fin_after_the_given_bytes() {
    for bytes in [0, 1, 9] {
        let (head, body, end) = after_head(raw().cut_after(bytes));
        assert!(head.contains("content-length: 10\r\n"));
        assert_eq!((body.as_str(), end), (&BODY[..bytes], End::Fin));
    }
    let (_, body, end) = after_head(raw().framing(Framing::Chunked).cut_after(4));
    assert_eq!((body.as_str(), end), ("4\r\n0123\r\n", End::Fin));
}

#[test]
fn a_reset_comes_after_the_given_bytes() {
    // The kernel decides what a reset does, so try more than once.
    for round in 0..50 {
        let bytes = round % 10;
        let (_, body, end) = after_head(raw().reset_after(bytes));
        assert_eq!((body.as_str(), end), (&BODY[..bytes], End::Reset));
    }
}

#[test]
fn a_reset_comes_before_the_head() {
    for _ in 0..50 {
        let (server, mut client) = asked(Reply::reset()).unwrap();
        assert_eq!(client.rest(), (Vec::new(), End::Reset));
        assert_eq!(server.requests()[0].model(), Some("test-model"));
    }
}

#[test]
fn a_disconnect_sends_fin_before_the_head() {
    let (_server, mut client) = asked(Reply::disconnect()).unwrap();
    assert_eq!(client.rest(), (Vec::new(), End::Fin));
}

#[test]
fn a_reset_works_for_large_chunked_and_late_requests() {
    let server = Loopback::start().unwrap();
    server.default_reply(Reply::reset().delay(Duration::from_millis(30)));
    let mut large = Client::to(&server);
    large.post(CHAT, &Value::String("x".repeat(300_000)));
    assert_eq!(large.answer().status, 400);
    let mut body = question(false);
    body["pad"] = Value::String("x".repeat(300_000));
    large.post(CHAT, &body);
    assert_eq!(large.rest().1, End::Reset);

    let mut chunked = Client::to(&server);
    chunked.write(&format!("POST {CHAT} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{"));
    chunked.write("}\r\n0\r\n\r\n");
    assert_eq!(chunked.rest(), (Vec::new(), End::Reset));
    assert_eq!(server.requests()[2].body(), b"{}");
}

#[test]
fn a_stall_keeps_the_connection_until_the_server_stops() {
    for (reply, sent) in [
        (raw().stall_after(3), "012"),
        (raw().stall_after(0), ""),
        (raw().framing(Framing::Chunked).stall_after(3), "3\r\n012\r\n"),
    ] {
        let (server, mut client) = asked(reply).unwrap();
        client.until("\r\n\r\n");
        assert_eq!(client.exactly(sent.len()), sent.as_bytes());
        client.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let error = client.0.read(&mut [0]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        client.0.set_read_timeout(Some(LONG)).unwrap();
        assert_eq!(server.connections().open, 1);
        server.stop();
        assert_eq!(client.rest(), (Vec::new(), End::Fin));
    }
}

#[test]
fn a_stall_and_a_long_delay_end_when_the_client_leaves() {
    for reply in
        [raw().stall_after(3), Reply::hang(), raw().delay(Duration::MAX), raw().delay(LONG)]
    {
        let (server, client) = asked(reply).unwrap();
        assert!(server.wait_for_requests(1, LONG));
        drop(client);
        assert!(server.wait_for_connections(|connections| connections.open == 0, LONG / 2));
    }
}

#[test]
fn a_hang_sends_nothing() {
    let (server, mut client) = asked(Reply::hang()).unwrap();
    assert!(server.wait_for_requests(1, LONG));
    server.stop();
    assert_eq!(client.rest(), (Vec::new(), End::Fin));
}

#[test]
fn delays_are_at_least_as_long_as_set() {
    for millis in [3, 40] {
        let delay = Duration::from_millis(millis);
        let begin = Instant::now();
        let (_server, mut client) = asked(raw().delay(delay)).unwrap();
        assert_eq!(client.answer().text(), BODY);
        assert!(begin.elapsed() >= delay);
        let begin = Instant::now();
        let (_server, mut client) = asked(raw().write_size(4).chunk_delay(delay)).unwrap();
        assert_eq!(client.answer().text(), BODY);
        assert!(begin.elapsed() >= delay * 2);
    }
}

#[test]
fn a_delay_applies_even_if_more_requests_wait() {
    let delay = Duration::from_millis(60);
    let begin = Instant::now();
    let (server, mut client) = asked(raw().delay(delay)).unwrap();
    assert!(server.wait_for_requests(1, LONG));
    server.reply(raw());
    client.post(CHAT, &question(false));
    assert_eq!((client.answer().text(), client.answer().text()), (BODY, BODY));
    assert!(begin.elapsed() >= delay);
}

#[test]
fn small_writes_add_up_in_every_framing() {
    for framing in [Framing::ContentLength, Framing::Chunked] {
        for size in [0, 1, 3, 100] {
            let (_server, mut client) = asked(raw().framing(framing).write_size(size)).unwrap();
            assert_eq!(client.answer().text(), BODY);
        }
    }
    let streamed = ask(CHAT, &question(true), Reply::text("a b c").write_size(1));
    assert!(streamed.text().ends_with("[DONE]\n\n"));
}

#[test]
fn each_small_write_arrives_separately() {
    // Each piece arrives before the next pause ends.
    let pause = Duration::from_millis(100);
    let (_server, mut client) = asked(raw().write_size(5).chunk_delay(pause)).unwrap();
    client.until("\r\n\r\n");
    let mut buffer = [0; 64];
    let size = client.0.read(&mut buffer).unwrap();
    assert!(size == 5 || size == 10, "{size}");
}

#[test]
fn a_body_can_end_with_the_connection() {
    let (head, body, end) = after_head(raw().framing(Framing::UntilClose));
    assert!(head.contains("connection: close\r\n"));
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"));
    assert_eq!((body.as_str(), end), (BODY, End::Fin));
}

#[test]
fn a_connection_can_close_with_or_without_announcing_it() {
    let (head, body, end) = after_head(raw().close());
    assert!(head.contains("connection: close\r\n"));
    assert_eq!((body.as_str(), end), (BODY, End::Fin));
    let (head, body, end) = after_head(raw().close_silently());
    assert!(!head.contains("connection"));
    assert_eq!((body.as_str(), end), (BODY, End::Fin));
}

#[test]
fn malformed_json_has_a_matching_content_length() {
    let (_server, mut client) = asked(Reply::text("Paris").malformed()).unwrap();
    let answer = client.answer();
    assert!(answer.text().starts_with('{') && !answer.text().ends_with('}'));
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
    let answer = ask(MESSAGES, &question(true), Reply::text("é é é").malformed());
    let events = answer.events();
    let broken = |data: &str| serde_json::from_str::<Value>(data).is_err();
    assert!(broken(events[1].1));
    assert_eq!(events.iter().filter(|(_, data)| broken(data)).count(), 1);
}

#[test]
fn a_stream_can_end_without_its_marker() {
    for (path, marker) in [(CHAT, "[DONE]"), (COMPLETIONS, "[DONE]"), (MESSAGES, "message_stop")] {
        let whole = ask(path, &question(true), Reply::text("a b"));
        assert!(whole.text().contains(marker));
        let lacking = ask(path, &question(true), Reply::text("a b").without_end_marker());
        assert!(!lacking.text().contains(marker));
        assert_eq!(lacking.events().len(), whole.events().len() - 1);
        let short = ask(path, &question(true), Reply::text("a b").end_after(2));
        assert_eq!(short.events().len(), 2);
    }
}

#[test]
fn an_error_can_come_in_the_middle_of_a_stream() {
    for after in [0, 2, usize::MAX] {
        let reply = || Reply::text("a b c").stream_error(after, "overloaded_error", "Busy.");
        for path in [CHAT, COMPLETIONS, MESSAGES] {
            let answer = ask(path, &question(true), reply());
            assert_eq!(answer.status, 200);
            let events = answer.events();
            let whole = ask(path, &question(true), Reply::text("a b c")).events().len();
            assert_eq!(events.len(), after.min(whole - 1) + 1);
            let (name, data) = events[events.len() - 1];
            assert_eq!(name, (path == MESSAGES).then_some("error"));
            let error: Value = serde_json::from_str(data).unwrap();
            assert_eq!(error["error"]["message"], "Busy.");
            let field = if path == MESSAGES { "type" } else { "code" };
            assert_eq!(error["error"][field], "overloaded_error");
        }
    }
}

#[test]
fn a_stream_can_be_cut_inside_a_character() {
    let server = Loopback::start().unwrap();
    server.default_reply(Reply::pieces(["é"]).cut_after(200));
    let mut client = Client::to(&server);
    client.post(CHAT, &question(true));
    client.until("\r\n\r\n");
    let (body, end) = client.rest();
    assert_eq!(end, End::Fin);
    let content: usize =
        String::from_utf8_lossy(&body).split("\r\n").skip(1).step_by(2).map(str::len).sum();
    assert_eq!(content, 200);
}
