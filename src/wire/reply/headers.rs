//! Reads rate limits and retry hints from response headers. Malformed values count as missing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::header_fields::Field;
use super::purpose::{Number, Purpose, Source};
use super::{Reply, text};
use crate::error::RateLimit;
use crate::time::header_date;

/// The longest wait to keep, a hundred years: enough to mean "never", and small enough to add to
/// any clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads the rate limits:
///
/// - OpenAI's `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, which others copy.
///   OpenRouter and Together omit the last word. Mistral writes `req-minute` and `tokens-minute`,
///   Hugging Face and Cerebras `requests-minute` and `tokens-minute`; their headers for days and
///   months are ignored.
/// - Anthropic's
///   `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
/// - Cohere's `x-trial-endpoint-call-{limit,remaining}`: requests a minute, for trial keys only
///   (elastic/elasticsearch, `CohereResponseHandler`; the numbers are those of
///   docs.cohere.com/docs/rate-limits).
pub(crate) fn rate_limit(reply: Reply<'_>, now: SystemTime) -> RateLimit {
    let mut limit = RateLimit::default();
    let RateLimit { requests, tokens, input_tokens, output_tokens } = &mut limit;
    let quotas = [requests, tokens, input_tokens, output_tokens];
    // Whose header each number is from.
    let mut sources: [[Option<Source>; 3]; 4] = [[None; 3]; 4];
    let renewal = |field: Field<'_>| matches!(field.purpose, Purpose::RenewalPeriod);
    for Field { purpose, value } in reply.headers.iter() {
        let Purpose::RateLimit(source, Number { quota, field }) = purpose else { continue };
        let known = &mut sources[quota][field];
        if known.is_some_and(|known| known <= source) {
            continue;
        }
        *known = Some(source);
        let (quota, value) = (&mut *quotas[quota], value.trim_ascii());
        match field {
            0 => quota.limit = count(value),
            1 => quota.remaining = count(value),
            _ => {
                let milliseconds = || reply.headers.iter().any(renewal);
                quota.reset = text(value).and_then(|text| reset(text, milliseconds, now));
            }
        }
    }
    limit
}

/// Parses a whole number of decimal digits.
fn count(digits: &[u8]) -> Option<u64> {
    let (first, rest) = digits.split_first()?;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |number: u64, byte| number.checked_mul(10)?.checked_add(digit(byte)?);
    rest.iter().try_fold(digit(first)?, add)
}

/// Parses the time until a reset: a number, a Go duration (`6m0s`, `120ms`, `1h2m3.5s`) or an RFC
/// 3339 date. A number too large for a wait is a date, in seconds or milliseconds since 1970. An
/// even larger one is ignored. `milliseconds` says whether a wait is a number of those.
fn reset(text: &str, milliseconds: impl FnOnce() -> bool, now: SystemTime) -> Option<Duration> {
    // Durations and dates end with a letter, and so do an infinity and NaN, which are no resets.
    let ends_with_letter = text.ends_with(|last: char| last.is_ascii_alphabetic());
    if let Some(number) = (!ends_with_letter).then(|| number(text)).flatten() {
        let since_epoch = match number {
            1e14.. => return None,
            1e11.. => number / 1e3,
            1e9.. => number,
            _ if milliseconds() => return seconds(number / 1e3),
            _ => return seconds(number),
        };
        let reset = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(since_epoch).ok()?)?;
        return Some(since(reset, now));
    }
    go_duration(text).or_else(|| header_date::rfc3339(text).map(|reset| since(reset, now)))
}

fn since(moment: SystemTime, now: SystemTime) -> Duration {
    moment.duration_since(now).unwrap_or_default().min(LONGEST)
}

fn go_duration(text: &str) -> Option<Duration> {
    // By bytes: searching for characters takes longer to set up.
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.')?;
        let (value, more) = rest.split_at_checked(end)?;
        let end = more.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(more.len());
        let (unit, more) = more.split_at_checked(end)?;
        let unit = match unit {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += trimmed_number(value)? * unit;
        rest = more;
    }
    (!text.is_empty()).then(|| seconds(total))?
}

/// Reads how long to wait before the next attempt, in the order of the official SDKs (openai-python
/// and anthropic-sdk-python, `_base_client.py`): `retry-after-ms` and Azure's `x-ms-retry-after-ms`
/// in milliseconds, then `retry-after` in seconds or as an HTTP date. LiteLLM's proxy passes on its
/// provider's headers with the prefix `llm_provider-`. Values of 0 or less are ignored.
pub(super) fn retry_after(reply: Reply<'_>, now: SystemTime) -> Option<Duration> {
    let milliseconds = ["retry-after-ms", "x-ms-retry-after-ms", "llm_provider-retry-after-ms"]
        .into_iter()
        .filter_map(|name| seconds(number(reply.header(name)?)? / 1e3))
        .find(|wait| !wait.is_zero());
    let plain = || {
        let ours = reply.header("retry-after");
        let text = ours.or_else(|| reply.header("llm_provider-retry-after"))?.trim();
        let wait = match number(text) {
            Some(number) => seconds(number)?,
            None => since(header_date::http_date(text, now)?, now),
        };
        Some(wait).filter(|wait| !wait.is_zero())
    };
    milliseconds.or_else(plain)
}

/// Reads `x-should-retry`, the provider's advice on retrying.
pub(super) fn should_retry(reply: Reply<'_>) -> Option<bool> {
    match reply.header("x-should-retry")?.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Parses a number as Rust does, infinities and NaN included.
fn number(text: &str) -> Option<f64> {
    trimmed_number(text.trim())
}

fn trimmed_number(text: &str) -> Option<f64> {
    // Most are a few digits, for which the general parser takes long.
    match count(text.as_bytes()).and_then(|count| u32::try_from(count).ok()) {
        Some(count) => Some(f64::from(count)),
        None => text.parse().ok(),
    }
}

/// Returns a duration of this many seconds, at most [`LONGEST`]; `None` if it is invalid.
fn seconds(number: f64) -> Option<Duration> {
    (number.is_finite() && number >= 0.0)
        .then(|| Duration::try_from_secs_f64(number).map_or(LONGEST, |wait| wait.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Quota;
    use crate::wire::header_fields;

    /// 2023-09-29 16:26:37, the time in the SDKs' tests.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_696_004_797)
    }

    fn with<T>(headers: &[(&str, &str)], read: impl FnOnce(Reply<'_>) -> T) -> T {
        let headers = header_fields(headers);
        read(Reply { status: 429, headers: &headers, body: b"", sent: None })
    }

    fn wait(headers: &[(&str, &str)]) -> Option<f64> {
        with(headers, |reply| retry_after(reply, now())).map(|wait| wait.as_secs_f64())
    }

    /// openai-python and anthropic-sdk-python, `tests/test_client.py`,
    /// `test_parse_retry_after_header` and `test_retry_after_max_delay`. Where the SDKs fall back
    /// to their backoff because a wait is too long, this parser keeps the wait: the retry logic
    /// decides what is too long.
    #[test]
    fn the_sdks_vectors_for_retry_after_pass() {
        for (value, expected) in [
            ("20", Some(20.0)),
            ("0", None),
            ("-10", None),
            ("60", Some(60.0)),
            ("61", Some(61.0)),
            ("120", Some(120.0)),
            ("121", Some(121.0)),
            ("Fri, 29 Sep 2023 16:26:57 GMT", Some(20.0)),
            ("Fri, 29 Sep 2023 16:26:37 GMT", None),
            ("Fri, 29 Sep 2023 16:26:27 GMT", None),
            ("Fri, 29 Sep 2023 16:27:37 GMT", Some(60.0)),
            ("Fri, 29 Sep 2023 16:27:38 GMT", Some(61.0)),
            ("Fri, 29 Sep 2023 16:28:37 GMT", Some(120.0)),
            ("Fri, 29 Sep 2023 16:28:38 GMT", Some(121.0)),
            ("99999999999999999999999999999999999", Some(LONGEST.as_secs_f64())),
            ("inf", None),
            ("nan", None),
            ("Zun, 29 Sep 2023 16:26:27 GMT", None),
            ("Fri, 29 Sep 100000 16:26:57 GMT", None),
            ("", None),
        ] {
            assert_eq!(wait(&[("retry-after", value)]), expected, "{value}");
        }
        assert_eq!(wait(&[("retry-after-ms", "120000")]), Some(120.0));
        assert_eq!(wait(&[("retry-after-ms", "120001")]), Some(120.001));
    }

    #[test]
    fn milliseconds_take_precedence_and_malformed_values_are_ignored() {
        for (headers, expected) in [
            (&[("retry-after-ms", "1.5"), ("retry-after", "9")][..], Some(0.0015)),
            (&[("x-ms-retry-after-ms", "250"), ("retry-after", "9")], Some(0.25)),
            (&[("retry-after-ms", "soon"), ("retry-after", " 9.5 ")], Some(9.5)),
            (&[("retry-after-ms", "-1"), ("retry-after", "9")], Some(9.0)),
            (&[("retry-after-ms", "0"), ("x-ms-retry-after-ms", "7")], Some(0.007)),
            (&[("llm_provider-retry-after", "2")], Some(2.0)),
            (&[("llm_provider-retry-after", "2"), ("retry-after", "9")], Some(9.0)),
            (&[("retry-after-ms", "1e300")], Some(LONGEST.as_secs_f64())),
            (&[("retry-after-ms", "NaN")], None),
            (&[("retry-after", "-inf")], None),
            (&[("retry-after", "1e999")], None),
            (&[("retry-after", "1e-30")], None),
            (&[("retry-after", "Friday, 29-Sep-23 16:26:47 GMT")], Some(10.0)),
            (&[("retry-after", "Fri Sep 29 16:26:47 2023")], Some(10.0)),
            (&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], Some(LONGEST.as_secs_f64())),
            (&[], None),
        ] {
            assert_eq!(wait(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn resets_are_parsed_in_every_form() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("6m0s", Some(seconds(360))),
            ("120ms", Some(Duration::from_millis(120))),
            ("1s", Some(seconds(1))),
            ("0s", Some(seconds(0))),
            ("11.486s", Some(Duration::from_millis(11_486))),
            ("1h2m3.5s", Some(Duration::from_millis(3_723_500))),
            ("1d1h", Some(seconds(90_000))),
            ("3µs", Some(Duration::from_micros(3))),
            ("2", Some(seconds(2))),
            ("0.5", Some(Duration::from_millis(500))),
            ("1696004807", Some(seconds(10))),
            ("1696004807000", Some(seconds(10))),
            ("1696004700", Some(seconds(0))),
            ("2023-09-29T16:26:47Z", Some(seconds(10))),
            ("2023-09-29T16:26:27Z", Some(seconds(0))),
            ("9999-12-31T23:59:59Z", Some(LONGEST)),
            ("99999999999999999999h", Some(LONGEST)),
            ("4102444800000", Some(seconds(4_102_444_800 - 1_696_004_797))),
            ("1e14", None),
            ("1e300", None),
            ("-1", None),
            ("-1s", None),
            ("NaN", None),
            ("inf", None),
            ("", None),
            ("s", None),
            ("1m2", None),
            ("1.2.3s", None),
            ("1parsec", None),
            ("soon", None),
        ] {
            assert_eq!(reset(text, || false, now()), expected, "{text}");
        }
        assert_eq!(reset("500", || true, now()), Some(Duration::from_millis(500)));
        assert_eq!(reset("6m0s", || true, now()), Some(seconds(360)));
    }

    #[test]
    fn rate_limits_of_every_vendor_are_read() {
        let quota = |limit, remaining, reset| Quota {
            limit: Some(limit),
            remaining: Some(remaining),
            reset: Some(Duration::from_millis(reset)),
        };
        let read = |headers: &[(&str, &str)]| with(headers, |reply| rate_limit(reply, now()));
        assert_eq!(read(&[]), RateLimit::default());
        assert_eq!(
            read(&[
                ("x-ratelimit-limit-requests", "10000"),
                ("x-ratelimit-limit-tokens", "9223372036854767616"),
                ("x-ratelimit-remaining-requests", "9999"),
                ("x-ratelimit-remaining-tokens", " 7 "),
                ("x-ratelimit-reset-requests", "8.64s"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ]),
            RateLimit {
                requests: quota(10_000, 9999, 8640),
                tokens: quota(9_223_372_036_854_767_616, 7, 360_000),
                ..RateLimit::default()
            }
        );
        assert_eq!(
            read(&[
                ("anthropic-ratelimit-requests-limit", "4000"),
                ("anthropic-ratelimit-requests-remaining", "3999"),
                ("anthropic-ratelimit-requests-reset", "2023-09-29T16:26:38Z"),
                ("anthropic-ratelimit-tokens-limit", "5"),
                ("anthropic-ratelimit-input-tokens-limit", "3"),
                ("anthropic-ratelimit-output-tokens-remaining", "2"),
            ]),
            RateLimit {
                requests: quota(4000, 3999, 1000),
                tokens: Quota { limit: Some(5), ..Quota::default() },
                input_tokens: Quota { limit: Some(3), ..Quota::default() },
                output_tokens: Quota { remaining: Some(2), ..Quota::default() },
            }
        );
        assert_eq!(
            read(&[
                ("x-ratelimit-limit", "2"),
                ("x-ratelimit-remaining", "1"),
                ("x-ratelimit-reset", "1696004798000"),
            ])
            .requests,
            quota(2, 1, 1000)
        );
        assert_eq!(
            read(&[
                ("x-ratelimit-renewalperiod-tokens", "60"),
                ("x-ratelimit-limit-tokens", "120000"),
                ("x-ratelimit-remaining-tokens", "119986"),
                ("x-ratelimit-reset-tokens", "7"),
            ])
            .tokens,
            quota(120_000, 119_986, 7)
        );
        // Mistral, then Hugging Face and Cerebras.
        for names in [
            ["x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute"],
            ["x-ratelimit-limit-requests-minute", "x-ratelimit-remaining-requests-minute"],
        ] {
            let limit = read(&[
                ("x-ratelimit-limit-requests-day", "9"),
                (names[0], "60"),
                (names[1], "59"),
                ("x-ratelimit-limit-tokens-minute", "500000"),
                ("x-ratelimit-limit-tokens-month", "7"),
            ]);
            assert_eq!((limit.requests.limit, limit.requests.remaining), (Some(60), Some(59)));
            assert_eq!(limit.tokens.limit, Some(500_000));
        }
        let nonsense = [
            ("x-ratelimit-limit-requests", "-1"),
            ("x-ratelimit-remaining-requests", "99999999999999999999"),
            ("x-ratelimit-reset-requests", "never"),
        ];
        assert_eq!(read(&nonsense), RateLimit::default());
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "Purpose does not list \"set-cookie\"")]
    fn a_header_that_the_transport_drops_cannot_be_read_in_tests() {
        with(&[("set-cookie", "a=b")], |reply| reply.header("set-cookie").map(str::to_owned));
    }

    #[test]
    fn should_retry_ignores_case() {
        for (value, expected) in [
            ("true", Some(true)),
            ("False", Some(false)),
            (" TRUE ", Some(true)),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(with(&[("x-should-retry", value)], should_retry), expected, "{value}");
        }
        assert_eq!(with(&[], should_retry), None);
    }
}
