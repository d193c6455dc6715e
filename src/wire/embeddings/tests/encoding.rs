//! Requests in each format.

use serde_json::{Value, json};

use crate::chat::Provider;
use crate::embed::{EmbedRequest, EmbeddingFormat, InputType, Truncation};
use crate::error::{Error, ErrorKind};
use crate::wire::embeddings::{Batch, Embeddings, Target};

fn encoded(
    format: EmbeddingFormat,
    model: &str,
    request: &EmbedRequest,
) -> Result<(String, Value), Error> {
    let provider = Provider::new("acme");
    let target = Target { provider: &provider, model };
    let format = Embeddings::of(format);
    let body = format.encode(&Batch { request, texts: &request.texts, target })?;
    Ok((format.path(target).into_owned(), serde_json::from_slice(&body).unwrap()))
}

/// Sets all that a request can say.
fn full() -> EmbedRequest {
    EmbedRequest::new(["a", "b"])
        .input_type(InputType::Query)
        .truncation(Truncation::End)
        .dimensions(256)
}

fn plain() -> EmbedRequest {
    EmbedRequest::new(["a", "b"])
}

#[test]
fn every_format_has_its_own_members() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Ollama, Vertex, Voyage};

    let query = |text| EmbedRequest::from(text).input_type(InputType::Query);
    let untyped = EmbedRequest { input_type: None, ..full() };
    let untruncated = EmbedRequest { truncation: None, ..full() };
    for (format, model, request, path, body) in [
        (
            Cohere,
            "embed-v4.0",
            full(),
            "/v2/embed",
            json!({
                "model": "embed-v4.0", "texts": ["a", "b"], "input_type": "search_query",
                "embedding_types": ["float"], "output_dimension": 256, "truncate": "END",
            }),
        ),
        (
            Voyage,
            "voyage-3.5",
            full(),
            "/embeddings",
            json!({
                "model": "voyage-3.5", "input": ["a", "b"], "input_type": "query",
                "truncation": true, "output_dimension": 256, "encoding_format": "base64",
            }),
        ),
        (
            Voyage,
            "voyage-3.5",
            plain(),
            "/embeddings",
            json!({"model": "voyage-3.5", "input": ["a", "b"], "encoding_format": "base64"}),
        ),
        (
            Jina,
            "jina-embeddings-v3",
            full().extra("late_chunking", true),
            "/embeddings",
            json!({
                "model": "jina-embeddings-v3", "input": ["a", "b"], "task": "retrieval.query",
                "truncate": true, "dimensions": 256, "embedding_type": "base64",
                "late_chunking": true,
            }),
        ),
        (
            Ollama,
            "nomic-embed-text",
            untyped.extra("keep_alive", "5m").extra("options", json!({"num_ctx": 8_192})),
            "/api/embed",
            json!({
                "model": "nomic-embed-text", "input": ["a", "b"], "truncate": true,
                "dimensions": 256, "keep_alive": "5m", "options": {"num_ctx": 8_192},
            }),
        ),
        (
            Gemini,
            "gemini-embedding-001",
            untruncated,
            "/models/gemini-embedding-001:batchEmbedContents",
            json!({"requests": [
                {
                    "model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]},
                    "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256,
                },
                {
                    "model": "models/gemini-embedding-001", "content": {"parts": [{"text": "b"}]},
                    "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256,
                },
            ]}),
        ),
        (
            Gemini,
            "models/gemini-embedding-2",
            query("a"),
            "/models/gemini-embedding-2:batchEmbedContents",
            json!({"requests": [{
                "model": "models/gemini-embedding-2",
                "content": {"parts": [{"text": "task: search result | query: a"}]},
            }]}),
        ),
        (
            Vertex,
            "text-embedding-005",
            full(),
            "/publishers/google/models/text-embedding-005:predict",
            json!({
                "instances": [
                    {"content": "a", "task_type": "RETRIEVAL_QUERY"},
                    {"content": "b", "task_type": "RETRIEVAL_QUERY"},
                ],
                "parameters": {"autoTruncate": true, "outputDimensionality": 256},
            }),
        ),
        (
            Vertex,
            "gemini-embedding-001",
            EmbedRequest::from("a"),
            "/publishers/google/models/gemini-embedding-001:predict",
            json!({"instances": [{"content": "a"}]}),
        ),
        (
            Vertex,
            "gemini-embedding-2",
            query("a").truncation(Truncation::Off).dimensions(256),
            "/publishers/google/models/gemini-embedding-2:embedContent",
            json!({
                "content": {"parts": [{"text": "task: search result | query: a"}]},
                "embedContentConfig": {"autoTruncate": false, "outputDimensionality": 256},
            }),
        ),
        (
            Bedrock,
            "amazon.titan-embed-text-v2:0",
            EmbedRequest::from("a").dimensions(256).extra("normalize", false),
            "/model/amazon.titan-embed-text-v2%3A0/invoke",
            json!({"inputText": "a", "dimensions": 256, "normalize": false}),
        ),
        (
            Bedrock,
            "eu.cohere.embed-v4:0",
            full(),
            "/model/eu.cohere.embed-v4%3A0/invoke",
            json!({
                "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"],
                "output_dimension": 256, "truncate": "RIGHT",
            }),
        ),
        (
            Bedrock,
            "cohere.embed-multilingual-v3",
            query("a").truncation(Truncation::Start),
            "/model/cohere.embed-multilingual-v3/invoke",
            json!({
                "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"],
                "truncate": "START",
            }),
        ),
    ] {
        let (actual_path, actual_body) = encoded(format, model, &request).unwrap();
        assert_eq!((actual_path.as_str(), actual_body), (path, body), "{format} {model}");
    }
}

#[test]
fn every_input_type_is_expressed_or_refused_with_those_that_exist() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Ollama, Vertex, Voyage};
    use InputType as It;

    let all = [
        It::Query,
        It::Document,
        It::Classification,
        It::Clustering,
        It::Similarity,
        It::QuestionAnswering,
        It::FactVerification,
        It::CodeQuery,
    ];
    let retrieval = [It::Query, It::Document];
    let cohere = [It::Query, It::Document, It::Classification, It::Clustering];
    let jina_3 = [It::Query, It::Document, It::Classification, It::Clustering, It::Similarity];
    let jina_4 = [It::Query, It::Document, It::Similarity, It::CodeQuery];
    let jina_code = [It::Query, It::Document, It::CodeQuery];
    for (format, model, known, listed) in [
        (Cohere, "embed-v4.0", &cohere[..], "clustering"),
        (Bedrock, "cohere.embed-v4:0", &cohere, "clustering"),
        (Bedrock, "amazon.titan-embed-text-v2:0", &[], "has none"),
        (Voyage, "voyage-4", &retrieval, "query, document"),
        (Jina, "jina-embeddings-v2-base-en", &[], "has none"),
        (Jina, "jina-embeddings-v3", &jina_3, "similarity"),
        (Jina, "jina-embeddings-v4", &jina_4, "code_query"),
        (Jina, "jina-embeddings-v5-text-small", &jina_3, "similarity"),
        (Jina, "jina-code-embeddings-1.5b", &jina_code, "code_query"),
        (Ollama, "bge-m3", &[], "has none"),
        (Gemini, "gemini-embedding-001", &all, ""),
        (Gemini, "gemini-embedding-2", &all, ""),
        (Vertex, "text-embedding-005", &all, ""),
    ] {
        for input_type in all {
            let request = EmbedRequest::from("a").input_type(input_type);
            match encoded(format, model, &request) {
                Ok(_) => assert!(known.contains(&input_type), "{format} {model} {input_type}"),
                Err(error) => {
                    assert!(!known.contains(&input_type), "{format} {model} {error}");
                    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                    assert!(error.message().contains(listed), "{format} {model} {error}");
                }
            }
        }
    }
    let error = encoded(Cohere, "embed-v4.0", &plain()).unwrap_err();
    assert!(error.message().contains("set one of query, document"), "{error}");
}

#[test]
fn jinas_tasks_have_the_names_of_the_model() {
    use InputType as It;

    for (model, input_type, task) in [
        ("jina-embeddings-v3", It::Clustering, "separation"),
        ("jina-embeddings-v4", It::CodeQuery, "code.query"),
        ("jina-embeddings-v5-text-small", It::Query, "retrieval.query"),
        ("jina-embeddings-v5-text-small", It::Clustering, "clustering"),
        ("jina-code-embeddings-0.5b", It::Query, "nl2code.query"),
        ("jina-code-embeddings-0.5b", It::Document, "nl2code.passage"),
        ("jina-code-embeddings-1.5b", It::CodeQuery, "nl2code.query"),
    ] {
        let request = EmbedRequest::from("a").input_type(input_type);
        let (_, body) = encoded(EmbeddingFormat::Jina, model, &request).unwrap();
        assert_eq!(body["task"], task, "{model} {input_type}");
    }
}

#[test]
fn what_a_format_lacks_is_refused_with_the_alternative() {
    use EmbeddingFormat::{Bedrock, Cohere, Gemini, Jina, Ollama, Vertex, Voyage};

    let start = || EmbedRequest::from("a").truncation(Truncation::Start);
    let off = EmbedRequest::from("a").truncation(Truncation::Off);
    let short = || EmbedRequest::from("a").dimensions(256);
    let document = short().input_type(InputType::Document);
    for (format, model, request, expected) in [
        (Voyage, "voyage-4", start(), "Truncation::End"),
        (Jina, "jina-embeddings-v3", start(), "Truncation::End"),
        (Ollama, "bge-m3", start(), "Truncation::End"),
        (Vertex, "text-embedding-005", start(), "Truncation::End"),
        (Gemini, "gemini-embedding-001", off, "shorten long texts"),
        (Bedrock, "amazon.titan-embed-text-v2:0", start(), "shorten them"),
        (Bedrock, "amazon.titan-embed-text-v1", short(), "titan-embed-text-v2:0"),
        (Bedrock, "cohere.embed-english-v3", document.clone(), "embed-v4"),
        (Bedrock, "acme.vectors-v1", short(), "amazon.titan-embed-text or cohere.embed"),
        (Cohere, "embed-english-v3.0", document.clone(), "embed-v4.0"),
        (Gemini, "gemini-embedding-001", plain().extra("title", "t"), "Client::post"),
        (Voyage, "voyage-4", plain().extra("output_dtype", "int8"), "read as floats"),
        (Voyage, "voyage-4", plain().extra("input", "x"), "fields of their own"),
        (Cohere, "embed-v4.0", document.omit("input_type"), "keep it"),
    ] {
        let error = encoded(format, model, &request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(expected), "{format} {model}: {error}");
    }
}
