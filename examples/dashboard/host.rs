use std::net::SocketAddr;

/// Whether a `Host` header names this server: its loopback address, or another way to write it,
/// with its port.
///
/// A web page from elsewhere can make its own host name resolve to this machine (DNS rebinding)
/// and then read this server's answers as its own. The `Host` header is the only difference.
pub(crate) fn is_ours(host: &str, address: SocketAddr) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // The last colon is part of an IPv6 address.
        Some((_, rest)) if rest.ends_with(']') => (host, "80"),
        Some((name, port)) => (name, port),
        None => (host, "80"),
    };
    let own = match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    let names = ["localhost", "127.0.0.1", "[::1]", &own];
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
        && digits
        && port.parse() == Ok(address.port())
}
