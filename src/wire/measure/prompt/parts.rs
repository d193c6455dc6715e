//! The parts of a message: texts, images, audio, documents and results of tools.

use serde_json::{Map, Value};

use super::super::image::{self, Detail};
use super::super::size;
use super::{MESSAGE, Prompt};

/// Base64 characters per audio token. OpenAI bills 10 tokens per second (its page "Managing costs",
/// "1 token per 100 ms"), others up to 32 (Gemini). A second has at least 1,000 bytes (MPEG layer
/// III at 8 kbit/s), 1,333 in base64. That makes at least 40 characters per token; 32 leaves a
/// margin.
const AUDIO: u64 = 32;

impl Prompt<'_> {
    pub(in super::super) fn part(&mut self, part: &Map<String, Value>) {
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
                // Mistral's part has the data itself, or a URL (`AudioChunk` in its OpenAPI file).
                let audio = part.get("input_audio");
                let data = audio.and_then(|audio| audio.get("data")).or(audio);
                let data = data.and_then(Value::as_str).unwrap_or_default();
                if data.contains("://") {
                    return self.unseen("audio that the provider fetches");
                }
                let length = data.len();
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
            _ => self.unseen("a part that is not text, image or audio"),
        }
    }

    /// Text documents are in the body. Only the provider sees the pages of other documents, as text
    /// and as images.
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

    pub(in super::super) fn openai_image(&mut self, url: &str, detail: Option<&Value>) {
        let detail = match detail.and_then(Value::as_str) {
            Some("low") => Detail::Low,
            Some("high") => Detail::High,
            _ => Detail::Original,
        };
        let data = url.split_once(";base64,").map(|(_, data)| data);
        match image::openai(self.basis.model, detail, data.and_then(size::of)) {
            Some(tokens) => self.add(tokens),
            None => {
                self.unseen("an image of unknown size and with a detail that does not limit it");
            }
        }
    }
}
