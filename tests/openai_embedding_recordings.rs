//! Recorded embeddings decode to what an independent walk over the raw body finds.

mod support;

use serde_json::Value;
use std::path::Path;
use support::recordings::{self, Recording};
use support::{KEY, loopback};
use tollgate::embed::EmbedRequest;
use tollgate::testing::Reply;
use tollgate::{Client, ErrorKind, UsageSource};

/// The recordings of embeddings: folder, start of the file's name, provider, and how the walk reads
/// a base64 string.
const RECORDED: [(&str, &str, &str, Components); 2] = [
    ("openai_embeddings", "", "openai", floats),
    ("perplexity", "ruby_llm-embedding", "perplexity", signed_bytes),
];

type Components = fn(&[u8]) -> Vec<f32>;

fn floats(bytes: &[u8]) -> Vec<f32> {
    assert_eq!(bytes.len() % 4, 0);
    let word = |at: usize| {
        let bits = (0..4).fold(0u32, |bits, byte| bits | u32::from(bytes[at + byte]) << (8 * byte));
        f32::from_bits(bits)
    };
    (0..bytes.len() / 4).map(|place| word(4 * place)).collect()
}

fn signed_bytes(bytes: &[u8]) -> Vec<f32> {
    let signed = |byte: i16| if byte > 127 { byte - 256 } else { byte };
    bytes.iter().map(|byte| f32::from(signed(i16::from(*byte)))).collect()
}

/// Decodes base64 bit by bit.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> = text
        .trim_end_matches('=')
        .chars()
        .flat_map(|digit| {
            let value = ALPHABET.find(digit).expect("a digit of base64");
            (0..6).rev().map(move |bit| value >> bit & 1 == 1)
        })
        .collect();
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks_exact(8).map(byte).collect()
}

fn walk(body: &Value, components: Components) -> Vec<Vec<f32>> {
    let data = body["data"].as_array().expect("a list");
    let mut vectors: Vec<(u64, Vec<f32>)> = data
        .iter()
        .map(|item| {
            let vector = match &item["embedding"] {
                Value::String(text) => components(&base64(text)),
                numbers => {
                    let numbers = numbers.as_array().expect("numbers");
                    // Through the shortest text of the number, as it stands in the body.
                    numbers.iter().map(|number| number.to_string().parse().unwrap()).collect()
                }
            };
            (item["index"].as_u64().expect("an index"), vector)
        })
        .collect();
    vectors.sort_by_key(|(index, _)| *index);
    vectors.into_iter().map(|(_, vector)| vector).collect()
}

/// A request like the recorded one. Its texts only have to be as many as the answer's vectors.
fn request(recording: &Recording, count: usize) -> EmbedRequest {
    let asked = &recording.request;
    let mut request = EmbedRequest::new((0..count.max(1)).map(|number| format!("text {number}")));
    request.model = asked["model"].as_str().map(str::to_owned);
    request.dimensions =
        asked["dimensions"].as_u64().map(|dimensions| u32::try_from(dimensions).unwrap());
    request
}

#[test]
fn recorded_embeddings_decode_to_the_same_vectors_and_usage() {
    let Some(root) = recordings::folder() else { return };
    let mut decoded = 0;
    for (folder, start, provider, components) in RECORDED {
        for recording in recordings::all(Path::new(&root)) {
            let file = recording.file.clone();
            let Some(name) = file.strip_prefix(&format!("{folder}/")) else { continue };
            if !name.starts_with(start) {
                continue;
            }
            let server = loopback();
            let body = recording.body.clone();
            let mut reply = Reply::raw(recording.status, "application/json", body.clone());
            if let Some(id) = recording.header("x-request-id") {
                reply = reply.header("x-request-id", id);
            }
            server.default_reply(reply);
            let client = Client::builder().provider(provider).api_key(KEY);
            let client = client.base_url(server.base_url(provider)).build().unwrap();
            let raw: Value = serde_json::from_slice(&body).expect("JSON");
            decoded += 1;
            if recording.status != 200 {
                let error = client.embed(request(&recording, 1)).unwrap_err();
                assert_eq!(error.status(), Some(recording.status), "{file}");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{file}");
                assert!(raw["error"]["message"].as_str().unwrap().contains(error.message()));
                continue;
            }
            let expected = walk(&raw, components);
            let request = request(&recording, expected.len());
            let embeddings = client.embed(request).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert_eq!(embeddings.to_vecs(), expected, "{file}");
            assert_eq!(embeddings.model, raw["model"].as_str().unwrap(), "{file}");
            assert_eq!(Some(embeddings.usage.prompt_tokens), raw["usage"]["prompt_tokens"].as_u64());
            assert_eq!(embeddings.usage.source, UsageSource::Reported, "{file}");
            let id = embeddings.batches[0].request_id.as_deref();
            assert_eq!(id, recording.header("x-request-id"), "{file}");
        }
    }
    assert_eq!(decoded, 17);
}
