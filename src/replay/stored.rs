//! A recording as text: JSON that is stable in diffs.
//!
//! ```json
//! {
//!   "tollgate_recording": 1,
//!   "key": "8f41ccd1c3e9c8bd3802757563fa2048",
//!   "request": {"provider": "openai", "method": "POST", "url": "…", "body": {…}},
//!   "response": {"status": 200, "headers": ["content-type: application/json"], "body": ["…"]}
//! }
//! ```
//!
//! The body of an answer is a list of its lines, or of the pieces of a stream as they arrived.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

use super::key::Identity;
#[cfg(feature = "testing")]
use super::key::question;
use super::rules::hide;
use crate::base64;
use crate::fingerprint::Fingerprint;
use crate::key::Secrets;

/// The version of the format. Every version up to this one can be read.
const VERSION: u64 = 1;

/// The response of one exchange, as its decoder sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The headers that are read, by names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The pieces of the body; one, unless it is a stream.
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) streamed: bool,
    /// Whether only the end of the connection ended the stream.
    pub(crate) until_close: bool,
    /// How long each piece took to arrive, in milliseconds; empty if that was not recorded.
    pub(crate) waits: Vec<u64>,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is not a recording of tollgate's")]
    NotRecording,
    #[error(
        "it has version {0} of the format, and this version of tollgate reads up to {VERSION}; \
         update tollgate, or record it again"
    )]
    Newer(u64),
    #[error("it is damaged (line {line}, column {column}); record it again")]
    Damaged { line: usize, column: usize },
    #[error(
        "it is the recording of another request, which has the same name; delete it, or change either request"
    )]
    OtherRequest,
    #[error("it has a piece that is not valid base64; record it again")]
    NotBase64,
}

#[derive(Serialize, Deserialize)]
struct File {
    tollgate_recording: u64,
    key: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded: Option<String>,
    request: StoredRequest,
    response: StoredResponse,
}

/// The members that every version has.
#[derive(Deserialize)]
struct Any {
    tollgate_recording: Option<u64>,
    #[serde(default)]
    recorded: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredRequest {
    provider: String,
    method: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    betas: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    body: Value,
}

#[derive(Serialize, Deserialize)]
struct StoredResponse {
    status: u16,
    headers: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    until_close: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waits_ms: Vec<u64>,
    /// The lines of a whole body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Vec<Piece>>,
    /// The pieces of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunks: Option<Vec<Piece>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Piece {
    Text(String),
    Binary { base64: String },
}

impl Piece {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary { base64: base64::encode(bytes) },
        }
    }

    fn bytes(self) -> Result<Vec<u8>, Unreadable> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Binary { base64 } => base64::decode(&base64).ok_or(Unreadable::NotBase64),
        }
    }
}

/// Writes a recording, without `secrets`. `None` if a binary body contains one: to replace it there
/// would damage the body.
pub(crate) fn write(
    request: &Identity,
    response: &Response,
    secrets: &Secrets,
    recorded: Option<String>,
) -> Option<String> {
    let hidden = |text: &str| secrets.hide(Cow::Borrowed(text)).into_owned();
    let mut body = request.body.clone();
    hide(&mut body, secrets);
    let mut headers: Vec<_> = response.headers.iter().collect();
    headers.sort();
    let pieces = pieces(response, secrets)?;
    let (whole, chunks) = match response.streamed {
        true => (None, Some(pieces)),
        false => (Some(pieces), None),
    };
    let file = File {
        tollgate_recording: VERSION,
        key: request.key,
        recorded,
        request: StoredRequest {
            provider: request.provider.clone(),
            method: request.method.to_owned(),
            url: hidden(&request.url),
            betas: request.betas.as_deref().map(hidden),
            body,
        },
        response: StoredResponse {
            status: response.status,
            headers: headers
                .into_iter()
                .map(|(name, value)| format!("{name}: {}", hidden(value)))
                .collect(),
            until_close: response.until_close,
            waits_ms: response.waits.clone(),
            body: whole,
            chunks,
        },
    };
    let mut text = serde_json::to_string_pretty(&file).ok()?;
    text.push('\n');
    Some(text)
}

/// The pieces of a body without secrets. One that is spread over two pieces joins all of them.
fn pieces(response: &Response, secrets: &Secrets) -> Option<Vec<Piece>> {
    let whole = response.pieces.concat();
    let pieces: Vec<Cow<'_, [u8]>> = match (secrets.are_in(&whole), response.streamed) {
        (true, _) => {
            let text = std::str::from_utf8(&whole).ok()?;
            vec![secrets.hide(Cow::Borrowed(text)).into_owned().into_bytes().into()]
        }
        (false, true) => between_characters(&response.pieces),
        (false, false) => vec![(&whole[..]).into()],
    };
    Some(match response.streamed {
        true => pieces.iter().map(|piece| Piece::of(piece)).collect(),
        false => pieces.iter().flat_map(|piece| lines(piece)).collect(),
    })
}

/// The lines of a body, if it is text.
fn lines(body: &[u8]) -> Vec<Piece> {
    match std::str::from_utf8(body) {
        Ok(text) => text.split_inclusive('\n').map(|line| Piece::Text(line.to_owned())).collect(),
        Err(_) => vec![Piece::of(body)],
    }
}

/// Moves the start of a character that two pieces share to the second, so that both are text.
fn between_characters(pieces: &[Vec<u8>]) -> Vec<Cow<'_, [u8]>> {
    let mut carried = Vec::new();
    let mut moved = Vec::with_capacity(pieces.len());
    for (at, piece) in pieces.iter().enumerate() {
        let is_last = at + 1 == pieces.len();
        let mut bytes = match carried.is_empty() {
            true => Cow::Borrowed(&piece[..]),
            false => Cow::Owned([&carried, &piece[..]].concat()),
        };
        carried.clear();
        if let Err(error) = std::str::from_utf8(&bytes) {
            // Without a length, the bytes at the end may begin a character.
            if error.error_len().is_none() && !is_last {
                let (kept, begun) = bytes.split_at(error.valid_up_to());
                carried.extend_from_slice(begun);
                bytes = kept.to_vec().into();
            }
        }
        moved.push(bytes);
    }
    moved
}

/// Reads the recording of a request.
///
/// # Errors
///
/// If the text is not one, or not that of this request.
pub(crate) fn read(text: &str, request: &Identity) -> Result<Response, Unreadable> {
    let File { key, request: stored, response, .. } = file(text)?;
    if key != request.key || !is_of(&stored, request) {
        return Err(Unreadable::OtherRequest);
    }
    response.read()
}

/// Reads a recording of any request, with the [question] that it answers.
///
/// # Errors
///
/// If the text is not one.
#[cfg(feature = "testing")]
pub(super) fn read_any(text: &str) -> Result<(Fingerprint, Response), Unreadable> {
    let File { request, response, .. } = file(text)?;
    let StoredRequest { method, url, betas, body, .. } = request;
    Ok((question(&method, &url, betas.as_deref(), &body), response.read()?))
}

fn file(text: &str) -> Result<File, Unreadable> {
    let any: Any = serde_json::from_str(text).map_err(damaged)?;
    match any.tollgate_recording {
        None => Err(Unreadable::NotRecording),
        Some(version) if version > VERSION => Err(Unreadable::Newer(version)),
        Some(_) => serde_json::from_str(text).map_err(damaged),
    }
}

impl StoredResponse {
    fn read(self) -> Result<Response, Unreadable> {
        let Self { status, headers, until_close, waits_ms: waits, body, chunks } = self;
        let streamed = chunks.is_some();
        let pieces = chunks.or(body).unwrap_or_default();
        let pieces = pieces.into_iter().map(Piece::bytes).collect::<Result<Vec<_>, _>>()?;
        let headers = headers.iter().filter_map(|line| line.split_once(": "));
        Ok(Response {
            status,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            pieces: if streamed { pieces } else { vec![pieces.concat()] },
            streamed,
            until_close,
            waits,
        })
    }
}

/// When the recording was made, if it says so.
pub(crate) fn recorded(text: &str) -> Option<String> {
    serde_json::from_str::<Any>(text).ok()?.recorded
}

fn damaged(cause: serde_json::Error) -> Unreadable {
    Unreadable::Damaged { line: cause.line(), column: cause.column() }
}

/// Whether a stored request is this one. Where a secret was hidden, its key alone decides.
fn is_of(stored: &StoredRequest, request: &Identity) -> bool {
    let same = |stored: &str, own: &str| stored == own || stored.contains("[key]");
    let betas = |betas: &Option<String>| betas.clone().unwrap_or_default();
    stored.provider == request.provider
        && stored.method == request.method
        && same(&stored.url, &request.url)
        && same(&betas(&stored.betas), &betas(&request.betas))
        && (stored.body == request.body || stored.body.to_string().contains("[key]"))
}

#[cfg(test)]
mod tests;
