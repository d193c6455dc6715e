//! What response headers are read for.

use super::request_id;

/// Names the exception of an error response of AWS's
/// (smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, "Operation error serialization").
pub(super) const AWSS_ERROR: &str = "x-amzn-errortype";

/// The headers that are read by their full name, besides request ids.
const NAMED: [&str; 14] = [
    "content-type",
    "content-encoding",
    "date",
    "location",
    "x-should-retry",
    AWSS_ERROR,
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "llm_provider-retry-after",
    "llm_provider-retry-after-ms",
    "x-goog-upload-url",
    "x-goog-upload-status",
    "x-goog-upload-size-received",
];

/// What a header is read for. It is found once, when the response arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A number of a rate limit.
    RateLimit(Source, Number),
    /// Azure's, which shows that its resets are in milliseconds.
    RenewalPeriod,
    /// The id of the request. The lowest place takes precedence.
    RequestId(usize),
    /// Something else, by its full name.
    Named(&'static str),
}

/// The place of a number in a [`RateLimit`]: that of its quota, and that in the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) quota: usize,
    pub(super) field: usize,
}

impl Purpose {
    /// Returns what a header with this name (in lower case) is read for. The transport drops all
    /// headers that nobody reads, so [`Reply::header`] refuses their names in debug builds.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if let Some(rest) = name.strip_prefix(OPENAI) {
            return openai(rest);
        }
        if let Some(rest) = name.strip_prefix(ANTHROPIC) {
            let (quota, field) = cut(rest, rest.iter().rposition(|byte| *byte == b'-'))?;
            return number_of(Source::Anthropic, quota, field);
        }
        if let Some(field) = name.strip_prefix(COHERE) {
            return number_of(Source::Bare, b"requests", field);
        }
        if let Some(place) = request_id::place(name) {
            return Some(Self::RequestId(place));
        }
        NAMED.iter().find(|known| known.as_bytes() == name).map(|name| Self::Named(name))
    }

    /// Returns a name of a header that is read for this.
    pub(super) fn name(self) -> String {
        match self {
            Self::RateLimit(source, Number { quota, field }) => {
                let (quota, field) = (QUOTAS[quota], FIELDS[field]);
                match source {
                    Source::Anthropic => format!("anthropic-ratelimit-{quota}-{field}"),
                    Source::OpenAi => format!("x-ratelimit-{field}-{quota}"),
                    Source::Bare => format!("x-ratelimit-{field}-{quota}-minute"),
                }
            }
            Self::RenewalPeriod => "x-ratelimit-renewalperiod-requests".to_owned(),
            Self::RequestId(place) => request_id::name(place).to_owned(),
            Self::Named(name) => name.to_owned(),
        }
    }
}

impl Purpose {
    /// Returns a name of a header that is read for this, if it is about the answer rather than about
    /// the moment at which it came.
    pub(super) fn lasting_name(self) -> Option<&'static str> {
        match self {
            Self::RequestId(place) => Some(request_id::name(place)),
            Self::Named(name @ ("content-type" | "content-encoding")) => Some(name),
            Self::Named(_) | Self::RateLimit(..) | Self::RenewalPeriod => None,
        }
    }
}

/// What a header of OpenAI's is read for, from its name without the prefix.
fn openai(rest: &[u8]) -> Option<Purpose> {
    match cut(rest, rest.iter().position(|byte| *byte == b'-')) {
        // Azure writes plain milliseconds. Recorded: 14 of 120,000 tokens a minute were restored
        // after `7`, one of 120 requests a minute after `500`.
        Some((b"renewalperiod", b"requests" | b"tokens")) => Some(Purpose::RenewalPeriod),
        Some((field, quota)) => match quota.strip_suffix(b"-minute") {
            Some(quota) => number_of(Source::Bare, quota, field),
            None => number_of(Source::OpenAi, quota, field),
        },
        None => number_of(Source::Bare, b"requests", rest),
    }
}

/// The quotas, in the order of [`RateLimit`].
const QUOTAS: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];

/// Their numbers, in the order of `Quota`.
const FIELDS: [&str; 3] = ["limit", "remaining", "reset"];

fn number_of(source: Source, quota: &[u8], field: &[u8]) -> Option<Purpose> {
    // In the order of `RateLimit`.
    let quota = match quota {
        b"requests" | b"req" => 0,
        b"tokens" => 1,
        b"input-tokens" => 2,
        b"output-tokens" => 3,
        _ => return None,
    };
    // In the order of `Quota`.
    let field = match field {
        b"limit" => 0,
        b"remaining" => 1,
        b"reset" => 2,
        _ => return None,
    };
    Some(Purpose::RateLimit(source, Number { quota, field }))
}

/// Splits a name around the byte at `at`.
fn cut(name: &[u8], at: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, behind) = name.split_at_checked(at?)?;
    Some((before, behind.get(1..)?))
}

/// The prefixes of OpenAI's, Anthropic's and Cohere's headers.
const OPENAI: &[u8] = b"x-ratelimit-";
const ANTHROPIC: &[u8] = b"anthropic-ratelimit-";
const COHERE: &[u8] = b"x-trial-endpoint-call-";

/// Whose header a number of a rate limit is, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Anthropic,
    OpenAi,
    /// OpenAI's without the last word, or with a period after it.
    Bare,
}

#[cfg(test)]
mod tests {
    use super::super::request_id::{NAMES, OTHERS};
    use super::*;

    #[test]
    fn every_header_that_is_read_has_a_purpose() {
        let others = [
            "x-ratelimit-limit-requests",
            "x-ratelimit-renewalperiod-tokens",
            "anthropic-ratelimit-input-tokens-reset",
            "x-ms-retry-after-ms",
            "llm_provider-retry-after",
            "x-trial-endpoint-call-limit",
        ];
        for name in NAMED.iter().chain(NAMES).chain(OTHERS).chain(&others) {
            assert!(Purpose::of(name.as_bytes()).is_some(), "{name}");
        }
        for name in ["content-length", "set-cookie", "server", "x-request", "ratelimit"] {
            assert_eq!(Purpose::of(name.as_bytes()), None, "{name}");
        }
    }
}
