//! Answers in each format.

use serde_json::{Value, json};

use crate::embed::EmbeddingFormat;
use crate::usage::UsageSource;
use crate::wire::embeddings::{Decoded, Embeddings};
use crate::wire::reply::header_fields;
use crate::wire::{Failure, Reply};

fn decoded(format: EmbeddingFormat, body: &str, texts: usize) -> Result<Decoded, Failure> {
    let headers = header_fields(&[]);
    let reply = Reply { status: 200, headers: &headers, body: body.as_bytes(), sent: None };
    Embeddings::of(format).decode(reply, texts, None)
}

/// The vectors [1, 2] and [3, 4], as base64 of little-endian floats.
const BASE64: [&str; 2] = ["AACAPwAAAEA=", "AABAQAAAgEA="];

#[test]
fn every_format_is_read_in_the_order_of_the_texts() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Ollama, Vertex, Voyage};

    let [first, second] = BASE64;
    let listed = |first: Value, second: Value| {
        json!({
            "object": "list", "model": "m", "usage": {"total_tokens": 7},
            "data": [{"index": 1, "embedding": second}, {"index": 0, "embedding": first}],
        })
    };
    let prediction = |values: Value, tokens: u32| json!({"embeddings": {"values": values, "statistics": {"token_count": tokens}}});
    for (format, body, tokens, model) in [
        (Voyage, listed(json!(first), json!(second)), Some(7), "m"),
        (Jina, listed(json!([1, 2]), json!([3.0, 4.0])), Some(7), "m"),
        (
            Cohere,
            json!({
                "id": "x", "embeddings": {"float": [[1, 2], [3, 4]]}, "texts": ["a", "b"],
                "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7.0}},
                "response_type": "embeddings_by_type",
            }),
            Some(7),
            "",
        ),
        (
            Bedrock,
            json!({"embeddings": [[1, 2], [3, 4]], "response_type": "embeddings_floats"}),
            None,
            "",
        ),
        (Bedrock, json!({"embeddings": {"float": [[1, 2], [3, 4]]}, "id": "x"}), None, ""),
        (
            Ollama,
            json!({"model": "m", "embeddings": [[1, 2], [3, 4]], "prompt_eval_count": 7}),
            Some(7),
            "m",
        ),
        (
            Gemini,
            json!({
                "embeddings": [{"values": [1, 2]}, {"values": [3, 4]}],
                "usageMetadata": {"promptTokenCount": 7},
            }),
            Some(7),
            "",
        ),
        (Gemini, json!({"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]}), None, ""),
        (
            Vertex,
            json!({"predictions": [prediction(json!([1, 2]), 3), prediction(json!([3, 4]), 4)]}),
            Some(7),
            "",
        ),
        (
            Vertex,
            json!({"predictions": [
                prediction(json!([1, 2]), 3), {"embeddings": {"values": [3, 4]}},
            ]}),
            None,
            "",
        ),
    ] {
        let decoded = decoded(format, &body.to_string(), 2).unwrap_or_else(|failure| {
            panic!("{format}: {}", failure.message);
        });
        assert_eq!(decoded.rows.values(), [1.0, 2.0, 3.0, 4.0], "{format}");
        assert_eq!(decoded.model, model, "{format}");
        match tokens {
            Some(tokens) => assert_eq!(decoded.usage.prompt_tokens, tokens, "{format}"),
            None => assert_eq!(decoded.usage.source, UsageSource::Missing, "{format}"),
        }
    }
    for (format, body) in [
        (Bedrock, json!({"embedding": [1, 2], "inputTextTokenCount": 7})),
        (
            Vertex,
            json!({"embedding": {"values": [1, 2]}, "usageMetadata": {"promptTokenCount": 7}}),
        ),
    ] {
        let decoded = decoded(format, &body.to_string(), 1).unwrap();
        assert_eq!((decoded.rows.values(), decoded.usage.prompt_tokens), (&[1.0, 2.0][..], 7));
    }
}

#[test]
fn a_body_that_is_not_one_vector_for_each_text_is_an_error() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Ollama, Vertex, Voyage};

    for (format, body, expected) in [
        (Cohere, r#"{"embeddings": {"float": [[1]]}}"#, "has 1 embeddings, but the request had 2"),
        (Cohere, r#"{"message": "invalid input_type"}"#, "invalid input_type"),
        (Cohere, r#"{"embeddings": {"int8": [[1], [2]]}}"#, "is not the JSON"),
        (Ollama, r#"{"error": "model \"x\" not found"}"#, "not found"),
        (Ollama, r#"{"embeddings": [[1, 2], [3]]}"#, "text 1 has 1 components"),
        (Ollama, r#"{"embeddings": [[1, null], [3, 4]]}"#, "not a finite number, at position 1"),
        (Gemini, r#"{"error": {"code": 400, "message": "bad key"}}"#, "bad key"),
        (Gemini, r#"{"embeddings": [{"values": [1]}, {"values": []}]}"#, "text 1 is empty"),
        (Gemini, "{}", "no member \"embeddings\""),
        (Vertex, r#"{"predictions": [{"embeddings": {"values": [1e99]}}, {}]}"#, "not the JSON"),
        (Bedrock, r#"{"message": "Malformed input request"}"#, "Malformed input request"),
        (Voyage, r#"{"detail": "Provided API key is invalid."}"#, "Provided API key is invalid."),
        (Jina, r#"{"detail": "Invalid API key"}"#, "Invalid API key"),
        (
            Jina,
            r#"{"data": [{"index": 0, "embedding": "AACAPw=="}, {"index": 1, "embedding": "AAA="}]}"#,
            "32-bit floats",
        ),
        (Voyage, "", "is empty"),
    ] {
        let failure = decoded(format, body, 2).unwrap_err();
        assert!(failure.message.contains(expected), "{format} {body}: {}", failure.message);
    }
}
