//! Measures the most tokens that a prompt in Gemini's format can have.

use serde_json::{Map, Value};

use super::super::{size, text};
use super::{FORMAT, MEMBER, MESSAGE, Prompt, STEPS, TOOLS};
use crate::base64;
use crate::upper_bound::ModelLimits;

/// Members that add nothing to the prompt (`GenerateContentRequest`).
const BESIDE: [&str; 5] = ["toolConfig", "safetySettings", "labels", "serviceTier", "store"];

/// Members of `generationConfig` that add nothing to the prompt. Numbers and booleans never do.
const SETTINGS: [&str; 9] = [
    "stopSequences",
    "responseMimeType",
    "responseModalities",
    "thinkingConfig",
    "mediaResolution",
    "speechConfig",
    "imageConfig",
    "responseLogprobs",
    "enableEnhancedCivicAnswers",
];

/// Tokens of one tile of an image, up to Gemini 2.5
/// (ai.google.dev/gemini-api/docs/image-understanding, "Token calculation").
const TILE: u64 = 258;

/// Tokens of an image that is not tiled. Gemini 3 takes about 2,240 at the highest resolution, and
/// Gemini 2.5 about 2,304 without a stated one: 256, and 2,048 for "Pan & Scan"
/// (ai.google.dev/gemini-api/docs/media-resolution, "Token counts", which calls them approximate).
const IMAGE: u64 = 2560;

/// Base64 characters per audio token. A second is up to 32 tokens
/// (ai.google.dev/gemini-api/docs/media-resolution, "Token counts") and has at least 1,000 bytes
/// (MPEG layer III at 8 kbit/s), 1,333 in base64. That makes at least 41 characters per token; 16
/// leaves a margin.
const AUDIO: u64 = 16;

/// The types of audio that have a lowest bitrate: PCM and MP3.
///
/// The others compress silence to almost nothing, so their length says little about their
/// duration: with discontinuous transmission Opus encodes "only one frame" every 400 ms (RFC 6716
/// section 2.1.9), and a FLAC subframe can be one constant sample (RFC 9639 section 9.2.3).
const WITH_LOWEST_BITRATE: [&str; 11] = [
    "audio/l16",
    "audio/pcm",
    "audio/wav",
    "audio/wave",
    "audio/x-wav",
    "audio/vnd.wave",
    "audio/aiff",
    "audio/x-aiff",
    "audio/mp3",
    "audio/mpeg",
    "audio/mpga",
];

/// Returns the most tokens of an image with this size in pixels.
///
/// A tile is as wide as the shorter side divided by 1.5, but at least 256 and at most 768 pixels
/// (firebase.google.com/docs/ai-logic/input-file-requirements, "Images: Tokenization").
fn image(width: u32, height: u32) -> u64 {
    let tile = (width.min(height) / 3).saturating_mul(2).clamp(256, 768);
    let tiles = u64::from(width.div_ceil(tile)).saturating_mul(height.div_ceil(tile).into());
    tiles.saturating_mul(TILE).max(IMAGE)
}

impl<'a> Prompt<'a> {
    /// Measures a body of Gemini's format.
    pub(in crate::wire) fn gemini(body: &Map<String, Value>, basis: &'a ModelLimits<'a>) -> Self {
        // Google bills no writes to its implicit cache (ai.google.dev/gemini-api/docs/pricing).
        let mut prompt = Self::empty(basis);
        for (name, value) in body {
            prompt.gemini_member(name, value);
        }
        prompt
    }

    fn gemini_member(&mut self, name: &str, value: &Value) {
        match (name, value) {
            (_, Value::Null) => {}
            ("contents", Value::Array(contents)) => {
                contents.iter().for_each(|content| self.turn(content));
            }
            ("contents" | "systemInstruction", content) => self.turn(content),
            ("tools", Value::Array(tools)) => tools.iter().for_each(|tool| self.gemini_tool(tool)),
            ("generationConfig", Value::Object(config)) => {
                config.iter().for_each(|(name, value)| self.setting(name, value));
            }
            ("cachedContent", _) => self.unseen("cached content referred to by name"),
            (name, _) if BESIDE.contains(&name) => {}
            _ => self.unseen(format!("the member {name:?}, which this crate does not know")),
        }
    }

    fn setting(&mut self, name: &str, value: &Value) {
        match (name, value) {
            ("responseSchema" | "responseJsonSchema" | "responseFormat", schema) => {
                self.add(FORMAT);
                self.json(schema);
            }
            (_, Value::Null | Value::Number(_) | Value::Bool(_)) => {}
            (name, _) if SETTINGS.contains(&name) => {}
            _ => self.unseen(format!(
                "the member {name:?} of generationConfig, which this crate does not know"
            )),
        }
    }

    fn turn(&mut self, content: &Value) {
        self.add(MESSAGE);
        match content.get("parts") {
            Some(Value::Array(parts)) => {
                for part in parts {
                    self.add(MEMBER);
                    match part {
                        Value::Object(part) => self.gemini_part(part),
                        other => self.json(other),
                    }
                }
            }
            _ => self.json(content),
        }
    }

    fn gemini_part(&mut self, part: &Map<String, Value>) {
        let mut is_known = false;
        for (name, value) in part {
            match name.as_str() {
                // A returned signature counts as input
                // (ai.google.dev/gemini-api/docs/thinking, "Thought signatures").
                "text" | "thoughtSignature" => {
                    is_known = true;
                    self.json(value);
                }
                "functionCall"
                | "executableCode"
                | "codeExecutionResult"
                | "toolCall"
                | "toolResponse" => {
                    is_known = true;
                    self.add(MESSAGE);
                    self.json(value);
                }
                "functionResponse" => {
                    is_known = true;
                    self.result(value);
                }
                "inlineData" => {
                    is_known = true;
                    self.inline(value);
                }
                "fileData" => {
                    is_known = true;
                    self.unseen("a file or URL that the provider reads");
                }
                "thought" | "mediaResolution" => {}
                "videoMetadata" | "partMetadata" => self.json(value),
                _ => self.unseen("a part that is not text, an image or audio"),
            }
        }
        if !is_known {
            self.unseen("a part that is not text, an image or audio");
        }
    }

    fn result(&mut self, response: &Value) {
        self.add(MESSAGE);
        let Value::Object(members) = response else { return self.json(response) };
        for (name, value) in members {
            match (name.as_str(), value) {
                ("parts", Value::Array(parts)) => {
                    for part in parts.iter().filter_map(Value::as_object) {
                        self.gemini_part(part);
                    }
                }
                (name, value) => {
                    self.add(MEMBER);
                    self.add(text::tokens(name));
                    self.json(value);
                }
            }
        }
    }

    /// Measures media in the body (`Blob`).
    fn inline(&mut self, blob: &Value) {
        let member = |name: &str| blob.get(name).and_then(Value::as_str).unwrap_or_default();
        let (kind, data) = (member("mimeType"), member("data"));
        self.add(MESSAGE);
        if kind.starts_with("image/") {
            match size::of(data) {
                Some((width, height)) => self.add(image(width, height)),
                None => self.unseen("an image of unknown size"),
            }
        } else if kind.starts_with("audio/") {
            self.input_audio = true;
            let name = kind.split(';').next().unwrap_or_default().trim();
            if WITH_LOWEST_BITRATE.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                self.add(u64::try_from(data.len()).unwrap_or(u64::MAX) / AUDIO);
            } else {
                self.unseen("audio other than WAV, AIFF and MP3, whose duration cannot be counted");
            }
        } else if kind.starts_with("text/") {
            let decoded = base64::decode(data).and_then(|bytes| String::from_utf8(bytes).ok());
            match decoded {
                Some(text) => self.text(&text),
                None => self.unseen("a document that is not text in UTF-8"),
            }
        } else {
            self.unseen("a document or video that cannot be counted, such as a PDF");
        }
    }

    fn gemini_tool(&mut self, tool: &Value) {
        self.add(TOOLS);
        self.json(tool);
        for name in tool.as_object().into_iter().flat_map(Map::keys) {
            match name.as_str() {
                "functionDeclarations" => {}
                // Up to Gemini 2.5 each prompt with a search is billed. Later models bill each
                // query, and nothing limits their number
                // (ai.google.dev/gemini-api/docs/google-search, "Pricing").
                "googleSearch" | "googleSearchRetrieval" | "google_search" => {
                    self.googles_tool();
                    let is_per_prompt = ["gemini-1", "gemini-2"].iter().any(|old| {
                        self.basis.model.rsplit('/').next().is_some_and(|name| {
                            name.strip_prefix(old).is_some_and(|rest| rest.starts_with(['.', '-']))
                        })
                    });
                    self.web_searches = match is_per_prompt {
                        true => self.web_searches.map(|searches| searches.saturating_add(1)),
                        false => None,
                    };
                }
                _ => self.googles_tool(),
            }
        }
    }

    /// Notes a tool that Google runs, whose results go into the prompt. Google does not say how
    /// often the model can run, except "up to 5 times" for code
    /// (ai.google.dev/gemini-api/docs/code-execution), so Anthropic's greater number applies.
    fn googles_tool(&mut self) {
        self.unseen("a tool that the provider runs itself");
        self.steps = STEPS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn measured(model: &str, body: Value) -> (u64, Option<String>, Option<u64>, u64) {
        let Value::Object(body) = body else { panic!() };
        let limits = ModelLimits {
            provider: "gemini",
            model,
            output_tokens: None,
            context_window: None,
            tokenizer: None,
        };
        let prompt = Prompt::gemini(&body, &limits);
        let unseen = prompt.unseen.as_deref().map(str::to_owned);
        (prompt.tokens, unseen, prompt.web_searches, prompt.steps)
    }

    fn part(part: Value) -> Value {
        json!({"contents": [{"role": "user", "parts": [part]}]})
    }

    #[test]
    fn media_count_for_at_least_what_google_counts() {
        let png = |width: u32, height: u32| {
            let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
            bytes.extend(width.to_be_bytes());
            bytes.extend(height.to_be_bytes());
            let data = base64::encode(&bytes);
            part(json!({"inlineData": {"mimeType": "image/png", "data": data}}))
        };
        let around = measured("gemini-2.5-flash", part(json!({"text": ""}))).0 + MESSAGE;
        for (width, height, tokens) in [
            (10, 10, IMAGE),
            (768, 768, IMAGE),
            // Google's own example: 3 × 2 tiles of 360 pixels.
            (960, 540, IMAGE),
            // Tiles of 512, 256 and 768 pixels.
            (7680, 768, 30 * TILE),
            (9000, 100, 36 * TILE),
            (u32::MAX, 1, 16_777_216 * TILE),
            (3840, 3840, 25 * TILE),
        ] {
            let (found, unseen, ..) = measured("gemini-2.5-flash", png(width, height));
            assert_eq!((found, unseen), (around + tokens, None), "{width} {height}");
        }
        let audio = |kind: &str| {
            let data = "A".repeat(1334);
            measured(
                "gemini-2.5-flash",
                part(json!({"inlineData": {"mimeType": kind, "data": data}})),
            )
        };
        // A second of MP3 at 8 kbit/s.
        for kind in ["audio/mp3", "audio/mpeg", "audio/WAV", "audio/L16;rate=24000"] {
            let (found, unseen, ..) = audio(kind);
            assert!(found >= around + 32, "{kind} {found}");
            assert_eq!(unseen, None, "{kind}");
        }
        // Silence can have any length.
        for kind in ["audio/ogg", "audio/flac", "audio/aac", "audio/webm;codecs=opus"] {
            assert!(audio(kind).1.is_some_and(|it| it.contains("duration")), "{kind}");
        }
    }

    #[test]
    fn content_outside_the_body_is_unseen() {
        let file = json!({"fileData": {"fileUri": "files/abc"}});
        for (body, expected) in [
            (part(json!({"text": "hi", "thoughtSignature": "S"})), None),
            (part(json!({"functionCall": {"name": "f", "args": {}}})), None),
            (part(json!({"functionResponse": {"name": "f", "response": {}}})), None),
            (part(file), Some("a file or URL")),
            (
                part(json!({"functionResponse": {"parts": [{"inlineData":
                    {"mimeType": "application/pdf", "data": "JVBERi0="}}]}})),
                Some("such as a PDF"),
            ),
            (part(json!({"novel": 1})), Some("a part that is not text")),
            (json!({"cachedContent": "cachedContents/abc"}), Some("cached content")),
            (json!({"novel": 1}), Some("the member \"novel\"")),
            (
                json!({"generationConfig": {"novel": {"a": 1}}}),
                Some("\"novel\" of generationConfig"),
            ),
            (
                json!({"generationConfig": {"topK": 1, "thinkingConfig": {}, "stopSequences": []},
                    "safetySettings": [], "toolConfig": {}, "serviceTier": "flex"}),
                None,
            ),
        ] {
            let (_, unseen, ..) = measured("gemini-2.5-flash", body.clone());
            match expected {
                None => assert_eq!(unseen, None, "{body}"),
                Some(words) => assert!(unseen.is_some_and(|it| it.contains(words)), "{body}"),
            }
        }
    }

    #[test]
    fn older_models_bill_one_search_per_prompt_and_later_ones_without_limit() {
        let search = || json!({"tools": [{"googleSearch": {}}]});
        assert_eq!(measured("gemini-2.5-flash", search()).2, Some(1));
        assert_eq!(measured("models/gemini-3.5-flash", search()).2, None);
        let (_, unseen, searches, steps) =
            measured("gemini-3.5-flash", json!({"tools": [{"codeExecution": {}}]}));
        assert!(unseen.is_some());
        assert_eq!((searches, steps), (Some(0), STEPS));
        let functions = json!({"tools": [{"functionDeclarations": [{"name": "f"}]}]});
        assert_eq!(measured("gemini-3.5-flash", functions).3, 1);
    }
}
