//! Mistral's batches: a file of requests, a job over it, a file of answers and a file of failures.
//!
//! Sources: docs.mistral.ai/studio-api/batch-processing and Mistral's OpenAPI file (`BatchJobIn`,
//! `BatchJobOut`, `BatchJobStatus`).

use serde_json::{Value, json};

use super::{
    Creation, IdRule, Interface, Job, JobPage, Line, NewJob, Upload, UploadFields, count, outcome,
    parse, parse_line, refusal, text,
};
use crate::batch::{BatchCounts, BatchEndpoint, BatchState};
use crate::path_segment;
use crate::wire::Failure;

/// `POST /batch/jobs`
pub(super) struct BatchJobs;

/// How many jobs a page of the list has. 100 is the default (the OpenAPI file).
const PAGE: usize = 100;

const ENDPOINTS: [(BatchEndpoint, &str); 2] =
    [(BatchEndpoint::Chat, "/v1/chat/completions"), (BatchEndpoint::Embeddings, "/v1/embeddings")];

impl Interface for BatchJobs {
    fn ids(&self) -> IdRule {
        // No page limits the length of `custom_id`.
        IdRule { most: 512, plain: false }
    }

    fn line(&self, id: &str, _: &str, body: &[u8]) -> Vec<u8> {
        let start = format!("{{\"custom_id\":{},\"body\":", Value::from(id));
        [start.as_bytes(), body, b"}"].concat()
    }

    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Option<&'static str> {
        ENDPOINTS.iter().find(|(own, _)| *own == endpoint).map(|(_, path)| *path)
    }

    fn upload(&self, _: BatchEndpoint, _: bool) -> Option<Upload> {
        let fields = UploadFields { purpose: "batch", file_name: None };
        Some(Upload::Form { path: "/files", fields })
    }

    fn create(&self, job: &NewJob<'_>) -> Creation {
        let body = json!({
            "input_files": [job.file],
            "endpoint": job.endpoint,
            "model": job.model,
            "timeout_hours": 24,
        });
        Creation::over_file("/batch/jobs", &body)
    }

    fn job_path(&self, id: &str) -> String {
        format!("/batch/jobs/{}", path_segment::encode(id))
    }

    fn cancel_path(&self, id: &str) -> String {
        format!("/batch/jobs/{}/cancel", path_segment::encode(id))
    }

    fn list_path(&self, _: Option<&str>, number: usize) -> String {
        format!("/batch/jobs?page={number}&page_size={PAGE}&order_by=-created")
    }

    fn job(&self, body: &[u8]) -> Result<Job, Failure> {
        job(&parse(body)?)
    }

    fn jobs(&self, body: &[u8]) -> Result<JobPage, Failure> {
        let body = parse(body)?;
        // Without jobs the member may be missing.
        let listed = body["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let jobs = listed.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        // The next page has a number, which is ours to count.
        Ok(JobPage { next: (jobs.len() >= PAGE).then(String::new), jobs })
    }

    fn result(&self, line: &str) -> Result<Line, Failure> {
        let line = parse_line(line)?;
        Ok(Line { id: text(&line["custom_id"]), outcome: outcome(&line) })
    }
}

fn job(body: &Value) -> Result<Job, Failure> {
    let id = text(&body["id"]).ok_or_else(|| Failure::protocol("the batch job has no \"id\""))?;
    let files = ["output_file", "error_file"].into_iter().filter_map(|name| text(&body[name]));
    let endpoint = body["endpoint"].as_str().unwrap_or_default();
    Ok(Job {
        id,
        state: state(body["status"].as_str().unwrap_or_default()),
        counts: BatchCounts {
            total: count(&body["total_requests"]),
            answered: count(&body["succeeded_requests"]),
            failed: count(&body["failed_requests"]),
            ..BatchCounts::default()
        },
        endpoint: ENDPOINTS.iter().find(|(_, path)| *path == endpoint).map(|(own, _)| *own),
        model: text(&body["model"]),
        mark: text(&body["input_files"][0]),
        created: body["created_at"].as_i64(),
        files: files.map(|id| format!("/files/{}/content", path_segment::encode(&id))).collect(),
        lines: Vec::new(),
        refusal: refusal(body["errors"].as_array().into_iter().flatten()),
    })
}

/// The states of `BatchJobStatus`. An unknown one counts as running: it may be new.
fn state(name: &str) -> BatchState {
    match name {
        "QUEUED" => BatchState::Queued,
        "SUCCESS" => BatchState::Completed,
        "FAILED" => BatchState::Failed,
        "TIMEOUT_EXCEEDED" => BatchState::Expired,
        "CANCELLATION_REQUESTED" => BatchState::Cancelling,
        "CANCELLED" => BatchState::Cancelled,
        _ => BatchState::InProgress,
    }
}
