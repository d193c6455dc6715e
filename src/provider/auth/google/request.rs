//! The request for a token, and the answer to it.

use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::file::Source;
use super::jwt;
use super::shared::{Expires, Freshness};
use crate::bounds::Bounds;
use crate::error::{Error, ErrorKind};
use crate::key::ApiKey;
use crate::path_segment;

/// How long before its expiry a token is refreshed. The metadata server repeats a token until four
/// minutes before that, so an earlier request would get the same one (google-auth `_helpers.py`,
/// `REFRESH_THRESHOLD`).
const AHEAD: Duration = Duration::from_secs(225);

/// A token with less time left is not sent, because it could expire on the way.
const LEAST: Duration = Duration::from_secs(10);

/// How old a token must be to count as revoked if the provider rejects it.
const REVOKED: Duration = Duration::from_secs(60);

/// How long the metadata server may take to answer. It is near; on other machines nothing answers
/// (google-auth `_metadata.py`, `_METADATA_DEFAULT_TIMEOUT`).
const METADATA_LIMIT: Duration = Duration::from_secs(3);

/// Sends requests for tokens, with the client's connections.
pub(crate) trait TokenServer {
    /// Sends a request, and returns the response of any status.
    fn send(&self, request: &TokenRequest, bounds: &Bounds) -> Result<TokenReply, Error>;
}

/// A request for a token.
pub(crate) struct TokenRequest {
    pub(crate) url: String,
    /// The form to post; `None` for a request to the metadata server.
    pub(crate) form: Option<String>,
    /// The longest it may take, besides the call's own deadline.
    pub(crate) limit: Option<Duration>,
    /// The form's values that nobody may see.
    secret: Option<String>,
}

/// The response to it.
pub(crate) struct TokenReply {
    pub(crate) status: u16,
    /// The time at the server (RFC 9110 section 6.6.1).
    pub(crate) date: Option<SystemTime>,
    pub(crate) body: Vec<u8>,
}

impl TokenRequest {
    fn form(url: &str, fields: &[(&str, &str)], secret: Option<String>) -> Self {
        let fields = fields.iter().map(|(name, value)| {
            format!("{}={}", path_segment::encode(name), path_segment::encode(value))
        });
        let form = fields.collect::<Vec<_>>().join("&");
        Self { url: url.to_owned(), form: Some(form), limit: None, secret }
    }

    fn metadata(host: &str, path: &str) -> Self {
        Self {
            url: format!("http://{host}/computeMetadata/v1/{path}"),
            form: None,
            limit: Some(METADATA_LIMIT),
            secret: None,
        }
    }

    /// Calls `take` with the secrets that were made for this request.
    pub(super) fn secrets(&self, mut take: impl FnMut(&str)) {
        self.secret.iter().for_each(|secret| take(secret));
    }
}

impl Source {
    /// Returns the request for a token at `now`.
    pub(super) fn token_request(&self, now: SystemTime) -> Result<TokenRequest, Error> {
        Ok(match self {
            // RFC 7523 section 2.1.
            Self::ServiceAccount(account) => {
                let assertion = jwt::assertion(account, now).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Authentication,
                        "the request for a token cannot be signed",
                    )
                })?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                let fields = [("grant_type", grant), ("assertion", assertion.as_str())];
                TokenRequest::form(&account.token_uri, &fields, Some(assertion.clone()))
            }
            // RFC 6749 section 6.
            Self::User(user) => TokenRequest::form(
                &user.token_uri,
                &[
                    ("grant_type", "refresh_token"),
                    ("client_id", &user.client_id),
                    ("client_secret", &user.client_secret),
                    ("refresh_token", &user.refresh_token),
                ],
                None,
            ),
            // docs.cloud.google.com/compute/docs/access/authenticate-workloads.
            Self::Metadata { host } => {
                let scope = path_segment::encode(jwt::SCOPE);
                let path = format!("instance/service-accounts/default/token?scopes={scope}");
                TokenRequest::metadata(host, &path)
            }
        })
    }

    /// Returns the request for the project, if the metadata server knows it
    /// (docs.cloud.google.com/compute/docs/metadata/predefined-metadata-keys).
    pub(super) fn project_request(&self) -> Option<TokenRequest> {
        match self {
            Self::Metadata { host } => Some(TokenRequest::metadata(host, "project/project-id")),
            _ => None,
        }
    }
}

/// An access token.
#[derive(Clone)]
pub(super) struct Token {
    value: ApiKey,
    made: Instant,
    expires: Instant,
}

impl Token {
    /// Returns true if a rejection can mean that the token was revoked after it was made. Otherwise
    /// each rejected call would ask for another token, which would be rejected too.
    pub(super) fn may_be_revoked(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.made) >= REVOKED
    }

    /// Returns the value of the header `authorization`.
    pub(super) fn bearer(&self) -> ApiKey {
        ApiKey::from(format!("Bearer {}", self.value.expose()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Expires for Token {
    fn freshness(&self, now: Instant) -> Freshness {
        match self.expires.saturating_duration_since(now) {
            left if left <= LEAST => Freshness::Expired,
            left if left <= AHEAD => Freshness::Ageing,
            _ => Freshness::Fresh,
        }
    }
}

/// A project does not change.
impl Expires for Arc<str> {
    fn freshness(&self, _now: Instant) -> Freshness {
        Freshness::Fresh
    }
}

/// Reads the token in a response (RFC 6749 section 5.1).
pub(super) fn token(
    source: &Source,
    reply: &TokenReply,
    (now, time): (Instant, SystemTime),
) -> Result<Token, Error> {
    let body = object(&reply.body);
    if reply.status != 200 {
        return Err(refusal(source, reply, &body, time));
    }
    let token = body.get("access_token").and_then(Value::as_str).map(str::trim);
    let is_fit =
        |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(token) = token.filter(is_fit) else {
        return Err(Error::new(
            ErrorKind::Protocol,
            "the response has no access_token; is the address that of a token endpoint?",
        ));
    };
    // Some servers write the number as text (google-auth `_client.py`, `_parse_expiry`). A token
    // without a lifetime is used once.
    let seconds = body.get("expires_in").and_then(|seconds| match seconds {
        Value::String(text) => text.trim().parse().ok(),
        seconds => seconds.as_u64(),
    });
    let lifetime = Duration::from_secs(seconds.unwrap_or(0).min(24 * 3600));
    Ok(Token { value: token.into(), made: now, expires: now.checked_add(lifetime).unwrap_or(now) })
}

/// Reads the project in a response of the metadata server, which is plain text.
pub(super) fn project(reply: &TokenReply) -> Result<Arc<str>, Error> {
    let text = std::str::from_utf8(&reply.body).unwrap_or_default().trim();
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte);
    if reply.status != 200 || text.is_empty() || !text.bytes().all(is_fit) {
        return Err(Error::new(
            if reply.status >= 500 { ErrorKind::Server } else { ErrorKind::Configuration },
            format!(
                "the metadata server does not name the project (status {}); set \
                 GOOGLE_VERTEX_PROJECT, or call .project(…)",
                reply.status
            ),
        ));
    }
    Ok(text.into())
}

fn object(body: &[u8]) -> Map<String, Value> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// Classifies a response that refuses a token (RFC 6749 section 5.2), and says what to do.
fn refusal(
    source: &Source,
    reply: &TokenReply,
    body: &Map<String, Value>,
    time: SystemTime,
) -> Error {
    let word = body.get("error").and_then(Value::as_str).unwrap_or_default();
    let described = body.get("error_description").and_then(Value::as_str);
    // `google.rpc.Status` if a server in front of it answers.
    let described = described.or_else(|| body.get("error")?.get("message")?.as_str());
    let mut message = match (word, described) {
        ("", None) => format!("status {}", reply.status),
        ("", Some(text)) => text.to_owned(),
        (word, None) => word.to_owned(),
        (word, Some(text)) => format!("{word}: {text}"),
    };
    let (kind, advice) = advice(source, reply.status, word, described.unwrap_or_default());
    let skew = reply.date.and_then(|date| skew(date, time));
    match skew.filter(|_| word == "invalid_grant") {
        Some(skew) => {
            message = format!("{message}; this machine's clock is {skew}; set the clock");
        }
        None if !advice.is_empty() => {
            message = format!("{}; {advice}", message.trim_end_matches('.'));
        }
        None => {}
    }
    Error::new(kind, message).with_code(Some(word.to_owned()).filter(|word| !word.is_empty()))
}

/// Returns the kind of a refusal, and what to do.
fn advice(source: &Source, status: u16, word: &str, described: &str) -> (ErrorKind, &'static str) {
    use ErrorKind::{Authentication, RateLimited, Server};

    const LOGIN: &str = "run `gcloud auth application-default login` again";
    let text = described.to_ascii_lowercase();
    // The first three as google-auth (`_client.py`, `_can_retry`).
    match (source, word) {
        (_, "internal_failure" | "server_error" | "temporarily_unavailable") => (Server, ""),
        _ if status == 429 => (RateLimited, ""),
        _ if status == 408 || status >= 500 => (Server, ""),
        (Source::Metadata { .. }, _) if status == 404 => {
            (Authentication, "attach a service account to this machine")
        }
        (Source::Metadata { .. }, _) => (Authentication, ""),
        (Source::ServiceAccount(_), "invalid_grant") if text.contains("reasonable timeframe") => {
            (Authentication, "is this machine's clock right?")
        }
        (Source::ServiceAccount(_), "invalid_grant") if text.contains("signature") => {
            (Authentication, "the key was deleted or belongs to another account; create a new one")
        }
        (Source::ServiceAccount(_), "invalid_grant") => (
            Authentication,
            "does the service account still exist, and is it enabled? is this machine's clock right?",
        ),
        (Source::User(_), "invalid_grant" | "invalid_client" | "unauthorized_client") => {
            (Authentication, LOGIN)
        }
        (Source::ServiceAccount(_), _) => (Authentication, "create a new key"),
        (Source::User(_), _) => (Authentication, LOGIN),
    }
}

/// Describes how far this machine's clock is off, if by more than Google certainly tolerates, which
/// is a few minutes.
fn skew(server: SystemTime, here: SystemTime) -> Option<String> {
    const TOLERATED: Duration = Duration::from_secs(120);
    let (difference, word) = match here.duration_since(server) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let off = difference > TOLERATED;
    off.then(|| format!("{} minutes {word} the server's", difference.as_secs().div_ceil(60)))
}

/// Adds who was asked for a token, and keeps the kind of the error. Without any credentials, the
/// error says where they were looked for.
pub(super) fn explain(error: Error, source: &Source, looked_at: &[String]) -> Error {
    if error.is_cancelled() {
        return error;
    }
    let is_absent = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
    let (kind, message) = match source {
        Source::Metadata { host } if is_absent && !looked_at.is_empty() => (
            ErrorKind::Authentication,
            format!(
                "found no Google Cloud credentials: {}, and no metadata server answers at {host} \
                 ({}); run `gcloud auth application-default login`, set \
                 GOOGLE_APPLICATION_CREDENTIALS to a service account's file, or pass tokens to \
                 .credentials(…)",
                looked_at.join(", "),
                error.message()
            ),
        ),
        Source::Metadata { host } => (
            error.kind(),
            format!("the metadata server at {host} gave no token: {}", error.message()),
        ),
        Source::ServiceAccount(account) => (
            error.kind(),
            format!(
                "{} gave no token for the service account {}: {}",
                account.token_uri,
                account.email,
                error.message()
            ),
        ),
        Source::User(user) => (
            error.kind(),
            format!("{} gave no token for gcloud's login: {}", user.token_uri, error.message()),
        ),
    };
    let code = error.code().map(str::to_owned);
    let explained = Error::new(kind, message).with_code(code);
    match error.phase() {
        Some(phase) => explained.with_phase(phase).with_source(error),
        None => explained,
    }
}

#[cfg(test)]
mod tests;
