//! Encodes the reasoning effort.

use serde_json::{Value, json};

use crate::chat::ReasoningEffort;

/// The output limit to take a share of if the request sets none. Command A Reasoning and Command A+
/// allow at least this much ("we recommend 31K as the token budget",
/// docs.cohere.com/docs/reasoning, "Thinking Budgets"; vercel/ai `resolveCohereThinking`).
const OUTPUT: u32 = 32_768;

/// Builds `thinking`. Cohere has no levels, only a budget in tokens, and recommends setting none
/// (docs.cohere.com/docs/reasoning). So an effort becomes a budget: the share of the output limit
/// that [`ReasoningEffort`] documents. An effort above `High` sets no budget.
///
/// To set a budget yourself, leave the effort out and set `thinking` with `extra`.
pub(super) fn config(effort: ReasoningEffort, limit: Option<u32>) -> Value {
    let percent = match effort {
        ReasoningEffort::None => return json!({"type": "disabled"}),
        ReasoningEffort::Minimal => 10,
        ReasoningEffort::Low => 20,
        ReasoningEffort::Medium => 50,
        ReasoningEffort::High => 80,
        ReasoningEffort::XHigh | ReasoningEffort::Max => return json!({"type": "enabled"}),
    };
    let budget = u64::from(limit.unwrap_or(OUTPUT)) * percent / 100;
    // "must be set to a positive integer" (`Thinking.token_budget`).
    json!({"type": "enabled", "token_budget": budget.max(1)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReasoningEffort::{High, Low, Max, Medium, Minimal, None as Off, XHigh};

    #[test]
    fn an_effort_is_a_share_of_the_output_limit() {
        let budget = |tokens: u64| json!({"type": "enabled", "token_budget": tokens});
        for (effort, limit, expected) in [
            (Off, None, json!({"type": "disabled"})),
            (Off, Some(1000), json!({"type": "disabled"})),
            (Minimal, None, budget(3276)),
            (Low, None, budget(6553)),
            (Medium, Some(1000), budget(500)),
            (High, Some(4000), budget(3200)),
            (Minimal, Some(1), budget(1)),
            (XHigh, Some(4000), json!({"type": "enabled"})),
            (Max, None, json!({"type": "enabled"})),
        ] {
            assert_eq!(config(effort, limit), expected, "{effort:?} {limit:?}");
        }
    }
}
