//! Measures the most tokens that a prompt in Bedrock's format can have.

use serde_json::{Map, Value};

use super::super::{image, size, text};
use super::{CLIENT_TOOL, FORMAT, MEMBER, MESSAGE, Prompt, STEPS, TOOLS};
use crate::base64;
use crate::upper_bound::ModelLimits;

/// Members that add nothing to the prompt (`ConverseRequest`).
const BESIDE: [&str; 4] =
    ["inferenceConfig", "guardrailConfig", "additionalModelResponseFieldPaths", "requestMetadata"];

/// Members of `additionalModelRequestFields` that add nothing to the prompt: Anthropic's, OpenAI's
/// and Nova's. Numbers and booleans never do.
const ADDITIONAL: [&str; 6] = [
    "anthropic_beta",
    "thinking",
    "reasoning_effort",
    "reasoningConfig",
    "tool_choice",
    "stop_sequences",
];

/// The formats of documents that are text in the body. The model may see the others as pages.
const TEXTS: [&str; 4] = ["txt", "md", "csv", "html"];

impl<'a> Prompt<'a> {
    /// Measures a body of Bedrock's format.
    pub(in crate::wire) fn bedrock(body: &Map<String, Value>, basis: &'a ModelLimits<'a>) -> Self {
        let mut prompt = Self::empty(basis);
        if basis.model.contains(":prompt/") {
            prompt.unseen("a prompt that is stored at AWS");
        }
        for (name, value) in body {
            prompt.bedrock_member(name, value);
        }
        prompt
    }

    fn bedrock_member(&mut self, name: &str, value: &Value) {
        match (name, value) {
            (_, Value::Null) => {}
            ("messages", Value::Array(messages)) => {
                for message in messages {
                    self.add(MESSAGE);
                    self.blocks(message.get("content").unwrap_or(message));
                }
            }
            ("system", blocks) => {
                self.add(MESSAGE);
                self.blocks(blocks);
            }
            ("toolConfig", config) => self.tools_of_bedrock(config),
            ("outputConfig", Value::Object(config)) => {
                for (_, value) in config.iter().filter(|(name, _)| *name != "effort") {
                    self.add(FORMAT);
                    self.json(value);
                }
            }
            ("additionalModelRequestFields", Value::Object(fields)) => {
                fields.iter().for_each(|(name, value)| self.additional(name, value));
            }
            ("promptVariables", variables) => self.json(variables),
            // Latency-optimized inference and the tiers have prices of their own
            // (aws.amazon.com/bedrock/pricing).
            ("performanceConfig", config) => {
                if config.get("latency").is_some_and(|latency| latency != "standard") {
                    self.surcharge = Some("a latency other than \"standard\"");
                }
            }
            ("serviceTier", tier) => {
                let kind = tier.get("type").and_then(Value::as_str).unwrap_or_default();
                if !["default", "flex"].contains(&kind) {
                    self.surcharge = Some("a service tier other than \"default\" or \"flex\"");
                }
            }
            (name, _) if BESIDE.contains(&name) => {}
            _ => self.unseen(format!("the member {name:?}, which this crate does not know")),
        }
    }

    fn additional(&mut self, name: &str, value: &Value) {
        match (name, value) {
            (_, Value::Null | Value::Number(_) | Value::Bool(_)) => {}
            ("output_config", config) => {
                for (_, value) in
                    config.as_object().into_iter().flatten().filter(|(name, _)| *name != "effort")
                {
                    self.add(FORMAT);
                    self.json(value);
                }
            }
            ("tools", Value::Array(tools)) => {
                self.add(TOOLS);
                for tool in tools {
                    self.add(CLIENT_TOOL);
                    self.json(tool);
                    let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
                    let client = ["bash_", "text_editor_", "computer_", "memory_", "custom"];
                    if !client.iter().any(|client| kind.starts_with(client)) {
                        self.server_tool("a tool that the provider runs itself");
                    }
                }
            }
            (name, _) if ADDITIONAL.contains(&name) => {}
            _ => self.unseen(format!(
                "the member {name:?} of additionalModelRequestFields, which this crate does not know"
            )),
        }
    }

    fn tools_of_bedrock(&mut self, config: &Value) {
        let tools = config.get("tools").and_then(Value::as_array);
        let Some(tools) = tools.filter(|tools| !tools.is_empty()) else { return };
        self.add(TOOLS);
        for tool in tools {
            self.add(MESSAGE);
            self.json(tool);
            if let Some(point) = tool.get("cachePoint") {
                self.cache_point(point);
            } else if tool.get("toolSpec").is_none() {
                self.unseen("a tool that the provider runs itself");
                self.steps = STEPS;
                if tool.pointer("/systemTool/name").is_some_and(|name| name == "nova_grounding") {
                    self.web_searches = None;
                }
            }
        }
    }

    fn blocks(&mut self, blocks: &Value) {
        let Value::Array(blocks) = blocks else { return self.json(blocks) };
        for block in blocks {
            self.add(MEMBER);
            match block {
                Value::Object(block) => {
                    block.iter().for_each(|(name, value)| self.block(name, value));
                }
                other => self.json(other),
            }
        }
    }

    fn block(&mut self, name: &str, value: &Value) {
        match name {
            "text" | "json" => self.json(value),
            "toolUse" | "reasoningContent" | "searchResult" | "citationsContent" => {
                self.add(MESSAGE);
                self.json(value);
            }
            "toolResult" => {
                self.add(MESSAGE);
                self.json(value.get("toolUseId").unwrap_or(&Value::Null));
                self.blocks(value.get("content").unwrap_or(&Value::Null));
            }
            "image" => self.image_of_bedrock(value),
            "document" => self.document_of_bedrock(value),
            "cachePoint" => self.cache_point(value),
            "guardContent" if value.get("text").is_some() => {
                self.add(MESSAGE);
                self.json(value);
            }
            _ => self.unseen("a part that is not text, an image or a document"),
        }
    }

    fn cache_point(&mut self, point: &Value) {
        self.cache_writes = true;
        self.cache_writes_1h |= point.get("ttl").is_some_and(|ttl| ttl == "1h");
    }

    /// Only Anthropic publishes how many tokens an image of any size is at most.
    fn image_of_bedrock(&mut self, image: &Value) {
        let data = image.pointer("/source/bytes").and_then(Value::as_str);
        match self.basis.model.contains("anthropic.") {
            true => self.add(image::anthropic(data.and_then(size::of))),
            false => self.unseen("an image, whose tokens this model's vendor does not publish"),
        }
    }

    fn document_of_bedrock(&mut self, document: &Value) {
        self.add(MESSAGE);
        let member = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        for name in ["name", "context"] {
            self.add(text::tokens(member(name)));
        }
        let data = document.pointer("/source/bytes").and_then(Value::as_str);
        let is_text = TEXTS.contains(&member("format"));
        let decoded = data.filter(|_| is_text).and_then(base64::decode);
        match (decoded.map(String::from_utf8), document.get("source")) {
            (Some(Ok(text)), _) => self.json(&text.into()),
            (None, Some(source)) if source.get("text").or(source.get("content")).is_some() => {
                self.json(source);
            }
            _ => self.unseen("a document whose pages cannot be counted, such as a PDF"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CLAUDE: &str = "us.anthropic.claude-opus-4-8-v1:0";

    fn measured<T>(model: &str, body: Value, read: impl Fn(&Prompt<'_>) -> T) -> T {
        let Value::Object(body) = body else { panic!() };
        let limits = ModelLimits {
            provider: "aws",
            model,
            output_tokens: None,
            context_window: None,
            tokenizer: None,
        };
        read(&Prompt::bedrock(&body, &limits))
    }

    fn block(block: Value) -> Value {
        json!({"messages": [{"role": "user", "content": [block]}]})
    }

    #[test]
    fn what_the_body_holds_is_counted_and_the_rest_is_unseen() {
        let pdf = json!({"format": "pdf", "name": "a", "source": {"bytes": "JVBERi0="}});
        let text = json!({"format": "md", "name": "a", "source": {"bytes": "aGVsbG8="}});
        let stored =
            json!({"format": "txt", "name": "a", "source": {"s3Location": {"uri": "s3://b"}}});
        let png = json!({"format": "png", "source": {"bytes": "iVBORw0KGgo="}});
        let result = json!({"toolUseId": "t", "content": [{"document": pdf}]});
        for (model, body, expected) in [
            (CLAUDE, block(json!({"text": "hi"})), None),
            (CLAUDE, block(json!({"toolUse": {"toolUseId": "t", "name": "f", "input": {}}})), None),
            (CLAUDE, block(json!({"reasoningContent": {"redactedContent": "x"}})), None),
            (CLAUDE, block(json!({"document": text})), None),
            (CLAUDE, block(json!({"document": pdf})), Some("such as a PDF")),
            (CLAUDE, block(json!({"document": stored})), Some("such as a PDF")),
            (CLAUDE, block(json!({"toolResult": result})), Some("such as a PDF")),
            (CLAUDE, block(json!({"image": png})), None),
            (
                "us.amazon.nova-pro-v1:0",
                block(json!({"image": png})),
                Some("an image, whose tokens"),
            ),
            (CLAUDE, block(json!({"video": {}})), Some("a part that is not text")),
            (CLAUDE, json!({"novel": {}}), Some("the member \"novel\"")),
            (
                CLAUDE,
                json!({"additionalModelRequestFields": {"novel": {}}}),
                Some("\"novel\" of additionalModelRequestFields"),
            ),
            (
                CLAUDE,
                json!({"additionalModelRequestFields": {"top_k": 5, "thinking": {},
                    "output_config": {"effort": "high"}}, "inferenceConfig": {"maxTokens": 1},
                    "guardrailConfig": {}, "requestMetadata": {"a": "b"}}),
                None,
            ),
            (
                CLAUDE,
                json!({"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}}),
                Some("a tool that the provider runs"),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:prompt/ABCDEFGHIJ",
                json!({}),
                Some("a prompt that is stored"),
            ),
        ] {
            let unseen = measured(model, body.clone(), |prompt| prompt.unseen.clone());
            match expected {
                None => assert_eq!(unseen, None, "{body}"),
                Some(words) => assert!(unseen.is_some_and(|it| it.contains(words)), "{body}"),
            }
        }
        let short = measured(CLAUDE, block(json!({"text": "hi"})), |prompt| prompt.tokens);
        let long = json!({"text": "hello ".repeat(1000)});
        assert!(measured(CLAUDE, block(long), |prompt| prompt.tokens) >= short + 1000);
    }

    #[test]
    fn cache_points_searches_and_tiers_cost_more() {
        let point = |ttl: Value| block(json!({"cachePoint": {"type": "default", "ttl": ttl}}));
        let writes = |prompt: &Prompt<'_>| (prompt.cache_writes, prompt.cache_writes_1h);
        assert_eq!(measured(CLAUDE, block(json!({"text": "a"})), writes), (false, false));
        assert_eq!(measured(CLAUDE, point(Value::Null), writes), (true, false));
        assert_eq!(measured(CLAUDE, point(json!("1h")), writes), (true, true));
        let in_tools = json!({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}},
            {"cachePoint": {"type": "default"}}]}});
        assert_eq!(measured(CLAUDE, in_tools, writes), (true, false));
        for (body, surcharged) in [
            (json!({"serviceTier": {"type": "flex"}}), false),
            (json!({"serviceTier": {"type": "priority"}}), true),
            (json!({"performanceConfig": {"latency": "standard"}}), false),
            (json!({"performanceConfig": {"latency": "optimized"}}), true),
        ] {
            assert_eq!(measured(CLAUDE, body, |prompt| prompt.surcharge.is_some()), surcharged);
        }
        let grounded =
            json!({"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}});
        let found = measured("x", grounded, |prompt| (prompt.web_searches, prompt.steps));
        assert_eq!(found, (None, STEPS));
    }
}
