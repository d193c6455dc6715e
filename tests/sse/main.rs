//! Event streams are read by the rules of the HTML Standard however they are cut.

mod rules;

use rules::{Event, Outcome, by_the_rules, parsed};
use serde_json::Value;
use tollgate::ndjson;
use tollgate::sse::{Limits, ParseError, is_event_stream};

/// The vectors of web-platform-tests, eventsource-parser and the official SDKs, in
/// the file that `TOLLGATE_SSE_VECTORS` names; without it these tests say that they
/// skip.
fn vectors(of: &str) -> Option<Vec<Value>> {
    let Some(file) = std::env::var_os("TOLLGATE_SSE_VECTORS") else {
        eprintln!("skipped: TOLLGATE_SSE_VECTORS does not name the file of vectors");
        return None;
    };
    let text = std::fs::read_to_string(file).expect("the file of vectors");
    let mut all: Value = serde_json::from_str(&text).expect("JSON");
    let Value::Array(found) = all[of].take() else { panic!("no {of} among the vectors") };
    assert!(!found.is_empty());
    Some(found)
}

fn decoded(base64: &Value) -> Vec<u8> {
    let digits = base64.as_str().expect("a text").trim_end_matches('=').bytes().map(|digit| {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("not base64"),
        };
        u32::from(value)
    });
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0, 0);
    for digit in digits {
        held = held << 6 | digit;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).expect("eight bits"));
        }
    }
    bytes
}

fn in_bytes(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    stream.chunks(1)
}

#[test]
fn every_vector_holds_whole_in_its_own_pieces_and_byte_by_byte() {
    let Some(vectors) = vectors("vectors") else { return };
    for vector in &vectors {
        let id = &vector["id"];
        let stream = decoded(&vector["input_b64"]);
        // Where the SDKs differ from the standard, the standard is followed.
        let expected = match vector["dialect"].as_str() {
            Some("whatwg") => &vector["expected"],
            _ => &vector["whatwg_expected"],
        };
        let expected = expected.as_array().expect("the events expected");
        let check = |outcome: &Outcome| {
            assert_eq!(outcome.events.len(), expected.len(), "{id}: {outcome:?}");
            for (event, expected) in outcome.events.iter().zip(expected) {
                assert_eq!(event.name.as_deref(), expected["event"].as_str(), "{id}");
                assert_eq!(Some(event.data.as_str()), expected["data"].as_str(), "{id}");
                if let Some(last) = expected["last_event_id"].as_str() {
                    assert_eq!(event.id, last, "{id}");
                }
            }
            if let Some(retry) = vector.get("expected_retry_ms") {
                assert_eq!(outcome.retry, retry.as_u64(), "{id}");
            }
        };
        check(&by_the_rules(&stream));
        let (whole, broken) = parsed([stream.as_slice()], Limits::default());
        assert_eq!(broken, None);
        check(&whole);
        assert_eq!(parsed(in_bytes(&stream), Limits::default()), (whole.clone(), None), "{id}");
        if let Some(pieces) = vector["chunks_b64"].as_array() {
            let pieces: Vec<Vec<u8>> = pieces.iter().map(decoded).collect();
            assert_eq!(pieces.concat(), stream, "{id}");
            let cut = parsed(pieces.iter().map(Vec::as_slice), Limits::default());
            assert_eq!(cut, (whole, None), "{id}");
        }
    }
    println!("{} vectors", vectors.len());
}

#[test]
fn event_streams_are_recognised_by_their_media_type() {
    let Some(vectors) = vectors("http_vectors") else { return };
    for vector in vectors {
        let content_type = vector["content_type"].as_str().expect("a text");
        assert_eq!(Some(is_event_stream(content_type)), vector["accept"].as_bool());
    }
}

/// Ends of lines, fields and texts, whole and in halves.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\r\r",
    b"\r\n\r\n",
    b"\n\r",
    b"data",
    b"data:",
    b"data: ",
    b"data:  x",
    b"data: {\"text\":\"a long line with \\n in it, longer than a block\"}",
    b"\ndata: 1\n\n",
    b"event",
    b"event:",
    b"event: ping",
    b"event: ping\n",
    b"id",
    b"id:",
    b"id: 7",
    b"id: 7\0",
    b"retry",
    b"retry:1500",
    b"retry: 15x",
    b"retry:99999999999999999999999",
    b":",
    b": a comment",
    b"Data:",
    b"unknown: 1",
    b" ",
    b"\0",
    b"\xEF\xBB\xBF",
    b"\xEF\xBB",
    b"\xBF",
    b"\xD0\xB8",
    b"\xD0",
    b"\xF0\x9F\x92\x99",
    b"\xF0\x9F",
    b"\xE2\x80\xA8",
    b"\xFF",
];

fn random_stream(random: &mut fastrand::Rng) -> Vec<u8> {
    (0..random.usize(..24)).flat_map(|_| PIECES[random.usize(..PIECES.len())]).copied().collect()
}

/// Cuts into pieces of random lengths, some of them empty.
fn cut<'a>(random: &mut fastrand::Rng, mut stream: &'a [u8]) -> Vec<&'a [u8]> {
    let longest = random.usize(1..24);
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        let (piece, rest) = stream.split_at(random.usize(..=longest.min(stream.len())));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

#[test]
fn the_rules_hold_however_a_stream_is_cut() {
    let mut random = fastrand::Rng::with_seed(1);
    let (mut events, mut unfinished) = (0, 0);
    for _ in 0..20_000 {
        let stream = random_stream(&mut random);
        let expected = by_the_rules(&stream);
        events += expected.events.len();
        unfinished += usize::from(expected.unfinished.is_some());
        let expected = (expected, None);
        let shown = String::from_utf8_lossy(&stream);
        assert_eq!(parsed([stream.as_slice()], Limits::default()), expected, "{shown:?}");
        assert_eq!(parsed(in_bytes(&stream), Limits::default()), expected, "{shown:?}");
        let pieces = cut(&mut random, &stream);
        assert_eq!(parsed(pieces.clone(), Limits::default()), expected, "{pieces:?}");
    }
    // Makes sure that the streams are worth comparing.
    assert!(events > 5_000 && unfinished > 5_000, "{events} {unfinished}");
}

#[test]
fn limits_hold_however_a_stream_is_cut() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut broken = [0, 0, 0];
    for _ in 0..20_000 {
        let stream = random_stream(&mut random);
        let limits = Limits { line: random.usize(4..64), event: random.usize(1..32) };
        let whole = parsed([stream.as_slice()], limits);
        broken[match whole.1 {
            None => 0,
            Some(ParseError::LineTooLong { limit }) if limit == limits.line => 1,
            Some(ParseError::EventTooLong { limit }) if limit == limits.event => 2,
            Some(other) => panic!("{other}"),
        }] += 1;
        assert_eq!(parsed(in_bytes(&stream), limits), whole, "{limits:?} {stream:?}");
        let pieces = cut(&mut random, &stream);
        assert_eq!(parsed(pieces.clone(), limits), whole, "{limits:?} {pieces:?}");
        let free = by_the_rules(&stream);
        if whole.1.is_none() {
            assert_eq!(whole.0, free);
        } else {
            let before: &[Event] = &whole.0.events;
            assert_eq!(before, &free.events[..before.len()]);
        }
    }
    assert!(broken.iter().all(|count| *count > 1_000), "{broken:?}");
}

#[test]
fn lines_are_the_same_however_they_are_cut() {
    fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut parser = ndjson::Parser::new();
        let mut all = Vec::new();
        let mut keep = |line: &str| {
            all.push(line.to_owned());
            Ok::<_, ParseError>(())
        };
        for piece in pieces {
            parser.push(piece, &mut keep).expect("short lines");
        }
        parser.finish(&mut keep).expect("short lines");
        all
    }
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..10_000 {
        let stream = random_stream(&mut random);
        let text = String::from_utf8_lossy(&stream);
        let expected: Vec<&str> = text
            .strip_prefix('\u{feff}')
            .unwrap_or(&text)
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .filter(|line| line.contains(|c| !matches!(c, ' ' | '\t' | '\r')))
            .collect();
        assert_eq!(lines([stream.as_slice()]), expected, "{text:?}");
        assert_eq!(lines(in_bytes(&stream)), expected, "{text:?}");
        let pieces = cut(&mut random, &stream);
        assert_eq!(lines(pieces.clone()), expected, "{pieces:?}");
    }
}
