//! A job of the loopback provider: what it was made from, and what became of it.

mod shown;

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

use super::super::gemini;
use super::super::reply::Reply;
use super::super::request::Request;
use super::{BatchScript, EMBED_METHOD, rendered};

/// The interface of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    OpenAi,
    Anthropic,
    Gemini,
    Mistral,
}

/// The lines of an uploaded file.
fn lines_of(files: &BTreeMap<String, Vec<u8>>, id: &str) -> Result<Vec<Value>, String> {
    let id = id.strip_prefix("files/").unwrap_or(id);
    let file = files.get(id).ok_or("There is no file of that id.")?;
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_slice(line).map_err(|_| "A line is not JSON."));
    Ok(lines.collect::<Result<_, _>>()?)
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
    /// Whether its results come in a file.
    by_file: bool,
    is_embedding: bool,
    /// The path of its requests below the base path.
    path: String,
    endpoint: String,
    model: String,
    entries: Vec<Entry>,
    script: BatchScript,
    /// Whether a look is answering its requests.
    pub(super) is_answering: bool,
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
            model.split(':').next().unwrap_or_default().to_owned()
        };
        let is_embedding = request.path().ends_with(EMBED_METHOD);
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
            Interface::OpenAi | Interface::Mistral => lines_of(files, &input)?,
            Interface::Anthropic => body["requests"].as_array().cloned().unwrap_or_default(),
            Interface::Gemini => match &body["batch"]["inputConfig"]["fileName"] {
                Value::String(name) => lines_of(files, name)?,
                _ => {
                    let requests = &body["batch"]["inputConfig"]["requests"]["requests"];
                    requests.as_array().cloned().unwrap_or_default()
                }
            },
        };
        let by_file = body["batch"]["inputConfig"]["fileName"].is_string();
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        for line in &lines {
            let (id, body) = match interface {
                Interface::OpenAi | Interface::Mistral => (&line["custom_id"], &line["body"]),
                Interface::Anthropic => (&line["custom_id"], &line["params"]),
                Interface::Gemini if by_file => (&line["key"], &line["request"]),
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
            Interface::Gemini if is_embedding => {
                format!("/models/{}{}", model_of(request.path()), gemini::EMBED)
            }
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
            by_file: by_file || script.results_file,
            is_embedding,
            path,
            endpoint,
            model,
            entries,
            script: script.clone(),
            is_answering: false,
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

    /// Whether this look ends it. Another look at the same time finds it at work, so that its requests
    /// are answered once.
    pub(super) fn is_due(&mut self) -> bool {
        if self.is_ended() || self.is_answering {
            return false;
        }
        if self.looks > 0 {
            self.looks -= 1;
            return false;
        }
        self.is_answering = true;
        true
    }

    /// The ids, paths and bodies of the requests that are answered.
    pub(super) fn to_answer(&self) -> Vec<(String, String, Value)> {
        if self.script.refusal.is_some() {
            return Vec::new();
        }
        let most = self.script.answered.unwrap_or(usize::MAX);
        let entries = self.entries.iter().take(most);
        let body = |entry: &Entry| match self.is_embedding {
            // As several texts in one call.
            true => json!({"requests": [entry.body]}),
            false => entry.body.clone(),
        };
        entries.map(|entry| (entry.id.clone(), self.path.clone(), body(entry))).collect()
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
                let has_one_file =
                    matches!(self.interface, Interface::Anthropic | Interface::Gemini);
                has_one_file || outcome.is_answer() == answers
            });
            let lines: Vec<_> =
                lines.map(|(id, outcome)| self.line(id, outcome).to_string()).collect();
            (!lines.is_empty()).then(|| (lines.join("\n") + "\n").into_bytes())
        };
        let files = match self.interface {
            Interface::Gemini if !self.by_file => [None, None],
            Interface::Anthropic | Interface::Gemini => [file(true), None],
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
}
