//! Replaces invisible characters that could manipulate what people read.

use crate::scan::plain_blocks;

/// Returns true for an invisible character that affects the text around it: control characters,
/// which steer a terminal (C0, DEL and C1; ECMA-48); line separators; characters that reverse the
/// text direction (UAX #9: embeddings, overrides and isolates) or have no width. Joiners that
/// scripts need and direction marks are not included.
pub(crate) fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Replaces every [invisible](is_unseen) character in a text from outside with a space, except
/// newlines and tabs.
pub(crate) fn text(text: &mut String) {
    replace(text, |char| is_unseen(char) && char != '\n' && char != '\t');
}

/// Replaces every [invisible](is_unseen) character in a one-line text from outside with a space.
pub(crate) fn word(word: &mut String) {
    replace(word, is_unseen);
}

fn replace(text: &mut String, is_replaced: impl Fn(char) -> bool) {
    let is_odd = |byte: u8| !matches!(byte, b' '..=b'~');
    let rest = &text.as_bytes()[plain_blocks::<8>(text.as_bytes(), is_odd)..];
    if rest.iter().any(|byte| is_odd(*byte)) && text.contains(&is_replaced) {
        *text = text.replace(is_replaced, " ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display;

    #[test]
    fn control_and_invisible_characters_become_spaces() {
        let acts = [
            "\0\u{7}\u{8}\r\u{b}\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9d}\u{9f}",
            "\u{ad}\u{180e}\u{200b}\u{2028}\u{2029}\u{feff}\u{fff9}\u{fffb}\u{e0001}\u{e007f}",
            "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\u{206f}",
        ];
        for (given, expected, in_one_line) in [
            ("plain", "plain", "plain"),
            ("\u{1b}[31mred\u{1b}]0;title\u{7}", " [31mred ]0;title ", " [31mred ]0;title "),
            ("one\n\ttwo\r\n", "one\n\ttwo \n", "one  two  "),
            (
                "Zoë, 東京, हिन्दी, می\u{200c}خواهم, 👩\u{200d}🚀",
                "Zoë, 東京, हिन्दी, می\u{200c}خواهم, 👩\u{200d}🚀",
                "Zoë, 東京, हिन्दी, می\u{200c}خواهم, 👩\u{200d}🚀",
            ),
            ("", "", ""),
        ] {
            let (mut long, mut short) = (given.to_owned(), given.to_owned());
            text(&mut long);
            word(&mut short);
            assert_eq!((&*long, &*short), (expected, in_one_line));
        }
        for char in acts.iter().flat_map(|acts| acts.chars()) {
            let mut given = format!("a{char}b");
            text(&mut given);
            assert_eq!(given, "a b", "{char:?}");
            assert!(!display::name(&format!("a{char}")).contains(char), "display::name keeps it");
        }
    }
}
