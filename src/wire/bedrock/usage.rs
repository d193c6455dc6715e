//! Reads token counts (`TokenUsage`).

use serde_json::Value;

use crate::chat::{Usage, UsageSource};
use crate::wire::beside::Beside;
use crate::wire::json;

/// The members that [`read`] reads. `…TokenCount` repeats the counts under older names (recorded in
/// vercel/ai).
const KNOWN: [&str; 8] = [
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "cacheReadInputTokens",
    "cacheWriteInputTokens",
    "cacheReadInputTokenCount",
    "cacheWriteInputTokenCount",
    "cacheDetails",
];

/// Converts the counts. `inputTokens` includes neither what was read from a cache nor what was
/// written to one ("total input tokens = inputTokens + cacheReadInputTokens +
/// cacheWriteInputTokens", AWS's page "Prompt caching"). `cacheDetails` has the written tokens by
/// their time to live.
pub(super) fn read(value: &Value) -> Usage {
    let count = |name: &str| value.get(name).and_then(json::count);
    let (input, output) = (count("inputTokens"), count("outputTokens"));
    if (input, output) == (None, None) {
        return Usage::default();
    }
    let cached = count("cacheReadInputTokens").unwrap_or(0);
    let written = count("cacheWriteInputTokens").unwrap_or(0);
    let details = value.get("cacheDetails").and_then(Value::as_array).into_iter().flatten();
    let of_an_hour = details.filter(|detail| detail.get("ttl").is_some_and(|ttl| ttl == "1h"));
    let of_an_hour = of_an_hour.filter_map(|detail| json::count(detail.get("inputTokens")?));
    let prompt = input.unwrap_or(0).saturating_add(cached).saturating_add(written);
    Usage {
        cached_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: of_an_hour.fold(0, u64::saturating_add).min(written),
        source: UsageSource::of(input.is_some(), output.is_some()),
        ..Usage::reported(prompt, output.unwrap_or(0))
    }
}

/// Returns the other members.
pub(super) fn beside(value: Value) -> Beside {
    let mut beside = Beside::default();
    if let Value::Object(members) = value {
        for (name, value) in members {
            if !KNOWN.contains(&name.as_str()) {
                beside.insert(&name, value);
            }
        }
    }
    beside
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cached_tokens_are_added_to_the_input() {
        for (given, expected, source) in [
            (
                json!({"inputTokens": 51, "outputTokens": 78, "totalTokens": 129}),
                (51, 78, 0, 0, 0),
                UsageSource::Reported,
            ),
            (
                json!({"inputTokens": 3, "outputTokens": 5, "cacheReadInputTokens": 1000,
                    "cacheWriteInputTokens": 200,
                    "cacheDetails": [{"ttl": "5m", "inputTokens": 50}, {"ttl": "1h", "inputTokens": 150}]}),
                (1203, 5, 1000, 200, 150),
                UsageSource::Reported,
            ),
            (json!({"outputTokens": 5}), (0, 5, 0, 0, 0), UsageSource::EstimatedInput),
            (json!({"totalTokens": 5}), (0, 0, 0, 0, 0), UsageSource::Missing),
            (json!("x"), (0, 0, 0, 0, 0), UsageSource::Missing),
        ] {
            let usage = read(&given);
            let found = (
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.cache_write_tokens,
                usage.cache_write_1h_tokens,
            );
            assert_eq!((found, usage.source), (expected, source), "{given}");
        }
    }
}
