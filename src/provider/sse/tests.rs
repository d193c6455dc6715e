use super::*;

type Seen = (Option<String>, String, String);

fn seen(event: Event<'_>) -> Seen {
    (event.name.map(str::to_owned), event.data.to_owned(), event.id.to_owned())
}

/// The events of a stream that comes in these pieces.
fn events(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut parser = Parser::new();
    let mut all = Vec::new();
    for piece in pieces {
        push(&mut parser, piece, &mut all).unwrap();
    }
    all
}

fn push(parser: &mut Parser, bytes: &[u8], all: &mut Vec<Seen>) -> Result<(), ParseError> {
    parser.push(bytes, |event| {
        all.push(seen(event));
        Ok(())
    })
}

/// The data of the events, joined by `|`.
fn data(pieces: &[&[u8]]) -> String {
    let all: Vec<String> = events(pieces).into_iter().map(|(_, data, _)| data).collect();
    all.join("|")
}

#[test]
fn lines_end_by_cr_lf_or_crlf_wherever_the_stream_is_cut() {
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
fn an_event_is_there_as_soon_as_its_blank_line_is() {
    for (first, end) in
        [(&b"data:a\n"[..], &b"\n"[..]), (b"data:a\r", b"\r"), (b"data:a\r\n", b"\r")]
    {
        assert_eq!(data(&[first]), "");
        assert_eq!(data(&[first, end]), "a");
    }
}
