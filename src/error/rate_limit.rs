//! The rate limits that a response reports.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The rate limits that a response's headers report. A value is `None` where the provider did not
/// send it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests in the current window.
    #[serde(skip_serializing_if = "Quota::is_unknown")]
    pub requests: Quota,
    /// Tokens in the current window.
    #[serde(skip_serializing_if = "Quota::is_unknown")]
    pub tokens: Quota,
    /// Input tokens, where the provider counts them separately (Anthropic).
    #[serde(skip_serializing_if = "Quota::is_unknown")]
    pub input_tokens: Quota,
    /// Output tokens, where the provider counts them separately (Anthropic).
    #[serde(skip_serializing_if = "Quota::is_unknown")]
    pub output_tokens: Quota,
}

impl RateLimit {
    /// Returns how long it takes until every used-up limit has refilled; `None` if none is used up
    /// or no time is known. A limit that resets at once is ignored.
    pub(crate) fn refilled_in(&self) -> Option<Duration> {
        [self.requests, self.tokens, self.input_tokens, self.output_tokens]
            .into_iter()
            .filter(|quota| quota.remaining == Some(0))
            .filter_map(|quota| quota.reset)
            .max()
            .filter(|reset| !reset.is_zero())
    }
}

/// One rate limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Quota {
    /// How many the window allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How many are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// How long until the limit refills completely, measured from the arrival of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<Duration>,
}

impl Quota {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
