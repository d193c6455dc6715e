//! Decodes a whole response.

use serde_json::{Map, Value};

use super::blocks;
use super::usage;
use crate::chat::{Message, Role};
use crate::wire::beside::Beside;
use crate::wire::finish_reason::finish_reason;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::exact;
use crate::wire::json::object::{Object, members};
use crate::wire::{AnswerBody, Decoded, Failure, MAX_PARTS, failed, json as wire};

/// The members of a response that are read (`ConverseResponse`).
#[derive(Default)]
struct Body {
    output: Content,
    stop_reason: Detail,
    usage: Detail,
    tier: Detail,
    /// Other members: metrics, traces, `additionalModelResponseFields`.
    beside: Beside,
}

members!(impl [] Body {
    "output" => output,
    "stopReason" => stop_reason,
    "usage" => usage,
    "serviceTier" => tier,
    _ => |body: &mut Self, name, members| body.beside.take(name, members),
});

/// Decodes the body of a successful response.
pub(super) fn decode(received: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let Object(body) = wire::read::<Object<Body>>(received, &mut repaired)?;
    if body.output.exceeded {
        return Err(Failure::too_many_parts());
    }
    let content = match take_content(body.output.value) {
        Some(content) if content.len() > MAX_PARTS => return Err(Failure::too_many_parts()),
        Some(content) => content,
        None => {
            let report = wire::detail(received.bytes).as_ref().and_then(failed::report);
            return Err(report.unwrap_or_else(|| {
                Failure::protocol("the response body is not an answer: it has no output.message")
            }));
        }
    };
    let has_floats = content.iter().any(|block| block.get("toolUse").is_some_and(exact::has_float));
    let content = if has_floats { exact_content(received).unwrap_or(content) } else { content };
    let message = Message::new(Role::Assistant, content.into_iter().filter_map(blocks::part));
    let stop_reason = wire::text(body.stop_reason.value);
    if let Some(failure) = stop_reason.as_deref().and_then(|raw| failed::ending(raw, "")) {
        return Err(failure);
    }
    if message.is_blank() && stop_reason.is_none() {
        return Err(Failure::protocol(failed::NO_ANSWER));
    }
    let mut extra = Map::new();
    body.beside.add_to(&mut extra);
    let counts = usage::read(&body.usage.value).without_false_zeros(!message.is_blank());
    usage::beside(body.usage.value).nest_in("usage", &mut extra);
    Ok(Decoded {
        message,
        finish_reason: finish_reason(stop_reason.as_deref()),
        finish_reason_raw: stop_reason,
        usage: counts,
        model: String::new(),
        service_tier: body.tier.value.get("type").cloned().and_then(wire::text),
        id: None,
        extra,
        logprobs: String::new(),
    })
}

fn take_content(mut output: Value) -> Option<Vec<Value>> {
    match output.pointer_mut("/message/content")?.take() {
        Value::Array(content) => Some(content),
        _ => None,
    }
}

/// Parses the content of a body whose calls have numbers that a value cannot represent, with these
/// [marked](exact).
fn exact_content(received: AnswerBody<'_>) -> Option<Vec<Value>> {
    let marked = exact::marked(received.text?, Some("input"))?;
    let Object(body): Object<Body> = serde_json::from_str(&marked).ok()?;
    take_content(body.output.value)
}

#[cfg(test)]
mod tests;
