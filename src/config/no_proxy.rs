//! `NO_PROXY`: the hosts that are reached without a proxy.

use std::net::IpAddr;

use crate::url::Url;

/// Whether one of `entries` covers the host of `base`.
///
/// No standard defines the variable. These are the rules of curl (`lib/proxy.c`,
/// `proxy_check_noproxy`) and Go (`golang.org/x/net/http/httpproxy`):
///
/// | entry | covers |
/// |---|---|
/// | `*` | every host |
/// | `example.com` | that host and its subdomains |
/// | `.example.com` | the same (curl; Go excludes the host itself) |
/// | `*.example.com` | only its subdomains (Go; curl has no such entry) |
/// | `10.1.2.3`, `::1`, `[::1]` | that address |
/// | `10.0.0.0/8`, `fd00::/8` | the addresses in that network; never a name |
/// | any of the above with `:8443` | only that port (Go); an IPv6 address needs brackets |
///
/// Case and a trailing dot do not matter. An entry of any other form covers nothing.
pub(super) fn covers(entries: &[String], base: &Url) -> bool {
    let port = base.effective_port();
    let host = base.host().to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    entries.iter().any(|entry| entry_covers(&entry.to_ascii_lowercase(), host, port))
}

fn entry_covers(entry: &str, host: &str, port: u16) -> bool {
    let (name, only_port) = split_port(entry);
    if only_port.is_some_and(|only| only.parse() != Ok(port)) {
        return false;
    }
    if name == "*" {
        return true;
    }
    match (address(host), name.split_once('/')) {
        (Some(host), Some((network, bits))) => {
            address(network).is_some_and(|network| is_within(host, network, bits))
        }
        (Some(host), None) => address(name) == Some(host),
        (None, Some(_)) => false,
        (None, None) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            // The part of the host before the entry's name.
            let before = |name: &str| Some(host.strip_suffix(name)?).filter(|_| !name.is_empty());
            match name.strip_prefix("*.") {
                Some(parent) => before(parent).is_some_and(|before| before.ends_with('.')),
                None => before(name.strip_prefix('.').unwrap_or(name))
                    .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            }
        }
    }
}

/// Splits an entry into host and port. An IPv6 address has colons of its own.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (entry, None),
    }
}

/// An IP address, with or without brackets. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2)
/// becomes the IPv4 address.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether both addresses share their first `bits` bits (RFC 4632 section 3.1).
fn is_within(address: IpAddr, network: IpAddr, bits: &str) -> bool {
    let Ok(bits) = bits.parse::<u32>() else { return false };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = u32::from(address) ^ u32::from(network);
            bits <= 32 && differing.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = u128::from(address) ^ u128::from(network);
            bits <= 128 && differing.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_covers_what_curl_and_go_document() {
        for (entry, url, expected) in [
            ("example.com", "https://example.com/v1", true),
            ("example.com", "https://api.example.com/v1", true),
            ("example.com", "https://notexample.com", false),
            ("example.com", "https://example.com.evil.test", false),
            ("EXAMPLE.com", "https://api.Example.COM", true),
            ("example.com.", "https://api.example.com", true),
            ("example.com", "https://example.com./v1", true),
            (".example.com", "https://api.example.com", true),
            (".example.com", "https://example.com", true),
            (".example.com", "https://notexample.com", false),
            ("*.example.com", "https://a.b.example.com", true),
            ("*.example.com", "https://example.com", false),
            ("*.example.com", "https://notexample.com", false),
            ("internal", "http://internal", true),
            ("example.com:443", "https://example.com", true),
            ("example.com:80", "http://example.com", true),
            ("example.com:8080", "https://example.com", false),
            (".example.com:8443", "https://a.example.com:8443", true),
            ("*.example.com:8443", "https://a.example.com", false),
            ("*", "https://anything.at.all", true),
            ("*", "http://[2001:db8::1]", true),
            ("*:8080", "http://a.b:8080", true),
            ("*:8080", "http://a.b", false),
            // Addresses.
            ("10.0.0.1", "http://10.0.0.1:8080", true),
            ("10.0.0.1:8080", "http://10.0.0.1:8080", true),
            ("10.0.0.1:8081", "http://10.0.0.1:8080", false),
            ("0.0.1", "http://10.0.0.1", false),
            (".1", "http://10.0.0.1", false),
            ("fe80::1", "http://[fe80::1]:8080", true),
            ("FE80:0::1", "http://[fe80::1]:8080", true),
            ("[fe80::1]", "http://[fe80::1]:8080", true),
            ("[fe80::1]:8080", "http://[fe80::1]:8080", true),
            ("[fe80::1]:81", "http://[fe80::1]:8080", false),
            ("fe80::1", "http://[fe80::2]", false),
            ("10.0.0.1", "http://[::ffff:10.0.0.1]", true),
            // Networks.
            ("10.0.0.0/8", "http://10.200.3.4:8080", true),
            ("10.0.0.0/8", "http://11.0.0.1", false),
            ("10.9.9.9/8", "http://10.1.1.1", true),
            ("192.168.16.0/20", "http://192.168.31.255", true),
            ("192.168.16.0/20", "http://192.168.32.0", false),
            ("10.1.2.3/32", "http://10.1.2.3", true),
            ("10.1.2.3/32", "http://10.1.2.4", false),
            ("0.0.0.0/0", "http://203.0.113.9", true),
            ("0.0.0.0/0", "http://[2001:db8::1]", false),
            ("fd00::/8", "https://[fd12:3456::1]/v1", true),
            ("[fd00::]/8", "https://[fd12:3456::1]/v1", true),
            ("fd00::/8", "https://[fe80::1]", false),
            ("2001:db8::/32", "https://[2001:db8:ffff::1]", true),
            ("::/0", "https://[2001:db8::1]", true),
            ("10.0.0.0/8", "http://[::ffff:10.2.3.4]", true),
            // A network entry matches addresses, not names; this code resolves nothing.
            ("10.0.0.0/8", "http://example.com", false),
            // Entries of no valid form cover nothing.
            ("10.0.0.0/33", "http://10.0.0.0", false),
            ("fd00::/129", "http://[fd00::]", false),
            ("10.0.0.0/x", "http://10.0.0.0", false),
            ("10.0.0.0/-1", "http://10.0.0.0", false),
            ("10.0.0.0/", "http://10.0.0.0", false),
            (".", "https://example.com", false),
            ("*.", "https://example.com", false),
            ("", "https://example.com", false),
            (":443", "https://example.com", false),
            ("example.com:", "https://example.com", false),
            ("example.com:https", "https://example.com", false),
        ] {
            let entries = ["other.test".to_owned(), entry.to_owned()];
            assert_eq!(covers(&entries, &url.parse().unwrap()), expected, "{entry} {url}");
        }
        assert!(!covers(&[], &"https://example.com".parse().unwrap()));
    }
}
