//! However an event stream is cut, its events are those of the standard's rules.
//!
//! The first byte says how many bytes after it are lengths of pieces; what follows
//! them is the stream.

#![no_main]

#[path = "../../tests/sse/rules.rs"]
mod rules;

use libfuzzer_sys::fuzz_target;
use rules::{by_the_rules, parsed};
use tollgate::sse::Limits;

fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else { return };
    let (lengths, stream) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let pieces = cut(stream, lengths);

    let whole = parsed([stream], Limits::default());
    assert_eq!(whole, (by_the_rules(stream), None));
    assert_eq!(parsed(pieces.clone(), Limits::default()), whole);
    assert_eq!(parsed(stream.chunks(1), Limits::default()), whole);

    let limits = Limits { line: usize::from(*count), event: usize::from(count / 2) };
    let limited = parsed([stream], limits);
    assert_eq!(parsed(pieces, limits), limited);
    assert_eq!(parsed(stream.chunks(1), limits), limited);
});

/// Pieces of these lengths, over and over; 0 is an empty piece.
fn cut<'a>(mut stream: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    // A round without a length would never end.
    if lengths.iter().all(|length| *length == 0) {
        return vec![stream];
    }
    for length in lengths.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let (piece, rest) = stream.split_at(stream.len().min(usize::from(*length)));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}
