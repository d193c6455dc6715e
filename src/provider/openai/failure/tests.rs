use super::*;
use ErrorKind::*;

fn failed(status: u16, body: &str) -> Failure {
    failure(Reply { status, headers: &[], body: body.as_bytes() })
}

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
        assert_eq!(failed(status, "").kind, Protocol, "{status}");
    }
}

#[test]
fn codes_and_words_refine_the_status() {
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
    ] {
        let failure = failed(status, &error(kind, code.clone(), message));
        assert_eq!(failure.kind, expected, "{status} {kind} {code} {message}");
        assert_eq!(failure.message, message);
        assert_eq!(failure.code.as_deref(), Some(code.as_str().unwrap_or(kind)));
    }
}

#[test]
fn words_are_not_believed_where_they_do_not_belong() {
    // A key or a model may be named like anything.
    let failure = failed(404, &error("x", json!(null), "no model maximum context length"));
    assert_eq!(failure.kind, NotFound);
    let failure = failed(401, &error("x", json!(null), "insufficient balance"));
    assert_eq!(failure.kind, Authentication);
}

#[test]
fn every_shape_of_error_body_gives_its_message() {
    for (body, message, code) in [
        (r#"{"error": "no such thing"}"#, "no such thing", None),
        (r#"{"message": "no"}"#, "no", None),
        (r#"{"detail": "Invalid API Key"}"#, "Invalid API Key", None),
        (
            r#"{"detail": [{"loc": ["body"], "msg": "Field required", "type": "missing", "input": "secret"}, {"msg": "b"}]}"#,
            "Field required; b",
            None,
        ),
        (r#"{"detail": {"message": "deep"}}"#, "deep", None),
        (
            r#"{"object": "error", "message": "bad", "type": "BadRequestError", "param": null, "code": 400}"#,
            "bad",
            Some("BadRequestError"),
        ),
        (r#"[{"error": {"code": 400, "message": "bad thing", "status": "X"}}]"#, "bad thing", None),
        (r#"{"errors": [{"code": 7003, "message": "route"}]}"#, "route", None),
        (
            r#"{"code": "no credits for you", "error": "Forbidden thing"}"#,
            "Forbidden thing",
            Some("no credits for you"),
        ),
        (
            r#"{"error": {"message": "", "code": "x"}}"#,
            "the error body holds no message",
            Some("x"),
        ),
        (r#"{"what": "secret"}"#, "the error body holds no message", None),
        ("", "no body", None),
        ("<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway", None),
        ("upstream connect error", "upstream connect error", None),
    ] {
        let failure = failed(400, body);
        assert_eq!(failure.message, message, "{body}");
        assert_eq!(failure.code.as_deref(), code, "{body}");
        assert_eq!(failure.kind, InvalidRequest, "{body}");
    }
}

#[test]
fn marks_beside_the_error_are_seen() {
    let azure = json!({"error": {
        "message": "filtered", "type": null, "param": "prompt", "code": "BadRequest", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
    }});
    assert_eq!(failed(400, &azure.to_string()).kind, ContentPolicy);
    let openrouter = json!({"error": {
        "code": 403, "message": "Input was flagged",
        "metadata": {"reasons": ["violence"], "flagged_input": "secret"},
    }});
    let failure = failed(403, &openrouter.to_string());
    assert_eq!((failure.kind, failure.message.as_str()), (ContentPolicy, "Input was flagged"));
}

#[test]
fn an_error_under_200_is_classed_by_what_it_says() {
    for (error, expected) in [
        (json!({"code": 429, "message": "m"}), RateLimited),
        (json!({"code": "502", "message": "m"}), Server),
        (json!({"code": 503, "message": "m"}), Overloaded),
        (json!({"code": 402, "message": "m"}), QuotaExhausted),
        (json!({"code": 0, "message": "m"}), Server),
        (json!({"type": "invalid_request_error", "message": "m"}), InvalidRequest),
        (json!({"type": "rate_limit_error", "message": "m"}), RateLimited),
        (json!({"type": "authentication_error", "message": "m"}), Authentication),
        (json!({"type": "permission_error", "message": "m"}), Permission),
        (json!({"type": "not_found_error", "message": "m"}), NotFound),
        (json!({"type": "overloaded_error", "message": "m"}), Overloaded),
        (json!({"code": "insufficient_quota", "message": "m"}), QuotaExhausted),
        (json!({"message": "maximum context length is 5"}), ContextWindowExceeded),
        (json!("just text"), Server),
        (json!({}), Server),
    ] {
        assert_eq!(under_200(error.clone()).kind, expected, "{error}");
    }
}

#[test]
fn redirects_are_reported_whatever_their_status() {
    let headers = [("location".to_owned(), "https://eu.api.test/v1/chat".to_owned())];
    for status in [301, 302, 307, 308] {
        let failure = failure(Reply { status, headers: &headers, body: b"" });
        assert_eq!(failure.kind, Protocol);
        assert!(failure.message.contains("https://eu.api.test"), "{}", failure.message);
    }
}
