//! AWS Signature Version 4: the `Authorization` of a request. Pure.
//!
//! The steps are those of AWS's page "Create a signed AWS API request"
//! (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html): a canonical
//! request, a text to sign with the hash of it, a key derived from the secret key, and an HMAC of
//! the text.

use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use std::fmt::Write;

use crate::path_segment;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request, as far as a signature covers it.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// As it is sent.
    pub(super) path: &'a str,
    /// As it is sent, without the question mark.
    pub(super) query: &'a str,
    /// The headers to sign, `host` and `x-amz-date` among them.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// What a signature is valid for.
pub(super) struct Scope<'a> {
    /// The time of the request, such as `20150830T123600Z`: the value of `x-amz-date`.
    pub(super) time: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    fn day(&self) -> &str {
        self.time.get(..8).unwrap_or(self.time)
    }
}

/// Returns the value of the header `Authorization`.
pub(super) fn authorization(
    request: &Request<'_>,
    scope: &Scope<'_>,
    access_key_id: &str,
    secret_key: &str,
) -> String {
    let (names, canonical) = canonical(request);
    let (day, region, service) = (scope.day(), scope.region, scope.service);
    let place = format!("{day}/{region}/{service}/aws4_request");
    let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{}\n{place}\n{hash}", scope.time);
    let mut key = sign(format!("AWS4{secret_key}").as_bytes(), day);
    for step in [region, service, "aws4_request"] {
        key = sign(key.as_ref(), step);
    }
    let signature = hex(sign(key.as_ref(), &text).as_ref());
    format!(
        "{ALGORITHM} Credential={access_key_id}/{place}, SignedHeaders={names}, Signature={signature}"
    )
}

/// Returns the names of the signed headers, and the canonical request.
fn canonical(request: &Request<'_>) -> (String, String) {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in request.headers {
        let name = name.to_ascii_lowercase();
        let words: Vec<_> = value.split_ascii_whitespace().collect();
        let value = words.join(" ");
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push(',');
                known.push_str(&value);
            }
            None => headers.push((name, value)),
        }
    }
    headers.sort();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names: Vec<_> = headers.into_iter().map(|(name, _)| name).collect();
    let names = names.join(";");
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        request.method,
        path(request.path),
        query(request.query),
        hex(digest(&SHA256, request.body).as_ref()),
    );
    (names, canonical)
}

/// Encodes every segment of the sent path once more, after removing empty and dot segments. So a
/// colon, sent as `%3A`, is signed as `%253A`; only S3 differs.
fn path(sent: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in sent.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut path: String =
        segments.iter().map(|segment| format!("/{}", path_segment::encode(segment))).collect();
    if path.is_empty() || sent.ends_with('/') {
        path.push('/');
    }
    path
}

/// Sorts the parameters by name and value, and encodes what is not encoded yet.
fn query(sent: &str) -> String {
    let encoded = |text: &str| {
        let pieces: Vec<_> = text.split('%').map(path_segment::encode).collect();
        pieces.join("%")
    };
    let parameters = sent.split('&').filter(|parameter| !parameter.is_empty());
    let mut parameters: Vec<_> = parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    parameters.sort();
    let parameters: Vec<_> =
        parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    parameters.join("&")
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests;
