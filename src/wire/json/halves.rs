//! Characters whose halves come in two events of a stream.
//!
//! JSON writes a character beyond U+FFFF as two escapes, a surrogate pair (RFC 8259 section 7).
//! Servers that cut their text by tokens may send the halves apart: `"Go \ud83d"`, `"\ude80!"`.
//! Neither half is text, so each is read as a mark, a character of a private use area, and
//! the two marks are joined where the texts are.

use std::borrow::Cow;

/// The mark of U+D800, with those of all other surrogates behind it.
const FIRST_MARK: u32 = 0x0010_f800;
const FIRST_HIGH: u32 = 0xd800;
const FIRST_LOW: u32 = 0xdc00;
const LAST_LOW: u32 = 0xdfff;

/// What stands for a half whose other half does not come.
const LOST: char = '\u{fffd}';

/// The mark of a surrogate.
pub(in crate::wire) fn mark(surrogate: u16) -> char {
    let mark = u32::from(surrogate).checked_sub(FIRST_HIGH).map(|offset| FIRST_MARK + offset);
    mark.and_then(char::from_u32).unwrap_or(LOST)
}

/// Whether a text has a character that marks could be confused with.
pub(in crate::wire) fn is_ambiguous(text: &str) -> bool {
    text.chars().any(|character| u32::from(character) >= FIRST_MARK)
}

fn surrogate(character: char) -> Option<u32> {
    u32::from(character).checked_sub(FIRST_MARK).map(|offset| FIRST_HIGH + offset)
}

/// The first half of a character that a text ended with.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::wire) struct Halves {
    high: Option<u32>,
}

impl Halves {
    /// The next piece of a text, with a half that came before it and without one that it ends
    /// with. `marked` is whether the piece may have marks.
    pub(in crate::wire) fn join<'a>(&mut self, piece: Cow<'a, str>, marked: bool) -> Cow<'a, str> {
        if piece.is_empty() || (!marked && self.high.is_none()) {
            return piece;
        }
        let mut joined = String::with_capacity(piece.len() + 4);
        for character in piece.chars() {
            let half = if marked { surrogate(character) } else { None };
            match (self.high.take(), half) {
                (Some(high), Some(low @ FIRST_LOW..=LAST_LOW)) => {
                    let whole = 0x1_0000 + ((high - FIRST_HIGH) << 10) + (low - FIRST_LOW);
                    joined.push(char::from_u32(whole).unwrap_or(LOST));
                    continue;
                }
                (Some(_), _) => joined.push(LOST),
                (None, _) => {}
            }
            match half {
                Some(high) if high < FIRST_LOW => self.high = Some(high),
                Some(_) => joined.push(LOST),
                None => joined.push(character),
            }
        }
        joined.into()
    }

    /// What is left when no other piece comes: a half that is lost.
    pub(in crate::wire) fn end(&mut self) -> Option<&'static str> {
        self.high.take().map(|_| "\u{fffd}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[(&str, bool)]) -> String {
        let mut halves = Halves::default();
        let mut text: String = pieces
            .iter()
            .map(|(piece, marked)| halves.join(Cow::Borrowed(piece), *marked))
            .collect();
        text.push_str(halves.end().unwrap_or_default());
        text
    }

    #[test]
    fn halves_in_two_pieces_are_one_character_and_others_are_lost() {
        let (high, low) = (mark(0xd83d), mark(0xde80));
        let (go, rest) = (format!("Go {high}"), format!("{low}!"));
        for (pieces, expected) in [
            (vec![(&*go, true), (&*rest, true)], "Go 🚀!"),
            (vec![(&*go, true), ("", false), (&*rest, true)], "Go 🚀!"),
            (vec![(&*go, true), ("!", false)], "Go \u{fffd}!"),
            (vec![(&*go, true), (&*go, true), (&*rest, true)], "Go \u{fffd}Go 🚀!"),
            (vec![(&*go, true)], "Go \u{fffd}"),
            (vec![(&*rest, true)], "\u{fffd}!"),
            (vec![("a", false), ("b", true)], "ab"),
            // Not marks where nothing was marked.
            (vec![("\u{10f83d}", false)], "\u{10f83d}"),
        ] {
            assert_eq!(joined(&pieces), expected, "{pieces:?}");
        }
        assert_eq!(mark(0x0041), LOST);
        assert!(is_ambiguous("a\u{10ffff}") && !is_ambiguous("🚀\u{10f7ff}"));
    }
}
