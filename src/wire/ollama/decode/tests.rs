//! Tests of decoding whole answers.

use super::*;
use crate::chat::{FinishReason, Part, UsageSource};
use serde_json::{Value, json};

fn decoded(body: &Value) -> Result<Decoded, Failure> {
    decode(body.to_string().as_bytes().into())
}

fn answer(message: &Value, reason: &str) -> Value {
    json!({"model": "qwen3", "created_at": "2026-01-01T00:00:00Z", "message": message,
        "done": true, "done_reason": reason, "total_duration": 9, "load_duration": 1,
        "prompt_eval_count": 17, "prompt_eval_duration": 2, "eval_count": 66, "eval_duration": 3})
}

#[test]
fn every_kind_of_content_is_decoded() {
    let png = crate::base64::encode(b"\x89PNG\r\n\x1a\nabc");
    let message = json!({"role": "assistant", "content": "It is sunny.", "thinking": "hm",
    "images": [png], "tool_calls": [
        {"function": {"name": "f", "arguments": {"b": 1.5, "a": 2}, "index": 0}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{\"x\":1}"},
            "signature": "S"},
        {"function": {"name": "h"}},
    ]});
    let answer = decoded(&answer(&message, "stop")).unwrap();
    let content = &answer.message.content;
    let Part::Reasoning(thought) = &content[0] else { panic!("{content:?}") };
    assert_eq!(thought.text, "hm");
    assert_eq!(content[1], Part::text("It is sunny."));
    let calls: Vec<_> = answer.message.tool_calls().collect();
    assert!(calls[0].id.starts_with("call_") && calls[0].id.ends_with("_0"), "{}", calls[0].id);
    assert_eq!(calls[0].arguments, r#"{"b":1.5,"a":2}"#);
    assert_eq!((calls[1].id.as_str(), calls[1].arguments.as_str()), ("c2", "{\"x\":1}"));
    let opaque = calls[1].opaque.as_ref().unwrap();
    assert_eq!(Value::Object(opaque.members.clone()), json!({"signature": "S"}));
    assert_eq!((calls[2].name.as_str(), calls[2].arguments.as_str()), ("h", "{}"));
    let Part::Image(image) = &content[5] else { panic!("{content:?}") };
    assert_eq!(image.source.to_bytes().unwrap(), b"\x89PNG\r\n\x1a\nabc");
    // `stop` with calls.
    assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
    assert_eq!(answer.finish_reason_raw.as_deref(), Some("stop"));
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (17, 66));
    assert_eq!(answer.usage.source, UsageSource::Reported);
    assert_eq!(answer.model, "qwen3");
    assert_eq!(
        Value::Object(answer.extra),
        json!({"total_duration": 9, "load_duration": 1, "prompt_eval_duration": 2,
            "eval_duration": 3})
    );
}

#[test]
fn finish_reasons_are_mapped() {
    let said = json!({"role": "assistant", "content": "a"});
    for (word, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("load", FinishReason::Other),
        ("", FinishReason::Other),
    ] {
        let answer = decoded(&answer(&said, word)).unwrap();
        assert_eq!(answer.finish_reason, expected, "{word}");
    }
    let calls = json!({"content": "", "tool_calls": [{"function": {"name": "f"}}]});
    assert_eq!(decoded(&answer(&calls, "length")).unwrap().finish_reason, FinishReason::Length);
}

#[test]
fn missing_counts_are_not_zero() {
    for (members, (prompt, completion), source) in [
        (json!({"eval_count": 5}), (0, 5), UsageSource::EstimatedInput),
        (json!({"prompt_eval_count": 5}), (5, 0), UsageSource::EstimatedOutput),
        (json!({}), (0, 0), UsageSource::Missing),
        (json!({"prompt_eval_count": 5, "eval_count": 0}), (5, 0), UsageSource::EstimatedOutput),
    ] {
        let mut body = json!({"message": {"content": "a"}, "done": true, "done_reason": "stop"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let usage = decoded(&body).unwrap().usage;
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (prompt, completion), "{body}");
        assert_eq!(usage.source, source, "{body}");
    }
    // An empty answer: counts of zero are omitted.
    let body = json!({"message": {"content": ""}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 5});
    assert_eq!(decoded(&body).unwrap().usage.source, UsageSource::Reported);
}

#[test]
fn log_probabilities_have_the_form_of_openais() {
    let mut body = answer(&json!({"content": "a"}), "stop");
    body["logprobs"] = json!([{"token": "a", "logprob": -0.5, "top_logprobs": []}]);
    let answer = decoded(&body).unwrap();
    assert_eq!(answer.logprobs, r#"{"content":[{"token":"a","logprob":-0.5,"top_logprobs":[]}]}"#);
}

#[test]
fn long_numbers_in_arguments_stay_exact() {
    let body = r#"{"message": {"tool_calls": [{"function": {"name": "f", "arguments":
        {"id": 123456789012345678901234567890}}}]}, "done": true, "done_reason": "stop"}"#;
    let answer = decode(body.as_bytes().into()).unwrap();
    let call = answer.message.tool_calls().next().unwrap();
    assert_eq!(call.arguments, r#"{"id":123456789012345678901234567890}"#);
}

#[test]
fn a_body_without_a_complete_answer_is_an_error() {
    let openai = json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]});
    for (body, kind, message) in [
        (json!({"message": {"content": "a"}}), ErrorKind::Truncated, "\"done\": true"),
        (json!({"message": {"content": "a"}, "done": false}), ErrorKind::Truncated, "done"),
        (json!({"message": {"content": ""}, "done": false}), ErrorKind::Protocol, "no answer"),
        (json!({}), ErrorKind::Protocol, "it has no message"),
        (json!({"status": "pulling manifest"}), ErrorKind::Protocol, "it has no message"),
        (json!([]), ErrorKind::Protocol, "an array"),
        (openai, ErrorKind::Protocol, "use the provider \"ollama-openai\""),
        (json!({"error": "it broke"}), ErrorKind::Server, "it broke"),
    ] {
        let failure = decoded(&body).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}: {}", failure.message);
        assert!(failure.message.contains(message), "{body}: {}", failure.message);
    }
}

#[test]
fn the_lines_of_a_stream_are_one_answer() {
    let lines = concat!(
        "{\"model\":\"m\",\"message\":{\"content\":\"a\"},\"done\":false}\n\n",
        "{\"model\":\"m\",\"message\":{\"content\":\"b\"},\"done\":true,\"done_reason\":\"stop\"}\n"
    );
    let answer = decode(lines.as_bytes().into()).unwrap();
    assert_eq!((answer.message.text(), answer.model.as_str()), ("ab".into(), "m"));
    let cut = lines.split_inclusive('\n').next().unwrap().to_owned() + "\n{";
    assert_eq!(decode(cut.as_bytes().into()).unwrap_err().kind, ErrorKind::Truncated);
}

#[test]
fn answers_of_the_generate_endpoint_are_read() {
    let body = json!({"model": "m", "response": "a", "thinking": "hm", "done": true,
        "done_reason": "stop", "context": [1, 2]});
    let answer = decoded(&body).unwrap();
    assert_eq!(answer.message.text(), "a");
    assert_eq!(answer.extra["context"], json!([1, 2]));
}

#[test]
fn thoughts_under_the_name_of_openais_followers_are_read() {
    let message = json!({"content": "a", "reasoning_content": "hm"});
    assert_eq!(decoded(&answer(&message, "stop")).unwrap().message.reasoning(), "hm");
}

#[test]
fn malformed_members_do_not_fail_an_answer() {
    let body = json!({"model": 1, "message": {"content": "a", "tool_calls": [1, {"function": []}],
        "images": [[]], "thinking": 3}, "done": true, "done_reason": 7, "eval_count": "x",
        "logprobs": "x", "error": ""});
    assert_eq!(decoded(&body).unwrap().message.text(), "a");
}
