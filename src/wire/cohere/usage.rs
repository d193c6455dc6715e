//! Reads billed units and token counts (`Usage`).

use serde_json::{Map, Value};

use crate::chat::{Usage, UsageSource};
use crate::wire::beside::Beside;
use crate::wire::json;

/// Converts the counts.
///
/// `billed_units` is what Cohere bills. `tokens` also counts what Cohere adds, such as its own
/// instructions and special tokens: "Since these are tokens you don't have control over, you are
/// not charged for them" (docs.cohere.com/docs/how-does-cohere-pricing-work, "What's the Difference
/// Between "billed" Tokens and Generic Tokens?"). So the input and output of [`Usage`] are the
/// billed ones, and `tokens` fill in for those that are missing or zero.
///
/// `cached_tokens` are part of `tokens` and have no price of their own. There can be more of them
/// than billed tokens: a recorded answer has 1,698 input tokens, of which 1,616 were cached and 181
/// were billed. So [`Usage`] has them only if the report does not say what was billed.
///
/// `image_tokens` are not part of `input_tokens`; recorded: 34 of text, 259 of an image, 267 billed.
/// Reasoning tokens are part of the output.
pub(super) fn read(usage: &Value) -> Usage {
    let count = |group: &str, name: &str| usage.get(group)?.get(name).and_then(json::count);
    let images = count("tokens", "image_tokens").unwrap_or(0);
    let billed = |name| count("billed_units", name).filter(|count| *count > 0);
    let input = count("tokens", "input_tokens").map(|text| text.saturating_add(images));
    let prompt = billed("input_tokens").or(input).or(count("billed_units", "input_tokens"));
    let completion = billed("output_tokens").or(count("tokens", "output_tokens"));
    let completion = completion.or(count("billed_units", "output_tokens"));
    if prompt.is_none() && completion.is_none() {
        return Usage::default();
    }
    let source = UsageSource::of(prompt.is_some(), completion.is_some());
    let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let cached = usage.get("cached_tokens").and_then(json::count).unwrap_or(0);
    Usage {
        cached_tokens: if billed("input_tokens").is_none() { cached.min(prompt) } else { 0 },
        reasoning_tokens: count("tokens", "reasoning_tokens").unwrap_or(0).min(completion),
        prompt_image_tokens: images.min(prompt),
        source,
        ..Usage::reported(prompt, completion)
    }
}

/// Returns the whole report, to be kept beside the answer: [`Usage`] has only the billed counts.
pub(super) fn beside(usage: Value) -> Beside {
    let mut beside = Beside::default();
    if let Value::Object(members) = usage {
        members.into_iter().for_each(|(name, value)| beside.insert(&name, without_nulls(value)));
    }
    beside
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let said = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.collect::<Map<_, _>>())
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn billed_units_are_the_usage_and_tokens_fill_in() {
        use UsageSource::{EstimatedInput, EstimatedOutput};
        let of = |prompt, completion| Usage::reported(prompt, completion);
        for (report, expected) in [
            (
                json!({"billed_units": {"input_tokens": 181, "output_tokens": 34},
                    "tokens": {"input_tokens": 1698, "output_tokens": 66}, "cached_tokens": 1616}),
                of(181, 34),
            ),
            (
                json!({"billed_units": {"input_tokens": 65, "output_tokens": 63},
                    "tokens": {"input_tokens": 508, "output_tokens": 86, "reasoning_tokens": 28}}),
                Usage { reasoning_tokens: 28, ..of(65, 63) },
            ),
            (
                json!({"billed_units": {"input_tokens": 267, "output_tokens": 66},
                    "tokens": {"input_tokens": 34, "output_tokens": 70, "image_tokens": 259}}),
                Usage { prompt_image_tokens: 259, ..of(267, 66) },
            ),
            (
                json!({"tokens": {"input_tokens": 34.0, "output_tokens": 7, "image_tokens": 6},
                    "cached_tokens": 20}),
                Usage { cached_tokens: 20, prompt_image_tokens: 6, ..of(40, 7) },
            ),
            (
                json!({"billed_units": {"input_tokens": 0, "output_tokens": 0},
                    "tokens": {"input_tokens": 9, "output_tokens": 5}}),
                of(9, 5),
            ),
            (json!({"billed_units": {"input_tokens": 0, "output_tokens": 0}}), of(0, 0)),
            (
                json!({"billed_units": {"input_tokens": 9}}),
                Usage { source: EstimatedOutput, ..of(9, 0) },
            ),
            (
                json!({"tokens": {"output_tokens": 5}, "cached_tokens": 3}),
                Usage { source: EstimatedInput, ..of(0, 5) },
            ),
            (json!({"billed_units": {"search_units": 1}}), Usage::default()),
            (json!({"tokens": 5, "billed_units": null}), Usage::default()),
            (json!(null), Usage::default()),
        ] {
            assert_eq!(read(&report), expected, "{report}");
        }
    }

    #[test]
    fn the_whole_report_is_kept() {
        let report = json!({"billed_units": {"input_tokens": 1, "search_units": null},
            "tokens": {"input_tokens": 9}, "cached_tokens": null});
        let mut kept = Map::new();
        beside(report).nest_in("usage", &mut kept);
        let expected = json!({"usage": {
            "billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 9}}});
        assert_eq!(Value::Object(kept), expected);
    }
}
