//! Heads from RFC 9112, from httparse's tests and from llhttp's (`test/response`).

use super::*;

const LIMIT: usize = 4096;

type Outcome = Result<Option<(u16, bool, Vec<(String, String)>, usize)>, Invalid>;

/// Reads a head that comes in pieces of `size`.
fn read(text: &[u8], size: usize, limit: usize) -> Outcome {
    let mut reader = HeadReader::new(limit);
    let mut outcome = Ok(None);
    let ends = (size..text.len()).step_by(size).chain([text.len()]);
    for end in ends {
        outcome = reader.read(&text[..end]);
        if !matches!(outcome, Ok(None)) {
            break;
        }
    }
    let string = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    Ok(outcome?.map(|head| {
        let fields = head.fields(text).map(|(name, value)| (string(name), string(value)));
        (head.status, head.is_http10, fields.collect(), head.length)
    }))
}

/// The same for every split.
fn read_all(text: &[u8]) -> Outcome {
    let whole = read(text, text.len().max(1), LIMIT);
    for size in [1, 2, 3, 5, 7, 13] {
        assert_eq!(read(text, size, LIMIT), whole, "{:?} by {size}", text.escape_ascii());
    }
    whole
}

#[test]
fn valid_heads_are_read_however_they_are_split() {
    for (text, status, is_http10, fields) in [
        ("HTTP/1.1 200 OK\r\n\r\n", 200, false, &[][..]),
        ("HTTP/1.0 403 Forbidden\nServer: foo.bar\n\n", 403, true, &[("Server", "foo.bar")]),
        ("HTTP/1.1 200 \r\n\r\n", 200, false, &[]),
        ("HTTP/1.1 200\r\n\r\n", 200, false, &[]),
        ("HTTP/1.1 200\r\nFoo: bar\r\n\r\n", 200, false, &[("Foo", "bar")]),
        ("HTTP/1.0 200\nContent-type: text/html\n\n", 200, true, &[("Content-type", "text/html")]),
        ("HTTP/1.1 101 Switching Protocols\t\r\n\r\n", 101, false, &[]),
        ("HTTP/1.1 200  OK\r\n\r\n", 200, false, &[]),
        ("HTTP/1.1 200 r\u{e9}sum\u{e9}\r\n\r\n", 200, false, &[]),
        ("\r\n\n\r\nHTTP/1.1 200 OK\n\n", 200, false, &[]),
        ("HTTP/1.1 999 x\r\na:\r\nb: \t \r\n\r\n", 999, false, &[("a", ""), ("b", "")]),
        ("HTTP/1.1 200 OK\r\na: \t b \tc \t\r\n\r\n", 200, false, &[("a", "b \tc")]),
        ("HTTP/1.1 200 OK\r\na:b:c\r\na: d\r\n\r\n", 200, false, &[("a", "b:c"), ("a", "d")]),
        (
            "HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~9Zz: \"(),/:;<=>?@[\\]{}\r\n\r\n",
            200,
            false,
            &[("!#$%&'*+-.^_`|~9Zz", "\"(),/:;<=>?@[\\]{}")],
        ),
    ] {
        let (found_status, found_http10, found, length) =
            read_all(text.as_bytes()).unwrap().unwrap();
        let found: Vec<_> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((found_status, found_http10), (status, is_http10), "{text:?}");
        assert_eq!((&*found, length), (fields, text.len()), "{text:?}");
        let more = format!("{text}HTTP/1.1 200 OK\r\nx: y\r\n\r\n");
        assert_eq!(read_all(more.as_bytes()).unwrap().unwrap().3, text.len(), "{text:?}");
        for end in 0..text.len() {
            assert_eq!(read_all(&text.as_bytes()[..end]), Ok(None), "{:?}", &text[..end]);
        }
    }
}

#[test]
fn bytes_above_ascii_are_allowed_in_values() {
    let text = b"HTTP/1.1 200 X\xffZ\r\na: \x80\xff\r\n\r\n";
    assert_eq!(read_all(text).unwrap().unwrap().2, [("a".to_owned(), "\u{80}\u{ff}".to_owned())]);
}

#[test]
fn invalid_heads_are_refused_however_they_are_split() {
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
    for (text, wrong) in [
        ("HTP/1.1 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("http/1.1 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "does not start with"),
        ("ICY 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("\u{15}\u{3}\u{1}".to_owned(), "does not start with"),
        (" HTTP/1.1 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("HTTP/01.1 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("HTTP/11.1 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("HTTP/2 200\r\n\r\n".to_owned(), "does not start with"),
        ("HTTP/5.6 200 OK\r\n\r\n".to_owned(), "does not start with"),
        ("HTTP/1.2 200 OK\r\n\r\n".to_owned(), "neither HTTP/1.1 nor HTTP/1.0"),
        ("HTTP/1.01 200 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1\t200 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1  200 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1 2 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1 099 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1 -20 OK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1 200\tOK\r\n\r\n".to_owned(), "three digits"),
        ("HTTP/1.1 200 \0\r\n\r\n".to_owned(), "NUL"),
        ("HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n".to_owned(), "bare carriage return"),
        ("HTTP/1.1 200 OK\r\r\n\r\n".to_owned(), "bare carriage return"),
        ("\rHTTP/1.1 200 OK\r\n\r\n".to_owned(), "bare carriage return"),
        (head("Foo: 1\rBar: 2"), "bare carriage return"),
        (head("Foo: 1\r\r"), "bare carriage return"),
        (head("a: b\r\n\rc: d"), "bare carriage return"),
        (head(" Host: foo"), "line folding"),
        (head("a: b\r\n c"), "line folding"),
        (head("a: b\r\n\tc"), "line folding"),
        (head("a : b"), "ends with a space"),
        (head("a\t: b"), "ends with a space"),
        (head("a b: c"), "ends with a space"),
        (head(": b"), "no name"),
        (head("a"), "no colon"),
        (head("a\nb: c"), "no colon"),
        (head("a(: b"), "invalid character"),
        (head("\u{e9}: b"), "invalid character"),
        (head("a\0: b"), "invalid character"),
        (head("a: \0"), "NUL"),
        (head("a: b\u{1}"), "control character"),
        (head("a: b\u{7f}"), "control character"),
        (format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(1000)), "longer than 1000 bytes"),
    ] {
        match read_all(text.as_bytes()) {
            Err(Invalid::Syntax(found)) => assert!(found.contains(wrong), "{text:?}: {found}"),
            found => panic!("{text:?}: {found:?}"),
        }
    }
}

#[test]
fn a_head_may_have_exactly_the_limit() {
    let text = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
    for size in 1..text.len() + 20 {
        for more in [&b""[..], b"x", b"HTTP/1.1 200 OK\r\n\r\n"] {
            let text = [&text[..], more].concat();
            assert!(read(&text, size, 25).unwrap().is_some());
            assert_eq!(read(&text, size, 24), Err(Invalid::TooLarge(24)), "{size}");
        }
    }
    // It may be that the rest is short.
    assert_eq!(read(&text[..24], 1, 24), Ok(None));
}

#[test]
fn what_is_wrong_behind_the_limit_is_not_looked_at() {
    for size in [1, 5, 100] {
        let text = b"HTTP/1.1 200 OK\r\na: bbbbb\0\r\n\r\n";
        assert_eq!(read(text, size, 20), Err(Invalid::TooLarge(20)), "{size}");
    }
}

#[test]
fn a_head_may_have_128_fields() {
    for (count, fits) in [(128, true), (129, false), (300, false)] {
        let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        let outcome = read_all(text.as_bytes());
        match fits {
            true => assert_eq!(outcome.unwrap().unwrap().2.len(), count),
            false => assert_eq!(outcome, Err(Invalid::TooManyFields)),
        }
    }
}

#[test]
fn a_reader_reads_one_head_after_another() {
    let mut reader = HeadReader::new(LIMIT);
    let first = reader.read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200").unwrap().unwrap();
    assert_eq!((first.status, first.length), (100, 25));
    assert_eq!(reader.read(b"HTTP/1.1 200"), Ok(None));
    assert_eq!(reader.read(b"HTTP/1.1 200\r\n\r\n").unwrap().unwrap().status, 200);
}
