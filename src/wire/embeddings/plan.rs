//! Splits texts into requests, each within a provider's limits.

use std::ops::Range;

use super::Limits;
use crate::wire::measure::text_tokens;

/// The size of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    bytes: usize,
    /// Its tokens, if a tokenizer counted them.
    pub(crate) counted: Option<u64>,
    /// The most tokens it can have.
    most: u64,
}

impl Size {
    /// Measures a text, whose tokens may have been counted.
    pub(crate) fn of(text: &str, counted: Option<u64>) -> Self {
        Self { bytes: text.len(), counted, most: counted.unwrap_or_else(|| text_tokens(text)) }
    }

    /// Returns the most tokens it can have.
    pub(crate) fn tokens(&self) -> u64 {
        self.most
    }
}

/// Splits texts of these sizes, in order, into as few ranges as possible within the limits. A text
/// that alone exceeds a limit gets a range of its own; the provider decides about it.
pub(crate) fn split(
    sizes: &[Size],
    limits: &Limits,
    batch_size: Option<usize>,
) -> Vec<Range<usize>> {
    let most = limits.texts.min(batch_size.unwrap_or(usize::MAX)).max(1);
    let mut ranges = Vec::new();
    let mut range = 0..0;
    let (mut bytes, mut tokens) = (0usize, 0u64);
    for size in sizes {
        let billed = limits.billed(size.most);
        (bytes, tokens) = (bytes.saturating_add(size.bytes), tokens.saturating_add(billed));
        let fits = range.len() < most
            && limits.tokens.is_none_or(|most| tokens <= most)
            && limits.bytes.is_none_or(|most| bytes <= most);
        if fits || range.is_empty() {
            range.end += 1;
        } else {
            ranges.push(range.clone());
            range = range.end..range.end + 1;
            (bytes, tokens) = (size.bytes, billed);
        }
    }
    if !range.is_empty() {
        ranges.push(range);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(tokens: &[u64]) -> Vec<Size> {
        let bytes = |tokens| usize::try_from(tokens).unwrap() * 4;
        let size = |&most| Size { bytes: bytes(most), counted: None, most };
        tokens.iter().map(size).collect()
    }

    const ANY: Limits = Limits { texts: 1_000, added_tokens: 0, ..Limits::DEFAULT };

    #[test]
    fn texts_are_split_where_a_limit_is_reached() {
        let three = Limits { texts: 3, ..ANY };
        let ten_tokens = Limits { tokens: Some(10), ..ANY };
        let forty_bytes = Limits { bytes: Some(40), ..ANY };
        type Row<'a> = (&'a [u64], Limits, Option<usize>, &'a [usize]);
        let all: &[Row<'_>] = &[
            (&[], ANY, None, &[]),
            (&[5], ANY, None, &[1]),
            (&[1, 1, 1, 1, 1, 1, 1], three, None, &[3, 3, 1]),
            (&[1, 1, 1], three, None, &[3]),
            (&[1, 1, 1], three, Some(2), &[2, 1]),
            (&[1, 1, 1, 1], three, Some(9), &[3, 1]),
            (&[1, 1], three, Some(0), &[1, 1]),
            (&[5, 5, 1], ten_tokens, None, &[2, 1]),
            (&[5, 6, 4], ten_tokens, None, &[1, 2]),
            // Too long for any request: alone.
            (&[1, 11, 1], ten_tokens, None, &[1, 1, 1]),
            (&[11], ten_tokens, None, &[1]),
            (&[u64::MAX >> 8, u64::MAX >> 8], ten_tokens, None, &[1, 1]),
            (&[5, 5, 1], forty_bytes, None, &[2, 1]),
        ];
        for (tokens, limits, batch_size, expected) in all {
            let ranges = split(&sizes(tokens), limits, *batch_size);
            let lengths: Vec<_> = ranges.iter().map(ExactSizeIterator::len).collect();
            assert_eq!(lengths, *expected, "{tokens:?} {limits:?} {batch_size:?}");
        }
    }

    #[test]
    fn ranges_join_to_the_texts_and_are_greedy() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let tokens: Vec<u64> = (0..random.usize(..60)).map(|_| random.u64(0..30)).collect();
            let texts = sizes(&tokens);
            let limits = Limits {
                texts: random.usize(1..12),
                tokens: random.bool().then(|| random.u64(1..80)),
                bytes: random.bool().then(|| random.usize(1..300)),
                ..ANY
            };
            let fits = |range: Range<usize>| {
                let part = &texts[range];
                part.len() <= limits.texts
                    && limits
                        .tokens
                        .is_none_or(|most| part.iter().map(|text| text.most).sum::<u64>() <= most)
                    && limits.bytes.is_none_or(|most| {
                        part.iter().map(|text| text.bytes).sum::<usize>() <= most
                    })
            };
            let ranges = split(&texts, &limits, None);
            let joined: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(joined, (0..texts.len()).collect::<Vec<_>>());
            for (place, range) in ranges.iter().enumerate() {
                assert!(range.len() == 1 || fits(range.clone()), "{range:?} {limits:?}");
                // The first text of the next range did not fit into this one.
                if place + 1 < ranges.len() {
                    assert!(!fits(range.start..range.end + 1), "{range:?} {limits:?}");
                }
            }
        }
    }
}
