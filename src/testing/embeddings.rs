//! Embeddings in the providers' formats, with vectors computed from the texts.

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure};
use super::render::{Event, Filled, Renderer};
use super::reply::Reply;
use super::request::Request;
use super::{bedrock, cohere, gemini, ollama, openai};
use crate::base64;

/// The dimension of vectors if the request sets none.
const DIMENSION: usize = 16;

/// A format of embeddings: where a request has its texts and their dimension, and the body of an
/// answer.
pub(super) struct Embeddings {
    texts: fn(body: &Value) -> Vec<String>,
    /// JSON pointers to the dimension; the first that leads to a number.
    dimension: &'static [&'static str],
    whole: fn(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value,
    /// Renders errors and headers.
    errors: &'static (dyn Renderer + Sync),
}

/// `POST /embeddings`, of OpenAI, Jina, Mistral, Perplexity and Voyage. The model's name tells the
/// last two, whose answers differ.
pub(super) static OPENAI: Embeddings = Embeddings {
    texts: |body| listed(&body["input"]),
    dimension: &["/dimensions", "/output_dimension"],
    whole: openai_body,
    errors: &openai::CHAT,
};

/// `POST /model/{model}/invoke`, of Amazon's Titan
/// (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html) and Cohere's
/// Embed (…/model-parameters-embed-v3.html).
pub(super) static BEDROCK: Embeddings = Embeddings {
    texts: |body| match body.get("inputText") {
        Some(text) => listed(text),
        None => listed(&body["texts"]),
    },
    dimension: &["/dimensions", "/output_dimension"],
    whole: bedrock_body,
    errors: &bedrock::Converse,
};

/// `POST /v2/embed` (docs.cohere.com/reference/embed).
pub(super) static COHERE: Embeddings = Embeddings {
    texts: |body| listed(&body["texts"]),
    dimension: &["/output_dimension"],
    whole: |filled, vectors| {
        let mut body = by_type(filled, vectors);
        if let Some(usage) = filled.usage {
            body["meta"] = json!({"billed_units": {"input_tokens": usage.prompt}});
        }
        body
    },
    errors: &cohere::Chat,
};

/// `POST /models/{model}:batchEmbedContents` (ai.google.dev/api/embeddings).
pub(super) static GEMINI: Embeddings = Embeddings {
    texts: |body| each(&body["requests"], "/content/parts/0/text"),
    dimension: &["/requests/0/outputDimensionality"],
    whole: |filled, vectors| {
        let values = vectors.iter().map(|vector| json!({"values": vector}));
        let mut body = json!({"embeddings": values.collect::<Vec<_>>()});
        google_usage(filled, &mut body);
        body
    },
    errors: &gemini::GenerateContent,
};

/// `POST /api/embed` (docs.ollama.com/api/embed).
pub(super) static OLLAMA: Embeddings = Embeddings {
    texts: |body| listed(&body["input"]),
    dimension: &["/dimensions"],
    whole: |filled, vectors| {
        let mut body = json!({"model": filled.model, "embeddings": vectors, "total_duration": 1});
        if let Some(usage) = filled.usage {
            body["prompt_eval_count"] = usage.prompt.into();
        }
        body
    },
    errors: &ollama::Chat,
};

/// `:predict` and, for one text, `:embedContent`
/// (docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api).
pub(super) static VERTEX: Embeddings = Embeddings {
    texts: |body| match body.pointer("/content/parts/0/text") {
        Some(text) => listed(text),
        None => each(&body["instances"], "/content"),
    },
    dimension: &["/embedContentConfig/outputDimensionality", "/parameters/outputDimensionality"],
    whole: vertex_body,
    errors: &gemini::GenerateContent,
};

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

    fn prompt_bytes(&self, request: &Request) -> usize {
        (self.texts)(request.json()).iter().map(String::len).sum()
    }

    fn finish_reason(&self, _: &Reply, _: &Answer) -> String {
        String::new()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let body = filled.request.json();
        let asked = self.dimension.iter().find_map(|path| body.pointer(path)?.as_u64());
        let dimension = asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(DIMENSION);
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

/// One text, or a list of them.
fn listed(texts: &Value) -> Vec<String> {
    match texts {
        Value::Array(_) => each(texts, ""),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// The text at a JSON pointer of each element.
fn each(list: &Value, pointer: &str) -> Vec<String> {
    let texts = list.as_array().map_or(&[][..], Vec::as_slice).iter();
    let text = |one: &Value| one.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    texts.map(|one| text(one).unwrap_or_default()).collect()
}

fn openai_body(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value {
    let body = filled.request.json();
    // Jina has another name for it.
    let is_base64 = body["encoding_format"] == "base64" || body["embedding_type"] == "base64";
    let has_bytes = filled.model.starts_with("pplx");
    let vector = |vector: &[f32]| match (has_bytes, is_base64) {
        (true, _) => json!(base64::encode(&bytes(vector))),
        (false, true) => {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(base64::encode(&bytes))
        }
        (false, false) => json!(vector),
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
        body["usage"] = json!({"total_tokens": usage.prompt});
        // Voyage reports only the total.
        if !filled.model.starts_with("voyage") {
            body["usage"]["prompt_tokens"] = usage.prompt.into();
        }
    }
    body
}

/// Perplexity's components: signed bytes.
fn bytes(vector: &[f32]) -> Vec<u8> {
    let byte = |value: &f32| {
        let rounded = (value * 127.0).round();
        (-127..=127_i8).find(|byte| f32::from(*byte) >= rounded).unwrap_or(127)
    };
    vector.iter().map(|value| byte(value).to_le_bytes()[0]).collect()
}

fn bedrock_body(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value {
    if filled.request.json().get("inputText").is_none() {
        // Without a count of tokens.
        return by_type(filled, vectors);
    }
    let mut body = json!({"embedding": vectors.first()});
    if let Some(usage) = filled.usage {
        body["inputTextTokenCount"] = usage.prompt.into();
    }
    body
}

/// Cohere's vectors, by the type of their components.
fn by_type(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value {
    json!({
        "id": format!("loopback-{}", filled.number),
        "response_type": "embeddings_by_type",
        "embeddings": {"float": vectors},
    })
}

fn vertex_body(filled: &Filled<'_>, vectors: &[Vec<f32>]) -> Value {
    if filled.request.json().get("content").is_some() {
        let mut body = json!({"embedding": {"values": vectors.first()}});
        google_usage(filled, &mut body);
        return body;
    }
    // Each text has a count. Together they are those of the reply.
    let mut left = filled.usage.map(|usage| usage.prompt);
    let prediction = |(place, vector): (usize, &Vec<f32>)| {
        let mut embedding = json!({"values": vector});
        if let Some(left) = &mut left {
            let tokens = *left / (vectors.len() - place) as u64;
            *left -= tokens;
            embedding["statistics"] = json!({"token_count": tokens, "truncated": false});
        }
        json!({"embeddings": embedding})
    };
    json!({"predictions": vectors.iter().enumerate().map(prediction).collect::<Vec<_>>()})
}

fn google_usage(filled: &Filled<'_>, body: &mut Value) {
    if let Some(usage) = filled.usage {
        body["usageMetadata"] = json!({"promptTokenCount": usage.prompt});
    }
}
