//! Encodes the `messages` member of a request.

mod assistant;
mod tool_results;

use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::dialect::{CallIds, Dialect, FileParts, ImageInput, Prefill};
use super::encode::instruction_role;
use super::opaque;
use crate::chat::{
    CacheTtl, Document, Format, Image, ImageDetail, MediaSource, Message, Opaque, Part, Provenance,
    Role,
};
use crate::error::Error;
use crate::wire::json::{member, member_mut, object_of};
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
    let dialect = target.dialect;
    let mut out = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let role = match message.role {
            Role::System => Some(instruction_role(target)),
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
                let system = instruction_role(target);
                out.push(place.named(system, message, place.content(blocks)?));
            }
            Role::User => encode_user(&place, message, &mut out)?,
            Role::Assistant => out.push(assistant::encode(&place, message)?),
            Role::Tool => tool_results::encode(&place, message, &mut out)?,
        }
    }
    if !dialect.user_after_tool_result {
        check_after_results(&out, target)?;
    }
    if messages.last().is_some_and(|last| last.role == Role::Assistant) {
        mark_prefill(out.last_mut(), dialect.prefill);
    }
    Ok(out)
}

/// Refuses a user or system message right after a tool result. A message of ours between them would
/// put words into the model's mouth, so the caller decides what it says.
fn check_after_results(encoded: &[Value], target: Target<'_>) -> Result<(), Error> {
    let role = |message: usize| encoded.get(message)?.get("role")?.as_str();
    let refused = (1..encoded.len()).find_map(|place| match (role(place - 1), role(place)) {
        (Some("tool"), Some(next)) if next != "tool" && next != "assistant" => Some(next),
        _ => None,
    });
    match refused {
        None => Ok(()),
        Some(next) => Err(Error::invalid_request(format!(
            "the conversation has a {next} message right after a tool result, which {} rejects; \
             send the results alone and add the model's answer first, or put a message such as \
             Message::assistant(\"Understood.\") between them",
            target.provider
        ))),
    }
}

/// Marks the last message as the start of the answer. A message with calls is none.
fn mark_prefill(last: Option<&mut Value>, prefill: Prefill) {
    let name = match prefill {
        Prefill::Unmarked => return,
        Prefill::Prefix => "prefix",
        Prefill::Partial => "partial",
    };
    if let Some(Value::Object(last)) = last.filter(|last| last.get("tool_calls").is_none()) {
        last.insert(name.to_owned(), true.into());
    }
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
            MediaSource::Base64 { media_type, data } => media::as_data_url(media_type, data),
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
    ///
    /// Mistral has `document_url` instead, by URL or as a data URL with `document_name`, and
    /// `{"type": "file", "file_id": …}` (`DocumentURLChunk` and `FileChunk` in its `openapi.yaml`;
    /// its page "Document QnA").
    fn document(&self, document: &Document) -> Result<Value, Error> {
        let refused = |what: String| self.invalid(&what);
        let has_urls = self.dialect.file_parts == FileParts::DocumentUrl;
        let by_url = |url: &str| {
            let mut part = json!({"type": "document_url", "document_url": url});
            if let Some(name) = &document.name {
                part["document_name"] = name.as_str().into();
            }
            part
        };
        if let MediaSource::Url(url) = &document.source {
            if !url.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
            {
                if has_urls {
                    return Ok(by_url(url));
                }
                return Err(self.invalid(
                    "holds a document by URL, which Chat Completions cannot fetch; \
                     download it and use Document::from_bytes, or upload it and use \
                     Document::from_file_id",
                ));
            }
        }
        let file = match &*media::document(&document.source).map_err(refused)? {
            MediaSource::FileId(id) if has_urls => {
                return Ok(json!({"type": "file", "file_id": id}));
            }
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
                if has_urls {
                    return Ok(by_url(&media::as_data_url(media_type, data)));
                }
                let name = document.name.as_deref().unwrap_or("document.pdf");
                json!({"filename": name, "file_data": media::as_data_url(media_type, data)})
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
        let mut encoded = object_of!("role": role.into(), "content": content);
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
                tool_results::add(place, result, None, out)?;
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
    object_of!("type": "text".into(), "text": text.into())
}

#[cfg(test)]
mod tests;
