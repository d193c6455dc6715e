//! What a response said about the provider's rate limits.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a response's rate-limit headers said. Each is absent where the provider
/// did not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests in the current window.
    pub requests: Quota,
    /// Tokens in the current window.
    pub tokens: Quota,
    /// Input tokens, where counted apart (Anthropic).
    pub input_tokens: Quota,
    /// Output tokens, where counted apart (Anthropic).
    pub output_tokens: Quota,
}

/// One rate limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Quota {
    /// How many the window allows.
    pub limit: Option<u64>,
    /// How many are left of it.
    pub remaining: Option<u64>,
    /// How long until it is full again, from when the response came.
    pub reset: Option<Duration>,
}
