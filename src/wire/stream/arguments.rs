//! The arguments of a streamed tool call so far.

use std::borrow::Cow;

/// Some gateways in front of Anthropic send this before the real pieces: the `input` of its every
/// `content_block_start` (BerriAI/litellm #4537, openai/openai-agents-js #712).
const PLACEHOLDER: &str = "{}";

/// JSON text that arrives in pieces.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Arguments {
    text: String,
    scan: Scan,
    /// How many bytes of the text events have already shown.
    sent: usize,
}

/// How complete the arguments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum State {
    /// Only white space so far.
    Empty,
    /// `{}`: either no arguments, or a placeholder before the real ones.
    Placeholder,
    Partial,
    /// A complete object or array, which cannot continue.
    Complete,
}

impl Arguments {
    pub(in crate::wire) fn as_str(&self) -> &str {
        &self.text
    }

    pub(in crate::wire) fn into_text(self) -> String {
        self.text
    }

    pub(in crate::wire) fn state(&self) -> State {
        if !self.scan.begun {
            return if self.text.trim().is_empty() { State::Empty } else { State::Partial };
        }
        match self.scan.complete {
            true if self.is_replaceable() => State::Placeholder,
            true => State::Complete,
            false => State::Partial,
        }
    }

    /// Returns true if a piece can still replace all of them: they are blank or `{}`, and no event
    /// has shown them.
    fn is_replaceable(&self) -> bool {
        let text = &self.text;
        self.sent == 0 && text.len() <= 16 && matches!(text.trim(), "" | PLACEHOLDER)
    }

    /// Adds a piece.
    pub(in crate::wire) fn push(&mut self, piece: Cow<'_, str>) {
        let mut piece = piece;
        if !piece.trim().is_empty() && self.state() == State::Placeholder {
            *self = Self::default();
        }
        if self.state() == State::Empty {
            if let Cow::Owned(real) = without_placeholder(&piece) {
                piece = real.into();
            }
        }
        self.scan.push(&piece);
        self.text.push_str(&piece);
    }

    /// Returns the text for the next event: everything since the last one, or `None` while a later
    /// piece may replace it.
    pub(in crate::wire) fn next_delta(&mut self) -> Option<String> {
        if self.is_replaceable() { None } else { self.last_delta() }
    }

    /// Returns the text that no event has shown, after the last piece.
    pub(in crate::wire) fn last_delta(&mut self) -> Option<String> {
        let delta = self.text.get(self.sent..).filter(|delta| !delta.is_empty())?.to_owned();
        self.sent = self.text.len();
        Some(delta)
    }
}

/// Strips a placeholder before the real arguments. Owned if there was one.
pub(in crate::wire) fn without_placeholder(arguments: &str) -> Cow<'_, str> {
    let real = arguments.trim_start().strip_prefix(PLACEHOLDER).map(str::trim_start);
    match real.filter(|real| real.starts_with('{')) {
        Some(real) => Cow::Owned(without_placeholder(real).into_owned()),
        None => Cow::Borrowed(arguments),
    }
}

/// Returns true if a text is a complete object or array.
pub(in crate::wire) fn is_complete(arguments: &str) -> bool {
    let mut scan = Scan::default();
    scan.push(arguments);
    scan.complete
}

/// A scanner that tracks brackets and quotes to find the end of a JSON text.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    depth: u32,
    begun: bool,
    in_string: bool,
    escaped: bool,
    complete: bool,
}

impl Scan {
    fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.complete = self.begun && self.depth == 0 && !self.in_string;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(pieces: &[&str]) -> (String, String, State) {
        let mut arguments = Arguments::default();
        let mut deltas = String::new();
        for piece in pieces {
            arguments.push(Cow::Borrowed(piece));
            deltas.extend(arguments.next_delta());
        }
        let state = arguments.state();
        deltas.extend(arguments.last_delta());
        (deltas, arguments.into_text(), state)
    }

    #[test]
    fn brackets_and_quotes_show_when_arguments_are_complete() {
        for (pieces, state) in [
            (&[][..], State::Empty),
            (&["", " \n"], State::Empty),
            (&["{}"], State::Placeholder),
            (&[" {}\n"], State::Placeholder),
            (&["{"], State::Partial),
            (&["{\"a\""], State::Partial),
            (&["{\"a\": \"}"], State::Partial),
            (&["{\"a\": \"\\\"}", "\"}"], State::Complete),
            (&["{\"a\": {\"b\": [1, {}]}}"], State::Complete),
            (&["{\"a\": 1", "}"], State::Complete),
            (&["[1]"], State::Complete),
            (&["nonsense"], State::Partial),
        ] {
            let (_, text, found) = pushed(pieces);
            assert_eq!(found, state, "{pieces:?}");
            assert_eq!(text, pieces.concat());
        }
    }

    #[test]
    fn a_placeholder_is_dropped_when_the_real_arguments_arrive() {
        for (pieces, expected) in [
            (&["{}", "{\"a\"", ": 1}"][..], "{\"a\": 1}"),
            (&["", "{}", "", "{\"a\": 1}"], "{\"a\": 1}"),
            (&[" ", "{}", "{\"a\": 1}"], "{\"a\": 1}"),
            (&["{}{\"a\": 1}"], "{\"a\": 1}"),
            (&["{}{}{\"a\":", " 1}"], "{\"a\": 1}"),
            (&["{}", "{}"], "{}"),
            (&["{}"], "{}"),
            (&["{", "}"], "{}"),
            (&["{", "", "}\n"], "{}\n"),
            (&["{}", "\n"], "{}\n"),
            (&["{\"a\": {}}"], "{\"a\": {}}"),
            (&["{\"a\": ", "{}", "}"], "{\"a\": {}}"),
        ] {
            let (deltas, text, _) = pushed(pieces);
            assert_eq!((deltas.as_str(), text.as_str()), (expected, expected), "{pieces:?}");
        }
    }
}
