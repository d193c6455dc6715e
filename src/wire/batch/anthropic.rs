//! Anthropic's Message Batches: the requests are part of the job, and the results are lines in any
//! order.
//!
//! Sources: platform.claude.com/docs/en/build-with-claude/batch-processing and the API reference
//! below /docs/en/api/messages/batches.

use serde_json::Value;

use super::{
    Creation, IdRule, Interface, Job, JobPage, Line, NewJob, Outcome, Upload, count, failure,
    parse, parse_line, text,
};
use crate::batch::{BatchCounts, BatchEndpoint, BatchState};
use crate::path_segment;
use crate::wire::Failure;

/// `POST /v1/messages/batches`
pub(super) struct MessageBatches;

const PATH: &str = "/v1/messages/batches";

impl Interface for MessageBatches {
    fn ids(&self) -> IdRule {
        // The pattern of `custom_id` is `^[a-zA-Z0-9_-]{1,64}$` (the guide).
        IdRule { most: 64, plain: true }
    }

    fn line(&self, id: &str, _: &str, body: &[u8]) -> Vec<u8> {
        let start = format!("{{\"custom_id\":{},\"params\":", Value::from(id));
        [start.as_bytes(), body, b"}"].concat()
    }

    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Option<&'static str> {
        (endpoint == BatchEndpoint::Chat).then_some("/v1/messages")
    }

    fn upload(&self, _: BatchEndpoint, _: bool) -> Option<Upload> {
        None
    }

    fn create(&self, _: &NewJob<'_>) -> Creation {
        Creation { path: PATH.to_owned(), before: b"{\"requests\":[".to_vec(), after: b"]}" }
    }

    fn job_path(&self, id: &str) -> String {
        format!("{PATH}/{}", path_segment::encode(id))
    }

    fn cancel_path(&self, id: &str) -> String {
        format!("{PATH}/{}/cancel", path_segment::encode(id))
    }

    fn list_path(&self, page: Option<&str>, _: usize) -> String {
        match page {
            None => format!("{PATH}?limit=100"),
            Some(after) => format!("{PATH}?limit=100&after_id={}", path_segment::encode(after)),
        }
    }

    fn job(&self, body: &[u8]) -> Result<Job, Failure> {
        job(&parse(body)?)
    }

    fn jobs(&self, body: &[u8]) -> Result<JobPage, Failure> {
        let body = parse(body)?;
        let listed = body["data"].as_array();
        let listed =
            listed.ok_or_else(|| Failure::protocol("the list of batches has no \"data\""))?;
        let jobs = listed.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        let has_more = body["has_more"].as_bool().unwrap_or(false);
        Ok(JobPage { next: text(&body["last_id"]).filter(|_| has_more), jobs })
    }

    fn result(&self, line: &str) -> Result<Line, Failure> {
        let line = parse_line(line)?;
        let result = &line["result"];
        let outcome = match result["type"].as_str().unwrap_or_default() {
            "succeeded" => Outcome::Response {
                status: 200,
                body: result["message"].to_string().into_bytes(),
                request_id: None,
            },
            "expired" => Outcome::Expired,
            "canceled" => Outcome::Cancelled,
            // The error is inside an error response.
            _ => match (&result["error"]["error"], &result["error"]) {
                (Value::Null, Value::Null) => {
                    Outcome::Failed(Failure::protocol("the result has no known type"))
                }
                (Value::Null, error) | (error, _) => Outcome::Failed(failure(error)),
            },
        };
        Ok(Line { id: text(&line["custom_id"]), outcome })
    }
}

fn job(body: &Value) -> Result<Job, Failure> {
    let id = text(&body["id"]).ok_or_else(|| Failure::protocol("the batch has no \"id\""))?;
    let of = |name: &str| count(&body["request_counts"][name]);
    let counts = BatchCounts {
        total: ["processing", "succeeded", "errored", "canceled", "expired"].map(of).iter().sum(),
        answered: of("succeeded"),
        failed: of("errored"),
        expired: of("expired"),
        cancelled: of("canceled"),
    };
    let state = match body["processing_status"].as_str().unwrap_or_default() {
        "canceling" => BatchState::Cancelling,
        "ended" if !body["cancel_initiated_at"].is_null() && counts.cancelled > 0 => {
            BatchState::Cancelled
        }
        "ended" if counts.expired > 0 => BatchState::Expired,
        "ended" => BatchState::Completed,
        _ => BatchState::InProgress,
    };
    let created = super::created(&body["created_at"]);
    // Not `results_url`: the key must go to no other host.
    let files = (state.is_final()).then(|| format!("{PATH}/{}/results", path_segment::encode(&id)));
    Ok(Job {
        id,
        state,
        counts,
        endpoint: Some(BatchEndpoint::Chat),
        model: None,
        mark: None,
        created,
        files: files.into_iter().collect(),
        lines: Vec::new(),
        refusal: None,
    })
}
