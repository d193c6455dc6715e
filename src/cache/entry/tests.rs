//! Tests of stored answers.

use super::*;

const HEADERS: [(&str, &[u8]); 2] =
    [("content-type", b"application/json"), ("x-request-id", b"req_1")];

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn answer<'a, P>(pieces: &'a [P], streamed: bool) -> Answer<'a, P> {
    let took = Duration::from_micros(1_234_567);
    Answer { status: 200, headers: &HEADERS, pieces, streamed, until_close: streamed, took }
}

#[test]
fn what_was_written_is_read() {
    for (pieces, streamed) in [
        (&[&b"{}"[..]][..], false),
        (&[b"data: a\n\n", b"", b"\xff\x00", b"data: [DONE]\n\n"], true),
        (&[], true),
    ] {
        let written = answer(pieces, streamed).write(at(5)).unwrap();
        let read = read(&written, at(5), None).unwrap();
        assert_eq!(read.took, Duration::from_micros(1_234_567));
        let Response { status, headers, pieces: bodies, streamed: is_stream, until_close, waits } =
            read.response;
        assert_eq!((status, is_stream, until_close), (200, streamed, streamed));
        assert_eq!(bodies, pieces);
        let texts: Vec<_> =
            headers.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        assert_eq!(texts, HEADERS);
        assert!(waits.is_empty());
        assert_eq!(written.len(), written.capacity(), "nothing is allocated twice");
    }
}

#[test]
fn an_answer_is_read_until_its_time_to_live_is_over() {
    let written = answer(&[b"{}"], false).write(at(10_000)).unwrap();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (now, ttl, is_read) in [
        (10_000, None, true),
        (u64::MAX / 2, None, true),
        (10_000, seconds(1), true),
        (10_999, seconds(1), true),
        (11_000, seconds(1), false),
        (10_000, seconds(0), false),
        // The clock was set back.
        (9_001, seconds(1), true),
        (9_000, seconds(1), false),
    ] {
        assert_eq!(read(&written, at(now), ttl).is_some(), is_read, "{now} {ttl:?}");
    }
}

#[test]
fn a_damaged_entry_is_no_answer() {
    let written = answer(&[&b"data: a\n\n"[..], b"data: b\n\n"], true).write(at(5)).unwrap();
    for length in 0..written.len() {
        assert_eq!(read(&written[..length], at(5), None), None, "cut after {length}");
    }
    let longer = [&written[..], b"x"].concat();
    assert_eq!(read(&longer, at(5), None), None);
    for version in [0, 2, 255] {
        let mut other = written.clone();
        other[3] = version;
        assert_eq!(read(&other, at(5), None), None, "version {version}");
    }
    // Any number may stand where a length is.
    for place in 0..written.len() {
        for value in [0, 1, 127, 255] {
            let mut changed = written.clone();
            changed[place] = value;
            let _ = read(&changed, at(5), None);
        }
    }
}

#[test]
fn a_checksum_finds_every_change() {
    let sealed = seal(answer(&[b"{}"], false).write(at(5)).unwrap());
    assert!(unseal(&sealed).is_some());
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert_eq!(unseal(&changed), None, "byte {place}");
        assert_eq!(unseal(&sealed[..place]), None, "cut after {place}");
    }
}

#[test]
fn secrets_are_hidden_wherever_they_are() {
    let mut secrets = Secrets::default();
    secrets.add("sk-12345678");
    let pieces = [&b"{\"key\":\"sk-1"[..], b"2345678\"}"];
    let headers = [("x-request-id", &b"for sk-12345678"[..])];
    let secret = Answer { headers: &headers, ..answer(&pieces, true) };
    let written = secret.write_without(&secrets, at(5)).unwrap();
    let response = read(&written, at(5), None).unwrap().response;
    assert_eq!(response.pieces, [b"{\"key\":\"[key]\"}"]);
    assert_eq!(response.headers, [("x-request-id".to_owned(), "for [key]".to_owned())]);

    let binary = [&b"\xff sk-12345678"[..]];
    assert_eq!(answer(&binary, false).write_without(&secrets, at(5)), None);
    let harmless = [&b"\xff sk-1234"[..]];
    let same = answer(&harmless, false).write(at(5)).unwrap();
    assert_eq!(answer(&harmless, false).write_without(&secrets, at(5)), Some(same));
}

#[test]
fn an_answer_with_more_than_an_entry_can_hold_is_not_written() {
    let long = vec![b'a'; usize::from(u16::MAX) + 1];
    let many = [("x-request-id", &b"a"[..]); 256];
    for headers in [&[("x-request-id", &long[..])][..], &many] {
        let answer = Answer { headers, ..answer(&[b"{}"], false) };
        assert_eq!(answer.write(at(5)), None);
    }
    let most = [("x-request-id", &long[1..])];
    let written = Answer { headers: &most, ..answer(&[b"{}"], false) }.write(at(5)).unwrap();
    assert!(read(&written, at(5), None).is_some());
}
