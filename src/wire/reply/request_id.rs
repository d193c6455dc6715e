//! The provider's id of a request.

use serde_json::Value;

use super::purpose::Purpose;
use super::{Reply, text};
use crate::key::Secrets;
use crate::scan::plain_blocks;
use crate::wire::json;

/// The longest request id to keep, in bytes.
const MAX_REQUEST_ID: usize = 200;

/// The header names of Anthropic, OpenAI, Azure (two) and LiteLLM, in order of precedence.
pub(super) const NAMES: &[&str] =
    &["request-id", "x-request-id", "apim-request-id", "x-ms-request-id", "x-litellm-call-id"];

/// Other vendors' header names: Mistral, DeepSeek, OpenRouter, Moonshot, SiliconFlow, NVIDIA,
/// Cohere, AWS, and Cloudflare's, which Cerebras and Venice ask for in support cases. Each was seen
/// in a response or on the vendor's page about errors.
pub(super) const OTHERS: &[&str] = &[
    "mistral-correlation-id",
    "x-ds-trace-id",
    "x-generation-id",
    "msh-request-id",
    "x-siliconcloud-trace-id",
    "nvcf-reqid",
    "x-debug-trace-id",
    "inference-id",
    "x-amzn-requestid",
    "cf-ray",
];

/// Returns the place of a header's name in the order of precedence; `None` if it is no id.
pub(super) fn place(name: &[u8]) -> Option<usize> {
    let is_it = |known: &&str| known.as_bytes() == name;
    may_be_id(name).then(|| NAMES.iter().chain(OTHERS).position(is_it)).flatten()
}

/// Returns the name at a place in the order of precedence.
pub(super) fn name(place: usize) -> &'static str {
    NAMES.iter().chain(OTHERS).nth(place).copied().unwrap_or_default()
}

/// Returns false for most names that are not in [`NAMES`] or [`OTHERS`].
fn may_be_id(name: &[u8]) -> bool {
    name.ends_with(b"id") || name == b"cf-ray"
}

/// Reads the id of the request: `request-id` (Anthropic; gateways in front of it add their own
/// `x-request-id`), `x-request-id` (OpenAI), `apim-request-id` and `x-ms-request-id` (Azure),
/// `x-litellm-call-id` (LiteLLM's proxy), and those in [`OTHERS`]. Anthropic's errors repeat it in
/// their body, in case a gateway removed the header.
///
/// Secrets in it are hidden; it is the only text taken from an answer's headers.
pub(crate) fn request_id(reply: Reply<'_>, secrets: &Secrets) -> Option<String> {
    let mut id = unhidden_request_id(reply)?;
    secrets.hide_in(&mut id);
    Some(id)
}

fn unhidden_request_id(reply: Reply<'_>) -> Option<String> {
    let ids = reply.headers.iter().filter_map(|field| match field.purpose {
        Purpose::RequestId(place) => Some((place, field.value.trim_ascii())),
        _ => None,
    });
    // Of equals, the first.
    let id = ids.filter(|(_, id)| fits(id)).min_by_key(|(place, _)| *place);
    if id.is_some() || reply.status < 400 {
        return id.and_then(|(_, id)| text(id)).map(str::to_owned);
    }
    let body = json::detail(reply.body)?;
    let id = body.get("request_id").and_then(Value::as_str);
    id.filter(|id| fits(id.as_bytes())).map(str::to_owned)
}

/// Returns true for a short text of printable ASCII characters.
fn fits(id: &[u8]) -> bool {
    let is_odd = |byte: u8| !byte.is_ascii_graphic();
    let rest = &id[plain_blocks::<8>(id, is_odd)..];
    (1..=MAX_REQUEST_ID).contains(&id.len()) && !rest.iter().any(|byte| is_odd(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HeaderFields, header_fields};

    #[test]
    fn every_known_name_passes_the_quick_check() {
        assert!(NAMES.iter().chain(OTHERS).all(|name| may_be_id(name.as_bytes())));
    }

    #[test]
    fn request_ids_must_be_short_and_printable() {
        let id = |headers: &[(&str, &str)]| {
            unhidden_request_id(Reply {
                status: 429,
                headers: &header_fields(headers),
                body: b"",
                sent: None,
            })
        };
        let long = "x".repeat(MAX_REQUEST_ID + 1);
        for (headers, expected) in [
            (&[("x-request-id", "a-1"), ("request-id", "req_011Ce")][..], Some("req_011Ce")),
            (&[("apim-request-id", "b"), ("x-request-id", "a-1")], Some("a-1")),
            (&[("request-id", " req_011Ce ")], Some("req_011Ce")),
            (&[("apim-request-id", "b")], Some("b")),
            (&[("x-ms-request-id", "c")], Some("c")),
            (&[("x-litellm-call-id", "d-2")], Some("d-2")),
            (&[("mistral-correlation-id", "e"), ("cf-ray", "f")], Some("e")),
            (&[("x-ds-trace-id", "e")], Some("e")),
            (&[("x-generation-id", "gen-1")], Some("gen-1")),
            (&[("cf-ray", "f")], Some("f")),
            (&[("x-request-id", "a-1"), ("cf-ray", "f")], Some("a-1")),
            (&[("x-request-id", &long), ("request-id", "d")], Some("d")),
            (&[("x-request-id", "")], None),
            (&[("x-request-id", "a b")], None),
            (&[("x-request-id", "ü")], None),
            (&[], None),
        ] {
            assert_eq!(id(headers).as_deref(), expected, "{headers:?}");
        }
        let headers = header_fields(&[("x-request-id", "a b")]);
        for (status, body, expected) in [
            (429, r#"{"type": "error", "request_id": "req_1"}"#, Some("req_1")),
            (429, r#"{"request_id": "req\n1"}"#, None),
            (429, "<html>", None),
            (200, r#"{"request_id": "req_1"}"#, None),
        ] {
            let reply = Reply { status, headers: &headers, body: body.as_bytes(), sent: None };
            assert_eq!(unhidden_request_id(reply).as_deref(), expected, "{status} {body}");
        }
    }

    #[test]
    fn secrets_in_request_ids_are_hidden_under_every_status() {
        let secrets = Secrets::new([("x-api-key", "sk-12345678")]);
        let headers = header_fields(&[("x-request-id", "a-sk-12345678")]);
        for (status, headers, body) in [
            (200, &headers, ""),
            (500, &headers, ""),
            (429, &HeaderFields::default(), r#"{"request_id": "a-sk\u002d12345678"}"#),
        ] {
            let reply = Reply { status, headers, body: body.as_bytes(), sent: None };
            assert_eq!(request_id(reply, &secrets).as_deref(), Some("a-[key]"), "{status}");
        }
    }
}
