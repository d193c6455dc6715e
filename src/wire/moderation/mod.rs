//! Moderation: requests that ask whether content violates a provider's policy.
//!
//! | format | endpoint | input |
//! |---|---|---|
//! | Mistral (docs.mistral.ai/studio/safety-moderation) | `/moderations` | a list of texts (`ClassificationRequest` in mistralai/client-python) |
//! | Mistral | `/chat/moderations` | a conversation, or a list of them (`ChatModerationRequest`) |
//! | OpenAI (developers.openai.com/api/docs/guides/moderation) | `/moderations` | a list of texts, or parts of one input (`CreateModerationRequest` in openai/openai-openapi) |

mod decode;
mod encode;

use super::{Failure, Reply, head, reply};
use crate::moderation::ModerationResult;
use crate::usage::Usage;

pub(crate) use encode::encode;

/// An encoded request.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The path below the base URL.
    pub(crate) path: &'static str,
    pub(crate) body: Vec<u8>,
    /// How many results the answer must have.
    pub(crate) results: usize,
    /// The bytes of the texts, to estimate their tokens.
    pub(crate) text_bytes: usize,
    /// The most tokens that the request can use.
    pub(crate) most_tokens: u64,
}

/// The content of a response body.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    /// In the order of the inputs.
    pub(crate) results: Vec<ModerationResult>,
    pub(crate) usage: Usage,
    /// Empty if the body does not name it.
    pub(crate) model: String,
    pub(crate) id: Option<String>,
}

/// Decodes a response of any status to a request for this many `results`.
///
/// # Errors
///
/// The failure that the response reports, or the reason why it is not one verdict for each input.
pub(crate) fn decode(reply: Reply<'_>, results: usize) -> Result<Decoded, Failure> {
    if !(200..300).contains(&reply.status) {
        return Err(Failure::of(reply));
    }
    head::check(reply)?;
    if reply::is_markup(reply.body) {
        return Err(Failure::protocol("the response body is not JSON but an HTML page"));
    }
    let mut decoded = decode::decode(reply.body)?;
    let count = decoded.results.len();
    if count != results {
        return Err(Failure::protocol(format!(
            "the response has {count} results, but the request had {results} inputs"
        )));
    }
    decoded.usage = decoded.usage.without_false_zeros(false);
    Ok(decoded)
}

#[cfg(test)]
mod tests;
