//! Encodes messages as a system instruction and alternating contents.

use serde_json::{Map, Value};

use super::part::{self, Names, Parts};
use super::{SIGNATURE, Service};
use crate::chat::{Message, Part, Role};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::{Target, validate};

/// Replaces the signature of a call from another provider or from an older Gemini: "you can bypass
/// validation" with it
/// (ai.google.dev/gemini-api/docs/thought-signatures, "FAQs"; docs.cloud.google.com/vertex-ai,
/// "Thought signatures", "Using REST or manual handling").
const FOREIGN: &str = "skip_thought_signature_validator";

/// Writes `systemInstruction` and `contents`.
///
/// - System messages from any position go to `systemInstruction`, because a content has the role
///   `user` or `model` (`Content`). For Gemma they go into the first user turn.
/// - Consecutive messages with the same role become one content: "Please ensure that the
///   number of function response parts is equal to the number of function call parts of the
///   function call turn" (the API's error).
/// - An assistant message without anything to send is left out, such as one with only another
///   provider's reasoning.
/// - Gemini 3 and later require a signature on the first call of each step of the current turn
///   (ai.google.dev/gemini-api/docs/thought-signatures, "Validation").
pub(super) fn write(
    messages: &[Message],
    target: Target<'_>,
    service: &Service,
    body: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut system = Vec::new();
    let mut contents: Vec<Content> = Vec::new();
    let mut names: Names<'_> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        for part in &message.content {
            if let Part::ToolCall(call) = part {
                names.push((&call.id, &call.name));
            }
        }
        let mut parts = Parts::default();
        for part in &message.content {
            part::encode(part, message.role, target, service, &names, &mut parts)
                .map_err(|what| Error::invalid_request(format!("messages[{index}] {what}")))?;
        }
        let role = match message.role {
            Role::System => {
                system.extend(parts.said);
                continue;
            }
            Role::Assistant => "model",
            Role::User | Role::Tool => "user",
        };
        if parts.results.is_empty() && parts.said.is_empty() {
            if role == "user" && !message.content.iter().any(is_cache_point) {
                return Err(Error::invalid_request(format!(
                    "messages[{index}] holds nothing that can be sent; remove it"
                )));
            }
            continue;
        }
        match contents.last_mut() {
            Some(last) if last.role == role => {
                last.parts.results.extend(parts.results);
                last.parts.said.extend(parts.said);
            }
            _ => contents.push(Content { role, parts }),
        }
    }
    if contents.iter().all(|content| content.role == "model") {
        return Err(validate::no_user_message());
    }
    if !target.traits.system_instruction {
        if let Some(first) = contents.iter_mut().find(|content| content.role == "user") {
            first.parts.said.splice(0..0, system.drain(..));
        }
    }
    if target.traits.gemini_3 == Some(true) {
        sign(&mut contents);
    }
    let contents: Vec<_> = contents.into_iter().map(|content| content.written(service)).collect();
    body.insert("contents".into(), contents.into());
    if !system.is_empty() {
        body.insert("systemInstruction".into(), object_of!("parts": system.into()));
    }
    Ok(())
}

struct Content {
    role: &'static str,
    parts: Parts,
}

impl Content {
    fn written(mut self, service: &Service) -> Value {
        // Without ids, the first result belongs to the first call, and so on.
        if !service.call_ids {
            self.parts.results.sort_by_key(|(position, _)| *position);
        }
        let results = self.parts.results.into_iter().map(|(_, result)| result);
        let parts: Vec<_> = results.chain(self.parts.said).collect();
        object_of!("role": self.role.into(), "parts": parts.into())
    }
}

/// Adds [`FOREIGN`] to the first call of each step of the current turn that has no signed call.
fn sign(contents: &mut [Content]) {
    let is_question =
        |content: &Content| content.role == "user" && content.parts.results.is_empty();
    let turn = contents.iter().rposition(is_question).map_or(0, |at| at + 1);
    for content in contents.iter_mut().skip(turn).filter(|content| content.role == "model") {
        let is_call = |part: &&mut Value| part.get("functionCall").is_some();
        let signed = content
            .parts
            .said
            .iter()
            .any(|part| part.get("functionCall").is_some() && part.get(SIGNATURE).is_some());
        let first = content.parts.said.iter_mut().find(is_call).filter(|_| !signed);
        if let Some(Value::Object(part)) = first {
            part.insert(SIGNATURE.to_owned(), FOREIGN.into());
        }
    }
}

fn is_cache_point(part: &Part) -> bool {
    matches!(part, Part::CachePoint(_))
}

#[cfg(test)]
mod tests;
