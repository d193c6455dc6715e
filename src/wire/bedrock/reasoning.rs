//! Encodes how much the model reasons.

use serde_json::{Map, Value, json};

use super::model::Vendor;
use crate::chat::ReasoningEffort;
use crate::error::Error;
use crate::wire::{Target, anthropic};

/// The `maxTokens` of a Claude that gets a budget for thinking and no other limit.
const DEFAULT_MAX_TOKENS: u32 = 4096;

/// Writes the effort where the model's vendor reads it:
///
/// - Claude has Anthropic's own `thinking` and `output_config` (AWS's page "Extended thinking");
/// - OpenAI's models have `reasoning_effort`;
/// - Nova 2 has `reasoningConfig` (docs.aws.amazon.com/nova/latest/nova2-userguide, "Extended
///   thinking");
/// - others get Converse's own `outputConfig.effort`.
///
/// All but the last are in `additionalModelRequestFields`.
pub(super) fn write(
    effort: ReasoningEffort,
    target: Target<'_>,
    inference: &mut Map<String, Value>,
    additional: &mut Map<String, Value>,
    output: &mut Map<String, Value>,
) -> Result<(), Error> {
    match Vendor::of(target.model) {
        Vendor::Anthropic => {
            let set = inference.get("maxTokens").and_then(Value::as_u64);
            let limit =
                set.map_or(DEFAULT_MAX_TOKENS, |set| u32::try_from(set).unwrap_or(u32::MAX));
            let mut config = Map::new();
            anthropic::write_thinking(effort, target, limit, additional, &mut config)?;
            let has_budget = additional["thinking"].get("budget_tokens").is_some();
            if has_budget {
                inference.entry("maxTokens").or_insert_with(|| limit.into());
            }
            if !config.is_empty() {
                additional.insert("output_config".into(), config.into());
            }
        }
        Vendor::OpenAi => {
            additional.insert("reasoning_effort".into(), effort.as_str().into());
        }
        Vendor::Nova2 => {
            let config = match effort {
                ReasoningEffort::None => json!({"type": "disabled"}),
                _ => json!({"type": "enabled", "maxReasoningEffort": known(effort)?}),
            };
            additional.insert("reasoningConfig".into(), config);
        }
        Vendor::Mistral | Vendor::Other => {
            output.insert("effort".into(), known(effort)?.into());
        }
    }
    Ok(())
}

/// The efforts of Converse (`OutputConfig`).
fn known(effort: ReasoningEffort) -> Result<&'static str, Error> {
    match effort {
        ReasoningEffort::None | ReasoningEffort::Minimal => {
            let effort = effort.as_str();
            Err(Error::invalid_request(format!(
                "Bedrock has no reasoning effort {effort:?} for this model; use \"low\" or more, or \
                 leave it unset"
            )))
        }
        effort => Ok(effort.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReasoningEffort::{High, Low, Minimal, None};

    #[test]
    fn each_vendor_reads_the_effort_in_its_own_member() {
        let claude = "us.anthropic.claude-opus-4-8-v1:0";
        let older = "anthropic.claude-sonnet-4-5-20250929-v1:0";
        for (model, effort, limit, expected) in [
            (
                claude,
                High,
                Option::None,
                json!([{}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, {}]),
            ),
            (
                older,
                Low,
                Option::None,
                json!([{"maxTokens": 4096},
                    {"thinking": {"type": "enabled", "budget_tokens": 1024}}, {}]),
            ),
            (
                older,
                High,
                Some(10_000),
                json!([{"maxTokens": 10000},
                    {"thinking": {"type": "enabled", "budget_tokens": 8000}}, {}]),
            ),
            (older, None, Option::None, json!([{}, {"thinking": {"type": "disabled"}}, {}])),
            (
                "openai.gpt-oss-20b-1:0",
                Low,
                Option::None,
                json!([{}, {"reasoning_effort": "low"}, {}]),
            ),
            (
                "us.amazon.nova-2-lite-v1:0",
                High,
                Option::None,
                json!([{}, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, {}]),
            ),
            (
                "us.amazon.nova-2-lite-v1:0",
                None,
                Option::None,
                json!([{}, {"reasoningConfig": {"type": "disabled"}}, {}]),
            ),
            ("qwen.qwen3-32b-v1:0", High, Option::None, json!([{}, {}, {"effort": "high"}])),
        ] {
            let mut inference = Map::new();
            if let Some(limit) = limit {
                inference.insert("maxTokens".into(), json!(limit));
            }
            let (mut additional, mut output) = (Map::new(), Map::new());
            let target = Target::bedrock(model);
            write(effort, target, &mut inference, &mut additional, &mut output).unwrap();
            assert_eq!(json!([inference, additional, output]), expected, "{model}");
        }
        for (model, effort) in [(claude, Minimal), ("qwen.q", None), ("amazon.nova-2-x", Minimal)] {
            let (mut one, mut two, mut three) = (Map::new(), Map::new(), Map::new());
            let target = Target::bedrock(model);
            let error = write(effort, target, &mut one, &mut two, &mut three).unwrap_err();
            assert!(error.message().contains("use \"low\" or more"), "{error}");
        }
    }
}
