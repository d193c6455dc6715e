//! The count of a request's tokens.

use serde_json::{Map, Value};

use crate::chat::Provider;

/// How many tokens a request has, as its provider counts them; see
/// [`Client::count_tokens`](crate::Client::count_tokens).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TokenCount {
    /// The tokens of the whole input: instructions, messages and tools.
    pub input_tokens: u64,
    /// How many of them are in a cache that the request names. Only Gemini reports them.
    pub cached_tokens: Option<u64>,
    /// The provider that counted.
    pub provider: Provider,
    /// The model whose tokens they are.
    pub model: String,
    /// Everything else that the provider reported, such as Gemini's `promptTokensDetails`.
    pub extra: Map<String, Value>,
}
