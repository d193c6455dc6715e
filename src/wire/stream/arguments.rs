//! The arguments of a streamed tool call, as far as they have come.

use std::borrow::Cow;

/// What some gateways in front of Anthropic send before the real pieces: the `input` that its
/// `content_block_start` always has (BerriAI/litellm #4537, openai/openai-agents-js #712).
const PLACEHOLDER: &str = "{}";

/// JSON text that comes in pieces.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Arguments {
    text: String,
    scan: Scan,
}

/// How far arguments have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum State {
    /// Nothing but blanks came.
    Empty,
    /// They are `{}`: no arguments, or a placeholder that the real ones follow.
    Placeholder,
    Partial,
    /// They are a complete object or array, and cannot go on.
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
            true if self.is_held() => State::Placeholder,
            true => State::Complete,
            false => State::Partial,
        }
    }

    /// Whether they are to be told at the end only: `{}` may be a placeholder.
    pub(in crate::wire) fn is_held(&self) -> bool {
        self.text.len() <= 16 && self.text.trim() == PLACEHOLDER
    }

    /// Adds a piece, and returns what is new of it; nothing while they are held.
    pub(in crate::wire) fn push<'a>(&mut self, piece: Cow<'a, str>) -> Cow<'a, str> {
        let mut piece = piece;
        if !piece.trim().is_empty() && self.is_held() {
            *self = Self::default();
        }
        if self.state() == State::Empty {
            if let Cow::Owned(real) = without_placeholder(&piece) {
                piece = real.into();
            }
        }
        self.scan.push(&piece);
        self.text.push_str(&piece);
        if self.is_held() { Cow::Borrowed("") } else { piece }
    }
}

/// Arguments without a placeholder in front of the real ones. Owned if there was one.
pub(in crate::wire) fn without_placeholder(arguments: &str) -> Cow<'_, str> {
    let real = arguments.trim_start().strip_prefix(PLACEHOLDER).map(str::trim_start);
    match real.filter(|real| real.starts_with('{')) {
        Some(real) => Cow::Owned(without_placeholder(real).into_owned()),
        None => Cow::Borrowed(arguments),
    }
}

/// Whether a text is a complete object or array.
pub(in crate::wire) fn is_complete(arguments: &str) -> bool {
    let mut scan = Scan::default();
    scan.push(arguments);
    scan.complete
}

/// Where in a JSON text its pieces have come to, as far as brackets and quotes tell.
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
        let told = pieces.iter().map(|piece| arguments.push(Cow::Borrowed(piece))).collect();
        let state = arguments.state();
        (told, arguments.into_text(), state)
    }

    #[test]
    fn brackets_and_quotes_tell_how_far_they_have_come() {
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
    fn a_placeholder_is_dropped_once_the_real_arguments_come() {
        for (pieces, told, kept) in [
            (&["{}", "{\"a\"", ": 1}"][..], "{\"a\": 1}", "{\"a\": 1}"),
            (&["", "{}", "", "{\"a\": 1}"], "{\"a\": 1}", "{\"a\": 1}"),
            (&["{}{\"a\": 1}"], "{\"a\": 1}", "{\"a\": 1}"),
            (&["{}{}{\"a\":", " 1}"], "{\"a\": 1}", "{\"a\": 1}"),
            (&["{}", "{}"], "", "{}"),
            (&["{}"], "", "{}"),
            (&["{}", "\n"], "", "{}\n"),
            (&["{\"a\": {}}"], "{\"a\": {}}", "{\"a\": {}}"),
            (&["{\"a\": ", "{}", "}"], "{\"a\": {}}", "{\"a\": {}}"),
        ] {
            let (all, text, _) = pushed(pieces);
            assert_eq!((all.as_str(), text.as_str()), (told, kept), "{pieces:?}");
        }
    }
}
