//! Batches in the interfaces of OpenAI, Anthropic, Gemini and Mistral.

mod form;
mod job;
mod pieces;
mod script;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::http::{Head, Message};
use super::render;
use super::reply::Reply;
use super::request::Request;
use super::server::Server;
use crate::provider::Format;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use job::{Interface, Job, Outcome};
pub use script::BatchScript;

/// The files and jobs of a server.
#[derive(Debug)]
pub(super) struct Store {
    /// Guards the files, the jobs and the script ([`Lock::LoopbackBatches`]). Replies to single
    /// requests are made without it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: BatchScript,
    files: BTreeMap<String, Vec<u8>>,
    /// The files that were uploaded as Together wants it.
    wrapped: BTreeSet<String>,
    /// What has arrived of uploads in pieces.
    uploads: BTreeMap<String, Vec<u8>>,
    /// The oldest first.
    jobs: Vec<Job>,
    made: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self { state: Mutex::new(Lock::LoopbackBatches, State::default()) }
    }
}

impl Store {
    pub(super) fn set(&self, script: BatchScript) {
        self.state.lock().script = script;
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn store(&mut self, bytes: Vec<u8>) -> String {
        let id = uuid(self.number());
        self.files.insert(id.clone(), bytes);
        id
    }

    fn job(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }
}

/// Returns an id in the form that Mistral's file demands of files and jobs.
fn uuid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// The methods that create Gemini's jobs.
const CHAT_METHOD: &str = ":batchGenerateContent";
const EMBED_METHOD: &str = ":asyncBatchEmbedContent";

/// What a request about batches is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action<'a> {
    Upload,
    /// A step of an upload in pieces.
    Piece,
    File(&'a str),
    Content(&'a str),
    Create,
    List,
    Look(&'a str),
    Cancel(&'a str),
    Results(&'a str),
}

/// Answers a request about batches; `None` if it is about something else.
pub(super) fn answer(server: &Server, request: &Request) -> Option<Reply> {
    let (base, interface, action) = action(server, request)?;
    let unknown = || Reply::error(404, "", "There is no batch or file of that id.");
    let reply = match action {
        Action::Upload => upload(server, request),
        Action::Piece => pieces::answer(server, request),
        Action::File(id) => file(server, id, interface).unwrap_or_else(unknown),
        Action::Content(id) => content(server, id).unwrap_or_else(unknown),
        Action::Create => create(server, request, interface, base),
        Action::List => list(server, request, interface),
        Action::Look(id) => look(server, id, false).unwrap_or_else(unknown),
        Action::Cancel(id) => look(server, id, true).unwrap_or_else(unknown),
        Action::Results(id) => {
            let file = server.batches.state.lock().job(id).and_then(|job| job.files[0].clone());
            file.and_then(|file| content(server, &file)).unwrap_or_else(unknown)
        }
    };
    Some(reply)
}

/// Finds out what a request is for, and the base path it is below.
fn action<'a>(server: &Server, request: &'a Request) -> Option<(&'a str, Interface, Action<'a>)> {
    let (path, is_post) = (request.path(), request.method() == "POST");
    let parts = |end: &str| {
        let start = path.rfind(end)?;
        let rest = &path[start + end.len()..];
        (rest.is_empty() || rest.starts_with('/')).then(|| (&path[..start], rest.strip_prefix('/')))
    };
    let is = |base: &str, format| server.paths.speaks(base, format);
    let job_action = |rest: Option<&'a str>, cancel: &str| match rest {
        None if is_post => Some(Action::Create),
        None => Some(Action::List),
        Some(id) if is_post => id.strip_suffix(cancel).map(Action::Cancel),
        Some(id) => Some(id.strip_suffix("/results").map_or(Action::Look(id), Action::Results)),
    };
    if let Some((base, rest)) = parts("/v1/messages/batches") {
        let action = job_action(rest, "/cancel")?;
        return is(base, Format::Anthropic).then_some((base, Interface::Anthropic, action));
    }
    if let Some((base, rest)) = parts("/batch/jobs") {
        let action = job_action(rest, "/cancel")?;
        return is(base, Format::OpenAiChat).then_some((base, Interface::Mistral, action));
    }
    let gemini = [CHAT_METHOD, EMBED_METHOD].into_iter().find_map(|end| path.strip_suffix(end));
    let gemini = gemini.and_then(|path| path.split_once("/models/"));
    if let Some((base, _)) = gemini.filter(|_| is_post) {
        return is(base, Format::Gemini).then_some((base, Interface::Gemini, Action::Create));
    }
    if let Some((base, rest)) = parts("/batches") {
        if is(base, Format::Gemini) && !is(base, Format::OpenAiChat) {
            let action = job_action(rest, ":cancel").filter(|action| *action != Action::Create)?;
            return Some((base, Interface::Gemini, action));
        }
        let action = job_action(rest, "/cancel")?;
        return is(base, Format::OpenAiChat).then_some((base, Interface::OpenAi, action));
    }
    let (base, rest) = parts("/files")?;
    if let Some((prefix, version)) = base.split_once("/upload").filter(|_| is_post) {
        let is_gemini = is(&format!("{prefix}{version}"), Format::Gemini);
        return is_gemini.then_some((base, Interface::Gemini, Action::Piece));
    }
    if let Some((prefix, version)) = base.split_once("/download").filter(|_| !is_post) {
        let is_gemini = is(&format!("{prefix}{version}"), Format::Gemini);
        let id = rest?.strip_suffix(":download").filter(|_| is_gemini)?;
        return Some((base, Interface::Gemini, Action::Content(id)));
    }
    if is(base, Format::Gemini) && !is(base, Format::OpenAiChat) {
        let id = rest.filter(|_| !is_post)?;
        return Some((base, Interface::Gemini, Action::File(id)));
    }
    let action = match rest {
        None | Some("upload") if is_post => Action::Upload,
        Some(rest) if !is_post => {
            rest.strip_suffix("/content").map_or(Action::File(rest), Action::Content)
        }
        _ => return None,
    };
    is(base, Format::OpenAiChat).then_some((base, Interface::OpenAi, action))
}

fn upload(server: &Server, request: &Request) -> Reply {
    let purpose = if request.path().ends_with("/upload") { "batch-api" } else { "batch" };
    let content_type = request.header("content-type").unwrap_or_default();
    let refused = |what: &str| Reply::error(400, "", what);
    let Some(form) = form::read(content_type, request.body()) else {
        return refused("The body is not multipart/form-data with a file.");
    };
    if form.purpose != purpose {
        return refused("The purpose of the file is not that of a batch.");
    }
    let bytes = form.file.len();
    let (id, is_pending) = {
        let mut state = server.batches.state.lock();
        let id = state.store(form.file);
        if purpose == "batch-api" {
            state.wrapped.insert(id.clone());
        }
        (id, state.script.pending > 0)
    };
    let body = json!({
        "id": id,
        "object": "file",
        "bytes": bytes,
        "created_at": seconds(),
        "filename": "batch.jsonl",
        "purpose": purpose,
        "status": if is_pending { "pending" } else { "processed" },
    });
    json_reply(&body)
}

/// Shows an uploaded file.
fn file(server: &Server, id: &str, interface: Interface) -> Option<Reply> {
    let mut state = server.batches.state.lock();
    let bytes = state.files.get(id)?.len();
    state.script.pending = state.script.pending.saturating_sub(1);
    if interface == Interface::Gemini {
        return Some(json_reply(&pieces::file(id, bytes, state.script.pending > 0)));
    }
    let status = if state.script.pending > 0 { "pending" } else { "processed" };
    Some(json_reply(&json!({"id": id, "object": "file", "bytes": bytes, "status": status})))
}

/// A file, with the faults of the script.
fn content(server: &Server, id: &str) -> Option<Reply> {
    let mut state = server.batches.state.lock();
    let mut bytes = state.files.get(id)?.clone();
    if state.script.halved > 0 {
        state.script.halved -= 1;
        bytes.truncate(bytes.len() / 2);
    }
    let reply = Reply::raw(200, "application/jsonl", bytes);
    Some(match &mut state.script.cut {
        Some((times, after)) if *times > 0 => {
            *times -= 1;
            reply.cut_after(*after)
        }
        _ => reply,
    })
}

fn create(server: &Server, request: &Request, interface: Interface, base: &str) -> Reply {
    let mut state = server.batches.state.lock();
    if state.script.dropped > 0 {
        state.script.dropped -= 1;
        return Reply::disconnect();
    }
    let names_file = request.json()["batch"]["inputConfig"]["fileName"].is_string();
    let names_file = names_file || matches!(interface, Interface::OpenAi | Interface::Mistral);
    if state.script.pending > 0 && names_file {
        return Reply::error(400, "", "The file is not processed yet.");
    }
    let number = state.number();
    let made = Job::new(number, interface, base, request, &state.files, &state.script);
    let job = match made {
        Ok(job) => job,
        Err(what) => return Reply::error(400, "", what),
    };
    let body = job.shown(seconds());
    // Together wraps a new job.
    let body = match state.wrapped.contains(job.input()) {
        true => json!({"job": body}),
        false => body,
    };
    state.jobs.push(job);
    if state.script.lost > 0 {
        state.script.lost -= 1;
        return Reply::disconnect();
    }
    json_reply(&body)
}

/// A page of the list of jobs, the newest first.
fn list(server: &Server, request: &Request, interface: Interface) -> Reply {
    let query = request.query().unwrap_or_default();
    let value =
        |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name)?.parse::<usize>().ok();
    let size = ["limit", "pageSize", "page_size"].into_iter().find_map(number).unwrap_or(20).max(1);
    let state = server.batches.state.lock();
    let all = state.jobs.iter().rev().filter(|job| job.interface == interface);
    let all: Vec<_> = all.collect();
    let start = match value("after").or_else(|| value("after_id")) {
        Some(id) => all.iter().position(|job| job.id == id).map_or(all.len(), |place| place + 1),
        None => number("pageToken").or_else(|| Some(number("page")? * size)).unwrap_or(0),
    };
    let jobs = all.iter().skip(start).take(size).map(|job| job.shown(seconds()));
    let jobs: Vec<_> = jobs.collect();
    let has_more = start + jobs.len() < all.len();
    json_reply(&match interface {
        Interface::Gemini => {
            let next = has_more.then(|| (start + size).to_string());
            json!({"operations": jobs, "nextPageToken": next.unwrap_or_default()})
        }
        Interface::Mistral => json!({"object": "list", "total": all.len(), "data": jobs}),
        Interface::OpenAi | Interface::Anthropic => {
            let ends = [jobs.first(), jobs.last()].map(|job| job.map(|job| job["id"].clone()));
            let [first, last] = ends;
            json!({"data": jobs, "has_more": has_more, "first_id": first, "last_id": last})
        }
    })
}

/// Shows a job, which may end by that.
fn look(server: &Server, id: &str, cancel: bool) -> Option<Reply> {
    let (base, requests) = {
        let mut state = server.batches.state.lock();
        let job = state.job(id)?;
        if cancel && job.is_ended() {
            return Some(Reply::error(409, "", "The batch has already ended."));
        }
        if cancel {
            job.cancelled = true;
            // It is cancelling until the next look.
            job.looks = 0;
        }
        if cancel || !job.is_due() {
            // Under the same lock, so that it shows no later look's end.
            return Some(json_reply(&job.shown(seconds())));
        }
        (job.base.clone(), job.to_answer())
    };
    end(server, id, &base, requests)
}

/// Answers the requests of a job, which ends it, and shows it.
fn end(
    server: &Server,
    id: &str,
    base: &str,
    requests: Vec<(String, String, Value)>,
) -> Option<Reply> {
    let _answering = Answering { server, id };
    // Replies may come from the caller's rules, which run without any lock.
    let answer = |(id, path, body): (String, String, Value)| {
        let outcome = answer_one(server, &format!("{base}{path}"), &body);
        (id, outcome)
    };
    let outcomes = requests.into_iter().map(answer).collect();
    let mut state = server.batches.state.lock();
    let files = state.job(id)?.end(outcomes);
    for (place, file) in files.into_iter().enumerate() {
        if let Some(bytes) = file {
            let file = state.store(bytes);
            state.job(id)?.files[place] = Some(file);
        }
    }
    Some(json_reply(&state.job(id)?.shown(seconds())))
}

/// A job whose requests are being answered. If one of the caller's rules panics, the next look
/// answers them.
struct Answering<'a> {
    server: &'a Server,
    id: &'a str,
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if let Some(job) = self.server.batches.state.lock().job(self.id) {
            job.is_answering = false;
        }
    }
}

/// Answers one request of a batch as a single call.
fn answer_one(server: &Server, path: &str, body: &Value) -> Outcome {
    let head =
        Head { method: "POST".to_owned(), target: path.to_owned(), minor: 1, headers: Vec::new() };
    let request = Request::new(Message { head, body: body.to_string().into_bytes() }, 0);
    let reply = server.script.by_rule(&request).unwrap_or_else(|| server.script.next());
    rendered(&reply, &request, server.batches.state.lock().number())
}

fn rendered(reply: &Reply, request: &Request, number: u64) -> Outcome {
    let response = render::response(reply, request, number, SystemTime::now());
    let body = serde_json::from_slice(&response.pieces.concat()).unwrap_or_default();
    Outcome::Response { status: response.status, body, number }
}

fn json_reply(body: &Value) -> Reply {
    Reply::raw(200, "application/json", body.to_string())
}

fn seconds() -> i64 {
    crate::time::rfc3339::seconds(SystemTime::now())
}
