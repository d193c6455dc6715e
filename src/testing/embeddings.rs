//! Embeddings in the providers' formats, with vectors computed from the texts.

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure};
use super::openai;
use super::render::{Event, Filled, Renderer};
use super::reply::Reply;
use super::request::Request;
use crate::base64;

/// The dimension of vectors if the request sets none.
const DIMENSION: usize = 16;

/// A format of embeddings: where a request has its texts, and the body of an answer.
pub(super) struct Embeddings {
    texts: fn(body: &Value) -> Vec<String>,
    whole: fn(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value,
    /// Renders errors and headers.
    errors: &'static (dyn Renderer + Sync),
}

/// `POST /embeddings`.
pub(super) static OPENAI: Embeddings =
    Embeddings { texts: input, whole: openai_body, errors: &openai::CHAT };

/// The vector that the loopback provider returns for a text: always the same for the same text, of
/// length 1, with components between -1 and 1. A request without dimensions gets 16.
///
/// ```
/// use tollgate::testing::embedding;
///
/// assert_eq!(embedding("Paris", 4), embedding("Paris", 4));
/// assert_ne!(embedding("Paris", 4), embedding("Rome", 4));
/// ```
pub fn embedding(text: &str, dimension: usize) -> Vec<f32> {
    // FNV-1a, 64 bits (draft-eastlake-fnv, section 2), continued for each component.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mut component = || {
        hash = step(hash, 0x5a);
        let upper = u16::try_from(hash >> 48).unwrap_or_default();
        f32::from(upper) / 32_767.5 - 1.0
    };
    let raw: Vec<f32> = (0..dimension).map(|_| component()).collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.into_iter().map(|value| if length > 0.0 { value / length } else { value }).collect()
}

impl Renderer for Embeddings {
    fn is_stream(&self, _: &Request) -> bool {
        false
    }

    fn finish_reason(&self, _: &Reply, _: &Answer) -> String {
        String::new()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let body = filled.request.json();
        let asked = ["dimensions", "output_dimension"].iter().find_map(|name| body.get(name));
        let dimension = asked.and_then(Value::as_u64).and_then(|asked| usize::try_from(asked).ok());
        let dimension = dimension.unwrap_or(DIMENSION);
        let vectors: Vec<_> =
            (self.texts)(body).iter().map(|text| embedding(text, dimension)).collect();
        (self.whole)(filled, &vectors)
    }

    fn events(&self, _: &Filled<'_>) -> Vec<Event> {
        Vec::new()
    }

    fn error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        self.errors.error(status, failure, request_id)
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        self.errors.request_id(number)
    }

    fn rate_limit(&self, limit: u64, remaining: u64, now: SystemTime) -> Vec<(String, String)> {
        self.errors.rate_limit(limit, remaining, now)
    }

    fn not_found(&self, request: &Request) -> Reply {
        self.errors.not_found(request)
    }
}

/// The texts of `input`: one, or a list.
fn input(body: &Value) -> Vec<String> {
    match body.get("input") {
        Some(Value::Array(texts)) => {
            texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
        }
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn openai_body(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value {
    let is_base64 = filled.request.json()["encoding_format"] == "base64";
    let vector = |vector: &[f32]| match is_base64 {
        true => {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(base64::encode(&bytes))
        }
        false => json!(vector),
    };
    let data: Vec<_> = vectors
        .iter()
        .enumerate()
        .map(|(index, values)| {
            json!({"object": "embedding", "index": index, "embedding": vector(values)})
        })
        .collect();
    let mut body = json!({"object": "list", "data": data, "model": filled.model});
    if let Some(usage) = filled.usage {
        body["usage"] = json!({"prompt_tokens": usage.prompt, "total_tokens": usage.prompt});
    }
    body
}
