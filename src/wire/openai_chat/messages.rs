//! Encodes the `messages` member of a request.

use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::dialect::{CallIds, Dialect, ImageInput, ReasoningBack, ReasoningMember};
use super::encode::instruction_role;
use super::{media as made, opaque};
use crate::chat::{
    Audio, CacheTtl, Document, Format, Image, ImageDetail, MediaSource, Message, Opaque, Part,
    Provenance, Role, ToolCall, ToolResult,
};
use crate::error::Error;
use crate::wire::json::{member, member_mut, object};
use crate::wire::tool_input::{self, Ids};
use crate::wire::{Target, media};

/// Builds the `messages` member.
///
/// A single text becomes a plain string, which every server accepts; anything else becomes an array
/// of parts. Each tool result becomes its own message with the role `tool`; those in a user message
/// move in front of it.
///
/// These parts are left out, because they only make sense elsewhere: cache points, unless the
/// dialect supports them (OpenAI caches automatically); citations, which only servers send; blocks
/// and reasoning of other providers; and this format's own reasoning unless a server needs it back
/// (see [`reasoning`]). Blocks in this format are sent as content parts, so a caller can send what
/// is not modelled here, such as audio.
pub(super) fn encode(messages: &[Message], target: Target<'_>) -> Result<Vec<Value>, Error> {
    let Target { model, dialect, .. } = target;
    let mut out = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let role = match message.role {
            Role::System => Some(instruction_role(model, dialect)),
            Role::User => Some("user"),
            Role::Assistant => Some("assistant"),
            Role::Tool => None,
        };
        let place = Place { index, role: message.role, target, dialect };
        // Most messages are bare.
        let is_bare = message.role != Role::Assistant || !dialect.reasoning_required;
        if let (Some(role), [Part::Text(text)], true) = (role, &*message.content, is_bare) {
            out.push(place.named(role, message, text.text.as_str().into()));
            continue;
        }
        match message.role {
            Role::System => {
                let blocks = place.blocks(&message.content)?;
                let system = instruction_role(model, dialect);
                out.push(place.named(system, message, place.content(blocks)?));
            }
            Role::User => encode_user(&place, message, &mut out)?,
            Role::Assistant => out.push(encode_assistant(&place, message)?),
            Role::Tool => encode_tool(&place, message, &mut out)?,
        }
    }
    Ok(out)
}

/// The current message. Errors name it as OpenAI's do, `messages[3]`, and never quote it.
struct Place<'a> {
    index: usize,
    role: Role,
    target: Target<'a>,
    dialect: &'a Dialect,
}

impl Place<'_> {
    fn invalid(&self, what: &str) -> Error {
        let role = match self.role {
            Role::System => "a system",
            Role::User => "a user",
            Role::Assistant => "an assistant",
            Role::Tool => "a tool",
        };
        Error::invalid_request(format!("messages[{}], {role} message, {what}", self.index))
    }

    /// Returns a call's id in a form that the server accepts.
    fn call_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match self.dialect.call_ids {
            CallIds::Any => Cow::Borrowed(id),
            CallIds::UpTo40 => tool_input::id(id, Ids::UpTo40),
            CallIds::Nine => tool_input::id(id, Ids::Nine),
        }
    }

    /// Returns true if the request may include content with this provenance.
    fn allows(&self, provenance: &Option<Provenance>) -> bool {
        provenance.as_ref().is_some_and(|it| self.target.sent(it, Format::OpenAiChat))
    }

    /// Returns true if the request may include content with these opaque members.
    fn sent(&self, opaque: Option<&Opaque>) -> bool {
        opaque.is_some_and(|it| self.target.sent(&it.provenance, Format::OpenAiChat))
    }

    fn blocks<'a>(&self, parts: impl IntoIterator<Item = &'a Part>) -> Result<Vec<Value>, Error> {
        let mut blocks = Vec::new();
        for part in parts {
            match part {
                Part::CachePoint(ttl) => self.mark(blocks.last_mut(), *ttl),
                part => blocks.extend(self.block(part)?),
            }
        }
        Ok(blocks)
    }

    /// Adds a cache breakpoint to the part before it, in Anthropic's form, if the server supports
    /// it.
    fn mark(&self, block: Option<&mut Value>, ttl: CacheTtl) {
        let Some(Value::Object(block)) = block.filter(|_| self.dialect.cache_points) else {
            return;
        };
        let control = match ttl {
            CacheTtl::Short => json!({"type": "ephemeral"}),
            CacheTtl::OneHour => json!({"type": "ephemeral", "ttl": "1h"}),
        };
        block.insert("cache_control".to_owned(), control);
    }

    /// Builds a content part; `None` for a part that is left out.
    fn block(&self, part: &Part) -> Result<Option<Value>, Error> {
        Ok(match part {
            Part::Text(text) => Some(text_block(&text.text)),
            Part::Image(image) if self.role == Role::User => Some(self.image(image)?),
            Part::Document(document) if self.role == Role::User => Some(self.document(document)?),
            Part::Reasoning(_) | Part::CachePoint(_) => None,
            Part::Other { provenance, value } => self.allows(provenance).then(|| value.clone()),
            Part::Audio(_) => {
                return Err(self.invalid(
                    "holds speech that a model generated; send audio with Part::native as an \
                     input_audio part",
                ));
            }
            Part::Image(_) => {
                return Err(self.invalid("holds an image; put images into a user message"));
            }
            Part::Document(_) => {
                return Err(self.invalid("holds a document; put documents into a user message"));
            }
            Part::Refusal(_) => {
                return Err(
                    self.invalid("holds a refusal, which belongs into an assistant message")
                );
            }
            Part::ToolCall(_) => {
                return Err(
                    self.invalid("holds a tool call, which belongs into an assistant message")
                );
            }
            Part::ToolResult(_) => {
                return Err(self.invalid(
                    "holds a tool result; put it into its own message with Message::tool_result",
                ));
            }
        })
    }

    fn image(&self, image: &Image) -> Result<Value, Error> {
        if self.dialect.images == ImageInput::Unsupported {
            return Err(self.invalid(
                "holds an image, which this provider does not accept; choose another model, or \
                 describe the image in text",
            ));
        }
        let url = match &*media::image(image).map_err(|what| self.invalid(&what))? {
            MediaSource::Url(_) if self.dialect.images == ImageInput::Bytes => {
                return Err(self.invalid(
                    "holds an image by URL, which this provider does not fetch; download it and \
                     send its bytes",
                ));
            }
            MediaSource::Url(url) => url.clone(),
            MediaSource::Base64 { media_type, data } => data_url(media_type, data),
            MediaSource::FileId(_) => {
                return Err(self.invalid(
                    "holds an image by file id, which Chat Completions does not support; \
                     use its URL or its bytes",
                ));
            }
        };
        let mut member = Map::new();
        member.insert("url".to_owned(), url.into());
        if let Some(detail) = image.detail {
            let detail = match detail {
                ImageDetail::Auto => "auto",
                ImageDetail::Low => "low",
                ImageDetail::High => "high",
            };
            member.insert("detail".to_owned(), detail.into());
        }
        Ok(json!({"type": "image_url", "image_url": member}))
    }

    /// Builds a `file` part (`ChatCompletionContentPartFile` in OpenAI's reference): an id, or a
    /// data URL with a file name. Files must be PDFs ("Expected a base64-encoded data URL with an
    /// application/pdf MIME type [...] but got unsupported MIME type 'text/markdown'";
    /// trpc-group/trpc-agent-go #1816), so a text document is sent as text.
    fn document(&self, document: &Document) -> Result<Value, Error> {
        let refused = |what: String| self.invalid(&what);
        if let MediaSource::Url(url) = &document.source {
            if !url.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
            {
                return Err(self.invalid(
                    "holds a document by URL, which Chat Completions cannot fetch; \
                     download it and use Document::from_bytes, or upload it and use \
                     Document::from_file_id",
                ));
            }
        }
        let file = match &*media::document(&document.source).map_err(refused)? {
            MediaSource::FileId(id) => json!({"file_id": id}),
            MediaSource::Base64 { media_type, data } => {
                if let Some(text) = media::text(media_type, data) {
                    let text = text.map_err(refused)?;
                    let text = match &document.name {
                        Some(name) => format!("<document name={name:?}>\n{text}\n</document>"),
                        None => format!("<document>\n{text}\n</document>"),
                    };
                    return Ok(json!({"type": "text", "text": text}));
                }
                if media_type != "application/pdf" {
                    return Err(self.invalid(&format!(
                        "holds a document of type {media_type:?}, but Chat Completions supports only \
                         PDF and text; convert it, or upload it and use Document::from_file_id"
                    )));
                }
                let name = document.name.as_deref().unwrap_or("document.pdf");
                json!({"filename": name, "file_data": data_url(media_type, data)})
            }
            MediaSource::Url(_) => {
                return Err(self.invalid("holds a document by URL; use Document::from_bytes"));
            }
        };
        if !self.dialect.files {
            return Err(self.invalid(
                "holds a file, which this provider does not accept; put its text into the message",
            ));
        }
        Ok(json!({"type": "file", "file": file}))
    }

    /// Builds a message, with its name if the server supports names.
    fn named(&self, role: &str, message: &Message, content: Value) -> Value {
        let mut encoded = object([("role", role.into()), ("content", content)]);
        if let Some(name) = message.name.as_ref().filter(|_| self.dialect.message_names) {
            encoded["name"] = name.as_str().into();
        }
        if message.opaque.is_some() {
            opaque::send_back(message.opaque.as_deref(), self.target, &mut encoded);
        }
        encoded
    }

    /// Returns the `content` of a message that must have one.
    fn content(&self, blocks: Vec<Value>) -> Result<Value, Error> {
        if blocks.is_empty() {
            return Err(self.invalid("has no content; add some, or remove the message"));
        }
        Ok(content(blocks))
    }
}

fn encode_user(place: &Place<'_>, message: &Message, out: &mut Vec<Value>) -> Result<(), Error> {
    let mut blocks = Vec::new();
    let mut results = 0;
    for part in &message.content {
        match part {
            Part::ToolResult(result) => {
                results += 1;
                insert_after_call(out, encode_result(place, result, None)?);
            }
            Part::CachePoint(ttl) => place.mark(blocks.last_mut(), *ttl),
            part => blocks.extend(place.block(part)?),
        }
    }
    if results == 0 || !blocks.is_empty() {
        out.push(place.named("user", message, place.content(blocks)?));
    }
    Ok(())
}

/// An answer with only reasoning, for example because it hit the output limit, is sent back as an
/// empty string: OpenAI requires content if there is no tool call.
///
/// A refusal is sent back as a content part, or beside text as a member of the message: the content
/// is "one or more of type `text`, or exactly one of type `refusal`" (OpenAI's reference).
///
/// Only the id of speech is sent back, in `audio` (`ChatCompletionAssistantMessageParam` in
/// openai-python). Without an id, and to another provider, the transcript is sent as text. Images
/// that the model generated are sent back unchanged, only to the provider that sent them.
fn encode_assistant(place: &Place<'_>, message: &Message) -> Result<Value, Error> {
    let mut blocks = Vec::new();
    let mut refusal = String::new();
    let mut calls = Vec::new();
    let mut audio = None;
    let mut images = Vec::new();
    for part in &message.content {
        match part {
            Part::Refusal(text) => refusal.push_str(text),
            Part::ToolCall(call) => calls.push(encode_call(place, call)?),
            Part::Other { provenance, value } if place.allows(provenance) => {
                match value.get("type").and_then(Value::as_str) {
                    Some("custom") => calls.push(value.clone()),
                    Some("audio") => audio = value.pointer("/audio/id").cloned(),
                    _ => blocks.push(value.clone()),
                }
            }
            Part::Audio(Audio { id, opaque, transcript, .. }) => match id {
                Some(id) if place.sent(opaque.as_deref()) => audio = Some(id.as_str().into()),
                _ if transcript.is_empty() => {}
                _ => blocks.push(text_block(transcript)),
            },
            Part::Image(image @ Image { opaque: Some(opaque), .. }) => {
                if place.dialect.unknown_members && place.sent(Some(opaque)) {
                    match made::element(image) {
                        ("content", element) => blocks.push(element),
                        (_, element) => images.push(element),
                    }
                }
            }
            Part::CachePoint(ttl) => place.mark(blocks.last_mut(), *ttl),
            part => blocks.extend(place.block(part)?),
        }
    }
    let beside = !blocks.is_empty() && !refusal.is_empty();
    let content = if !blocks.is_empty() {
        content(blocks)
    } else if !refusal.is_empty() {
        json!([{"type": "refusal", "refusal": refusal}])
    } else if calls.is_empty() && audio.is_none() {
        "".into()
    } else {
        Value::Null
    };
    let mut encoded = place.named("assistant", message, content);
    if beside {
        encoded["refusal"] = refusal.into();
    }
    if let Some(id) = audio {
        encoded["audio"] = json!({"id": id});
    }
    if !images.is_empty() {
        // Elements that are not images are among the opaque members.
        if let Some(Value::Array(others)) = encoded.get_mut("images").map(Value::take) {
            images.extend(others);
        }
        encoded["images"] = images.into();
    }
    let goes_back = match place.dialect.reasoning_back {
        ReasoningBack::Never => false,
        ReasoningBack::WithToolCalls => !calls.is_empty(),
        ReasoningBack::Always => true,
    };
    if goes_back {
        add_reasoning(place, message, &mut encoded);
    }
    if !calls.is_empty() {
        encoded["tool_calls"] = calls.into();
    }
    Ok(encoded)
}

/// Adds reasoning that this server sent, in the member that it came in.
///
/// DeepSeek requires it; otherwise the next request fails with "Missing `reasoning_content` field
/// in the assistant message" (its guide "Thinking Mode", section "Tool Calls"; continuedev/continue
/// #10193, anomalyco/opencode #24722). Moonshot requires it next to tool calls. Both accept blank
/// reasoning for another provider's answer.
fn add_reasoning(place: &Place<'_>, message: &Message, encoded: &mut Value) {
    for member in ["reasoning_content", "reasoning"] {
        let is_sent = match member {
            "reasoning_content" => true,
            // OpenRouter's `reasoning_details` contain the same and more.
            _ => {
                place.dialect.reasoning_member == ReasoningMember::Received
                    && encoded.get("reasoning_details").is_none()
            }
        };
        let texts = message.content.iter().filter_map(|part| match part {
            Part::Reasoning(reasoning)
                if place.allows(&reasoning.provenance)
                    && reasoning.field.as_deref() == Some(member) =>
            {
                Some(reasoning.text.as_str())
            }
            _ => None,
        });
        let text: String = texts.filter(|_| is_sent).collect();
        if !text.is_empty() {
            encoded[member] = text.into();
        }
    }
    if place.dialect.reasoning_required && encoded.get("reasoning_content").is_none() {
        encoded["reasoning_content"] = " ".into();
    }
}

fn encode_call(place: &Place<'_>, call: &ToolCall) -> Result<Value, Error> {
    if call.id.is_empty() {
        return Err(
            place.invalid("holds a tool call without an id; keep the id that the model sent")
        );
    }
    let function = [
        ("name", call.name.as_str().into()),
        ("arguments", tool_input::text(&call.arguments).into()),
    ];
    let mut encoded = object([
        ("id", place.call_id(&call.id).into()),
        ("type", "function".into()),
        ("function", object(function)),
    ]);
    opaque::send_back(call.opaque.as_deref(), place.target, &mut encoded);
    Ok(encoded)
}

fn encode_tool(place: &Place<'_>, message: &Message, out: &mut Vec<Value>) -> Result<(), Error> {
    let before = out.len();
    for part in &message.content {
        match part {
            Part::ToolResult(result) => {
                insert_after_call(out, encode_result(place, result, message.name.as_deref())?);
            }
            Part::CachePoint(ttl) => {
                if let Some(content) = out.last_mut().and_then(|result| result.get_mut("content")) {
                    if place.dialect.cache_points && content.is_string() {
                        *content = json!([{"type": "text", "text": content.take()}]);
                    }
                    place.mark(content.as_array_mut().and_then(|all| all.last_mut()), *ttl);
                }
            }
            Part::Reasoning(_) => {}
            Part::Other { provenance, .. } if !place.allows(provenance) => {}
            _ => {
                return Err(place.invalid(
                    "holds something beside tool results; put it into a result's content or into \
                     a user message",
                ));
            }
        }
    }
    if out.len() == before {
        return Err(place.invalid("holds no tool result; use Message::tool_result"));
    }
    Ok(())
}

/// A result's content is sent unchanged, even for a failure: the format has no flag for failures,
/// and vercel/ai (`packages/openai/src/chat/`) sends only the text too. Only text is accepted
/// (`ChatCompletionToolMessageParam` in openai-python).
fn encode_result(
    place: &Place<'_>,
    result: &ToolResult,
    name: Option<&str>,
) -> Result<Value, Error> {
    if result.call_id.is_empty() {
        return Err(
            place.invalid("holds a tool result without a call id; use the id of its ToolCall")
        );
    }
    let mut blocks = Vec::new();
    for part in &result.content {
        match part {
            Part::CachePoint(ttl) => place.mark(blocks.last_mut(), *ttl),
            Part::Text(_) | Part::Reasoning(_) | Part::Other { .. } => {
                blocks.extend(place.block(part)?);
            }
            _ => {
                return Err(place.invalid(
                    "holds a tool result with more than text, which Chat Completions does not \
                     support; put images and documents into a user message after the results",
                ));
            }
        }
    }
    let content = if blocks.is_empty() { "".into() } else { content(blocks) };
    let mut encoded = object([
        ("role", "tool".into()),
        ("tool_call_id", place.call_id(&result.call_id).into()),
        ("content", content),
    ]);
    if let Some(name) = name {
        encoded["name"] = name.into();
    }
    Ok(encoded)
}

/// Inserts a result right after its call and earlier results, where OpenAI wants it, whatever was
/// said in between.
fn insert_after_call(out: &mut Vec<Value>, result: Value) {
    let id = part_of(&result, "tool_call_id");
    let has_call = |message: &Value| {
        let calls = part_of(message, "tool_calls").and_then(Value::as_array);
        calls.is_some_and(|calls| calls.iter().any(|call| part_of(call, "id") == id))
    };
    let place = out.iter().rposition(has_call).map_or(out.len(), |call| {
        let results = out[call + 1..]
            .iter()
            .take_while(|message| part_of(message, "role").is_some_and(|role| role == "tool"));
        call + 1 + results.count()
    });
    out.insert(place, result);
}

fn part_of<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    member(value.as_object()?, name)
}

/// Returns a plain string for a single text, otherwise an array. A text with additional members,
/// such as a caller's own block, stays a part.
fn content(mut blocks: Vec<Value>) -> Value {
    match blocks.as_mut_slice() {
        [Value::Object(only)]
            if only.len() == 2
                && member(only, "type").is_some_and(|kind| kind == "text")
                && member(only, "text").is_some_and(Value::is_string) =>
        {
            member_mut(only, "text").map(Value::take).unwrap_or_default()
        }
        _ => Value::Array(blocks),
    }
}

fn text_block(text: &str) -> Value {
    object([("type", "text".into()), ("text", text.into())])
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

#[cfg(test)]
mod tests;
