//! Recorded requests, checked before they are sent: those that a provider refused because of its
//! model are refused here too, and none that was served.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it these tests print that they are
//! skipped.

mod support;

use serde_json::{Value, json};
use support::recordings::{Recordings, member};
use support::{builder, loopback};
use tollgate::testing::Loopback;
use tollgate::{
    ChatRequest, Document, Error, ErrorKind, Image, Message, ReasoningEffort, ResponseFormat, Tool,
};

/// The provider of a recorded chat, by its host; `None` for other operations and servers.
fn provider(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    let path = rest.split('?').next()?;
    let (host, path) = path.split_once('/')?;
    let is_chat = ["/messages", "chat/completions", "/responses", "v2/chat"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.contains("enerateContent");
    if !is_chat {
        return None;
    }
    Some(match host {
        "api.openai.com" => "openai",
        "api.anthropic.com" => "anthropic",
        "generativelanguage.googleapis.com" => "gemini",
        "api.groq.com" => "groq",
        "api.mistral.ai" => "mistral",
        "api.cohere.com" => "cohere",
        "api.deepseek.com" => "deepseek",
        "api.cerebras.ai" => "cerebras",
        "api.perplexity.ai" => "perplexity",
        "api.together.xyz" => "together",
        "api.x.ai" => "xai",
        "api.z.ai" => "zai",
        "openrouter.ai" => "openrouter",
        "router.huggingface.co" => "huggingface",
        host if host.ends_with(".openai.azure.com") => "azure",
        host if host.ends_with("aiplatform.googleapis.com") => "vertex",
        _ => return None,
    })
}

/// The model of a request: in its body, or at Google in the URL.
fn model(entry: &Value) -> Option<String> {
    let url = member(entry, "url");
    let in_url = || {
        let (_, rest) = url.split_once("/models/")?;
        rest.split(':').next().map(str::to_owned)
    };
    entry["request_body"]["model"].as_str().map(str::to_owned).or_else(in_url)
}

/// The request with the same needs as a recorded body. Contents do not matter, so long texts are
/// filled in, and media are small.
fn request(body: &Value) -> ChatRequest {
    let mut found = Found::default();
    for name in ["messages", "input", "contents", "system", "instructions"] {
        found.read(&body[name]);
    }
    let mut message = Message::user(found.text);
    if found.images {
        message = message.with(Image::from_bytes("image/png", b"\x89PNG\r\n\x1a\n"));
    }
    if found.documents {
        message = message.with(Document::from_bytes("application/pdf", b"%PDF-1.7"));
    }
    if found.audio {
        message = message.with(Document::from_bytes("audio/mpeg", b"ID3"));
    }
    let mut request = ChatRequest::from(message);
    if found.tools || body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) {
        request = request.tool(Tool::function("f", "d", json!({"type": "object"})));
    }
    let config = &body["generationConfig"];
    let formats = [&body["response_format"], &body["text"]["format"], config];
    let is_schema = |format: &&Value| {
        format["type"] == "json_schema"
            || !format["responseSchema"].is_null()
            || !format["responseJsonSchema"].is_null()
    };
    if formats.iter().any(is_schema) {
        let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
        request = request.response_format(ResponseFormat::json_schema("s", schema));
    }
    let first = |values: &[&Value]| values.iter().find(|value| !value.is_null()).cloned().cloned();
    let efforts =
        [&body["reasoning_effort"], &body["reasoning"]["effort"], &body["output_config"]["effort"]];
    if let Some(effort) = first(&efforts) {
        request =
            request.reasoning_effort(serde_json::from_value::<ReasoningEffort>(effort).unwrap());
    }
    if body["thinking"]["type"] == "enabled" {
        request = request.reasoning_effort(ReasoningEffort::Low);
    }
    if let Some(value) = first(&[&body["temperature"], &config["temperature"]]) {
        request = request.temperature(value.as_f64().unwrap());
    }
    if let Some(value) = first(&[&body["top_p"], &body["p"], &config["topP"]]) {
        request = request.top_p(value.as_f64().unwrap());
    }
    let limits = [
        &body["max_tokens"],
        &body["max_completion_tokens"],
        &body["max_output_tokens"],
        &config["maxOutputTokens"],
    ];
    if let Some(limit) = first(&limits) {
        request = request.max_output_tokens(u32::try_from(limit.as_u64().unwrap()).unwrap());
    }
    request
}

/// What a prompt contains.
#[derive(Default)]
struct Found {
    text: String,
    images: bool,
    documents: bool,
    audio: bool,
    tools: bool,
}

impl Found {
    fn read(&mut self, value: &Value) {
        match value {
            // The recordings have this in place of a text of a million letters.
            Value::String(text) if text == "<MASSIVE_TEXT>" => {
                self.text.push_str(&"a".repeat(1_000_000));
            }
            Value::String(text) => self.text.push_str(text),
            Value::Array(values) => values.iter().for_each(|value| self.read(value)),
            Value::Object(members) => {
                let kind = value["type"].as_str().unwrap_or_default();
                let media = [&value["mimeType"], &value["mime_type"], &value["media_type"]];
                let media = media.into_iter().find_map(Value::as_str).unwrap_or_default();
                self.images |= matches!(kind, "image" | "image_url" | "input_image")
                    || media.starts_with("image/");
                self.audio |= kind == "input_audio" || media.starts_with("audio/");
                self.documents |= matches!(kind, "document" | "input_file" | "file")
                    && !media.starts_with("text/")
                    || media == "application/pdf";
                self.tools |= !value["tool_calls"].is_null()
                    || matches!(kind, "tool_use" | "function_call")
                    || !value["functionCall"].is_null();
                members.values().for_each(|value| self.read(value));
            }
            _ => {}
        }
    }
}

/// The error that a request gets before it is sent because of its model.
fn refused(server: &Loopback, provider: &str, model: &str, request: &ChatRequest) -> Option<Error> {
    let before = server.request_count();
    let client = builder(server, provider).check_models(true).build().expect("a client");
    let error = client.chat(request.clone().model(format!("{provider}/{model}"))).err()?;
    let is_ours = error.to_string().contains("check_models");
    assert!(!is_ours || server.request_count() == before, "{error}");
    is_ours.then_some(error)
}

#[test]
fn no_recorded_request_that_was_served_is_refused() {
    let Some(recordings) = Recordings::open() else { return };
    let server = loopback();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for entry in recordings.entries.iter().filter(|entry| entry["status"] == 200) {
        let (Some(provider), Some(model)) = (provider(&member(entry, "url")), model(entry)) else {
            continue;
        };
        checked += 1;
        if let Some(error) = refused(&server, provider, &model, &request(&entry["request_body"])) {
            wrong.push(format!("{}: {error}", member(entry, "file")));
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(checked > 270, "{checked}");
}

#[test]
fn recorded_refusals_because_of_the_model_come_before_sending_and_say_what_to_do() {
    let Some(recordings) = Recordings::open() else { return };
    let server = loopback();
    let long = ErrorKind::ContextWindowExceeded;
    let invalid = ErrorKind::InvalidRequest;
    for (start, kind, why) in [
        ("anthropic/ruby_llm-chat_real_error_scenarios", long, "the context window holds 200000"),
        ("cohere/ruby_llm-chat_real_error_scenarios", long, "the context window holds"),
        ("perplexity/ruby_llm-chat_real_error_scenarios", long, "the context window holds 128000"),
        (
            "anthropic/pydantic-ai-test_anthropic_explicit_effort_xhigh",
            invalid,
            "the reasoning effort \"xhigh\", and the model has only \"none\", \"low\"",
        ),
        (
            "openai_chat/pydantic-ai-test_multimodal_tool_return_matrix_direct-binary-audio",
            invalid,
            "the request has sound, which the model does not support",
        ),
    ] {
        let mut entries = recordings.entries.iter();
        let is_meant =
            |entry: &&Value| entry["status"] == 400 && member(entry, "file").starts_with(start);
        let entry = entries.find(is_meant).unwrap_or_else(|| panic!("no {start}"));
        let (provider, model) = (provider(&member(entry, "url")).unwrap(), model(entry).unwrap());
        let error = refused(&server, provider, &model, &request(&entry["request_body"]));
        let error = error.unwrap_or_else(|| panic!("{start} is sent"));
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        let remedy =
            if kind == long { "shorten the prompt, or use" } else { "leave that out, or use" };
        assert!(text.contains(why) && text.contains(remedy), "{text}");
    }
    assert_eq!(server.request_count(), 0);
}

/// The recorded 400s that no knowledge of models avoids, with the reasons.
#[test]
fn every_other_recorded_400_is_not_about_what_the_model_can_do() {
    let Some(recordings) = Recordings::open() else { return };
    let known = [
        // A parameter set by `extra`, which the client sends unseen.
        ("openai_chat/pydantic-ai-test_openai_web_search_tool", "Web search options not supported"),
        // What the model wrote.
        ("groq/pydantic-ai-test_tool_use_failed_error-0", "Tool call validation failed"),
        ("groq/pydantic-ai-test_tool_use_failed_error_with_text-0", "did not call a tool"),
        // The order of the messages, which encoding checks for every model.
        ("deepseek/pydantic-ai-test_deepseek_responses", "No tool output found"),
        // The key.
        ("gemini/ruby_llm-chat_error_handling", "API key not valid"),
        // A model that no provider has.
        ("openai_responses/pydantic-ai-test_inferred_model_name", "does not exist"),
    ];
    let refused = recordings.entries.iter().filter(|entry| entry["status"] == 400);
    let mut others: Vec<_> = refused
        .filter(|entry| {
            let body = String::from_utf8(recordings.body(entry)).unwrap();
            let file = member(entry, "file");
            !known.iter().any(|(start, says)| file.starts_with(start) && body.contains(says))
        })
        .map(|entry| member(entry, "file").chars().take(40).collect::<String>())
        .collect();
    others.sort();
    assert_eq!(others.len(), 5, "{others:?}");
}
