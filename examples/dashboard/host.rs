use std::net::SocketAddr;

/// Whether a `Host` header names a server that listens at a loopback address: by that address,
/// or by another way to write it, and with its port.
///
/// A page from elsewhere can have its own name resolve to this machine (DNS rebinding), and
/// then reads what this server answers as if it came from itself. Only the name tells.
pub(crate) fn is_ours(host: &str, address: SocketAddr) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // The last colon is one of an IPv6 address.
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
