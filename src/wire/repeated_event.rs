//! Recognises stream events that differ from the previous one only in the model's text, and perhaps
//! in counts.

use std::borrow::Cow;
use std::ops::Range;

/// The longest data to keep; most events are a tenth of it.
const LONGEST: usize = 4 * 1024;

/// The most members with counts that a template has.
pub(in crate::wire) const MAX_COUNTS: usize = 8;

/// The counts of an event, by the position of their names in the list given to
/// [`Template::keep_with_counts`].
pub(in crate::wire) type Counts = [Option<u64>; MAX_COUNTS];

/// The JSON data of an event, and the positions in it of what differs from event to event: the
/// string that the model wrote and, optionally, one other string that nobody reads, or counts.
///
/// Most events of a stream differ only in these. Identical surrounding text has the same meaning,
/// so such an event needs no parsing, which takes most of a stream's time.
#[derive(Clone, Default)]
pub(in crate::wire) struct Template {
    /// Empty if there is no template.
    data: String,
    /// In their order in the data.
    holes: Vec<Hole>,
}

/// A part of the data that can differ.
#[derive(Clone)]
struct Hole {
    /// A string is without its quotes.
    place: Range<usize>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The string that the model wrote.
    Written,
    /// A string that nobody reads.
    Unread,
    /// A whole number, with the position of its name.
    Count(usize),
}

impl Template {
    /// Keeps the data of an event; `written` and `unread` are slices of it.
    pub(in crate::wire) fn keep(&mut self, data: &str, written: &str, unread: &str) {
        self.forget();
        let Some(written) = place(data, written).filter(|_| data.len() <= LONGEST) else { return };
        let unread = place(data, unread).map(|place| Hole { place, kind: Kind::Unread });
        self.set(data, written, unread);
    }

    /// Keeps the data of an event with counts in members of these `names`; `written` is a slice of
    /// it. A count whose name is not there exactly once stays part of the template.
    pub(in crate::wire) fn keep_with_counts(&mut self, data: &str, written: &str, names: &[&str]) {
        self.forget();
        let Some(written) = place(data, written).filter(|_| data.len() <= LONGEST) else { return };
        let counts = names.iter().take(MAX_COUNTS).enumerate();
        let counts = counts.filter_map(|(index, name)| {
            Some(Hole { place: count_place(data, name)?, kind: Kind::Count(index) })
        });
        let counts: Vec<_> = counts.collect();
        self.set(data, written, counts);
    }

    fn set(&mut self, data: &str, written: Range<usize>, others: impl IntoIterator<Item = Hole>) {
        self.holes.clear();
        let apart =
            |other: &Hole| other.place.end < written.start || written.end < other.place.start;
        self.holes.extend(others.into_iter().filter(apart));
        self.holes.push(Hole { place: written, kind: Kind::Written });
        self.holes.sort_unstable_by_key(|hole| hole.place.start);
        self.data.push_str(data);
    }

    pub(in crate::wire) fn forget(&mut self) {
        self.data.clear();
    }

    /// Returns what the model wrote in `data`; `None` if anything else differs from the template.
    pub(in crate::wire) fn written_in<'a>(&self, data: &'a str) -> Option<Cow<'a, str>> {
        self.written_with_counts(data, &mut Counts::default())
    }

    /// Like [`written_in`](Self::written_in), and writes the `counts`.
    pub(in crate::wire) fn written_with_counts<'a>(
        &self,
        data: &'a str,
        counts: &mut Counts,
    ) -> Option<Cow<'a, str>> {
        if self.data.is_empty() {
            return None;
        }
        let (mut rest, mut at, mut written) = (data, 0, None);
        for Hole { place, kind } in &self.holes {
            rest = rest.strip_prefix(&self.data[at..place.start])?;
            at = place.end;
            rest = match *kind {
                Kind::Written => {
                    let (text, rest) = string(rest)?;
                    written = Some(text);
                    rest
                }
                Kind::Unread => string(rest)?.1,
                Kind::Count(index) => {
                    let (count, rest) = count(rest)?;
                    counts[index] = Some(count);
                    rest
                }
            };
        }
        written.filter(|_| *rest == self.data[at..])
    }
}

/// Returns the position of a count: the only member with this name anywhere in `data`.
///
/// Quotes within a string are escaped, so no string holds the name in quotes.
fn count_place(data: &str, name: &str) -> Option<Range<usize>> {
    let quoted = format!("\"{name}\"");
    let mut places = data.match_indices(&quoted).map(|(at, quoted)| at + quoted.len());
    let (Some(end), None) = (places.next(), places.next()) else { return None };
    let value = data[end..].trim_start().strip_prefix(':')?.trim_start();
    let (_, rest) = count(value)?;
    Some(data.len() - value.len()..data.len() - rest.len())
}

/// Parses a whole number that JSON represents exactly. Returns it and the text after it.
fn count(text: &str) -> Option<(u64, &str)> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let digits = text.bytes().take(16).take_while(is_digit).count();
    let (number, rest) = text.split_at(digits);
    let ends = !matches!(rest.bytes().next(), Some(b'0'..=b'9' | b'.' | b'e' | b'E') | None);
    let is_exact = (digits > 0 && digits < 16) && (digits == 1 || !number.starts_with('0'));
    let number = number.bytes().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (ends && is_exact).then_some((number, rest))
}

/// Returns the position of a string that was borrowed from `data`.
fn place(data: &str, string: &str) -> Option<Range<usize>> {
    let start = string.as_ptr().addr().checked_sub(data.as_ptr().addr())?;
    let place = start..start.checked_add(string.len())?;
    let quoted = data.get(start.checked_sub(1)?..=place.end)?;
    (quoted.starts_with('"') && quoted.ends_with('"')).then_some(place)
}

/// Parses a JSON string that starts after its opening quote. Returns it and the text after its
/// closing quote.
fn string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let bytes = text.as_bytes();
    let (mut end, mut escapes) = (0, false);
    loop {
        match bytes.get(end)? {
            b'"' => break,
            b'\\' => {
                escapes = true;
                end += 2;
            }
            0..=0x1f => return None,
            _ => end += 1,
        }
    }
    let (string, rest) = text.split_at(end);
    if escapes {
        let string = serde_json::from_str(&["\"", string, "\""].concat()).ok()?;
        return Some((Cow::Owned(string), rest));
    }
    Some((Cow::Borrowed(string), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn template() -> Template {
        let data = r#"{"a": "b", "text": "one", "c": [7], "o": "xyz"}"#;
        let mut template = Template::default();
        template.keep(data, &data[20..23], &data[42..45]);
        template
    }

    #[test]
    fn an_event_that_differs_only_in_its_strings_is_recognised() {
        for (data, expected) in [
            (r#"{"a": "b", "text": "one", "c": [7], "o": "xyz"}"#, Some("one")),
            (r#"{"a": "b", "text": "", "c": [7], "o": ""}"#, Some("")),
            (r#"{"a": "b", "text": "zwölf\n\u00e9\"", "c": [7], "o": "\\"}"#, Some("zwölf\né\"")),
            (r#"{"a": "b", "text": "one", "c": [8], "o": "xyz"}"#, None),
            (r#"{"a": "x", "text": "one", "c": [7], "o": "xyz"}"#, None),
            (r#"{"a": "b", "text": "one", "c": [7], "o": "xyz"} "#, None),
            (r#"{"a": "b", "text": "one", "c": [7], "o": "xyz""#, None),
            (r#"{"a": "b", "text": null, "c": [7], "o": "xyz"}"#, None),
            (r#"{"a": "b", "text": "one", "c": [7], "o": "\x"}"#, None),
            (r#"{"a": "b", "text": "\ud83d", "c": [7], "o": "xyz"}"#, None),
            (r#"{"a": "b", "text": "one\"#, None),
            ("{\"a\": \"b\", \"text\": \"one\ntwo\", \"c\": [7], \"o\": \"xyz\"}", None),
            (r#"{"a": "b", "text": "one"#, None),
            ("", None),
        ] {
            assert_eq!(template().written_in(data).as_deref(), expected, "{data}");
        }
    }

    #[test]
    fn an_unread_string_can_come_first() {
        let data = r#"{"o": "xyz", "text": "one"}"#;
        let mut template = Template::default();
        template.keep(data, &data[22..25], &data[7..10]);
        for (data, expected) in [
            (r#"{"o": "a", "text": "two"}"#, Some("two")),
            (r#"{"o": 1, "text": "two"}"#, None),
            (r#"{"p": "xyz", "text": "two"}"#, None),
        ] {
            assert_eq!(template.written_in(data).as_deref(), expected, "{data}");
        }
    }

    #[test]
    fn counts_can_differ() {
        let data =
            r#"{"t": "one \"n\"", "u": {"n": 1, "m":22 , "f": 1.5, "twice": 1}, "twice": 1}"#;
        let start = data.find("one").unwrap();
        let end = data.find("\", \"u").unwrap();
        let mut template = Template::default();
        template.keep_with_counts(data, &data[start..end], &["n", "m", "f", "twice", "none"]);
        for (data, expected) in [
            (data.replace(": 1,", ": 20,"), Some((Some(20), Some(22)))),
            (data.replace("22", "0"), Some((Some(1), Some(0)))),
            (data.replace("22", "05"), None),
            (data.replace("22", "2.5"), None),
            (data.replace("22", "1234567890123456"), None),
            (data.replace("22", "-1"), None),
            (data.replace("22", "\"2\""), None),
            (data.replace("1.5", "2.5"), None),
            (data.replace("\"twice\": 1},", "\"twice\": 2},"), None),
            (data.replace("\"twice\": 1", "\"twice\": 2"), None),
        ] {
            let mut counts = Counts::default();
            let written = template.written_with_counts(&data, &mut counts);
            let found = written.map(|text| {
                assert_eq!(text, "one \"n\"");
                (counts[0], counts[1])
            });
            assert_eq!(found, expected, "{data}");
            assert_eq!(counts[2..], [None; 6]);
        }
    }

    #[test]
    fn no_event_matches_without_a_template() {
        let mut template = template();
        let data = r#"{"text": "one"}"#;
        for (written, unread) in [("one", ""), (&data[9..12], ""), ("", "")] {
            template.keep(data, written, unread);
            assert_eq!(template.written_in(data), None);
        }
        template.keep(data, &data[10..13], "elsewhere");
        assert_eq!(template.written_in(data).as_deref(), Some("one"));
        template.forget();
        assert_eq!(template.written_in(data), None);
        let long = json!({"text": "one", "rest": "x".repeat(LONGEST)}).to_string();
        let at = long.find("one").unwrap();
        template.keep(&long, &long[at..at + 3], "");
        assert_eq!(template.written_in(&long), None);
    }

    #[test]
    fn the_template_agrees_with_the_parser() {
        let mut random = fastrand::Rng::with_seed(7);
        let template = template();
        let pieces = ["one", "\\n", "\\", "\"", "é", "\\u00e9", "\\u12", "\u{1}", "{", ", ", ":"];
        for _ in 0..20_000 {
            let mut text = || {
                let pieces = (0..random.usize(..4)).map(|_| *random.choice(pieces.iter()).unwrap());
                pieces.collect::<String>()
            };
            let data =
                format!(r#"{{"a": "b", "text": "{}", "c": [7], "o": "{}"}}"#, text(), text());
            let parsed = serde_json::from_str::<Value>(&data);
            // The result equals the parser's, and nothing else in the event is new.
            if let Some(written) = template.written_in(&data) {
                let parsed = parsed.expect(&data);
                assert_eq!(parsed["text"], *written, "{data}");
                assert_eq!(parsed.as_object().unwrap().len(), 4, "{data}");
            }
        }
    }
}
