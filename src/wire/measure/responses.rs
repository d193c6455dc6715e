//! What is in a request of OpenAI's Responses.

use serde_json::{Map, Value};

use super::prompt::{CLIENT_TOOL, FORMAT, MEMBER, MESSAGE, Prompt};

/// Members that bring nothing into the prompt (`response_create_params.py`).
const BESIDE: &[&str] = &["background", "include", "moderation", "truncation"];

impl Prompt<'_> {
    /// Takes in a member; returns whether it is known.
    pub(super) fn of_responses(&mut self, name: &str, value: &Value) -> bool {
        match (name, value) {
            (_, Value::Null) => {}
            ("input", Value::Array(items)) => {
                for item in items {
                    self.add(MESSAGE);
                    match item {
                        Value::Object(item) => self.item(item),
                        item => self.json(item),
                    }
                }
            }
            ("input" | "instructions", text) => {
                self.add(MESSAGE);
                self.json(text);
            }
            // The form of the answer; without a schema there is nothing to it.
            ("text", text) => {
                self.add(FORMAT);
                self.json(text);
            }
            ("previous_response_id", _) => self.unseen("a response before it, by its id"),
            ("conversation", _) => self.unseen("a conversation, by its id"),
            ("prompt", _) => self.unseen("a prompt that the provider stores"),
            (name, _) if BESIDE.contains(&name) => {}
            _ => return false,
        }
        true
    }

    fn item(&mut self, item: &Map<String, Value>) {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
        match kind {
            "message" => self.content_of(item, "content"),
            "function_call_output" | "custom_tool_call_output" => self.content_of(item, "output"),
            // The text of encrypted reasoning is longer than what was thought in it.
            "function_call" | "custom_tool_call" | "reasoning" => self.fields(item),
            // Its result stays with the provider.
            _ => {
                self.fields(item);
                self.unseen("an item of a tool that the provider knows more of");
            }
        }
    }

    /// The members of an item, of which one is content.
    fn content_of(&mut self, item: &Map<String, Value>, name: &str) {
        for (member, value) in item {
            match member == name {
                true => self.input_content(value),
                false => self.json(value),
            }
        }
    }

    fn input_content(&mut self, content: &Value) {
        match content {
            Value::Array(parts) => {
                for part in parts {
                    self.add(MEMBER);
                    self.input_content(part);
                }
            }
            Value::Object(part) => match part.get("type").and_then(Value::as_str) {
                Some("input_image") => {
                    let url = part.get("image_url").and_then(Value::as_str).unwrap_or_default();
                    self.openai_image(url, part.get("detail"));
                }
                Some("input_file") => self.unseen("a file"),
                _ => self.part(part),
            },
            content => self.content(content),
        }
    }

    /// A tool. The provider calls its own as often as `max_tool_calls` allows, and the model reads
    /// all of the prompt after each (OpenAI's reference, "Create a response"). All but the search of
    /// the web and MCP have prices beside tokens (its page "Pricing", "Built-in tools").
    pub(super) fn tool_of_responses(&mut self, tool: &Value) {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_local = tool.pointer("/environment/type").is_none_or(|kind| kind == "local");
        match kind {
            "" | "function" | "custom" => {}
            "local_shell" | "apply_patch" => self.add(CLIENT_TOOL),
            "shell" if is_local => self.add(CLIENT_TOOL),
            _ if kind.starts_with("computer") => self.add(CLIENT_TOOL),
            _ if kind.starts_with("web_search") || kind == "mcp" => {
                self.server_tool("a tool that the provider runs itself");
                match self.max_tool_calls {
                    Some(most) => {
                        self.steps = most.saturating_add(1);
                        self.web_searches = self.web_searches.map(|one| one.max(most));
                    }
                    None => self.unlimited_tools = true,
                }
            }
            _ => self.surcharge = Some("a tool that is billed beside tokens"),
        }
    }
}
