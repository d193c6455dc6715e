//! Reads how long to wait from the body of an error.

use serde_json::Value;
use std::time::Duration;

/// Reads the wait from an error's members, otherwise from its message. A wait of zero counts as
/// none.
///
/// Sources: Gemini's `RetryInfo` with `retryDelay: "2.5s"` (google.rpc.RetryInfo, a Duration
/// in ProtoJSON) and "Please retry in 2.5s."; OpenAI's and Groq's "Please try again in
/// 6m0s"; Azure's "Please retry after 59 seconds"; OpenRouter's
/// `metadata.retry_after_seconds`; Hugging Face's `estimated_time` until a model is loaded; and
/// `retry_after`, in seconds, of gateways.
pub(super) fn read(error: &Value, message: Option<&str>) -> Option<Duration> {
    let places = [Some(error), error.get("metadata"), error.get("details"), error.get("error")];
    let members = places.into_iter().flatten().find_map(member);
    members.or_else(|| in_message(message?)).filter(|wait| !wait.is_zero())
}

fn member(place: &Value) -> Option<Duration> {
    match place {
        Value::Array(items) => items.iter().take(16).find_map(member),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let unit = match name.as_str() {
                "retryDelay"
                | "retry_delay"
                | "retry_after"
                | "retryAfter"
                | "retry_after_seconds"
                | "retryAfterSeconds"
                | "retry-after"
                | "estimated_time" => 1.0,
                "retry_after_ms" | "retryAfterMs" | "retry-after-ms" => 1e-3,
                _ => return None,
            };
            match value {
                Value::Number(number) => seconds(number.as_f64()? * unit),
                Value::String(text) => match text.trim().parse::<f64>() {
                    Ok(number) => seconds(number * unit),
                    Err(_) => duration(text.trim()),
                },
                // A protobuf Duration as some libraries write it.
                Value::Object(parts) => {
                    let part = |name: &str| parts.get(name).and_then(Value::as_f64);
                    seconds(part("seconds")? + part("nanos").unwrap_or(0.0) * 1e-9)
                }
                _ => None,
            }
        }),
        _ => None,
    }
}

/// The phrases before a wait in a message.
const BEFORE: [&str; 11] = [
    "retry in ",
    "retry after ",
    "again in ",
    "again after ",
    "wait for ",
    "wait ",
    "reset in ",
    "resets in ",
    "reset after ",
    "resets after ",
    "request after ",
];

fn in_message(message: &str) -> Option<Duration> {
    let lower = message.to_lowercase();
    BEFORE.iter().find_map(|before| {
        let mut rest = lower.as_str();
        while let Some(at) = rest.find(before) {
            rest = &rest[at + before.len()..];
            let about = rest.strip_prefix("at least ").or_else(|| rest.strip_prefix("about "));
            if let Some(wait) = duration(about.unwrap_or(rest)) {
                return Some(wait);
            }
        }
        None
    })
}

/// Parses a duration at the start of a text: `2.5s`, `7m12.5s`, `20 seconds`,
/// `1 minute and 30 seconds`. A number without a unit is ignored, because it could be anything.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = None;
    loop {
        let digits = rest.find(|char: char| !(char.is_ascii_digit() || char == '.'));
        let (number, behind) = rest.split_at(digits.unwrap_or(rest.len()));
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else { break };
        let behind = behind.strip_prefix(' ').unwrap_or(behind);
        let letters = behind.find(|char: char| !char.is_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let unit = match unit {
            "ms" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        total = Some(total.unwrap_or(0.0) + number * unit);
        let next = behind.trim_start_matches([' ', ',']);
        rest = next.strip_prefix("and ").unwrap_or(next);
    }
    seconds(total?)
}

fn seconds(number: f64) -> Option<Duration> {
    // More than a century is not a wait.
    (0.0..3.2e9).contains(&number).then(|| Duration::try_from_secs_f64(number).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn waits_are_read_from_members() {
        for (error, millis) in [
            (
                json!({"details": [
                    {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"},
                ]}),
                Some(2500),
            ),
            (json!({"details": [{"retryDelay": "37s"}]}), Some(37_000)),
            (
                json!({"details": [{"retryDelay": {"seconds": 2, "nanos": 500_000_000}}]}),
                Some(2500),
            ),
            (json!({"metadata": {"retry_after_seconds": 3}}), Some(3000)),
            (json!({"retry_after": "1.5"}), Some(1500)),
            (json!({"retry_after_ms": 250}), Some(250)),
            // Hugging Face, while it loads the model.
            (
                json!({"error": "Model x is currently loading", "estimated_time": 20.5}),
                Some(20_500),
            ),
            (json!({"retry_after": 0}), None),
            (json!({"retry_after": -1}), None),
            (json!({"retry_after": 1e300}), None),
            (json!({"retry_after": true}), None),
            (json!("text"), None),
        ] {
            assert_eq!(read(&error, None), millis.map(Duration::from_millis), "{error}");
        }
    }

    #[test]
    fn waits_are_read_from_messages() {
        for (message, millis) in [
            ("Quota exceeded. Please retry in 2.5s.", Some(2500)),
            ("Please retry in 44.331018713s.", Some(44_331)),
            ("Rate limit reached. Please try again in 20ms. Visit", Some(20)),
            ("Please try again in 7m12.5s. Need more tokens?", Some(432_500)),
            ("Please try again in 6m0s.", Some(360_000)),
            ("Please retry after 59 seconds.", Some(59_000)),
            ("try again in 1 minute and 30 seconds", Some(90_000)),
            ("You must wait 20 seconds", Some(20_000)),
            ("wait for at least 3 sec", Some(3000)),
            ("Try again after 2 hours", Some(7_200_000)),
            ("Please wait 3600 seconds before retrying.", Some(3_600_000)), // GitHub
            ("max RPM: 3, please try again after 1 seconds", Some(1000)),   // Moonshot
            ("No deployments available, Try again in 5 seconds. Passed model=x", Some(5000)), // LiteLLM
            ("Please retry your request after 10 seconds.", Some(10_000)), // Azure
            ("Your limit resets after 1h 30m.", Some(5_400_000)),
            ("retry in a while", None),
            ("retry after 2026-11-27", None),
            ("retry after 12", None),
            ("please wait before trying again in 5 s", Some(5000)),
            ("wait 5 apples", None),
            ("retry in 0s", None),
            ("", None),
        ] {
            let wait = read(&Value::Null, Some(message)).map(|wait| wait.as_millis());
            assert_eq!(wait, millis, "{message}");
        }
    }
}
