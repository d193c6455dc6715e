//! Renders answers in Bedrock's format, from its API reference
//! (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
//! API_runtime_ConverseStream.html).

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure, Finish};
use super::render::{Event, Filled, Renderer, Usage, slices};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// A signature, which clients send back without reading it.
const SIGNATURE: &str = "bG9vcGJhY2s=";

/// The ends of the paths.
const OPERATIONS: [&str; 3] = ["/converse", "/converse-stream", INVOKE];

/// The end of the path that embeds.
pub(super) const INVOKE: &str = "/invoke";

/// Splits a path before `/model/{model}/converse`, and returns the model as it is encoded there.
fn split(path: &str) -> Option<(&str, &str)> {
    let resource = OPERATIONS.iter().find_map(|operation| path.strip_suffix(operation))?;
    let (before, model) = resource.rsplit_once('/')?;
    Some((before.strip_suffix("/model")?, model)).filter(|_| !model.is_empty())
}

/// Returns the path before an endpoint of this format.
pub(super) fn base(path: &str) -> Option<&str> {
    split(path).map(|(base, _)| base)
}

/// Returns the model in a path of this format, decoded.
pub(super) fn model(path: &str) -> Option<String> {
    let (_, model) = split(path)?;
    let mut decoded = Vec::new();
    let mut rest = model.as_bytes();
    while let [byte, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *byte == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// Returns true if a path of this format requests a stream.
pub(super) fn is_stream(path: &str) -> bool {
    path.ends_with(OPERATIONS[1])
}

/// `Converse` and `ConverseStream`.
pub(super) struct Converse;

impl Renderer for Converse {
    fn finish_reason(&self, reply: &Reply, answer: &Answer) -> String {
        let word = match &reply.finish {
            Some(Finish::Raw(word)) => word,
            Some(Finish::Reason(reason)) => match reason {
                FinishReason::Stop => "end_turn",
                FinishReason::Length => "max_tokens",
                FinishReason::ToolCalls => "tool_use",
                FinishReason::ContentFilter | FinishReason::Refusal => "content_filtered",
                FinishReason::Pause | FinishReason::Other => "other",
            },
            None if !answer.calls.is_empty() => "tool_use",
            None if answer.refusal.is_some() => "content_filtered",
            None => "end_turn",
        };
        word.to_owned()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let content: Vec<_> = blocks(filled).into_iter().map(|block| block.whole).collect();
        let mut body = json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": filled.finish,
            "metrics": {"latencyMs": 1},
        });
        if let Some(counts) = filled.usage {
            body["usage"] = usage(counts);
        }
        body
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut send = |name: &'static str, mut body: Value| {
            // AWS hides the length of every event with such a member.
            body["p"] = "abcdefghijk".into();
            events.push(Event { name: Some(name), data: body.to_string() });
        };
        send("messageStart", json!({"role": "assistant"}));
        for (index, block) in blocks(filled).into_iter().enumerate() {
            if let Some(start) = block.start {
                send("contentBlockStart", json!({"contentBlockIndex": index, "start": start}));
            }
            for delta in block.deltas {
                send("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}));
            }
            send("contentBlockStop", json!({"contentBlockIndex": index}));
        }
        send("messageStop", json!({"stopReason": filled.finish}));
        let mut metadata = json!({"metrics": {"latencyMs": 1}});
        if let Some(counts) = filled.usage {
            metadata["usage"] = usage(counts);
        }
        send("metadata", metadata);
        events
    }

    fn error(&self, status: u16, failure: &Failure, _request_id: &str) -> Value {
        let (_, message) = usual(status);
        let message = if failure.message.is_empty() { message } else { &failure.message };
        json!({ "message": message })
    }

    fn error_headers(&self, status: u16, failure: &Failure) -> Vec<(String, String)> {
        let (name, _) = usual(status);
        let name = if failure.code.is_empty() { name } else { &failure.code };
        vec![("x-amzn-errortype".to_owned(), format!("{name}:http://internal.amazon.com/"))]
    }

    fn stream_error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        let mut body = self.error(status, failure, request_id);
        if !failure.code.is_empty() {
            body[EXCEPTION] = failure.code.as_str().into();
        }
        body
    }

    fn error_event(&self) -> Option<&'static str> {
        Some("internalServerException")
    }

    fn stream_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn frame(&self, event: &Event) -> Vec<u8> {
        let name = event.name.unwrap_or_default();
        if !name.ends_with("Exception") {
            return frame("event", name, &event.data);
        }
        let mut body: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let own = body.as_object_mut().and_then(|body| body.remove(EXCEPTION));
        let own = own.as_ref().and_then(Value::as_str);
        frame("exception", own.unwrap_or(name), &body.to_string())
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        ("x-amzn-requestid", format!("00000000-0000-4000-8000-{number:012x}"))
    }

    /// AWS sends none.
    fn rate_limit(&self, _limit: u64, _left: u64, _now: SystemTime) -> Vec<(String, String)> {
        Vec::new()
    }

    fn not_found(&self, _request: &Request) -> Reply {
        Reply::error(404, "UnknownOperationException", "")
    }
}

/// Where the body of an error in a stream holds the exception's name until it is framed.
const EXCEPTION: &str = ":exception-type";

/// The exceptions with these statuses, with AWS's own words where they are known.
fn usual(status: u16) -> (&'static str, &'static str) {
    match status {
        403 => (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        401 => ("AccessDeniedException", "Authentication failed: the API key is not valid."),
        404 => ("ResourceNotFoundException", "The specified resource was not found."),
        408 => ("ModelTimeoutException", "The model took too long to respond."),
        424 => ("ModelErrorException", "The model returned an error."),
        429 => ("ThrottlingException", "Too many requests, please wait before trying again."),
        503 => ("ServiceUnavailableException", "Bedrock is unable to process your request."),
        500..=599 => ("InternalServerException", "The system encountered an unexpected error."),
        _ => ("ValidationException", "The request is not valid."),
    }
}

/// A content block: in its complete form, and how a stream starts and continues it.
struct Block {
    whole: Value,
    /// Only calls have one.
    start: Option<Value>,
    deltas: Vec<Value>,
}

fn blocks(filled: &Filled<'_>) -> Vec<Block> {
    let answer = filled.answer;
    let mut blocks = Vec::new();
    if let Some(text) = &answer.reasoning {
        let delta = |delta: Value| json!({ "reasoningContent": delta });
        let mut deltas: Vec<_> =
            slices(text).into_iter().map(|piece| delta(json!({"text": piece}))).collect();
        deltas.push(delta(json!({"signature": SIGNATURE})));
        let whole = json!({"reasoningText": {"text": text, "signature": SIGNATURE}});
        blocks.push(Block { whole: json!({"reasoningContent": whole}), start: None, deltas });
    }
    let text = answer.text.as_ref().map(|pieces| pieces.iter().map(String::as_str).collect());
    let refusal = answer.refusal.as_deref().map(slices);
    for pieces in [text, refusal].into_iter().flatten() {
        let pieces: Vec<&str> = pieces;
        blocks.push(Block {
            whole: json!({"text": pieces.concat()}),
            start: None,
            deltas: pieces.into_iter().map(|piece| json!({"text": piece})).collect(),
        });
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let id = format!("tooluse_{:018}{index:04}", filled.number);
        let input = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let deltas = slices(&call.arguments);
        blocks.push(Block {
            whole: json!({"toolUse": {"toolUseId": id, "name": call.name, "input": input}}),
            start: Some(json!({"toolUse": {"toolUseId": id, "name": call.name}})),
            deltas: deltas.into_iter().map(|piece| json!({"toolUse": {"input": piece}})).collect(),
        });
    }
    blocks
}

/// Bedrock counts cached and written tokens separately from the input.
fn usage(counts: Usage) -> Value {
    let written = counts.cache_write_5m.saturating_add(counts.cache_write_1h);
    let apart = counts.cached.saturating_add(written);
    json!({
        "inputTokens": counts.prompt.saturating_sub(apart),
        "outputTokens": counts.completion,
        "totalTokens": counts.prompt.saturating_add(counts.completion),
        "cacheReadInputTokens": counts.cached,
        "cacheWriteInputTokens": written,
        "cacheDetails": [
            {"ttl": "5m", "inputTokens": counts.cache_write_5m},
            {"ttl": "1h", "inputTokens": counts.cache_write_1h},
        ],
    })
}

/// A frame of an event stream (smithy.io/2.0/aws/amazon-eventstream.html).
fn frame(kind: &str, name: &str, payload: &str) -> Vec<u8> {
    let name_header = if kind == "event" { ":event-type" } else { ":exception-type" };
    let mut headers = Vec::new();
    for (header, value) in
        [(name_header, name), (":content-type", "application/json"), (":message-type", kind)]
    {
        headers.push(u8::try_from(header.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(header.as_bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = Vec::new();
    frame.extend(length(12 + headers.len() + payload.len() + 4));
    frame.extend(length(headers.len()));
    frame.extend(crc32(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend(crc32(&frame).to_be_bytes());
    frame
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_usual_one() {
        // The check value of CRC-32/ISO-HDLC (reveng.sourceforge.io/crc-catalogue).
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn paths_name_the_model() {
        for (path, expected) in [
            ("/model/a.b-v1%3A0/converse", Some(("", "a.b-v1:0"))),
            ("/x/model/arn%3Aaws%2Fy/converse-stream", Some(("/x", "arn:aws/y"))),
            ("/model//converse", None),
            ("/model/a/b/converse", None),
            ("/a/converse", None),
        ] {
            let found = base(path).zip(model(path));
            let found = found.as_ref().map(|(base, model)| (*base, &**model));
            assert_eq!(found, expected, "{path}");
        }
    }
}
