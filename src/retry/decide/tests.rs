//! Tests of the retry decision for every kind, status, phase and header.

use std::time::SystemTime;

use super::*;
use crate::key::Secrets;
use crate::wire::{self, Reply, Wire};

const SECOND: Duration = Duration::from_secs(1);

/// The client's own backoff in these tests: a second, shortened by an eighth.
const OURS: Draw = Draw { wait: SECOND, spread: Duration::from_millis(125), share: 0.125 };

const BACKOFF: Decision = Decision::Retry { after: SECOND, wait: Wait::Backoff };

fn asked(after: Duration) -> Decision {
    Decision::Retry { after: after + OURS.spread, wait: Wait::RetryAfter }
}

fn stop(reason: GiveUp) -> Decision {
    Decision::GiveUp(reason)
}

fn decided(error: &Error) -> Decision {
    decide(error, 0, &RetryConfig::default(), OURS, None)
}

/// The error that a call makes of a response.
fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> Error {
    let headers = wire::header_fields(headers);
    let reply = Reply { status, headers: &headers, body: body.as_bytes(), sent: None };
    let failure = Wire::OpenAiChat.decode(reply, &crate::Provider::OPENAI).unwrap_err();
    // 2023-09-29 16:26:37, the moment the SDKs' tests use.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_696_004_797);
    wire::error(failure, reply, now, &Secrets::default())
}

#[test]
fn every_kind_of_error_has_its_decision() {
    for (kind, again) in [
        (ErrorKind::InvalidRequest, false),
        (ErrorKind::Authentication, false),
        (ErrorKind::Permission, false),
        (ErrorKind::NotFound, false),
        (ErrorKind::RateLimited, true),
        (ErrorKind::QuotaExhausted, false),
        (ErrorKind::ContextWindowExceeded, false),
        (ErrorKind::ContentPolicy, false),
        (ErrorKind::Server, true),
        (ErrorKind::Overloaded, true),
        (ErrorKind::Timeout, true),
        (ErrorKind::Connection, true),
        (ErrorKind::Tls, false),
        (ErrorKind::Protocol, false),
        (ErrorKind::Truncated, true),
        (ErrorKind::Configuration, false),
        (ErrorKind::BudgetExceeded, false),
        (ErrorKind::Ledger, false),
        (ErrorKind::NotRecorded, false),
    ] {
        let expected = if again { BACKOFF } else { stop(GiveUp::Lasting) };
        assert_eq!(decided(&Error::new(kind, "")), expected, "{kind}");
    }
    assert_eq!(decided(&Error::cancelled()), stop(GiveUp::Cancelled));
}

#[test]
fn every_status_has_its_decision() {
    let again = |status: u16| matches!(status, 408 | 409 | 429 | 498..=599);
    for status in 300..=599 {
        let expected = if again(status) { BACKOFF } else { stop(GiveUp::Lasting) };
        assert_eq!(decided(&answered(status, &[], "")), expected, "{status}");
    }
    for body in ["{}", "not JSON", r#"{"choices": []}"#] {
        assert_eq!(decided(&answered(200, &[], body)), stop(GiveUp::Lasting), "{body}");
    }
}

#[test]
fn every_phase_has_its_decision() {
    for (phase, again) in [
        (Phase::Resolve, true),
        (Phase::Connect, true),
        (Phase::Tls, true),
        (Phase::Send, true),
        (Phase::FirstByte, true),
        (Phase::Body, true),
        (Phase::FirstToken, true),
    ] {
        let expected = if again { BACKOFF } else { stop(GiveUp::Lasting) };
        assert_eq!(decided(&Error::timeout(phase)), expected, "{phase}");
    }
    assert_eq!(decided(&Error::timeout(Phase::PoolWait)), stop(GiveUp::PoolFull));
}

#[test]
fn a_used_up_quota_is_not_retried() {
    for (status, body) in [
        (429, r#"{"error": {"code": "insufficient_quota", "message": "m"}}"#),
        (
            429,
            r#"{"error": {"message": "m", "details": {"error_code": "enforced_spend_limit_reached"}}}"#,
        ),
        (400, r#"{"error": {"message": "Your credit balance is too low to access"}}"#),
        (402, ""),
    ] {
        let error = answered(status, &[("retry-after", "1")], body);
        assert_eq!(error.kind(), ErrorKind::QuotaExhausted, "{body}");
        assert_eq!(decided(&error), stop(GiveUp::Lasting), "{body}");
    }
}

#[test]
fn the_should_retry_header_overrides_the_decision() {
    for (status, value, expected) in [
        (500, "false", stop(GiveUp::Forbidden)),
        (429, "False", stop(GiveUp::Forbidden)),
        (400, "true", BACKOFF),
        (401, "TRUE", BACKOFF),
        (500, "maybe", BACKOFF),
        (400, "maybe", stop(GiveUp::Lasting)),
    ] {
        let error = answered(status, &[("x-should-retry", value)], "");
        assert_eq!(decided(&error), expected, "{status} {value}");
    }
}

#[test]
fn a_wait_that_the_provider_asks_for_is_honoured_up_to_120_seconds() {
    let seconds = |number| asked(Duration::from_secs_f64(number));
    for (name, value, expected) in [
        ("retry-after", "7", seconds(7.0)),
        ("retry-after", "0.25", seconds(0.25)),
        ("retry-after", " 1.5 ", seconds(1.5)),
        ("retry-after", "120", seconds(120.0)),
        ("retry-after", "120.001", stop(GiveUp::WaitTooLong)),
        ("retry-after", "121", stop(GiveUp::WaitTooLong)),
        ("retry-after", "99999999999999999999999999", stop(GiveUp::WaitTooLong)),
        ("retry-after", "Fri, 29 Sep 2023 16:26:57 GMT", seconds(20.0)),
        ("retry-after", "Friday, 29-Sep-23 16:26:57 GMT", seconds(20.0)),
        ("retry-after", "Fri Sep 29 16:26:57 2023", seconds(20.0)),
        ("retry-after", "Fri, 29 Sep 2023 16:28:38 GMT", stop(GiveUp::WaitTooLong)),
        ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", stop(GiveUp::WaitTooLong)),
        ("retry-after-ms", "250", seconds(0.25)),
        ("retry-after-ms", "1.5", seconds(0.0015)),
        ("retry-after-ms", "120000", seconds(120.0)),
        ("retry-after-ms", "120001", stop(GiveUp::WaitTooLong)),
        ("x-ms-retry-after-ms", "40", seconds(0.04)),
        // A moment in the past, or nonsense, is ignored.
        ("retry-after", "0", BACKOFF),
        ("retry-after", "-10", BACKOFF),
        ("retry-after", "Fri, 29 Sep 2023 16:26:27 GMT", BACKOFF),
        ("retry-after", "Zun, 29 Sep 2023 16:26:57 GMT", BACKOFF),
        ("retry-after", "soon", BACKOFF),
        ("retry-after", "", BACKOFF),
        ("retry-after", "NaN", BACKOFF),
        ("retry-after", "inf", BACKOFF),
        ("retry-after", "-inf", BACKOFF),
        ("retry-after-ms", "0", BACKOFF),
        ("retry-after-ms", "-1", BACKOFF),
        ("retry-after-ms", "NaN", BACKOFF),
    ] {
        for status in [429, 503] {
            let error = answered(status, &[(name, value)], "");
            assert_eq!(decided(&error), expected, "{name}: {value}");
        }
    }
    let both = [("retry-after-ms", "40"), ("retry-after", "9")];
    assert_eq!(decided(&answered(429, &both, "")), seconds(0.04));
    let broken = [("retry-after-ms", "soon"), ("retry-after", "9")];
    assert_eq!(decided(&answered(429, &broken, "")), seconds(9.0));
}

#[test]
fn a_used_up_rate_limit_is_waited_for_up_to_max_interval() {
    let policy = RetryConfig::default();
    let until = |reset: f64| Decision::Retry {
        after: if reset < 8.0 {
            (Duration::from_secs_f64(reset) + OURS.spread).min(policy.max_interval)
        } else {
            policy.max_interval * 7 / 8
        },
        wait: Wait::RateLimitReset,
    };
    for (reset, expected) in [
        ("120ms", until(0.12)),
        ("2s", until(2.0)),
        ("6m0s", until(8.0)),
        ("1.5", until(1.5)),
        ("7950ms", until(7.95)),
        ("1696004799", until(2.0)),
        ("1696004799000", until(2.0)),
        ("99999999999999999999h", until(8.0)),
        ("0s", BACKOFF),
        ("-1s", BACKOFF),
        ("NaN", BACKOFF),
        ("soon", BACKOFF),
    ] {
        let used_up = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)];
        assert_eq!(decided(&answered(429, &used_up, "")), expected, "{reset}");
        // This applies only to a rate limit, and only to one that is used up.
        assert_eq!(decided(&answered(503, &used_up, "")), BACKOFF, "{reset}");
        let left = [("x-ratelimit-remaining-tokens", "9"), ("x-ratelimit-reset-tokens", reset)];
        assert_eq!(decided(&answered(429, &left, "")), BACKOFF, "{reset}");
    }
    let anthropic = |reset| {
        answered(
            429,
            &[
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
                ("anthropic-ratelimit-input-tokens-reset", reset),
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2023-09-29T16:26:38Z"),
            ],
            "",
        )
    };
    assert_eq!(decided(&anthropic("2023-09-29T16:26:40Z")), until(3.0));
    assert_eq!(decided(&anthropic("2023-09-29T16:26:00Z")), until(1.0));
    assert_eq!(decided(&anthropic("tomorrow")), until(1.0));
    let both = [
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "3s"),
        ("retry-after", "1"),
    ];
    assert_eq!(decided(&answered(429, &both, "")), asked(SECOND));
}

#[test]
fn the_longest_settings_do_not_overflow() {
    let longest = RetryConfig { max_interval: Duration::MAX, ..RetryConfig::default() };
    for share in [0.0, 0.5, 1.0] {
        let ours = Draw { wait: Duration::MAX, spread: Duration::MAX, share };
        for reset in ["1s", "99999999999999999999h"] {
            let used_up =
                [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)];
            let decision = decide(&answered(429, &used_up, ""), 0, &longest, ours, None);
            assert!(matches!(decision, Decision::Retry { .. }), "{decision:?}");
        }
    }
}

#[test]
fn an_ambiguous_failure_is_retried_only_if_allowed() {
    let strict = RetryConfig { retry_ambiguous: false, ..RetryConfig::default() };
    let phase = |phase| Error::new(ErrorKind::Connection, "").with_phase(phase);
    for (error, ambiguous) in [
        (answered(408, &[], ""), true),
        (answered(500, &[], ""), true),
        (answered(502, &[], ""), true),
        (answered(504, &[], ""), true),
        (answered(409, &[], ""), true),
        (answered(429, &[], ""), false),
        (answered(498, &[], ""), false),
        // From a gateway, and from a provider.
        (answered(503, &[], "upstream connect error or disconnect/reset before headers"), true),
        (answered(503, &[], r#"{"error": {"message": "m", "type": "overloaded_error"}}"#), false),
        (answered(503, &[], r#"{"error": {"message": "m", "type": "server_error"}}"#), true),
        (
            answered(200, &[], r#"{"error": {"message": "m", "code": "rate_limit_exceeded"}}"#),
            false,
        ),
        (answered(529, &[], ""), false),
        (answered(520, &[], ""), true),
        (answered(521, &[], ""), false),
        (answered(522, &[], ""), true),
        (answered(524, &[], ""), true),
        (answered(599, &[], ""), true),
        (answered(200, &[], r#"{"error": {"code": 502, "message": "upstream"}}"#), true),
        (Error::new(ErrorKind::Connection, "of no known phase"), true),
        (phase(Phase::Resolve), false),
        (phase(Phase::Connect), false),
        (phase(Phase::Tls), false),
        (phase(Phase::Send), true),
        (phase(Phase::FirstByte), true),
        (phase(Phase::Body), true),
        (phase(Phase::FirstToken), true),
        (Error::timeout(Phase::Connect), false),
        (Error::timeout(Phase::FirstByte), true),
    ] {
        assert_eq!(decided(&error), BACKOFF, "{error}");
        let expected = if ambiguous { stop(GiveUp::Ambiguous) } else { BACKOFF };
        assert_eq!(decide(&error, 0, &strict, OURS, None), expected, "{error}");
    }
}

#[test]
fn a_wait_must_end_before_the_deadline() {
    let policy = RetryConfig::default();
    let error = answered(500, &[], "");
    let with = |error: &Error, left| decide(error, 0, &policy, OURS, Some(left));
    assert_eq!(with(&error, SECOND * 2), BACKOFF);
    assert_eq!(with(&error, SECOND), stop(GiveUp::DeadlineTooNear));
    assert_eq!(with(&error, Duration::ZERO), stop(GiveUp::DeadlineTooNear));
    let patient = answered(429, &[("retry-after", "5")], "");
    assert_eq!(with(&patient, SECOND * 6), asked(SECOND * 5));
    assert_eq!(with(&patient, SECOND * 5), stop(GiveUp::DeadlineTooNear));
    // No room for the jitter.
    let barely = SECOND * 5 + OURS.spread / 2;
    let exact = Decision::Retry { after: SECOND * 5, wait: Wait::RetryAfter };
    assert_eq!(with(&patient, barely), exact);
}

#[test]
fn retries_stop_at_max_retries() {
    let policy = RetryConfig::default();
    let error = answered(500, &[], "");
    for (retries, expected) in [
        (0, BACKOFF),
        (1, BACKOFF),
        (2, stop(GiveUp::RetriesSpent)),
        (u32::MAX, stop(GiveUp::RetriesSpent)),
    ] {
        assert_eq!(decide(&error, retries, &policy, OURS, None), expected, "{retries}");
    }
    // A permanent failure is reported as one even then.
    let lasting = answered(400, &[], "");
    assert_eq!(decide(&lasting, 2, &policy, OURS, None), stop(GiveUp::Lasting));
}

/// Whatever a server asks, no wait is longer than the policy allows or than the time left.
#[test]
fn no_wait_exceeds_its_limits() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut word = || match random.u8(0..8) {
        0 => "NaN".to_owned(),
        1 => "-1".to_owned(),
        2 => "1e308".to_owned(),
        3 => "inf".to_owned(),
        4 => format!("{}s", random.u32(0..1000)),
        5 => String::new(),
        _ => format!("{}", random.f64() * 300.0),
    };
    let mut lefts = fastrand::Rng::with_seed(12);
    for _ in 0..5_000 {
        let (after, milliseconds, reset) = (word(), word(), word());
        let headers = [
            ("retry-after", after.as_str()),
            ("retry-after-ms", &milliseconds),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", &reset),
        ];
        let left = lefts.bool().then(|| Duration::from_secs_f64(lefts.f64() * 200.0));
        let error = answered(429, &headers, "");
        match decide(&error, 0, &RetryConfig::default(), OURS, left) {
            Decision::Retry { after, wait } => {
                assert!(left.is_none_or(|left| after < left), "{headers:?}");
                assert!(after <= LONGEST_SERVER_WAIT + OURS.spread, "{headers:?}");
                assert!(!after.is_zero(), "{headers:?}");
                if wait == Wait::RateLimitReset {
                    assert!(after <= RetryConfig::default().max_interval, "{headers:?}");
                }
            }
            Decision::GiveUp(reason) => {
                assert!(matches!(reason, GiveUp::WaitTooLong | GiveUp::DeadlineTooNear));
            }
            Decision::FailOver | Decision::MoveUp => panic!("there is no other target"),
        }
    }
}

#[test]
fn a_wait_that_only_the_body_states_is_honoured() {
    let retry = |millis| {
        let after = Duration::from_millis(millis) + OURS.spread;
        Decision::Retry { after, wait: Wait::RetryAfter }
    };
    let gemini = r#"[{"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}]}}]"#;
    for (body, expected) in [
        (gemini, retry(2500)),
        (r#"{"error": {"message": "Rate limit reached. Please retry in 2.5s."}}"#, retry(2500)),
        (r#"{"error": {"message": "Please try again in 20ms."}}"#, retry(20)),
        (r#"{"error": {"message": "Try again in 1h2m3s."}}"#, stop(GiveUp::WaitTooLong)),
        (r#"{"error": {"message": "no"}}"#, BACKOFF),
    ] {
        assert_eq!(decided(&answered(429, &[], body)), expected, "{body}");
    }
    // The header is more exact.
    let error = answered(429, &[("retry-after", "1")], gemini);
    assert_eq!(decided(&error), retry(1000));
    let error = answered(503, &[], r#"{"error": {"message": "Overloaded, retry in 3 seconds"}}"#);
    assert_eq!(decided(&error), retry(3000));
}
