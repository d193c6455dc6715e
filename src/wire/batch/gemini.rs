//! Gemini's batches: the requests are part of the job or in a file, and so are the results.
//!
//! Sources: ai.google.dev/gemini-api/docs/batch-api and ai.google.dev/api/batch-api. The results
//! are matched by their key, not by their order (googleapis/python-genai #1909, js-genai #1207).

use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::{
    Creation, IdRule, Interface, Job, JobPage, Line, NewJob, Outcome, Upload, count, failure,
    parse, parse_line, refusal, text,
};
use crate::batch::{BatchCounts, BatchEndpoint, BatchState};
use crate::path_segment;
use crate::wire::Failure;

/// `POST /models/{model}:batchGenerateContent` and `:asyncBatchEmbedContent`
pub(super) struct BatchGenerateContent;

impl Interface for BatchGenerateContent {
    fn ids(&self) -> IdRule {
        // The key is a member of the metadata, which no page limits.
        IdRule { most: 512, plain: false }
    }

    fn line(&self, id: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let start = format!("{{\"key\":{}{REQUEST}", Value::from(id));
        let single = (path == EMBED).then(|| single_text(body)).flatten();
        [start.as_bytes(), single.as_deref().unwrap_or(body), b"}"].concat()
    }

    fn inline_growth(&self) -> usize {
        METADATA.len() + 1
    }

    fn inlined(&self, line: Vec<u8>) -> Vec<u8> {
        // A quote inside of the key is escaped, so the first match ends the key.
        let end = line.windows(REQUEST.len()).position(|bytes| bytes == REQUEST.as_bytes());
        let Some((key, request)) = end.and_then(|end| line.split_at_checked(end)) else {
            return line;
        };
        let key = key.strip_prefix(b"{").unwrap_or(key);
        [b"{", METADATA.as_bytes(), key, b"}", request].concat()
    }

    fn most_texts(&self) -> Option<usize> {
        Some(1)
    }

    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Option<&'static str> {
        match endpoint {
            BatchEndpoint::Chat => Some(CHAT),
            BatchEndpoint::Embeddings => Some(EMBED),
            BatchEndpoint::Completions | BatchEndpoint::Responses => None,
        }
    }

    /// Vectors always come in a file: in a job, one of 3,072 numbers takes about 100 KB.
    fn upload(&self, endpoint: BatchEndpoint, is_large: bool) -> Option<Upload> {
        (is_large || endpoint == BatchEndpoint::Embeddings).then_some(Upload::Resumable)
    }

    fn download_service(&self) -> Option<&'static str> {
        Some("download")
    }

    fn create(&self, job: &NewJob<'_>) -> Creation {
        let name = Value::from(job.name);
        let model = job.model.strip_prefix("models/").unwrap_or(job.model);
        let method = if job.endpoint == EMBED { EMBED_METHOD } else { CHAT_METHOD };
        let path = format!("/models/{}:{method}", path_segment::encode(model));
        if !job.file.is_empty() {
            let input = json!({"fileName": job.file});
            let body = json!({"batch": {"displayName": name, "inputConfig": input}});
            return Creation::over_file(&path, &body);
        }
        let before = format!(
            "{{\"batch\":{{\"displayName\":{name},\"inputConfig\":{{\"requests\":{{\"requests\":["
        );
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
        // Other programs name the member of the metadata otherwise, such as ruby_llm.
        let metadata = &line["metadata"];
        let id =
            [&metadata["key"], &line["key"], &metadata["custom_id"]].into_iter().find_map(text);
        // "a GenerateContentResponse or a status object" (the guide)
        let error = line.get("error").unwrap_or(&line["status"]);
        let outcome = match (&line["response"], error) {
            (Value::Null, Value::Null) => {
                Outcome::Failed(Failure::protocol("the result has neither a response nor an error"))
            }
            // google.rpc.Code.CANCELLED and DEADLINE_EXCEEDED
            (Value::Null, error) if error["code"] == 1 => Outcome::Cancelled,
            (Value::Null, error) if error["code"] == 4 => Outcome::Expired,
            (Value::Null, error) => Outcome::Failed(failure(error)),
            (response, _) => Outcome::Response {
                status: 200,
                body: in_list(response).to_string().into_bytes(),
                request_id: None,
            },
        };
        Ok(Line { id, outcome })
    }
}

/// The endpoints.
const CHAT: &str = "generateContent";
const EMBED: &str = "embedContent";

/// The methods that create their jobs.
const CHAT_METHOD: &str = "batchGenerateContent";
const EMBED_METHOD: &str = "asyncBatchEmbedContent";

/// What is between the key and the request of a line.
const REQUEST: &str = ",\"request\":";

/// What is before the key of a request inside a job.
const METADATA: &str = "\"metadata\":{";

/// The one request of a body for `batchEmbedContents`, with what the caller added to the body.
fn single_text(body: &[u8]) -> Option<Vec<u8>> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let Value::Array(requests) = body.remove("requests")? else { return None };
    let Value::Object(mut single) = requests.into_iter().next()? else { return None };
    single.extend(body);
    serde_json::to_vec(&single).ok()
}

/// The answer to one text, as `batchEmbedContents` would write it.
fn in_list(response: &Value) -> Cow<'_, Value> {
    let Some(embedding) = response.get("embedding") else { return Cow::Borrowed(response) };
    Cow::Owned(json!({"embeddings": [embedding], "usageMetadata": response["usageMetadata"]}))
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
    let outputs = [&body["response"], &batch["output"]];
    let lines = outputs.iter().find_map(|output| inlined(output)).unwrap_or_default();
    let file = outputs.iter().find_map(|output| text(&output["responsesFile"]));
    // "/download/v1beta/$responses_file_name:download?alt=media" (the guide, "Retrieving results"). The
    // official SDK leaves out the first part, and follows redirects.
    let path = |file: String| {
        let file = file.strip_prefix("files/").unwrap_or(&file);
        format!("/files/{}:download?alt=media", path_segment::encode(file))
    };
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
        endpoint: Some(endpoint(batch, lines)),
        model: model.map(|model| model.strip_prefix("models/").unwrap_or(&model).to_owned()),
        mark: text(&batch["displayName"]),
        created: super::created(&batch["createTime"]),
        files: file.map(path).into_iter().collect(),
        lines: lines.iter().map(Value::to_string).collect(),
        refusal: refusal([error]),
    })
}

fn inlined(output: &Value) -> Option<&[Value]> {
    output["inlinedResponses"]["inlinedResponses"].as_array().map(Vec::as_slice)
}

/// The endpoint, which only the type of the batch names: `GenerateContentBatch` or
/// `EmbedContentBatch`.
fn endpoint(batch: &Value, lines: &[Value]) -> BatchEndpoint {
    let is_named = batch["@type"].as_str().is_some_and(|name| name.ends_with("EmbedContentBatch"));
    let has_vectors = lines.iter().any(|line| line["response"]["embedding"].is_object());
    if is_named || has_vectors { BatchEndpoint::Embeddings } else { BatchEndpoint::Chat }
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
