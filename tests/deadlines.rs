//! A call ends at its deadline: not after, and not before.

mod support;

use std::time::{Duration, Instant};
use support::{builder, loopback};
use tollgate::Phase;

#[test]
fn a_call_that_is_not_answered_ends_at_its_deadline() {
    let server = loopback();
    server.ignore_connections().unwrap();
    for timeout in [1000, 1500].map(Duration::from_millis) {
        let client = builder(&server, "openai").timeout(timeout).build().unwrap();
        let begun = Instant::now();
        let error = client.chat("hello").unwrap_err();
        let elapsed = begun.elapsed();
        assert!(error.is_timeout() && error.phase() == Some(Phase::FirstByte), "{error}");
        assert!(elapsed >= timeout, "{elapsed:?} of {timeout:?}");
        assert!(elapsed < timeout + Duration::from_secs(10), "{elapsed:?} of {timeout:?}");
    }
}
