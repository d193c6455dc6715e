//! Checks the headers of every request to a provider.

use crate::header::{HeaderList, HeaderValue, header_name};

/// Headers whose values are not secret.
const HARMLESS: &[&str] = &[
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "openai-beta",
    "user-agent",
    "x-vertex-ai-llm-request-type",
    "x-vertex-ai-llm-shared-request-type",
];

/// Whether a header may contain the key to a gateway: its name is not known to be harmless.
pub(super) fn may_be_secret(name: &str) -> bool {
    !HARMLESS.contains(&&*name.to_ascii_lowercase())
}

/// Adds a header, or says what is wrong with it.
pub(super) fn add(
    headers: &mut HeaderList,
    name: &str,
    value: &str,
    sensitive: bool,
    problems: &mut Vec<String>,
) {
    let Some(known) = header_name(name) else {
        problems.push(format!("{name:?} is not a valid header name; rename or remove the header"));
        return;
    };
    // These frame the message; the transport sets them.
    const OURS: &[&str] = &[
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let name = known;
    if OURS.contains(&name.as_str()) {
        problems.push(format!(
            "the header {name} cannot be set, because the transport sets it; remove it"
        ));
        return;
    }
    // White space around a value is not part of it (RFC 9110 section 5.5).
    match HeaderValue::new(value.trim()) {
        Some(value) => headers.set(name, value.secret(sensitive)),
        None => problems.push(format!(
            "the value of the header {name} contains a character that a header cannot carry; remove it"
        )),
    }
}
