//! Tests of the classification of provider errors.

mod vendors;

use super::*;
use crate::wire::reply::failure::tests::failed;
use serde_json::{Value, json};

fn error(kind: &str, code: Value, message: &str) -> String {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

#[test]
fn a_status_alone_has_a_class() {
    for (status, expected) in [
        (400, InvalidRequest),
        (401, Authentication),
        (402, QuotaExhausted),
        (403, Permission),
        (404, NotFound),
        (405, InvalidRequest),
        (408, Server),
        (409, Server),
        (410, NotFound),
        (413, InvalidRequest),
        (418, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimited),
        (498, Overloaded),
        (499, Server),
        (500, Server),
        (502, Server),
        (503, Overloaded),
        (504, Server),
        (520, Server),
        (529, Overloaded),
        (599, Server),
    ] {
        for body in ["", "{}", "null", "[]", "<html>oops</html>", r#"{"error": null}"#] {
            let failure = failed(status, body);
            assert_eq!(failure.kind, expected, "{status} {body}");
            assert_eq!(failure.code, None);
            assert!(!failure.message.is_empty());
        }
    }
    for status in [100, 101, 199, 600, 999] {
        let failure = failed(status, "{\"error\": {\"type\": \"overloaded_error\"}}");
        assert_eq!(failure.kind, Protocol, "{status}");
        assert!(failure.message.contains("unexpected status"), "{}", failure.message);
    }
}

#[test]
fn codes_and_messages_refine_the_status() {
    let invalid = "invalid_request_error";
    for (status, kind, code, message, expected) in [
        (400, invalid, json!(null), "Web search options not supported", InvalidRequest),
        (
            400,
            invalid,
            json!("unsupported_parameter"),
            "Use 'max_completion_tokens'",
            InvalidRequest,
        ),
        (400, invalid, json!("context_length_exceeded"), "too long", ContextWindowExceeded),
        (
            400,
            "exceed_context_size_error",
            json!(400),
            "request (9 tokens) exceeds",
            ContextWindowExceeded,
        ),
        (
            400,
            "BadRequestError",
            json!(400),
            "This model's maximum context length is 8192 tokens.",
            ContextWindowExceeded,
        ),
        (
            400,
            "BadRequestError",
            json!(400),
            "However, the model's context length is only 1024 tokens",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            json!(null),
            "This model's maximum prompt length is 131072 but",
            ContextWindowExceeded,
        ),
        (
            400,
            "too_many_prompt_tokens",
            json!(400),
            "The total length is too long.",
            ContextWindowExceeded,
        ),
        (413, "x", json!(null), "Prompt exceeds the maximum context length", ContextWindowExceeded),
        (
            413,
            "tokens",
            json!("rate_limit_exceeded"),
            "Request too large for model `l` on TPM",
            InvalidRequest,
        ),
        (
            429,
            "tokens",
            json!("rate_limit_exceeded"),
            "Request too large for gpt-4o on TPM",
            InvalidRequest,
        ),
        (400, invalid, json!("content_policy_violation"), "no", ContentPolicy),
        (400, "x", json!("content_filter"), "The response was filtered", ContentPolicy),
        (
            400,
            invalid,
            json!("invalid_prompt"),
            "Flagged as potentially violating our usage policy.",
            ContentPolicy,
        ),
        (400, invalid, json!("model_not_found"), "The requested model does not exist.", NotFound),
        (404, invalid, json!("DeploymentNotFound"), "no deployment", NotFound),
        (404, invalid, json!("model_not_found"), "no model", NotFound),
        (400, invalid, json!("invalid_api_key"), "Incorrect API key", Authentication),
        (401, invalid, json!("invalid_api_key"), "Incorrect API key", Authentication),
        (
            400,
            "INVALID_ARGUMENT",
            json!(400),
            "API key not valid. Pass a valid one.",
            Authentication,
        ),
        (401, "authentication_error", json!("invalid_request_error"), "Fails", Authentication),
        (403, "request_forbidden", json!("unsupported_country_region_territory"), "no", Permission),
        (403, "x", json!("access_terminated"), "terminated", Permission),
        (403, "x", json!(null), "Your team doesn't have any credits yet.", QuotaExhausted),
        (403, "x", json!("p"), "You have run out of credits.", QuotaExhausted),
        (400, invalid, json!("p"), "exceeded model token limit: 5", ContextWindowExceeded),
        (400, "x", json!("DataInspectionFailed"), "no", ContentPolicy),
        (
            402,
            "unknown_error",
            json!("invalid_request_error"),
            "Insufficient Balance",
            QuotaExhausted,
        ),
        (429, "requests", json!("rate_limit_exceeded"), "Rate limit reached", RateLimited),
        (429, "rate_limit_error", json!("slow_down"), "Slow down", RateLimited),
        (429, "insufficient_quota", json!("insufficient_quota"), "You exceeded", QuotaExhausted),
        (429, "insufficient_quota", json!(null), "You exceeded", QuotaExhausted),
        (
            429,
            "insufficient_quota",
            json!("credit_balance_exhausted"),
            "no credits",
            QuotaExhausted,
        ),
        (429, "x", json!("project_spend_limit_exceeded"), "spent", QuotaExhausted),
        (429, "x", json!("organization_usage_limit_exceeded"), "spent", QuotaExhausted),
        (400, invalid, json!("billing_hard_limit_reached"), "limit", QuotaExhausted),
        (429, "x", json!("billing_not_active"), "inactive", QuotaExhausted),
        (429, "engine_overloaded_error", json!(null), "busy", Overloaded),
        (503, "service_unavailable_error", json!("server_is_overloaded"), "busy", Overloaded),
        (500, "server_error", json!(null), "The server had an error", Server),
        // Gateways pass these through in either format.
        (
            400,
            invalid,
            json!("400"),
            "litellm.BadRequestError: AnthropicException - {\"error\": {\"message\": \"Your credit balance is too low to\"}}",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            json!("400"),
            "litellm.ContextWindowExceededError: too many tokens",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            json!(null),
            "Input is too long for requested model.",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            json!("invalid_prompt"),
            "Invalid prompt: we've limited access to this content for safety reasons. This type",
            ContentPolicy,
        ),
        (
            400,
            invalid,
            json!("invalid_prompt"),
            "Invalid prompt: the schema is malformed",
            InvalidRequest,
        ),
        (
            429,
            "rate_limit_error",
            json!("enforced_spend_limit_reached"),
            "Limit reached",
            QuotaExhausted,
        ),
        (429, "x", json!(null), "litellm: enforced_spend_limit_reached", QuotaExhausted),
        (401, "invalid_api_key", json!(401), "Invalid API key provided.", Authentication),
    ] {
        let failure = failed(status, &error(kind, code.clone(), message));
        assert_eq!(failure.kind, expected, "{status} {kind} {code} {message}");
        assert_eq!(failure.message, message);
        let digits = |code: &&str| code.bytes().all(|byte| byte.is_ascii_digit());
        let code = code.as_str().filter(|code| !digits(code));
        assert_eq!(failure.code.as_deref(), Some(code.unwrap_or(kind)));
    }
}

#[test]
fn anthropics_types_have_their_classes() {
    let invalid = "invalid_request_error";
    for (status, kind, message, expected) in [
        (400, invalid, "max_tokens: Field required", InvalidRequest),
        (
            400,
            invalid,
            "Your credit balance is too low to access the Anthropic API.",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            "You have reached your specified API usage limits. You will regain access on \
             2026-12-01 at 00:00 UTC.",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            "You have reached your specified workspace API usage limits.",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            "prompt is too long: 3333404 tokens > 200000 maximum",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000",
            ContextWindowExceeded,
        ),
        (400, invalid, "Output blocked by content filtering policy", ContentPolicy),
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
        (418, invalid, "", InvalidRequest),
        (401, invalid, "", Authentication),
        (503, "api_error", "", Overloaded),
        (529, "api_error", "", Overloaded),
        (200, "overloaded_error", "Overloaded", Overloaded),
        (200, "rate_limit_error", "", RateLimited),
        (200, "api_error", "", Server),
        (200, invalid, "", InvalidRequest),
        (200, "brand_new_error", "", Server),
        (418, "brand_new_error", "", InvalidRequest),
        (507, "brand_new_error", "", Server),
    ] {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}});
        let failure = failed(status, &body.to_string());
        assert_eq!(failure.kind, expected, "{status} {kind} {message}");
        assert_eq!(failure.code.as_deref(), Some(kind));
        match message {
            "" => assert!(failure.message.starts_with("the server answered with")),
            _ => assert_eq!(failure.message, message),
        }
    }
}

#[test]
fn a_spend_limit_is_not_a_rate_limit() {
    let body = json!({"type": "error", "error": {
        "type": "rate_limit_error", "message": "Limit reached",
        "details": {"error_code": "enforced_spend_limit_reached"},
    }});
    let failure = failed(429, &body.to_string());
    assert_eq!(failure.kind, QuotaExhausted);
    assert_eq!(failure.code.as_deref(), Some("enforced_spend_limit_reached"));
}

#[test]
fn messages_under_an_implausible_status_are_ignored() {
    // A key or a model can have any name.
    let failure = failed(404, &error("x", json!(null), "no model maximum context length"));
    assert_eq!(failure.kind, NotFound);
    let failure = failed(401, &error("x", json!(null), "insufficient balance"));
    assert_eq!(failure.kind, Authentication);
}
