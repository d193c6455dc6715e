//! A server repeats the key everywhere it can. Nothing that the client returns shows it, except the
//! text of the answer itself.

mod support;

use serde_json::{Value, json};
use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::sync::Arc;
use support::observer::{Watcher, watched};
use support::server::{RawServer, request, send};
use support::stream::BOTH;
use support::{KEY, builder_at, quick_retries};
use tollgate::{ChatResponse, Client, ClientBuilder, Error, StreamEvent};

/// Everything that a client shows about its calls, in one text.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, thing: &dyn Debug) {
        let _ = writeln!(self.0, "{thing:?}\n{thing:#?}");
    }

    fn error(&mut self, error: &Error) {
        self.debug(error);
        let _ = writeln!(self.0, "{error} {:?} {:?}", error.code(), error.request_id());
        let mut cause = error.source();
        while let Some(source) = cause {
            let _ = writeln!(self.0, "{source} {source:?}");
            cause = source.source();
        }
        error.attempts().iter().for_each(|attempt| self.debug(attempt));
    }

    fn response(&mut self, response: &ChatResponse) {
        self.debug(response);
        let beside = [&response.id, &response.request_id, &response.finish_reason_raw];
        let _ = writeln!(self.0, "{} {beside:?} {:?}", response.model, response.service_tier);
    }

    fn client(&mut self, client: &Client, watcher: &Watcher) {
        self.debug(client);
        let (metrics, costs) = (client.metrics(), client.costs());
        self.debug(&metrics);
        self.debug(&costs);
        let tables = [format!("{metrics}{metrics:#}"), metrics.prometheus(), metrics.openmetrics()];
        let reports = [format!("{costs}"), costs.csv(), costs.calls_csv(), costs.json()];
        self.0.extend(tables.into_iter().chain(reports));
        self.0 += &serde_json::to_string(&metrics).unwrap();
        self.0 += &watcher.shown();
    }

    /// The key is nowhere in it, in no form; it was taken out.
    fn hides(&self, secrets: &[&str], case: &str) {
        for secret in secrets {
            let at = self.0.find(secret);
            let near = at.map(|at| &self.0[at.saturating_sub(100)..(at + 60).min(self.0.len())]);
            assert_eq!(near, None, "{secret:?} is shown ({case})");
        }
        assert!(self.0.contains("[key]"), "{case}: {}", self.0);
    }
}

/// A server that repeats `key` in every header that is read and in its body.
fn echo(status: u16, content_type: &'static str, body: String, key: &str) -> RawServer {
    let names = [
        "request-id",
        "x-request-id",
        "apim-request-id",
        "x-litellm-call-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-input-tokens-reset",
        "location",
        "server",
        "x-powered-by",
    ];
    let headers: String = names.iter().map(|name| format!("{name}: {key}\r\n")).collect();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} {key}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         {headers}\r\n{body}"
    );
    RawServer::start(move |_, mut socket| {
        while request(&mut socket).is_some() {
            send(&mut socket, &answer);
        }
    })
}

fn answer(provider: &str, key: &str) -> Value {
    match provider {
        "anthropic" => json!({
            "type": "message", "role": "assistant", "id": key, "model": format!("claude-{key}"),
            "stop_reason": key, "stop_sequence": key,
            "content": [{"type": "text", "text": format!("It is {key}.")}],
            "usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": key},
        }),
        _ => json!({
            "id": key, "model": format!("gpt-{key}"), "object": key, "service_tier": key,
            "system_fingerprint": key,
            "choices": [{"index": 0, "finish_reason": key, "message": {
                "role": "assistant", "content": format!("It is {key}."),
            }}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        }),
    }
}

/// The events of the same answer, without the end marker.
fn events(provider: &str, key: &str) -> Vec<Value> {
    let whole = answer(provider, key);
    match provider {
        "anthropic" => vec![
            json!({"type": "message_start", "message": whole}),
            json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": format!("It is {key}.")}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": key},
                "usage": whole["usage"]}),
        ],
        _ => {
            let mut chunk = whole.clone();
            chunk["choices"] = json!([{"index": 0, "delta": {"content": format!("It is {key}.")}}]);
            let mut last = whole;
            last["choices"] = json!([{"index": 0, "delta": {}, "finish_reason": key}]);
            vec![chunk, last]
        }
    }
}

fn stream(events: &[Value], end: &str) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>() + end
}

fn client(server: &RawServer, provider: &str, key: &str) -> ClientBuilder {
    let url = server.base_url();
    let model = if provider == "anthropic" { "claude-haiku-4-5" } else { "gpt-4o-mini" };
    builder_at(&url).provider(provider).model(model).api_key(key).retry(quick_retries(1))
}

fn watch(builder: ClientBuilder) -> (Arc<Watcher>, Client) {
    let (watcher, client) = watched(builder);
    watcher.let_go();
    (watcher, client)
}

#[test]
fn a_key_repeated_beside_an_answer_is_hidden_and_the_answer_is_not_touched() {
    for provider in BOTH {
        let body = answer(provider, KEY).to_string();
        let server = echo(200, "application/json", body.clone(), KEY);
        let (watcher, client) = watch(self::client(&server, provider, KEY));
        let response = client.chat("hi").unwrap();
        assert_eq!(response.text(), format!("It is {KEY}."));
        assert_eq!(response.raw(), body);
        assert_eq!(response.request_id.as_deref(), Some("[key]"));
        assert!(response.model.ends_with("-[key]"), "{}", response.model);
        let mut shown = Shown::default();
        shown.response(&response);
        shown.client(&client, &watcher);
        shown.hides(&[KEY], "whole");
    }
}

#[test]
fn a_key_repeated_in_a_stream_is_hidden_and_the_answer_is_not_touched() {
    for provider in BOTH {
        let end = match provider {
            "anthropic" => "data: {\"type\": \"message_stop\"}\n\n",
            _ => "data: [DONE]\n\n",
        };
        let body = stream(&events(provider, KEY), end);
        let server = echo(200, "text/event-stream", body, KEY);
        let (watcher, client) = watch(self::client(&server, provider, KEY));
        let mut answer = client.stream("hi").unwrap();
        let mut shown = Shown::default();
        shown.debug(&answer);
        let text: String = answer.text().map(Result::unwrap).collect();
        assert_eq!(text, format!("It is {KEY}."));
        shown.response(&answer.partial());
        let whole = answer.finish().unwrap();
        assert_eq!(whole.text(), text);
        shown.response(&whole);
        shown.debug(&answer);
        shown.0 += &format!("{:?}", answer.request_id());
        drop(answer);
        shown.client(&client, &watcher);
        shown.hides(&[KEY], "stream");
    }
}

#[test]
fn a_key_repeated_in_an_error_is_hidden() {
    let fault = |key: &str| {
        json!({"type": "error", "request_id": key, "error": {
            "message": format!("no such key: {key}"), "type": key, "code": key, "param": key,
            "metadata": {"raw": format!("{{\"error\": {{\"message\": \"upstream: {key}\"}}}}")},
        }})
        .to_string()
    };
    // Found only once the JSON is read.
    let escaped = fault(KEY).replace("-secret-", "\\u002dsecret\\u002d");
    for provider in BOTH {
        for (status, kind, body) in [
            (401, "application/json", fault(KEY)),
            (429, "application/json", escaped.clone()),
            (503, "text/html", format!("<title>{KEY}</title><p>{}{KEY}", "x ".repeat(91))),
            (404, "text/plain", format!("no {KEY} here")),
            (307, "text/plain", String::new()),
            (200, "application/json", fault(KEY)),
            (200, "text/event-stream", stream(&[serde_json::from_str(&fault(KEY)).unwrap()], "")),
            (200, "text/html", format!("<title>{KEY}</title>")),
            (204, "application/json", String::new()),
        ] {
            let case = format!("{provider} {status} {kind}");
            let server = echo(status, kind, body, KEY);
            let (watcher, client) = watch(self::client(&server, provider, KEY));
            let mut shown = Shown::default();
            shown.error(&client.chat("hi").unwrap_err());
            shown.error(&client.stream("hi").map(drop).unwrap_err());
            shown.client(&client, &watcher);
            shown.0 += "[key]";
            shown.hides(&[KEY], &case);
        }
    }
}

#[test]
fn a_key_repeated_in_a_mid_stream_error_is_hidden() {
    for provider in BOTH {
        let fault = json!({"type": "error", "error": {
            "message": format!("bad key {KEY}"), "type": KEY, "code": KEY}});
        for end in [stream(&[fault], ""), "data: {\n\n".to_owned(), String::new()] {
            let text = if provider == "anthropic" { 3 } else { 1 };
            let body = stream(&events(provider, KEY)[..text], &end);
            let server = echo(200, "text/event-stream", body, KEY);
            let (watcher, client) = watch(self::client(&server, provider, KEY));
            let mut answer = client.stream("hi").unwrap();
            let error = answer.find_map(Result::err).expect("it ends in an error");
            let mut shown = Shown::default();
            shown.error(&error);
            shown.response(&answer.partial());
            shown.client(&client, &watcher);
            shown.hides(&[KEY], &format!("{provider} {end}"));
        }
    }
}

#[test]
fn keys_in_headers_and_in_the_base_url_are_hidden_in_every_form() {
    const SECRET: &str = "a1/b2+c3=d4";
    let forms = [
        SECRET,
        "a1%2Fb2%2Bc3%3Dd4",
        "a1%2fb2%2bc3=d4",
        "a1\\/b2+c3=d4",
        "a1/b2\\u002bc3=d4",
        "a1&#x2F;b2&#43;c3=d4",
    ];
    let message = forms.join(", ");
    let body = json!({"error": {"message": message, "code": SECRET}}).to_string();
    let server = echo(401, "application/json", body, SECRET);
    let base = |query: &str| format!("{}{query}", server.base_url());
    let plain = || client(&server, "openai", KEY);
    let basic = "Basic dXNlcjphMS9iMitjMz1kNA=="; // user:a1/b2+c3=d4
    for (case, builder) in [
        ("api_key", plain().api_key(SECRET)),
        ("bearer", plain().without_api_key().header("Authorization", format!("Bearer {SECRET}"))),
        ("token", plain().without_api_key().header("authorization", format!("Token {SECRET}"))),
        ("basic", plain().without_api_key().header("authorization", basic)),
        ("x-api-key", plain().header("x-api-key", SECRET)),
        ("api-key", plain().header("api-key", SECRET)),
        ("gateway", plain().header("x-portkey-virtual-key", SECRET)),
        ("query", plain().base_url(base("?api-version=2024-10-21&key=a1%2Fb2+c3%3Dd4"))),
        ("raw query", plain().base_url(base("?key=a1/b2+c3=d4"))),
    ] {
        let shown_builder = format!("{builder:?}");
        let (watcher, client) = watch(builder);
        let mut shown = Shown(shown_builder);
        shown.error(&client.chat("hi").unwrap_err());
        shown.client(&client, &watcher);
        shown.hides(&forms, case);
    }
}

#[test]
fn what_is_not_secret_is_shown() {
    let body = json!({"error": {"message": "org-1234567 has no api-version 2024-10-21"}});
    let server = echo(404, "application/json", body.to_string(), "req_1");
    let url = format!("{}?api-version=2024-10-21", server.base_url());
    let builder = client(&server, "openai", KEY).base_url(url).organization("org-1234567");
    let error = builder.build().unwrap().chat("hi").unwrap_err();
    assert_eq!(error.message(), "org-1234567 has no api-version 2024-10-21");
    assert_eq!(error.request_id(), Some("req_1"));
}

#[test]
fn a_model_that_a_header_names_keeps_its_name_and_its_price() {
    let mut body = answer("openai", "id");
    body["model"] = "gpt-4o-mini-2024-07-18".into();
    let server = echo(200, "application/json", body.to_string(), "req_1");
    let builder = client(&server, "openai", KEY).header("x-model", "gpt-4o-mini");
    let response = builder.build().unwrap().chat("hi").unwrap();
    assert_eq!(response.model, "gpt-4o-mini-2024-07-18");
    assert!(response.cost.is_some());
}

#[test]
fn stream_events_contain_only_the_answer() {
    let body = stream(&events("openai", KEY), "data: [DONE]\n\n");
    let server = echo(200, "text/event-stream", body, KEY);
    let client = client(&server, "openai", KEY).build().unwrap();
    for event in client.stream("hi").unwrap() {
        let event = event.unwrap();
        let is_text = matches!(event, StreamEvent::TextDelta(_));
        assert_eq!(serde_json::to_string(&event).unwrap().contains(KEY), is_text, "{event:?}");
    }
}
