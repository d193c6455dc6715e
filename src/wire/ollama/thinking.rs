//! Encodes the reasoning effort.

use serde_json::Value;

use crate::chat::ReasoningEffort;
use crate::error::Error;
use crate::wire::Target;

/// Returns `think`: false, or one of the levels `low`, `medium`, `high` and `max`
/// (`ThinkValue.IsValid` in `api/types.go`).
///
/// `true` leaves the level to the model. It is the default for models that can think (`ChatHandler`
/// in `server/routes.go`), so only `extra` sets it.
pub(super) fn think(effort: ReasoningEffort, target: Target<'_>) -> Result<Value, Error> {
    Ok(match effort {
        ReasoningEffort::None if target.traits.always_thinks => {
            let model = target.model;
            return Err(Error::invalid_request(format!(
                "{model} always thinks; the least is ReasoningEffort::Low"
            )));
        }
        ReasoningEffort::None => false.into(),
        ReasoningEffort::Low | ReasoningEffort::Medium | ReasoningEffort::High => {
            effort.as_str().into()
        }
        ReasoningEffort::Max => effort.as_str().into(),
        ReasoningEffort::Minimal => {
            return Err(Error::invalid_request(
                "Ollama has no reasoning effort \"minimal\"; use ReasoningEffort::Low, or None",
            ));
        }
        ReasoningEffort::XHigh => {
            return Err(Error::invalid_request(
                "Ollama has no reasoning effort \"xhigh\"; use ReasoningEffort::High or Max",
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReasoningEffort::{High, Low, Max, Medium, Minimal, None as Off, XHigh};
    use serde_json::json;

    #[test]
    fn an_effort_becomes_a_level_or_false() {
        for (effort, expected) in [
            (Off, json!(false)),
            (Low, json!("low")),
            (Medium, json!("medium")),
            (High, json!("high")),
            (Max, json!("max")),
        ] {
            assert_eq!(think(effort, Target::ollama("qwen3")).unwrap(), expected);
        }
    }

    #[test]
    fn unsupported_efforts_are_rejected_with_an_alternative() {
        for (effort, model, expected) in [
            (Minimal, "qwen3", "use ReasoningEffort::Low"),
            (XHigh, "qwen3", "use ReasoningEffort::High"),
            (Off, "gpt-oss:20b", "the least is ReasoningEffort::Low"),
            (Off, "me/gpt-oss", "gpt-oss always thinks"),
        ] {
            let error = think(effort, Target::ollama(model)).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
