//! Calls through nginx that closes connections after a few requests and short idle times, limits
//! requests, and may have no server behind it.
//!
//! The program is named by `TOLLGATE_NGINX`; without it these tests say that they skip.
#![cfg(unix)]

mod support;

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::Duration;
use support::front::{
    Fails, Failure, Front, Impatient, assert_recovers, assert_requests, behind, call, nobody,
};
use support::listener::{connect, wait_for_the_end};
use support::server::send;
use support::{loopback, quick_retries};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Decision, ErrorKind, PoolConfig, RetryConfig, Wait};

const TOO_MANY: Failure =
    Failure::status(ErrorKind::RateLimited, 429, "429 Too Many Requests nginx");
const UNAVAILABLE: Failure =
    Failure::status(ErrorKind::Overloaded, 503, "503 Service Temporarily Unavailable nginx");
const BAD_GATEWAY: Failure = Failure::status(ErrorKind::Server, 502, "502 Bad Gateway nginx");
const GATEWAY_TIMEOUT: Failure =
    Failure::status(ErrorKind::Server, 504, "504 Gateway Time-out nginx");

/// An nginx in front of `server`, with extra settings for all requests and for those that must fail.
fn nginx(server: &Loopback, whole: &str, faulty: &str) -> Option<Front> {
    let Ok(program) = std::env::var("TOLLGATE_NGINX") else {
        eprintln!("skipped: TOLLGATE_NGINX does not name nginx");
        return None;
    };
    server.on(|request| request.header("x-reply") == Some("hang"), Reply::hang());
    server.on(|request| request.header("x-reply") == Some("reset"), Reply::reset());
    let (provider, nobody) = (server.address(), nobody(server));
    let mut command = Command::new(program);
    command.args(["-p", ".", "-c", "nginx.conf"]);
    let host = Ipv4Addr::new(127, 0, 0, 3);
    let front = Front::start(&mut command, "nginx.conf", |port| {
        // A single process, so that killing it leaves nothing behind. It cannot take over a socket.
        format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
             events {{ worker_connections 1024; }}
             http {{
               access_log off; client_body_temp_path body; proxy_temp_path proxy;
               fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
               map '$http_idempotency_key $http_x_stainless_retry_count' $faulty {{
                 ~^always 1; 'once 0' 1; default '';
               }}
               limit_req_zone all zone=minute:1m rate=1r/m;
               limit_req_zone all zone=second:1m rate=1r/s;
               upstream provider {{ server {provider}; keepalive 32; }}
               upstream nobody {{ server {nobody}; }}
               proxy_http_version 1.1;
               proxy_set_header Connection '';
               server {{
                 listen {host}:{port};
                 {whole}
                 if ($faulty) {{ rewrite ^ /faulty last; }}
                 location / {{ proxy_pass http://provider; }}
                 location /faulty {{
                   internal;
                   set $upstream provider;
                   {faulty}
                   proxy_pass http://$upstream/v1/chat/completions;
                 }}
               }}
             }}"
        )
    });
    // Written once it listens.
    Some(front.at(host).wait_until(|front| front.folder().join("nginx.pid").exists()))
}

/// Makes calls fail by these settings and recover. `per_failure` is how often a failing attempt
/// reaches the provider.
fn recovers(faulty: &str, failure: Failure, per_failure: u64) {
    let server = loopback();
    let Some(nginx) = nginx(&server, "", faulty) else { return };
    let client = behind(&nginx).sleeper(Impatient).build().unwrap();
    assert_recovers(&client, &[failure]);
    assert_requests(&server, 2 + 3 * per_failure);
}

/// The same, after one request that the limit allows.
fn recovers_from_limit(faulty: &str, failure: Failure) {
    let server = loopback();
    let Some(nginx) = nginx(&server, "", faulty) else { return };
    let client = behind(&nginx).sleeper(Impatient).build().unwrap();
    assert_eq!(call(&client, Fails::Always).unwrap().attempts().len(), 1);
    assert_recovers(&client, &[failure]);
    assert_requests(&server, 1 + 2);
}

#[test]
fn a_request_beyond_the_limit_is_rate_limited() {
    recovers_from_limit("limit_req zone=minute; limit_req_status 429;", TOO_MANY);
}

#[test]
fn a_request_beyond_the_limit_is_retried_after_the_requested_wait() {
    recovers_from_limit(
        "limit_req zone=minute; limit_req_status 429; add_header retry-after 20 always;",
        TOO_MANY.asking_for(Duration::from_secs(20)),
    );
}

#[test]
fn nginx_s_default_limit_status_is_an_overload() {
    recovers_from_limit("limit_req zone=minute;", UNAVAILABLE);
}

#[test]
fn a_client_that_honours_the_wait_stays_within_the_limit() {
    let server = loopback();
    let limit = "limit_req zone=second; limit_req_status 429; add_header retry-after 1 always;";
    let Some(nginx) = nginx(&server, "", limit) else { return };
    let client = behind(&nginx).build().unwrap();
    for attempts in [1, 2, 2] {
        let response = call(&client, Fails::Always).unwrap();
        assert_eq!(response.attempts().len(), attempts, "{:?}", response.attempts());
        let last = response.attempts().len() - 1;
        assert!(response.attempts()[..last].iter().all(|attempt| matches!(
            attempt.decision,
            Some(Decision::Retry { wait: Wait::RetryAfter, .. })
        )));
    }
    assert_requests(&server, 3);
}

#[test]
fn a_provider_that_hangs_is_a_gateway_timeout() {
    let hang = "proxy_read_timeout 100ms; proxy_set_header x-reply hang;";
    recovers(hang, GATEWAY_TIMEOUT, 1);
}

#[test]
fn a_provider_that_is_gone_is_a_bad_gateway() {
    recovers("set $upstream nobody;", BAD_GATEWAY, 0);
}

#[test]
fn a_provider_that_breaks_the_connection_is_a_bad_gateway() {
    recovers("proxy_set_header x-reply reset;", BAD_GATEWAY, 1);
}

#[test]
fn a_status_of_503_is_an_overload() {
    recovers("return 503;", UNAVAILABLE, 0);
}

#[test]
fn a_connection_closed_without_an_answer_is_retried() {
    recovers("return 444;", Failure::NO_ANSWER, 0);
}

#[test]
fn ten_thousand_calls_from_32_threads_without_an_error() {
    let server = loopback();
    server.record_requests(false);
    let short = "keepalive_requests 3; keepalive_timeout 1s;";
    let Some(nginx) = nginx(&server, short, "") else { return };
    let client = behind(&nginx)
        .pool(PoolConfig { max_size: 16, ..PoolConfig::default() })
        // No retries, so that every failure shows.
        .retry(RetryConfig { max_retries: 0, ..quick_retries(0) })
        .build()
        .unwrap();
    const THREADS: usize = 32;
    const CALLS: usize = 10_000;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for call in (thread..CALLS).step_by(THREADS) {
                    client.chat("hi").unwrap_or_else(|error| panic!("call {call}: {error}"));
                }
            });
        }
    });
    let total = client.pool().total;
    assert!(total.opened >= (CALLS / 3) as u64, "{total:?}");
    assert_eq!(total.opened, total.idle as u64 + total.closed.total());
    // nginx closes idle connections in the order of their last requests, so once it closes this
    // one, it has closed all of the client's.
    let mut last = connect(nginx.address()).unwrap();
    send(&mut last, "GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    wait_for_the_end(&last);
    client.chat("hi").unwrap();
}
