//! Encodes one part of a message.

use serde_json::{Map, Value, json};

use super::parts::WITH_TEXT;
use super::{SIGNATURE, Service, media};
use crate::chat::{
    Audio, Format, Image, MediaSource, Opaque, Part, Provenance, Reasoning, Role, ToolCall,
    ToolResult,
};
use crate::wire::json::object_of;
use crate::wire::part_name::{misplaced, misplaced_in_result};
use crate::wire::{Target, tool_input};

/// The types of media that a function result can contain, from Gemini 3 on
/// (ai.google.dev/gemini-api/docs/function-calling, "Multimodal function responses").
const IN_RESULTS: [&str; 5] =
    ["image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"];

/// Encodes a part of a message with this `role`, and adds it to the message's `parts` so far.
///
/// The error says what is wrong; the caller puts the message's position before it.
pub(super) fn encode(
    part: &Part,
    role: Role,
    target: Target<'_>,
    service: &Service,
    names: &Names<'_>,
    parts: &mut Parts,
) -> Result<(), String> {
    match (part, role) {
        // Caching is automatic.
        (Part::CachePoint(_), _) => {}
        (Part::Text(text), Role::System | Role::User | Role::Assistant) => parts.text(&text.text),
        (Part::Refusal(text), Role::Assistant) => parts.text(text),
        (Part::Image(image), Role::User) => parts.said.push(media::image(image, service)?),
        (Part::Image(image), Role::Assistant) => {
            parts.said.extend(made_image(image, target, service)?);
        }
        (Part::Audio(audio), Role::Assistant) => match made_audio(audio, target) {
            Some(audio) => parts.said.push(audio),
            None => parts.text(&audio.transcript),
        },
        (Part::Document(document), Role::User) => {
            parts.said.extend(media::document(document, service)?);
        }
        (Part::Reasoning(reasoning), Role::Assistant) => {
            if allows(reasoning.provenance.as_ref(), target) {
                parts.reasoning(reasoning);
            }
        }
        (Part::ToolCall(call), Role::Assistant) => {
            parts.said.push(function_call(call, target, service)?);
        }
        (Part::ToolResult(result), Role::User | Role::Tool) => {
            function_response(result, target, service, names, parts)?;
        }
        (Part::Other { provenance, value }, _) => {
            if allows(provenance.as_ref(), target) {
                parts.said.push(value.clone());
            }
        }
        (part, role) => return Err(misplaced(part, role)),
    }
    Ok(())
}

/// The parts of a turn. Function results come first, directly after their calls. Each has the
/// position of its call in the conversation.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) results: Vec<(usize, Value)>,
    pub(super) said: Vec<Value>,
}

impl Parts {
    /// Adds a text, unless it is empty, which is not a valid part ("required oneof field 'data'
    /// must have one initialized field").
    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.said.push(object_of!("text": text.into()));
        }
    }

    /// Adds a thought, or a signature. The signature of a text returns with that text.
    fn reasoning(&mut self, reasoning: &Reasoning) {
        let mut part = Map::new();
        match (reasoning.field.as_deref(), self.said.last_mut()) {
            (Some(WITH_TEXT), Some(Value::Object(before))) if is_plain_text(before) => {
                part = std::mem::take(before);
                self.said.pop();
            }
            (Some(_), _) => {
                part.insert("text".to_owned(), reasoning.text.as_str().into());
            }
            (None, _) => {
                part.insert("text".to_owned(), reasoning.text.as_str().into());
                part.insert("thought".to_owned(), true.into());
            }
        }
        if let Some(signature) = &reasoning.signature {
            part.insert(SIGNATURE.to_owned(), signature.as_str().into());
        }
        add_missing(&mut part, &reasoning.extra);
        self.said.push(part.into());
    }
}

fn is_plain_text(part: &Map<String, Value>) -> bool {
    part.len() == 1 && part.keys().all(|name| name == "text")
}

/// The ids of tool calls, each with the name of its function.
pub(super) type Names<'a> = Vec<(&'a str, &'a str)>;

/// Encodes a call, with the members that it came with.
fn function_call(call: &ToolCall, target: Target<'_>, service: &Service) -> Result<Value, String> {
    if call.id.is_empty() || call.name.is_empty() {
        return Err("holds a tool call without an id or a name".into());
    }
    let own = own(call.opaque.as_deref(), target);
    let mut function = Map::new();
    function.insert("id".to_owned(), call.id.as_str().into());
    function.insert("name".to_owned(), call.name.as_str().into());
    function.insert("args".to_owned(), tool_input::object(&call.arguments).into());
    if let Some(Value::Object(inner)) = own.and_then(|members| members.get("functionCall")) {
        add_missing(&mut function, inner);
    }
    if !service.call_ids {
        function.shift_remove("id");
    }
    let mut part = Map::new();
    part.insert("functionCall".to_owned(), function.into());
    if let Some(members) = own {
        add_missing(&mut part, members);
    }
    Ok(part.into())
}

/// Encodes a result: "Use "output" key to specify function output and "error" key to specify
/// error details" (`FunctionResponse` in python-genai).
///
/// From Gemini 3 on, media go inside the result. For older models they go after all results of the
/// turn, as in pydantic-ai and vercel/ai.
fn function_response(
    result: &ToolResult,
    target: Target<'_>,
    service: &Service,
    names: &Names<'_>,
    parts: &mut Parts,
) -> Result<(), String> {
    if result.call_id.is_empty() {
        return Err("holds a tool result without the id of its call".into());
    }
    let Some(position) = names.iter().rposition(|(id, _)| *id == result.call_id) else {
        return Err(format!(
            "holds the result of tool call {:?}, which is not in the conversation; Gemini needs the \
             name of its function, so keep the message with the call",
            result.call_id
        ));
    };
    let (mut texts, mut inside, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    let is_inside = target.traits.gemini_3 == Some(true);
    for part in &result.content {
        let media = match part {
            Part::CachePoint(_) => continue,
            Part::Text(text) => {
                texts.push(text.text.as_str());
                continue;
            }
            Part::Image(image) => vec![media::image(image, service)?],
            Part::Document(document) => media::document(document, service)?,
            Part::Other { provenance, value } => {
                if allows(provenance.as_ref(), target) {
                    behind.push(value.clone());
                }
                continue;
            }
            _ => return Err(misplaced_in_result(part)),
        };
        if !is_inside {
            behind.extend(media);
            continue;
        }
        let name = media.iter().find_map(|part| part.get("text")?.as_str());
        let Some(mut data) = media.iter().find_map(|part| part.get("inlineData").cloned()) else {
            return Err(
                "holds a tool result with media by address or file id, which Gemini takes \
                        only in user messages; give the bytes instead"
                    .into(),
            );
        };
        let kind = data.get("mimeType").and_then(Value::as_str).unwrap_or_default();
        if !IN_RESULTS.contains(&kind) {
            return Err(format!(
                "holds a tool result with media of type {kind:?}, but Gemini takes only PNG, JPEG, \
                 WebP, PDF and plain text there; convert it, or put it into a user message"
            ));
        }
        if let Some(name) = name {
            data["displayName"] = name.into();
        }
        inside.push(json!({"inlineData": data}));
    }
    let key = if result.is_error { "error" } else { "output" };
    let text = texts.join("\n");
    let mut response = json!({
        "id": result.call_id,
        "name": names[position].1,
        "response": {key: text},
    });
    if let Some(members) = response.as_object_mut().filter(|_| !service.call_ids) {
        members.shift_remove("id");
    }
    if !inside.is_empty() {
        response["parts"] = inside.into();
    }
    parts.results.push((position, json!({"functionResponse": response})));
    parts.said.extend(behind);
    Ok(())
}

/// Encodes an image that the model made: unchanged if Google's model made it, and not at all if
/// another provider's model did.
fn made_image(
    image: &Image,
    target: Target<'_>,
    service: &Service,
) -> Result<Option<Value>, String> {
    match (&image.opaque, own(image.opaque.as_deref(), target)) {
        (None, _) => media::image(image, service).map(Some),
        (Some(_), None) => Ok(None),
        (Some(_), Some(members)) => match &image.source {
            MediaSource::Base64 { media_type, data } => {
                Ok(Some(with_data(members, Some(media_type), data)))
            }
            _ => media::image(image, service).map(Some),
        },
    }
}

fn made_audio(audio: &Audio, target: Target<'_>) -> Option<Value> {
    let members = own(audio.opaque.as_deref(), target).filter(|_| !audio.data.is_empty())?;
    members.contains_key("inlineData").then(|| with_data(members, None, &audio.data))
}

/// Puts the data back into the members of a part.
fn with_data(members: &Map<String, Value>, media_type: Option<&str>, data: &str) -> Value {
    let mut part = members.clone();
    let inline = part.entry("inlineData").or_insert_with(|| json!({}));
    if let Some(media_type) = media_type {
        inline["mimeType"] = media_type.into();
    }
    inline["data"] = data.into();
    part.into()
}

/// Returns the members that came with a part, if the target may see them.
fn own<'a>(opaque: Option<&'a Opaque>, target: Target<'_>) -> Option<&'a Map<String, Value>> {
    let opaque = opaque.filter(|opaque| allows(Some(&opaque.provenance), target))?;
    Some(&opaque.members)
}

/// Returns true if the request may include content with this provenance.
fn allows(provenance: Option<&Provenance>, target: Target<'_>) -> bool {
    provenance.is_some_and(|it| target.sent(it, Format::Gemini))
}

fn add_missing(object: &mut Map<String, Value>, members: &Map<String, Value>) {
    for (name, value) in members {
        object.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}
