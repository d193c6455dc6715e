//! What is replayed equals what was live, for every response recorded from a provider.
//!
//! Each response is served over a socket while the client records it. Then the server is gone.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use support::recordings::{Recordings, member};
use support::{builder, loopback};
use tollgate::provider::Format;
use tollgate::replay::Mode;
use tollgate::testing::{Framing, Reply};
use tollgate::{
    AnswerSource, ChatRequest, ChatResponse, Client, Error, RawRequest, Replay, StreamEvent,
};

/// A recorded response, and how to ask for it.
struct Recorded {
    file: String,
    provider: &'static str,
    kind: Kind,
    reply: Reply,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Chat(bool),
    Responses(bool),
    Completion(bool),
    Raw,
}

fn recorded() -> Option<Vec<Recorded>> {
    let recordings = Recordings::open()?;
    let of = |(number, entry): (usize, &Value)| {
        let url = member(entry, "url");
        let path = url.split('?').next().unwrap_or_default();
        let streamed = entry["kind"] != "json";
        let (provider, kind) = match path {
            _ if path.ends_with("/chat/completions") => ("openai", Kind::Chat(streamed)),
            _ if path.ends_with("/responses") => ("openai", Kind::Responses(streamed)),
            _ if path.ends_with("/completions") => ("openai", Kind::Completion(streamed)),
            _ if path.ends_with("/messages") => ("anthropic", Kind::Chat(streamed)),
            _ if path.ends_with("/v2/chat") => ("cohere", Kind::Chat(streamed)),
            _ if path.ends_with("/api/chat") => ("ollama", Kind::Chat(streamed)),
            _ if path.contains("enerateContent") => ("gemini", Kind::Chat(streamed)),
            _ => ("openai", Kind::Raw),
        };
        let status = entry["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap();
        let mut reply = Reply::raw(status, "application/json", recordings.body(entry));
        for (name, value) in entry["response_headers"].as_object().into_iter().flatten() {
            let name = name.to_lowercase();
            let framing = ["content-length", "transfer-encoding", "content-encoding", "connection"];
            if !framing.contains(&&*name) {
                reply = reply.header(name, value.as_str().unwrap_or_default());
            }
        }
        // Streams arrive in pieces of every size, with each way to end a body.
        if streamed {
            let framing =
                [Framing::Chunked, Framing::ContentLength, Framing::UntilClose][number % 3];
            reply = reply.framing(framing).write_size([17, 100, 1000, 100_000][number % 4]);
        }
        Recorded { file: member(entry, "file"), provider, kind, reply }
    };
    Some(recordings.entries.iter().enumerate().map(of).collect())
}

/// All that a caller sees of a call.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<StreamEvent>,
    answer: Option<Value>,
    error: Option<Value>,
}

fn answer(response: &ChatResponse) -> Value {
    let mut value = serde_json::to_value(response).unwrap();
    let members = value.as_object_mut().unwrap();
    for timed in ["latency", "attempts", "source", "rate_limit"] {
        members.shift_remove(timed);
    }
    value
}

fn error(error: &Error) -> Value {
    json!([
        error.to_string(),
        error.kind(),
        error.status(),
        error.code(),
        error.request_id(),
        error.is_retryable(),
    ])
}

fn seen(outcome: Result<ChatResponse, Error>) -> Seen {
    let (answer, error) = match &outcome {
        Ok(response) => (Some(answer(response)), None),
        Err(failed) => (None, Some(error(failed))),
    };
    Seen { events: Vec::new(), answer, error }
}

/// Asks for a response. The prompt is the name of its file.
fn ask(client: &Client, recorded: &Recorded) -> (Seen, Option<AnswerSource>) {
    let request = ChatRequest::from(&*recorded.file);
    let (streamed, request) = match recorded.kind {
        Kind::Raw => {
            let body = json!({"model": "m", "prompt": recorded.file});
            let sent = client.send(RawRequest::post("/chat/completions", body));
            let (answer, error) = match &sent {
                Ok(sent) => {
                    (Some(json!([sent.status, sent.body, sent.media_type, sent.request_id])), None)
                }
                Err(failed) => (None, Some(error(failed))),
            };
            return (Seen { events: Vec::new(), answer, error }, None);
        }
        Kind::Responses(streamed) => (streamed, request.wire_format(Format::OpenAiResponses)),
        Kind::Chat(streamed) | Kind::Completion(streamed) => (streamed, request),
    };
    let completion = matches!(recorded.kind, Kind::Completion(_));
    if !streamed {
        let outcome = match completion {
            true => client.complete(request),
            false => client.chat(request),
        };
        let source = outcome.as_ref().ok().map(ChatResponse::source);
        return (seen(outcome), source);
    }
    let stream = match completion {
        true => client.complete_stream(request),
        false => client.stream(request),
    };
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => return (seen(Err(error)), None),
    };
    let events = stream.by_ref().map_while(Result::ok).collect();
    let source = Some(stream.source());
    let end = stream.finish();
    let partial = answer(&stream.partial());
    (Seen { events, answer: Some(partial), ..seen(end) }, source)
}

#[test]
fn every_recorded_response_is_replayed_as_it_was_live() {
    let Some(recorded) = recorded() else { return };
    let folder: PathBuf =
        std::env::temp_dir().join(format!("tollgate-replayed-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let (mut lived, mut urls) = (Vec::new(), Vec::new());
    for provider in ["openai", "anthropic", "cohere", "ollama", "gemini"] {
        let server = loopback();
        let replay = Replay::dir(&folder).mode(Mode::Record).transient_failures(true);
        let client = builder(&server, provider).replay(replay).build().unwrap();
        for recorded in recorded.iter().filter(|recorded| recorded.provider == provider) {
            server.reply(recorded.reply.clone());
            let (seen, source) = ask(&client, recorded);
            assert_ne!(source, Some(AnswerSource::Replayed), "{}", recorded.file);
            lived.push((recorded, seen));
        }
        assert_eq!(server.unused_replies(), 0, "{provider}");
        urls.push((provider, server.base_url(provider)));
    }
    // The servers are gone.
    let replay = Replay::dir(&folder).mode(Mode::Replay);
    let (mut streams, mut errors) = (0, 0);
    for (provider, url) in urls {
        let client = Client::builder()
            .provider(provider)
            .model(match provider {
                "anthropic" => "claude-haiku-4-5",
                "cohere" => "command-a-03-2025",
                "gemini" => "gemini-2.5-flash",
                _ => "gpt-4o-mini",
            })
            .base_url(url)
            .timeout(Duration::from_secs(30))
            .replay(&replay)
            .build()
            .unwrap();
        for (recorded, live) in lived.iter().filter(|(one, _)| one.provider == provider) {
            let (seen, source) = ask(&client, recorded);
            assert_eq!(&seen, live, "{}", recorded.file);
            assert_ne!(source, Some(AnswerSource::Live), "{}", recorded.file);
            streams += usize::from(!seen.events.is_empty());
            errors += usize::from(seen.error.is_some());
        }
    }
    replay.check().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    eprintln!("{} responses, {streams} streams with events, {errors} errors", lived.len());
    assert!(lived.len() >= 450 && streams >= 200 && errors >= 20);
}
