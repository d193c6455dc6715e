//! Calls of Amazon Bedrock over real sockets.

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::{KEY, last, loopback, quick_retries, weather};
use tollgate::provider::AwsCredentials;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    ChatRequest, Client, ErrorKind, FinishReason, Message, Part, ProviderConfig, RawRequest,
    StreamDecoder, StreamEvent, ToolResult, UsageSource,
};

const CLAUDE: &str = "eu.anthropic.claude-opus-4-8-v1:0";

/// A client with a Bedrock API key.
fn with_key(server: &Loopback) -> Client {
    client(server, ProviderConfig::new("bedrock").api_key(KEY), 0)
}

fn with_access_key(server: &Loopback, retries: u32) -> Client {
    let keys = AwsCredentials::new("AKIDLOOPBACK", "loopback secret key").region("eu-west-1");
    let keys = keys.session_token("loopback-session-token");
    client(server, ProviderConfig::new("bedrock").credentials(keys), retries)
}

fn client(server: &Loopback, config: ProviderConfig, retries: u32) -> Client {
    let config = config.base_url(format!("http://{}", server.address()));
    Client::builder()
        .add_provider(config)
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(30))
        .retry(quick_retries(retries))
        .build()
        .unwrap()
}

fn request(text: &str) -> ChatRequest {
    ChatRequest::from(text).model(format!("bedrock/{CLAUDE}"))
}

#[test]
fn answers_come_whole_and_streamed() {
    let server = loopback();
    server.require_key(KEY);
    let client = with_key(&server);
    let reply = || Reply::text("Paris it is.").usage(20, 5).cached(8).cache_write(4);
    server.reply(reply());
    let whole = client.chat(request("Capital of France?")).unwrap();
    let path = "/model/eu.anthropic.claude-opus-4-8-v1%3A0/converse";
    assert_eq!(last(&server).path(), path);
    assert_eq!(last(&server).model(), Some(CLAUDE));
    let bearer = format!("Bearer {KEY}");
    assert_eq!(last(&server).header("authorization"), Some(&*bearer));
    assert_eq!((whole.text().as_str(), whole.provider.as_str()), ("Paris it is.", "bedrock"));
    assert!(whole.request_id.is_some());
    assert!(whole.cost.is_some());
    let usage = whole.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (20, 5));
    assert_eq!((usage.cached_tokens, usage.cache_write_tokens), (8, 4));

    server.reply(reply());
    let mut stream = client.stream(request("Capital of France?")).unwrap();
    let mut text = String::new();
    for event in stream.by_ref() {
        if let StreamEvent::TextDelta(more) = event.unwrap() {
            text += &more;
        }
    }
    let streamed = stream.finish().unwrap();
    assert_eq!(last(&server).path(), format!("{path}-stream"));
    assert_eq!((&*text, &streamed.message), ("Paris it is.", &whole.message));
    assert_eq!((streamed.usage, streamed.cost), (whole.usage, whole.cost));
}

#[test]
fn every_attempt_is_signed() {
    let server = loopback();
    server.require_key("AKIDLOOPBACK");
    let client = with_access_key(&server, 1);
    server.reply(Reply::status(503));
    server.reply(Reply::text("Hi."));
    client.chat(request("hi")).unwrap();
    let attempts = server.requests();
    assert_eq!(attempts.len(), 2);
    for attempt in attempts {
        let authorization = attempt.header("authorization").unwrap();
        let time = attempt.header("x-amz-date").unwrap();
        let scope =
            format!("Credential=AKIDLOOPBACK/{}/eu-west-1/bedrock/aws4_request", &time[..8]);
        assert!(authorization.contains(&scope), "{authorization}");
        assert!(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token"));
        assert_eq!(attempt.header("x-amz-security-token"), Some("loopback-session-token"));
    }
}

#[test]
fn a_tool_loop_returns_calls_results_and_reasoning() {
    let server = loopback();
    let client = with_key(&server);
    for streamed in [false, true] {
        server.reply(
            Reply::text("Let me see.")
                .reasoning("Oslo first")
                .and_tool_call("weather", json!({"city": "Oslo"}))
                .and_tool_call("weather", json!({"city": "Rome"})),
        );
        let mut asked = request("Weather in Oslo and Rome?").tool(weather());
        let answer = match streamed {
            false => client.chat(&asked).unwrap(),
            true => client.stream(&asked).unwrap().finish().unwrap(),
        };
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
        let mut results = Message::user("");
        for call in answer.message.tool_calls() {
            results = results.with(ToolResult::new(call.id.clone(), "rain"));
        }
        asked.messages.push(answer.message);
        asked.messages.push(results);
        client.chat(&asked).unwrap();
        let sent = last(&server);
        let turns = &sent.json()["messages"];
        let reasoning = &turns[1]["content"][0]["reasoningContent"]["reasoningText"];
        assert_eq!(reasoning["text"], "Oslo first");
        assert!(reasoning["signature"].is_string());
        assert_eq!(turns[1]["content"][2]["toolUse"]["input"], json!({"city": "Oslo"}));
        let id = &turns[1]["content"][3]["toolUse"]["toolUseId"];
        assert_eq!(&turns[2]["content"][1]["toolResult"]["toolUseId"], id);

        // To another provider the reasoning does not go.
        let other = support::client(&server, "anthropic");
        asked.model = None;
        other.chat(&asked).unwrap();
        assert!(!last(&server).body_contains("Oslo first"));
    }
}

#[test]
fn errors_are_classified_and_say_what_to_do() {
    let server = loopback();
    let client = with_access_key(&server, 0);
    let expired = "Signature expired: 20261127T100000Z is now earlier than 20261127T104500Z";
    for (status, code, message, kind, advice) in [
        (403, "InvalidSignatureException", expired, ErrorKind::Authentication, "machine's clock"),
        (
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            ErrorKind::Authentication,
            "new temporary keys",
        ),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            ErrorKind::Permission,
            "Bedrock console",
        ),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            ErrorKind::NotFound,
            "the region of the base URL",
        ),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            ErrorKind::ContextWindowExceeded,
            "",
        ),
        (429, "ThrottlingException", "Too many requests", ErrorKind::RateLimited, ""),
        (429, "ModelNotReadyException", "Not ready", ErrorKind::Overloaded, ""),
        (424, "ModelErrorException", "The model failed", ErrorKind::Server, ""),
        (408, "ModelTimeoutException", "Too slow", ErrorKind::Server, ""),
        (503, "ServiceUnavailableException", "Busy", ErrorKind::Overloaded, ""),
        (
            400,
            "ServiceQuotaExceededException",
            "Quota",
            ErrorKind::QuotaExhausted,
            "Service Quotas",
        ),
    ] {
        server.reply(Reply::error(status, code, message));
        let error = client.chat(request("hi")).unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
        assert_eq!(error.code(), Some(code));
        let shown = error.to_string();
        let message = message.trim_end_matches('.');
        assert!(shown.contains(message) && shown.contains(advice), "{shown}");
    }
}

#[test]
fn an_exception_in_a_stream_is_the_streams_error() {
    let server = loopback();
    let client = with_key(&server);
    for (code, kind) in [
        ("throttlingException", ErrorKind::RateLimited),
        ("modelStreamErrorException", ErrorKind::Server),
        ("internalServerException", ErrorKind::Server),
    ] {
        server.reply(Reply::text("One two three").stream_error(3, code, "it broke"));
        let mut stream = client.stream(request("hi")).unwrap();
        let error = stream.finish().unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error}");
        assert!(error.to_string().contains("it broke"), "{error}");
    }
}

/// The frames of a streamed answer with reasoning, text and a call.
fn frames() -> Vec<Vec<u8>> {
    let server = loopback();
    server.reply(
        Reply::text("Let me see.")
            .reasoning("Oslo")
            .and_tool_call("weather", json!({"city": "Oslo"}))
            .usage(9, 7),
    );
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let sent = RawRequest::post("/model/m/converse-stream", body).provider("bedrock");
    let body = with_key(&server).send(sent).unwrap().body;
    let mut frames = Vec::new();
    let mut rest = body.as_slice();
    while let Some(length) = rest.first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        let (frame, after) = rest.split_at(length);
        frames.push(frame.to_vec());
        rest = after;
    }
    assert!(rest.is_empty() && frames.len() > 10);
    frames
}

#[test]
fn a_stream_is_the_same_however_it_is_cut_into_pieces() {
    let body = frames().concat();
    let read = |size: usize| {
        let (mut decoder, mut events) = (StreamDecoder::bedrock(), Vec::new());
        for piece in body.chunks(size) {
            decoder.push(piece, &mut events).unwrap();
        }
        assert!(decoder.is_done());
        decoder.finish(&mut events).unwrap();
        (format!("{events:?}"), decoder.into_response())
    };
    let (events, whole) = read(body.len());
    assert_eq!(whole.text(), "Let me see.");
    assert_eq!(whole.message.tool_calls().count(), 1);
    assert!(matches!(whole.message.content[0], Part::Reasoning(_)));
    for size in [1, 2, 3, 11, 12, 13, 100] {
        let (others, again) = read(size);
        assert_eq!(
            (others, again.message, again.usage),
            (events.clone(), whole.message.clone(), whole.usage)
        );
    }
}

#[test]
fn a_stream_cut_before_its_stop_reason_is_truncated() {
    let frames = frames();
    let stop = frames.len() - 2;
    for count in 0..=stop {
        let whole = frames[..count].concat();
        let next = &frames[count];
        for extra in [0, 1, 12, next.len() - 1] {
            let (mut decoder, mut events) = (StreamDecoder::bedrock(), Vec::new());
            decoder.push(&whole, &mut events).unwrap();
            decoder.push(&next[..extra], &mut events).unwrap();
            let error = decoder.finish(&mut events).unwrap_err();
            let expected =
                if count + extra == 0 { ErrorKind::Protocol } else { ErrorKind::Truncated };
            assert_eq!(error.kind(), expected, "{count} {extra}: {error}");
            assert_ne!(decoder.partial().usage.source, UsageSource::Reported);
            assert!(!events.iter().any(|event| matches!(event, StreamEvent::Finished(_))));
        }
    }
}

#[test]
fn damaged_frames_are_never_read() {
    let frames = frames();
    for (index, frame) in frames.iter().enumerate() {
        for at in [0, 3, 4, 9, 14, frame.len() / 2, frame.len() - 1] {
            let mut damaged = frames.clone();
            damaged[index][at] ^= 0x10;
            let (mut decoder, mut events) = (StreamDecoder::bedrock(), Vec::new());
            let pushed = decoder.push(&damaged.concat(), &mut events);
            let error = pushed.and_then(|_| decoder.finish(&mut events)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{index} {at}: {error}");
        }
    }
}

#[test]
fn a_frame_over_the_limit_ends_the_stream() {
    let frames = frames();
    let mut decoder = StreamDecoder::bedrock().max_bytes(4);
    let error = decoder.push(&frames.concat(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    // A prelude that claims 32 MiB, with its CRC.
    let long = b"\x02\0\0\0\0\0\0\0\x27\x07\xd8\x14";
    let error = StreamDecoder::bedrock().push(long, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("more than the limit of"), "{error}");
}

#[test]
fn other_bodies_are_read_as_what_they_are() {
    let whole =
        json!({"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn"});
    for (body, kind) in [
        (whole.to_string(), None),
        (
            json!({"message": "no", "__type": "ThrottlingException"}).to_string(),
            Some(ErrorKind::RateLimited),
        ),
        ("<html>".to_owned(), Some(ErrorKind::Protocol)),
        (String::new(), Some(ErrorKind::Protocol)),
    ] {
        let (mut decoder, mut events) = (StreamDecoder::bedrock(), Vec::<StreamEvent>::new());
        let read = decoder.push(body.as_bytes(), &mut events).map(|_| ());
        let read = read.and_then(|()| decoder.finish(&mut events));
        assert_eq!(read.err().map(|error| error.kind()), kind, "{body}");
    }
    let _: Value = whole;
}

#[test]
fn errors_show_neither_keys_nor_tokens() {
    let server = loopback();
    let client = with_access_key(&server, 0);
    server.respond(|request| {
        let echoed = format!(
            "{} {}",
            request.header("authorization").unwrap_or_default(),
            request.header("x-amz-security-token").unwrap_or_default()
        );
        Some(Reply::error(403, "InvalidSignatureException", echoed))
    });
    let error = client.chat(request("hi")).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("loopback-session-token"), "{shown}");
    assert!(!shown.contains("Signature="), "{shown}");
}
