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
    let chunks = digits.chunks_exact(4);
    let rest = chunks.remainder();
    let mut out = vec![0; digits.len() / 4 * 3];
    let mut unknown = 0;
    for (chunk, bytes) in chunks.zip(out.chunks_exact_mut(3)) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|place| VALUES[usize::from(chunk[place])]);
        unknown |= a | b | c | d;
        bytes.copy_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
    }
    let mut group = 0u32;
    for digit in rest {
        let value = VALUES[usize::from(*digit)];
        unknown |= value;
        group = (group << 6) | u32::from(value);
    }
    if unknown >= UNKNOWN || rest.len() == 1 {
        return None;
    }
    let [_, bytes @ ..] = (group << (6 * (4 - rest.len()))).to_be_bytes();
    out.extend_from_slice(&bytes[..rest.len().saturating_sub(1)]);
    Some(out)
}

/// Marks a byte that is not a digit. Values have six bits.
const UNKNOWN: u8 = 0b1000_0000;

/// The value of each digit, by its byte. Looking it up is faster than comparing it, and embeddings have
/// thousands of digits each.
#[allow(clippy::cast_possible_truncation)]
const VALUES: [u8; 256] = {
    let mut values = [UNKNOWN; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

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
