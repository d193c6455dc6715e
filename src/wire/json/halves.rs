//! Joins characters that a stream splits across two events.
//!
//! JSON escapes a character beyond U+FFFF as a surrogate pair, two escapes (RFC 8259 section 7).
//! Servers that split text by tokens can send the two halves in different events: `"Go \ud83d"`,
//! `"\ude80!"`. A half is not valid text, so each becomes a mark, a private use character. When the
//! texts are joined, two marks become one character.

use std::borrow::Cow;

/// The mark for U+D800. The marks for the other surrogates follow it.
const FIRST_MARK: u32 = 0x0010_f800;
const FIRST_HIGH: u32 = 0xd800;
const FIRST_LOW: u32 = 0xdc00;
const LAST_LOW: u32 = 0xdfff;

/// Replaces a half whose other half never arrives.
const LOST: char = '\u{fffd}';

/// Returns the mark for a surrogate.
pub(in crate::wire) fn mark(surrogate: u16) -> char {
    let mark = u32::from(surrogate).checked_sub(FIRST_HIGH).map(|offset| FIRST_MARK + offset);
    mark.and_then(char::from_u32).unwrap_or(LOST)
}

/// Returns true if a text has a character that looks like a mark.
pub(in crate::wire) fn is_ambiguous(text: &str) -> bool {
    text.chars().any(|character| u32::from(character) >= FIRST_MARK)
}

fn surrogate(character: char) -> Option<u32> {
    u32::from(character).checked_sub(FIRST_MARK).map(|offset| FIRST_HIGH + offset)
}

/// Holds the first half of a character that the last text ended with.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::wire) struct Halves {
    high: Option<u32>,
}

impl Halves {
    /// Returns the next piece of a text. It gets the half left over from the piece before, and a
    /// half at its own end is held back. `marked` is true if the piece can have marks.
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

    /// Returns the replacement for a half that is still held back at the end.
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
    fn matching_halves_become_one_character_and_others_are_replaced() {
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
            // These are not marks if nothing was marked.
            (vec![("\u{10f83d}", false)], "\u{10f83d}"),
        ] {
            assert_eq!(joined(&pieces), expected, "{pieces:?}");
        }
        assert_eq!(mark(0x0041), LOST);
        assert!(is_ambiguous("a\u{10ffff}") && !is_ambiguous("🚀\u{10f7ff}"));
    }
}
