//! A streamed response decodes the same however it is cut, and never panics.

#![no_main]

mod cut;
mod pieces;

use libfuzzer_sys::fuzz_target;
use tollgate::StreamDecoder;

fuzz_target!(|input: &[u8]| {
    pieces::check(input, StreamDecoder::openai_responses, true);
});
