//! Recorded answers of the Responses API decode to what their JSON has.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it, these tests print that they are
//! skipped. The expected values are read from the raw JSON by code that is independent of the crate.

mod support;

use serde_json::{Value, json};
use support::recordings::{Recordings, member};
use support::{builder, loopback};
use tollgate::chat::Format;
use tollgate::testing::Reply;
use tollgate::{
    ChatRequest, ChatResponse, Error, ErrorKind, FinishReason, Message, Part, StreamDecoder,
    StreamEvent, ToolResult, UsageSource,
};

struct Recording {
    file: String,
    provider: String,
    status: u16,
    is_stream: bool,
    body: String,
}

impl Recording {
    /// Returns the data of its events.
    fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
    }

    /// Returns the response. In a stream, the last event has it.
    fn response(&self) -> Value {
        match self.is_stream {
            true => self.events().pop().expect("a last event")["response"].take(),
            false => serde_json::from_str(&self.body).expect("JSON"),
        }
    }
}

/// Returns the recordings of all providers of the Responses API. The recordings name two providers
/// differently from the crate.
fn recordings() -> Option<Vec<Recording>> {
    let recordings = Recordings::open()?;
    let of_responses =
        recordings.entries.iter().filter(|entry| member(entry, "url").contains("/responses"));
    let found = of_responses.map(|entry| Recording {
        file: member(entry, "file"),
        provider: match member(entry, "provider").as_str() {
            "openai_responses" => "openai".to_owned(),
            "azure_openai" => "azure".to_owned(),
            other => other.to_owned(),
        },
        status: entry["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap(),
        is_stream: entry["kind"] == "sse",
        body: String::from_utf8(recordings.body(entry)).expect("a text"),
    });
    Some(found.collect())
}

fn decoder(recording: &Recording) -> StreamDecoder {
    StreamDecoder::openai_responses().provider(recording.provider.as_str())
}

/// Decodes a complete body that arrives in these pieces.
fn decoded<'b>(
    recording: &Recording,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Result<(Vec<StreamEvent>, ChatResponse), Error> {
    let mut decoder = decoder(recording);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok((events, decoder.into_response()))
}

#[derive(Debug, PartialEq)]
struct Said {
    text: String,
    refusal: Option<String>,
    /// Id, name and arguments.
    calls: Vec<(String, String, String)>,
    /// Id, text and encrypted text.
    reasoning: Vec<(String, String, Option<String>)>,
    /// The items that are kept unchanged.
    natives: Vec<Value>,
    finish: Option<String>,
    id: Option<String>,
    model: String,
    service_tier: Option<String>,
    /// Input, output, cached, written to the cache, reasoning.
    usage: [u64; 5],
}

fn string(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Reads the expected content from the raw JSON.
fn expected(response: &Value) -> Said {
    let count = |path: &str| response["usage"].pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut said = Said {
        text: String::new(),
        refusal: None,
        calls: Vec::new(),
        reasoning: Vec::new(),
        natives: Vec::new(),
        finish: string(&response["incomplete_details"]["reason"])
            .or_else(|| string(&response["status"])),
        id: string(&response["id"]),
        model: string(&response["model"]).unwrap_or_default(),
        service_tier: string(&response["service_tier"]),
        usage: [
            count("/input_tokens"),
            count("/output_tokens"),
            count("/input_tokens_details/cached_tokens"),
            count("/input_tokens_details/cache_write_tokens"),
            count("/output_tokens_details/reasoning_tokens"),
        ],
    };
    for item in list(&response["output"]) {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        match item["type"].as_str().unwrap() {
            "message" if item["role"] == "assistant" => {
                for part in list(&item["content"]) {
                    match part["type"].as_str().unwrap() {
                        "output_text" => said.text += part["text"].as_str().unwrap(),
                        "refusal" => said.refusal = string(&part["refusal"]),
                        other => panic!("a content part {other}"),
                    }
                }
            }
            "reasoning" => {
                let parts = list(&item["summary"]).chain(list(&item["content"]));
                let texts: Vec<_> = parts.map(|part| part["text"].as_str().unwrap()).collect();
                said.reasoning.push((
                    text("id"),
                    texts.join("\n\n"),
                    string(&item["encrypted_content"]),
                ));
            }
            "function_call" => {
                said.calls.push((text("call_id"), text("name"), text("arguments")));
            }
            _ => said.natives.push(item.clone()),
        }
    }
    said
}

fn found(response: &ChatResponse) -> Said {
    let usage = &response.usage;
    let mut said = Said {
        text: response.text(),
        refusal: response.message.refusal().map(str::to_owned),
        calls: Vec::new(),
        reasoning: Vec::new(),
        natives: Vec::new(),
        finish: response.finish_reason_raw.clone(),
        id: response.id.clone(),
        model: response.model.clone(),
        service_tier: response.service_tier.clone(),
        usage: [
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
        ],
    };
    for part in &response.message.content {
        match part {
            Part::ToolCall(call) => {
                let ids = (call.id.clone(), call.name.clone(), call.arguments.clone());
                said.calls.push(ids);
            }
            Part::Reasoning(reasoning) => said.reasoning.push((
                reasoning.id.clone().unwrap_or_default(),
                reasoning.text.clone(),
                reasoning.encrypted.clone(),
            )),
            Part::Other { value, .. } => said.natives.push(value.clone()),
            _ => {}
        }
    }
    said
}

fn finish_reason(said: &Said) -> FinishReason {
    match said.finish.as_deref() {
        Some("max_output_tokens") => FinishReason::Length,
        Some("completed") if !said.calls.is_empty() => FinishReason::ToolCalls,
        Some("completed") if said.refusal.is_some() => FinishReason::Refusal,
        Some("completed") => FinishReason::Stop,
        _ => FinishReason::Other,
    }
}

#[test]
fn every_recorded_response_decodes_to_the_content_of_its_json() {
    let Some(recordings) = recordings() else { return };
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.status == 200) {
        let file = &recording.file;
        let (_, response) = decoded(recording, [recording.body.as_bytes()])
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let raw = recording.response();
        let mut expected = expected(&raw);
        let found = found(&response);
        if raw["usage"].is_null() {
            // A response queued in the background has no usage.
            assert_eq!(response.usage.source, UsageSource::Estimated, "{file}");
            expected.usage = found.usage;
        } else {
            assert_eq!(response.usage.source, UsageSource::Reported, "{file}");
            let [input, output, ..] = expected.usage;
            assert_eq!(response.usage.total_tokens, input + output, "{file}");
        }
        assert_eq!(found, expected, "{file}");
        assert_eq!(response.finish_reason, finish_reason(&expected), "{file}");
        seen += 1;
    }
    eprintln!("{seen} recorded responses");
    assert!(seen >= 80, "only {seen} responses; is the folder whole?");
}

/// Joins the deltas of a stream: text, reasoning and refusal.
fn joined(events: &[StreamEvent]) -> [String; 3] {
    let mut texts = <[String; 3]>::default();
    for event in events {
        match event {
            StreamEvent::TextDelta(text) => texts[0] += text,
            StreamEvent::ReasoningDelta(text) => texts[1] += text,
            StreamEvent::RefusalDelta(text) => texts[2] += text,
            _ => {}
        }
    }
    texts
}

#[test]
fn recorded_streams_decode_the_same_at_once_and_byte_by_byte() {
    let Some(recordings) = recordings() else { return };
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.is_stream) {
        let file = &recording.file;
        let body = recording.body.as_bytes();
        let (events, whole) = decoded(recording, [body]).unwrap();
        let (by_bytes, again) = decoded(recording, body.chunks(1)).unwrap();
        assert_eq!((by_bytes, &again), (events.clone(), &whole), "{file}");
        // The events have exactly the text of the stream's deltas.
        let deltas = |kind: &str| -> String {
            let events = recording.events().into_iter();
            let of = events.filter(|event| event["type"].as_str().unwrap().ends_with(kind));
            of.map(|event| event["delta"].as_str().unwrap().to_owned()).collect()
        };
        let [text, reasoning, refusal] = joined(&events);
        assert_eq!(text, deltas("output_text.delta"), "{file}");
        assert_eq!(text, whole.text(), "{file}");
        assert_eq!(refusal, deltas("refusal.delta"), "{file}");
        assert_eq!(reasoning, whole.message.reasoning(), "{file}");
        let pieces = deltas("reasoning_summary_text.delta") + &deltas("reasoning_text.delta");
        assert_eq!(reasoning.replace("\n\n", ""), pieces.replace("\n\n", ""), "{file}");
        let told = events.iter().filter_map(|event| match event {
            StreamEvent::ToolCallComplete { call, .. } => Some(&**call),
            _ => None,
        });
        assert!(told.eq(whole.tool_calls()), "{file}");
        // The same response without streaming has the same content.
        let at_once = Recording {
            body: recording.response().to_string(),
            is_stream: false,
            file: file.clone(),
            provider: recording.provider.clone(),
            ..*recording
        };
        let (_, at_once) = decoded(&at_once, [at_once.body.as_bytes()]).unwrap();
        assert_eq!(whole.message, at_once.message, "{file}");
        assert_eq!(whole.extra, at_once.extra, "{file}");
        seen += 1;
    }
    assert!(seen >= 44, "only {seen} streams; is the folder whole?");
}

#[test]
fn recorded_streams_that_end_early_are_truncated_wherever_they_end() {
    let Some(recordings) = recordings() else { return };
    for recording in recordings.iter().filter(|recording| recording.is_stream) {
        let file = &recording.file;
        let body = recording.body.replace("\r\n", "\n");
        let last = body.find("\"type\":\"response.completed\"").or_else(|| {
            body.find("\"type\": \"response.completed\"")
                .or_else(|| body.find("response.completed"))
        });
        let last = last.expect("a last event");
        let ends = body.match_indices("\n\n").map(|(at, _)| at + 2).filter(|end| *end < last);
        let ends: Vec<_> = ends.collect();
        assert!(!ends.is_empty(), "{file}");
        for end in ends {
            let cut = &body.as_bytes()[..end];
            if !body[..end].contains("data:") {
                continue;
            }
            let error = decoded(recording, [cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{file} at {end}: {error}");
            let mut decoder = decoder(recording);
            let mut events = Vec::new();
            decoder.push(cut, &mut events).unwrap();
            let partial = decoder.partial();
            let [text, reasoning, refusal] = joined(&events);
            assert_eq!(partial.text(), text, "{file} at {end}");
            assert_eq!(partial.message.reasoning(), reasoning, "{file} at {end}");
            assert_eq!(partial.message.refusal().unwrap_or_default(), refusal);
            assert_eq!(partial.finish_reason, FinishReason::Other);
        }
    }
}

#[test]
fn recorded_errors_get_their_kind() {
    let Some(recordings) = recordings() else { return };
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.status != 200) {
        let server = loopback();
        let body = recording.body.clone().into_bytes();
        server.reply(Reply::raw(recording.status, "application/json", body));
        let request = ChatRequest::from("hi").wire_format(Format::OpenAiResponses);
        let error = builder(&server, "openai").build().unwrap().chat(request).unwrap_err();
        let json = recording.response();
        let kind = match json["error"]["code"].as_str().unwrap() {
            "model_not_found" => ErrorKind::NotFound,
            "invalid_api_key" => ErrorKind::Authentication,
            "invalid_request_error" => ErrorKind::InvalidRequest,
            other => panic!("{}: the error code {other} has no expected kind", recording.file),
        };
        assert_eq!(error.kind(), kind, "{}", recording.file);
        assert_eq!(error.message(), json["error"]["message"].as_str().unwrap());
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} errors; is the folder whole?");
}

/// Removes the members that need not go back.
fn comparable(item: &Value) -> Value {
    let mut item = item.clone();
    let members = item.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    if members["type"] == "reasoning" {
        members.remove("status");
        if members.get("content").is_some_and(|content| *content == json!([])) {
            members.remove("content");
        }
        if members.get("encrypted_content").is_some_and(|encrypted| *encrypted == "") {
            members.remove("encrypted_content");
        }
    }
    if let Some(Value::Array(parts)) = members.get_mut("content") {
        for part in parts.iter_mut().filter_map(Value::as_object_mut) {
            part.remove("logprobs");
        }
    }
    item
}

#[test]
fn recorded_output_goes_back_unchanged_to_its_sender_only() {
    let Some(recordings) = recordings() else { return };
    let server = loopback();
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.status == 200) {
        let file = &recording.file;
        let raw = recording.response();
        let output: Vec<_> = list(&raw["output"]).map(comparable).collect();
        // A refusal goes back as text, without the id of its message.
        let refuses = raw["output"].to_string().contains("\"type\":\"refusal\"");
        if output.is_empty() || refuses || raw["status"] == "incomplete" {
            continue;
        }
        let (_, response) = decoded(recording, [recording.body.as_bytes()]).unwrap();
        let stored = serde_json::to_string(&response.message).unwrap();
        let message: Message = serde_json::from_str(&stored).unwrap();
        let turn = |provider: &str| -> Value {
            let mut request = ChatRequest::from("go")
                .wire_format(Format::OpenAiResponses)
                .provider(provider)
                .model("gpt-5")
                .message(message.clone());
            for call in response.tool_calls() {
                let result = ToolResult::new(call.id.clone(), "done");
                request = request.message(Message::new(tollgate::Role::Tool, [result]));
            }
            server.reply(Reply::text("fine"));
            builder(&server, provider).build().unwrap().chat(request).unwrap();
            server.requests().pop().unwrap().json()["input"].clone()
        };
        // Reasoning that is neither encrypted nor in full is dropped, with the ids of its answer.
        let is_readable = |item: &Value| {
            item["type"] != "reasoning"
                || item.get("encrypted_content").is_some()
                || item.get("content").is_some()
        };
        if !output.iter().all(is_readable) {
            continue;
        }
        let sent: Vec<_> = list(&turn(&recording.provider)).skip(1).map(comparable).collect();
        let sent: Vec<_> =
            sent.into_iter().filter(|item| item["type"] != "function_call_output").collect();
        assert_eq!(sent, output, "{file}");
        let other = if recording.provider == "xai" { "openai" } else { "xai" };
        for item in list(&turn(other)).skip(1) {
            assert!(item.get("id").is_none() && item.get("phase").is_none(), "{file}: {item}");
            let kinds = ["message", "function_call", "function_call_output"];
            assert!(kinds.contains(&item["type"].as_str().unwrap()), "{file}: {item}");
        }
        seen += 1;
    }
    eprintln!("{seen} recorded outputs went back");
    assert!(seen >= 60, "only {seen}; is the folder whole?");
}
