//! Decodes a whole response.

use super::chunk::Chunk;
use super::stream::{self, Stream};
use crate::error::ErrorKind;
use crate::wire::format::Fold;
use crate::wire::json::object::Object;
use crate::wire::{AnswerBody, Decoded, Failure, failed, json as wire};

/// Decodes the body of a successful response.
///
/// Ollama streams unless a request says otherwise, so a body of several lines is a stream.
pub(super) fn decode(body: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut stream = Stream::whole(body.bytes);
    let mut events = Vec::new();
    let text = body.text;
    let mut repaired = None;
    let is_foreign = match wire::read::<Object<Chunk<'_>>>(body, &mut repaired) {
        Ok(Object(chunk)) => {
            let (is_foreign, is_openai) = (chunk.is_foreign(), chunk.choices.is_some());
            if is_foreign && is_openai {
                return Err(stream::openai());
            }
            stream.take(chunk, text.unwrap_or_default(), false, &mut events)?;
            is_foreign
        }
        Err(failure) => {
            let lines = text.filter(|text| text.trim().contains('\n')).ok_or(failure)?;
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                stream.event(None, line, &mut events)?;
                events.clear();
                if stream.is_done() {
                    break;
                }
            }
            false
        }
    };
    if stream.is_no_answer() {
        let report = wire::detail(body.bytes).as_ref().and_then(failed::report);
        return Err(report.unwrap_or_else(|| {
            Failure::protocol(match is_foreign {
                true => "the response body is not an answer: it has no message",
                false => failed::NO_ANSWER,
            })
        }));
    }
    if !stream.is_done() {
        return Err(Failure {
            kind: ErrorKind::Truncated,
            code: None,
            message: "the answer ends without \"done\": true".to_owned(),
            wait: None,
        });
    }
    stream.close(&mut events);
    let usage = stream.reported();
    Ok(stream.answer(usage))
}

#[cfg(test)]
mod tests;
