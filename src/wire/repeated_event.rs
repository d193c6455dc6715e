//! Recognises stream events that differ from the previous one only in the model's text.

use std::borrow::Cow;
use std::ops::Range;

/// The longest data to keep; most events are a tenth of it.
const LONGEST: usize = 4 * 1024;

/// The JSON data of an event, and the positions in it of the string that the model wrote and,
/// optionally, of one other string that nobody reads.
///
/// Most events of a stream differ only in these strings. Identical surrounding text has the same
/// meaning, so such an event needs no parsing, which takes most of a stream's time.
#[derive(Clone, Default)]
pub(in crate::wire) struct Template {
    /// Empty if there is no template.
    data: String,
    /// The model's string, without the quotes.
    written: Range<usize>,
    /// The string that nobody reads, if any; after the other.
    unread: Option<Range<usize>>,
}

impl Template {
    /// Keeps the data of an event; `written` and `unread` are slices of it.
    pub(in crate::wire) fn keep(&mut self, data: &str, written: &str, unread: &str) {
        self.forget();
        let Some(written) = place(data, written).filter(|_| data.len() <= LONGEST) else { return };
        self.unread = place(data, unread).filter(|unread| written.end < unread.start);
        self.written = written;
        self.data.push_str(data);
    }

    pub(in crate::wire) fn forget(&mut self) {
        self.data.clear();
    }

    /// Returns what the model wrote in `data`; `None` if anything else differs from the template.
    pub(in crate::wire) fn written_in<'a>(&self, data: &'a str) -> Option<Cow<'a, str>> {
        if self.data.is_empty() {
            return None;
        }
        let rest = data.strip_prefix(&self.data[..self.written.start])?;
        let (written, mut rest) = string(rest)?;
        let mut behind = self.written.end;
        if let Some(unread) = &self.unread {
            rest = string(rest.strip_prefix(&self.data[behind..unread.start])?)?.1;
            behind = unread.end;
        }
        (*rest == self.data[behind..]).then_some(written)
    }
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
