//! The state of a limit, for people and dashboards.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use crate::display::count;

/// The state of one account of a limit, taken at one moment; see
/// [`Client::limits`](crate::Client::limits).
///
/// `Display` shows one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitStatus {
    /// The name of the limit.
    pub name: String,
    /// Which account of the limit, such as `customer=acme`. Empty if the limit has only one.
    pub account: String,
    /// Whether the provider's headers set the limits.
    pub is_learned: bool,
    /// Requests per minute; for a learned limit, in the provider's window.
    pub requests: Option<LimitLevel>,
    /// Tokens per minute; for a learned limit, in the provider's window.
    pub tokens: Option<LimitLevel>,
    /// Input tokens, if the provider limits them separately. Learned limits only.
    pub input_tokens: Option<LimitLevel>,
    /// Output tokens, if the provider limits them separately. Learned limits only.
    pub output_tokens: Option<LimitLevel>,
    /// The calls in flight.
    pub in_flight: u32,
    /// The most calls that may be in flight now.
    pub max_in_flight: Option<u32>,
    /// The callers that wait in line.
    pub waiting: usize,
    /// How much longer the provider has asked to wait. Learned limits only.
    pub closed_for: Option<Duration>,
}

/// A limit, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitLevel {
    /// The limit.
    pub limit: u64,
    /// What can be used at once. It can exceed the limit if the burst is longer than a minute.
    pub available: u64,
}

impl fmt::Display for LimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.account.is_empty() {
            write!(f, " [{}]", self.account)?;
        }
        write!(f, ": {}", self.in_flight)?;
        if let Some(most) = self.max_in_flight {
            write!(f, " of {most}")?;
        }
        f.write_str(" in flight")?;
        for (what, part) in [
            ("requests", self.requests),
            ("tokens", self.tokens),
            ("input tokens", self.input_tokens),
            ("output tokens", self.output_tokens),
        ] {
            if let Some(LimitLevel { limit, available }) = part {
                write!(f, ", {} of {} {what} available", count(available), count(limit))?;
            }
        }
        if self.waiting > 0 {
            write!(f, ", {} waiting", self.waiting)?;
        }
        if let Some(left) = self.closed_for {
            write!(f, "; the provider asks to wait {left:.1?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_and_reads_back_unchanged() {
        let status = LimitStatus {
            name: "openai".into(),
            account: "customer=acme".into(),
            is_learned: false,
            requests: Some(LimitLevel { limit: 60, available: 12 }),
            tokens: Some(LimitLevel { limit: 90_000, available: 0 }),
            input_tokens: None,
            output_tokens: None,
            in_flight: 3,
            max_in_flight: Some(8),
            waiting: 2,
            closed_for: Some(Duration::from_millis(1_500)),
        };
        assert_eq!(
            status.to_string(),
            "openai [customer=acme]: 3 of 8 in flight, 12 of 60 requests available, 0 of 90,000 \
             tokens available, 2 waiting; the provider asks to wait 1.5s"
        );
        let stored = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<LimitStatus>(&stored).unwrap(), status);
    }
}
