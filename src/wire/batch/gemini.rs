//! Gemini's batches: the requests are part of the job, and so are the results.
//!
//! Sources: ai.google.dev/gemini-api/docs/batch-api and ai.google.dev/api/batch-api. The results
//! are matched by the key in their metadata, not by their order (googleapis/python-genai #1909).

use serde_json::Value;

use super::{
    Creation, IdRule, Interface, Job, JobPage, Line, NewJob, Outcome, Upload, count, failure,
    parse, parse_line, refusal, text,
};
use crate::batch::{BatchCounts, BatchEndpoint, BatchState};
use crate::path_segment;
use crate::wire::Failure;

/// `POST /models/{model}:batchGenerateContent`
pub(super) struct BatchGenerateContent;

impl Interface for BatchGenerateContent {
    fn ids(&self) -> IdRule {
        // The key is a member of the metadata, which no page limits.
        IdRule { most: 512, plain: false }
    }

    fn line(&self, id: &str, _: &str, body: &[u8]) -> Vec<u8> {
        let end = format!(",\"metadata\":{{\"key\":{}}}}}", Value::from(id));
        [b"{\"request\":", body, end.as_bytes()].concat()
    }

    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Option<&'static str> {
        (endpoint == BatchEndpoint::Chat).then_some("generateContent")
    }

    fn upload(&self) -> Option<Upload> {
        None
    }

    fn create(&self, job: &NewJob<'_>) -> Creation {
        let name = Value::from(job.name);
        let before = format!(
            "{{\"batch\":{{\"displayName\":{name},\"inputConfig\":{{\"requests\":{{\"requests\":["
        );
        let model = job.model.strip_prefix("models/").unwrap_or(job.model);
        let path = format!("/models/{}:batchGenerateContent", path_segment::encode(model));
        Creation { path, before: before.into_bytes(), after: b"]}}}}" }
    }

    fn job_path(&self, id: &str) -> String {
        format!("/batches/{}", path_segment::encode(short(id)))
    }

    fn cancel_path(&self, id: &str) -> String {
        format!("/batches/{}:cancel", path_segment::encode(short(id)))
    }

    fn list_path(&self, page: Option<&str>, _: usize) -> String {
        match page {
            None => "/batches?pageSize=100".to_owned(),
            Some(token) => {
                format!("/batches?pageSize=100&pageToken={}", path_segment::encode(token))
            }
        }
    }

    fn job(&self, body: &[u8]) -> Result<Job, Failure> {
        job(&parse(body)?)
    }

    fn jobs(&self, body: &[u8]) -> Result<JobPage, Failure> {
        let body = parse(body)?;
        let listed = body["operations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let jobs = listed.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        Ok(JobPage { next: text(&body["nextPageToken"]), jobs })
    }

    fn result(&self, line: &str) -> Result<Line, Failure> {
        let line = parse_line(line)?;
        // Lines of a file have the key outside.
        let id = text(&line["metadata"]["key"]).or_else(|| text(&line["key"]));
        let outcome = match (&line["response"], &line["error"]) {
            (Value::Null, Value::Null) => {
                Outcome::Failed(Failure::protocol("the result has neither a response nor an error"))
            }
            // google.rpc.Code.CANCELLED and DEADLINE_EXCEEDED
            (Value::Null, error) if error["code"] == 1 => Outcome::Cancelled,
            (Value::Null, error) if error["code"] == 4 => Outcome::Expired,
            (Value::Null, error) => Outcome::Failed(failure(error)),
            (response, _) => Outcome::Response {
                status: 200,
                body: response.to_string().into_bytes(),
                request_id: None,
            },
        };
        Ok(Line { id, outcome })
    }
}

/// The id without the collection's name.
fn short(id: &str) -> &str {
    id.strip_prefix("batches/").unwrap_or(id)
}

/// Reads an operation, or the batch itself.
fn job(body: &Value) -> Result<Job, Failure> {
    let id = text(&body["name"]).ok_or_else(|| Failure::protocol("the batch has no \"name\""))?;
    let batch = if body["metadata"].is_object() { &body["metadata"] } else { body };
    let stats = &batch["batchStats"];
    let counts = BatchCounts {
        total: count(&stats["requestCount"]),
        answered: count(&stats["successfulRequestCount"]),
        failed: count(&stats["failedRequestCount"]),
        ..BatchCounts::default()
    };
    let output =
        [&body["response"], &batch["output"]].into_iter().find(|output| output.is_object());
    let responses = output.map(|output| &output["inlinedResponses"]["inlinedResponses"]);
    let lines = responses.and_then(Value::as_array);
    let lines = lines.into_iter().flatten().map(Value::to_string).collect();
    if let Some(file) = output.and_then(|output| text(&output["responsesFile"])) {
        return Err(Failure::protocol(format!(
            "the results are in the file {file:?}, because another program submitted the batch; \
             download it with that program"
        )));
    }
    let error = &body["error"];
    let state = match state(batch["state"].as_str().unwrap_or_default()) {
        // The operation knows before the batch does.
        BatchState::Queued | BatchState::InProgress if error.is_object() => BatchState::Failed,
        state => state,
    };
    let model = text(&batch["model"]);
    Ok(Job {
        id,
        state,
        counts,
        endpoint: Some(BatchEndpoint::Chat),
        model: model.map(|model| model.strip_prefix("models/").unwrap_or(&model).to_owned()),
        mark: text(&batch["displayName"]),
        created: super::created(&batch["createTime"]),
        files: Vec::new(),
        lines,
        refusal: refusal([error]),
    })
}

/// The states of `BatchState`, and `JOB_STATE_…` as the guide writes them. An unknown one counts as
/// running: it may be new.
fn state(name: &str) -> BatchState {
    let word = name.strip_prefix("BATCH_STATE_").or_else(|| name.strip_prefix("JOB_STATE_"));
    match word.unwrap_or(name) {
        "PENDING" | "QUEUED" | "UNSPECIFIED" => BatchState::Queued,
        "SUCCEEDED" => BatchState::Completed,
        "FAILED" => BatchState::Failed,
        "CANCELLING" => BatchState::Cancelling,
        "CANCELLED" => BatchState::Cancelled,
        "EXPIRED" => BatchState::Expired,
        _ => BatchState::InProgress,
    }
}
