//! Tests of the errors from the bodies of failed responses.

use super::*;
use crate::wire::{HeaderFields, Wire, header_fields};
use ErrorKind::*;

const WIRES: [Wire; 3] = [Wire::OpenAiChat, Wire::OpenAiCompletions, Wire::Anthropic];

/// Returns the failure of a body, which is the same in every format.
pub(super) fn failed(status: u16, body: &str) -> Failure {
    let reply =
        Reply { status, headers: &HeaderFields::default(), body: body.as_bytes(), sent: None };
    let [first, rest @ ..] = WIRES.map(|wire| wire.decode(reply, &wire.inventor()).unwrap_err());
    for failure in rest {
        assert_eq!(failure, first, "{status} {body}");
    }
    first
}

#[test]
fn every_shape_of_error_body_yields_its_message() {
    let unexplained = "the server answered with status 400 and no explanation";
    for (body, message, code) in [
        (r#"{"error": "no such thing"}"#, "no such thing", None),
        // ASP.NET, Spring, NestJS.
        (
            r#"{"title": "One or more validation errors occurred.", "errors": {"model": ["no", "x"], "n": "y"}}"#,
            "One or more validation errors occurred. model: no; x; n: y",
            None,
        ),
        (r#"{"status": 400, "error": "Bad Request", "message": "no", "path": "/x"}"#, "no", None),
        (r#"{"message": ["no", "x"], "error": "Bad Request", "statusCode": 400}"#, "no; x", None),
        (r#"{"error": "Bad Request"}"#, "Bad Request", None),
        (r#"{"error": "Bad Request", "message": ""}"#, "Bad Request", None),
        // Apigee, AWS, Tencent, Google's older form, and others.
        (r#"{"fault": {"faultstring": "no", "detail": {"errorcode": "x"}}}"#, "no", None),
        (r#"{"Error": {"Code": "X", "Message": "no"}}"#, "no", Some("X")),
        (r#"{"Response": {"Error": {"Code": "X", "Message": "no"}}}"#, "no", Some("X")),
        (r#"{"error": {"errors": [{"message": "no", "reason": "x"}]}}"#, "no", None),
        (r#"{"error": {"description": "no"}}"#, "no", None),
        (r#"{"reason": "no"}"#, "no", None),
        (r#"{"message": "no"}"#, "no", None),
        (r#"{"detail": "Invalid thing"}"#, "Invalid thing", None),
        (
            r#"{"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": {"secret": 1}}]}, "type": "invalid_request_error", "param": null, "code": null}"#,
            "stream_options: Extra inputs are not permitted",
            Some("invalid_request_error"),
        ),
        (
            r#"{"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "Field required"}, {"loc": ["query", "q"], "msg": "b"}]}"#,
            "messages.0.content: Field required; query.q: b",
            None,
        ),
        (
            r#"{"error": {"message": ["a", {"message": "b"}, {"msg": "c", "loc": ["x"]}]}}"#,
            "a; b; x: c",
            None,
        ),
        (r#"{"error": {"message": {"error": {"message": "deep"}}}}"#, "deep", None),
        (r#"{"message": {"message": "deep"}}"#, "deep", None),
        (r#"{"errors": ["flat"]}"#, "flat", None),
        (r#"{"error": {"detail": "why"}}"#, "why", None),
        (
            r#"{"type": "urn:x", "title": "Bad Request", "status": 400, "detail": "why"}"#,
            "why",
            Some("urn:x"),
        ),
        (r#"{"title": "Bad Request", "status": 400}"#, "Bad Request", None),
        (
            r#"{"error": "invalid_client", "error_description": "unknown client"}"#,
            "unknown client",
            Some("invalid_client"),
        ),
        (r#"{"error_code": 7, "error_msg": "bad"}"#, "bad", None),
        (
            r#"{"base_resp": {"status_code": 2013, "status_msg": "invalid params"}}"#,
            "invalid params",
            Some("2013"),
        ),
        (r#"{"error": {"code": "1214", "message": "bad field"}}"#, "bad field", Some("1214")),
        (r#"{"error": {"code": 1214, "message": "bad field"}}"#, "bad field", Some("1214")),
        (
            r#"{"error": {"message": "{\n \"error\": {\"code\": 400, \"message\": \"inner\", \"status\": \"X\"}}", "code": 400}}"#,
            "inner",
            None,
        ),
        (
            "event: error\ndata: {\"error\": {\"message\": \"in a stream\", \"code\": \"x\"}}\n\n",
            "in a stream",
            Some("x"),
        ),
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
        (
            r#"{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}"#,
            "bad",
            Some("INVALID_ARGUMENT"),
        ),
        (
            r#"{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT", "details": [{"reason": "BAD_THING"}]}}"#,
            "bad",
            Some("BAD_THING"),
        ),
        (r#"{"errors": [{"code": 7003, "message": "route"}]}"#, "route", Some("7003")),
        (r#"{"error": {"code": "1302", "message": "busy"}}"#, "busy", Some("1302")),
        (r#"{"error": {"code": 1302, "message": "busy"}}"#, "busy", Some("1302")),
        (r#"{"code": -7, "message": "bad"}"#, "bad", Some("-7")),
        (r#"{"error": {"code": 0, "message": "bad", "type": "x"}}"#, "bad", Some("x")),
        (r#"{"error": {"code": 1302, "message": "bad", "type": "x"}}"#, "bad", Some("1302")),
        (
            r#"{"code": "no credits for you", "error": "Forbidden thing"}"#,
            "Forbidden thing",
            Some("no credits for you"),
        ),
        (r#"{"Message": "Not yours"}"#, "Not yours", None),
        (r#"{"error": {"message": "slow", "type": "None", "code": "429"}}"#, "slow", None),
        (r#"{"error": {"message": "cut \ud83d", "code": NaN}}"#, "cut \u{fffd}", None),
        (r#"{"error": {"message": "", "code": "x"}}"#, unexplained, Some("x")),
        (r#"{"what": "secret"}"#, unexplained, None),
        (r#"["secret"]"#, unexplained, None),
        ("null", unexplained, None),
        ("", unexplained, None),
        // Not JSON, but too similar to show.
        (r#"{"detail": [{"input": "secret"}"#, unexplained, None),
        ("\"secret", unexplained, None),
        ("Traceback:\n  secret", unexplained, None),
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
fn a_page_says_no_more_than_its_status() {
    for (status, expected) in [
        (400, InvalidRequest),
        (403, Permission),
        (429, RateLimited),
        (502, Server),
        (503, Overloaded),
    ] {
        let page = "<html><style>p{}</style><p>prompt is too long, insufficient balance</p></html>";
        let failure = failed(status, page);
        assert_eq!((failure.kind, failure.code), (expected, None));
        assert_eq!(failure.message, "prompt is too long, insufficient balance");
    }
}

#[test]
fn an_oversized_error_body_is_ignored() {
    let body = format!("{{\"error\": {{\"message\": \"m\", \"x\": [{}0]}}}}", "0,".repeat(20_000));
    let failure = failed(429, &body);
    assert_eq!(failure.kind, RateLimited);
    assert!(failure.message.contains("no explanation"), "{}", failure.message);
}

#[test]
fn flags_next_to_the_error_are_read() {
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
    let upstream = json!({"type": "error", "error": {
        "type": "invalid_request_error", "message": "prompt is too long: 2 tokens > 1 maximum",
    }});
    let openrouter = json!({"error": {
        "code": 400, "message": "Provider returned error",
        "metadata": {"raw": upstream.to_string(), "provider_name": "Anthropic"},
    }});
    let failure = failed(400, &openrouter.to_string());
    assert_eq!(failure.kind, ContextWindowExceeded);
    let message = "Provider returned error: prompt is too long: 2 tokens > 1 maximum";
    assert_eq!(failure.message, message);
}

#[test]
fn an_error_with_status_200_is_classified_by_its_content() {
    for (error, expected) in [
        (json!({"code": 429, "message": "m"}), RateLimited),
        (json!({"code": 529, "message": "m"}), Overloaded),
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
        assert_eq!(Failure::inside(&error).kind, expected, "{error}");
    }
}

#[test]
fn every_redirect_status_is_reported() {
    let headers = header_fields(&[("location", "https://eu.api.test/v1/chat")]);
    for status in [301, 302, 307, 308] {
        for wire in WIRES {
            let failure = wire
                .decode(
                    Reply { status, headers: &headers, body: b"", sent: None },
                    &wire.inventor(),
                )
                .unwrap_err();
            assert_eq!(failure.kind, Protocol);
            assert!(failure.message.contains("https://eu.api.test"), "{}", failure.message);
        }
    }
}
