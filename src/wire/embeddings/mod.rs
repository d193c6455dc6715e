//! Embeddings: one row of data for each way to ask for them.
//!
//! The rows share what is next to them: `limits` says how much a request may contain, `plan` splits
//! texts by it, `vectors` reads vectors straight into floats, `listed` puts them into rows.

mod bedrock;
mod cohere;
mod gemini;
mod google;
mod jina;
mod limits;
mod listed;
mod mistral;
mod ollama;
mod openai;
mod perplexity;
mod plan;
mod vectors;
mod vertex;
mod voyage;

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::{Failure, Reply, head, json, other_form, reply};
use crate::chat::Provider;
use crate::embed::{EmbedRequest, EmbeddingFormat, InputType, RowError, Rows, Truncation};
use crate::error::Error;
use crate::usage::Usage;

pub(crate) use limits::Limits;
pub(crate) use plan::{Size, split};

/// How one endpoint's requests are written and its answers read: a row of data for each format.
pub(in crate::wire) struct EmbeddingWire {
    /// Returns the path below the base URL. If the base URL already ends with the first part of the
    /// path, that part is not repeated.
    path: fn(target: Target<'_>) -> Cow<'static, str>,
    /// The members that every request needs: [`EmbedRequest::omit`] cannot remove them, and
    /// [`EmbedRequest::extra`] cannot change them.
    required: &'static [&'static str],
    /// Other members that `extra` cannot set, because they change the form of the vectors.
    fixed: &'static [&'static str],
    /// Returns how much one request may contain.
    limits: fn(target: Target<'_>) -> Limits,
    /// Builds the body of a request without `extra`, or refuses what the format cannot express.
    encode: fn(batch: &Batch<'_>) -> Result<Map<String, Value>, Error>,
    /// Decodes the body of a successful response, or returns the failure that it reports.
    decode: fn(body: &[u8]) -> Result<Decoded, Failure>,
}

/// The provider and model that texts are encoded for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) model: &'a str,
}

/// The texts of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) request: &'a EmbedRequest,
    pub(crate) texts: &'a [String],
    pub(crate) target: Target<'a>,
}

/// The content of a response body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decoded {
    /// The vectors in the order of the texts.
    pub(crate) rows: Rows,
    pub(crate) usage: Usage,
    /// Empty if the body does not name it.
    pub(crate) model: String,
    pub(crate) id: Option<String>,
}

/// A format, ready for use.
#[derive(Clone, Copy)]
pub(crate) struct Embeddings(&'static EmbeddingWire);

impl Embeddings {
    pub(crate) fn of(format: EmbeddingFormat) -> Self {
        Self(match format {
            EmbeddingFormat::Bedrock => &bedrock::BEDROCK,
            EmbeddingFormat::Cohere => &cohere::COHERE,
            EmbeddingFormat::Gemini => &gemini::GEMINI,
            EmbeddingFormat::Jina => &jina::JINA,
            EmbeddingFormat::Mistral => &mistral::MISTRAL,
            EmbeddingFormat::Ollama => &ollama::OLLAMA,
            EmbeddingFormat::OpenAi => &openai::OPENAI,
            EmbeddingFormat::OpenAiCompatible => &openai::COMPATIBLE,
            EmbeddingFormat::Perplexity => &perplexity::PERPLEXITY,
            EmbeddingFormat::Vertex => &vertex::VERTEX,
            EmbeddingFormat::Voyage => &voyage::VOYAGE,
        })
    }

    /// Returns the path below the base URL.
    pub(crate) fn path(self, target: Target<'_>) -> Cow<'static, str> {
        (self.0.path)(target)
    }

    /// Returns how much one request may contain.
    pub(crate) fn limits(self, target: Target<'_>) -> Limits {
        (self.0.limits)(target)
    }

    /// Encodes one request.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the target cannot express the
    /// request.
    pub(crate) fn encode(self, batch: &Batch<'_>) -> Result<Vec<u8>, Error> {
        let mut body = (self.0.encode)(batch)?;
        let request = batch.request;
        for (name, value) in &request.extra {
            let name = name.as_str();
            if self.0.required.contains(&name) && body.get(name) != Some(value) {
                return Err(Error::invalid_request(format!(
                    "the request sets {name:?} in extra, but the model and the texts have fields \
                     of their own; set those"
                )));
            }
            if self.0.fixed.contains(&name) {
                return Err(Error::invalid_request(format!(
                    "the request sets {name:?} in extra, but vectors are always read as floats; \
                     remove it, or use Client::post for another form"
                )));
            }
        }
        json::merge(&mut body, &request.extra);
        for name in &request.omit {
            if self.0.required.contains(&&**name) {
                return Err(Error::invalid_request(format!(
                    "the request omits {name:?}, which every request needs; keep it"
                )));
            }
            // The order of the others stays, because caches compare bytes.
            body.shift_remove(name);
        }
        json::write(&body)
    }

    /// Decodes a response of any status to a request with this many `texts`, which asked for vectors
    /// of this many `dimensions`.
    ///
    /// # Errors
    ///
    /// The failure that the response reports, or the reason why it is not one vector for each text.
    pub(crate) fn decode(
        self,
        reply: Reply<'_>,
        texts: usize,
        dimensions: Option<u32>,
    ) -> Result<Decoded, Failure> {
        if !(200..300).contains(&reply.status) {
            return Err(Failure::of(reply));
        }
        head::check(reply)?;
        if reply::is_markup(reply.body) {
            return Err(Failure::protocol("the response body is not JSON but an HTML page"));
        }
        if let other_form::Form::Events = other_form::form(reply.body) {
            return Err(Failure::protocol(
                "the response to a request for embeddings is an event stream; check the base URL",
            ));
        }
        let mut decoded = (self.0.decode)(reply.body)?;
        let count = decoded.rows.len();
        if count != texts {
            return Err(Failure::protocol(format!(
                "the response has {count} embeddings, but the request had {texts} texts"
            )));
        }
        let found = decoded.rows.dimension();
        if let Some(asked) = dimensions.filter(|asked| usize::try_from(*asked) != Ok(found)) {
            return Err(Failure::protocol(format!(
                "the request asks for embeddings of {asked} components, but these have {found}; \
                 the server ignores dimensions; leave it unset"
            )));
        }
        decoded.usage = decoded.usage.without_false_zeros(false);
        Ok(decoded)
    }
}

/// The failure for a vector that is not an embedding.
fn not_a_row(index: usize, problem: RowError) -> Failure {
    Failure::protocol(format!("the embedding of text {index} {problem}"))
}

/// Refuses an input type if the format has none.
fn no_input_type(batch: &Batch<'_>) -> Result<(), Error> {
    match batch.request.input_type {
        None => Ok(()),
        Some(input_type) => Err(Error::invalid_request(format!(
            "the request sets the input type {input_type}, but {} has none; leave it unset, or put \
             the model's own prefix into the texts",
            batch.target.provider
        ))),
    }
}

/// Refuses truncation if the format has none. Without it, a text that is too long is an error.
fn no_truncation(batch: &Batch<'_>) -> Result<(), Error> {
    match batch.request.truncation {
        None | Some(Truncation::Off) => Ok(()),
        Some(_) => Err(Error::invalid_request(format!(
            "the request asks for truncation, but {} cannot truncate texts; shorten them before \
             the call",
            batch.target.provider
        ))),
    }
}

/// Returns whether to cut off the end of a long text, if the request says. For formats with only
/// that choice: they cannot cut off the start.
fn truncates_end(batch: &Batch<'_>) -> Result<Option<bool>, Error> {
    match batch.request.truncation {
        None => Ok(None),
        Some(Truncation::Off) => Ok(Some(false)),
        Some(Truncation::End) => Ok(Some(true)),
        Some(Truncation::Start) => Err(Error::invalid_request(format!(
            "the request asks to cut off the start of long texts, but {} cuts off the end; set \
             Truncation::End, or shorten them before the call",
            batch.target.provider
        ))),
    }
}

/// Refuses an input type that the format cannot express, and names those it can.
fn other_input_type(batch: &Batch<'_>, input_type: InputType, known: &[&str]) -> Error {
    Error::invalid_request(format!(
        "the request sets the input type {input_type}, which {} does not have; use one of {}",
        batch.target.provider,
        known.join(", ")
    ))
}

#[cfg(test)]
mod tests;
