//! The key of a request: equal for requests that get the same answer.
//!
//! The key is the fingerprint of the method, the provider, the address, the betas and the encoded
//! body. It reads the bytes that are sent, so a new member of a request is always part of it.

use serde_json::Value;

use super::rules::Rules;
#[cfg(feature = "testing")]
use super::rules::hide;
use crate::fingerprint::Fingerprint;
#[cfg(feature = "testing")]
use crate::key::Secrets;
use crate::url::Url;

/// A request, as it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) provider: &'a str,
    /// The model, for the name of the file only: the body or the address contains it.
    pub(crate) model: &'a str,
    pub(crate) method: &'static str,
    pub(crate) url: &'a Url,
    /// The value of `anthropic-beta`, the only header that changes answers and is not a constant.
    pub(crate) betas: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// A request after the rules, with its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    /// A recording also contains its request, so two requests with one key are noticed.
    pub(crate) key: Fingerprint,
    pub(crate) provider: String,
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) betas: Option<String>,
    /// `Null` for a request without a body.
    pub(crate) body: Value,
}

impl Identity {
    pub(crate) fn of(request: &Request<'_>, rules: &Rules) -> Self {
        // A new field that changes answers must be hashed below.
        let Request { provider, model: _, method, url, betas, body } = *request;
        let url = rules.url(url).into_owned();
        let mut parsed = match serde_json::from_slice(body) {
            Ok(parsed) => parsed,
            Err(_) if body.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(body).into_owned()),
        };
        // The order of the members counts: models follow that of a schema's properties.
        let changed = rules.apply(&mut parsed).then(|| parsed.to_string());
        let body = changed.as_ref().map_or(body, String::as_bytes);
        let key = hash(request, &url, body);
        let betas = betas.map(str::to_owned);
        Self { key, provider: provider.to_owned(), method, url, betas, body: parsed }
    }

    /// What was asked, wherever it was sent. The texts in `secrets` are hidden first, as they are in
    /// recordings.
    #[cfg(feature = "testing")]
    pub(super) fn question(&self, secrets: &Secrets) -> Fingerprint {
        let mut url = self.url.clone();
        secrets.hide_in(&mut url);
        let mut body = self.body.clone();
        hide(&mut body, secrets);
        question(self.method, &url, self.betas.as_deref(), &body)
    }
}

/// The fingerprint of a request without its provider, scheme, host and port.
#[cfg(feature = "testing")]
pub(super) fn question(method: &str, url: &str, betas: Option<&str>, body: &Value) -> Fingerprint {
    let (_, below) = url.split_once("://").unwrap_or(("", url));
    let target = below.find('/').map_or("", |start| &below[start..]);
    let body = body.to_string();
    let parts = [method, target, betas.unwrap_or_default(), &body];
    Fingerprint::of_parts(parts.map(str::as_bytes))
}

/// The key of a request alone. Without rules of the program, the body is not parsed.
pub(crate) fn key(request: &Request<'_>, rules: &Rules) -> Fingerprint {
    match rules.is_empty() {
        true => hash(request, &rules.url(request.url), request.body),
        false => Identity::of(request, rules).key,
    }
}

/// Hashes a request with the address and the body that the rules leave of it.
fn hash(request: &Request<'_>, url: &str, body: &[u8]) -> Fingerprint {
    let Request { provider, method, betas, .. } = *request;
    let head = [method, provider, url, betas.unwrap_or_default()].map(str::as_bytes);
    Fingerprint::of_parts(head.into_iter().chain([body]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://api.openai.com/v1/chat/completions";

    fn key(request: &Request<'_>) -> Fingerprint {
        Identity::of(request, &Rules::default()).key
    }

    #[test]
    fn a_request_has_the_same_key_in_every_process() {
        let url = URL.parse().unwrap();
        let body = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
        let request = Request {
            provider: "openai",
            model: "gpt-4o-mini",
            method: "POST",
            url: &url,
            betas: None,
            body,
        };
        // Computed by another program; a change of this key loses every recording.
        assert_eq!(format!("{:?}", key(&request)), "8f41ccd1c3e9c8bd3802757563fa2048");
    }

    #[test]
    fn every_part_of_a_request_is_in_its_key_except_for_the_label() {
        let (url, other) = (URL.parse().unwrap(), "https://a.b/v1/chat/completions");
        let (other, query) = (other.parse().unwrap(), format!("{URL}?a=1").parse().unwrap());
        let request = Request {
            provider: "openai",
            model: "m",
            method: "POST",
            url: &url,
            betas: None,
            body: br#"{"a":1,"b":[2]}"#,
        };
        let of = key(&request);
        for changed in [
            Request { provider: "groq", ..request },
            Request { method: "GET", ..request },
            Request { url: &other, ..request },
            Request { url: &query, ..request },
            Request { betas: Some("x"), ..request },
            Request { body: b"", ..request },
            Request { body: br#"{"a":1,"b":[3]}"#, ..request },
            Request { body: br#"{"b":[2],"a":1}"#, ..request },
            Request { body: br#"{"a":1,"b":[2],"c":null}"#, ..request },
        ] {
            assert_ne!(key(&changed), of, "{changed:?}");
        }
        assert_eq!(key(&Request { model: "label", ..request }), of);
        assert_eq!(super::key(&request, &Rules::default()), of, "also if it is computed alone");
    }
}
