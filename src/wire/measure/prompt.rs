//! Measures the most tokens that a prompt can have.
//!
//! It reads the body as sent, member by member. It counts text, measures media, and notes anything
//! that can bring content into the prompt that is not in the body.

mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod parts;
mod tools;

use serde_json::{Map, Value};
use std::borrow::Cow;

pub(super) use self::tools::CLIENT_TOOL;
use self::tools::has_search;
use super::{rounded_up, text};
use crate::upper_bound::ModelLimits;
use crate::wire::json;

/// Tokens around a whole prompt. OpenAI adds 3 (its cookbook, "How to count tokens with tiktoken").
/// Other vendors' templates add up to a few hundred tokens of instructions (gpt-oss with its date,
/// effort and channels, Llama 3 with its dates).
const PROMPT: u64 = 256;

/// Tokens around a message. OpenAI adds 3 or 4, plus one before a name (its cookbook).
pub(super) const MESSAGE: u64 = 16;

/// Tokens for every object member and array element in the prompt. Providers rewrite JSON in their
/// own notations, such as TypeScript or XML, which can be longer than the original commas and
/// quotes.
pub(super) const MEMBER: u64 = 8;

/// Tokens for having any tools. Anthropic adds instructions of up to 804 tokens, with Claude Opus
/// 4.7 and a forced call (its page "Tool use", "Pricing", which lists 264 to 804). The others
/// publish no number; recordings show less.
const TOOLS: u64 = 1024;

/// Tokens for a response format, besides its schema. Anthropic adds instructions of unpublished
/// length (its page "Structured outputs").
pub(super) const FORMAT: u64 = 1024;

/// How often the model runs in one call if the provider runs tools itself. "The server-side
/// sampling loop has a default limit of 10 iterations" (Anthropic's page "Server tools"), plus one
/// for the answer. Each iteration bills its whole input, results included ("in search iterations
/// executed during a single turn", its page "Web search tool"), and can answer with up to
/// `max_tokens`: the same page shows 6,039 output tokens for a request with 1,024.
const STEPS: u64 = 11;

/// What the body contains.
pub(in crate::wire) struct Prompt<'a> {
    basis: &'a ModelLimits<'a>,
    /// Tokens of the body's content, in one step.
    pub(super) tokens: u64,
    /// Something in the prompt that is not in the body, or whose tokens the body does not show.
    pub(super) unseen: Option<Cow<'static, str>>,
    /// Something billed above the listed price. Anthropic's fast mode costs a multiple of the
    /// standard price (its page "Fast mode", "Pricing"), and US-only inference 1.1 times (its page
    /// "Service tiers").
    pub(super) surcharge: Option<&'static str>,
    /// How often the model runs.
    pub(super) steps: u64,
    /// The number of prompts; only text completions accept several.
    pub(super) prompts: u64,
    /// Tokens billed as output on top of the limit, for each choice.
    pub(super) beside_output: u64,
    /// `None` if nothing limits them.
    pub(super) web_searches: Option<u64>,
    pub(super) cache_writes: bool,
    pub(super) cache_writes_1h: bool,
    pub(super) input_audio: bool,
    /// True if the provider may call its own tools without a limit.
    pub(super) unlimited_tools: bool,
    /// How often the provider may call its own tools, in Responses only.
    pub(super) max_tool_calls: Option<u64>,
    is_response: bool,
}

/// Members that add nothing to the prompt: those of Chat Completions and Messages, and those that
/// OpenRouter, Groq and Cerebras add to control the answer.
const NOT_IN_PROMPT: &[&str] = &[
    "audio",
    "cache_control",
    "clear_thinking",
    "disable_reasoning",
    "echo",
    "function_call",
    "include_reasoning",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "reasoning",
    "reasoning_effort",
    "reasoning_format",
    "safety_identifier",
    "service_tier",
    "stop",
    "stop_sequences",
    "store",
    "stream",
    "stream_options",
    "thinking",
    "tool_choice",
    "usage",
    "user",
    "verbosity",
];

/// What differs in bodies.
#[derive(PartialEq, Eq)]
enum Measured {
    OpenAi,
    Responses,
    Anthropic,
}

impl<'a> Prompt<'a> {
    /// Measures a body of OpenAI's formats.
    pub(in crate::wire) fn openai(body: &Map<String, Value>, basis: &'a ModelLimits<'a>) -> Self {
        Self::of(body, Measured::OpenAi, basis)
    }

    /// Measures a body of OpenAI's Responses.
    pub(in crate::wire) fn responses(
        body: &Map<String, Value>,
        basis: &'a ModelLimits<'a>,
    ) -> Self {
        Self::of(body, Measured::Responses, basis)
    }

    /// Measures a body of Anthropic's format.
    pub(in crate::wire) fn anthropic(
        body: &Map<String, Value>,
        basis: &'a ModelLimits<'a>,
    ) -> Self {
        Self::of(body, Measured::Anthropic, basis)
    }

    /// A prompt without content.
    fn empty(basis: &'a ModelLimits<'a>) -> Self {
        Self {
            basis,
            tokens: PROMPT,
            unseen: None,
            surcharge: None,
            steps: 1,
            prompts: 1,
            beside_output: 0,
            web_searches: Some(0),
            cache_writes: false,
            cache_writes_1h: false,
            input_audio: false,
            unlimited_tools: false,
            max_tool_calls: None,
            is_response: false,
        }
    }

    fn of(body: &Map<String, Value>, format: Measured, basis: &'a ModelLimits<'a>) -> Self {
        let openai = format != Measured::Anthropic;
        let mut prompt = Self {
            // OpenAI caches without being asked, and bills for it since GPT-5.6 (its page "Prompt
            // caching").
            cache_writes: openai,
            max_tool_calls: json::member(body, "max_tool_calls").and_then(rounded_up),
            is_response: format == Measured::Responses,
            ..Self::empty(basis)
        };
        for (name, value) in body {
            prompt.member(name, value);
        }
        if openai && has_search(basis.model) {
            prompt.search_once();
        }
        // "Returns the prompt in addition to the completion". OpenAI does not say if it bills that
        // as output.
        if json::member(body, "echo") == Some(&Value::Bool(true)) {
            prompt.add_output(prompt.tokens);
        }
        prompt.find_cache_points(body);
        prompt
    }

    fn member(&mut self, name: &str, value: &Value) {
        if self.is_response && self.of_responses(name, value) {
            return;
        }
        match (name, value) {
            (_, Value::Null) => {}
            ("messages", Value::Array(messages)) => {
                messages.iter().for_each(|message| self.message(message));
            }
            ("system", system) => {
                self.add(MESSAGE);
                self.content(system);
            }
            ("prompt", prompt) => self.prompt(prompt),
            ("tools" | "functions", Value::Array(tools)) if !tools.is_empty() => {
                self.add(TOOLS);
                tools.iter().for_each(|tool| self.tool(tool));
            }
            ("tools" | "functions", Value::Array(_)) => {}
            ("response_format" | "output_config" | "output_format", format) => {
                self.add(FORMAT);
                self.json(format);
            }
            ("suffix", suffix) => self.json(suffix),
            // Predicted tokens that the answer does not contain are billed as output ("still
            // counted in the total completion tokens for purposes of billing", `CompletionUsage` in
            // openai-python).
            ("prediction", prediction) => {
                let before = self.tokens;
                self.json(prediction);
                self.add_output(self.tokens.saturating_sub(before));
            }
            ("web_search_options", _) => self.search_once(),
            ("context_management", _) => {
                self.unseen("a conversation that the provider may shorten");
                self.steps = STEPS;
                self.cache_writes = true;
            }
            ("mcp_servers", Value::Array(servers)) if servers.is_empty() => {}
            ("mcp_servers", _) => self.server_tool("tools of an MCP server"),
            ("container", Value::String(_)) => {}
            ("speed", speed) if speed == "standard" => {}
            ("speed", _) => self.surcharge = Some("a speed other than \"standard\""),
            ("inference_geo", geo) if geo == "global" => {}
            ("inference_geo", _) => {
                self.surcharge = Some("an inference_geo other than \"global\"");
            }
            // There are many sampling settings, and a number adds no text.
            (_, Value::Number(_)) => {}
            (name, _) if NOT_IN_PROMPT.contains(&name) => {}
            _ => self.unseen(format!("the member {name:?}, which this crate does not know")),
        }
    }

    /// A message that is a single text.
    pub(super) fn plain_message(&mut self, role: &str, text: &str) {
        self.add(MESSAGE);
        self.text(role);
        self.text(text);
    }

    fn message(&mut self, message: &Value) {
        self.add(MESSAGE);
        let Value::Object(message) = message else { return self.json(message) };
        for (name, value) in message {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                // The second are those that the model made.
                ("content" | "images", content) => self.content(content),
                // An earlier audio answer, by its id.
                ("audio", _) => {
                    self.input_audio = true;
                    self.unseen("an audio answer referred to by id");
                }
                _ => self.json(value),
            }
        }
    }

    /// A text, a part, or several of them.
    pub(super) fn content(&mut self, content: &Value) {
        match content {
            Value::String(text) => self.text(text),
            Value::Array(parts) => {
                for part in parts {
                    self.add(MEMBER);
                    self.content(part);
                }
            }
            Value::Object(part) => self.part(part),
            _ => self.json(content),
        }
    }

    /// The prompt of text completions: a text, several texts, or tokens.
    fn prompt(&mut self, prompt: &Value) {
        if let Value::Array(prompts) = prompt {
            // An array of numbers is one prompt, given as tokens.
            if prompts.iter().any(|prompt| !prompt.is_number()) {
                self.prompts = u64::try_from(prompts.len()).unwrap_or(u64::MAX);
                self.add(PROMPT.saturating_mul(self.prompts));
            }
        }
        self.json(prompt);
    }

    /// Counts everything in a JSON value as text.
    pub(super) fn json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(elements) => {
                for element in elements {
                    self.add(MEMBER);
                    self.json(element);
                }
            }
            Value::Object(members) => self.fields(members),
            // No number is longer than 24 tokens.
            Value::Number(_) => self.add(24),
            Value::Bool(_) | Value::Null => self.add(5),
        }
    }

    pub(super) fn fields(&mut self, members: &Map<String, Value>) {
        for (name, value) in members {
            self.add(MEMBER);
            self.add(text::tokens(name));
            self.json(value);
        }
    }

    fn text(&mut self, text: &str) {
        let ModelLimits { provider, model, tokenizer, .. } = *self.basis;
        let counted = tokenizer.and_then(|tokenizer| tokenizer.count(provider, model, text));
        self.add(counted.unwrap_or_else(|| text::tokens(text)));
    }

    /// Finds cache breakpoints at any depth.
    fn find_cache_points(&mut self, members: &Map<String, Value>) {
        if let Some(Value::Object(control)) = json::member(members, "cache_control") {
            self.cache_writes = true;
            self.cache_writes_1h |= control.get("ttl").is_some_and(|ttl| ttl == "1h");
        }
        members.values().for_each(|value| self.find_cache_points_in(value));
    }

    fn find_cache_points_in(&mut self, value: &Value) {
        match value {
            Value::Array(elements) => {
                elements.iter().for_each(|value| self.find_cache_points_in(value));
            }
            Value::Object(members) => self.find_cache_points(members),
            _ => {}
        }
    }

    pub(super) fn unseen(&mut self, what: impl Into<Cow<'static, str>>) {
        self.unseen.get_or_insert_with(|| what.into());
    }

    pub(super) fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    fn add_output(&mut self, tokens: u64) {
        self.beside_output = self.beside_output.saturating_add(tokens);
    }
}
