//! The hot paths by name, and how often each runs in a count: often enough to include occasional
//! work in proportion.

use crate::calls;
use crate::workload::{self, Workload};

/// A hot path.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// How often it runs while instructions are counted.
    pub(crate) turns: u32,
    /// Prepares it, given the server's address.
    pub(crate) ready: fn(&str) -> Workload,
}

const fn path(name: &'static str, turns: u32, ready: fn(&str) -> Workload) -> Path {
    Path { name, turns, ready }
}

/// All of them, the shortest last.
pub(crate) const ALL: [Path; 43] = [
    path("call", 200, calls::chat),
    path("call_routed", 200, calls::routed),
    path("call_cache_miss", 200, calls::cache_miss),
    path("call_cache_hit", 500, calls::cache_hit),
    path("stream", 3, calls::stream),
    path("stream_decode_openai", 3, |_| workload::stream_decode("openai")),
    path("stream_decode_anthropic", 3, |_| workload::stream_decode("anthropic")),
    path("stream_decode_gemini", 3, |_| workload::stream_decode("gemini")),
    path("stream_decode_responses", 3, |_| workload::stream_decode("responses")),
    path("stream_decode_cohere", 3, |_| workload::stream_decode("cohere")),
    path("stream_decode_ollama", 3, |_| workload::stream_decode("ollama")),
    path("stream_decode_bedrock", 3, |_| workload::stream_decode("bedrock")),
    path("sse_openai", 10, |_| workload::sse("openai")),
    path("sse_anthropic", 10, |_| workload::sse("anthropic")),
    path("sse_gemini", 10, |_| workload::sse("gemini")),
    path("answer_decode_openai", 200, |_| workload::answer_decode("openai")),
    path("answer_decode_anthropic", 200, |_| workload::answer_decode("anthropic")),
    path("answer_decode_gemini", 200, |_| workload::answer_decode("gemini")),
    path("answer_decode_responses", 200, |_| workload::answer_decode("responses")),
    path("answer_decode_cohere", 200, |_| workload::answer_decode("cohere")),
    path("answer_decode_ollama", 200, |_| workload::answer_decode("ollama")),
    path("answer_decode_bedrock", 200, |_| workload::answer_decode("bedrock")),
    path("embeddings_decode_base64", 10, |_| workload::embeddings_decode("base64")),
    path("embeddings_decode_float", 3, |_| workload::embeddings_decode("float")),
    path("embeddings_encode", 500, |_| workload::embeddings_encode()),
    path("journal_line", 500, |_| workload::journal_line()),
    path("encode_long_openai", 20, |_| workload::encode_long("openai")),
    path("encode_long_anthropic", 20, |_| workload::encode_long("anthropic")),
    path("encode_long_gemini", 20, |_| workload::encode_long("gemini")),
    path("encode_long_responses", 20, |_| workload::encode_long("responses")),
    path("encode_long_cohere", 20, |_| workload::encode_long("cohere")),
    path("encode_small_openai", 500, |_| workload::encode_small("openai")),
    path("encode_small_anthropic", 500, |_| workload::encode_small("anthropic")),
    path("encode_small_gemini", 500, |_| workload::encode_small("gemini")),
    path("reserve_settle", 1_000, |_| workload::reserve_settle()),
    path("load_catalogue", 3, |_| workload::load_catalogue()),
    path("shortlist_of_50", 500, |_| workload::shortlist()),
    path("catalogue", 5_000, |_| workload::catalogue()),
    path("choose_of_ten", 2_000, |_| workload::choose("balanced")),
    path("record", 10_000, |_| workload::record(false)),
    path("record_streamed", 10_000, |_| workload::record(true)),
    path("price", 5_000, |_| workload::price()),
    path("lease", 5_000, |_| workload::lease()),
];
