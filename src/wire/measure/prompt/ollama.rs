//! Measures bodies of Ollama's own format.

use serde_json::{Map, Value};

use super::super::{image, size};
use super::{FORMAT, MEMBER, MESSAGE, Prompt, TOOLS, rounded_up};
use crate::upper_bound::ModelLimits;

/// Members that add nothing to the prompt.
const BESIDE: &[&str] = &[
    "keep_alive",
    "logprobs",
    "model",
    "options",
    "shift",
    "stream",
    "think",
    "top_logprobs",
    "truncate",
];

impl<'a> Prompt<'a> {
    /// Measures a body of Ollama's format.
    ///
    /// What a Modelfile adds (`SYSTEM`, `MESSAGE`) is not in the body and not counted: nothing
    /// shows it, and most models have none.
    pub(in crate::wire) fn ollama(body: &Map<String, Value>, basis: &'a ModelLimits<'a>) -> Self {
        let mut prompt = Self::empty(basis);
        for (name, value) in body {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("messages", Value::Array(messages)) => {
                    messages.iter().for_each(|message| prompt.ollama_message(message));
                }
                ("tools", Value::Array(tools)) => {
                    if !tools.is_empty() {
                        prompt.add(TOOLS);
                        prompt.json(value);
                    }
                }
                ("format", format) => {
                    prompt.add(FORMAT);
                    prompt.json(format);
                }
                (name, _) if BESIDE.contains(&name) => {}
                _ => prompt.unseen(format!("the member {name:?}, which this crate does not know")),
            }
        }
        if repeats(body) {
            let limit = body.get("options").and_then(|options| options.get("num_predict"));
            let thoughts = limit.and_then(rounded_up).or(basis.output_tokens).unwrap_or(0);
            prompt.add(thoughts);
        }
        prompt
    }

    fn ollama_message(&mut self, message: &Value) {
        self.add(MESSAGE);
        let Value::Object(message) = message else { return self.json(message) };
        for (name, value) in message {
            match (name.as_str(), value) {
                ("images", Value::Array(images)) => {
                    for image in images {
                        self.add(MEMBER);
                        self.ollama_image(image.as_str().unwrap_or_default());
                    }
                }
                _ => self.json(value),
            }
        }
    }

    /// Every model has its own rule. The ones with the most tokens are Qwen's, with one for each
    /// patch of 28 × 28 pixels (github.com/QwenLM/Qwen2.5-VL, "Image Resolution"), which is fewer
    /// than one for each 14 × 14; models with a fixed size have at most 6,404 (Llama 3.2 Vision:
    /// 4 tiles of 1,601).
    fn ollama_image(&mut self, data: &str) {
        const FIXED: u64 = 6404;
        match size::of(data) {
            Some(size) => self.add(image::patches(size, 14).max(FIXED)),
            None => self.unseen("an image of unknown size"),
        }
    }
}

/// Returns true if Ollama may run the model twice. With a format, a model that thinks first writes
/// its thoughts without the grammar; the second run has them in its prompt, and only it is counted
/// (`structuredOutputsState` of `ChatHandler` in `server/routes.go`).
fn repeats(body: &Map<String, Value>) -> bool {
    body.get("format").is_some_and(|format| !format.is_null())
        && body.get("think") != Some(&Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn measured(body: Value) -> (u64, Option<String>) {
        let Value::Object(body) = body else { panic!() };
        let limits = ModelLimits {
            provider: "ollama",
            model: "m",
            output_tokens: Some(500),
            context_window: None,
            tokenizer: None,
        };
        let prompt = Prompt::ollama(&body, &limits);
        (prompt.tokens, prompt.unseen.map(String::from))
    }

    fn message(message: Value) -> Value {
        json!({"model": "m", "messages": [message], "stream": false})
    }

    #[test]
    fn everything_in_the_prompt_counts() {
        let (least, unseen) = measured(message(json!({"role": "user", "content": ""})));
        assert_eq!(unseen, None);
        let text = "a".repeat(100);
        for more in [
            message(json!({"role": "user", "content": text})),
            message(json!({"role": "assistant", "content": "", "thinking": text})),
            message(json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": {"a": text}}}]})),
            json!({"messages": [{"role": "user", "content": ""}], "format": {"description": text}}),
            json!({"messages": [{"role": "user", "content": ""}], "tools": [{"description": text}]}),
        ] {
            let (tokens, unseen) = measured(more.clone());
            assert!(tokens >= least + 25 && unseen.is_none(), "{tokens} {more}");
        }
        let settings = json!({"messages": [{"role": "user", "content": ""}], "tools": [],
            "options": {"num_ctx": 9}, "think": "low", "keep_alive": "5m", "truncate": false});
        assert_eq!(measured(settings), (least, None));
        let (_, unseen) = measured(json!({"messages": [], "context": [1]}));
        assert!(unseen.unwrap().contains("\"context\""));
    }

    #[test]
    fn an_image_counts_at_least_what_any_model_counts() {
        // A PNG of 1,000 × 700 pixels.
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(1000_u32.to_be_bytes());
        png.extend(700_u32.to_be_bytes());
        let image = crate::base64::encode(&png);
        let (tokens, unseen) = measured(message(json!({"role": "user", "images": [image]})));
        assert!(tokens >= 6404 && unseen.is_none(), "{tokens}");
        let (_, unseen) = measured(message(json!({"role": "user", "images": ["Zm9v"]})));
        assert!(unseen.unwrap().contains("unknown size"));
    }

    #[test]
    fn thoughts_before_a_formatted_answer_count_as_input_too() {
        let body = |think: Value, options: Value| json!({"messages": [], "format": "json", "think": think, "options": options});
        let (plain, _) = measured(body(json!(false), json!({})));
        assert_eq!(measured(body(json!(null), json!({}))).0, plain + 500);
        assert_eq!(measured(body(json!("low"), json!({"num_predict": 70}))).0, plain + 70);
    }
}
