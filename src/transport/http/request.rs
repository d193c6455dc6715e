//! Writes the head of a request.

use crate::decimal;

/// Writes the request line and the `host` (RFC 9112 section 3). They come from a parsed URL.
///
/// The client's header lines follow, and then [`end_head`].
pub(in crate::transport) fn start_head(out: &mut Vec<u8>, method: &str, target: &str, host: &[u8]) {
    // The target must not be empty (section 3.2.1).
    let slash = if target.starts_with('/') { "" } else { "/" };
    for part in [method, " ", slash, target, " HTTP/1.1\r\nhost: "] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(host);
    out.extend_from_slice(b"\r\n");
}

/// Writes one header.
pub(in crate::transport) fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Writes a header whose value is a number.
pub(in crate::transport) fn write_number(out: &mut Vec<u8>, name: &str, number: usize) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    decimal::write(u64::try_from(number).unwrap_or(u64::MAX), out);
    out.extend_from_slice(b"\r\n");
}

/// Ends a head. A request without a `length` has no body.
pub(in crate::transport) fn end_head(out: &mut Vec<u8>, length: Option<usize>) {
    if let Some(length) = length {
        write_number(out, "content-length", length);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, length: Option<usize>) -> String {
        let mut out = Vec::new();
        let method = if length.is_some() { "POST" } else { "GET" };
        start_head(&mut out, method, target, b"h.test:1");
        write_header(&mut out, "a", b"b");
        write_number(&mut out, "c", 5);
        end_head(&mut out, length);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_has_host_headers_and_length() {
        assert_eq!(
            head("/v1/x?y=z", Some(12)),
            "POST /v1/x?y=z HTTP/1.1\r\nhost: h.test:1\r\na: b\r\nc: 5\r\ncontent-length: 12\r\n\r\n"
        );
        assert_eq!(head("/", None), "GET / HTTP/1.1\r\nhost: h.test:1\r\na: b\r\nc: 5\r\n\r\n");
    }

    #[test]
    fn a_target_is_never_empty() {
        assert!(head("", None).starts_with("GET / HTTP/1.1\r\n"));
        assert!(head("?a", None).starts_with("GET /?a HTTP/1.1\r\n"));
    }

    #[test]
    fn any_length_is_written_in_decimal() {
        for length in [0, 1, 9, 10, 99, 100, 1_234_567, usize::MAX] {
            let expected = format!("content-length: {length}\r\n\r\n");
            assert!(head("/", Some(length)).ends_with(&expected), "{length}");
        }
    }
}
