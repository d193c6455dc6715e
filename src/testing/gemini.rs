//! Renders answers in Gemini's format, from its API reference
//! (ai.google.dev/api/generate-content) and recorded responses.

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure, Finish};
use super::render::{Event, Filled, Renderer, Usage};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// A signature, which clients send back without reading it.
const SIGNATURE: &str = "bG9vcGJhY2s=";

/// The methods of a model, after a colon.
const METHODS: [&str; 3] = [":generateContent", ":streamGenerateContent", EMBED];

/// The method that embeds.
pub(super) const EMBED: &str = ":batchEmbedContents";

/// Removes the model and its method from a path: `/v1beta/models/m:generateContent` becomes
/// `/v1beta`.
pub(super) fn base(path: &str) -> Option<&str> {
    let model = METHODS.iter().find_map(|method| path.strip_suffix(method))?;
    let (collection, _) = model.rsplit_once('/')?;
    ["/models", "/tunedModels"].iter().find_map(|name| collection.strip_suffix(name))
}

/// Returns the model in a path of this format.
pub(super) fn model(path: &str) -> Option<&str> {
    base(path)?;
    let (model, _) = path.rsplit('/').next()?.split_once(':')?;
    Some(model).filter(|model| !model.is_empty())
}

/// Returns true if a path of this format requests a stream.
pub(super) fn is_stream(path: &str) -> bool {
    path.ends_with(METHODS[1])
}

/// `generateContent` and `streamGenerateContent`.
pub(super) struct GenerateContent;

impl Renderer for GenerateContent {
    fn finish_reason(&self, reply: &Reply, answer: &Answer) -> String {
        let word = match &reply.finish {
            Some(Finish::Raw(word)) => word,
            Some(Finish::Reason(reason)) => match reason {
                // Calls end with the same word.
                FinishReason::Stop | FinishReason::ToolCalls => "STOP",
                FinishReason::Length => "MAX_TOKENS",
                FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
                FinishReason::Pause | FinishReason::Other => "OTHER",
            },
            None if answer.refusal.is_some() => "SAFETY",
            None => "STOP",
        };
        word.to_owned()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let parts = pieces(filled).into_iter().map(Piece::whole).collect();
        let mut body = chunk(filled, parts, Some(&filled.finish));
        if let Some(counts) = filled.usage {
            body["usageMetadata"] = usage(counts, counts.completion);
        }
        body
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut send = |body: &Value| events.push(Event::data(body));
        let mut written = 0;
        for part in pieces(filled).into_iter().flat_map(Piece::parts) {
            let mut body = chunk(filled, vec![part], None);
            if let Some(counts) = filled.usage {
                // The counts so far.
                written = counts.completion.min(written + 1);
                body["usageMetadata"] = usage(counts, written.max(counts.reasoning));
            }
            send(&body);
        }
        let mut last = chunk(filled, vec![json!({"text": ""})], Some(&filled.finish));
        if let Some(counts) = filled.usage {
            last["usageMetadata"] = usage(counts, counts.completion);
        }
        send(&last);
        events
    }

    /// `google.rpc.Status`, with the reason of a failure as `google.rpc.ErrorInfo` has it
    /// (googleapis/googleapis `google/rpc/error_details.proto`).
    fn error(&self, status: u16, failure: &Failure, _request_id: &str) -> Value {
        // googleapis/googleapis `google/rpc/code.proto`.
        let (word, message) = match status {
            401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
            403 => ("PERMISSION_DENIED", "The caller does not have permission"),
            404 => ("NOT_FOUND", "Requested entity was not found."),
            409 => ("ABORTED", "The operation was aborted."),
            429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
            499 => ("CANCELLED", "The operation was cancelled."),
            501 => ("UNIMPLEMENTED", "The operation is not implemented."),
            503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
            504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
            500..=599 => ("INTERNAL", "An internal error has occurred."),
            _ => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        };
        let message = if failure.message.is_empty() { message } else { &failure.message };
        let mut error = json!({"code": status, "message": message, "status": word});
        if !failure.code.is_empty() {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": failure.code,
                "domain": "googleapis.com",
            }]);
        }
        json!({ "error": error })
    }

    /// Google documents none, so it has a name that no client reads.
    fn request_id(&self, number: u64) -> (&'static str, String) {
        ("x-loopback-request-id", format!("{number:032x}"))
    }

    /// Google sends none.
    fn rate_limit(&self, _limit: u64, _remaining: u64, _now: SystemTime) -> Vec<(String, String)> {
        Vec::new()
    }

    fn not_found(&self, _request: &Request) -> Reply {
        Reply::error(404, "", "Requested entity was not found.")
    }
}

/// A part of an answer, with the texts of its chunks in a stream. Without texts it is one chunk.
struct Piece {
    part: Value,
    texts: Vec<String>,
}

impl Piece {
    fn whole(self) -> Value {
        self.part
    }

    fn parts(self) -> Vec<Value> {
        if self.texts.is_empty() {
            return vec![self.part];
        }
        let with = |text: String| {
            let mut part = self.part.clone();
            part["text"] = text.into();
            part
        };
        self.texts.into_iter().map(with).collect()
    }
}

fn pieces(filled: &Filled<'_>) -> Vec<Piece> {
    let answer = filled.answer;
    let mut pieces = Vec::new();
    if let Some(text) = &answer.reasoning {
        let part = json!({"text": text, "thought": true});
        pieces.push(Piece { part, texts: super::content::words(text) });
    }
    if let Some(texts) = &answer.text {
        pieces.push(Piece { part: json!({"text": texts.concat()}), texts: texts.clone() });
    }
    // The format has no part for refusals.
    if let Some(text) = &answer.refusal {
        pieces.push(Piece { part: json!({"text": text}), texts: super::content::words(text) });
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let id = format!("{:08x}{index:02}", filled.number);
        let mut part = json!({"functionCall": {"name": call.name, "args": args, "id": id}});
        // Only the first of several calls is signed.
        if index == 0 {
            part["thoughtSignature"] = SIGNATURE.into();
        }
        pieces.push(Piece { part, texts: Vec::new() });
    }
    pieces
}

fn chunk(filled: &Filled<'_>, parts: Vec<Value>, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = finish.into();
    }
    json!({
        "candidates": [candidate],
        "modelVersion": filled.model,
        "responseId": format!("loopback-{:016x}", filled.number),
    })
}

/// Gemini counts thoughts separately from the output, and omits counts of zero.
fn usage(counts: Usage, output: u64) -> Value {
    let mut usage = json!({
        "promptTokenCount": counts.prompt,
        "totalTokenCount": counts.prompt.saturating_add(output),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counts.prompt}],
    });
    for (name, count) in [
        ("candidatesTokenCount", output.saturating_sub(counts.reasoning)),
        ("thoughtsTokenCount", counts.reasoning),
        ("cachedContentTokenCount", counts.cached),
    ] {
        if count > 0 {
            usage[name] = count.into();
        }
    }
    usage
}
