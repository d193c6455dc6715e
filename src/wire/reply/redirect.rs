//! Redirects, which are reported and never followed.

use crate::wire::{Failure, Reply};

/// The failure for a response of status 3xx. It names the place the server
/// points to, by scheme and host only, for the rest may hold secrets.
///
/// Redirects are not followed: the key must not travel to another host, and a
/// body sent twice may be billed twice.
pub(in crate::wire) fn redirect(reply: Reply<'_>) -> Failure {
    let advice = match reply.header("location").and_then(origin) {
        Some(origin) => format!("points to {origin}; set the base URL to it"),
        None => "points elsewhere on the same server or nowhere; check the base URL".to_owned(),
    };
    Failure::protocol(format!(
        "the server {advice}, since redirects are not followed: the key must not travel to \
         another host"
    ))
}

/// `https://host:port` of an absolute address, `host:port` of one without a
/// scheme, none of a path or of something that is no address.
fn origin(location: &str) -> Option<String> {
    let (scheme, rest) = location.trim().split_once("//")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let clean = !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    match scheme.to_ascii_lowercase().as_str() {
        _ if !clean => None,
        "" => Some(host.to_owned()),
        "http:" => Some(format!("http://{host}")),
        "https:" => Some(format!("https://{host}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::wire::header_map;

    #[test]
    fn the_target_is_named_by_its_host_only() {
        for (location, expected) in [
            (Some("https://api.example.com/v1/x?key=secret#secret"), "to https://api.example.com;"),
            (Some("http://[::1]:8080"), "to http://[::1]:8080;"),
            (Some("https://secret:secret@host.example/"), "to https://host.example;"),
            (Some("//cdn.example/secret"), "to cdn.example;"),
            (Some("/secret"), "elsewhere on the same server"),
            (Some("/login?next=https://secret/"), "elsewhere on the same server"),
            (Some("https://"), "nowhere"),
            (Some("javascript://secret"), "nowhere"),
            (Some("https://bad host secret/"), "nowhere"),
            (None, "nowhere"),
        ] {
            let headers: Vec<_> = location.map(|value| ("location", value)).into_iter().collect();
            let headers = header_map(&headers);
            let failure = redirect(Reply { status: 308, headers: &headers, body: b"secret" });
            assert_eq!((failure.kind, failure.code), (ErrorKind::Protocol, None));
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert!(failure.message.contains("base URL"));
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }
}
