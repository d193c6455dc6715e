//! Reads the size of an image from its first bytes.

use crate::base64;

/// How much of an image to decode. The size is near the start, in a JPEG after the camera's
/// metadata.
const PREFIX: usize = 1 << 18;

/// Returns the width and height in pixels of an image in base64. It supports PNG, JPEG, GIF and
/// WebP, the formats that OpenAI and Anthropic accept.
pub(super) fn of(base64: &str) -> Option<(u32, u32)> {
    // Only complete groups of four characters decode to complete bytes.
    let whole = base64.len() & !3;
    let bytes = base64::decode(base64.get(..whole.min(PREFIX))?)?;
    let (width, height) =
        png(&bytes).or_else(|| gif(&bytes)).or_else(|| webp(&bytes)).or_else(|| jpeg(&bytes))?;
    (width > 0 && height > 0).then_some((width, height))
}

/// PNG, section 11.2.1: the header is the first chunk.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(4..)?.strip_prefix(b"IHDR")?;
    Some((big_endian(header.get(..4)?), big_endian(header.get(4..8)?)))
}

/// GIF 89a, section 18: the logical screen, which contains all frames.
fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let screen = bytes.strip_prefix(b"GIF89a").or_else(|| bytes.strip_prefix(b"GIF87a"))?;
    Some((little_endian(screen.get(..2)?), little_endian(screen.get(2..4)?)))
}

/// RFC 9649, sections 2.5 to 2.7: lossy, lossless and extended.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let chunk = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    let data = chunk.get(8..)?;
    match chunk.get(..4)? {
        b"VP8 " => {
            let frame = data.get(3..)?.strip_prefix(b"\x9d\x01\x2a")?;
            Some((
                little_endian(frame.get(..2)?) & 0x3fff,
                little_endian(frame.get(2..4)?) & 0x3fff,
            ))
        }
        b"VP8L" => {
            let bits = little_endian(data.strip_prefix(b"\x2f")?.get(..4)?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little_endian(data.get(4..7)?) + 1, little_endian(data.get(7..10)?) + 1)),
        _ => None,
    }
}

/// ITU-T T.81, section B.2: segments with their lengths, up to the frame header. A segment's
/// content, such as a thumbnail, is skipped.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        rest = rest.strip_prefix(b"\xff")?;
        let (marker, after) = rest.split_first()?;
        match marker {
            // Padding before a marker.
            0xff => continue,
            // Markers without a length.
            0x01 | 0xd0..=0xd7 => {
                rest = after;
                continue;
            }
            // Frame headers, except the three codes that are tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((big_endian(after.get(5..7)?), big_endian(after.get(3..5)?)));
            }
            // The image's data, or its end.
            0xd9 | 0xda => return None,
            _ => {}
        }
        let length = usize::try_from(big_endian(after.get(..2)?)).ok()?;
        rest = after.get(length.max(2)..)?;
    }
}

/// Reads up to four bytes, most significant first.
fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// Reads up to four bytes, least significant first.
fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x03\xe8\0\0\x02\x58\x08\x02\0\0\0";
    const GIF: &[u8] = b"GIF89a\xe8\x03\x58\x02\xf7\0\0";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xe1\0\x02\
        \xff\xc4\0\x03a\xff\xc2\0\x11\x08\x02\x58\x03\xe8\x03";
    const LOSSY: &[u8] = b"RIFFabcdWEBPVP8 abcdabc\x9d\x01\x2a\xe8\x03\x58\x02";
    const LOSSLESS: &[u8] = b"RIFFabcdWEBPVP8Labcd\x2f\xe7\xc3\x95\0";
    const EXTENDED: &[u8] = b"RIFFabcdWEBPVP8Xabcd\0\0\0\0\xe7\x03\0\x57\x02\0";

    #[test]
    fn sizes_are_read_from_every_format() {
        for bytes in [PNG, GIF, JPEG, LOSSY, LOSSLESS, EXTENDED] {
            assert_eq!(of(&base64::encode(bytes)), Some((1000, 600)), "{bytes:?}");
        }
    }

    #[test]
    fn truncated_images_and_other_data_have_no_size() {
        for bytes in [PNG, GIF, JPEG, LOSSY, LOSSLESS, EXTENDED] {
            for end in 0..bytes.len() {
                let size = of(&base64::encode(&bytes[..end]));
                assert!(matches!(size, None | Some((1000, 600))), "{size:?}");
            }
            // A wrong byte anywhere does not panic.
            for at in 0..bytes.len() {
                for byte in [0, 0x7f, 0xff] {
                    let mut bytes = bytes.to_vec();
                    bytes[at] = byte;
                    let _ = of(&base64::encode(&bytes));
                }
            }
        }
        for text in ["", "a", "äöü", "AAAA", "%%%%", "/9j/"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
