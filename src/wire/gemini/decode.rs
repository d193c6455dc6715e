//! Decodes a whole response.

use super::chunk::Chunk;
use super::stream::Stream;
use crate::wire::format::Fold;
use crate::wire::json::object::Object;
use crate::wire::{AnswerBody, Decoded, Failure, failed, json as wire};

/// Decodes the body of a successful response.
///
/// The body can be a list: without `alt=sse`, `streamGenerateContent` answers with a list of chunks
/// or of one error (ai.google.dev/api/generate-content).
pub(super) fn decode(body: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut stream = Stream::whole(body.bytes);
    let mut events = Vec::new();
    let is_list = body.bytes.trim_ascii_start().first() == Some(&b'[');
    let text = body.text;
    let list = text.filter(|_| is_list).and_then(|text| Some((text, chunks(text)?)));
    let is_foreign = match list {
        Some((text, chunks)) => {
            let is_foreign = chunks.iter().all(|chunk| chunk.0.is_foreign());
            for Object(chunk) in chunks {
                stream.take(chunk, text, false, &mut events)?;
                events.clear();
            }
            is_foreign
        }
        None => {
            let mut repaired = None;
            let Object(chunk) = wire::read::<Object<Chunk<'_>>>(body, &mut repaired)?;
            let is_foreign = chunk.is_foreign();
            stream.take(chunk, text.unwrap_or_default(), false, &mut events)?;
            is_foreign
        }
    };
    if stream.is_no_answer() {
        let report = wire::detail(body.bytes).as_ref().and_then(failed::report);
        return Err(report.unwrap_or_else(|| {
            Failure::protocol(match is_foreign {
                true => "the response body is not an answer: it has no candidates",
                false => failed::NO_ANSWER,
            })
        }));
    }
    stream.close(&mut events);
    let usage = stream.reported();
    Ok(stream.answer(usage))
}

fn chunks(text: &str) -> Option<Vec<Object<Chunk<'_>>>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
