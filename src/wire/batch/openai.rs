//! OpenAI's batches, and those of the vendors that follow it: a file of requests, a job over it, a
//! file of answers and a file of failures.
//!
//! Sources: developers.openai.com/api/docs/guides/batch and its API reference; for Azure
//! learn.microsoft.com/azure/foundry/reference/rest/batches-create-batch; for Groq
//! console.groq.com/docs/batch; for others the pages that their profiles name; for Together docs.together.ai/docs/inference/batch/overview and
//! `BatchJob` in togethercomputer/openapi.

use serde_json::{Value, json};

use super::{
    Creation, IdRule, Interface, Job, JobPage, Line, NewJob, Upload, UploadFields, count, outcome,
    parse, parse_line, refusal, text,
};
use crate::batch::{BatchCounts, BatchEndpoint, BatchState};
use crate::path_segment;
use crate::wire::Failure;

/// OpenAI, and all that share its interface as it is.
pub(super) static OPENAI: Batches = Batches {
    upload: Upload::Form {
        path: "/files",
        fields: UploadFields { purpose: "batch", file_name: None },
    },
    // No page of OpenAI's or Groq's limits the length of `custom_id`. Long ones only waste space.
    ids: IdRule { most: 512, plain: false },
};

/// Together: the file goes to `/files/upload` with a `file_name`, which is required
/// (docs.together.ai/reference/upload-file). Its purpose is `batch-api`, and a `custom_id` has up to 64
/// characters (docs.together.ai/docs/inference/batch/tutorial).
pub(super) static TOGETHER: Batches = Batches {
    upload: Upload::Form {
        path: "/files/upload",
        fields: UploadFields { purpose: "batch-api", file_name: Some("file_name") },
    },
    ids: IdRule { most: 64, plain: false },
};

/// `POST /batches`
pub(super) struct Batches {
    upload: Upload,
    ids: IdRule,
}

/// The endpoints of jobs.
const ENDPOINTS: [(BatchEndpoint, &str); 4] = [
    (BatchEndpoint::Chat, "/v1/chat/completions"),
    (BatchEndpoint::Completions, "/v1/completions"),
    (BatchEndpoint::Responses, "/v1/responses"),
    (BatchEndpoint::Embeddings, "/v1/embeddings"),
];

impl Interface for Batches {
    fn ids(&self) -> IdRule {
        self.ids
    }

    fn line(&self, id: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let id = Value::from(id);
        let start =
            format!("{{\"custom_id\":{id},\"method\":\"POST\",\"url\":\"{path}\",\"body\":");
        [start.as_bytes(), body, b"}"].concat()
    }

    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Option<&'static str> {
        ENDPOINTS.iter().find(|(own, _)| *own == endpoint).map(|(_, path)| *path)
    }

    fn upload(&self, _: BatchEndpoint, _: bool) -> Option<Upload> {
        Some(self.upload)
    }

    fn create(&self, job: &NewJob<'_>) -> Creation {
        let body = json!({
            "input_file_id": job.file,
            "endpoint": job.endpoint,
            "completion_window": "24h",
        });
        Creation::over_file("/batches", &body)
    }

    fn job_path(&self, id: &str) -> String {
        format!("/batches/{}", path_segment::encode(id))
    }

    fn cancel_path(&self, id: &str) -> String {
        format!("/batches/{}/cancel", path_segment::encode(id))
    }

    fn list_path(&self, page: Option<&str>, _: usize) -> String {
        match page {
            None => "/batches?limit=100".to_owned(),
            Some(after) => format!("/batches?limit=100&after={}", path_segment::encode(after)),
        }
    }

    fn job(&self, body: &[u8]) -> Result<Job, Failure> {
        let body = parse(body)?;
        // Together wraps a new job.
        job(body.get("job").unwrap_or(&body))
    }

    fn jobs(&self, body: &[u8]) -> Result<JobPage, Failure> {
        let body = parse(body)?;
        let listed = body.as_array().or_else(|| body["data"].as_array());
        let listed =
            listed.ok_or_else(|| Failure::protocol("the list of batches has no \"data\""))?;
        let jobs = listed.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        let has_more = body["has_more"].as_bool().unwrap_or(false);
        let last = text(&body["last_id"]).or_else(|| jobs.last().map(|job| job.id.clone()));
        Ok(JobPage { next: last.filter(|_| has_more), jobs })
    }

    fn result(&self, line: &str) -> Result<Line, Failure> {
        let line = parse_line(line)?;
        Ok(Line { id: text(&line["custom_id"]), outcome: outcome(&line) })
    }
}

fn job(body: &Value) -> Result<Job, Failure> {
    let id = text(&body["id"]).ok_or_else(|| Failure::protocol("the batch has no \"id\""))?;
    let counts = &body["request_counts"];
    // Either file may be missing, null or an empty string.
    let files = ["output_file_id", "error_file_id"];
    let files = files.into_iter().filter_map(|name| text(&body[name]));
    let errors = &body["errors"]["data"];
    let errors = errors.as_array().or_else(|| body["errors"].as_array());
    let endpoint = body["endpoint"].as_str().unwrap_or_default();
    Ok(Job {
        id,
        state: state(body["status"].as_str().unwrap_or_default()),
        counts: BatchCounts {
            total: count(&counts["total"]),
            answered: count(&counts["completed"]),
            failed: count(&counts["failed"]),
            ..BatchCounts::default()
        },
        endpoint: ENDPOINTS
            .iter()
            .find(|(_, path)| path.ends_with(endpoint) && !endpoint.is_empty())
            .map(|(endpoint, _)| *endpoint),
        model: text(&body["model"]).or_else(|| text(&body["model_id"])),
        mark: text(&body["input_file_id"]),
        // Text at Together (`BatchJob`), and in Azure's guide.
        created: body["created_at"].as_i64().or_else(|| super::created(&body["created_at"])),
        files: files.map(|id| format!("/files/{}/content", path_segment::encode(&id))).collect(),
        lines: Vec::new(),
        // Together has one error, as text.
        refusal: refusal(errors.into_iter().flatten())
            .or_else(|| refusal([&json!({"message": body["error"]})])),
    })
}

/// Together and Novita write the states in capitals. Together's list of states has `IN_PROGRESS` without
/// `FINALIZING`, and Novita's has `PROGRESS`. An unknown state counts as in progress: it may be a new one.
fn state(name: &str) -> BatchState {
    match &*name.to_ascii_lowercase() {
        "validating" | "queued" => BatchState::Queued,
        "finalizing" => BatchState::Finalizing,
        "completed" => BatchState::Completed,
        "failed" => BatchState::Failed,
        "expired" => BatchState::Expired,
        "cancelling" => BatchState::Cancelling,
        "cancelled" => BatchState::Cancelled,
        _ => BatchState::InProgress,
    }
}
