//! Makes ids for tool calls that come without one.

/// Returns the id of a call, or a new one if it is empty: OpenAI's old `function_call` and some
/// servers send none, but the result must name its call in the next request.
///
/// A new id combines the call's position with a seed, the [`fingerprint`] of the answer, so no two
/// answers of a conversation share one: bodies differ in their id or time. It has fewer than the 40
/// characters that OpenAI allows.
pub(super) fn or_new(id: String, seed: impl FnOnce() -> u64, index: usize) -> String {
    if id.is_empty() { format!("call_{:016x}_{index}", seed()) } else { id }
}

/// FNV-1a (datatracker.ietf.org/doc/html/draft-eastlake-fnv), the same on every machine.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_without_an_id_gets_one() {
        assert_eq!(or_new("call_1".to_owned(), || panic!(), 0), "call_1");
        assert_eq!(or_new(String::new(), || 0xab, 2), "call_00000000000000ab_2");
        // The first vectors of the draft.
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert!(or_new(String::new(), || u64::MAX, 10_000).len() <= 40);
    }
}
