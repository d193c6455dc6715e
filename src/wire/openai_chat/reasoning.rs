//! Writes a request's reasoning effort in the server's dialect.

use serde_json::{Map, Value, json};

use super::dialect::ReasoningControl;
use crate::chat::ReasoningEffort;
use crate::error::Error;

/// Writes the reasoning effort.
///
/// For servers that can only switch reasoning on and off, [`ReasoningEffort::None`] switches it off
/// and every other effort on.
///
/// # Errors
///
/// If the server has no such setting: it would ignore the effort, and the model would reason as it
/// likes.
pub(super) fn write(
    effort: ReasoningEffort,
    control: ReasoningControl,
    body: &mut Map<String, Value>,
) -> Result<(), Error> {
    let thinks = effort != ReasoningEffort::None;
    let word = || Value::from(effort.as_str());
    let template = || json!({"enable_thinking": thinks});
    let kind = |on: &str| json!({"type": if thinks { on } else { "disabled" }});
    let mut set = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    match control {
        ReasoningControl::Standard | ReasoningControl::OutputConfig => {
            set("reasoning_effort", word());
        }
        ReasoningControl::ReasoningObject => set("reasoning", json!({"effort": word()})),
        ReasoningControl::EnableThinking => set("enable_thinking", thinks.into()),
        ReasoningControl::ChatTemplate => set("chat_template_kwargs", template()),
        ReasoningControl::EffortAndChatTemplate => {
            set("reasoning_effort", word());
            set("chat_template_kwargs", template());
        }
        ReasoningControl::ThinkingType => set("thinking", kind("enabled")),
        ReasoningControl::AdaptiveThinking => set("thinking", kind("adaptive")),
        ReasoningControl::ThinkingTypeAndEffort => {
            set("thinking", kind("enabled"));
            if thinks {
                set("reasoning_effort", word());
            }
        }
        ReasoningControl::Unsupported => {
            return Err(Error::invalid_request(format!(
                "the request asks for the reasoning effort \"{}\", but this provider has no \
                 control of reasoning; remove it, or choose another model",
                effort.as_str()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_writes_its_members() {
        let on = |word: &str| json!({"thinking": {"type": word}});
        for (control, low, none) in [
            (
                ReasoningControl::Standard,
                json!({"reasoning_effort": "low"}),
                json!({"reasoning_effort": "none"}),
            ),
            (
                ReasoningControl::ReasoningObject,
                json!({"reasoning": {"effort": "low"}}),
                json!({"reasoning": {"effort": "none"}}),
            ),
            (
                ReasoningControl::EnableThinking,
                json!({"enable_thinking": true}),
                json!({"enable_thinking": false}),
            ),
            (
                ReasoningControl::ChatTemplate,
                json!({"chat_template_kwargs": {"enable_thinking": true}}),
                json!({"chat_template_kwargs": {"enable_thinking": false}}),
            ),
            (
                ReasoningControl::EffortAndChatTemplate,
                json!({"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": true}}),
                json!({"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": false}}),
            ),
            (ReasoningControl::ThinkingType, on("enabled"), on("disabled")),
            (ReasoningControl::AdaptiveThinking, on("adaptive"), on("disabled")),
            (
                ReasoningControl::ThinkingTypeAndEffort,
                json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
                on("disabled"),
            ),
        ] {
            for (effort, expected) in [(ReasoningEffort::Low, low), (ReasoningEffort::None, none)] {
                let mut body = Map::new();
                write(effort, control, &mut body).unwrap();
                assert_eq!(Value::Object(body), expected, "{control:?}");
            }
        }
        let refused = write(ReasoningEffort::Low, ReasoningControl::Unsupported, &mut Map::new());
        assert!(refused.unwrap_err().message().contains("\"low\", but this provider has no"));
    }
}
