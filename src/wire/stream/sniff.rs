//! Tells from its first bytes whether a body is a stream.

use crate::wire::framing::Framing;

/// What the first bytes of a body show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// Nothing yet. `brace` if one of them is an opening brace.
    Unknown { brace: bool },
    /// A stream with this framing, which need not be the expected one.
    Stream(Framing),
    /// Not a stream: JSON or HTML, after as many bytes to `skip`.
    Whole { skip: usize },
}

/// Says what the next bytes of a body show, if earlier ones showed nothing. `brace` if an opening
/// brace was the last of them.
///
/// A binary frame starts with a control character. No line of an event stream starts like JSON or
/// HTML. In a stream of lines each is an object,
/// and only an object that is not part of a stream has its brace on a line of its own.
pub(super) fn sniff(expected: Framing, brace: bool, bytes: &[u8]) -> Sniffed {
    if brace {
        return after_brace(bytes);
    }
    // Any body can start with a byte order mark.
    let first = bytes.iter().position(|byte| !b" \t\r\n\xef\xbb\xbf".contains(byte));
    let Some(skip) = first else { return Sniffed::Unknown { brace: false } };
    match (bytes[skip], expected) {
        // The length of a frame, which no text starts like.
        (..b' ', Framing::Binary) => Sniffed::Stream(Framing::Binary),
        (b'{', Framing::Lines) => match after_brace(&bytes[skip + 1..]) {
            Sniffed::Whole { .. } => Sniffed::Whole { skip },
            other => other,
        },
        (b'{' | b'[' | b'<', _) => Sniffed::Whole { skip },
        _ => Sniffed::Stream(Framing::Events),
    }
}

fn after_brace(bytes: &[u8]) -> Sniffed {
    match bytes.iter().find(|byte| !b" \t".contains(byte)) {
        None => Sniffed::Unknown { brace: true },
        Some(b'\r' | b'\n') => Sniffed::Whole { skip: 0 },
        Some(_) => Sniffed::Stream(Framing::Lines),
    }
}

/// Returns true if a body starts like an event stream, with a comment or a known field (HTML
/// Standard section 9.2.6). `None` if that is not clear yet.
pub(in crate::wire) fn looks_like_events(start: &[u8]) -> Option<bool> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let end = start.iter().position(|byte| b"\r\n:".contains(byte));
    let name = &start[..end.unwrap_or(start.len())];
    match end {
        Some(_) => Some(name.is_empty() || FIELDS.contains(&name)),
        None if FIELDS.iter().any(|field| field.starts_with(name)) => None,
        None => Some(false),
    }
}

const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_show_what_a_body_is() {
        use Framing::{Events, Lines};
        let whole = |skip| Sniffed::Whole { skip };
        let unknown = |brace| Sniffed::Unknown { brace };
        for (bytes, for_events, for_lines) in [
            (&b""[..], unknown(false), unknown(false)),
            (b"\xef\xbb\xbf \r\n", unknown(false), unknown(false)),
            (b"data: {}", Sniffed::Stream(Events), Sniffed::Stream(Events)),
            (b"\n: comment", Sniffed::Stream(Events), Sniffed::Stream(Events)),
            (b"\n<html>", whole(1), whole(1)),
            (b"[1]", whole(0), whole(0)),
            (b" {\"a\": 1}", whole(1), Sniffed::Stream(Lines)),
            (b"{}\n", whole(0), Sniffed::Stream(Lines)),
            (b" {", whole(1), unknown(true)),
            (b"{ \t", whole(0), unknown(true)),
            (b" {\n  \"a\": 1}", whole(1), whole(1)),
            (b"{\r\n}", whole(0), whole(0)),
        ] {
            assert_eq!(sniff(Events, false, bytes), for_events, "{bytes:?}");
            assert_eq!(sniff(Lines, false, bytes), for_lines, "{bytes:?}");
            assert_eq!(sniff(Framing::Binary, false, bytes), for_events, "{bytes:?}");
        }
        let frame = b"\0\0\0\x10";
        assert_eq!(sniff(Framing::Binary, false, frame), Sniffed::Stream(Framing::Binary));
    }

    #[test]
    fn what_follows_a_lone_brace_shows_it_in_the_next_piece() {
        for (bytes, shown) in [
            (&b""[..], Sniffed::Unknown { brace: true }),
            (b" ", Sniffed::Unknown { brace: true }),
            (b"\"a\"", Sniffed::Stream(Framing::Lines)),
            (b"}", Sniffed::Stream(Framing::Lines)),
            (b"\r", Sniffed::Whole { skip: 0 }),
            (b" \n", Sniffed::Whole { skip: 0 }),
        ] {
            assert_eq!(sniff(Framing::Lines, true, bytes), shown, "{bytes:?}");
        }
    }
}
