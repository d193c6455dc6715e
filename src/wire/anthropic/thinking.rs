//! Encodes how much the model thinks.

use serde_json::{Map, Value, json};

use crate::chat::ReasoningEffort;
use crate::error::Error;
use crate::family::Thinking;
use crate::wire::Target;
use crate::wire::openai_chat::ReasoningControl;

/// The lowest budget that Anthropic accepts (`message_create_params.py`, `thinking`).
const MIN_BUDGET: u32 = 1024;

/// Writes `thinking` into the body and `effort` into its `output_config`.
///
/// There are two forms, and neither works for all models:
///
/// - Adaptive, `thinking: {type: adaptive}` with `output_config.effort`: from Claude 4.6 on; 4.7
///   and later accept no other (Vercel's page "Anthropic Reasoning"). The effort is sent unchanged,
///   and a model rejects a level that it does not have (recorded: "This model does not support
///   effort level 'xhigh'."). No model has `minimal`, so that is an error here.
/// - A budget, `thinking: {type: enabled, budget_tokens}`: before 4.6, and for names that are not a
///   Claude's, for servers that imitate the older form. The budget must be at least 1024 and less
///   than `max_tokens`, so it is a share of that: 20 % for low, 50 % medium, 80 % high, which are
///   OpenRouter's shares (its page "Reasoning Tokens"), 10 % for minimal and 95 % above high. The
///   caller's limit on all output therefore holds.
///
/// Servers with other controls set their [dialect](crate::provider::Dialect::reasoning_control):
/// only the type of thinking (MiniMax), or that and `output_config.effort` without a budget
/// (DeepSeek's page "Anthropic API": `budget_tokens` is ignored).
///
/// Effort `None` switches thinking off, because later models think by default. The model's default
/// decides if thinking is shown (`thinking.display`); `extra` can set it. For a budget of your own,
/// set `thinking` in `extra` and no effort.
pub(in crate::wire) fn write(
    effort: ReasoningEffort,
    target: Target<'_>,
    max_tokens: u32,
    body: &mut Map<String, Value>,
    output: &mut Map<String, Value>,
) -> Result<(), Error> {
    let control = target.dialect.reasoning_control;
    let thinking = if effort == ReasoningEffort::None {
        json!({"type": "disabled"})
    } else if control == ReasoningControl::OutputConfig {
        output.insert("effort".into(), effort.as_str().into());
        json!({"type": "enabled"})
    } else if control == ReasoningControl::ThinkingType {
        json!({"type": "enabled"})
    } else if control == ReasoningControl::AdaptiveThinking {
        json!({"type": "adaptive"})
    } else if target.traits.thinking == Some(Thinking::Level) {
        if effort == ReasoningEffort::Minimal {
            return Err(Error::invalid_request(
                "Anthropic has no reasoning effort \"minimal\"; use \"low\" or more",
            ));
        }
        output.insert("effort".into(), effort.as_str().into());
        json!({"type": "adaptive"})
    } else {
        json!({"type": "enabled", "budget_tokens": budget(effort, max_tokens)?})
    };
    body.insert("thinking".into(), thinking);
    Ok(())
}

fn budget(effort: ReasoningEffort, max_tokens: u32) -> Result<u32, Error> {
    let percent = match effort {
        ReasoningEffort::None => 0,
        ReasoningEffort::Minimal => 10,
        ReasoningEffort::Low => 20,
        ReasoningEffort::Medium => 50,
        ReasoningEffort::High => 80,
        ReasoningEffort::XHigh | ReasoningEffort::Max => 95,
    };
    let share = u64::from(max_tokens) * percent / 100;
    let budget = u32::try_from(share).unwrap_or(u32::MAX).max(MIN_BUDGET);
    if budget >= max_tokens {
        return Err(Error::invalid_request(format!(
            "max_output_tokens is {max_tokens}, but reasoning with this model takes at least \
             {MIN_BUDGET} tokens of it; set more than that"
        )));
    }
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(effort: ReasoningEffort, model: &str, max_tokens: u32) -> Result<Value, Error> {
        let (mut body, mut output) = (Map::new(), Map::new());
        write(effort, Target::anthropic(model), max_tokens, &mut body, &mut output)?;
        Ok(json!({"thinking": body["thinking"], "effort": output.get("effort")}))
    }

    #[test]
    fn efforts_of_adaptive_models_are_sent_unchanged() {
        use ReasoningEffort::{High, Low, Max, Medium, Minimal, None, XHigh};
        for effort in [Low, Medium, High, XHigh, Max] {
            assert_eq!(
                written(effort, "claude-opus-5", 10).unwrap(),
                json!({"thinking": {"type": "adaptive"}, "effort": effort.as_str()})
            );
        }
        let error = written(Minimal, "claude-opus-5", 10).unwrap_err();
        assert!(error.message().contains("\"minimal\""), "{error}");
        for model in ["claude-opus-5", "claude-haiku-4-5"] {
            assert_eq!(
                written(None, model, 10).unwrap(),
                json!({"thinking": {"type": "disabled"}, "effort": null})
            );
        }
    }

    #[test]
    fn budgets_are_shares_of_the_limit_and_stay_below_it() {
        use ReasoningEffort::{High, Low, Max, Medium, Minimal, XHigh};
        for (effort, max_tokens, expected) in [
            (Minimal, 64_000, 6_400),
            (Low, 64_000, 12_800),
            (Medium, 64_000, 32_000),
            (High, 64_000, 51_200),
            (XHigh, 64_000, 60_800),
            (Max, 64_000, 60_800),
            (Low, 4096, 1024),
            (Medium, 4096, 2048),
            (High, 4096, 3276),
            (Max, 1025, 1024),
            (Max, u32::MAX, 4_080_218_930_u32),
        ] {
            assert_eq!(
                written(effort, "claude-haiku-4-5", max_tokens).unwrap(),
                json!({
                    "thinking": {"type": "enabled", "budget_tokens": expected},
                    "effort": null,
                })
            );
        }
        for max_tokens in [1, 1024] {
            let error = written(High, "claude-haiku-4-5", max_tokens).unwrap_err();
            assert!(error.message().contains("max_output_tokens"), "{error}");
        }
    }
}
