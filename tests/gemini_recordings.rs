//! The client decodes answers recorded from Gemini correctly, from the Gemini API and from Vertex AI.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it these tests are skipped, and
//! say so. The expected values come from the raw JSON, by code that shares nothing with the crate.

mod support;

use serde_json::{Value, json};
use support::recordings::{Recording, decoded, recorded, string};
use support::{builder, client, loopback};
use tollgate::testing::Reply;
use tollgate::{
    ChatResponse, ErrorKind, FinishReason, Part, StreamDecoder, StreamEvent, UsageSource,
};

/// Returns the recorded answers to a method: `generateContent` or `streamGenerateContent`.
fn recordings(method: &str) -> Option<Vec<Recording>> {
    recorded(|entry| {
        let url = entry["url"].as_str().unwrap_or_default();
        let is_googles = ["gemini", "gemini_vertex"].iter().any(|name| entry["provider"] == *name);
        is_googles && url.split('?').next().unwrap_or_default().ends_with(method)
    })
}

/// The crate's name for the provider that sent it.
fn provider(recording: &Recording) -> &'static str {
    if recording.provider == "gemini" { "gemini" } else { "vertex" }
}

fn decoder(recording: &Recording) -> StreamDecoder {
    StreamDecoder::gemini().provider(provider(recording))
}

/// The values that an answer must have, from its raw JSON.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    text: String,
    reasoning: String,
    /// Names and arguments.
    calls: Vec<(String, Value)>,
    /// All signatures, in order.
    signatures: Vec<String>,
    /// The names of the members of parts that are neither text nor calls.
    others: Vec<String>,
    finish: Option<String>,
    prompt: u64,
    completion: u64,
    cached: u64,
    reasoning_tokens: u64,
    model: String,
    id: Option<String>,
    /// From the last chunk with usage.
    grounding: Value,
}

fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Reads the expected values from the chunks of a stream, or from a whole answer as one chunk.
fn walk(chunks: &[Value]) -> Expected {
    let mut expected = Expected::default();
    for chunk in chunks {
        expected.model = string(&chunk["modelVersion"]);
        expected.id = chunk["responseId"].as_str().map(str::to_owned);
        let usage = &chunk["usageMetadata"];
        if usage.is_object() {
            let tool_use = count(usage, "toolUsePromptTokenCount");
            expected.prompt = count(usage, "promptTokenCount") + tool_use;
            expected.reasoning_tokens = count(usage, "thoughtsTokenCount");
            expected.completion = count(usage, "candidatesTokenCount") + expected.reasoning_tokens;
            expected.cached = count(usage, "cachedContentTokenCount");
            assert_eq!(expected.prompt + expected.completion, count(usage, "totalTokenCount"));
        }
        let candidate = &chunk["candidates"][0];
        if let Some(reason) = candidate["finishReason"].as_str() {
            expected.finish = Some(reason.to_owned());
        }
        // One request asked for numbers instead of words.
        if candidate["finishReason"] == 1 {
            expected.finish = Some("STOP".to_owned());
        }
        if candidate["groundingMetadata"].is_object() {
            expected.grounding = candidate["groundingMetadata"].clone();
        }
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let text = string(&part["text"]);
            match part["thought"] == true {
                true => expected.reasoning += &text,
                false => expected.text += &text,
            }
            if let Some(call) = part.get("functionCall") {
                expected.calls.push((string(&call["name"]), call["args"].clone()));
            }
            if let Some(signature) = part["thoughtSignature"].as_str() {
                expected.signatures.push(signature.to_owned());
            }
            let known = ["text", "thought", "thoughtSignature", "functionCall"];
            let others = part.as_object().unwrap().keys();
            expected.others.extend(others.filter(|name| !known.contains(&name.as_str())).cloned());
        }
    }
    expected
}

/// Returns the values of a decoded answer.
fn found(answer: &ChatResponse) -> Expected {
    let (mut signatures, mut others) = (Vec::new(), Vec::new());
    let signature = |members: Option<&Value>| members.and_then(Value::as_str).map(str::to_owned);
    for part in &answer.message.content {
        match part {
            Part::Reasoning(reasoning) => signatures.extend(reasoning.signature.clone()),
            Part::ToolCall(call) => {
                let members = call.opaque.as_ref().map(|opaque| &opaque.members);
                let found = members.and_then(|members| members.get("thoughtSignature"));
                signatures.extend(signature(found));
            }
            Part::Other { value, .. } => {
                signatures.extend(signature(value.get("thoughtSignature")));
                let names = value.as_object().unwrap().keys();
                others.extend(names.filter(|name| *name != "thoughtSignature").cloned());
            }
            Part::Image(_) | Part::Audio(_) => others.push("inlineData".to_owned()),
            _ => {}
        }
    }
    Expected {
        text: answer.text(),
        reasoning: answer.message.reasoning(),
        calls: answer
            .tool_calls()
            .map(|call| (call.name.clone(), call.parse().expect("JSON arguments")))
            .collect(),
        signatures,
        others,
        finish: answer.finish_reason_raw.clone(),
        prompt: answer.usage.prompt_tokens,
        completion: answer.usage.completion_tokens,
        cached: answer.usage.cached_tokens,
        reasoning_tokens: answer.usage.reasoning_tokens,
        model: answer.model.clone(),
        id: answer.id.clone(),
        grounding: answer.extra.get("groundingMetadata").cloned().unwrap_or_default(),
    }
}

fn check(file: &str, answer: &ChatResponse, expected: &Expected) {
    assert_eq!(found(answer), *expected, "{file}");
    assert_eq!(answer.usage.source, UsageSource::Reported, "{file}");
    let reason = match expected.finish.as_deref() {
        Some("MAX_TOKENS") => FinishReason::Length,
        _ if expected.calls.is_empty() => FinishReason::Stop,
        _ => FinishReason::ToolCalls,
    };
    assert_eq!(answer.finish_reason, reason, "{file}");
    let mut ids: Vec<_> = answer.tool_calls().map(|call| &call.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), expected.calls.len(), "{file}: two calls share an id");
}

#[test]
fn every_recorded_answer_is_decoded_correctly() {
    let Some(recordings) = recordings(":generateContent") else { return };
    let answers: Vec<_> = recordings.iter().filter(|recording| recording.status == 200).collect();
    for recording in &answers {
        let body: Value = serde_json::from_slice(&recording.body).unwrap();
        let answer = recording.replayed(provider(recording));
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", recording.file));
        check(&recording.file, &answer, &walk(std::slice::from_ref(&body)));
        assert_eq!(answer.raw_json(), body, "{}", recording.file);
    }
    eprintln!("{} recorded answers", answers.len());
    assert!(answers.len() >= 27, "only {}; is the folder whole?", answers.len());
}

#[test]
fn every_recorded_error_is_classified() {
    let Some(recordings) = recordings(":generateContent") else { return };
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.status != 200) {
        let body: Value = serde_json::from_slice(&recording.body).unwrap();
        let (kind, code) = match recording.status {
            400 => (ErrorKind::Authentication, "API_KEY_INVALID"),
            404 => (ErrorKind::NotFound, "NOT_FOUND"),
            other => panic!("{}: no class is expected of {other}", recording.file),
        };
        let error = recording.replayed(provider(recording)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{}: {error}", recording.file);
        assert_eq!(error.message(), string(&body["error"]["message"]), "{}", recording.file);
        assert!(!error.is_retryable(), "{}", recording.file);
        seen += 1;
    }
    assert!(seen >= 2, "only {seen}; is the folder whole?");
}

#[test]
fn every_recorded_stream_is_decoded_correctly_however_it_is_split() {
    let Some(recordings) = recordings(":streamGenerateContent") else { return };
    for recording in &recordings {
        let file = &recording.file;
        let chunks = recording.texts();
        let ends = recording.ends();
        assert_eq!(ends.len(), chunks.len(), "{file}");
        let (_, cuts) = ends.split_last().unwrap();
        let (events, answer, _) = recording.decoded_however_split(|| decoder(recording), cuts);
        check(file, &answer, &walk(&chunks));
        let said = |events: &[StreamEvent]| -> String {
            let text = |event: &StreamEvent| match event {
                StreamEvent::TextDelta(text) => Some(text.clone()),
                _ => None,
            };
            events.iter().filter_map(text).collect()
        };
        assert_eq!(said(&events), answer.text(), "{file}");
    }
    eprintln!("{} recorded streams", recordings.len());
    assert!(recordings.len() >= 37, "only {}; is the folder whole?", recordings.len());
}

#[test]
fn a_recorded_stream_that_ends_early_is_truncated() {
    let Some(recordings) = recordings(":streamGenerateContent") else { return };
    let server = loopback();
    let mut cuts = 0;
    for recording in &recordings {
        let client = client(&server, provider(recording));
        let ends = recording.ends();
        recording.check_truncated(&server, &client, &ends);
        cuts += ends.len();
    }
    eprintln!("{cuts} cuts");
    assert!(cuts >= 70, "only {cuts}; is the folder whole?");
}

#[test]
fn a_second_turn_returns_recorded_signatures() {
    let Some(recordings) = recordings("GenerateContent") else { return };
    let server = loopback();
    let mut signed = 0;
    for recording in &recordings {
        let file = &recording.file;
        let client = builder(&server, provider(recording)).model("gemini-3.5-flash");
        let client = client.build().unwrap();
        let (_, _, answer) = decoded(decoder(recording), [&recording.body[..]]);
        let expected = walk(&recording.texts());
        let mut messages = vec![tollgate::Message::user("go"), answer.message.clone()];
        for call in answer.tool_calls() {
            messages.push(tollgate::Message::tool_result(call.id.clone(), "done"));
        }
        if expected.calls.is_empty() {
            messages.push(tollgate::Message::user("go on"));
        }
        server.reply(Reply::text("fine"));
        client.chat(messages).unwrap_or_else(|error| panic!("{file}: {error}"));
        let sent = server.requests().pop().unwrap().json().clone();
        let parts = sent["contents"][1]["parts"].as_array().unwrap().clone();
        let back = walk(&[json!({"candidates": [{"content": {"parts": parts}}]})]);
        assert_eq!(
            (back.text, back.reasoning, back.calls, back.others),
            (expected.text, expected.reasoning, expected.calls, expected.others),
            "{file}"
        );
        let own = |signature: &&String| *signature != "skip_thought_signature_validator";
        let back: Vec<_> = back.signatures.iter().filter(own).cloned().collect();
        assert_eq!(back, expected.signatures, "{file}");
        signed += usize::from(!back.is_empty());
    }
    eprintln!("{signed} recordings with signatures");
    assert!(signed >= 15, "only {signed}; is the folder whole?");
}
