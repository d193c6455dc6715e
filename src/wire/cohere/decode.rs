//! Decodes a whole response.

use serde_json::Value;

use super::event::Body;
use super::stream::{Stream, failure_at_end};
use crate::wire::format::Fold;
use crate::wire::json::object::Object;
use crate::wire::{AnswerBody, Decoded, Failure, failed, json as wire};

/// Decodes the body of a successful response (`ChatResponseV2`).
pub(super) fn decode(received: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let Object(mut body) = wire::read::<Object<Body<'_>>>(received, &mut repaired)?;
    let error = body.error.take().map(|error| error.value).unwrap_or_default();
    if let Some(failure) = failure_at_end(&body.finish_reason.0, &error) {
        return Err(failure);
    }
    let is_foreign = body.message.is_none();
    let stream = Stream::whole(body, received.bytes)?;
    // An error body has its explanation in `message`.
    if is_foreign || stream.is_no_answer() {
        let report = wire::detail(received.bytes).filter(Value::is_object);
        return Err(report.as_ref().and_then(failed::report).unwrap_or_else(|| {
            Failure::protocol(match is_foreign {
                true => "the response body is not an answer: it has no message",
                false => failed::NO_ANSWER,
            })
        }));
    }
    let usage = stream.reported();
    Ok(stream.answer(usage))
}

#[cfg(test)]
mod tests;
