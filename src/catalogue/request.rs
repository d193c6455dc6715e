//! What a request needs of a model.

use serde_json::Value;

use super::Needs;
use crate::base64;
use crate::chat::{
    ChatRequest, Document, MediaSource, Part, ReasoningEffort, ResponseFormat, Role, Tool,
};

impl Needs {
    /// What a request shows that it needs: images, documents, tools, a schema, a reasoning effort,
    /// the size of its prompt, and its limits on output and price.
    pub fn of(request: &ChatRequest) -> Self {
        let effort = request.reasoning_effort;
        let mut needs = Self {
            prompt_bytes: bytes(text_bytes(request)),
            max_output: request.max_output_tokens.map(u64::from),
            tools: !request.tools.is_empty(),
            schema: matches!(request.response_format, Some(ResponseFormat::JsonSchema(_))),
            reasoning: effort.is_some_and(|effort| effort != ReasoningEffort::None),
            effort,
            sampling: [request.temperature, request.top_p]
                .into_iter()
                .flatten()
                .any(|set| set != 1.0),
            ..Self::default()
        };
        needs.wishes.max_price = request.max_price;
        for message in &request.messages {
            note_media(&message.content, message.role, &mut needs);
        }
        needs
    }
}

/// The bytes of text that the model reads: messages, tool calls and their results, tools, and the
/// schema of the answer. Without earlier reasoning, which most models do not get back.
pub(crate) fn text_bytes(request: &ChatRequest) -> usize {
    let mut bytes = 0_usize;
    each_text(request, &mut |piece| {
        bytes = bytes.saturating_add(match piece {
            Piece::Text(text) => text.len(),
            // Four bytes of base64 are three bytes of text.
            Piece::Base64(data) => data.len() / 4 * 3,
        });
    });
    bytes
}

/// Adds up the tokens of the same text; `None` if `count` does not count some of it.
pub(crate) fn count_text(
    request: &ChatRequest,
    count: &dyn Fn(&str) -> Option<u64>,
) -> Option<u64> {
    let mut sum = Some(0_u64);
    each_text(request, &mut |piece| {
        let Some(before) = sum else { return };
        let tokens = match piece {
            Piece::Text(text) => count(text),
            Piece::Base64(data) => {
                let text = base64::decode(data).and_then(|bytes| String::from_utf8(bytes).ok());
                text.and_then(|text| count(&text))
            }
        };
        sum = tokens.map(|tokens| before.saturating_add(tokens));
    });
    sum
}

/// Like [`text_bytes`], but counts long runs of the same byte for less, because tokenizers have
/// tokens for them: up to 128 spaces or signs (OpenAI's o200k), up to 32 letters (Cohere, recorded).
/// For a lower bound on the tokens of any text.
pub(crate) fn dense_bytes(request: &ChatRequest) -> usize {
    let [mut plain, mut letters, mut signs] = [0_usize; 3];
    each_text(request, &mut |piece| {
        let (Piece::Text(text) | Piece::Base64(text)) = piece;
        let mut last = None;
        for byte in text.bytes() {
            match last {
                Some(last) if last != byte => plain += 1,
                None => plain += 1,
                Some(_) if byte.is_ascii_alphanumeric() => letters += 1,
                Some(_) => signs += 1,
            }
            last = Some(byte);
        }
    });
    plain + (letters * 6 / 32) + (signs * 6 / 128)
}

fn each_text<'a>(request: &'a ChatRequest, note: &mut dyn FnMut(Piece<'a>)) {
    for message in &request.messages {
        texts_of_parts(&message.content, note);
    }
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => {
                note(Piece::Text(&function.name));
                function.description.iter().for_each(|text| note(Piece::Text(text)));
                texts_of_value(&function.parameters, note);
            }
            Tool::Native(value) => texts_of_value(value, note),
        }
    }
    if let Some(ResponseFormat::JsonSchema(format)) = &request.response_format {
        texts_of_value(&format.schema, note);
    }
}

/// A piece of the text that a model reads.
enum Piece<'a> {
    Text(&'a str),
    /// Text in base64.
    Base64(&'a str),
}

fn bytes(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn note_media(parts: &[Part], role: Role, needs: &mut Needs) {
    for part in parts {
        match part {
            // The images of the model's own messages go back only to their sender.
            Part::Image(_) => needs.images |= role != Role::Assistant,
            Part::Document(document) => match media_type(document) {
                Some(kind) if kind.starts_with("text/") => {}
                Some(kind) if kind.starts_with("audio/") => needs.audio = true,
                Some(kind) if kind.starts_with("video/") => needs.video = true,
                _ => needs.documents = true,
            },
            Part::ToolCall(_) => needs.tools = true,
            Part::ToolResult(result) => {
                needs.tools = true;
                note_media(&result.content, role, needs);
            }
            _ => {}
        }
    }
}

/// Whether a document can be sent as text, which every model reads.
fn is_text(document: &Document) -> bool {
    media_type(document).is_some_and(|kind| kind.starts_with("text/"))
}

/// The media type of a document, if the request has its bytes.
fn media_type(document: &Document) -> Option<&str> {
    match &document.source {
        MediaSource::Base64 { media_type, .. } => Some(media_type),
        MediaSource::Url(_) | MediaSource::FileId(_) => None,
    }
}

fn texts_of_parts<'a>(parts: &'a [Part], note: &mut dyn FnMut(Piece<'a>)) {
    for part in parts {
        match part {
            Part::Text(text) => note(Piece::Text(&text.text)),
            Part::Refusal(text) => note(Piece::Text(text)),
            Part::Audio(audio) => note(Piece::Text(&audio.transcript)),
            Part::ToolCall(call) => {
                note(Piece::Text(&call.name));
                note(Piece::Text(&call.arguments));
            }
            Part::ToolResult(result) => texts_of_parts(&result.content, note),
            Part::Document(document) if is_text(document) => {
                if let MediaSource::Base64 { data, .. } = &document.source {
                    note(Piece::Base64(data));
                }
            }
            _ => {}
        }
    }
}

/// The names and texts in a JSON value. The rest is left out: a provider may write it in another
/// notation.
fn texts_of_value<'a>(value: &'a Value, note: &mut dyn FnMut(Piece<'a>)) {
    match value {
        Value::String(text) => note(Piece::Text(text)),
        Value::Array(items) => items.iter().for_each(|item| texts_of_value(item, note)),
        Value::Object(members) => {
            for (name, value) in members {
                note(Piece::Text(name));
                texts_of_value(value, note);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Image, Message, ToolCall, ToolResult};
    use crate::cost::{MaxPrice, Money};
    use serde_json::json;

    #[test]
    fn a_request_needs_what_its_parts_and_settings_show() {
        let none = || Needs { prompt_bytes: 2, ..Needs::default() };
        let cheap = MaxPrice::of_input(Money::dollars(1));
        let hi = || ChatRequest::from("hi");
        let tool = || Tool::function("f", "d", json!({"type": "object"}));
        let image = || Image::from_url("https://example.com/x.png");
        let with = |part: Part| hi().message(Message::new(Role::User, [part]));
        let call: Part = ToolCall::new("1", "f", "{}").into();
        let result = ToolResult { content: vec![image().into()], ..ToolResult::new("1", "") };
        for (request, expected) in [
            (hi(), none()),
            (with(image().into()), Needs { images: true, ..none() }),
            (hi().message(Message::new(Role::Assistant, [image()])), none()),
            (
                with(Document::from_bytes("application/pdf", b"%PDF-").into()),
                Needs { documents: true, ..none() },
            ),
            (
                with(Document::from_bytes("audio/wav", b"RIFF").into()),
                Needs { audio: true, ..none() },
            ),
            (
                with(Document::from_bytes("video/mp4", b"ftyp").into()),
                Needs { video: true, ..none() },
            ),
            (
                with(Document::from_bytes("text/plain", b"abc").into()),
                Needs { prompt_bytes: 5, ..none() },
            ),
            (hi().tool(tool()), Needs { tools: true, prompt_bytes: 14, ..none() }),
            (
                hi().message(Message::new(Role::Assistant, [call])),
                Needs { tools: true, prompt_bytes: 5, ..none() },
            ),
            (
                hi().message(Message::new(Role::Tool, [result])),
                Needs { tools: true, images: true, ..none() },
            ),
            (
                hi().message(Message::tool_result("1", "twelve bytes")),
                Needs { tools: true, prompt_bytes: 14, ..none() },
            ),
            (
                hi().response_format(ResponseFormat::json_schema("n", json!({"type": "null"}))),
                Needs { schema: true, prompt_bytes: 10, ..none() },
            ),
            (hi().response_format(ResponseFormat::JsonObject), none()),
            (
                hi().reasoning_effort(ReasoningEffort::Low),
                Needs { reasoning: true, effort: Some(ReasoningEffort::Low), ..none() },
            ),
            (
                hi().reasoning_effort(ReasoningEffort::None),
                Needs { effort: Some(ReasoningEffort::None), ..none() },
            ),
            (hi().temperature(1.0).top_p(1.0), none()),
            (hi().temperature(0.0), Needs { sampling: true, ..none() }),
            (hi().top_p(0.5), Needs { sampling: true, ..none() }),
            (hi().max_price(cheap), none().max_price(cheap)),
            (hi().max_output_tokens(7), Needs { max_output: Some(7), ..none() }),
        ] {
            assert_eq!(Needs::of(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn a_run_of_one_byte_weighs_less() {
        for (text, expected) in [
            ("abab", 4),
            ("a\n        b", 4),
            (&"a".repeat(3_201), 1 + 600),
            (&" ".repeat(12_801), 1 + 600),
        ] {
            assert_eq!(dense_bytes(&text.into()), expected, "{text}");
        }
    }

    #[test]
    fn a_tokenizer_counts_the_same_text_or_nothing() {
        let request = ChatRequest::from("one two")
            .message(Message::new(Role::User, [Document::from_bytes("text/plain", b"three")]))
            .tool(Tool::function("f", "does this", json!({"type": "object"})));
        let words = |text: &str| Some(text.split_whitespace().count() as u64);
        assert_eq!(count_text(&request, &words), Some(2 + 1 + 1 + 2 + 2));
        assert_eq!(count_text(&request, &|text| words(text).filter(|_| text != "three")), None);
    }
}
