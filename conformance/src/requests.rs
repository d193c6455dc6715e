//! Sends each request to a server that checks requests.
//!
//! A client sends the request to the loopback provider, which records it. The recorded bytes then
//! go to the server under test, so that its answer can be shown whole.

use serde_json::{Value, json};
use std::time::Duration;
use tollgate::provider::Profile;
use tollgate::testing::{Loopback, Request};
use tollgate::{Client, Error};
use ureq::http::Uri;

use crate::arguments::Arguments;
use crate::cases::{self, Case, Delivery};
use crate::report::{Outcome, Report};

/// # Errors
///
/// The server checks nothing, so that the run is worth nothing.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let profile = Profile::builtin(&arguments.provider)
        .ok_or_else(|| format!("no provider is called {:?}", arguments.provider))?;
    let base: Uri = arguments.base_url.parse().map_err(|error| format!("{error}"))?;
    let origin = arguments.base_url.split_inclusive('/').take(3).collect::<String>();
    let loopback = Loopback::start().map_err(|error| error.to_string())?;
    let path = base.path().trim_end_matches('/');
    let client = arguments.client(&format!("http://{}{path}", loopback.address()))?;
    let mut run = Run {
        server: Origin { url: origin.trim_end_matches('/').to_owned(), agent: agent() },
        loopback,
        show: arguments.show,
        checked: Vec::new(),
        report,
    };
    if let Some(format) = arguments.format.or(profile.format) {
        for case in cases::all(&arguments.provider, format) {
            let kind = match case.delivery {
                Delivery::Whole => "chat",
                Delivery::Stream => "stream",
                Delivery::Completion => "completion",
            };
            let name = format!("{kind}: {}", case.name);
            run.check(&name, || send(&client, case, arguments))?;
        }
    }
    if profile.embeddings.is_some() {
        for (name, request) in cases::embeddings(&arguments.provider) {
            let name = format!("embed: {name}");
            run.check(&name, || client.embed(request).map(drop))?;
        }
    }
    Ok(())
}

struct Run<'a> {
    server: Origin,
    loopback: Loopback,
    show: bool,
    /// The paths on which the server has proven that it checks requests.
    checked: Vec<String>,
    report: &'a mut Report,
}

impl Run<'_> {
    /// Passes the request that `call` sends on to the server, and prints what it says.
    fn check(
        &mut self,
        name: &str,
        call: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), String> {
        if !self.report.wants(name) {
            return Ok(());
        }
        let before = self.loopback.requests().len();
        let outcome = call();
        let Some(request) = self.loopback.requests().into_iter().nth(before) else {
            let error = outcome.err().map_or(String::new(), |error| error.to_string());
            self.report.add(name, Outcome::Refused(error));
            return Ok(());
        };
        if self.show {
            println!("          {} {}", request.path(), request.json());
        }
        if !self.checked.iter().any(|path| path == request.path()) {
            self.checked.push(request.path().to_owned());
            self.server.prove_checks(&request)?;
        }
        let (status, body) = self.server.post(&request, request.body())?;
        let outcome = if status < 300 {
            Outcome::Accepted(String::new())
        } else {
            let sent = request.json();
            Outcome::Rejected(format!("{status} {}\n          {sent}", words(&body)))
        };
        self.report.add(name, outcome);
        Ok(())
    }
}

/// The loopback provider's answer does not matter: it may not know the format.
fn send(client: &Client, case: Case, arguments: &Arguments) -> Result<(), Error> {
    let mut request = case.request;
    if case.delivery != Delivery::Completion {
        request.wire_format = arguments.format;
    }
    match case.delivery {
        Delivery::Whole => client.chat(request).map(drop),
        Delivery::Stream => client.stream(request).map(drop),
        Delivery::Completion => client.complete(request).map(drop),
    }
}

pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)));
    config.build().into()
}

/// The server under test.
pub(crate) struct Origin {
    pub(crate) url: String,
    pub(crate) agent: ureq::Agent,
}

impl Origin {
    /// Sends a body to the path of `request`, with its headers.
    pub(crate) fn post(&self, request: &Request, body: &[u8]) -> Result<(u16, String), String> {
        let mut post = self.agent.post(format!("{}{}", self.url, request.path()));
        for (name, value) in request.headers() {
            if !["host", "content-length", "connection", "accept-encoding"].contains(&&**name) {
                post = post.header(name, value);
            }
        }
        let mut answer = post.send(body).map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        Ok((answer.status().as_u16(), text))
    }

    /// Sends wrong forms of a request.
    ///
    /// # Errors
    ///
    /// The server accepts a wrong type, so it checks nothing.
    fn prove_checks(&self, request: &Request) -> Result<(), String> {
        let path = request.path();
        let inputs = ["messages", "input", "prompt", "contents", "inputs", "texts"];
        let body = request.json().as_object().ok_or("a request is no JSON object")?;
        let input = inputs.into_iter().find(|name| body.contains_key(*name));
        let input = input.ok_or_else(|| format!("a request to {path} has no input"))?;
        let with = |name: &str, value: Value| {
            let mut changed = body.clone();
            changed.insert(name.to_owned(), value);
            changed
        };
        let mut missing = body.clone();
        missing.shift_remove(input);
        let wrong = [
            ("a wrong type", with(input, 7.into())),
            ("a missing member", missing),
            ("an unknown role", with(input, json!([{"role": "nobody", "content": "Hello."}]))),
            ("an unknown member", with("no_such_member", 7.into())),
        ];
        for (what, body) in wrong {
            let (status, answer) = self.post(request, Value::from(body).to_string().as_bytes())?;
            if status < 300 && what == "a wrong type" {
                return Err(format!("{path}: the server accepts {what}, so it checks nothing"));
            }
            let answer = if status < 300 { "accepted".to_owned() } else { words(&answer) };
            println!("checks    {path}: {what}: {answer}");
        }
        Ok(())
    }
}

/// What Prism says of the innermost members that it rejects; of other servers, the whole answer.
pub(crate) fn words(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(validation) = json["validation"].as_array() else {
        return body.chars().take(500).collect();
    };
    let depth = |found: &Value| found["location"].as_array().map_or(0, Vec::len);
    let deepest = validation.iter().map(depth).max().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for found in validation.iter().filter(|found| depth(found) == deepest) {
        let message: String =
            found["message"].as_str().unwrap_or_default().chars().take(160).collect();
        let word = message.trim_start_matches("Request body ").to_owned();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.truncate(6);
    words.join("; ")
}
