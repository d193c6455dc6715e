//! A streamed chat completion (or text completion, if the first byte's highest bit is set) decodes
//! the same however it is cut, and never panics.

#![no_main]

mod cut;
mod pieces;

use libfuzzer_sys::fuzz_target;
use tollgate::StreamDecoder;

fuzz_target!(|input: &[u8]| {
    if input.first().is_some_and(|byte| byte & 0x80 != 0) {
        pieces::check(input, StreamDecoder::openai_completions, false);
    } else {
        pieces::check(input, StreamDecoder::openai_chat, false);
    }
});
