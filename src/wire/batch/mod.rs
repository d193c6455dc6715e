//! Batches: one folder or file for each interface. Pure.
//!
//! Every interface has the same steps: requests become lines, lines become a job, a job has a state,
//! and its results are lines again. [`Interface`] is what differs.

mod anthropic;
mod gemini;
mod mistral;
mod multipart;
mod openai;
mod resumable;

use serde_json::Value;
use std::io::{self, Read};

use super::{Failure, HeaderFields, Reply};
use crate::batch::{BatchCounts, BatchEndpoint, BatchFormat, BatchState};
use crate::error::{Error, ErrorKind};
use crate::key::Secrets;
use crate::time::rfc3339;
pub(crate) use multipart::{Multipart, UploadFields};
pub(crate) use resumable::{Progress, Session};

/// How a provider's batches are called.
pub(crate) trait Interface: Sync {
    /// What an id of a request may be.
    fn ids(&self) -> IdRule;

    /// Writes a request as a line of a file, without the end of the line.
    fn line(&self, id: &str, path: &str, body: &[u8]) -> Vec<u8>;

    /// Returns how many bytes longer a request is inside the job than in a line of a file. Default:
    /// both are the same.
    fn inline_growth(&self) -> usize {
        0
    }

    /// Turns a line of a file into a request inside the job. Default: both are the same.
    fn inlined(&self, line: Vec<u8>) -> Vec<u8> {
        line
    }

    /// Returns the most texts that one request for embeddings may have, if fewer than in a single call.
    fn most_texts(&self) -> Option<usize> {
        None
    }

    /// Returns the path of an endpoint in lines and jobs; `None` if batches do not have it.
    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Option<&'static str>;

    /// Returns how the lines are uploaded; `None` if they are part of the job. `is_large` says that they
    /// are too many for a job that could also hold them.
    fn upload(&self, endpoint: BatchEndpoint, is_large: bool) -> Option<Upload>;

    /// Returns the service that has the files of results, if it is beside the base URL. Default: they
    /// are below it.
    fn download_service(&self) -> Option<&'static str> {
        None
    }

    /// Returns the request that creates a job.
    fn create(&self, job: &NewJob<'_>) -> Creation;

    /// Returns the path of a job.
    fn job_path(&self, id: &str) -> String;

    /// Returns the path that cancels a job.
    fn cancel_path(&self, id: &str) -> String;

    /// Returns the path of a page of the list of jobs, the newest first: the one that the last page
    /// named, or the `number`th, counted from 0.
    fn list_path(&self, page: Option<&str>, number: usize) -> String;

    /// Reads a job.
    ///
    /// # Errors
    ///
    /// If the body is not one.
    fn job(&self, body: &[u8]) -> Result<Job, Failure>;

    /// Reads a page of the list of jobs.
    ///
    /// # Errors
    ///
    /// If the body is not one.
    fn jobs(&self, body: &[u8]) -> Result<JobPage, Failure>;

    /// Reads a result.
    ///
    /// # Errors
    ///
    /// If the line is not JSON: the file was cut off in it.
    fn result(&self, line: &str) -> Result<Line, Failure>;
}

/// Returns the interface of a format.
pub(crate) fn interface(format: BatchFormat) -> &'static dyn Interface {
    match format {
        BatchFormat::Anthropic => &anthropic::MessageBatches,
        BatchFormat::Gemini => &gemini::BatchGenerateContent,
        BatchFormat::Mistral => &mistral::BatchJobs,
        BatchFormat::OpenAi => &openai::OPENAI,
        BatchFormat::Together => &openai::TOGETHER,
    }
}

/// How lines are uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    /// As a form, to this path.
    Form { path: &'static str, fields: UploadFields },
    /// In pieces, by Google's [resumable] protocol.
    Resumable,
}

/// What an id of a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdRule {
    /// The most bytes.
    pub(crate) most: usize,
    /// Whether only ASCII letters, digits, `_` and `-` are allowed.
    pub(crate) plain: bool,
}

impl IdRule {
    /// Checks an id.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the provider would refuse it.
    pub(crate) fn check(self, id: &str) -> Result<(), Error> {
        let Self { most, plain } = self;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let what = if id.is_empty() {
            "is empty".to_owned()
        } else if id.len() > most {
            format!("has {} bytes, but the provider allows {most}", id.len())
        } else if plain && !id.chars().all(is_plain) {
            "may only contain ASCII letters, digits, _ and - at this provider".to_owned()
        } else {
            return Ok(());
        };
        let shown: String = id.chars().take(40).collect();
        Err(Error::invalid_request(format!("the id {shown:?} {what}; choose another one")))
    }
}

/// A job to create.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewJob<'a> {
    pub(crate) endpoint: &'static str,
    pub(crate) model: &'a str,
    /// The id of the uploaded file; empty if the requests are part of the job.
    pub(crate) file: &'a str,
    /// A name that no other job has.
    pub(crate) name: &'a str,
}

/// The request that creates a job. Requests that are part of it go between the two halves of its
/// body.
pub(crate) struct Creation {
    pub(crate) path: String,
    before: Vec<u8>,
    after: &'static [u8],
}

impl Creation {
    /// The request for a job over an uploaded file.
    fn over_file(path: &str, body: &Value) -> Self {
        Self { path: path.to_owned(), before: body.to_string().into_bytes(), after: b"" }
    }

    /// The whole body. `lines` are the requests that are part of the job, `length` bytes in all.
    ///
    /// # Errors
    ///
    /// If the lines cannot be read, or are fewer.
    pub(crate) fn body(&self, lines: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
        let mut body = around(&self.before, lines, length, self.after)?;
        // They become the elements of an array. Inside of them, JSON escapes line feeds.
        if let [lines @ .., _last] = &mut body[self.before.len()..][..length] {
            lines.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b',');
        }
        Ok(body)
    }
}

/// A job of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) state: BatchState,
    pub(crate) counts: BatchCounts,
    /// The endpoint, if the provider names it.
    pub(crate) endpoint: Option<BatchEndpoint>,
    /// The model, if the provider names it.
    pub(crate) model: Option<String>,
    /// What shows which submission made it: the id of its file, or its name.
    pub(crate) mark: Option<String>,
    /// When it was created, in seconds after the Unix epoch.
    pub(crate) created: Option<i64>,
    /// The paths of its results.
    pub(crate) files: Vec<String>,
    /// Its results, if they are part of the job.
    pub(crate) lines: Vec<String>,
    /// Why the provider refused it as a whole.
    pub(crate) refusal: Option<Failure>,
}

/// A page of the list of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobPage {
    pub(crate) jobs: Vec<Job>,
    pub(crate) next: Option<String>,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The request's id; `None` if the provider lost it.
    pub(crate) id: Option<String>,
    pub(crate) outcome: Outcome,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A response with this status, body and request id.
    Response {
        status: u16,
        body: Vec<u8>,
        request_id: Option<String>,
    },
    /// No response.
    Failed(Failure),
    Expired,
    Cancelled,
}

/// Parses the body of a successful response.
fn parse(body: &[u8]) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|_| Failure::protocol("the response body is not JSON; check the base URL"))?;
    // Some list their errors in `errors`; `error` is one only beside nothing else.
    match (&value["error"], value.get("id").or(value.get("name"))) {
        (error, None) if !error.is_null() => Err(Failure::inside(error)),
        _ => Ok(value),
    }
}

/// Parses a line of results.
fn parse_line(line: &str) -> Result<Value, Failure> {
    serde_json::from_str(line)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Failure::protocol("a line of the results is not a JSON object"))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A count, as a number or in a string.
fn count(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// A time as RFC 3339 text in UTC, in seconds after the Unix epoch. Fractions are dropped.
fn created(value: &Value) -> Option<i64> {
    let text = value.as_str()?.get(..19)?;
    rfc3339::parse(&format!("{text}Z")).map(rfc3339::seconds)
}

/// The failure of a request without a response.
fn failure(error: &Value) -> Failure {
    Failure::inside(error)
}

/// Why a provider refused a whole job, from the first of its `errors` with a message. Without a known
/// class it is the requests' fault.
fn refusal<'a>(errors: impl IntoIterator<Item = &'a Value>) -> Option<Failure> {
    let error = errors.into_iter().find(|error| text(&error["message"]).is_some())?;
    let mut failure = Failure::inside(error);
    if failure.code.as_deref() == Some("token_limit_exceeded") {
        // Not of a prompt: too many tokens wait in other batches. Only a look at the job tells
        // (openai/openai-python #1643).
        failure.kind = ErrorKind::RateLimited;
    } else if failure.kind == ErrorKind::Server {
        failure.kind = ErrorKind::InvalidRequest;
    }
    Some(failure)
}

/// The error for a failure in a result or a job, without secrets.
pub(crate) fn error(failure: Failure, secrets: &Secrets) -> Error {
    // Hide before anything is shortened.
    failure.into_unbounded_error().hide(secrets).bounded()
}

/// What became of a request whose `response` has a status and a body, and whose `error` says what
/// went wrong otherwise, as in OpenAI's and Mistral's files.
fn outcome(line: &Value) -> Outcome {
    let response = &line["response"];
    let code = line["error"]["code"].as_str().unwrap_or_default();
    match code {
        "batch_expired" => return Outcome::Expired,
        "batch_cancelled" => return Outcome::Cancelled,
        _ => {}
    }
    if response.is_object() && !response["body"].is_null() {
        let status = response["status_code"].as_u64().and_then(|status| status.try_into().ok());
        return Outcome::Response {
            status: status.unwrap_or(200),
            // Some servers put the body in as text.
            body: match &response["body"] {
                Value::String(body) => body.clone().into_bytes(),
                body => body.to_string().into_bytes(),
            },
            request_id: text(&response["request_id"]),
        };
    }
    match &line["error"] {
        Value::Null => {
            Outcome::Failed(Failure::protocol("the result has neither a response nor an error"))
        }
        error => Outcome::Failed(failure(error)),
    }
}

/// Reads `length` bytes of `content` into one buffer between two other parts.
///
/// # Errors
///
/// If the content cannot be read, or is shorter.
fn around(
    before: &[u8],
    content: &mut impl Read,
    length: usize,
    after: &[u8],
) -> io::Result<Vec<u8>> {
    let mut whole = Vec::with_capacity(before.len() + length + after.len());
    whole.extend_from_slice(before);
    let read = content.take(length as u64).read_to_end(&mut whole)?;
    if read != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    whole.extend_from_slice(after);
    Ok(whole)
}

/// The response in a result, as the formats of single calls read it.
pub(crate) fn reply<'a>(status: u16, body: &'a [u8], headers: &'a HeaderFields) -> Reply<'a> {
    Reply { status, headers, body, sent: None }
}

#[cfg(test)]
mod tests;
