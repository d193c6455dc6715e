//! A job and its results, as each interface shows them.

use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

use super::{Interface, Job, Outcome};
use crate::time::rfc3339::rfc3339;

impl Job {
    /// A result.
    pub(super) fn line(&self, id: &str, outcome: &Outcome) -> Value {
        match (self.interface, outcome) {
            (
                Interface::OpenAi | Interface::Mistral,
                Outcome::Response { status, body, number },
            ) => {
                json!({
                    "id": format!("batch_req_{number}"),
                    "custom_id": id,
                    "response": {
                        "status_code": status,
                        "request_id": format!("req-loopback-{number}"),
                        "body": body,
                    },
                    "error": null,
                })
            }
            (Interface::OpenAi | Interface::Mistral, ended) => {
                let (code, message) = match ended {
                    Outcome::Expired => (
                        "batch_expired",
                        "This request could not be executed before the completion window expired.",
                    ),
                    _ => ("batch_cancelled", "The batch was cancelled."),
                };
                json!({
                    "id": "batch_req_0",
                    "custom_id": id,
                    "response": null,
                    "error": {"code": code, "message": message},
                })
            }
            (Interface::Anthropic, Outcome::Response { status: 200, body, .. }) => {
                json!({"custom_id": id, "result": {"type": "succeeded", "message": body}})
            }
            (Interface::Anthropic, Outcome::Response { body, .. }) => {
                json!({"custom_id": id, "result": {"type": "errored", "error": body}})
            }
            (Interface::Anthropic, Outcome::Expired) => {
                json!({"custom_id": id, "result": {"type": "expired"}})
            }
            (Interface::Anthropic, Outcome::Cancelled) => {
                json!({"custom_id": id, "result": {"type": "canceled"}})
            }
            (Interface::Gemini, Outcome::Response { status: 200, body, .. }) => {
                let body = match self.is_embedding {
                    true => json!({
                        "embedding": body["embeddings"][0],
                        "usageMetadata": body["usageMetadata"],
                    }),
                    false => body.clone(),
                };
                self.with_key(id, json!({"response": body}))
            }
            (Interface::Gemini, outcome) => {
                let error = match outcome {
                    Outcome::Response { body, .. } => body["error"].clone(),
                    Outcome::Expired => json!({"code": 4, "message": "The batch expired."}),
                    Outcome::Cancelled => json!({"code": 1, "message": "The batch was cancelled."}),
                };
                self.with_key(id, json!({"error": error}))
            }
        }
    }

    /// A result of Gemini's: the key is in the metadata inside of a job, and beside the response in a
    /// file.
    fn with_key(&self, id: &str, mut line: Value) -> Value {
        match self.by_file {
            true => line["key"] = id.into(),
            false => line["metadata"] = json!({"key": id}),
        }
        line
    }

    /// The job as its interface shows it.
    pub(in crate::testing::batches) fn shown(&self, now: i64) -> Value {
        let count = |wanted: fn(&Outcome) -> bool| {
            let outcomes = self.outcomes.iter().flatten();
            outcomes.filter(|(_, outcome)| wanted(outcome)).count()
        };
        let answered = count(Outcome::is_answer);
        let failed =
            count(|outcome| matches!(outcome, Outcome::Response { .. }) && !outcome.is_answer());
        let expired = count(|outcome| matches!(outcome, Outcome::Expired));
        let cancelled = count(|outcome| matches!(outcome, Outcome::Cancelled));
        let total = self.entries.len();
        let ended = self.is_ended();
        let is_partial = self.script.answered.is_some_and(|most| most < total);
        let state = |words: [&'static str; 7]| {
            let [running, cancelling, done, failed, expired, cancelled, queued] = words;
            match (ended, self.cancelled) {
                (false, true) => cancelling,
                (false, false) if self.looks > 1 => queued,
                (false, false) => running,
                (true, _) if self.script.refusal.is_some() => failed,
                (true, true) => cancelled,
                (true, false) if is_partial => expired,
                (true, false) => done,
            }
        };
        let refusal = self.script.refusal.as_ref().filter(|_| ended);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(now.unsigned_abs());
        match self.interface {
            Interface::OpenAi => {
                let error_file = match &self.files[1] {
                    Some(file) => Value::from(file.as_str()),
                    None => self.script.without_error_file.clone().map_or(Value::Null, Value::from),
                };
                json!({
                    "id": self.id,
                    "object": "batch",
                    "endpoint": self.endpoint,
                    "model": self.model,
                    "errors": refusal.map(|(code, why)| json!({
                        "object": "list",
                        "data": [{"code": code, "message": why, "line": 1}],
                    })),
                    "input_file_id": self.input,
                    "completion_window": "24h",
                    "status": state([
                        "in_progress", "cancelling", "completed", "failed", "expired",
                        "cancelled", "validating",
                    ]),
                    "output_file_id": self.files[0],
                    "error_file_id": error_file,
                    "created_at": now,
                    "request_counts": {"total": total, "completed": answered, "failed": failed},
                })
            }
            Interface::Mistral => json!({
                "id": self.id,
                "object": "batch",
                "input_files": [self.input],
                "endpoint": self.endpoint,
                "model": self.model,
                "errors": refusal.map_or(json!([]), |(_, why)| json!([{"message": why, "count": total}])),
                "status": state([
                    "RUNNING", "CANCELLATION_REQUESTED", "SUCCESS", "FAILED", "TIMEOUT_EXCEEDED",
                    "CANCELLED", "QUEUED",
                ]),
                "output_file": self.files[0],
                "error_file": self.files[1],
                "created_at": now,
                "total_requests": total,
                "completed_requests": answered + failed,
                "succeeded_requests": answered,
                "failed_requests": failed,
            }),
            Interface::Anthropic => {
                let word = state([
                    "in_progress",
                    "canceling",
                    "ended",
                    "ended",
                    "ended",
                    "ended",
                    "in_progress",
                ]);
                let processing = if ended { 0 } else { total };
                json!({
                    "id": self.id,
                    "type": "message_batch",
                    "processing_status": word,
                    "request_counts": {
                        "processing": processing,
                        "succeeded": answered,
                        "errored": failed,
                        "canceled": cancelled,
                        "expired": expired,
                    },
                    "created_at": rfc3339(at),
                    "expires_at": rfc3339(at),
                    "ended_at": ended.then(|| rfc3339(at)),
                    "cancel_initiated_at": self.cancelled.then(|| rfc3339(at)),
                    // Another host: a client must not send its key there.
                    "results_url": ended.then_some("https://evil.example/results"),
                })
            }
            Interface::Gemini => {
                let word = state([
                    "RUNNING",
                    "RUNNING",
                    "SUCCEEDED",
                    "FAILED",
                    "EXPIRED",
                    "CANCELLED",
                    "PENDING",
                ]);
                let mut shown = json!({
                    "name": format!("batches/{}", self.id),
                    "metadata": {
                        "@type": format!(
                            "type.googleapis.com/google.ai.generativelanguage.v1main.{}",
                            if self.is_embedding { "EmbedContentBatch" } else { "GenerateContentBatch" },
                        ),
                        "name": format!("batches/{}", self.id),
                        "model": format!("models/{}", self.model),
                        "displayName": self.input,
                        "createTime": rfc3339(at),
                        "state": format!("BATCH_STATE_{word}"),
                        "batchStats": {
                            "requestCount": total.to_string(),
                            "successfulRequestCount": answered.to_string(),
                            "failedRequestCount": failed.to_string(),
                        },
                    },
                });
                if ended {
                    shown["done"] = true.into();
                    match refusal {
                        Some((_, why)) => shown["error"] = json!({"code": 3, "message": why}),
                        None => {
                            let output = self.output();
                            shown["metadata"]["output"] = output.clone();
                            shown["response"] = output;
                        }
                    }
                }
                shown
            }
        }
    }

    /// The results as Gemini shows them.
    fn output(&self) -> Value {
        if self.by_file {
            let file = self.files[0].as_ref();
            return file
                .map_or_else(|| json!({}), |id| json!({"responsesFile": format!("files/{id}")}));
        }
        let lines = self.outcomes.iter().flatten();
        let lines: Vec<_> = lines.map(|(id, outcome)| self.line(id, outcome)).collect();
        json!({"inlinedResponses": {"inlinedResponses": lines}})
    }
}
