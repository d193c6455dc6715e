//! Embeddings in the formats of vendors that have their own, over sockets.

mod support;

use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{KEY, loopback, quick_retries};
use tollgate::embed::{EmbedRequest, EmbeddingFormat, InputType};
use tollgate::provider::Profile;
use tollgate::testing::{Loopback, Reply, embedding};
use tollgate::{Budget, Client, ClientBuilder, ErrorKind, Money, UsageSource};

const JSON: &str = "application/json";

/// The vector that a format returns for a text.
fn expected(text: &str, format: EmbeddingFormat) -> Vec<f32> {
    let vector = embedding(text, 16);
    match format {
        // Signed bytes.
        EmbeddingFormat::Perplexity => vector.iter().map(|one| (one * 127.0).round()).collect(),
        _ => vector,
    }
}

fn builder(server: &Loopback, format: EmbeddingFormat) -> ClientBuilder {
    server.serve_below("/base");
    let url = format!("http://{}/base", server.address());
    Client::builder()
        .profile(Profile::embeddings_only("vendor", format, url))
        .api_key(KEY)
        .retry(quick_retries(2))
}

#[test]
fn texts_are_split_at_the_vendors_limit_and_return_in_order() {
    use EmbeddingFormat::{
        Bedrock, Cohere, Gemini, Jina, Mistral, Ollama, OpenAi, OpenAiCompatible, Perplexity,
        Vertex, Voyage,
    };

    for (format, model, texts, path, requests) in [
        (OpenAi, "text-embedding-3-small", 2_049, "/base/embeddings", 2),
        (OpenAiCompatible, "bge-m3", 97, "/base/embeddings", 2),
        (Mistral, "mistral-embed", 257, "/base/embeddings", 2),
        (Perplexity, "pplx-embed-v1-0.6b", 513, "/base/v1/embeddings", 2),
        (Cohere, "embed-v4.0", 200, "/base/v2/embed", 3),
        (Voyage, "voyage-4", 1_001, "/base/embeddings", 2),
        (Jina, "jina-embeddings-v3", 513, "/base/embeddings", 2),
        (Ollama, "bge-m3", 97, "/base/api/embed", 2),
        (
            Gemini,
            "gemini-embedding-001",
            101,
            "/base/models/gemini-embedding-001:batchEmbedContents",
            2,
        ),
        (
            Vertex,
            "text-embedding-005",
            251,
            "/base/publishers/google/models/text-embedding-005:predict",
            2,
        ),
        (
            Vertex,
            "gemini-embedding-001",
            3,
            "/base/publishers/google/models/gemini-embedding-001:predict",
            3,
        ),
        (
            Vertex,
            "gemini-embedding-2",
            3,
            "/base/publishers/google/models/gemini-embedding-2:embedContent",
            3,
        ),
        (
            Bedrock,
            "amazon.titan-embed-text-v2:0",
            3,
            "/base/model/amazon.titan-embed-text-v2%3A0/invoke",
            3,
        ),
        (Bedrock, "cohere.embed-english-v3", 97, "/base/model/cohere.embed-english-v3/invoke", 2),
    ] {
        let server = loopback();
        let client = builder(&server, format).build().unwrap();
        let all: Vec<_> = (0..texts).map(|number| number.to_string()).collect();
        let mut request = EmbedRequest::from(&all).model(model);
        if format == Cohere || model.starts_with("cohere") {
            request = request.input_type(InputType::Document);
        }
        let embeddings = client.embed(request).unwrap_or_else(|error| panic!("{format}: {error}"));
        let expected: Vec<_> = all.iter().map(|text| expected(text, format)).collect();
        assert!(embeddings.rows().eq(expected.iter().map(|row| &row[..])), "{format}");
        assert_eq!(embeddings.batches.len(), requests, "{format}");
        let sent = server.requests();
        assert_eq!(sent.len(), requests, "{format}");
        assert!(sent.iter().all(|one| one.path() == path), "{format}: {}", sent[0].path());
        let source = match model.starts_with("cohere") {
            // Bedrock reports no tokens for Cohere's models.
            true => UsageSource::Estimated,
            false => UsageSource::Reported,
        };
        assert_eq!(embeddings.usage.source, source, "{format}");
        // The loopback provider counts a token for every four bytes of a request.
        let bytes: usize = all.iter().map(String::len).sum();
        let tokens = embeddings.usage.prompt_tokens;
        assert!(tokens >= bytes.div_ceil(4) as u64, "{format}: {tokens}");
    }
}

#[test]
fn a_shorter_vector_comes_in_every_format_that_has_dimensions() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Mistral, Ollama, OpenAi, Vertex, Voyage};

    for (format, model) in [
        (OpenAi, "text-embedding-3-small"),
        (Mistral, "codestral-embed"),
        (Cohere, "embed-v4.0"),
        (Voyage, "voyage-4"),
        (Jina, "jina-embeddings-v3"),
        (Ollama, "bge-m3"),
        (Gemini, "gemini-embedding-001"),
        (Vertex, "gemini-embedding-001"),
        (Vertex, "gemini-embedding-2"),
        (Bedrock, "amazon.titan-embed-text-v2:0"),
        (Bedrock, "cohere.embed-v4:0"),
    ] {
        let server = loopback();
        let client = builder(&server, format).build().unwrap();
        let mut request = EmbedRequest::from("Paris").model(model).dimensions(3);
        if format == Cohere || model.starts_with("cohere") {
            request = request.input_type(InputType::Document);
        }
        let embeddings = client.embed(request).unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(embeddings[0], embedding("Paris", 3), "{format} {model}");
    }
}

#[test]
fn the_registry_knows_where_each_vendor_embeds() {
    for (provider, model, path, header) in [
        ("cohere", "embed-v4.0", "/v2/embed", "authorization"),
        (
            "gemini",
            "gemini-embedding-001",
            "/v1beta/models/gemini-embedding-001:batchEmbedContents",
            "x-goog-api-key",
        ),
        ("jina", "jina-embeddings-v3", "/v1/embeddings", "authorization"),
        ("voyage", "voyage-4", "/v1/embeddings", "authorization"),
        (
            "vertex",
            "text-embedding-005",
            "/v1/projects/test/locations/test/publishers/google/models/text-embedding-005:predict",
            "x-goog-api-key",
        ),
        #[cfg(feature = "bedrock")]
        (
            "bedrock",
            "cohere.embed-english-v3",
            "/model/cohere.embed-english-v3/invoke",
            "authorization",
        ),
    ] {
        let server = loopback();
        let client = support::builder(&server, provider).model(model).build().unwrap();
        let request = EmbedRequest::from("a").input_type(InputType::Document);
        let embeddings =
            client.embed(request).unwrap_or_else(|error| panic!("{provider}: {error}"));
        assert_eq!(embeddings[0], embedding("a", 16), "{provider}");
        assert_eq!(embeddings.len(), 1, "{provider}");
        let sent = &server.requests()[0];
        assert_eq!(sent.path(), path, "{provider}");
        assert!(sent.header(header).is_some_and(|value| value.contains(KEY)), "{provider}");
    }
}

#[test]
fn a_vendor_without_chats_says_so() {
    let server = loopback();
    for provider in ["voyage", "jina"] {
        let client = support::builder(&server, provider).model("m").build().unwrap();
        let error = client.chat("hi").unwrap_err();
        assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, 0));
        assert!(error.message().contains("embed"), "{error}");
    }
}

#[test]
fn known_prices_are_charged_and_budgets_hold() {
    let server = loopback();
    let client =
        |limit| support::builder(&server, "voyage").model("voyage-4").budget(Budget::total(limit));
    let rich = client(Money::dollars(1)).build().unwrap();
    let embeddings = rich.embed(["a", "b"]).unwrap();
    let cost = embeddings.cost.expect("voyage-4 has a price").total;
    assert!(cost > Money::ZERO);
    assert_eq!(rich.costs().total.cost.total, cost);
    let poor = client(Money::ZERO).build().unwrap();
    assert_eq!(poor.embed(["a"]).unwrap_err().kind(), ErrorKind::BudgetExceeded);
    assert_eq!(server.request_count(), 1);
}

#[test]
fn errors_are_read_in_the_vendors_own_form() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Ollama, Voyage};

    for (format, status, body, kind, message) in [
        (
            Voyage,
            401,
            json!({"detail": "Provided API key is invalid."}),
            ErrorKind::Authentication,
            "Provided API key is invalid.",
        ),
        (
            Jina,
            422,
            json!({"detail": "[models] Validation error: Each input list can contain at most 512 items."}),
            ErrorKind::InvalidRequest,
            "at most 512 items",
        ),
        (
            Cohere,
            400,
            json!({"id": "x", "message": "invalid request: valid input_type must be provided"}),
            ErrorKind::InvalidRequest,
            "valid input_type",
        ),
        (Ollama, 404, json!({"error": "model \"m\" not found"}), ErrorKind::NotFound, "not found"),
        (
            Gemini,
            400,
            json!({"error": {"code": 400, "message": "at most 100 requests", "status": "INVALID_ARGUMENT"}}),
            ErrorKind::InvalidRequest,
            "at most 100 requests",
        ),
        (
            Bedrock,
            400,
            json!({"message": "Malformed input request: expected maxLength: 2048"}),
            ErrorKind::InvalidRequest,
            "Malformed input request",
        ),
    ] {
        let server = loopback();
        server.on(|_| true, Reply::raw(status, JSON, body.to_string()));
        let client = builder(&server, format).build().unwrap();
        let request = EmbedRequest::from("a").model("cohere.embed-english-v3");
        let request = match format {
            Cohere | Bedrock => request.input_type(InputType::Query),
            _ => request,
        };
        let error = client.embed(request).unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{format}: {error}");
        assert!(error.message().contains(message), "{format}: {error}");
        assert!(!error.to_string().contains(KEY));
    }
}

#[test]
fn a_failed_request_is_retried_alone() {
    let server = loopback();
    let failed = AtomicBool::new(false);
    server.respond(move |request| {
        let is_last = request.json()["texts"] == json!(["96"]);
        let first = is_last && !failed.swap(true, Ordering::Relaxed);
        first.then(|| Reply::status(503))
    });
    let client = builder(&server, EmbeddingFormat::Cohere).build().unwrap();
    let texts: Vec<_> = (0..97).map(|number| number.to_string()).collect();
    let request = EmbedRequest::from(&texts).model("embed-v4.0").input_type(InputType::Document);
    let embeddings = client.embed(request).unwrap();
    assert_eq!((embeddings.len(), server.request_count()), (97, 3));
    let attempts: Vec<_> = embeddings.batches.iter().map(|batch| batch.attempts.len()).collect();
    assert_eq!(attempts, [1, 2]);
}
