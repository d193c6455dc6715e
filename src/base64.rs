//! Base64 (RFC 4648 section 4, standard alphabet, padded). Images and documents travel inside JSON
//! in this encoding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            if position <= chunk.len() {
                let index = (group >> (18 - 6 * position)) & 0x3f;
                out.push(char::from(ALPHABET[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Decodes the output of [`encode`]; `None` for anything else.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let digits = text.trim_end_matches('=').as_bytes();
    if text.len() - digits.len() > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in digits.chunks(4) {
        let mut group = 0u32;
        for digit in chunk {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            group = (group << 6) | u32::from(value);
        }
        let [_, bytes @ ..] = (group << (6 * (4 - chunk.len()))).to_be_bytes();
        out.extend_from_slice(&bytes[..chunk.len() - 1]);
    }
    Some(out)
}

/// Appends a piece to a text in base64. Some servers split the text. Others encode each piece
/// separately, possibly with padding: LiteLLM decodes each piece on its own
/// (`concatenate_base64_list` in `litellm_core_utils/streaming_chunk_builder_utils.py`).
pub(crate) fn append(text: &mut String, piece: &str) {
    let padded = text.ends_with('=').then(|| {
        let start = text.len().checked_sub(4)?;
        let mut bytes = decode(text.get(start..)?)?;
        bytes.extend(decode(piece)?);
        Some((start, encode(&bytes)))
    });
    match padded.flatten() {
        Some((start, joined)) => {
            text.truncate(start);
            text.push_str(&joined);
        }
        None => text.push_str(piece),
    }
}

#[cfg(test)]
mod tests {
    use super::{append, decode, encode};

    #[test]
    fn pieces_join_whether_split_or_encoded_separately() {
        for (pieces, expected) in [
            (vec!["Zm9v", "YmFy"], "Zm9vYmFy"),
            (vec!["Zm", "9vYm", "Fy"], "Zm9vYmFy"),
            (vec!["Zg==", "b28=", "YmFy"], "Zm9vYmFy"),
            (vec!["Zm9vYg==", "YQ==", "cg=="], "Zm9vYmFy"),
            (vec!["", "Zg==", ""], "Zg=="),
            // Not base64: nothing is lost.
            (vec!["Zg==", "!"], "Zg==!"),
            (vec!["=", "Zg=="], "=Zg=="),
            (vec!["ü===", "Zg=="], "ü===Zg=="),
        ] {
            let mut text = String::new();
            pieces.iter().for_each(|piece| append(&mut text, piece));
            assert_eq!(text, expected, "{pieces:?}");
        }
    }

    #[test]
    fn rfc_4648_section_10_vectors() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn uses_the_whole_alphabet() {
        assert_eq!(encode(&[0xfb, 0xff, 0xbf]), "+/+/");
        assert_eq!(encode(&[0, 0, 0]), "AAAA");
    }

    #[test]
    fn every_byte_decodes_and_invalid_text_is_rejected() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        for text in ["Zg", "Zg=", "Z===", "====", "Zm9v!mFy", "Zm=v", "Zm9v\n", "Zm8ü"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
