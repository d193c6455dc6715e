//! How much one request may contain in each format.

use crate::chat::Provider;
use crate::embed::EmbeddingFormat;
use crate::wire::embeddings::{Embeddings, Limits, Target};

#[test]
fn limits_follow_the_model() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Vertex, Voyage};

    for (format, model, texts, tokens, text_tokens) in [
        (Voyage, "voyage-4-lite", 1_000, Some(1_000_000), 32_000),
        (Voyage, "voyage-4", 1_000, Some(320_000), 32_000),
        (Voyage, "voyage-4-large", 1_000, Some(120_000), 32_000),
        (Voyage, "voyage-code-4", 1_000, Some(320_000), 32_000),
        (Voyage, "voyage-law-2", 1_000, Some(120_000), 16_000),
        (Cohere, "embed-english-v3.0", 96, None, 512),
        (Cohere, "embed-v4.0", 96, None, 128_000),
        (Jina, "jina-embeddings-v3", 512, None, 8_192),
        (Jina, "jina-embeddings-v5-text-nano", 512, None, 8_192),
        (Jina, "jina-embeddings-v4", 512, None, 32_768),
        (Gemini, "gemini-embedding-001", 100, None, 2_048),
        (Gemini, "gemini-embedding-2", 100, None, 8_192),
        (Vertex, "text-embedding-005", 250, Some(20_000), 2_048),
        (Vertex, "gemini-embedding-001", 1, None, 2_048),
        (Vertex, "gemini-embedding-2", 1, None, 8_192),
        (Bedrock, "amazon.titan-embed-text-v2:0", 1, None, 8_192),
        (Bedrock, "us.cohere.embed-v4:0", 96, None, 128_000),
    ] {
        let provider = Provider::new("acme");
        let limits = Embeddings::of(format).limits(Target { provider: &provider, model });
        let expected = Limits { texts, tokens, text_tokens: Some(text_tokens), ..limits };
        assert_eq!(limits, expected, "{format} {model}");
    }
}
