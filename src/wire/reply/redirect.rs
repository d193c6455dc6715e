//! Responses of status 3xx: redirects, which are reported and never followed, and others.

use crate::wire::{Failure, Reply};

/// The failure for a response of status 3xx (RFC 9110 section 15.4). For a redirect it
/// names the target by scheme and host only, since the rest may hold secrets.
///
/// Redirects are not followed: the key must not travel to another host, and a
/// body sent twice may be billed twice.
pub(in crate::wire) fn redirect(reply: Reply<'_>) -> Failure {
    Failure::protocol(match reply.status {
        301..=303 | 307 | 308 => return points_elsewhere(reply),
        300 => "the server answered with status 300 (Multiple Choices): it offers several \
                addresses; set the base URL to one of them"
            .to_owned(),
        304 => "the server answered with status 304 (Not Modified), although the request set no \
                condition; a cache in between may be at fault"
            .to_owned(),
        305 => "the server answered with status 305 (Use Proxy), which is obsolete and ignored; \
                if a proxy is needed, set it with ClientBuilder::proxy"
            .to_owned(),
        status => format!("the server answered with status {status}, which has no meaning here"),
    })
}

fn points_elsewhere(reply: Reply<'_>) -> Failure {
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

    fn failure(status: u16, location: Option<&str>) -> Failure {
        let headers: Vec<_> = location.map(|value| ("location", value)).into_iter().collect();
        let headers = header_map(&headers);
        redirect(Reply { status, headers: &headers, body: b"secret", sent: None })
    }

    #[test]
    fn other_statuses_are_not_called_redirects() {
        for (status, expected) in [
            (300, "several addresses"),
            (304, "(Not Modified)"),
            (305, "(Use Proxy)"),
            (306, "status 306, which has no meaning"),
            (309, "status 309, which has no meaning"),
            (399, "status 399, which has no meaning"),
        ] {
            let failure = failure(status, Some("https://elsewhere.example/secret"));
            assert_eq!((failure.kind, failure.code), (ErrorKind::Protocol, None));
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert!(failure.message.contains(&status.to_string()), "{}", failure.message);
            for word in ["points", "redirect", "secret"] {
                assert!(!failure.message.contains(word), "{}", failure.message);
            }
        }
    }

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
            let failure = failure(308, location);
            assert_eq!((failure.kind, failure.code), (ErrorKind::Protocol, None));
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert!(failure.message.contains("base URL"));
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }
}
