//! A streamed answer of Bedrock's decodes the same however it is cut; whatever it holds, nothing
//! panics.

#![no_main]

mod cut;
mod frames;
mod pieces;

use libfuzzer_sys::fuzz_target;
use tollgate::StreamDecoder;

fuzz_target!(|input: &[u8]| {
    pieces::check(&frames::framed(input), StreamDecoder::bedrock, true);
});
