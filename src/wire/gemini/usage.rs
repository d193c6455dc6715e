//! Reads token counts (`UsageMetadata`).

use serde_json::{Map, Value};

use crate::chat::{Usage, UsageSource};
use crate::family::Traits;
use crate::wire::json;

/// The members that [`read`] reads, and the service tier. Others are kept beside the answer.
const KNOWN: [&str; 7] = [
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
    "serviceTier",
];

/// The counts that grow from chunk to chunk.
pub(super) const GROWING: [&str; 3] =
    ["candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"];

/// Converts the counts.
///
/// `promptTokenCount` includes cached tokens, but not the results of Google's own tools, which are
/// `toolUsePromptTokenCount`. `candidatesTokenCount` does not include thoughts. The total is the
/// sum of the prompt, the tool results, the candidates and the thoughts
/// (`GenerateContentResponseUsageMetadata` in python-genai). The JSON omits counts of zero, as
/// protocol buffers do (protobuf.dev/programming-guides/json), so the total shows whether the
/// output was counted.
pub(super) fn read(value: &Value) -> Usage {
    let Some(members) = value.as_object() else { return Usage::default() };
    let (mut prompt, mut candidates, mut thoughts, mut total) = (None, None, None, None);
    let (mut tool_use, mut cached) = (0, 0);
    let mut usage = Usage::default();
    for (name, value) in members {
        match name.as_str() {
            "promptTokenCount" => prompt = json::count(value),
            "candidatesTokenCount" => candidates = json::count(value),
            "thoughtsTokenCount" => thoughts = json::count(value),
            "toolUsePromptTokenCount" => tool_use = json::count(value).unwrap_or(0),
            "cachedContentTokenCount" => cached = json::count(value).unwrap_or(0),
            "totalTokenCount" => total = json::count(value),
            "promptTokensDetails" => {
                usage.prompt_audio_tokens = modality(value, "AUDIO");
                usage.prompt_image_tokens = modality(value, "IMAGE");
            }
            "candidatesTokensDetails" => {
                usage.completion_audio_tokens = modality(value, "AUDIO");
                usage.completion_image_tokens = modality(value, "IMAGE");
            }
            _ => {}
        }
    }
    let input = prompt.map(|prompt| prompt.saturating_add(tool_use));
    let written = candidates.unwrap_or(0_u64).saturating_add(thoughts.unwrap_or(0));
    let rest = total.map(|total: u64| total.saturating_sub(input.unwrap_or(total)));
    let output = match (candidates.or(thoughts), rest) {
        (None, None) => None,
        (_, rest) => Some(written.max(rest.unwrap_or(0))),
    };
    if (input, output) == (None, None) {
        return Usage::default();
    }
    usage.prompt_tokens = input.unwrap_or(0);
    usage.completion_tokens = output.unwrap_or(0);
    usage.total_tokens = usage.prompt_tokens.saturating_add(usage.completion_tokens);
    usage.cached_tokens = cached;
    usage.reasoning_tokens = thoughts.unwrap_or(0);
    usage.source = UsageSource::of(input.is_some(), output.is_some());
    usage
}

/// The names of modalities by number, which `$alt=json;enum-encoding=int` asks for
/// (googleapis/googleapis `google/cloud/aiplatform/v1/content.proto`, `Modality`).
const MODALITIES: [&str; 6] =
    ["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"];

/// Returns the tokens of one modality (`ModalityTokenCount`).
fn modality(details: &Value, name: &str) -> u64 {
    let details = details.as_array().into_iter().flatten();
    let of = |detail: &Value| {
        let modality = detail.get("modality");
        let number = modality.and_then(Value::as_u64).and_then(|number| number.try_into().ok());
        let named = number.and_then(|number: usize| MODALITIES.get(number).copied());
        let is = named.or_else(|| modality?.as_str()) == Some(name);
        is.then(|| detail.get("tokenCount").and_then(json::count)).flatten()
    };
    details.filter_map(of).fold(0, u64::saturating_add)
}

/// Returns the service tier that served the call. Vertex AI reports it as the type of traffic
/// (`TrafficType` in python-genai).
pub(super) fn tier(value: &Value) -> Option<&str> {
    let member = |name| value.get(name).and_then(Value::as_str);
    member("serviceTier").or_else(|| match member("trafficType")? {
        "ON_DEMAND" => Some("standard"),
        "ON_DEMAND_FLEX" => Some("flex"),
        "ON_DEMAND_PRIORITY" => Some("priority"),
        _ => None,
    })
}

/// Returns the other members: the details of the counts, the type of traffic.
pub(super) fn beside(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { return Map::new() };
    members
        .into_iter()
        .filter(|(name, value)| !KNOWN.contains(&name.as_str()) && !value.is_null())
        .collect()
}

/// Returns the number of billed web searches, from the grounding of the answer. From Gemini 3 on
/// each query is billed, before that each prompt with a search
/// (ai.google.dev/gemini-api/docs/google-search, "Pricing").
pub(super) fn web_searches(grounding: Option<&Value>, served: &str) -> u64 {
    let queries = grounding.and_then(|grounding| grounding.get("webSearchQueries"));
    let queries = queries.and_then(Value::as_array).into_iter().flatten();
    let says = |query: &&Value| query.as_str().is_some_and(|query| !query.trim().is_empty());
    let count = queries.filter(says).count();
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let is_before_3 = || Traits::of_name(served).gemini_3 == Some(false);
    if count > 1 && is_before_3() { 1 } else { count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_are_converted() {
        for (given, (prompt, completion, cached, reasoning), source) in [
            // Recorded: gemini-2.5-flash, two calls.
            (
                json!({"promptTokenCount": 70, "candidatesTokenCount": 40, "totalTokenCount": 179,
                    "thoughtsTokenCount": 69}),
                (70, 109, 0, 69),
                UsageSource::Reported,
            ),
            // Recorded: all of the limit went into thoughts.
            (
                json!({"promptTokenCount": 15, "thoughtsTokenCount": 2, "totalTokenCount": 17}),
                (15, 2, 0, 2),
                UsageSource::Reported,
            ),
            (
                json!({"promptTokenCount": 9622, "candidatesTokenCount": 35, "totalTokenCount": 9793,
                    "cachedContentTokenCount": 9609, "thoughtsTokenCount": 136}),
                (9622, 171, 9609, 136),
                UsageSource::Reported,
            ),
            // The results of Google's tools are input.
            (
                json!({"promptTokenCount": 10, "toolUsePromptTokenCount": 90,
                    "candidatesTokenCount": 5, "totalTokenCount": 105}),
                (100, 5, 0, 0),
                UsageSource::Reported,
            ),
            // An empty output: counts of zero are omitted.
            (
                json!({"promptTokenCount": 9, "totalTokenCount": 9}),
                (9, 0, 0, 0),
                UsageSource::Reported,
            ),
            // Only the total includes the thoughts.
            (
                json!({"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 30}),
                (9, 21, 0, 0),
                UsageSource::Reported,
            ),
            (json!({"promptTokenCount": 9}), (9, 0, 0, 0), UsageSource::EstimatedOutput),
            (json!({"candidatesTokenCount": 9}), (0, 9, 0, 0), UsageSource::EstimatedInput),
            (json!({"totalTokenCount": "x"}), (0, 0, 0, 0), UsageSource::Missing),
            (json!([]), (0, 0, 0, 0), UsageSource::Missing),
        ] {
            let usage = read(&given);
            let counts = (
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.reasoning_tokens,
            );
            assert_eq!(counts, (prompt, completion, cached, reasoning), "{given}");
            assert_eq!(usage.source, source, "{given}");
        }
    }

    #[test]
    fn modalities_are_counted_and_other_members_are_kept() {
        let given = json!({
            "promptTokenCount": 300, "candidatesTokenCount": 40, "totalTokenCount": 340,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10},
                {"modality": "AUDIO", "tokenCount": 32}, {"modality": "IMAGE", "tokenCount": 258}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 30}, {"modality": "AUDIO"}],
            "serviceTier": "flex", "trafficType": "ON_DEMAND", "odd": null,
        });
        let usage = read(&given);
        assert_eq!((usage.prompt_audio_tokens, usage.prompt_image_tokens), (32, 258));
        assert_eq!((usage.completion_audio_tokens, usage.completion_image_tokens), (0, 30));
        assert_eq!(tier(&given), Some("flex"));
        let kept: Vec<_> = beside(given).into_iter().map(|(name, _)| name).collect();
        assert_eq!(kept, ["promptTokensDetails", "candidatesTokensDetails", "trafficType"]);
    }

    #[test]
    fn the_traffic_type_tells_the_tier_on_vertex() {
        for (usage, expected) in [
            (json!({"trafficType": "ON_DEMAND_FLEX"}), Some("flex")),
            (json!({"trafficType": "ON_DEMAND_PRIORITY"}), Some("priority")),
            (json!({"trafficType": "ON_DEMAND"}), Some("standard")),
            (json!({"trafficType": "PROVISIONED_THROUGHPUT"}), None),
            (json!({"trafficType": 1}), None),
            (json!({"trafficType": "ON_DEMAND_FLEX", "serviceTier": "standard"}), Some("standard")),
        ] {
            assert_eq!(tier(&usage), expected, "{usage}");
        }
    }

    #[test]
    fn modalities_may_be_numbers() {
        let usage = read(&json!({
            "promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10,
            "promptTokensDetails": [{"modality": 2, "tokenCount": 5}, {"modality": 4, "tokenCount": 3},
                {"modality": 99, "tokenCount": 1}],
        }));
        assert_eq!((usage.prompt_image_tokens, usage.prompt_audio_tokens), (5, 3));
    }

    #[test]
    fn searches_are_billed_per_query_or_per_prompt() {
        let found = json!({"webSearchQueries": ["a", "b", ""]});
        for (served, expected) in
            [("gemini-2.5-flash", 1), ("gemini-3.5-flash", 2), ("gemini-4-argon", 2), ("", 2)]
        {
            assert_eq!(web_searches(Some(&found), served), expected, "{served}");
        }
        assert_eq!(web_searches(Some(&json!({"webSearchQueries": []})), "gemini-2.5-flash"), 0);
        assert_eq!(web_searches(None, "gemini-2.5-flash"), 0);
    }
}
