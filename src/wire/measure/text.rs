//! Bounds the tokens of a text.

/// Returns the most tokens that `text` can have: its bytes, plus those that normalisation can add.
///
/// Every token of a byte-level tokenizer stands for at least one byte. Some tokenizers first
/// convert the text to NFKC: the one of Claude 2, the only one that Anthropic has published
/// (`@anthropic-ai/tokenizer`, `text.normalize('NFKC')`), and SentencePiece models by default (its
/// `doc/normalization.md`, `nmt_nfkc`). That can lengthen a text. The extreme is U+FDFA, whose
/// three bytes become 33 (UAX #15, table "Maximum Expansion Factors").
pub(in crate::wire) fn tokens(text: &str) -> u64 {
    let added: u64 = if text.is_ascii() { 0 } else { text.chars().map(added).sum() };
    u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(added)
}

/// Returns the most UTF-8 bytes that NFKC can add for a character, alone or next to others. A
/// combining mark can replace one that was already composed, which then stands alone.
///
/// Ranges from the Unicode Character Database 14. Blocks that are rare in running text and have
/// only a few such characters count as a whole.
fn added(character: char) -> u64 {
    match u32::from(character) {
        0..=0xa7 => 0,
        0xa8..=0xbe | 0x37a..=0x385 => 3,
        0x13f..=0x149 | 0x1c4..=0x1c6 | 0x2d8..=0x2dd => 1,
        // Combining marks; those of individual scripts are below.
        0x300..=0x36f | 0x483..=0x487 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff => 4,
        0x591..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f | 0x670 | 0x6d6..=0x6ed => 4,
        0x587 | 0x675..=0x678 => 2,
        0x711..=0x74a | 0x7eb..=0x7fd | 0x816..=0x82d | 0x859..=0x85b | 0x898..=0x8ff => 4,
        0x93c | 0x94d | 0x951..=0x95f | 0x9bc | 0x9cd | 0x9dc..=0x9df | 0x9fe => 4,
        // Marks and composition exclusions of the other Indian scripts, Thai and Lao.
        0xa33..=0xa5e | 0xabc..=0xacd | 0xb3c..=0xb5d | 0xbcd | 0xc3c..=0xc56 => 4,
        0xcbc..=0xccd | 0xd3b..=0xd4d | 0xdca | 0xe33..=0xe4b | 0xeb3..=0xecb | 0xedc..=0xedd => 4,
        0xf18..=0xfc6 => 6,
        0x1037..=0x103a | 0x108d | 0x135d..=0x135f | 0x1714..=0x1734 | 0x17d2..=0x17dd => 4,
        0x18a9..=0x1aaf | 0x1b34..=0x1cf9 => 4,
        0x1fc1..=0x1fee => 2,
        0x2033..=0x2037 | 0x222c..=0x2230 => 6,
        0x2057 | 0x2a0c => 9,
        0x2150..=0x2189 => 3,
        0x247d..=0x2487 => 1,
        0x2adc | 0x2cef..=0x2cf1 | 0x2d7f..=0x2dff | 0x302a..=0x302f => 4,
        0x3099..=0x309f | 0x30ff => 4,
        0x3200..=0x33ff => 15,
        0xa66f..=0xa69f | 0xa6f0..=0xa6f1 | 0xa806..=0xabed => 4,
        0xfa6c..=0xfacf => 1,
        0xfad0..=0xfadf => 1,
        0xfb13..=0xfdef => 4,
        0xfdf0..=0xfdff => 30,
        0xfe20..=0xfe2f => 4,
        0xfe71..=0xfefc => 1,
        // Historic scripts, musical symbols, enclosed letters.
        0x101fd..=0x11fff | 0x16af0..=0x1bc9e => 4,
        0x1cf00..=0x1d25f => 8,
        0x1e000..=0x1e94a => 4,
        0x1f12a..=0x1f248 => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_at_most_one_token_per_byte() {
        for (text, expected) in [
            ("", 0),
            ("Paris", 5),
            ("Zürich", 7),
            ("Москва", 12),
            ("東京", 6),
            ("서울", 6),
            ("🦀", 4),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_added_by_normalisation_are_counted() {
        // A character and the bytes of its NFKC form.
        for (character, normal) in [
            ('\u{fdfa}', 33),
            ('\u{fdfb}', 15),
            ('\u{3316}', 18),
            ('\u{321d}', 8),
            ('\u{bd}', 5),
            ('\u{2057}', 12),
            ('\u{222d}', 9),
            ('\u{958}', 6),
            ('\u{e33}', 6),
            ('\u{1d160}', 12),
            ('\u{1f240}', 9),
            ('\u{f77}', 9),
        ] {
            assert!(tokens(&character.to_string()) >= normal, "{character:?}");
        }
    }
}
