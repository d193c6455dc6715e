//! Which failure an error response is.

use serde_json::Value;

use super::super::{Failure, Reply, json, redirect};
use crate::error::ErrorKind;

/// Classes a response of any status but success.
pub(in crate::provider) fn failure(reply: Reply<'_>) -> Failure {
    if (300..400).contains(&reply.status) {
        return redirect::redirect(reply);
    }
    let report = match serde_json::from_slice(reply.body) {
        Ok(value) => Report::read(&value),
        // A page from a proxy. It may say more than the status.
        Err(_) => Report {
            message: Some(json::excerpt(reply.body)).filter(|text| !text.is_empty()),
            ..Report::default()
        },
    };
    report.into_failure(reply.status)
}

/// Classes an error that comes under status 200, in a body or a stream.
pub(super) fn inside(body: Value) -> Failure {
    Report::read(&body).into_failure(200)
}

/// What an error body says. Anthropic's is `{"type": "error", "error": {"type",
/// "message", "details"}, "request_id"}`; gateways in front of it also send
/// OpenAI's `{"error": {"message", "type", "code"}}`, FastAPI's `{"detail"}` and
/// AWS's `{"message"}`.
#[derive(Default)]
struct Report {
    kind: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

impl Report {
    fn read(body: &Value) -> Self {
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let error = body.get("error").unwrap_or(body);
        let message = text(error.get("message"))
            .or_else(|| text(Some(error)))
            .or_else(|| text(body.get("message")))
            .or_else(|| text(body.get("Message")))
            .or_else(|| text(body.get("detail")))
            .or_else(|| text(body.pointer("/detail/message")))
            // FastAPI's list of faults also holds the input, which is left out.
            .or_else(|| text(body.pointer("/detail/0/msg")));
        let kind = text(error.get("type")).filter(|kind| kind != "error" && kind != "None");
        let code = text(error.pointer("/details/error_code"))
            .or_else(|| text(error.get("code")))
            .filter(|code| !code.bytes().all(|byte| byte.is_ascii_digit()));
        Self { kind, code, message }
    }

    fn into_failure(self, status: u16) -> Failure {
        let kind = classify(
            status,
            self.kind.as_deref().unwrap_or_default(),
            self.code.as_deref().unwrap_or_default(),
            self.message.as_deref().unwrap_or_default(),
        );
        let message = self.message.unwrap_or_else(|| match status {
            200..300 => "the server answered with an error it does not explain".to_owned(),
            _ => format!("the server answered with status {status} and no explanation"),
        });
        Failure { kind, code: self.code.or(self.kind), message }
    }
}

/// The class by status, the error's type and code, and its message.
///
/// First what only the code or the words tell apart, then a type that says one
/// thing, then the status. The types `invalid_request_error` and `api_error` are
/// catch-alls (the former "may also be used for other 4XX status codes",
/// Anthropic's page "Errors"), so the status goes before them.
fn classify(status: u16, kind: &str, code: &str, message: &str) -> ErrorKind {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    // Anthropic's pages "Errors" and "Rate limits", by developersdigest.tech: the
    // tier's spend cap is a 429 without retry-after and with this code in
    // `error.details.error_code`; a limit one set oneself is a 400 with the words
    // "You have reached your specified API usage limits" or "… workspace …".
    if status == 402
        || matches!(kind, "billing_error" | "insufficient_quota")
        || matches!(code, "enforced_spend_limit_reached" | "insufficient_quota")
        || says(&[
            "credit balance is too low",
            "reached your specified api usage limits",
            "reached your specified workspace api usage limits",
            "enforced_spend_limit_reached",
        ])
    {
        return ErrorKind::QuotaExhausted;
    }
    if matches!(status, 200..300 | 400 | 413 | 422) {
        // The first is recorded, the second comes when the input fits but not with
        // `max_tokens` behind it, the third is Bedrock's; the code is OpenAI's.
        if code == "context_length_exceeded"
            || says(&[
                "prompt is too long",
                "exceed context limit",
                "input is too long for requested model",
            ])
        {
            return ErrorKind::ContextWindowExceeded;
        }
        if says(&["blocked by content filtering policy"]) {
            return ErrorKind::ContentPolicy;
        }
    }
    match kind {
        "authentication_error" => return ErrorKind::Authentication,
        "permission_error" => return ErrorKind::Permission,
        "not_found_error" => return ErrorKind::NotFound,
        "rate_limit_error" => return ErrorKind::RateLimited,
        "overloaded_error" => return ErrorKind::Overloaded,
        "timeout_error" | "conflict_error" => return ErrorKind::Server,
        // More than 32 MB (Anthropic's page "Request size limits"). Not the
        // context window: mostly it is images, and no tokens were counted.
        "request_too_large" => return ErrorKind::InvalidRequest,
        _ => {}
    }
    match status {
        401 => ErrorKind::Authentication,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        // Timeouts and lock timeouts, which the SDKs retry (`_base_client.py`).
        408 | 409 => ErrorKind::Server,
        429 => ErrorKind::RateLimited,
        503 | 529 => ErrorKind::Overloaded,
        400..500 => ErrorKind::InvalidRequest,
        200..300 if kind == "invalid_request_error" => ErrorKind::InvalidRequest,
        _ => ErrorKind::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failed(status: u16, body: &str) -> Failure {
        failure(Reply { status, headers: &[], body: body.as_bytes() })
    }

    #[test]
    fn anthropics_errors_have_their_classes() {
        use ErrorKind::{
            Authentication, ContentPolicy, ContextWindowExceeded, InvalidRequest, NotFound,
            Overloaded, Permission, QuotaExhausted, RateLimited, Server,
        };
        for (status, kind, message, expected) in [
            (400, "invalid_request_error", "max_tokens: Field required", InvalidRequest),
            (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.",
                QuotaExhausted,
            ),
            (
                400,
                "invalid_request_error",
                "You have reached your specified API usage limits. You will regain access on \
                 2026-12-01 at 00:00 UTC.",
                QuotaExhausted,
            ),
            (
                400,
                "invalid_request_error",
                "You have reached your specified workspace API usage limits.",
                QuotaExhausted,
            ),
            (
                400,
                "invalid_request_error",
                "prompt is too long: 3333404 tokens > 200000 maximum",
                ContextWindowExceeded,
            ),
            (
                400,
                "invalid_request_error",
                "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000",
                ContextWindowExceeded,
            ),
            (
                400,
                "invalid_request_error",
                "Output blocked by content filtering policy",
                ContentPolicy,
            ),
            (401, "authentication_error", "invalid x-api-key", Authentication),
            (402, "billing_error", "", QuotaExhausted),
            (403, "permission_error", "", Permission),
            (404, "not_found_error", "model: x", NotFound),
            (409, "conflict_error", "", Server),
            (413, "request_too_large", "Request exceeds the maximum size", InvalidRequest),
            (429, "rate_limit_error", "prompt is too long for now", RateLimited),
            (500, "api_error", "Internal server error", Server),
            (504, "timeout_error", "", Server),
            (529, "overloaded_error", "Overloaded", Overloaded),
            (500, "overloaded_error", "Overloaded", Overloaded),
            (418, "invalid_request_error", "", InvalidRequest),
            (401, "invalid_request_error", "", Authentication),
            (503, "api_error", "", Overloaded),
            (529, "api_error", "", Overloaded),
            (200, "overloaded_error", "Overloaded", Overloaded),
            (200, "rate_limit_error", "", RateLimited),
            (200, "api_error", "", Server),
            (200, "invalid_request_error", "", InvalidRequest),
            (200, "brand_new_error", "", Server),
            (418, "brand_new_error", "", InvalidRequest),
            (507, "brand_new_error", "", Server),
        ] {
            let body = json!({"type": "error", "error": {"type": kind, "message": message}});
            let failure = match status {
                200 => inside(body),
                _ => failed(status, &body.to_string()),
            };
            assert_eq!(failure.kind, expected, "{status} {kind} {message}");
            assert_eq!(failure.code.as_deref(), Some(kind));
            match message {
                "" => assert!(failure.message.starts_with("the server answered with")),
                _ => assert_eq!(failure.message, message),
            }
        }
    }

    #[test]
    fn a_spend_limit_is_no_rate_limit() {
        let body = json!({"type": "error", "error": {
            "type": "rate_limit_error", "message": "Limit reached",
            "details": {"error_code": "enforced_spend_limit_reached"},
        }});
        let failure = failed(429, &body.to_string());
        assert_eq!(failure.kind, ErrorKind::QuotaExhausted);
        assert_eq!(failure.code.as_deref(), Some("enforced_spend_limit_reached"));
    }

    #[test]
    fn bodies_of_gateways_are_understood() {
        use ErrorKind::{
            Authentication, ContextWindowExceeded, InvalidRequest, Overloaded, Permission,
            QuotaExhausted, RateLimited, Server,
        };
        for (status, body, kind, code, message) in [
            (429, r#"{"message": "Too many requests"}"#, RateLimited, None, "Too many requests"),
            (403, r#"{"Message": "Not yours"}"#, Permission, None, "Not yours"),
            (
                400,
                r#"{"message": "Input is too long for requested model."}"#,
                ContextWindowExceeded,
                None,
                "Input is too long for requested model.",
            ),
            (401, r#"{"detail": "No key"}"#, Authentication, None, "No key"),
            (
                422,
                r#"{"detail": [{"msg": "Field required", "input": "secret"}]}"#,
                InvalidRequest,
                None,
                "Field required",
            ),
            (500, r#"{"error": "broken"}"#, Server, None, "broken"),
            (
                429,
                r#"{"error": {"message": "slow", "type": "None", "code": "429"}}"#,
                RateLimited,
                None,
                "slow",
            ),
            (
                401,
                r#"{"error": {"message": "bad", "type": "invalid_request_error",
                    "code": "invalid_api_key"}}"#,
                Authentication,
                Some("invalid_api_key"),
                "bad",
            ),
            (
                429,
                r#"{"error": {"message": "pay", "type": "insufficient_quota", "code": null}}"#,
                QuotaExhausted,
                Some("insufficient_quota"),
                "pay",
            ),
            (
                502,
                "<html><h1>502 Bad Gateway</h1><hr>nginx</html>",
                Server,
                None,
                "502 Bad Gateway nginx",
            ),
            (503, "", Overloaded, None, "status 503 and no explanation"),
            (400, r#"{"echo": "secret"}"#, InvalidRequest, None, "status 400 and no explanation"),
            (400, r#"["secret"]"#, InvalidRequest, None, "status 400 and no explanation"),
            (408, "null", Server, None, "status 408 and no explanation"),
        ] {
            let failure = failed(status, body);
            assert_eq!(failure.kind, kind, "{status} {body}");
            assert_eq!(failure.code.as_deref(), code, "{status} {body}");
            assert!(failure.message.contains(message), "{}", failure.message);
            assert!(!failure.message.contains("secret"));
        }
    }

    #[test]
    fn a_redirect_is_told_as_one() {
        let headers = [("location".to_owned(), "https://other.example/v1".to_owned())];
        let failure = failure(Reply { status: 307, headers: &headers, body: b"" });
        assert_eq!(failure.kind, ErrorKind::Protocol);
        assert!(failure.message.contains("https://other.example;"), "{}", failure.message);
    }
}
