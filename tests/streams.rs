//! Streams recorded from the providers decode to what their raw lines say, however they are cut
//! into pieces. A truncated one never counts as complete.
//!
//! The folder is named by `TOLLGATE_RECORDINGS`; without it these tests say that
//! they skip. What is expected of a stream is found by a walk over its lines that
//! shares no code with the crate.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use support::recordings::{Recordings, member};
use tollgate::{ChatResponse, ErrorKind, StreamDecoder, StreamEvent, UsageSource};

struct Recording {
    file: String,
    format: Format,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Chat,
    Completions,
    Anthropic,
}

impl Format {
    fn decoder(self) -> StreamDecoder {
        match self {
            Self::Chat => StreamDecoder::openai_chat(),
            Self::Completions => StreamDecoder::openai_completions(),
            Self::Anthropic => StreamDecoder::anthropic(),
        }
    }
}

/// The recorded streams of these formats, by the providers they come from.
fn recordings(providers: &[&str]) -> Option<Vec<Recording>> {
    let recordings = Recordings::open()?;
    let recording = |entry: &Value| {
        let url = member(entry, "url");
        let path = url.split('?').next().unwrap_or_default();
        let format = if path.ends_with("/chat/completions") {
            Format::Chat
        } else if path.ends_with("/completions") {
            Format::Completions
        } else if path.ends_with("/messages") {
            Format::Anthropic
        } else {
            return None;
        };
        Some(Recording { file: member(entry, "file"), format, body: recordings.body(entry) })
    };
    let found = recordings
        .entries
        .iter()
        .filter(|entry| entry["kind"] == "sse" && entry["status"] == 200)
        .filter(|entry| providers.contains(&member(entry, "provider").as_str()))
        .filter_map(recording)
        .collect();
    Some(found)
}

const OWN: [&str; 4] = ["openai_chat", "openai_completions", "azure_openai", "anthropic"];

const COMPATIBLE: [&str; 8] = [
    "deepseek",
    "groq",
    "huggingface",
    "mistral",
    "ollama",
    "openrouter",
    "perplexity",
    "together",
];

/// What a stream says.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    reasoning: String,
    refusal: String,
    /// Id, name and arguments.
    calls: Vec<(String, String, String)>,
    finish: Option<String>,
    /// Prompt, completion, cached, written to the cache; none where not reported.
    usage: Option<[u64; 4]>,
    model: String,
    id: String,
}

impl Said {
    fn of(response: &ChatResponse) -> Self {
        let usage = response.usage;
        let counts = [
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
        ];
        Self {
            text: response.text(),
            reasoning: response.message.reasoning(),
            refusal: response.message.refusal().unwrap_or_default().to_owned(),
            calls: response
                .tool_calls()
                .map(|call| (call.id.clone(), call.name.clone(), call.arguments.clone()))
                .collect(),
            finish: response.finish_reason_raw.clone(),
            usage: (usage.source == UsageSource::Reported).then_some(counts),
            model: response.model.clone(),
            id: response.id.clone().unwrap_or_default(),
        }
    }

    /// What the lines of a stream say.
    fn walked(recording: &Recording) -> Self {
        let body = std::str::from_utf8(&recording.body).expect("UTF-8");
        let lines = body.lines().filter_map(|line| line.strip_prefix("data:"));
        let lines = lines.map(str::trim).filter(|data| *data != "[DONE]");
        let events = lines.map(|data| serde_json::from_str(data).expect("JSON"));
        match recording.format {
            Format::Anthropic => anthropic(events),
            Format::Chat | Format::Completions => openai(events),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

fn openai(events: impl Iterator<Item = Value>) -> Said {
    let mut said = Said::default();
    let mut calls: BTreeMap<u64, (String, String, String)> = BTreeMap::new();
    for event in events {
        if !text(&event["id"]).is_empty() {
            said.id = text(&event["id"]).to_owned();
            said.model = text(&event["model"]).to_owned();
        }
        if event["usage"].is_object() {
            let usage = &event["usage"];
            said.usage = Some([
                count(usage, "/prompt_tokens"),
                count(usage, "/completion_tokens"),
                count(usage, "/prompt_tokens_details/cached_tokens"),
                count(usage, "/prompt_tokens_details/cache_write_tokens"),
            ]);
        }
        for choice in event["choices"].as_array().into_iter().flatten() {
            assert_eq!(choice["index"], 0);
            if let Some(reason) = choice["finish_reason"].as_str() {
                said.finish = Some(reason.to_owned());
            }
            let delta = &choice["delta"];
            said.text += text(&choice["text"]);
            said.refusal += text(&delta["refusal"]);
            said.reasoning += text(&delta["reasoning_content"]);
            said.reasoning += text(&delta["reasoning"]);
            match &delta["content"] {
                Value::Array(parts) => {
                    for part in parts {
                        said.text += text(&part["text"]);
                        for thought in part["thinking"].as_array().into_iter().flatten() {
                            said.reasoning += text(&thought["text"]);
                        }
                    }
                }
                content => said.text += text(content),
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let (id, name, arguments) =
                    calls.entry(call["index"].as_u64().expect("an index")).or_default();
                *id += text(&call["id"]);
                *name += text(&call["function"]["name"]);
                *arguments += text(&call["function"]["arguments"]);
            }
        }
    }
    said.calls = calls.into_values().collect();
    said
}

fn anthropic(events: impl Iterator<Item = Value>) -> Said {
    let mut said = Said::default();
    let mut usage = serde_json::Map::new();
    let mut calls: BTreeMap<u64, (String, String, String)> = BTreeMap::new();
    for event in events {
        let delta = &event["delta"];
        let reported = match text(&event["type"]) {
            "message_start" => {
                said.id = text(&event["message"]["id"]).to_owned();
                said.model = text(&event["message"]["model"]).to_owned();
                &event["message"]["usage"]
            }
            _ => &event["usage"],
        };
        for (name, count) in reported.as_object().into_iter().flatten() {
            usage.insert(name.clone(), count.clone());
        }
        if let Some(reason) = delta["stop_reason"].as_str() {
            said.finish = Some(reason.to_owned());
        }
        said.text += text(&delta["text"]);
        said.reasoning += text(&delta["thinking"]);
        let block = &event["content_block"];
        assert!(text(&block["text"]).is_empty() && text(&block["thinking"]).is_empty());
        let index = event["index"].as_u64().unwrap_or_default();
        if block["type"] == "tool_use" {
            let (id, name) = (text(&block["id"]).to_owned(), text(&block["name"]).to_owned());
            calls.insert(index, (id, name, String::new()));
        }
        if let Some((_, _, arguments)) = calls.get_mut(&index) {
            *arguments += text(&delta["partial_json"]);
        }
    }
    let usage = Value::Object(usage);
    let read = count(&usage, "/cache_read_input_tokens");
    let write = count(&usage, "/cache_creation_input_tokens");
    let input = count(&usage, "/input_tokens") + read + write;
    said.usage = Some([input, count(&usage, "/output_tokens"), read, write]);
    said.calls = calls.into_values().collect();
    for (_, _, arguments) in &mut said.calls {
        if arguments.is_empty() {
            arguments.push_str("{}");
        }
    }
    said
}

/// The events and the whole, the bytes pushed in these pieces.
fn decoded<'a>(
    format: Format,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<StreamEvent>, Result<ChatResponse, (tollgate::Error, ChatResponse)>) {
    let mut decoder = format.decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut events) {
            assert!(!decoder.is_done());
            return (events, Err((error, decoder.partial())));
        }
    }
    match decoder.finish(&mut events) {
        Ok(()) => {
            assert!(decoder.is_done());
            let partial = decoder.partial();
            let whole = decoder.into_response();
            assert_eq!(partial, whole);
            (events, Ok(whole))
        }
        Err(error) => (events, Err((error, decoder.partial()))),
    }
}

/// The bytes in pieces of 0 to 20, the same for the same seed.
fn pieces(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    // Xorshift (Marsaglia, 2003).
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (piece, tail) = rest.split_at(usize::try_from(state % 21).unwrap().min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// The events add up to the whole and come in their order.
fn check_events(events: &[StreamEvent], whole: &ChatResponse) {
    let mut said = Said::default();
    let mut complete = Vec::new();
    for event in events {
        match event {
            StreamEvent::TextDelta(text) => said.text += text,
            StreamEvent::ReasoningDelta(text) => said.reasoning += text,
            StreamEvent::RefusalDelta(text) => said.refusal += text,
            StreamEvent::ToolCallStarted { index, id, name } => {
                assert_eq!(*index, said.calls.len());
                said.calls.push((id.clone(), name.clone(), String::new()));
            }
            StreamEvent::ToolArgumentsDelta { index, delta } => said.calls[*index].2 += delta,
            StreamEvent::ToolCallComplete { index, call } => {
                assert!(said.calls[*index].2 == call.arguments || call.arguments == "{}");
                assert!(!complete.contains(index));
                complete.push(*index);
                said.calls[*index].2.clone_from(&call.arguments);
            }
            _ => {}
        }
    }
    assert_eq!(complete.len(), said.calls.len());
    let expected = Said::of(whole);
    assert_eq!(
        (said.text, said.reasoning, said.refusal, said.calls),
        (expected.text, expected.reasoning, expected.refusal, expected.calls)
    );
    let [.., StreamEvent::Usage(usage), StreamEvent::Finished(reason)] = events else {
        panic!("no end: {events:?}")
    };
    assert_eq!((**usage, *reason), (whole.usage, whole.finish_reason));
}

#[test]
fn every_recorded_stream_decodes_to_what_its_lines_say_however_it_is_cut() {
    let Some(recordings) = recordings(&OWN) else { return };
    for recording in &recordings {
        let Recording { file, format, body } = recording;
        let expected = Said::walked(recording);
        let (events, whole) = decoded(*format, [body.as_slice()]);
        let whole = whole.unwrap_or_else(|(error, _)| panic!("{file}: {error}"));
        check_events(&events, &whole);
        assert_eq!(Said::of(&whole), expected, "{file}");
        assert_ne!(whole.usage.source, UsageSource::Missing, "{file}");
        let (bytewise, same) = decoded(*format, body.chunks(1));
        assert!(bytewise == events && same.as_ref().ok() == Some(&whole), "{file}");
        for seed in 1..6 {
            let (random, same) = decoded(*format, pieces(body, seed));
            assert!(random == events && same.as_ref().ok() == Some(&whole), "{file}, seed {seed}");
        }
    }
    eprintln!("{} recorded streams", recordings.len());
    assert!(recordings.len() >= 90, "only {}; is the folder whole?", recordings.len());
}

#[test]
fn a_stream_cut_anywhere_is_truncated_and_a_prefix() {
    let Some(recordings) = recordings(&OWN) else { return };
    let mut cuts = 0;
    for (number, Recording { file, format, body }) in recordings.iter().enumerate() {
        let whole = decoded(*format, [body.as_slice()]).1.unwrap();
        let text = std::str::from_utf8(body).expect("UTF-8");
        let marker = ["data: [DONE]", "data: {\"type\":\"message_stop\""].into_iter();
        let marker = marker.filter_map(|marker| text.rfind(marker)).max().expect("an end marker");
        // Before the marker itself is there, with or without its line's end.
        let last = marker + "data: [DONE".len();
        let boundaries = text.match_indices("\n\n").map(|(at, _)| at + 2).filter(|at| *at <= last);
        let mut random = 0;
        let anywhere = pieces(body, number as u64 + 1).into_iter().map(|piece| {
            random += piece.len();
            random
        });
        // A body without any event is not a stream that was cut.
        let anywhere = anywhere.filter(|at| (1..=last).contains(at)).step_by(9);
        for at in boundaries.chain(anywhere).chain([1, last]) {
            let (events, cut) = decoded(*format, [&body[..at]]);
            let (error, partial) = match cut {
                Err(cut) => cut,
                // Behind the finish reason only usage and the end marker are missing.
                Ok(finished) => {
                    let (part, all) = (Said::of(&finished), Said::of(&whole));
                    let uncounted = Said { usage: part.usage, ..all };
                    assert_eq!(part, uncounted, "{file} at {at}");
                    continue;
                }
            };
            assert_eq!(error.kind(), ErrorKind::Truncated, "{file} at {at}: {error}");
            assert!(!events.iter().any(|event| matches!(event, StreamEvent::Finished(_))));
            let (part, all) = (Said::of(&partial), Said::of(&whole));
            assert!(all.text.starts_with(&part.text), "{file} at {at}");
            assert!(all.reasoning.starts_with(&part.reasoning), "{file} at {at}");
            assert!(all.refusal.starts_with(&part.refusal), "{file} at {at}");
            assert!(part.calls.len() <= all.calls.len(), "{file} at {at}");
            for (some, every) in part.calls.iter().zip(&all.calls) {
                assert_eq!((&some.0, &some.1), (&every.0, &every.1), "{file} at {at}");
                assert!(every.2.starts_with(&some.2), "{file} at {at}");
            }
            assert!(part.finish.is_none() || part.finish == all.finish, "{file} at {at}");
            assert_ne!(partial.usage.source, UsageSource::Missing, "{file} at {at}");
            cuts += 1;
        }
    }
    eprintln!("{cuts} cuts");
}

#[test]
fn recorded_streams_of_compatible_servers_are_read() {
    let Some(recordings) = recordings(&COMPATIBLE) else { return };
    let mut failures = Vec::new();
    for recording in &recordings {
        let Recording { file, format, body } = recording;
        let (events, whole) = decoded(*format, [body.as_slice()]);
        let (random, same) = decoded(*format, pieces(body, 7));
        assert_eq!(random, events, "{file}");
        match (whole, same) {
            (Ok(whole), Ok(same)) => {
                assert_eq!(whole, same);
                check_events(&events, &whole);
                assert_eq!(Said::of(&whole), Said::walked(recording), "{file}");
            }
            (Err((error, partial)), Err((again, same))) => {
                assert_eq!((error.to_string(), &partial), (again.to_string(), &same));
                failures.push((file.as_str(), error.kind()));
            }
            _ => panic!("{file}: whole in one piece and not in others"),
        }
    }
    failures.sort_by_key(|(file, _)| *file);
    eprintln!("{} recorded streams", recordings.len());
    assert_eq!(
        failures,
        [
            (
                "groq/pydantic-ai-test_tool_use_failed_error_streaming-0.sse",
                ErrorKind::InvalidRequest
            ),
            (
                "groq/pydantic-ai-test_tool_use_failed_error_streaming_with_text-0.sse",
                ErrorKind::InvalidRequest
            ),
            (
                "openrouter/pydantic-ai-test_openrouter_stream_error-0.sse",
                ErrorKind::InvalidRequest
            ),
        ]
    );
    assert!(recordings.len() >= 40, "only {}; is the folder whole?", recordings.len());
}

/// Wherever a stream is cut, usage counts as fully reported only if it equals that of the whole
/// stream.
#[test]
fn a_cut_recording_never_counts_as_reported_usage() {
    let Some(recordings) = recordings(&[&OWN[..], &COMPATIBLE[..]].concat()) else { return };
    let mut cut = 0;
    for Recording { file, format, body } in &recordings {
        let (_, whole) = decoded(*format, [body.as_slice()]);
        let Ok(whole) = whole else { continue };
        let ends = (0..body.len()).filter(|at| body[..*at].ends_with(b"\n\n"));
        for end in ends {
            let mut decoder = format.decoder();
            let _ = decoder.push(&body[..end], &mut Vec::new());
            let usage = decoder.partial().usage;
            if usage.source == UsageSource::Reported {
                assert_eq!(usage, whole.usage, "{file} cut after {end} bytes");
            } else {
                cut += 1;
            }
        }
    }
    assert!(cut > 1_000, "{cut}");
}
