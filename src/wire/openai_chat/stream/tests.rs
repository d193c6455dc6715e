//! Tests of decoding streamed chat completions.

mod usage;

use super::*;
use crate::chat::{Text, UsageSource};
use crate::error::ErrorKind;
use crate::wire::Target;
use crate::wire::Wire;
use crate::wire::openai_chat::{decode, messages};
use crate::wire::stream::tests::{Run, lines, run};
use serde_json::json;

pub(in crate::wire::openai_chat) fn choice(delta: Value) -> Value {
    json!({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

/// Reads a stream of chunks with these deltas and the end.
pub(in crate::wire::openai_chat) fn deltas(deltas: &[Value], finish: &str) -> Run {
    let mut chunks: Vec<_> = deltas.iter().cloned().map(choice).collect();
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]});
    chunks.push(end);
    chunks_to_end(&chunks)
}

fn chunks_to_end(chunks: &[Value]) -> Run {
    run(Wire::OpenAiChat, &(lines(chunks) + "data: [DONE]\n\n"))
}

fn text(text: &str) -> StreamEvent {
    StreamEvent::TextDelta(text.into())
}

#[test]
fn chunks_that_differ_only_in_text_are_read_without_parsing() {
    let piece = |text: &str, more: Value| {
        let mut chunk = choice(json!({"content": text}));
        chunk["choices"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chunk["obfuscation"] = "x".repeat(text.len()).into();
        chunk
    };
    let plain = |text: &str| piece(text, json!({}));
    let mut stream = Stream::new(SizeLimit::new(1 << 20));
    let mut events = Vec::new();
    let mut read = |chunk: &Value| {
        let before = stream.template.clone();
        stream.event(None, &chunk.to_string(), &mut events).unwrap();
        before.written_in(&chunk.to_string()).is_some()
    };
    assert!(!read(&plain("a")));
    assert!(read(&plain(" b")) && read(&plain("\"é\"\n")));
    // A chunk with more in it is parsed fully, and so is the next one.
    let end = |text: &str| piece(text, json!({"finish_reason": "stop"}));
    let counted = |text: &str| {
        let mut chunk = plain(text);
        chunk["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2});
        chunk
    };
    for more in [&end as &dyn Fn(&str) -> Value, &counted] {
        assert!(!read(&more("c")) && !read(&more("d")) && !read(&plain("e")));
        assert!(read(&plain("f")));
    }
    let mut other = plain("g");
    other["id"] = "y".into();
    assert!(!read(&other) && read(&other));
    assert_eq!(stream.outline.id, "y");
    assert!(stream.event(Some("error"), &other.to_string(), &mut events).is_err());
    let text: String = events
        .iter()
        .map(|event| match event {
            StreamEvent::TextDelta(text) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(text, "a b\"é\"\ncdefcdefgg");
}

#[test]
fn a_stream_yields_the_same_answer_as_one_body() {
    let annotation = json!({"type": "url_citation", "url_citation": {"url": "u"}});
    let audio = json!({"id": "audio_1", "data": "YWI=", "transcript": "ab", "expires_at": 9});
    // LiteLLM gives every image the same index.
    let image = |data: &str| {
        let url = format!("data:image/png;base64,{data}");
        json!({"image_url": {"url": url, "detail": "auto"}, "index": 0, "type": "image_url"})
    };
    let custom = json!({"id": "c3", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}});
    let function = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let at = |index: u64, mut call: Value| {
        call["index"] = index.into();
        json!({"tool_calls": [call]})
    };
    let cases = [
        (vec![json!({"role": "assistant", "content": ""})], json!({"content": ""}), "stop"),
        (
            vec![
                json!({"reasoning_content": "h"}),
                json!({"reasoning_content": "m", "content": null}),
                json!({"content": "a é", "reasoning_content": null}),
                json!({"content": "\u{1f600}\n"}),
            ],
            json!({"content": "a é\u{1f600}\n", "reasoning_content": "hm"}),
            "length",
        ),
        (
            vec![json!({"reasoning": "h", "content": ""}), json!({"reasoning": "m"})],
            json!({"content": "", "reasoning": "hm"}),
            "stop",
        ),
        (
            vec![json!({"refusal": "I "}), json!({"refusal": "can't."})],
            json!({"content": null, "refusal": "I can't."}),
            "stop",
        ),
        (
            vec![
                json!({"content": "a", "annotations": [annotation]}),
                json!({"content": "b", "annotations": [annotation]}),
            ],
            json!({"content": "ab", "annotations": [annotation, annotation]}),
            "stop",
        ),
        (
            vec![
                json!({"audio": {"id": "audio_1", "transcript": "a"}}),
                json!({"audio": {"data": "YW"}}),
                json!({"audio": {"data": "I=", "transcript": "b"}}),
                json!({"audio": {"expires_at": 9}}),
            ],
            json!({"content": null, "audio": audio}),
            "stop",
        ),
        // Qwen-Omni alternates between text and the speech for it, and encodes each piece
        // separately.
        (
            vec![
                json!({"content": "a"}),
                json!({"audio": {"data": "YQ=="}}),
                json!({"content": "b"}),
                json!({"audio": {"data": "Yg==", "id": "audio_1", "voice": "Tina"}}),
            ],
            json!({"content": "ab", "audio": {"data": "YWI=", "id": "audio_1", "voice": "Tina"}}),
            "stop",
        ),
        (
            vec![
                json!({"content": "a", "images": [image("Zm9v")]}),
                json!({"content": "b", "images": [image("Zm9v"), {"odd": "x"}]}),
                json!({"images": [image("YmFy")]}),
            ],
            json!({"content": "ab", "images": [image("Zm9v"), image("YmFy"), {"odd": "x"}]}),
            "stop",
        ),
        (
            vec![
                json!({"content": [{"type": "text", "text": "a"}, image("Zm9v")]}),
                json!({"content": [image("Zm9v"), {"type": "text", "text": "b"}]}),
            ],
            json!({"content": [{"type": "text", "text": "a"}, image("Zm9v"),
                {"type": "text", "text": "b"}]}),
            "stop",
        ),
        (
            vec![
                json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]}),
                json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]}),
                json!({"content": "a"}),
                json!({"content": "b"}),
                json!({"content": [{"type": "reference", "reference_ids": [1]}]}),
                json!({"content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]}),
            ],
            json!({"content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "ab"},
                {"type": "reference", "reference_ids": [1]},
                {"type": "text", "text": "cd"},
            ]}),
            "stop",
        ),
        (
            vec![
                at(0, function("c1", "f", "")),
                at(0, json!({"function": {"arguments": "{\"x\""}})),
                at(0, json!({"function": {"arguments": ": 1}"}})),
                at(1, function("c2", "g", "")),
                at(2, json!({"id": "c3", "type": "custom", "custom": {"name": "sh", "input": ""}})),
                at(2, json!({"custom": {"input": "ls"}})),
                at(2, json!({"custom": {"input": " -l"}})),
            ],
            json!({"content": null, "tool_calls": [
                function("c1", "f", "{\"x\": 1}"), function("c2", "g", ""), custom,
            ]}),
            "stop",
        ),
    ];
    for (pieces, message, finish) in cases {
        let body = json!({"id": "x", "choices": [{"message": message, "finish_reason": finish}]});
        let whole = decode(body.to_string().as_bytes().into()).unwrap();
        let run = deltas(&pieces, finish);
        assert_eq!(run.end, Ok(()));
        assert_eq!(run.decoded.message, whole.message, "{message}");
        assert_eq!(run.decoded.finish_reason, whole.finish_reason, "{message}");
        assert_eq!(run.decoded.finish_reason_raw, whole.finish_reason_raw);
        assert_eq!(run.decoded.id, whole.id);
        assert_eq!(run.events.last(), Some(&StreamEvent::Finished(whole.finish_reason)));
        assert!(messages::encode(&[run.decoded.message], Target::openai("m")).is_ok());
    }
}

#[test]
fn unusual_chunks_are_tolerated() {
    for (chunks, expected) in [
        // Azure's first chunk, and a `delta` that is null.
        (
            vec![
                json!({"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]}),
                json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": null, "content_filter_results": {}}]}),
                choice(json!({"content": "a"})),
            ],
            "a",
        ),
        (vec![json!({"choices": [{"delta": {"content": "a"}}], "obfuscation": "XyZ"})], "a"),
        // Only the first choice is read.
        (
            vec![
                json!({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]}),
                choice(json!({"content": "a"})),
                json!({"choices": [{"index": 2, "delta": {"content": "no"}}]}),
            ],
            "a",
        ),
        // Perplexity's, which repeats everything so far in a message.
        (
            vec![
                json!({"choices": [{"delta": {"content": "a"}, "message": {"content": "a"}}]}),
                json!({"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}}]}),
            ],
            "ab",
        ),
        // A gateway's stream of one event.
        (vec![json!({"choices": [{"message": {"content": "a"}}]})], "a"),
        // Both names at once count once.
        (vec![choice(json!({"content": "a", "reasoning": "", "refusal": ""}))], "a"),
        (vec![choice(json!({"content": 7})), choice(json!({"content": "a"}))], "a"),
        (vec![choice(json!({"content": "a"})), json!({"choices": "odd", "error": null})], "a"),
    ] {
        let run = chunks_to_end(&chunks);
        assert_eq!(run.end, Ok(()), "{chunks:?}");
        assert_eq!(run.decoded.message, Message::assistant(expected), "{chunks:?}");
    }
    let body = "event: message\ndata: {\"choices\": [{\"delta\": {\"content\": \"x\", \
                \"content\": \"half \\ud83d\"}, \"logprobs\": NaN}], \"id\": 1, \"id\": 2}\r\n\r\n\
                data: [DONE]\r\n\r\n";
    let run = run(Wire::OpenAiChat, body);
    assert_eq!(run.events[..2], [text("half "), text("\u{fffd}")]);
    assert_eq!(run.decoded.message.text(), "half \u{fffd}");
    assert_eq!(run.decoded.id.as_deref(), Some("2"));
}

#[test]
fn reasoning_under_two_names_counts_once() {
    let both = json!({"reasoning": "h", "reasoning_content": "h"});
    let run = deltas(&[both.clone(), both], "stop");
    let field = Some("reasoning_content".to_owned());
    let expected = Reasoning { field, ..thought("hh".to_owned()) };
    assert_eq!(run.decoded.message.content, [Part::Reasoning(expected)]);
}

#[test]
fn an_error_in_the_stream_is_classified() {
    let choices = json!([{"index": 0, "delta": {"content": ""}}]);
    for (event, kind) in [
        (json!({"error": {"message": "x", "type": "server_error"}}).to_string(), ErrorKind::Server),
        (
            json!({"error": {"message": "x", "code": "rate_limit_exceeded"}}).to_string(),
            ErrorKind::RateLimited,
        ),
        (json!({"error": "the model crashed"}).to_string(), ErrorKind::Server),
        // OpenRouter's, next to choices or in one, with the usage so far.
        (
            json!({"error": {"code": 502, "message": "x"}, "choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": 2}}).to_string(),
            ErrorKind::Server,
        ),
        (
            json!({"choices": [{"delta": {}, "error": {"code": 429, "message": "x"}}]}).to_string(),
            ErrorKind::RateLimited,
        ),
        // vLLM's.
        (
            json!({"object": "error", "message": "x", "type": "BadRequestError", "code": 400}).to_string(),
            ErrorKind::InvalidRequest,
        ),
        (json!({"error": {"message": "Internal", "code": 500}}).to_string(), ErrorKind::Server),
    ] {
        let body = lines(&[choice(json!({"content": "a"}))]) + &format!("data: {event}\n\n");
        let run = run(Wire::OpenAiChat, &body);
        assert_eq!(run.end.unwrap_err().kind, kind, "{event}");
        assert_eq!(run.events, [text("a")], "{event}");
        assert_eq!(run.decoded.message, Message::assistant("a"));
        let reported = event.contains("usage");
        assert_eq!(run.decoded.usage.source == UsageSource::Reported, reported);
    }
    for (body, kind) in [
        // Groq's (recorded).
        (
            "event: error\ndata: {\"error\": {\"message\": \"x\", \"type\": \
             \"invalid_request_error\", \"code\": \"tool_use_failed\"}}\n\n",
            ErrorKind::InvalidRequest,
        ),
        ("event: error\ndata: upstream went away\n\n", ErrorKind::Server),
        ("event: error\ndata: {\"message\": \"x\", \"code\": 503}\n\n", ErrorKind::Overloaded),
        ("data: [DONE]\n\n", ErrorKind::Protocol),
        ("data: {\"choices\": []}\n\ndata: [DONE]\n\n", ErrorKind::Protocol),
        ("data: {\"choices\": [}\n\n", ErrorKind::Protocol),
        ("data: Internal error\n\n", ErrorKind::Protocol),
    ] {
        assert_eq!(run(Wire::OpenAiChat, body).end.unwrap_err().kind, kind, "{body}");
    }
    // An empty error next to an answer.
    let odd = json!({"error": {}, "choices": [{"delta": {"content": "a"}}]});
    assert_eq!(chunks_to_end(&[odd]).decoded.message, Message::assistant("a"));
}

#[test]
fn an_oversized_answer_is_an_error() {
    let call = |index: usize| json!({"index": index, "id": format!("c{index}"), "function": {"name": "f"}});
    let calls: Vec<_> = (0..=MAX_PARTS).map(call).collect();
    let block = json!({"type": "other"});
    for delta in [
        json!({"tool_calls": calls}),
        json!({"content": vec![&block; MAX_PARTS + 1]}),
        json!({"annotations": vec![json!({}); 9_999]}),
    ] {
        let mut chunks = vec![choice(delta.clone())];
        chunks.push(choice(delta));
        let failure = run_in_one(&lines(&chunks)).unwrap_err();
        assert!(failure.message.contains("more parts"), "{}", failure.message);
    }
    // Each in its own chunk.
    let chunks: Vec<_> = calls.iter().map(|call| choice(json!({"tool_calls": [call]}))).collect();
    let failure = run_in_one(&lines(&chunks)).unwrap_err();
    assert!(failure.message.contains("more parts"), "{}", failure.message);
}

/// Reads a stream in one push; byte by byte would take too long.
fn run_in_one(body: &str) -> Result<(), Failure> {
    let mut decoder = crate::wire::Decoder::new(Wire::OpenAiChat, 0, 1 << 24);
    decoder.push(body.as_bytes(), &mut Vec::new()).map(|_| ())
}

#[test]
fn unexpected_values_never_panic() {
    let odd = [
        json!(null),
        json!(0),
        json!(-1.5),
        json!("x"),
        json!([]),
        json!([{}]),
        json!({}),
        json!({"type": 1, "index": [], "id": 1, "function": 2, "custom": 3}),
    ];
    let fields = [
        "content",
        "refusal",
        "reasoning",
        "reasoning_content",
        "tool_calls",
        "function_call",
        "annotations",
        "audio",
    ];
    for value in &odd {
        for field in fields {
            for value in [value.clone(), json!([value]), json!({"name": value, "arguments": value})]
            {
                let run = deltas(&[json!({field: value}), json!({field: value})], "stop");
                assert_eq!(run.end, Ok(()), "{field} {value}");
            }
        }
        for field in ["id", "model", "service_tier", "usage", "x_groq", "obfuscation"] {
            let mut chunk = choice(json!({"content": "a"}));
            chunk[field] = value.clone();
            assert_eq!(chunks_to_end(&[chunk]).end, Ok(()), "{field} {value}");
        }
        let _ =
            chunks_to_end(&[json!({"choices": value}), json!({"choices": [value]}), value.clone()]);
    }
}

#[test]
fn annotations_stay_with_the_first_text() {
    let found = json!({"type": "url_citation"});
    let run = deltas(&[json!({"annotations": [found]}), json!({"content": "a"})], "stop");
    let cited = Text { citations: vec![found], ..Text::from("a") };
    assert_eq!(run.decoded.message.content, [Part::Text(cited)]);
}
