//! Detects provider failures that come with status 200.

use serde_json::{Value, json};

use super::finish_reason;
use crate::error::ErrorKind;
use crate::wire::Failure;

/// The error for an answer without any content. A model with nothing to say still sends a finish
/// reason.
pub(in crate::wire) const NO_ANSWER: &str =
    "the response has no answer: it has neither content nor a finish reason";

/// Returns true if the value of an `error` member reports an error. In good answers some servers
/// write null, `false`, an empty string, `{}` or `{"code": 0, "message": ""}`.
pub(in crate::wire) fn is_error(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(errors) => errors.iter().any(is_error),
        Value::Object(members) => members.values().any(is_error),
    }
}

/// Returns the failure if the finish reason names one: `error` of OpenRouter and vLLM,
/// `network_error` of Z.AI. `native` is the more specific reason of the provider behind OpenRouter.
pub(in crate::wire) fn ending(raw: &str, native: &str) -> Option<Failure> {
    if !finish_reason::is_failure(raw) {
        return None;
    }
    let message = match native {
        "" => format!("the provider ended the answer with the finish reason {raw:?}"),
        _ => format!("the provider ended the answer with the finish reason {raw:?} ({native})"),
    };
    let code = if native.is_empty() { raw } else { native };
    Some(Failure { kind: ErrorKind::Server, code: Some(code.to_owned()), message, wait: None })
}

/// Returns the failure that MiniMax reports in `base_resp` with its own code
/// (platform.minimax.io/docs/api-reference/errorcode); 0 is success.
pub(in crate::wire) fn base_resp(value: &Value) -> Option<Failure> {
    let code = value.get("status_code")?.as_i64().filter(|code| *code != 0)?;
    let message = value.get("status_msg").and_then(Value::as_str).unwrap_or_default();
    let failure = Failure::inside(&json!({"code": code, "message": message}));
    let kind = match code {
        1002 | 1039 | 1041 | 2045 | 2056 => ErrorKind::RateLimited,
        1004 | 2049 => ErrorKind::Authentication,
        1008 => ErrorKind::QuotaExhausted,
        1026 | 1027 => ErrorKind::ContentPolicy,
        1042 | 1043 | 1044 | 2013 => ErrorKind::InvalidRequest,
        2042 => ErrorKind::Permission,
        _ => failure.kind,
    };
    Some(Failure { kind, code: Some(code.to_string()), ..failure })
}

/// Returns the failure of a body or event without an answer, if it reports one in any known form of
/// error body.
pub(in crate::wire) fn report(body: &Value) -> Option<Failure> {
    if let Some(failure) = body.get("base_resp").and_then(base_resp) {
        return Some(failure);
    }
    if let Some(error) = body.get("error").filter(|error| is_error(error)) {
        return Some(Failure::inside(error));
    }
    if let Some(error) = body.pointer("/x_groq/error").filter(|error| is_error(error)) {
        return Some(Failure::inside(error));
    }
    (is_marked(body) || explains(body)).then(|| Failure::of_body(body))
}

/// Returns the failure of an event without choices. A bare explanation can also be a progress
/// message, so the event must be marked as a failure too.
pub(in crate::wire) fn event(body: &Value) -> Option<Failure> {
    let members = body.as_object()?;
    let fails = members.iter().any(|(name, value)| match name.as_str() {
        "status" | "code" | "status_code" | "statusCode" | "error_code" => match value {
            Value::Number(code) => code.as_f64().is_some_and(|code| code >= 400.0),
            Value::String(word) => {
                matches!(&*word.to_lowercase(), "error" | "fail" | "failed" | "failure")
                    || word.parse().is_ok_and(|code: u32| code >= 400)
            }
            _ => false,
        },
        _ => false,
    });
    let is_alone =
        members.len() == 1 && ["detail", "error_msg"].iter().any(|it| members.contains_key(*it));
    (is_marked(body) || ((fails || is_alone) && explains(body))).then(|| Failure::of_body(body))
}

/// Returns true if a body without an answer is marked as an error.
fn is_marked(body: &Value) -> bool {
    body.pointer("/errors/0").is_some_and(is_error)
        || ["object", "type"].iter().any(|name| body.get(*name).is_some_and(|it| it == "error"))
        || body.get("success").is_some_and(|it| it == false)
        || body.pointer("/Response/Error").is_some_and(is_error)
}

/// Returns true if a body has a non-empty member that errors have: FastAPI's, AWS's, SiliconFlow's,
/// Z.AI's, Baidu's.
fn explains(body: &Value) -> bool {
    ["detail", "message", "Message", "msg", "error_msg"].iter().any(|name| {
        body.get(*name).is_some_and(|it| it.is_array() || it.is_string()) && is_error(&body[*name])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_choices_is_an_error_if_it_is_marked_as_one() {
        for event in [
            json!({"status": "error", "message": "it broke"}),
            json!({"code": 500, "msg": "it broke", "data": null}),
            json!({"code": "500", "message": "it broke"}),
            json!({"success": false, "message": "it broke"}),
            json!({"detail": "it broke"}),
            json!({"error_code": 336_003, "error_msg": "it broke", "id": "x"}), // Baidu
            json!({"Response": {"Error": {"Code": "AuthFailure", "Message": "it broke"}}}), // Tencent
        ] {
            assert_eq!(super::event(&event).unwrap().message, "it broke", "{event}");
        }
        for event in [
            json!({"message": "queued"}),
            json!({"status": "queued", "message": "You are number 2."}),
            json!({"code": 200, "message": "success"}),
            json!({"code": 0, "msg": "ok"}),
            json!({"sources": [], "detail": "three pages read"}),
            json!({"status": "error"}),
            json!({}),
            json!("x"),
        ] {
            assert_eq!(super::event(&event), None, "{event}");
        }
    }

    #[test]
    fn an_empty_error_member_is_not_an_error() {
        for error in [
            json!(null),
            json!(false),
            json!(0),
            json!(""),
            json!(" "),
            json!([]),
            json!({}),
            json!({"code": 0, "message": ""}),
            json!({"message": null}),
        ] {
            assert!(!is_error(&error), "{error}");
        }
        for error in [
            json!(true),
            json!("over capacity"),
            json!(["x"]),
            json!({"code": 502}),
            json!({"message": "x"}),
            json!({"code": "x", "message": ""}),
            json!({"type": "rate_limit_error", "message": ""}),
        ] {
            assert!(is_error(&error), "{error}");
        }
    }

    #[test]
    fn every_form_of_error_under_status_200_is_detected() {
        use ErrorKind::*;
        for (body, kind, code) in [
            (json!({"error": {"code": 429, "message": "slow"}}), RateLimited, None),
            (json!({"error": "busy"}), Server, None),
            (
                json!({"choices": [], "x_groq": {"id": "r", "error": "over capacity"}}),
                Overloaded,
                None,
            ),
            (json!({"errors": [{"code": 7003, "message": "route"}]}), Server, Some("7003")),
            (json!({"object": "error", "message": "bad", "code": 400}), InvalidRequest, None),
            (json!({"type": "error", "message": "bad"}), Server, None),
            (json!({"detail": "Not Found"}), Server, None),
            (json!({"code": 500, "msg": "404 NOT_FOUND", "success": false}), Server, None),
            (json!({"code": 20012, "message": "no model", "data": null}), NotFound, Some("20012")),
            (
                json!({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}),
                Authentication,
                Some("1004"),
            ),
            (
                json!({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
                QuotaExhausted,
                Some("1008"),
            ),
            (
                json!({"base_resp": {"status_code": 1002}, "choices": null}),
                RateLimited,
                Some("1002"),
            ),
        ] {
            let failure = report(&body).unwrap_or_else(|| panic!("{body}"));
            assert_eq!((failure.kind, failure.code.as_deref()), (kind, code), "{body}");
        }
        for body in [
            json!({}),
            json!({"choices": []}),
            json!({"base_resp": {"status_code": 0, "status_msg": "success"}, "error": null}),
            json!({"object": "chat.completion", "message": {"content": "a"}}),
        ] {
            assert_eq!(report(&body), None, "{body}");
        }
    }

    #[test]
    fn the_native_reason_becomes_the_error_code() {
        let failure = ending("error", "MALFORMED_FUNCTION_CALL").unwrap();
        assert_eq!(failure.kind, ErrorKind::Server);
        assert_eq!(failure.code.as_deref(), Some("MALFORMED_FUNCTION_CALL"));
        assert_eq!(ending("network_error", "").unwrap().code.as_deref(), Some("network_error"));
        assert_eq!(ending("stop", "MALFORMED_FUNCTION_CALL"), None);
        assert_eq!(ending("", ""), None);
    }
}
