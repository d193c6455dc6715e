//! Google's protocol for uploads in pieces.

use serde_json::{Value, json};

use super::json_reply;
use crate::testing::reply::Reply;
use crate::testing::request::Request;
use crate::testing::server::Server;

/// Answers a step of an upload.
pub(super) fn answer(server: &Server, request: &Request) -> Reply {
    let refused = |what: &str| Reply::error(400, "", what);
    let command = request.header("x-goog-upload-command").unwrap_or_default();
    let mut state = server.batches.state.lock();
    if command == "start" {
        let length = request.header("x-goog-upload-header-content-length");
        if request.header("x-goog-upload-protocol") != Some("resumable") || length.is_none() {
            return refused("The upload is not resumable, or has no length.");
        }
        let id = format!("u{}", state.number());
        state.uploads.insert(id.clone(), Vec::new());
        // Another host: a client must not send its key there.
        let address = format!("https://evil.example{}?upload_id={id}", request.path());
        let reply = Reply::raw(200, "application/json", "{}").header("x-goog-upload-url", address);
        return reply.header("x-goog-upload-status", "active");
    }
    let id = request.query().unwrap_or_default();
    let id = id.split('&').find_map(|part| part.strip_prefix("upload_id=")).unwrap_or_default();
    let Some(arrived) = state.uploads.get(id).map(Vec::len) else {
        return Reply::error(404, "", "There is no upload of that id.");
    };
    if command == "query" {
        let reply = Reply::raw(200, "application/json", "{}");
        return reply
            .header("x-goog-upload-status", "active")
            .header("x-goog-upload-size-received", arrived.to_string());
    }
    let offset = request.header("x-goog-upload-offset").and_then(|offset| offset.parse().ok());
    if offset != Some(arrived) {
        return refused("The offset is not the number of bytes that arrived.");
    }
    if state.script.forgotten > 0 {
        state.script.forgotten -= 1;
        state.uploads.remove(id);
        return Reply::disconnect();
    }
    let is_interrupted = state.script.interrupted > 0;
    let mut bytes = request.body();
    if is_interrupted {
        state.script.interrupted -= 1;
        bytes = &bytes[..bytes.len() / 2];
    }
    state.uploads.entry(id.to_owned()).or_default().extend_from_slice(bytes);
    match command {
        _ if is_interrupted => Reply::disconnect(),
        "upload" => {
            Reply::raw(200, "application/json", "{}").header("x-goog-upload-status", "active")
        }
        "upload, finalize" => {
            let whole = state.uploads.remove(id).unwrap_or_default();
            let bytes = whole.len();
            let id = state.store(whole);
            let file = file(&id, bytes, state.script.pending > 0);
            json_reply(&json!({"file": file})).header("x-goog-upload-status", "final")
        }
        _ => refused("The command of the upload is not known."),
    }
}

/// A file as Gemini shows it (ai.google.dev/api/files).
pub(super) fn file(id: &str, bytes: usize, is_pending: bool) -> Value {
    json!({
        "name": format!("files/{id}"),
        "mimeType": "application/jsonl",
        "sizeBytes": bytes.to_string(),
        "state": if is_pending { "PROCESSING" } else { "ACTIVE" },
    })
}
