//! An event stream has the events that the standard's rules give it, however it is cut.
//!
//! The first byte says how many of the bytes after it are lengths of pieces. The rest is the stream.

#![no_main]

mod cut;
#[path = "../../tests/sse/rules.rs"]
mod rules;

use cut::cut;
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
