//! The client reads recorded embeddings correctly.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it these tests are skipped, and
//! say so. The expected values come from the raw JSON, by code that shares nothing with the crate.

mod support;

use serde_json::Value;
use support::recordings::{Recordings, member};
use support::{KEY, loopback, quick_retries};
use tollgate::embed::{EmbedRequest, EmbeddingFormat};
use tollgate::provider::Profile;
use tollgate::testing::Reply;
use tollgate::{Client, UsageSource};

/// How to call a recorded endpoint.
fn profile(provider: &str, url: String) -> Profile {
    let format = match provider {
        "gemini" => EmbeddingFormat::Gemini,
        "gemini_vertex" => EmbeddingFormat::Vertex,
        "openai_embeddings" => EmbeddingFormat::OpenAi,
        "perplexity" => EmbeddingFormat::Perplexity,
        "voyage" => EmbeddingFormat::Voyage,
        other => panic!("recordings of {other} are new"),
    };
    Profile::embeddings_only("recorded", format, url)
}

/// The number of texts in a recorded request.
fn texts(request: &Value) -> usize {
    match (&request["input"], &request["requests"]) {
        (Value::Array(texts), _) | (_, Value::Array(texts)) => texts.len(),
        _ => 1,
    }
}

/// The vectors in a body, before their order is known.
fn vectors(body: &Value) -> Vec<&Value> {
    let values = |item: &'static str, inner: &'static str| -> Vec<&Value> {
        body[item].as_array().map_or(Vec::new(), |all| all.iter().map(|it| &it[inner]).collect())
    };
    match (body.get("data"), body.get("embeddings")) {
        (Some(_), _) => values("data", "embedding"),
        (None, Some(_)) => values("embeddings", "values"),
        (None, None) => vec![&body["embedding"]["values"]],
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = digits.iter().position(|known| *known == digit).expect("a base64 digit");
        (bits, held) = (bits << 6 | u32::try_from(value).unwrap(), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

#[allow(clippy::cast_possible_truncation)]
fn floats(vector: &Value, provider: &str) -> Vec<f32> {
    match vector {
        Value::Array(numbers) => numbers.iter().map(|it| it.as_f64().unwrap() as f32).collect(),
        Value::String(text) if provider == "perplexity" => {
            base64(text).into_iter().map(|byte| f32::from(i8::from_le_bytes([byte]))).collect()
        }
        Value::String(text) => {
            let bytes = base64(text);
            bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
        }
        other => panic!("{other}"),
    }
}

fn tokens(body: &Value) -> Option<u64> {
    let paths = ["/usage/prompt_tokens", "/usage/total_tokens", "/usageMetadata/promptTokenCount"];
    let mut counts = paths.iter().filter_map(|path| body.pointer(path)?.as_u64());
    counts.find(|count| *count > 0)
}

#[test]
fn recorded_embeddings_decode_to_the_vectors_in_the_body() {
    let Some(recordings) = Recordings::open() else { return };
    let is_embedding = |entry: &&Value| {
        let url = member(entry, "url");
        url.ends_with("/embeddings")
            || url.ends_with("mbedContent")
            || url.ends_with("mbedContents")
    };
    let (mut read, mut failed) = (0, 0);
    for entry in recordings.entries.iter().filter(is_embedding) {
        let (file, provider) = (member(entry, "file"), member(entry, "provider"));
        let raw = recordings.body(entry);
        let body: Value = serde_json::from_slice(&raw).unwrap();
        let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
        let server = loopback();
        server.on(|_| true, Reply::raw(status, "application/json", raw));
        let client = Client::builder()
            .profile(profile(&provider, format!("http://{}", server.address())))
            .api_key(KEY)
            .retry(quick_retries(0))
            .build()
            .unwrap();
        let url = member(entry, "url");
        let model = match url.split_once("/models/") {
            Some((_, end)) => end.split(':').next().unwrap().to_owned(),
            None => member(&entry["request_body"], "model"),
        };
        let texts = vec!["x"; texts(&entry["request_body"])];
        let embeddings = match client.embed(EmbedRequest::from(texts).model(model)) {
            Ok(embeddings) => embeddings,
            Err(error) => {
                assert_eq!(error.status(), Some(status), "{file}: {error}");
                assert_eq!(body["error"]["message"], error.message(), "{file}");
                failed += 1;
                continue;
            }
        };
        let expected: Vec<_> = vectors(&body).iter().map(|it| floats(it, &provider)).collect();
        assert!(embeddings.rows().eq(expected.iter().map(Vec::as_slice)), "{file}");
        match tokens(&body) {
            Some(tokens) => assert_eq!(embeddings.usage.prompt_tokens, tokens, "{file}"),
            None => assert_ne!(embeddings.usage.source, UsageSource::Reported, "{file}"),
        }
        read += 1;
    }
    assert_eq!((read, failed), (23, 1));
}
