//! The tools of a request, and what the provider's own ones bring into the prompt.

use serde_json::Value;

use super::super::rounded_up;
use super::{Prompt, STEPS};

/// Tokens for each of Anthropic's tools that the caller runs: up to 735, plus 499 around them for
/// computer use (its page "Pricing", "Tool-specific pricing").
pub(in super::super) const CLIENT_TOOL: u64 = 2048;

/// Returns true for OpenAI's chat models with search. Comparing eight bytes at each place takes less
/// time than preparing a search.
pub(super) fn has_search(model: &str) -> bool {
    model.as_bytes().windows(8).any(|part| part == b"-search-")
}

impl Prompt<'_> {
    pub(super) fn tool(&mut self, tool: &Value) {
        self.json(tool);
        if self.is_response {
            return self.tool_of_responses(tool);
        }
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
        let client = ["bash_", "text_editor_", "computer_", "memory_"];
        match kind {
            "" | "function" | "custom" => {}
            _ if client.iter().any(|client| kind.starts_with(client)) => self.add(CLIENT_TOOL),
            _ => {
                self.server_tool("a tool that the provider runs itself");
                if kind.contains("web_search") {
                    let most = tool.get("max_uses").and_then(rounded_up);
                    self.web_searches =
                        self.web_searches.zip(most).map(|(one, two)| one.saturating_add(two));
                }
            }
        }
    }

    /// The tool's results enter the prompt. Anthropic also caches between the steps without being
    /// asked (see the usage on its page "Web search tool").
    pub(in super::super) fn server_tool(&mut self, what: &'static str) {
        self.unseen(what);
        self.steps = STEPS;
        self.cache_writes = true;
    }

    /// OpenAI's chat models with search run one search, before they answer (its page "Web search",
    /// "Chat Completions").
    pub(super) fn search_once(&mut self) {
        self.unseen("a web search");
        self.web_searches = self.web_searches.map(|searches| searches.max(1));
    }
}
