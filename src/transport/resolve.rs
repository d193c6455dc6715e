use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread;

use crossbeam_channel::{RecvTimeoutError, bounded};

use crate::config::is_loopback;
use crate::deadline::Deadline;

/// Why there are no addresses.
#[derive(Debug)]
pub(super) enum Unresolved {
    TimedOut,
    Failed(io::Error),
}

/// The addresses of a host.
///
/// An address in the place of a name needs no lookup. The system's lookup cannot
/// be interrupted, so under a deadline it runs in a thread of its own: one for
/// each connection that is opened, none for a call that reuses one.
pub(super) fn resolve(
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Unresolved> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = bare.to_owned();
    let look_up = move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
    let found: Vec<_> = match deadline.at() {
        None => look_up(),
        Some(at) => {
            let (sender, receiver) = bounded(1);
            thread::Builder::new()
                .name("tollgate-resolve".to_owned())
                .spawn(move || {
                    // Nobody listens any more once the deadline has passed.
                    let _ = sender.send(look_up());
                })
                .map_err(Unresolved::Failed)?;
            match receiver.recv_deadline(at) {
                Ok(found) => found,
                Err(RecvTimeoutError::Timeout) => return Err(Unresolved::TimedOut),
                Err(RecvTimeoutError::Disconnected) => {
                    Err(io::Error::other("the lookup ended without a result"))
                }
            }
        }
    }
    .map_err(Unresolved::Failed)?;
    // Plain http is allowed to these names, so they must not lead elsewhere.
    let found: Vec<_> = if is_loopback(bare) {
        found.into_iter().filter(|address| address.ip().is_loopback()).collect()
    } else {
        found
    };
    if found.is_empty() {
        return Err(Unresolved::Failed(io::Error::other("the name has no addresses")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn later() -> Deadline {
        Deadline::after(Instant::now(), Duration::from_secs(60))
    }

    #[test]
    fn addresses_need_no_lookup() {
        for (host, expected) in
            [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("[::1]", "[::1]:80")]
        {
            let passed = Deadline::after(Instant::now(), Duration::ZERO);
            let found = resolve(host, 80, passed).unwrap();
            assert_eq!(found, [expected.parse::<SocketAddr>().unwrap()]);
        }
    }

    #[test]
    fn localhost_is_found() {
        let found = resolve("localhost", 80, later()).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn a_name_that_cannot_exist_is_an_error() {
        // RFC 6761 section 6.4 reserves this top-level name.
        assert!(matches!(resolve("no-such-host.invalid", 80, later()), Err(Unresolved::Failed(_))));
    }
}
