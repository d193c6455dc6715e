//! The wire format as a program has it that brings no client: types for serde.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::failure::Failure;
use crate::server::answers::{MODEL, QUESTION};

#[derive(Serialize)]
pub struct Request {
    model: &'static str,
    messages: [Asked; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct Asked {
    role: &'static str,
    content: &'static str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl Request {
    pub fn new(stream: bool) -> Self {
        Self {
            model: MODEL,
            messages: [Asked { role: "user", content: QUESTION }],
            stream: stream.then_some(true),
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
        }
    }
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
pub struct Completion {
    id: String,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    usage: Usage,
    service_tier: Option<String>,
    system_fingerprint: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct Choice {
    index: u32,
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct Message {
    role: String,
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: Option<PromptTokens>,
    completion_tokens_details: Option<CompletionTokens>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct PromptTokens {
    cached_tokens: u64,
    audio_tokens: u64,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct CompletionTokens {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl Completion {
    /// The text of the first choice.
    pub fn text(self) -> Result<String, Failure> {
        let choice = self.choices.into_iter().next();
        Ok(choice.and_then(|choice| choice.message.content).ok_or("an answer without a text")?)
    }
}

/// One event of a stream. It borrows what it can.
#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
pub struct Chunk<'a> {
    id: &'a str,
    created: u64,
    model: &'a str,
    #[serde(borrow)]
    choices: Vec<ChunkChoice<'a>>,
    usage: Option<Usage>,
    service_tier: Option<&'a str>,
    system_fingerprint: Option<&'a str>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct ChunkChoice<'a> {
    index: u32,
    #[serde(borrow)]
    delta: Delta<'a>,
    finish_reason: Option<&'a str>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed as a program would that needs it")]
struct Delta<'a> {
    role: Option<&'a str>,
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
}

/// Borrowed unless something in it is escaped; within an `Option`, a `Cow` alone never is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Chunk<'_> {
    /// How long the text of the first choice is.
    pub fn length(&self) -> usize {
        let text = self.choices.first().and_then(|choice| choice.delta.content.as_ref());
        text.map_or(0, |text| text.0.len())
    }
}
