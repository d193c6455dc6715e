//! Lists of models, over all pages.

mod support;

use serde_json::{Value, json};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};
use support::recordings::{Recordings, member};
use support::{KEY, builder, client, eventually, loopback, quick_retries};
use tollgate::testing::Reply;
use tollgate::{CancelToken, ErrorKind, ModelInfo, ModelsRequest, Provider};

const JSON: &str = "application/json";

fn reply(body: &Value) -> Reply {
    Reply::raw(200, JSON, body.to_string())
}

fn ids(models: &[ModelInfo]) -> Vec<&str> {
    models.iter().map(|model| model.id.as_str()).collect()
}

#[test]
fn a_list_without_pages_is_one_request() {
    let server = loopback();
    let client = client(&server, "openai");
    let list = json!({"object": "list", "data": [
        {"id": "gpt-4o", "object": "model", "created": 1_715_367_049, "owned_by": "system"},
        {"id": "gpt-4o-mini", "object": "model", "created": 1_721_172_741, "owned_by": "system"},
    ]});
    server.on(|_| true, reply(&list));
    let models = client.models(ModelsRequest::new()).unwrap();
    assert_eq!(ids(&models), ["gpt-4o", "gpt-4o-mini"]);
    assert_eq!(models[0].created, Some(UNIX_EPOCH + Duration::from_secs(1_715_367_049)));
    assert_eq!(models[0].extra["owned_by"], "system");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method(), requests[0].path()), ("GET", "/v1/models"));
    assert_eq!(requests[0].query(), None);
    assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {KEY}")));
    let metrics = client.metrics();
    assert_eq!(metrics.by_model[0].operation, "list_models");
    assert_eq!(client.costs().total.calls, 0);
}

#[test]
fn all_pages_are_read_in_order_and_a_failed_one_is_retried() {
    for (provider, first, second, queries) in [
        (
            "anthropic",
            json!({"data": [{"id": "claude-b"}], "has_more": true, "last_id": "claude-b"}),
            json!({"data": [{"id": "claude-a"}], "has_more": false, "last_id": "claude-a"}),
            ["limit=1000", "limit=1000&after_id=claude-b"],
        ),
        (
            "cohere",
            json!({"models": [{"name": "claude-b"}], "next_page_token": "2"}),
            json!({"models": [{"name": "claude-a"}]}),
            ["page_size=1000", "page_size=1000&page_token=2"],
        ),
        (
            "gemini",
            json!({"models": [{"name": "models/claude-b"}], "nextPageToken": "a/b="}),
            json!({"models": [{"name": "models/claude-a"}]}),
            ["pageSize=1000", "pageSize=1000&pageToken=a%2Fb%3D"],
        ),
    ] {
        let server = loopback();
        let client = builder(&server, provider).retry(quick_retries(1)).build().unwrap();
        let replies = Mutex::new(vec![reply(&second), Reply::status(503), reply(&first)]);
        server.respond(move |_| replies.lock().unwrap().pop());
        let models = client.models(Provider::new(provider)).unwrap();
        assert_eq!(ids(&models), ["claude-b", "claude-a"], "{provider}");
        let requests = server.requests();
        let asked: Vec<_> = requests.iter().map(|request| request.query().unwrap()).collect();
        assert_eq!(asked, [queries[0], queries[1], queries[1]], "{provider}");
        assert!(requests[0].path().ends_with("/models"), "{provider}");
        assert_eq!(client.metrics().total.calls, 2, "each page is a call");
    }
}

#[test]
fn a_list_that_repeats_or_never_ends_is_an_error() {
    let server = loopback();
    let client = client(&server, "anthropic");
    server.on(|_| true, reply(&json!({"data": [{"id": "a"}], "has_more": true, "last_id": "a"})));
    let error = client.models("anthropic").unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::Protocol, 2));
    assert!(error.message().contains("anthropic repeats a page"), "{error}");

    server.clear();
    let number = Mutex::new(0);
    server.respond(move |_| {
        let mut number = number.lock().unwrap();
        *number += 1;
        Some(reply(&json!({"data": [], "has_more": true, "last_id": number.to_string()})))
    });
    let error = client.models("anthropic").unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::Protocol, 102));
    assert!(error.message().contains("does not end"), "{error}");
}

#[test]
fn the_time_limit_holds_over_all_pages_and_a_call_can_be_cancelled() {
    let server = loopback();
    let client = client(&server, "gemini");
    let replies = Mutex::new(vec![
        Reply::hang(),
        Reply::hang(),
        reply(&json!({"models": [], "nextPageToken": "2"})),
    ]);
    server.respond(move |_| replies.lock().unwrap().pop());
    let late = ModelsRequest::new().timeout(Duration::from_secs(1));
    let error = client.models(late).unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::Timeout, 2));
    assert!(error.to_string().contains("timeout"), "{error}");
    let token = CancelToken::new();
    let error = thread::scope(|scope| {
        let request = ModelsRequest::new().cancel_token(&token);
        let call = scope.spawn(|| client.models(request));
        eventually("the request is there", || server.request_count() == 3);
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_provider_without_a_list_is_a_clear_error() {
    let server = loopback();
    // The loopback provider has no list of its own.
    let error = client(&server, "openai").models("openai").unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::NotFound, Some("openai")));
    let error = client(&server, "azure-deployments").models(ModelsRequest::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("such as \"azure\""), "{error}");
    let refused = Reply::error(401, "invalid_api_key", format!("wrong key {KEY}"));
    server.on(|_| true, refused);
    let error = client(&server, "openai").models("openai").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(!error.to_string().contains(KEY), "{error}");
}

#[test]
fn recorded_lists_decode() {
    let Some(recordings) = Recordings::open() else { return };
    let lists = recordings.entries.iter().filter(|entry| member(entry, "url").ends_with("/models"));
    let mut read = 0;
    for entry in lists {
        let server = loopback();
        let body = recordings.body(entry);
        let raw: Value = serde_json::from_slice(&body).unwrap();
        server.on(|_| true, Reply::raw(200, JSON, body));
        let models = client(&server, "openai").models("openai").unwrap();
        let expected: Vec<_> = raw["data"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
        assert_eq!(json!(ids(&models)), json!(expected), "{}", member(entry, "file"));
        assert!(models.iter().all(|model| model.created.is_some()));
        read += 1;
    }
    assert_eq!(read, 2);
}
