//! Encodes messages.

use serde_json::{Map, Value, json};

use super::PROVENANCE;
use crate::chat::{
    Document, Image, MediaSource, Message, Part, Provenance, Role, ToolCall, ToolResult,
};
use crate::error::Error;
use crate::wire::part_name::{misplaced, misplaced_in_result};
use crate::wire::{Target, media, tool_input, validate};

/// Writes `messages` (`Message` in `api/types.go`).
///
/// - The content is one text. The caller's texts are joined with line breaks, and the model's without
///   a separator. Text documents count as texts.
/// - Images have a list of their own. Templates put them before the text.
/// - Every tool result is a message of its own, with the name of its function (`tool_name`).
/// - Reasoning goes back to the provider that sent it, as `thinking`.
/// - An assistant message without anything to send is left out, such as one with only another
///   provider's reasoning.
pub(super) fn encode(messages: &[Message], target: Target<'_>) -> Result<Vec<Value>, Error> {
    let mut written = Vec::with_capacity(messages.len());
    let mut names: Vec<(&str, &str)> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let failed = |what: String| Error::invalid_request(format!("messages[{index}] {what}"));
        for part in &message.content {
            if let Part::ToolCall(call) = part {
                names.push((&call.id, &call.name));
            }
        }
        let mut said = Said::default();
        for part in &message.content {
            said.add(part, message.role, target, &names).map_err(failed)?;
        }
        let is_empty = said.is_empty();
        let has_results = !said.results.is_empty();
        written.append(&mut said.results);
        let role = match message.role {
            Role::System => "system",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        if !is_empty {
            written.push(said.into_message(role));
        } else if role == "user" && !has_results {
            return Err(failed("holds nothing that can be sent; remove it".into()));
        }
    }
    let is_asked = |message: &Value| message["role"] == "user" || message["role"] == "tool";
    match written.iter().any(is_asked) {
        true => Ok(written),
        false => Err(validate::no_user_message()),
    }
}

/// What a message says.
#[derive(Default)]
struct Said {
    texts: Vec<String>,
    thinking: String,
    images: Vec<Value>,
    calls: Vec<Value>,
    /// Messages with the results of tools.
    results: Vec<Value>,
}

impl Said {
    /// Adds a part of a message with this `role`.
    ///
    /// The error says what is wrong; the caller puts the message's position before it.
    fn add(
        &mut self,
        part: &Part,
        role: Role,
        target: Target<'_>,
        names: &[(&str, &str)],
    ) -> Result<(), String> {
        match (part, role) {
            // Caching is automatic.
            (Part::CachePoint(_), _) => {}
            (Part::Text(text), Role::System | Role::User | Role::Assistant) => {
                self.texts.push(text.text.clone());
            }
            (Part::Refusal(text), Role::Assistant) => self.texts.push(text.clone()),
            (Part::Image(image), Role::User) => self.images.push(base64(image)?),
            // A model's image goes back only to the provider that sent it.
            (Part::Image(image), Role::Assistant) => match &image.opaque {
                Some(opaque) if !allows(Some(&opaque.provenance), target) => {}
                _ => self.images.push(base64(image)?),
            },
            (Part::Audio(audio), Role::Assistant) => self.texts.push(audio.transcript.clone()),
            (Part::Document(document), Role::User) => self.texts.push(text_of(document)?),
            (Part::Reasoning(reasoning), Role::Assistant) => {
                if allows(reasoning.provenance.as_ref(), target) {
                    self.thinking.push_str(&reasoning.text);
                }
            }
            (Part::ToolCall(call), Role::Assistant) => self.calls.push(tool_call(call, target)?),
            (Part::ToolResult(result), Role::User | Role::Tool) => {
                self.results.push(tool_result(result, names)?);
            }
            // This format yields no such part, so it is from another provider.
            (Part::Other { .. }, _) => {}
            (part, role) => return Err(misplaced(part, role)),
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.texts.iter().all(String::is_empty)
            && self.thinking.is_empty()
            && self.images.is_empty()
            && self.calls.is_empty()
    }

    fn into_message(self, role: &str) -> Value {
        let between = if role == "assistant" { "" } else { "\n" };
        let mut message = Map::with_capacity(4);
        message.insert("role".to_owned(), role.into());
        message.insert("content".to_owned(), self.texts.join(between).into());
        if !self.thinking.is_empty() {
            message.insert("thinking".to_owned(), self.thinking.into());
        }
        if !self.images.is_empty() {
            message.insert("images".to_owned(), self.images.into());
        }
        if !self.calls.is_empty() {
            message.insert("tool_calls".to_owned(), self.calls.into());
        }
        message.into()
    }
}

/// Returns an image's bytes in base64. The format has no URLs for images: "a list of
/// base64-encoded images" (docs/api.md).
fn base64(image: &Image) -> Result<Value, String> {
    match &*media::image(image)? {
        MediaSource::Base64 { data, .. } => Ok(data.as_str().into()),
        MediaSource::Url(_) => Err("holds an image by URL, which Ollama does not fetch; give \
             its bytes with Image::from_path or Image::from_bytes"
            .into()),
        MediaSource::FileId(_) => {
            Err("holds an image by file id, but Ollama stores no files; give its bytes with \
             Image::from_path or Image::from_bytes"
                .into())
        }
    }
}

/// Returns the text of a document, below its name.
fn text_of(document: &Document) -> Result<String, String> {
    let text = match &*media::document(&document.source)? {
        MediaSource::Base64 { media_type, data } => media::text(media_type, data).transpose()?,
        _ => None,
    };
    let Some(text) = text else {
        return Err("holds a document that is not text, which Ollama does not read; extract its \
             text, or send its pages as images"
            .into());
    };
    Ok(match document.name.as_deref().filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{name}\n{text}"),
        None => text,
    })
}

/// `ToolCall` in `api/types.go`; its arguments are an object. Unmodelled members go back to the
/// provider that sent them.
fn tool_call(call: &ToolCall, target: Target<'_>) -> Result<Value, String> {
    if call.id.is_empty() || call.name.is_empty() {
        return Err("holds a tool call without an id or a name".into());
    }
    let mut function = Map::with_capacity(2);
    function.insert("name".to_owned(), call.name.as_str().into());
    function.insert("arguments".to_owned(), tool_input::object(&call.arguments).into());
    let mut written = Map::with_capacity(2);
    written.insert("id".to_owned(), call.id.as_str().into());
    let opaque = call.opaque.as_deref();
    for (name, value) in opaque
        .filter(|opaque| allows(Some(&opaque.provenance), target))
        .map(|opaque| &opaque.members)
        .into_iter()
        .flatten()
    {
        match (name.as_str(), value) {
            ("function", Value::Object(members)) => {
                for (name, value) in members {
                    function.entry(name.as_str()).or_insert_with(|| value.clone());
                }
            }
            (name, value) => {
                written.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
    written.insert("function".to_owned(), function.into());
    Ok(written.into())
}

/// Encodes a result. The format cannot mark it as an error, so its text has to say so.
fn tool_result(result: &ToolResult, names: &[(&str, &str)]) -> Result<Value, String> {
    if result.call_id.is_empty() {
        return Err("holds a tool result without the id of its call".into());
    }
    let Some((_, name)) = names.iter().rev().find(|(id, _)| *id == result.call_id) else {
        return Err(format!(
            "holds the result of tool call {:?}, which is not in the conversation; Ollama needs \
             the name of its function, so keep the message with the call",
            result.call_id
        ));
    };
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in &result.content {
        match part {
            Part::CachePoint(_) | Part::Other { .. } => {}
            Part::Text(text) => texts.push(text.text.clone()),
            Part::Image(image) => images.push(base64(image)?),
            Part::Document(document) => texts.push(text_of(document)?),
            _ => return Err(misplaced_in_result(part)),
        }
    }
    let mut message = json!({
        "role": "tool",
        "content": texts.join("\n"),
        "tool_name": name,
        "tool_call_id": result.call_id,
    });
    if !images.is_empty() {
        message["images"] = images.into();
    }
    Ok(message)
}

/// Returns true if the request may include content with this provenance.
fn allows(provenance: Option<&Provenance>, target: Target<'_>) -> bool {
    provenance.is_some_and(|it| target.sent(it, PROVENANCE.format))
}

#[cfg(test)]
mod tests;
