//! Tests of the SSE parser.

use super::*;
use crate::wire::framing::lines::work;
use crate::{Error, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Name, data and id.
type Seen = (Option<String>, String, String);

fn push(parser: &mut Parser, bytes: &[u8]) -> (Vec<Seen>, Result<(), ParseError>) {
    let mut seen = Vec::new();
    let pushed = parser.push(bytes, |event| {
        seen.push((event.name.map(str::to_owned), event.data.to_owned(), event.id.to_owned()));
        Ok(())
    });
    (seen, pushed)
}

/// Returns the events of a stream that arrives in these pieces.
fn events(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut parser = Parser::new();
    let mut all = Vec::new();
    for piece in pieces {
        let (seen, pushed) = push(&mut parser, piece);
        assert_eq!(pushed, Ok(()));
        all.extend(seen);
    }
    all
}

/// Returns the data of the events, joined by `|`.
fn data(pieces: &[&[u8]]) -> String {
    let all: Vec<String> = events(pieces).into_iter().map(|(_, data, _)| data).collect();
    all.join("|")
}

/// Returns a parser after these bytes.
fn after(bytes: &[u8]) -> Parser {
    let mut parser = Parser::new();
    push(&mut parser, bytes).1.unwrap();
    parser
}

#[test]
fn lines_end_with_cr_lf_or_crlf_wherever_the_stream_is_cut() {
    for (pieces, expected) in [
        (&[&b"data:a\n\ndata:b\n\n"[..]][..], "a|b"),
        (&[b"data:a\r\rdata:b\r\r"], "a|b"),
        (&[b"data:a\r\n\r\ndata:b\r\n\r\n"], "a|b"),
        (&[b"data:a\r", b"\n\r", b"\ndata:b\r", b"\n", b"\r", b"\n"], "a|b"),
        (&[b"data:a\r", b"\ndata:b\n\n"], "a\nb"),
        (&[b"data:a\r", b"", b"\ndata:b\n\n"], "a\nb"),
        (&[b"data:a\r\n", b"\ndata:b\n", b"\r"], "a|b"),
        (&[b"data:a\n\r", b"data:b\r\n\n"], "a|b"),
        (&[b"da", b"ta", b":", b" a", b"b\n", b"\n"], "ab"),
    ] {
        assert_eq!(data(pieces), expected, "{pieces:?}");
    }
}

#[test]
fn an_event_is_yielded_as_soon_as_its_blank_line_arrives() {
    for (first, end) in
        [(&b"data:a\n"[..], &b"\n"[..]), (b"data:a\r", b"\r"), (b"data:a\r\n", b"\r")]
    {
        assert_eq!(data(&[first]), "");
        assert_eq!(data(&[first, end]), "a");
        assert_eq!(data(&[first, end, b"\n"]), "a");
    }
}

#[test]
fn one_byte_order_mark_at_the_start_is_stripped() {
    for (pieces, expected) in [
        (&[&b"\xEF\xBB\xBFdata:a\n\n"[..]][..], "a"),
        (&[b"\xEF", b"\xBB", b"\xBF", b"data:a\n\n"], "a"),
        (&[b"\xEF\xBB\xBFda", b"ta:a\n\n"], "a"),
        (&[b"\xEF\xBB\xBF\n", b"data:a\n\n"], "a"),
        (&[b"\xEF\xBB\xBF\xEF\xBB\xBFdata:a\n\ndata:b\n\n"], "b"),
        (&[b"\n\xEF\xBB\xBFdata:a\n\ndata:b\n\n"], "b"),
        (&[b"\xEF\xBBdata:a\n\ndata:b\n\n"], "b"),
    ] {
        assert_eq!(data(pieces), expected, "{pieces:?}");
    }
}

#[test]
fn field_names_are_exact_and_one_leading_space_is_stripped() {
    for (stream, expected) in [
        (&b"data:a\n\n"[..], "a"),
        (b"data: a\n\n", "a"),
        (b"data:  a \n\n", " a "),
        (b"data:\ta\n\n", "\ta"),
        (b"data: a: b\n\n", "a: b"),
        (b"data: a\ndata: b\ndata\ndata:\n\n", "a\nb\n\n"),
        (b"data\n\n", ""),
        (b"data\ndata\n\n", "\n"),
        (b": data: a\n:\ndata: b\n: c\n\n", "b"),
        (b"Data: a\n data: a\ndata : a\ndata\0: a\nfoo: a\nfoo\ndata: b\n\n", "b"),
    ] {
        assert_eq!(data(&[stream]), expected, "{:?}", String::from_utf8_lossy(stream));
    }
    assert_eq!(events(&[b"data: a\n\ndata\n\n"]).len(), 2, "empty data is data");
}

#[test]
fn the_last_event_name_wins_and_applies_to_one_event() {
    let seen = events(&[
        b"event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\n\ndata: 3\n\n",
        b"event: d\n",
        b"event:\ndata: 4\n\n",
        b"event: e\n",
        b"data: 5\n\n",
    ]);
    let names: Vec<Option<&str>> = seen.iter().map(|(name, ..)| name.as_deref()).collect();
    assert_eq!(names, [Some("b"), None, None, None, Some("e")]);
}

#[test]
fn without_data_there_is_no_event() {
    assert_eq!(data(&[b"\n\nevent: ping\n\nid: 1\n\nretry: 1\n\n: c\n\n\r\n"]), "");
}

#[test]
fn an_id_lasts_until_the_next_one_and_must_not_contain_nul() {
    let seen =
        events(&[b"data\n\nid: 1\ndata\n\ndata\n\nid: 2\0\ndata\n\nid: 3\n\ndata\n\nid\ndata\n\n"]);
    let ids: Vec<&str> = seen.iter().map(|(.., id)| id.as_str()).collect();
    assert_eq!(ids, ["", "1", "1", "1", "3", ""]);
}

#[test]
fn the_last_event_id_is_that_of_the_last_complete_event() {
    for (stream, expected) in [
        (&b""[..], ""),
        (b"id: 1\ndata: a\n", ""),
        (b"id: 1\n\n", "1"),
        (b"id: 1\n\nid: 2\ndata: a\n", "1"),
        (b"id: 1\n\nid: 2\nid: 3\n\n", "3"),
        (b"id: \xE2\x80\xA6\xFF\n\n", "\u{2026}\u{FFFD}"),
    ] {
        assert_eq!(after(stream).last_event_id(), expected);
    }
}

#[test]
fn retry_must_be_a_whole_number_of_milliseconds() {
    for (stream, expected) in [
        (&b""[..], None),
        (b"retry: 1500\n", Some(1_500)),
        (b"retry:03000\nretry: 10x\nretry: -1\nretry:\nretry\nretry:  1\n", Some(3_000)),
        (b"retry: 18446744073709551616\n", Some(u64::MAX)),
    ] {
        assert_eq!(after(stream).retry(), expected.map(Duration::from_millis));
    }
}

#[test]
fn split_characters_are_joined_and_invalid_utf_8_is_replaced() {
    assert_eq!(data(&[b"data: \xF0\x9F", b"\x92", b"\x99\n\n"]), "💙");
    assert_eq!(data(&[b"data: \xF0\x9F\xFFa\xF0\x9F\n", b"\n"]), "\u{FFFD}\u{FFFD}a\u{FFFD}");
    let seen = events(&[b"event: \xFF\ndata: \xE2\x80\xA8\n\n"]);
    assert_eq!(seen, [(Some("\u{FFFD}".to_owned()), "\u{2028}".to_owned(), String::new())]);
}

#[test]
fn an_event_complete_in_the_bytes_is_borrowed() {
    let bytes = b"event: ping\ndata: one\n\ndata: two\n\n";
    let within = bytes.as_ptr_range();
    let mut count = 0;
    let mut parser = Parser::new();
    for _ in 0..2 {
        parser
            .push(bytes, |event| {
                count += 1;
                assert!(within.contains(&event.data.as_ptr()));
                assert!(event.name.is_none_or(|name| within.contains(&name.as_ptr())));
                Ok::<_, ParseError>(())
            })
            .unwrap();
    }
    assert_eq!(count, 4);
    assert_eq!(parser.name.capacity() + parser.data.capacity(), 0);
}

#[test]
fn a_line_may_be_as_long_as_its_limit() {
    let limits = Limits { line: 8, event: 100 };
    for pieces in [&[&b"data: ab\n\ndata: abc\n\n"[..]][..], &[b"data: ab\n\nda", b"ta: abc"]] {
        let mut parser = Parser::with_limits(limits);
        let results: Vec<_> = pieces.iter().map(|piece| push(&mut parser, piece)).collect();
        assert_eq!(results[0].0.len(), 1, "the event before");
        assert_eq!(results.last().unwrap().1, Err(ParseError::LineTooLong { limit: 8 }));
    }
    let mut parser = Parser::with_limits(limits);
    assert_eq!(push(&mut parser, b": comment").1, Err(ParseError::LineTooLong { limit: 8 }));
}

#[test]
fn an_event_may_be_as_long_as_its_limit() {
    let limits = Limits { line: 100, event: 8 };
    for (stream, fits) in [
        (&b"event: a\nid: bc\ndata: d\ndata: efg\n\n"[..], true),
        (b"event: a\nid: bc\ndata: d\ndata: efgh\n\n", false),
        (b"event: 123456789\n\n", false),
        (b"event: 12345678\nevent: a\ndata: 1234567\n\n", true),
        (b"id: 123456789\n\n", false),
        (b"id: 12345678\n\ndata\n\ndata: 1\n\n", false),
        (b"data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n", true),
        (b"data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n", false),
        (b"foo: 1234567890\n: 1234567890\ndata: 12345678\n\n", true),
    ] {
        let expected = if fits { Ok(()) } else { Err(ParseError::EventTooLong { limit: 8 }) };
        let shown = String::from_utf8_lossy(stream);
        assert_eq!(push(&mut Parser::with_limits(limits), stream).1, expected, "{shown:?}");
    }
}

#[test]
fn a_failed_parser_keeps_failing() {
    let mut parser = Parser::with_limits(Limits { line: 4, event: 4 });
    let cause = push(&mut parser, b"data: 1\n").1.unwrap_err();
    assert_eq!(push(&mut parser, b"\n\n"), (vec![], Err(cause)));
    assert_eq!(parser.finish(), Err(cause));

    let error = Error::from(cause);
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(
        error.to_string(),
        "invalid response: a line of the stream is longer than the limit of 4 bytes"
    );
}

#[test]
fn a_failing_callback_ends_the_stream() {
    let mut parser = Parser::new();
    let mut count = 0;
    let pushed = parser.push(b"data: 1\n\ndata: 2\n\n", |_| {
        count += 1;
        Err(Error::cancelled())
    });
    assert_eq!((pushed.unwrap_err().kind(), count), (ErrorKind::Cancelled, 1));
    assert_eq!(push(&mut parser, b"data: 3\n\n"), (vec![], Err(ParseError::Abandoned)));
    assert_eq!(parser.finish(), Err(ParseError::Abandoned));

    let mut parser = Parser::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        parser.push(b"data: 1\n\ndata: 2\n\n", |_| -> Result<(), ParseError> { panic!("oh") })
    }));
    assert!(panicked.is_err());
    assert_eq!(push(&mut parser, b"data: 3\n\n"), (vec![], Err(ParseError::Abandoned)));
}

#[test]
fn finish_returns_nothing_after_a_blank_line() {
    for stream in [
        &b""[..],
        b"data: 1\n\n",
        b"data: 1\r\n\r",
        b"data: 1\n\n\n: comment\n",
        b"data: 1\n\n: comm",
        b"\xEF\xBB\xBF",
    ] {
        assert_eq!(after(stream).finish(), Ok(None), "{:?}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn finish_returns_an_event_without_its_blank_line() {
    for (stream, expected) in [
        (&b"id: 1\n\nevent: a\ndata: 1\ndata: 2\n"[..], Some((Some("a"), "1\n2", "1"))),
        (b"data: [DONE]", Some((None, "[DONE]", ""))),
        (b"data: 1\nid: 2", Some((None, "1", "2"))),
        (b"data: \xF0\x9F", Some((None, "\u{FFFD}", ""))),
        (b"data", Some((None, "", ""))),
        (b"event: a\n", None),
        (b"retry: 1\n", None),
        (b"{\"error\": {}}", None),
        (b"dat", None),
    ] {
        let unfinished = after(stream).finish().unwrap().unwrap();
        let event = unfinished.event().map(|event| (event.name, event.data, event.id));
        assert_eq!(event, expected, "{:?}", String::from_utf8_lossy(stream));
    }
    let mut parser = Parser::with_limits(Limits { line: 100, event: 4 });
    push(&mut parser, b"data: 12345").1.unwrap();
    assert_eq!(parser.finish(), Err(ParseError::EventTooLong { limit: 4 }));
}

/// Every byte is searched once, and copied at most twice: as part of a split line and as part of
/// its event.
#[test]
fn hostile_streams_take_linear_work() {
    const SIZE: usize = 256 * 1024;
    let mut line = b"data: ".to_vec();
    line.resize(SIZE, b'x');
    for (stream, events) in [
        (line, 1),
        (b"data\n".repeat(SIZE / 5), 1),
        (b"data: x\r\n".repeat(SIZE / 9), 1),
        (b":\n".repeat(SIZE / 2), 0),
        (b"\r".repeat(SIZE), 0),
        (b"event: x\n".repeat(SIZE / 9), 0),
        (b"id: x\n\n".repeat(SIZE / 7), 0),
        (b"data\n\n".repeat(SIZE / 6), SIZE / 6),
    ] {
        for size in [1, 7, 1_000, SIZE] {
            let mut seen = 0;
            let work = work::of(|| {
                let mut parser = Parser::new();
                for piece in stream.chunks(size).chain([&b"\n\n"[..]]) {
                    let count = |_: Event<'_>| {
                        seen += 1;
                        Ok::<_, ParseError>(())
                    };
                    parser.push(piece, count).unwrap();
                }
            });
            let shown = String::from_utf8_lossy(&stream[..9]);
            assert_eq!(seen, events, "{shown:?}");
            assert!(work <= 4 * (SIZE + 2), "{work} in pieces of {size}: {shown:?}");
        }
    }
}

#[test]
fn buffers_that_grew_huge_shrink_again() {
    let huge = "x".repeat(1_000_000);
    let stream = format!("id: {huge}\nevent: {huge}\ndata: {huge}\ndata: {huge}\n\n");
    let mut parser = Parser::new();
    for piece in stream.as_bytes().chunks(10_000) {
        push(&mut parser, piece).1.unwrap();
    }
    push(&mut parser, b"id: 1\n\nid: 2\n\nevent").1.unwrap();
    let held = parser.name.capacity()
        + parser.data.capacity()
        + parser.id.capacity()
        + parser.next_id.capacity()
        + parser.lines.capacity();
    assert!(held <= 5 * KEPT, "{held}");
}

#[test]
fn debug_output_shows_no_text() {
    let mut parser = after(b"data: secret\nevent: ping\nda");
    let mut shown = format!("{parser:?}");
    parser
        .push(b"ta: secret\n\ndata: secret", |event| {
            shown += &format!("{event:?}");
            Ok::<_, ParseError>(())
        })
        .unwrap();
    shown += &format!("{parser:?}");
    shown += &format!("{:?}", parser.finish());
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("name: Some(\"ping\"), data: [13 bytes]"), "{shown}");
}

#[test]
fn the_media_type_identifies_an_event_stream() {
    for (content_type, expected) in [
        ("text/event-stream", true),
        ("Text/Event-Stream; charset=utf-8", true),
        (" text/event-stream ;charset=windows-1252", true),
        ("text/event-stream;", true),
        ("text/event-streams", false),
        ("text/event", false),
        ("application/json", false),
        ("", false),
    ] {
        assert_eq!(is_event_stream(content_type), expected, "{content_type:?}");
    }
}
