//! A job of the loopback provider, as each interface shows it.

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use super::super::reply::Reply;
use super::super::request::Request;
use super::{BatchScript, rendered};
use crate::time::rfc3339::rfc3339;

/// The interface of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    OpenAi,
    Anthropic,
    Gemini,
    Mistral,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Response { status: u16, body: Value, number: u64 },
    Expired,
    Cancelled,
}

impl Outcome {
    fn is_answer(&self) -> bool {
        matches!(self, Self::Response { status: 200..=299, .. })
    }
}

/// A request of a job.
#[derive(Debug, Clone)]
struct Entry {
    id: String,
    body: Value,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) interface: Interface,
    /// The path it is below.
    pub(super) base: String,
    /// How many more looks find it at work.
    pub(super) looks: u32,
    pub(super) cancelled: bool,
    /// The file of answers and the file of failures.
    pub(super) files: [Option<String>; 2],
    /// What it was made from: a file, or a name.
    input: String,
    /// The path of its requests below the base path.
    path: String,
    endpoint: String,
    model: String,
    entries: Vec<Entry>,
    script: BatchScript,
    outcomes: Option<Vec<(String, Outcome)>>,
}

impl Job {
    /// Makes a job, or says what is wrong with the request.
    pub(super) fn new(
        number: u64,
        interface: Interface,
        base: &str,
        request: &Request,
        files: &BTreeMap<String, Vec<u8>>,
        script: &BatchScript,
    ) -> Result<Self, String> {
        let body = request.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let model_of = |path: &str| {
            let model = path.rsplit_once("/models/").map_or("", |(_, model)| model);
            model.trim_end_matches(":batchGenerateContent").to_owned()
        };
        let (input, endpoint, model) = match interface {
            Interface::OpenAi => (text(&body["input_file_id"]), text(&body["endpoint"]), None),
            Interface::Mistral => {
                (text(&body["input_files"][0]), text(&body["endpoint"]), body["model"].as_str())
            }
            Interface::Anthropic => (String::new(), "/v1/messages".to_owned(), None),
            Interface::Gemini => (text(&body["batch"]["displayName"]), String::new(), None),
        };
        if interface == Interface::OpenAi && body["completion_window"] != "24h" {
            return Err("The completion_window is not 24h.".to_owned());
        }
        let lines: Vec<Value> = match interface {
            Interface::OpenAi | Interface::Mistral => {
                let file = files.get(&input).ok_or("There is no file of that id.")?;
                let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let lines = lines
                    .map(|line| serde_json::from_slice(line).map_err(|_| "A line is not JSON."));
                lines.collect::<Result<_, _>>()?
            }
            Interface::Anthropic => body["requests"].as_array().cloned().unwrap_or_default(),
            Interface::Gemini => {
                let requests = &body["batch"]["inputConfig"]["requests"]["requests"];
                requests.as_array().cloned().unwrap_or_default()
            }
        };
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        for line in &lines {
            let (id, body) = match interface {
                Interface::OpenAi | Interface::Mistral => (&line["custom_id"], &line["body"]),
                Interface::Anthropic => (&line["custom_id"], &line["params"]),
                Interface::Gemini => (&line["metadata"]["key"], &line["request"]),
            };
            let id = text(id);
            if id.is_empty() || !body.is_object() {
                return Err("A request lacks its id or its body.".to_owned());
            }
            if interface == Interface::OpenAi && text(&line["url"]) != endpoint {
                return Err("The url of a line differs from the endpoint.".to_owned());
            }
            if !seen.insert(id.clone()) {
                return Err(format!("The id {id} occurs twice."));
            }
            entries.push(Entry { id, body: body.clone() });
        }
        if entries.is_empty() {
            return Err("The batch has no requests.".to_owned());
        }
        let path = match interface {
            Interface::Anthropic => "/v1/messages".to_owned(),
            Interface::Gemini => format!("/models/{}:generateContent", model_of(request.path())),
            _ => endpoint.strip_prefix("/v1").unwrap_or(&endpoint).to_owned(),
        };
        let model = match interface {
            Interface::Gemini => model_of(request.path()),
            _ => model.map_or_else(|| text(&entries[0].body["model"]), str::to_owned),
        };
        let id = match interface {
            Interface::OpenAi => format!("batch_{number}"),
            Interface::Anthropic => format!("msgbatch_{number}"),
            Interface::Gemini => format!("b{number}"),
            Interface::Mistral => super::uuid(number),
        };
        Ok(Self {
            id,
            interface,
            base: base.to_owned(),
            looks: script.looks,
            cancelled: false,
            files: [None, None],
            input,
            path,
            endpoint,
            model,
            entries,
            script: script.clone(),
            outcomes: None,
        })
    }

    /// What it was made from: a file, or a name.
    pub(super) fn input(&self) -> &str {
        &self.input
    }

    pub(super) fn is_ended(&self) -> bool {
        self.outcomes.is_some()
    }

    /// Whether this look finds it ended.
    pub(super) fn is_due(&mut self) -> bool {
        if self.is_ended() {
            return false;
        }
        if self.looks > 0 {
            self.looks -= 1;
            return false;
        }
        true
    }

    /// The ids, paths and bodies of the requests that are answered.
    pub(super) fn to_answer(&self) -> Vec<(String, String, Value)> {
        if self.script.refusal.is_some() {
            return Vec::new();
        }
        let most = self.script.answered.unwrap_or(usize::MAX);
        let entries = self.entries.iter().take(most);
        entries.map(|entry| (entry.id.clone(), self.path.clone(), entry.body.clone())).collect()
    }

    /// Ends it, and returns its file of answers and its file of failures.
    pub(super) fn end(&mut self, answered: Vec<(String, Outcome)>) -> [Option<Vec<u8>>; 2] {
        let mut outcomes: Vec<(String, Outcome)> = Vec::new();
        let mut answered: BTreeMap<_, _> = answered.into_iter().collect();
        for Entry { id, .. } in &self.entries {
            let failing = self.script.failing.iter().find(|(failing, ..)| failing == id);
            let outcome = match (answered.remove(id), failing) {
                (Some(_), Some((_, status, code))) => self.failure(*status, code),
                (Some(outcome), None) => outcome,
                (None, _) if self.cancelled => Outcome::Cancelled,
                (None, _) => Outcome::Expired,
            };
            let times = usize::from(!self.script.omitted.contains(id))
                + usize::from(self.script.doubled.contains(id));
            outcomes.extend((0..times).map(|_| (id.clone(), outcome.clone())));
        }
        if self.script.refusal.is_some() {
            outcomes.clear();
        }
        if self.script.foreign {
            outcomes.push(("nobody-s-request".to_owned(), self.failure(400, "foreign")));
        }
        // In no useful order, but in the same for every run.
        fastrand::Rng::with_seed(7).shuffle(&mut outcomes);
        let file = |answers: bool| {
            let lines = outcomes.iter().filter(|(_, outcome)| {
                self.interface == Interface::Anthropic || outcome.is_answer() == answers
            });
            let lines: Vec<_> =
                lines.map(|(id, outcome)| self.line(id, outcome).to_string()).collect();
            (!lines.is_empty()).then(|| (lines.join("\n") + "\n").into_bytes())
        };
        let files = match self.interface {
            Interface::Gemini => [None, None],
            Interface::Anthropic => [file(true), None],
            Interface::OpenAi | Interface::Mistral => [file(true), file(false)],
        };
        self.outcomes = Some(outcomes);
        files
    }

    fn failure(&self, status: u16, code: &str) -> Outcome {
        let head = super::Head {
            method: "POST".to_owned(),
            target: format!("{}{}", self.base, self.path),
            minor: 1,
            headers: Vec::new(),
        };
        let request = Request::new(super::Message { head, body: Vec::new() }, 0);
        rendered(&Reply::error(status, code, ""), &request, 0)
    }

    /// A result.
    fn line(&self, id: &str, outcome: &Outcome) -> Value {
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
                json!({"response": body, "metadata": {"key": id}})
            }
            (Interface::Gemini, outcome) => {
                let error = match outcome {
                    Outcome::Response { body, .. } => body["error"].clone(),
                    Outcome::Expired => json!({"code": 4, "message": "The batch expired."}),
                    Outcome::Cancelled => json!({"code": 1, "message": "The batch was cancelled."}),
                };
                json!({"error": error, "metadata": {"key": id}})
            }
        }
    }

    /// The job as its interface shows it.
    pub(super) fn shown(&self, now: i64) -> Value {
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
                let lines = self.outcomes.iter().flatten();
                let lines: Vec<_> = lines.map(|(id, outcome)| self.line(id, outcome)).collect();
                let mut shown = json!({
                    "name": format!("batches/{}", self.id),
                    "metadata": {
                        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
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
                            shown["response"] =
                                json!({"inlinedResponses": {"inlinedResponses": lines}});
                        }
                    }
                }
                shown
            }
        }
    }
}
