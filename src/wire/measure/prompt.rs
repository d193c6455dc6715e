//! The most tokens a prompt can be.
//!
//! The body is read as it is sent, member by member. Text is counted, media are
//! measured, and whatever can bring in what is not in the body is noted as unseen.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::image::{self, Detail};
use super::{size, text, whole};
use crate::upper_bound::ModelLimits;

/// Around a prompt as a whole. OpenAI puts 3 tokens there (its cookbook, "How to count
/// tokens with tiktoken"); other vendors' templates have instructions of up to some
/// hundred (gpt-oss with its date, effort and channels, Llama 3 with its dates).
const PROMPT: u64 = 256;

/// Around a message. OpenAI puts 3 or 4 there and one before a name (its cookbook).
pub(super) const MESSAGE: u64 = 16;

/// For every member of an object and element of an array that is part of the prompt:
/// providers write JSON in notations of their own, TypeScript or XML, which can be
/// longer than the commas and quotes it came with.
pub(super) const MEMBER: u64 = 8;

/// For tools as such. Anthropic adds instructions of up to 804 tokens, with Claude Opus
/// 4.7 and a forced call (its page "Tool use", "Pricing", which lists 264 to 804); the
/// others have not published any, and are recorded with less.
const TOOLS: u64 = 1024;

/// For each tool of Anthropic's own that the caller runs: up to 735 tokens, and 499
/// around them for the use of a computer (its page "Pricing", "Tool-specific pricing").
pub(super) const CLIENT_TOOL: u64 = 2048;

/// For a form of the answer beside its schema: Anthropic adds instructions of a length
/// not published (its page "Structured outputs").
pub(super) const FORMAT: u64 = 1024;

/// How often a model is asked in one call where the provider runs tools itself. "The
/// server-side sampling loop has a default limit of 10 iterations" (Anthropic's page
/// "Server tools"); one more for the answer. Every one of them is billed its whole
/// input, results included ("in search iterations executed during a single turn",
/// its page "Web search tool"), and may answer up to `max_tokens`: the same page shows
/// 6,039 output tokens for a request with 1,024.
const STEPS: u64 = 11;

/// Audio tokens of a base64 character, as a divisor. OpenAI bills 10 tokens a second
/// (its page "Managing costs", "1 token per 100 ms"), others up to 32 (Gemini), and a
/// second has at least 1,000 bytes (MPEG layer III at 8 kbit/s), 1,333 in base64: 40
/// characters a token at most, and 32 for a margin.
const AUDIO: u64 = 32;

/// What is found in a body.
pub(in crate::wire) struct Prompt<'a> {
    basis: &'a ModelLimits<'a>,
    /// Tokens of what is in the body, in one step.
    pub(super) tokens: u64,
    /// Something that enters the prompt and is not in the body, or not in a form that
    /// tells its tokens.
    pub(super) unseen: Option<Cow<'static, str>>,
    /// What is billed at more than the prices say. Anthropic's fast mode costs a multiple
    /// of the standard price (its page "Fast mode", "Pricing"), and inference in the US alone
    /// 1.1 times that (its page "Service tiers").
    pub(super) surcharge: Option<&'static str>,
    /// How often the model is asked.
    pub(super) steps: u64,
    /// How many prompts there are; only text completions take several.
    pub(super) prompts: u64,
    /// Tokens billed as output beyond the limit, for each choice.
    pub(super) beside_output: u64,
    /// None where nothing limits them.
    pub(super) web_searches: Option<u64>,
    pub(super) cache_writes: bool,
    pub(super) cache_writes_1h: bool,
    pub(super) input_audio: bool,
    /// Whether the provider may call its own tools without a limit.
    pub(super) unlimited_tools: bool,
    /// How often the provider may call its own tools, in Responses only.
    pub(super) max_tool_calls: Option<u64>,
    is_response: bool,
}

/// Members that bring nothing into the prompt: Chat Completions', Messages', and what
/// OpenRouter, Groq and Cerebras add to say how to answer.
const BESIDE: &[&str] = &[
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

    fn of(body: &Map<String, Value>, format: Measured, basis: &'a ModelLimits<'a>) -> Self {
        let openai = format != Measured::Anthropic;
        let mut prompt = Self {
            basis,
            tokens: PROMPT,
            unseen: None,
            surcharge: None,
            steps: 1,
            prompts: 1,
            beside_output: 0,
            web_searches: Some(0),
            // OpenAI caches unasked, and bills it since GPT-5.6 (its page "Prompt
            // caching").
            cache_writes: openai,
            cache_writes_1h: false,
            input_audio: false,
            unlimited_tools: false,
            max_tool_calls: body.get("max_tool_calls").and_then(whole),
            is_response: format == Measured::Responses,
        };
        for (name, value) in body {
            prompt.member(name, value);
        }
        if openai && basis.model.contains("-search-") {
            prompt.search_once();
        }
        // "Returns the prompt in addition to the completion"; whether it is billed as
        // output is not said.
        if body.get("echo") == Some(&Value::Bool(true)) {
            prompt.add_output(prompt.tokens);
        }
        prompt.caches(body);
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
            // What is predicted and does not come is billed as output ("still counted in
            // the total completion tokens for purposes of billing", `CompletionUsage`
            // in openai-python).
            ("prediction", prediction) => {
                let before = self.tokens;
                self.json(prediction);
                self.add_output(self.tokens.saturating_sub(before));
            }
            ("web_search_options", _) => self.search_once(),
            ("context_management", _) => {
                self.unseen("a conversation that the provider may shorten on the way");
                self.steps = STEPS;
                self.cache_writes = true;
            }
            ("mcp_servers", Value::Array(servers)) if servers.is_empty() => {}
            ("mcp_servers", _) => self.server_tool("tools of an MCP server"),
            ("container", Value::String(_)) => {}
            ("speed", speed) if speed == "standard" => {}
            ("speed", _) => self.surcharge = Some("another speed than standard"),
            ("inference_geo", geo) if geo == "global" => {}
            ("inference_geo", _) => {
                self.surcharge = Some("another inference geography than global");
            }
            // Sampling has many knobs; a number is one and no text.
            (_, Value::Number(_)) => {}
            (name, _) if BESIDE.contains(&name) => {}
            _ => self.unseen(format!("the member {name:?}, whose meaning is not known here")),
        }
    }

    fn message(&mut self, message: &Value) {
        self.add(MESSAGE);
        let Value::Object(message) = message else { return self.json(message) };
        for (name, value) in message {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                // The second are those that the model made.
                ("content" | "images", content) => self.content(content),
                // A spoken answer by its id.
                ("audio", _) => {
                    self.input_audio = true;
                    self.unseen("a spoken answer by its id");
                }
                _ => self.json(value),
            }
        }
    }

    /// Text, a part, or several.
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

    pub(super) fn part(&mut self, part: &Map<String, Value>) {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "image_url" => {
                let image = part.get("image_url");
                let url = image.and_then(|image| image.get("url")).or(image);
                let url = url.and_then(Value::as_str).unwrap_or_default();
                self.openai_image(url, image.and_then(|image| image.get("detail")));
            }
            "image" if part.contains_key("source") => {
                let data = part.get("source").and_then(|source| source.get("data"));
                self.add(image::anthropic(data.and_then(Value::as_str).and_then(size::of)));
            }
            "input_audio" => {
                self.input_audio = true;
                let data = part.get("input_audio").and_then(|audio| audio.get("data"));
                let length = data.and_then(Value::as_str).map_or(0, str::len);
                self.add(MESSAGE + u64::try_from(length).unwrap_or(u64::MAX) / AUDIO);
            }
            "document" => self.document(part),
            "tool_result" => {
                self.add(MESSAGE);
                part.iter().for_each(|(name, value)| match name.as_str() {
                    "content" => self.content(value),
                    _ => self.json(value),
                });
            }
            "text" | "refusal" | "thinking" | "redacted_thinking" | "tool_use"
            | "server_tool_use" | "mcp_tool_use" | "search_result" | "custom" | "function"
            | "tool_reference" | "compaction" | "input_text" | "output_text" => self.fields(part),
            _ if kind.ends_with("tool_result") => {
                self.fields(part);
                self.unseen("the result of a tool that the provider ran");
            }
            "file" => self.unseen("a file"),
            _ => self.unseen("a part of another kind than text, image or audio"),
        }
    }

    /// Text documents are in the body; pages of others are seen by the provider only,
    /// as text and as images.
    fn document(&mut self, part: &Map<String, Value>) {
        let source = part.get("source");
        let kind = source.and_then(|source| source.get("type")).and_then(Value::as_str);
        match kind {
            Some("text") => self.fields(part),
            Some("content") => {
                for (name, value) in part.iter().filter(|(name, _)| *name != "source") {
                    self.text(name);
                    self.json(value);
                }
                if let Some(content) = source.and_then(|source| source.get("content")) {
                    self.content(content);
                }
            }
            _ => self.unseen("a document whose pages cannot be counted, such as a PDF"),
        }
    }

    pub(super) fn openai_image(&mut self, url: &str, detail: Option<&Value>) {
        let detail = match detail.and_then(Value::as_str) {
            Some("low") => Detail::Low,
            Some("high") => Detail::High,
            _ => Detail::Original,
        };
        let data = url.split_once(";base64,").map(|(_, data)| data);
        match image::openai(self.basis.model, detail, data.and_then(size::of)) {
            Some(tokens) => self.add(tokens),
            None => self.unseen("an image of unknown size, without a detail that limits it"),
        }
    }

    fn tool(&mut self, tool: &Value) {
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
                    let most = tool.get("max_uses").and_then(whole);
                    self.web_searches =
                        self.web_searches.zip(most).map(|(one, two)| one.saturating_add(two));
                }
            }
        }
    }

    /// Its results come into the prompt, and Anthropic caches between the steps unasked
    /// (the usage that its page "Web search tool" shows).
    pub(super) fn server_tool(&mut self, what: &'static str) {
        self.unseen(what);
        self.steps = STEPS;
        self.cache_writes = true;
    }

    /// OpenAI's chat models that search do so once, before they answer (its page "Web
    /// search", "Chat Completions").
    fn search_once(&mut self) {
        self.unseen("a search of the web");
        self.web_searches = self.web_searches.map(|searches| searches.max(1));
    }

    /// Of text completions: a text, several, or tokens.
    fn prompt(&mut self, prompt: &Value) {
        if let Value::Array(prompts) = prompt {
            // An array of numbers is one prompt, of tokens.
            if prompts.iter().any(|prompt| !prompt.is_number()) {
                self.prompts = u64::try_from(prompts.len()).unwrap_or(u64::MAX);
                self.add(PROMPT.saturating_mul(self.prompts));
            }
        }
        self.json(prompt);
    }

    /// All that is in a JSON value, as text.
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
            // Of tokens, 24 is the longest number.
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

    /// Cache points, wherever they are.
    fn caches(&mut self, members: &Map<String, Value>) {
        if let Some(Value::Object(control)) = members.get("cache_control") {
            self.cache_writes = true;
            self.cache_writes_1h |= control.get("ttl").is_some_and(|ttl| ttl == "1h");
        }
        members.values().for_each(|value| self.caches_in(value));
    }

    fn caches_in(&mut self, value: &Value) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|value| self.caches_in(value)),
            Value::Object(members) => self.caches(members),
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
