//! Responses with status 3xx. Redirects are reported and never followed.

use crate::wire::{Failure, Reply};

/// Returns the failure for a response with status 3xx (RFC 9110 section 15.4). For a redirect it
/// names only the target's scheme and host, because the rest can hold secrets.
///
/// Redirects are not followed: the key must not travel to another host, and a body that is sent
/// twice can be billed twice.
pub(in crate::wire) fn redirect(reply: Reply<'_>) -> Failure {
    Failure::protocol(match reply.status {
        301..=303 | 307 | 308 => return redirected(reply),
        300 => "the server answered with status 300 (Multiple Choices), which offers several \
                URLs; set the base URL to one of them"
            .to_owned(),
        304 => "the server answered with status 304 (Not Modified), but the request set no \
                condition; check the caches and proxies in between"
            .to_owned(),
        305 => "the server answered with status 305 (Use Proxy), which is obsolete and ignored; \
                if a proxy is needed, set it with ClientBuilder::proxy"
            .to_owned(),
        status => {
            format!("the server answered with the unexpected status {status}; check the base URL")
        }
    })
}

fn redirected(reply: Reply<'_>) -> Failure {
    let advice = match reply.header("location").and_then(origin) {
        Some(origin) => format!("redirects to {origin}; set the base URL to it"),
        None => "redirects to another path or to no URL; check the base URL".to_owned(),
    };
    Failure::protocol(format!(
        "the server {advice}, because redirects are not followed: the key must not travel to \
         another host"
    ))
}

/// Returns `https://host:port` for an absolute URL and `host:port` for one without a scheme; `None`
/// for a path or an invalid URL.
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
    use crate::wire::header_fields;

    fn failure(status: u16, location: Option<&str>) -> Failure {
        let headers: Vec<_> = location.map(|value| ("location", value)).into_iter().collect();
        let headers = header_fields(&headers);
        redirect(Reply { status, headers: &headers, body: b"secret", sent: None })
    }

    #[test]
    fn other_3xx_statuses_are_not_called_redirects() {
        for (status, expected) in [
            (300, "several URLs"),
            (304, "(Not Modified)"),
            (305, "(Use Proxy)"),
            (306, "unexpected status 306"),
            (309, "unexpected status 309"),
            (399, "unexpected status 399"),
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
    fn only_the_host_of_the_target_is_shown() {
        for (location, expected) in [
            (Some("https://api.example.com/v1/x?key=secret#secret"), "to https://api.example.com;"),
            (Some("http://[::1]:8080"), "to http://[::1]:8080;"),
            (Some("https://secret:secret@host.example/"), "to https://host.example;"),
            (Some("//cdn.example/secret"), "to cdn.example;"),
            (Some("/secret"), "to another path or to no URL"),
            (Some("/login?next=https://secret/"), "to another path or to no URL"),
            (Some("https://"), "to another path or to no URL"),
            (Some("javascript://secret"), "to another path or to no URL"),
            (Some("https://bad host secret/"), "to another path or to no URL"),
            (None, "to another path or to no URL"),
        ] {
            let failure = failure(308, location);
            assert_eq!((failure.kind, failure.code), (ErrorKind::Protocol, None));
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert!(failure.message.contains("base URL"));
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }
}
