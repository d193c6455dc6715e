//! Calls through haproxy that refuses, delays or drops requests, or has no server behind it.
//!
//! The program is named by `TOLLGATE_HAPROXY`; without it these tests say that they
//! skip. The directives are those of haproxy's configuration manual, sections 4.2
//! (`http-request`, `tcp-request connection`) and 9.3 of its management guide
//! (`show stat`).
#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use support::front::{
    Fails, Failure, Front, Impatient, assert_failed, assert_gave_up, assert_recovers,
    assert_requests, behind, call, call_with, nobody,
};
use support::listener::PATIENCE;
use support::{loopback, quick_retries};
use tollgate::testing::{Loopback, Reply};
use tollgate::{CancelToken, ErrorKind, GiveUp, PoolConfig, RetryConfig};

/// Long, so that the behaviour under test ends the call first.
const LONG: Duration = Duration::from_secs(600);

/// How long a test waits for a silent server.
const SHORT: Duration = Duration::from_secs(1);

const TARPIT: Failure = Failure::status(
    ErrorKind::Server,
    500,
    "500 Internal Server Error An internal server error occurred.",
);
const TOO_MANY: Failure = Failure::status(ErrorKind::RateLimited, 429, "429 Too Many Requests");
const BAD_GATEWAY: Failure = Failure::status(
    ErrorKind::Server,
    502,
    "502 Bad Gateway The server returned an invalid or incomplete response.",
);
const NO_SERVER: Failure = Failure::status(
    ErrorKind::Overloaded,
    503,
    "503 Service Unavailable No server is available to handle this request.",
);
const GATEWAY_TIMEOUT: Failure = Failure::status(
    ErrorKind::Server,
    504,
    "504 Gateway Time-out The server didn't respond in time.",
);

/// A haproxy in front of a provider of its own.
struct Haproxy {
    front: Front,
    server: Loopback,
}

impl Haproxy {
    /// Starts one that follows `rule`, in which `if faulty` matches the attempts that must fail.
    fn start(rule: &str) -> Option<Self> {
        let Ok(program) = std::env::var("TOLLGATE_HAPROXY") else {
            eprintln!("skipped: TOLLGATE_HAPROXY does not name haproxy");
            return None;
        };
        let server = loopback();
        server.on(|request| request.header("x-reply") == Some("hang"), Reply::hang());
        server.on(|request| request.header("x-reply") == Some("reset"), Reply::reset());
        let (provider, nobody) = (server.address(), nobody(&server));
        let rule = rule.replace("if faulty", "if always or once first");
        let mut command = Command::new(program);
        command.args(["-db", "-f", "haproxy.cfg"]);
        // No `retries` of haproxy's own: it waits for a second before one to the same
        // server. A server that is `disabled` counts as down.
        let front = Front::start(&mut command, "haproxy.cfg", |_| {
            format!(
                "global
                   nbthread 1
                   stats socket unix@stats.sock
                 defaults
                   mode http
                   retries 0
                   timeout connect 1h
                   timeout client 1h
                   timeout server 1h
                   timeout tarpit 50ms
                 frontend front
                   bind fd@0
                   acl always req.hdr(idempotency-key) always
                   acl once req.hdr(idempotency-key) once
                   acl first req.hdr(x-stainless-retry-count) 0
                   {rule}
                   default_backend provider
                 backend provider
                   server provider {provider}
                 backend hanging
                   timeout server 100ms
                   http-request set-header x-reply hang
                   server provider {provider}
                 backend resetting
                   http-request set-header x-reply reset
                   server provider {provider}
                 backend down
                   server provider {provider} disabled
                 backend refusing
                   server nobody {nobody}
                 backend silent
                   timeout tarpit 1h
                   http-request tarpit
                 backend connections
                   stick-table type integer size 1 store gpc0\n"
            )
        });
        let front = front.wait_until(|front| stat(front, "status").is_some());
        Some(Self { front, server })
    }

    fn number(&self, column: &str) -> u64 {
        let number = stat(&self.front, column).expect("haproxy answers");
        number.parse().expect("a number")
    }

    /// Waits until haproxy has read a request.
    fn wait_for_request(&self) {
        self.wait(|| self.number("req_tot") > 0);
    }

    fn wait(&self, done: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "haproxy does not come to it");
            thread::yield_now();
        }
    }
}

/// What `show stat` tells of the frontend in this column; `None` while haproxy is still
/// starting.
fn stat(front: &Front, column: &str) -> Option<String> {
    let mut socket = UnixStream::connect(front.folder().join("stats.sock")).ok()?;
    let mut table = String::new();
    // Type 1: frontends; server -1: any.
    socket.write_all(b"show stat front 1 -1\n").ok()?;
    socket.read_to_string(&mut table).ok()?;
    let mut lines = table.trim_start_matches("# ").lines();
    let (names, values) = (lines.next()?.split(','), lines.next()?.split(','));
    let (_, value) = names.zip(values).find(|(name, _)| *name == column)?;
    Some(value.to_owned())
}

/// Makes calls fail by `rule` and recover. `per_failure` is how often a failing attempt reaches the
/// provider.
fn recovers(rule: &str, failures: &[Failure], per_failure: u64) {
    let Some(haproxy) = Haproxy::start(rule) else { return };
    let client = behind(&haproxy.front).sleeper(Impatient).build().unwrap();
    assert_recovers(&client, failures);
    assert_requests(&haproxy.server, 2 + 3 * per_failure);
}

#[test]
fn a_rejected_request_is_a_connection_error() {
    recovers("http-request reject if faulty", &[Failure::NO_ANSWER], 0);
}

#[test]
fn a_rejected_connection_is_retried() {
    recovers(
        "tcp-request connection track-sc0 int(1) table connections
         tcp-request connection reject if { sc0_inc_gpc0 le 3 }",
        // The end may come before the system calls the connection made.
        &[Failure::NO_ANSWER, Failure::NO_CONNECTION],
        0,
    );
}

#[test]
fn a_tarpit_ends_in_a_server_error() {
    recovers("http-request tarpit if faulty", &[TARPIT], 0);
}

#[test]
fn a_denied_request_is_a_rate_limit() {
    recovers("http-request deny deny_status 429 if faulty", &[TOO_MANY], 0);
}

#[test]
fn a_denied_request_is_retried_after_the_requested_wait() {
    let rule = "http-request return status 429 content-type text/plain string \"429 Too Many \
                Requests\" hdr retry-after 2 if faulty";
    recovers(rule, &[TOO_MANY.asking_for(Duration::from_secs(2))], 0);
}

#[test]
fn no_server_at_all_is_an_overload() {
    recovers("use_backend down if faulty", &[NO_SERVER], 0);
}

#[test]
fn a_server_that_refuses_connections_is_an_overload() {
    recovers("use_backend refusing if faulty", &[NO_SERVER], 0);
}

#[test]
fn a_server_that_hangs_is_a_gateway_timeout() {
    recovers("use_backend hanging if faulty", &[GATEWAY_TIMEOUT], 1);
}

/// If the client's connection has served a request before, haproxy treats a broken connection to
/// the server as a closed idle one. It closes the client's connection without an answer and expects
/// the client to send the request again (`src/http_ana.c`, `abort_keep_alive`).
#[test]
fn a_server_that_breaks_the_connection_is_a_bad_gateway() {
    const RULE: &str = "use_backend resetting if faulty";
    let Some(haproxy) = Haproxy::start(RULE) else { return };
    let client = behind(&haproxy.front).build().unwrap();
    assert_recovers(&client, &[BAD_GATEWAY]);
    // The second attempt of the first call and the first of the second, on a connection
    // that was used before, were both sent twice.
    assert_requests(&haproxy.server, 2 + 3 + 2);

    let Some(haproxy) = Haproxy::start(RULE) else { return };
    let once = PoolConfig { retry_stale: false, ..PoolConfig::default() };
    let client = behind(&haproxy.front).pool(once).build().unwrap();
    assert_recovers(&client, &[BAD_GATEWAY, Failure::NO_ANSWER]);
    assert_requests(&haproxy.server, 2 + 3);
}

#[test]
fn an_ambiguous_failure_is_not_retried_if_that_is_turned_off() {
    let sure = RetryConfig { retry_ambiguous: false, ..quick_retries(1) };
    for (rule, failure, requests) in [
        ("http-request reject if faulty", Failure::NO_ANSWER, 0),
        ("http-request tarpit if faulty", TARPIT, 0),
        ("use_backend silent if faulty", Failure::SILENCE, 0),
        ("use_backend resetting if faulty", BAD_GATEWAY, 1),
        ("use_backend hanging if faulty", GATEWAY_TIMEOUT, 1),
        // Nobody but haproxy knows that there was no server.
        ("use_backend down if faulty", NO_SERVER, 0),
    ] {
        let Some(haproxy) = Haproxy::start(rule) else { return };
        let client = behind(&haproxy.front).retry(sure);
        let client = match failure {
            Failure::SILENCE => client.attempt_timeout(SHORT),
            _ => client,
        };
        let client = client.build().unwrap();
        let error = call(&client, Fails::Always).unwrap_err();
        assert_failed(&error, &[failure]);
        assert_eq!(error.attempts().len(), 1, "{error:?}");
        assert_gave_up(&error, GiveUp::Ambiguous);
        assert_requests(&haproxy.server, requests);
    }
    let refused = "http-request deny deny_status 429 if faulty";
    let Some(haproxy) = Haproxy::start(refused) else { return };
    let client = behind(&haproxy.front).retry(sure).build().unwrap();
    assert_recovers(&client, &[TOO_MANY]);
    assert_requests(&haproxy.server, 2);
}

/// What a silent drop looks like. haproxy may have to send a reset, which its manual says does not
/// pass the first router; on this machine there is no router.
fn silent_drop() -> Failure {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    // CAP_NET_ADMIN, capabilities(7).
    if capabilities.is_some_and(|bits| bits & 1 << 12 != 0) {
        Failure::SILENCE
    } else {
        eprintln!("without CAP_NET_ADMIN haproxy drops nothing in silence");
        Failure::NO_ANSWER
    }
}

const SILENT_DROP: &str = "http-request silent-drop if faulty";
const SILENT_TARPIT: &str = "use_backend silent if faulty";

/// Checks that the attempt timeout leaves time for another attempt.
fn recovers_from_silence(rule: &str, failures: &[Failure]) {
    let Some(haproxy) = Haproxy::start(rule) else { return };
    let client = behind(&haproxy.front).attempt_timeout(SHORT).build().unwrap();
    assert_recovers(&client, failures);
    assert_requests(&haproxy.server, 2);
}

#[test]
fn a_dropped_request_is_retried_after_the_attempt_timeout() {
    recovers_from_silence(SILENT_DROP, &[silent_drop()]);
}

#[test]
fn a_request_held_for_ever_is_retried_after_the_attempt_timeout() {
    recovers_from_silence(SILENT_TARPIT, &[Failure::SILENCE]);
}

#[test]
fn a_dropped_connection_is_retried() {
    recovers_from_silence(
        "tcp-request connection track-sc0 int(1) table connections
         tcp-request connection silent-drop if { sc0_inc_gpc0 le 3 }",
        // A request that comes after the connection was dropped is met with a reset by
        // the system, which does not know the connection any more; one that came before
        // is met with silence.
        &[Failure::SILENCE, Failure::NO_ANSWER, Failure::NO_CONNECTION],
    );
}

/// Checks that the timeout ends the call.
fn ends_in_time(rule: &str, failure: Failure) {
    let Some(haproxy) = Haproxy::start(rule) else { return };
    let client = behind(&haproxy.front).retry(quick_retries(1)).timeout(LONG).build().unwrap();
    let error = call_with(&client, Fails::Always, |request| request.timeout(SHORT)).unwrap_err();
    assert_failed(&error, &[failure]);
    if error.is_timeout() {
        assert_eq!(error.attempts().len(), 1, "{error:?}");
        assert_gave_up(&error, GiveUp::DeadlineTooNear);
        let expected =
            format!("timed out waiting for the response (timeout of {SHORT:?}) (openai)");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(call(&client, Fails::Never).unwrap().attempts().len(), 1);
    assert_requests(&haproxy.server, 1);
}

#[test]
fn a_dropped_request_ends_at_the_timeout() {
    ends_in_time(SILENT_DROP, silent_drop());
}

#[test]
fn a_request_held_for_ever_ends_at_the_timeout() {
    ends_in_time(SILENT_TARPIT, Failure::SILENCE);
}

/// Cancels a call once haproxy has read its request.
fn is_cancelled(rule: &str) {
    let Some(haproxy) = Haproxy::start(rule) else { return };
    let client = behind(&haproxy.front).timeout(LONG).build().unwrap();
    let token = CancelToken::new();
    let error = thread::scope(|scope| {
        let set = || call_with(&client, Fails::Always, |request| request.cancel_token(&token));
        let call = scope.spawn(set);
        haproxy.wait_for_request();
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!(error.attempts().len(), 1, "{error:?}");
    assert_gave_up(&error, GiveUp::Cancelled);
    assert_eq!(client.pool().total.closed.cancelled, 1);
    assert_eq!(call(&client, Fails::Never).unwrap().attempts().len(), 1);
    assert_requests(&haproxy.server, 1);
}

#[test]
fn a_call_can_be_cancelled_while_its_request_is_dropped() {
    if silent_drop() == Failure::SILENCE {
        is_cancelled(SILENT_DROP);
    }
}

#[test]
fn a_call_can_be_cancelled_while_it_is_held() {
    is_cancelled(SILENT_TARPIT);
}

#[test]
fn a_haproxy_that_dies_is_a_connection_error() {
    let Some(mut haproxy) = Haproxy::start(SILENT_TARPIT) else { return };
    let client = behind(&haproxy.front).retry(quick_retries(0)).timeout(LONG).build().unwrap();
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| call(&client, Fails::Always));
        haproxy.wait_for_request();
        haproxy.front.kill().unwrap();
        call.join().unwrap().unwrap_err()
    });
    assert_failed(&error, &[Failure::NO_ANSWER]);
    assert_requests(&haproxy.server, 0);
}

/// haproxy sends an unrequested 408 if no request comes in time (`timeout http-request`)
/// and closes an idle connection silently (`timeout http-keep-alive`).
#[test]
fn a_connection_closed_by_haproxy_is_not_used() {
    let rule = "timeout http-request 50ms
                timeout http-keep-alive 50ms";
    let Some(haproxy) = Haproxy::start(rule) else { return };
    let client = behind(&haproxy.front).build().unwrap();
    assert_eq!(client.warm_up(1).unwrap(), 1);
    for closed in 1..=3 {
        haproxy.wait(|| haproxy.number("stot") == closed && haproxy.number("scur") == 0);
        let response = call(&client, Fails::Never).unwrap();
        assert_eq!(response.attempts().len(), 1, "{:?}", response.attempts());
        let pool = client.pool().total;
        assert_eq!((pool.closed.unrequested, pool.closed.broken), (1, closed - 1));
    }
    assert_requests(&haproxy.server, 3);
}
