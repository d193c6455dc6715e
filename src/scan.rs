//! Scans bytes block by block.

/// Splits bytes into blocks of `N`, and returns the total length of those before the first `odd`
/// byte.
///
/// The compiler turns the loop over a whole block into a few instructions for 16 bytes each. A loop
/// that stops at the first odd byte takes several instructions for each byte. The fold is over `u8`,
/// because the compiler packs and unpacks `bool`s.
#[inline]
pub(crate) fn plain_blocks<const N: usize>(bytes: &[u8], odd: impl Fn(u8) -> bool) -> usize {
    let is_plain =
        |block: &&[u8]| block.iter().fold(0, |found, byte| found | u8::from(odd(*byte))) == 0;
    N * bytes.chunks_exact(N).take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_up_to_the_first_odd_byte_are_plain() {
        for length in 0..70 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(plain_blocks::<8>(&bytes, |byte| byte == b'y'), length / 8 * 8);
            assert_eq!(plain_blocks::<32>(&bytes, |byte| byte == b'y'), length / 32 * 32);
            for at in 0..length {
                bytes[at] = b'y';
                assert_eq!(plain_blocks::<8>(&bytes, |byte| byte == b'y'), at / 8 * 8);
                bytes[at] = b'x';
            }
        }
    }
}
