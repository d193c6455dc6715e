//! Moderation in OpenAI's and Mistral's formats, with verdicts computed from the inputs.

use serde_json::{Map, Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure};
use super::openai;
use super::render::{Event, Filled, Renderer};
use super::reply::Reply;
use super::request::Request;

/// OpenAI's categories, and whether they apply to images too
/// (developers.openai.com/api/docs/guides/moderation, "Content classifications").
const OPENAI: [(&str, bool); 13] = [
    ("harassment", false),
    ("harassment/threatening", false),
    ("sexual", true),
    ("hate", false),
    ("hate/threatening", false),
    ("illicit", false),
    ("illicit/violent", false),
    ("self-harm/intent", true),
    ("self-harm/instructions", true),
    ("self-harm", true),
    ("sexual/minors", false),
    ("violence", true),
    ("violence/graphic", true),
];

/// Mistral's categories (docs.mistral.ai/studio/safety-moderation).
const MISTRAL: [&str; 11] = [
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous",
    "criminal",
    "selfharm",
    "health",
    "financial",
    "law",
    "pii",
    "jailbreaking",
];

/// The tokens that Mistral's classifier adds to an input, which are in the total alone.
const INSTRUCTIONS: u64 = 89;

/// `POST /moderations` and Mistral's `POST /chat/moderations`. A model of Mistral's answers in
/// Mistral's format.
pub(super) struct Moderations;

impl Renderer for Moderations {
    fn is_stream(&self, _: &Request) -> bool {
        false
    }

    fn prompt_bytes(&self, request: &Request) -> usize {
        inputs(request.json()).iter().map(|input| input.text.len()).sum()
    }

    fn finish_reason(&self, _: &Reply, _: &Answer) -> String {
        String::new()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let inputs = inputs(filled.request.json());
        let is_mistral = filled.model.starts_with("mistral");
        let result = if is_mistral { mistral } else { openai };
        let results: Vec<_> = inputs.iter().map(result).collect();
        let id = format!("modr-loopback-{}", filled.number);
        let mut body = json!({"id": id, "model": filled.model, "results": results});
        if let Some(usage) = filled.usage.filter(|_| is_mistral) {
            let added = INSTRUCTIONS * inputs.len() as u64;
            body["usage"] = json!({
                "prompt_tokens": usage.prompt,
                "completion_tokens": 0,
                "total_tokens": usage.prompt + added,
            });
        }
        body
    }

    fn events(&self, _: &Filled<'_>) -> Vec<Event> {
        Vec::new()
    }

    fn error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        openai::CHAT.error(status, failure, request_id)
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        openai::CHAT.request_id(number)
    }

    fn rate_limit(&self, limit: u64, remaining: u64, now: SystemTime) -> Vec<(String, String)> {
        openai::CHAT.rate_limit(limit, remaining, now)
    }

    fn not_found(&self, request: &Request) -> Reply {
        openai::CHAT.not_found(request)
    }
}

/// What gets one result.
#[derive(Default)]
struct Input {
    text: String,
    has_text: bool,
    has_image: bool,
}

impl Input {
    fn text(text: &str) -> Self {
        Self { text: text.to_owned(), has_text: true, has_image: false }
    }

    /// Of several parts, judged together.
    fn parts(parts: &[Value]) -> Self {
        let mut input = Self::default();
        for part in parts {
            match part["text"].as_str() {
                Some(text) => {
                    input.text.push_str(text);
                    input.has_text = true;
                }
                None => input.has_image |= part["type"] == "image_url",
            }
        }
        input
    }

    /// Of a conversation, whose last message is judged.
    fn chat(messages: &[Value]) -> Self {
        match messages.last().map(|last| &last["content"]) {
            Some(Value::String(text)) => Self::text(text),
            Some(Value::Array(parts)) => Self::parts(parts),
            _ => Self::default(),
        }
    }
}

fn inputs(body: &Value) -> Vec<Input> {
    let values = match &body["input"] {
        Value::String(text) => return vec![Input::text(text)],
        Value::Array(values) => values,
        _ => return Vec::new(),
    };
    let is_chat = |value: &Value| value.get("role").is_some();
    match values.first() {
        Some(Value::String(_)) => {
            values.iter().map(|text| Input::text(text.as_str().unwrap_or_default())).collect()
        }
        Some(Value::Array(_)) => {
            let chats = values.iter().filter_map(Value::as_array);
            chats.map(|messages| Input::chat(messages)).collect()
        }
        Some(first) if is_chat(first) => vec![Input::chat(values)],
        Some(_) => vec![Input::parts(values)],
        None => Vec::new(),
    }
}

fn is_flagged(input: &Input, category: &str) -> bool {
    input.text.to_lowercase().contains(category)
}

fn score(flagged: bool) -> f64 {
    if flagged { 0.99 } else { 0.01 }
}

fn openai(input: &Input) -> Value {
    let (mut flags, mut scores, mut types) = (Map::new(), Map::new(), Map::new());
    for (category, sees_images) in OPENAI {
        let flagged = is_flagged(input, category);
        flags.insert(category.to_owned(), flagged.into());
        let image = input.has_image && sees_images;
        let kinds = [("text", input.has_text), ("image", image)];
        let kinds: Vec<_> = kinds.iter().filter(|(_, has)| *has).map(|(kind, _)| *kind).collect();
        // "If you send only images […] it will return a score of 0 for these unsupported
        // categories" (the guide).
        let judged = if kinds.is_empty() { 0.0 } else { score(flagged) };
        scores.insert(category.to_owned(), judged.into());
        types.insert(category.to_owned(), json!(kinds));
    }
    let any = flags.values().any(|flag| *flag == true);
    json!({
        "flagged": any,
        "categories": flags,
        "category_scores": scores,
        "category_applied_input_types": types,
    })
}

fn mistral(input: &Input) -> Value {
    let (mut flags, mut scores) = (Map::new(), Map::new());
    for category in MISTRAL {
        let flagged = is_flagged(input, category);
        flags.insert(category.to_owned(), flagged.into());
        scores.insert(category.to_owned(), score(flagged).into());
    }
    json!({"categories": flags, "category_scores": scores})
}
