//! Checks if the head of a response allows its body to be read.

use super::{Failure, Reply, text};

/// The longest content coding to show. A longer one is not shortened but hidden: it could be a
/// secret, and only a complete secret is recognised.
const LONGEST: usize = 40;

/// Checks if a response with status 2xx can hold an answer.
///
/// # Errors
///
/// If it has no content (RFC 9110 section 15.3.5), or content in a coding, which cannot be read.
pub(crate) fn check(reply: Reply<'_>) -> Result<(), Failure> {
    if reply.status == 204 {
        return Err(Failure::protocol(
            "the server answered with status 204 (No Content); check the base URL",
        ));
    }
    check_coding(reply)
}

/// Checks if the body of a response can be read.
///
/// # Errors
///
/// If it has a coding that was not requested.
pub(crate) fn check_coding(reply: Reply<'_>) -> Result<(), Failure> {
    coding(reply).map_or(Ok(()), |coding| {
        Err(Failure::protocol(format!(
            "the response has the content-encoding {coding:?}, but the request accepts none \
             (accept-encoding: identity); turn it off in the server or proxy that adds it"
        )))
    })
}

/// Returns the coding of a body (RFC 9110 section 8.4). Some servers write a charset or `none`
/// there, which mean no coding.
pub(super) fn coding(reply: Reply<'_>) -> Option<String> {
    let codings = reply.values("content-encoding");
    let mut codings = codings.filter_map(text).flat_map(|value| value.split(','));
    let harmless = ["", "identity", "none", "utf-8"];
    let coding = codings.find(|coding| {
        !harmless.iter().any(|harmless| coding.trim().eq_ignore_ascii_case(harmless))
    })?;
    let coding = coding.trim();
    Some(if coding.len() <= LONGEST { coding } else { "something else" }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::wire::header_fields;

    #[test]
    fn codings_are_named_and_values_meaning_none_are_ignored() {
        for (values, expected) in [
            (&[][..], None),
            (&["identity"][..], None),
            (&[""][..], None),
            (&["UTF-8"][..], None),
            (&["none"][..], None),
            (&["gzip"][..], Some("gzip")),
            (&["identity, br"][..], Some("br")),
            (&["identity", " Zstd "][..], Some("Zstd")),
            (&["aes128gcm"][..], Some("aes128gcm")),
        ] {
            let headers: Vec<_> = values.iter().map(|value| ("content-encoding", *value)).collect();
            let headers = header_fields(&headers);
            let reply = Reply { status: 200, headers: &headers, body: b"", sent: None };
            assert_eq!(coding(reply).as_deref(), expected, "{values:?}");
            let outcome = check(reply);
            assert_eq!(outcome.is_err(), expected.is_some(), "{values:?}");
            if let (Err(failure), Some(coding)) = (outcome, expected) {
                assert_eq!(failure.kind, ErrorKind::Protocol);
                assert!(failure.message.contains(&format!("{coding:?}")), "{}", failure.message);
            }
        }
        let long = "x".repeat(1000);
        let headers = header_fields(&[("content-encoding", &long)]);
        let reply = Reply { status: 200, headers: &headers, body: b"", sent: None };
        assert_eq!(coding(reply).as_deref(), Some("something else"));
    }

    #[test]
    fn status_204_is_an_error() {
        let headers = header_fields(&[]);
        for status in [200, 201, 203, 206] {
            assert_eq!(check(Reply { status, headers: &headers, body: b"", sent: None }), Ok(()));
        }
        let failure =
            check(Reply { status: 204, headers: &headers, body: b"", sent: None }).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Protocol);
        assert!(failure.message.contains("204"), "{}", failure.message);
    }
}
