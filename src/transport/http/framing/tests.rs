//! Framing from RFC 9112 sections 6.3 and 9.3, and from llhttp's tests (`test/response`).

use super::super::head::HeadReader;
use super::*;

fn framing(head: &str) -> Result<Framing, &'static str> {
    let bytes = head.as_bytes();
    let head = HeadReader::new(4096).read(bytes).unwrap().unwrap();
    Framing::of(&head, bytes)
}

#[test]
fn the_head_decides_where_the_body_ends_and_whether_the_connection_survives() {
    for (status, fields, end, keeps_alive) in [
        ("1.1 200", "", End::Close, false),
        ("1.1 200", "connection: keep-alive", End::Close, false),
        ("1.1 200", "content-length: 0", End::Empty, true),
        ("1.1 200", "content-length: 5", End::Length(5), true),
        ("1.1 200", "Content-Length:\t42\t", End::Length(42), true),
        ("1.1 200", "content-length: 18446744073709551615", End::Length(u64::MAX), true),
        ("1.1 200", "content-length: 00005", End::Length(5), true),
        ("1.1 200", "content-length: 5\r\ncontent-length: 5", End::Length(5), true),
        ("1.1 200", "content-length: 5, 5", End::Length(5), true),
        ("1.1 200", "content-length: 5\r\nconnection: close", End::Length(5), false),
        ("1.1 200", "content-length: 5\r\nConnection: x, CLOSE", End::Length(5), false),
        (
            "1.1 200",
            "content-length: 5\r\nconnection: x\r\nconnection: close",
            End::Length(5),
            false,
        ),
        ("1.1 200", "content-length: 5\r\nconnection: closed", End::Length(5), true),
        ("1.1 200", "content-length: 5\r\nproxy-connection: close", End::Length(5), true),
        ("1.1 200", "content-length: 4\r\nconnection: upgrade", End::Length(4), true),
        ("1.1 200", "content-length-x: 5\r\ntransfer-encoding: chunked", End::Chunks, true),
        ("1.1 200", "Transfer-Encoding:  CHUNKED ", End::Chunks, true),
        ("1.1 200", "transfer-encoding: chunked\r\nconnection: close", End::Chunks, false),
        ("1.1 200", "transfer-encoding: identity\r\ncontent-length: 5", End::Length(5), true),
        ("1.1 200", "transfer-encoding: identity", End::Close, false),
        ("1.0 200", "content-length: 5", End::Length(5), false),
        ("1.0 200", "content-length: 5\r\nconnection: Keep-Alive", End::Length(5), true),
        ("1.0 200", "content-length: 5\r\nconnection: keep-alive, close", End::Length(5), false),
        ("1.0 200", "connection: keep-alive", End::Close, false),
        ("1.1 204", "", End::Empty, true),
        ("1.1 204", "connection: close", End::Empty, false),
        ("1.1 204", "content-length: 0", End::Empty, true),
        ("1.1 204", "content-length: 5", End::Empty, false),
        ("1.1 204", "transfer-encoding: chunked", End::Empty, false),
        ("1.0 204", "connection: keep-alive", End::Empty, true),
        ("1.0 204", "connection: keep-alive, x", End::Empty, true),
        ("1.0 204", "connection: ,keep-alive,", End::Empty, true),
        ("1.0 204", "connection: keep-alive, a b", End::Empty, false),
        ("1.0 204", "connection: keep-alive, \u{ad}", End::Empty, false),
        ("1.1 204", "connection: \u{ad}", End::Empty, false),
        ("1.1 204", "connection: x=\"close\"", End::Empty, false),
        ("1.1 304", "content-length: 500", End::Empty, true),
        ("1.1 100", "", End::Empty, true),
        ("1.1 500", "", End::Close, false),
    ] {
        let head =
            format!("HTTP/{status} x\r\n{fields}\r\n\r\n").replace("\r\n\r\n\r\n", "\r\n\r\n");
        assert_eq!(framing(&head), Ok(Framing { end, keeps_alive }), "{head:?}");
    }
}

#[test]
fn framing_that_can_be_read_in_two_ways_is_refused() {
    for (version, fields, wrong) in [
        ("1.1", "content-length: 5\r\ncontent-length: 6", "two different"),
        ("1.1", "content-length: 5, 6", "two different"),
        ("1.1", "content-length: 5\r\ntransfer-encoding: chunked", "both"),
        ("1.1", "transfer-encoding: chunked\r\ncontent-length: 5", "both"),
        ("1.1", "transfer-encoding: chunked\r\ncontent-length: 0", "both"),
        ("1.1", "content-length: -5", "not a number"),
        ("1.1", "content-length: +5", "not a number"),
        ("1.1", "content-length: 0x5", "not a number"),
        ("1.1", "content-length: 5 5", "not a number"),
        ("1.1", "content-length: 5.0", "not a number"),
        ("1.1", "content-length:", "not a number"),
        ("1.1", "content-length: 5,", "not a number"),
        ("1.1", "content-length: \u{ff15}", "not a number"),
        ("1.1", "content-length: 18446744073709551616", "64 bits"),
        ("1.1", "content-length: 99999999999999999999999999", "64 bits"),
        ("1.1", "transfer-encoding:", "not just"),
        ("1.1", "transfer-encoding: xchunked", "not just"),
        ("1.1", "transfer-encoding: chunkedchunked", "not just"),
        ("1.1", "transfer-encoding: pigeons", "not just"),
        ("1.1", "transfer-encoding: gzip, chunked", "not just"),
        ("1.1", "transfer-encoding: chunked, deflate", "not just"),
        ("1.1", "transfer-encoding: chunked, chunked", "not just"),
        ("1.1", "transfer-encoding: chunked\r\ntransfer-encoding: identity", "not just"),
        ("1.1", "transfer-encoding: identity\r\ntransfer-encoding: chunked", "not just"),
        ("1.0", "transfer-encoding: chunked", "HTTP/1.0"),
    ] {
        let found = framing(&format!("HTTP/{version} 200 OK\r\n{fields}\r\n\r\n")).unwrap_err();
        assert!(found.contains(wrong), "{fields:?}: {found}");
    }
}
