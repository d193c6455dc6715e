//! Tests of decoding whole answers.

use super::*;
use crate::chat::{FinishReason, Part, UsageSource};
use crate::error::ErrorKind;
use crate::wire::gemini::parts::{ALONE, WITH_TEXT};
use serde_json::{Value, json};

fn decoded(body: &Value) -> Result<Decoded, Failure> {
    decode(body.to_string().as_bytes().into())
}

fn candidate(parts: &Value, reason: &str) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason,
        "index": 0}]})
}

#[test]
fn every_kind_of_part_is_decoded() {
    let parts = json!([
        {"text": "Let me see.", "thought": true},
        {"text": "It is "},
        {"text": "sunny."},
        {"text": "Signed.", "thoughtSignature": "S1"},
        {"text": "", "thoughtSignature": "S2"},
        {"functionCall": {"name": "f", "args": {"a": 1.5}}, "thoughtSignature": "S3"},
        {"functionCall": {"id": "c2", "name": "g"}},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S4"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "Zm9v"}, "thoughtSignature": "S5"},
        {"inlineData": {"mimeType": "image/png", "data": "YmFy"}, "thought": true},
        {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "Zm9v"}},
        {"text": ""},
        {},
        null,
    ]);
    let answer = decoded(&candidate(&parts, "STOP")).unwrap();
    let content = &answer.message.content;
    let Part::Reasoning(thought) = &content[0] else { panic!("{content:?}") };
    assert_eq!((thought.text.as_str(), &thought.signature), ("Let me see.", &None));
    assert_eq!(content[1], Part::text("It is sunny."));
    assert_eq!(content[2], Part::text("Signed."));
    for (at, field, signature) in [(3, WITH_TEXT, "S1"), (4, ALONE, "S2")] {
        let Part::Reasoning(signed) = &content[at] else { panic!("{content:?}") };
        assert_eq!((signed.text.as_str(), signed.field.as_deref()), ("", Some(field)));
        assert_eq!(signed.signature.as_deref(), Some(signature));
    }
    let calls: Vec<_> = answer.message.tool_calls().collect();
    assert_eq!(calls[0].arguments, r#"{"a":1.5}"#);
    assert!(calls[0].id.starts_with("call_") && calls[0].id.ends_with("_0"), "{}", calls[0].id);
    let opaque = calls[0].opaque.as_ref().unwrap();
    assert_eq!(Value::Object(opaque.members.clone()), json!({"thoughtSignature": "S3"}));
    assert_eq!((calls[1].id.as_str(), calls[1].arguments.as_str()), ("c2", "{}"));
    assert_eq!(calls[1].opaque, None);
    for (at, name) in [(7, "executableCode"), (8, "codeExecutionResult"), (10, "inlineData")] {
        let Part::Other { value, .. } = &content[at] else { panic!("{content:?}") };
        assert_eq!(value, &parts[at], "{name}");
    }
    let Part::Image(image) = &content[9] else { panic!("{content:?}") };
    assert_eq!(image.source.to_bytes().unwrap(), b"foo");
    let Part::Audio(audio) = &content[11] else { panic!("{content:?}") };
    assert_eq!(audio.data, "Zm9v");
    assert_eq!(content.len(), 12);
    // `STOP` with calls.
    assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
    assert_eq!(answer.finish_reason_raw.as_deref(), Some("STOP"));
}

#[test]
fn finish_reasons_are_mapped() {
    let said = json!([{"text": "a"}]);
    for (word, expected) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("RECITATION", FinishReason::ContentFilter),
        ("BLOCKLIST", FinishReason::ContentFilter),
        ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
        ("SPII", FinishReason::ContentFilter),
        ("IMAGE_SAFETY", FinishReason::ContentFilter),
        ("LANGUAGE", FinishReason::Other),
        ("OTHER", FinishReason::Other),
        ("TOO_MANY_TOOL_CALLS", FinishReason::Other),
        ("NEWER_THAN_THIS", FinishReason::Other),
    ] {
        for parts in [&said, &json!([])] {
            let answer = decoded(&candidate(parts, word)).unwrap();
            assert_eq!(answer.finish_reason, expected, "{word}");
            assert_eq!(answer.finish_reason_raw.as_deref(), Some(word));
        }
    }
    for word in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"] {
        let failure = decoded(&candidate(&said, word)).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Server, "{word}");
        assert_eq!(failure.code.as_deref(), Some(word));
    }
}

#[test]
fn a_blocked_prompt_is_a_content_policy_error() {
    for (feedback, code, message) in [
        (
            json!({"blockReason": "PROHIBITED_CONTENT", "safetyRatings": []}),
            "PROHIBITED_CONTENT",
            "the provider blocked the prompt (PROHIBITED_CONTENT)",
        ),
        (
            json!({"blockReason": "MODEL_ARMOR", "blockReasonMessage": "No."}),
            "MODEL_ARMOR",
            "the provider blocked the prompt (MODEL_ARMOR): No.",
        ),
    ] {
        let body = json!({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 9},
            "modelVersion": "m"});
        let failure = decoded(&body).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::ContentPolicy);
        assert_eq!((failure.code.as_deref(), failure.message.as_str()), (Some(code), message));
    }
    let mut body = candidate(&json!([{"text": "a"}]), "STOP");
    body["promptFeedback"] = json!({"safetyRatings": [{"category": "c"}]});
    let answer = decoded(&body).unwrap();
    assert_eq!(answer.extra["promptFeedback"], body["promptFeedback"]);
}

#[test]
fn a_body_without_an_answer_is_an_error() {
    for (body, kind, message) in [
        (json!({"candidates": []}), ErrorKind::Protocol, "it has no candidates"),
        (
            json!({"candidates": [], "usageMetadata": {}}),
            ErrorKind::Protocol,
            "neither content nor",
        ),
        (json!({"candidates": [{"index": 0}]}), ErrorKind::Protocol, "neither content nor"),
        (json!({}), ErrorKind::Protocol, "it has no candidates"),
        (json!({"choices": []}), ErrorKind::Protocol, "it has no candidates"),
        (json!([]), ErrorKind::Protocol, "it has no candidates"),
        (json!("x"), ErrorKind::Protocol, "a string"),
        (
            json!({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}),
            ErrorKind::RateLimited,
            "slow",
        ),
        (
            json!([{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}]),
            ErrorKind::Overloaded,
            "busy",
        ),
        (json!({"message": "gone"}), ErrorKind::Server, "gone"),
    ] {
        let failure = decoded(&body).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
        assert!(failure.message.contains(message), "{body}: {}", failure.message);
    }
}

#[test]
fn a_list_of_chunks_is_one_answer() {
    let chunk = |text: &str, reason: Value| {
        json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": reason}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": text.len()},
            "modelVersion": "m", "responseId": "r"})
    };
    let answer = decoded(&json!([chunk("a", json!(null)), chunk("bc", json!("STOP"))])).unwrap();
    assert_eq!(answer.message.text(), "abc");
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (5, 2));
    assert_eq!((answer.model.as_str(), answer.id.as_deref()), ("m", Some("r")));
}

#[test]
fn the_first_candidate_is_read_and_unmodelled_members_are_kept() {
    let body = json!({
        "candidates": [
            {"index": 1, "content": {"parts": [{"text": "no"}]}, "finishReason": "STOP"},
            {"index": 0, "content": {"parts": [{"text": "yes"}]}, "finishReason": "STOP",
                "groundingMetadata": {"webSearchQueries": ["a", "b"]}, "avgLogprobs": -0.5,
                "logprobsResult": {"chosenCandidates": [{"token": "yes"}]}},
        ],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7,
            "serviceTier": "flex", "trafficType": "ON_DEMAND"},
        "modelVersion": "gemini-3.5-flash", "createTime": "2026",
    });
    let answer = decoded(&body).unwrap();
    assert_eq!(answer.message.text(), "yes");
    assert_eq!(
        Value::Object(answer.extra),
        json!({"groundingMetadata": {"webSearchQueries": ["a", "b"]}, "avgLogprobs": -0.5,
            "usage": {"trafficType": "ON_DEMAND"}})
    );
    assert_eq!(answer.logprobs, r#"{"chosenCandidates":[{"token":"yes"}]}"#);
    assert_eq!(answer.service_tier.as_deref(), Some("flex"));
    assert_eq!((answer.usage.web_searches, answer.usage.source), (2, UsageSource::Reported));
}

#[test]
fn long_numbers_in_arguments_stay_exact() {
    let body = r#"{"candidates": [{"content": {"parts": [
        {"functionCall": {"name": "f", "args": {"id": 123456789012345678901234567890}}},
        {"executableCode": {"args": 123456789012345678901234567890}}]}, "finishReason": "STOP"}]}"#;
    let answer = decode(body.as_bytes().into()).unwrap();
    let call = answer.message.tool_calls().next().unwrap();
    assert_eq!(call.arguments, r#"{"id":123456789012345678901234567890}"#);
    let Part::Other { value, .. } = &answer.message.content[1] else { panic!() };
    assert!(value["executableCode"]["args"].is_number(), "{value}");
}

#[test]
fn malformed_members_do_not_fail_an_answer() {
    for body in [
        json!({"candidates": [{"content": {"parts": [{"text": "a", "thought": "x", "odd": []}]},
            "finishReason": 7}], "usageMetadata": [], "modelVersion": 1, "promptFeedback": "x"}),
        json!({"candidates": [{"content": {"parts": [{"text": "a"}, 1, "x", []]}, "index": "0"}]}),
    ] {
        assert_eq!(decoded(&body).unwrap().message.text(), "a", "{body}");
    }
}
