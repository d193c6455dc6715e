//! Requests to endpoints that the crate does not model.

mod support;

use serde_json::{Value, json};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use support::{builder, client, eventually, loopback, quick_retries};
use tollgate::testing::Reply;
use tollgate::{Budget, CancelToken, Client, ErrorKind, Money, ProviderConfig, RawRequest};

const JSON: &str = "application/json";

#[test]
fn any_endpoint_is_reached_with_the_key_and_the_connections_of_the_client() {
    let server = loopback();
    let client = client(&server, "openai");
    let models = br#"{"object":"list","data":[{"id":"gpt-4o"}]}"#;
    server.on(|request| request.method() == "GET", Reply::raw(200, JSON, &models[..]));
    let vector = br#"{"data":[{"embedding":[0.5,1.5]}]}"#;
    let embeds = |request: &tollgate::testing::Request| request.path().ends_with("/embeddings");
    server.on(embeds, Reply::raw(200, JSON, &vector[..]).header("x-request-id", "req-7"));

    let answer = client.get("/models?limit=2").unwrap();
    assert_eq!((answer.status, answer.media_type.as_deref()), (200, Some(JSON)));
    assert_eq!(answer.json::<Value>().unwrap()["data"][0]["id"], "gpt-4o");
    assert_eq!(answer.provider, "openai");
    let body = json!({"model": "text-embedding-3-small", "input": "hi"});
    let answer = client.post("embeddings", body.clone()).unwrap();
    assert_eq!(answer.request_id.as_deref(), Some("req-7"));
    assert_eq!(answer.json::<Value>().unwrap()["data"][0]["embedding"], json!([0.5, 1.5]));
    assert_eq!(answer.attempts().len(), 1);

    let [get, post] = <[_; 2]>::try_from(server.requests()).unwrap();
    assert_eq!((get.method(), get.path(), get.query()), ("GET", "/v1/models", Some("limit=2")));
    assert!(get.body().is_empty());
    assert_eq!((post.method(), post.path()), ("POST", "/v1/embeddings"));
    assert_eq!(post.json(), &body);
    for request in [get, post] {
        assert!(request.header("authorization").unwrap().starts_with("Bearer "));
    }
    assert_eq!(server.connections().opened, 1);
    let metrics = client.metrics();
    assert_eq!(metrics.total.calls, 2);
    let named = metrics.by_model.iter().find(|one| one.model == "text-embedding-3-small");
    assert_eq!(named.unwrap().operation, "raw");
    assert_eq!(client.costs().total.calls, 0, "what is not priced is not in the books");
}

#[test]
fn raw_failures_are_retried_and_explained_like_those_of_chats() {
    let server = loopback();
    let client = builder(&server, "openai").retry(quick_retries(2)).build().unwrap();
    let replies = Mutex::new(vec![
        Reply::raw(200, "text/plain", &b"not { json"[..]),
        Reply::error(401, "invalid_api_key", "Incorrect API key provided"),
        Reply::raw(200, JSON, &b"{}"[..]),
        Reply::status(503),
    ]);
    server.respond(move |_| replies.lock().unwrap().pop());
    assert_eq!(client.get("/models").unwrap().attempts().len(), 2);
    let error = client.get("/models").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!((error.code(), error.provider()), (Some("invalid_api_key"), Some("openai")));
    let error = client.get("/models").unwrap().json::<Value>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("not JSON (line 1"), "{error}");
    assert!(!error.message().contains('{'), "{error}");
    // The loopback provider answers 404 to what it does not serve.
    let error = client.get("/models").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_call_ends_at_its_deadline_or_when_it_is_cancelled() {
    let server = loopback();
    let client = client(&server, "openai");
    server.on(|_| true, Reply::hang());
    let late = RawRequest::get("/models").timeout(Duration::from_millis(50));
    assert_eq!(client.send(late).unwrap_err().kind(), ErrorKind::Timeout);
    let token = CancelToken::new();
    let error = thread::scope(|scope| {
        let request = RawRequest::post("/embeddings", json!({})).cancel_token(&token);
        let call = scope.spawn(|| client.send(request));
        eventually("the request is there", || server.request_count() == 2);
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_key_goes_to_its_own_provider_and_to_no_other_host() {
    let (openai, groq) = (loopback(), loopback());
    let client = Client::builder()
        .provider("openai")
        .api_key("sk-of-openai")
        .base_url(openai.base_url("openai"))
        .add_provider(
            ProviderConfig::new("groq").api_key("sk-of-groq").base_url(groq.base_url("groq")),
        )
        .build()
        .unwrap();
    groq.on(|_| true, Reply::raw(200, JSON, &b"{}"[..]));
    client.send(RawRequest::get("/models").provider("groq")).unwrap();
    let sent = groq.requests();
    assert_eq!(sent[0].header("authorization"), Some("Bearer sk-of-groq"));
    assert_eq!(sent[0].path(), "/openai/v1/models");
    for path in ["https://evil.example/v1", "//evil.example/v1", "/../../admin"] {
        let error = client.get(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{path}");
    }
    assert_eq!(openai.connections().opened, 0);
    let nobody = Client::builder().build().unwrap();
    assert!(nobody.get("/models").unwrap_err().message().contains("no provider is set; name one"));
}

#[test]
fn a_raw_request_without_a_price_is_refused_if_a_budget_applies() {
    let server = loopback();
    server.on(|_| true, Reply::raw(200, JSON, &b"{}"[..]));
    let body = || json!({"model": "text-embedding-3-small", "input": "the secret prompt"});
    let hard = builder(&server, "openai").budget(Budget::total(Money::dollars(1))).build().unwrap();
    let error = hard.post("/embeddings", body()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CostUnknown);
    assert!(error.message().contains("its maximum cost is unknown"), "{error}");
    assert_eq!(server.request_count(), 0);
    hard.get("/models").unwrap();
    let soft = builder(&server, "openai").budget(Budget::total(Money::dollars(1)).soft());
    soft.build().unwrap().post("/embeddings", body()).unwrap();
    let other = builder(&server, "openai").budget(Budget::total(Money::dollars(1)).model("gpt-4o"));
    other.build().unwrap().post("/embeddings", body()).unwrap();
    let shown = format!("{:?}", RawRequest::post("/embeddings?key=abc", body()));
    assert!(!shown.contains("secret") && !shown.contains("abc"), "{shown}");
}
