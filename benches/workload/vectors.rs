//! Embeddings in OpenAI's format: a request for those of many texts, and the answer.

use std::fmt::Write;
use tollgate::EmbedRequest;
use tollgate::internals::encode_base64;
use tollgate::testing::embedding;

pub(crate) const TEXTS: usize = 32;

/// That of `text-embedding-3-small`.
pub(crate) const DIMENSION: usize = 1_536;

pub(crate) fn request() -> EmbedRequest {
    EmbedRequest::new((0..TEXTS).map(text))
}

/// Some 40 tokens, like a passage of a document.
fn text(number: usize) -> String {
    format!(
        "Passage {number}: the capital of France is Paris, a city of more than two million. It lies \
         on the “Seine”, and has done so for longer than it has been a capital."
    )
}

/// "Create embeddings" in OpenAI's API reference.
pub(crate) fn body(form: &str) -> Vec<u8> {
    let mut data = String::new();
    for number in 0..TEXTS {
        let vector = embedding(&text(number), DIMENSION);
        let vector = match form {
            "base64" => format!("\"{}\"", floats(&vector)),
            _ => numbers(&vector),
        };
        let comma = if number == 0 { "" } else { "," };
        write!(data, r#"{comma}{{"object":"embedding","index":{number},"embedding":{vector}}}"#)
            .expect("a text grows");
    }
    format!(
        r#"{{"object":"list","data":[{data}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":1280,"total_tokens":1280}}}}"#
    )
    .into_bytes()
}

/// The components with as many digits as OpenAI writes.
fn numbers(vector: &[f32]) -> String {
    let numbers: Vec<_> = vector.iter().map(|value| format!("{value:.9}")).collect();
    format!("[{}]", numbers.join(","))
}

/// Little-endian 32-bit floats in base64.
fn floats(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    encode_base64(&bytes)
}
