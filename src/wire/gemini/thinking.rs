//! Encodes the reasoning effort.

use serde_json::{Value, json};

use crate::chat::ReasoningEffort;
use crate::error::Error;
use crate::family::{Budgets, Thinking};
use crate::wire::Target;

/// Returns `thinkingConfig`, or `None` if the model needs none.
///
/// - Gemini 3 and later take a level: `MINIMAL`, `LOW`, `MEDIUM` or `HIGH`. Not every model has
///   every level; Google rejects the others. Thinking cannot be turned off
///   (ai.google.dev/gemini-api/docs/thinking, "Thinking levels").
/// - Gemini 2.5 takes a budget, the same as at Google's OpenAI-compatible endpoint: 1,024 tokens
///   for minimal and low, 8,192 for medium, 24,576 for high
///   (ai.google.dev/gemini-api/docs/openai, "Thinking"). Greater efforts get the model's maximum.
///   Thoughts count towards the output limit, so they get at most the share of it that
///   [`ReasoningEffort`] documents for budgets.
/// - Earlier models do not think.
///
/// It requests the thoughts (`includeThoughts`), because other providers return theirs by default.
/// They are billed either way (ai.google.dev/gemini-api/docs/thinking, "Pricing"). To set a budget
/// yourself, leave the effort out and set `generationConfig.thinkingConfig` with `extra`.
pub(super) fn config(
    effort: ReasoningEffort,
    target: Target<'_>,
    limit: Option<u32>,
) -> Result<Option<Value>, Error> {
    let Target { model, traits, .. } = target;
    if traits.never_thinks {
        if effort == ReasoningEffort::None {
            return Ok(None);
        }
        return Err(Error::invalid_request(format!(
            "{model} does not think before it answers; leave the reasoning effort out, or use \
             Gemini 2.5 or later"
        )));
    }
    if traits.thinking == Some(Thinking::Budget) {
        return budget(effort, model, traits.budgets, limit).map(Some);
    }
    let level = match effort {
        ReasoningEffort::Minimal => "MINIMAL",
        ReasoningEffort::Low => "LOW",
        ReasoningEffort::Medium => "MEDIUM",
        ReasoningEffort::High => "HIGH",
        ReasoningEffort::None => {
            return Err(Error::invalid_request(format!(
                "{model} always thinks; the least is ReasoningEffort::Minimal, or Low where it has \
                 no Minimal"
            )));
        }
        ReasoningEffort::XHigh | ReasoningEffort::Max => {
            return Err(Error::invalid_request(format!(
                "{model} has no reasoning effort {:?}; the most is \"high\"",
                effort.as_str()
            )));
        }
    };
    Ok(Some(json!({"thinkingLevel": level, "includeThoughts": true})))
}

fn budget(
    effort: ReasoningEffort,
    model: &str,
    range: Budgets,
    limit: Option<u32>,
) -> Result<Value, Error> {
    let (tokens, percent) = match effort {
        ReasoningEffort::None if range.off => return Ok(json!({"thinkingBudget": 0})),
        ReasoningEffort::None => {
            return Err(Error::invalid_request(format!(
                "{model} always thinks; the least is ReasoningEffort::Minimal"
            )));
        }
        ReasoningEffort::Minimal => (1024, 10),
        ReasoningEffort::Low => (1024, 20),
        ReasoningEffort::Medium => (8192, 50),
        ReasoningEffort::High => (24_576, 80),
        ReasoningEffort::XHigh | ReasoningEffort::Max => (range.most, 95),
    };
    let share = limit.map_or(u64::MAX, |limit| u64::from(limit) * percent / 100);
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    let budget = tokens.min(share).clamp(range.least, range.most);
    Ok(json!({"thinkingBudget": budget, "includeThoughts": true}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReasoningEffort::{High, Low, Max, Medium, Minimal, None as Off, XHigh};

    #[test]
    fn the_model_decides_between_a_budget_and_a_level() {
        let level = |level: &str| json!({"thinkingLevel": level, "includeThoughts": true});
        let budget = |tokens: u32| json!({"thinkingBudget": tokens, "includeThoughts": true});
        for (effort, model, limit, expected) in [
            (Minimal, "gemini-3.5-flash", None, level("MINIMAL")),
            (Low, "gemini-3-pro-preview", None, level("LOW")),
            (Medium, "gemini-4-argon", Some(10), level("MEDIUM")),
            (High, "gemini-flash-latest", None, level("HIGH")),
            (High, "gemma-4-27b-it", None, level("HIGH")),
            (Off, "gemini-2.5-flash", None, json!({"thinkingBudget": 0})),
            (Off, "gemini-2.5-flash-lite", None, json!({"thinkingBudget": 0})),
            (Minimal, "gemini-2.5-pro", None, budget(1024)),
            (Medium, "models/gemini-2.5-flash", None, budget(8192)),
            (High, "gemini-2.5-flash", None, budget(24_576)),
            (XHigh, "gemini-2.5-pro", None, budget(32_768)),
            (Max, "gemini-2.5-flash-lite", None, budget(24_576)),
            // At most a share of the limit, but at least the model's minimum.
            (High, "gemini-2.5-flash", Some(1000), budget(800)),
            (Low, "gemini-2.5-pro", Some(100), budget(128)),
            (Low, "gemini-2.5-flash-lite", Some(100), budget(512)),
            (Medium, "gemini-2.5-flash", Some(1), budget(1)),
        ] {
            let config = config(effort, Target::gemini(model), limit).unwrap();
            assert_eq!(config, Some(expected), "{effort:?} {model}");
        }
        assert_eq!(config(Off, Target::gemini("gemini-2.0-flash"), None).unwrap(), None);
    }

    #[test]
    fn unsupported_efforts_are_rejected_with_an_alternative() {
        for (effort, model, expected) in [
            (Off, "gemini-3.5-flash", "the least is ReasoningEffort::Minimal"),
            (Off, "gemini-2.5-pro", "the least is ReasoningEffort::Minimal"),
            (XHigh, "gemini-3-pro-preview", "no reasoning effort \"xhigh\"; the most is \"high\""),
            (Max, "gemini-4-argon", "the most is \"high\""),
            (Low, "gemini-2.0-flash", "use Gemini 2.5 or later"),
        ] {
            let error = config(effort, Target::gemini(model), None).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
            assert!(error.message().contains(model), "{error}");
        }
    }
}
