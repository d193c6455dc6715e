//! One model of a list.

use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::models::ModelInfo;
use crate::time::rfc3339;
use crate::wire::json;

/// The members that name a model, in order of preference. Ollama's `name` and `model` are equal
/// (docs.ollama.com/api/tags).
const IDS: &[&str] = &["id", "model", "name"];

const DISPLAY_NAMES: &[&str] = &["display_name", "displayName", "name"];

/// `created` is in Unix seconds at OpenAI, `created_at` is RFC 3339 at Anthropic.
const CREATED: &[&str] = &["created", "created_at"];

/// `context_window` at Groq, `context_length` at OpenRouter, Together and Cohere,
/// `max_context_length` at Mistral and LM Studio, `max_input_tokens` at Anthropic,
/// `inputTokenLimit` at Gemini, `max_model_len` at vLLM and SGLang, `context_size` at Novita.
const CONTEXT_WINDOWS: &[&str] = &[
    "context_window",
    "context_length",
    "max_context_length",
    "max_input_tokens",
    "inputTokenLimit",
    "max_model_len",
    "context_size",
];

/// `max_completion_tokens` at Groq, `max_tokens` at Anthropic (platform.claude.com/docs/en/api/models/list:
/// the most that the parameter of this name may be), `outputTokenLimit` at Gemini,
/// `max_output_tokens` at Novita.
const OUTPUT_LIMITS: &[&str] =
    &["max_output_tokens", "max_completion_tokens", "max_tokens", "outputTokenLimit"];

/// Reads one entry; `None` if it names no model. What becomes a field is not in `extra`.
pub(super) fn read(entry: Value) -> Option<ModelInfo> {
    let mut members = match entry {
        Value::Object(members) => members,
        // Some servers list bare names.
        Value::String(id) => return named(id).map(|id| ModelInfo { id, ..ModelInfo::default() }),
        _ => return None,
    };
    let id = take(&mut members, IDS, |value| named(json::text(value.clone())?))?;
    let name = |value: &Value| json::text(value.clone()).filter(|name| *name != id);
    let display_name = take(&mut members, DISPLAY_NAMES, name);
    for name in ["model", "name"] {
        let repeats = |value: &Value| {
            value.as_str().is_some_and(|text| text == id || text.strip_prefix(GEMINI) == Some(&*id))
        };
        if members.get(name).is_some_and(repeats) {
            members.shift_remove(name);
        }
    }
    let context_window = take(&mut members, CONTEXT_WINDOWS, positive);
    let max_output_tokens = take(&mut members, OUTPUT_LIMITS, positive)
        // OpenRouter (openrouter.ai/docs/api-reference/list-available-models).
        .or_else(|| positive(members.get("top_provider")?.get("max_completion_tokens")?));
    let created = take(&mut members, CREATED, time);
    Some(ModelInfo { created, display_name, context_window, max_output_tokens, extra: members, id })
}

/// What Gemini writes before every name; requests take names with and without it.
const GEMINI: &str = "models/";

fn named(id: String) -> Option<String> {
    let id = id.strip_prefix(GEMINI).map(str::to_owned).unwrap_or(id);
    Some(id).filter(|id| !id.is_empty())
}

/// Removes the first of the members that can be read.
fn take<T>(
    members: &mut Map<String, Value>,
    names: &[&str],
    read: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    let (name, found) = names.iter().find_map(|name| Some((name, read(members.get(*name)?)?)))?;
    members.shift_remove(*name);
    Some(found)
}

/// A number of tokens. Some servers write 0 or -1 for a limit that they do not know.
fn positive(value: &Value) -> Option<u64> {
    json::count(value).filter(|count| *count > 0)
}

/// A time in Unix seconds or RFC 3339. Anthropic writes the epoch if a release date is unknown, and
/// others write 0.
fn time(value: &Value) -> Option<SystemTime> {
    let at = match value {
        Value::String(text) => rfc3339::parse(text)?,
        value => UNIX_EPOCH.checked_add(Duration::from_secs(json::count(value)?))?,
    };
    Some(at).filter(|at| *at != UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn the_members_of_every_vendor_are_read() {
        let info = |id: &str| ModelInfo { id: id.to_owned(), ..ModelInfo::default() };
        for (entry, expected, extra) in [
            (
                json!({"id": "gpt-4o", "object": "model", "created": 1_715_367_049, "owned_by": "system"}),
                ModelInfo { created: at(1_715_367_049), ..info("gpt-4o") },
                json!({"object": "model", "owned_by": "system"}),
            ),
            (
                json!({
                    "type": "model", "id": "claude-opus-4-6", "display_name": "Claude Opus 4.6",
                    "created_at": "2026-02-04T00:00:00Z", "max_input_tokens": 200_000,
                    "max_tokens": 128_000,
                }),
                ModelInfo {
                    created: at(1_770_163_200),
                    display_name: Some("Claude Opus 4.6".to_owned()),
                    context_window: Some(200_000),
                    max_output_tokens: Some(128_000),
                    ..info("claude-opus-4-6")
                },
                json!({"type": "model"}),
            ),
            (
                json!({
                    "name": "models/gemini-2.5-flash", "displayName": "Gemini 2.5 Flash",
                    "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": ["generateContent"],
                }),
                ModelInfo {
                    display_name: Some("Gemini 2.5 Flash".to_owned()),
                    context_window: Some(1_048_576),
                    max_output_tokens: Some(65_536),
                    ..info("gemini-2.5-flash")
                },
                json!({"supportedGenerationMethods": ["generateContent"]}),
            ),
            (
                json!({
                    "id": "openai/gpt-4o", "name": "OpenAI: GPT-4o", "created": 1_715_367_049,
                    "context_length": 128_000, "pricing": {"prompt": "0.0000025"},
                    "top_provider": {"max_completion_tokens": 16_384},
                }),
                ModelInfo {
                    created: at(1_715_367_049),
                    display_name: Some("OpenAI: GPT-4o".to_owned()),
                    context_window: Some(128_000),
                    max_output_tokens: Some(16_384),
                    ..info("openai/gpt-4o")
                },
                json!({
                    "pricing": {"prompt": "0.0000025"},
                    "top_provider": {"max_completion_tokens": 16_384},
                }),
            ),
            (
                json!({"id": "mistral-large-2512", "name": "mistral-large-2512", "max_context_length": 262_144}),
                ModelInfo { context_window: Some(262_144), ..info("mistral-large-2512") },
                json!({}),
            ),
            (
                json!({"name": "llama3.2:latest", "model": "llama3.2:latest", "size": 2_019_393_189_u64}),
                info("llama3.2:latest"),
                json!({"size": 2_019_393_189_u64}),
            ),
            (
                json!({"name": "embed-v4.0", "endpoints": ["embed"], "context_length": 128_000}),
                ModelInfo { context_window: Some(128_000), ..info("embed-v4.0") },
                json!({"endpoints": ["embed"]}),
            ),
            (
                json!({"id": "a", "created": 0, "context_length": -1, "max_tokens": null}),
                info("a"),
                json!({"created": 0, "context_length": -1, "max_tokens": null}),
            ),
            (json!("a"), info("a"), json!({})),
        ] {
            let expected = ModelInfo { extra: extra.as_object().unwrap().clone(), ..expected };
            assert_eq!(read(entry.clone()), Some(expected), "{entry}");
        }
        for entry in [json!({}), json!(null), json!({"id": ""}), json!(""), json!(["a"])] {
            assert_eq!(read(entry.clone()), None, "{entry}");
        }
    }
}
