//! Requests for embeddings that are refused before sending, and answers that are not embeddings.

mod support;

use serde_json::{Value, json};
use support::costs::config;
use support::{KEY, builder, client, loopback};
use tollgate::embed::{EmbedRequest, InputType, Truncation};
use tollgate::provider::{EmbeddingFormat, Profile};
use tollgate::testing::{Loopback, Reply, embedding};
use tollgate::{Client, Error, ErrorKind};

fn answers(server: &Loopback, body: &Value) {
    server.clear();
    server.reply(Reply::raw(200, "application/json", body.to_string()));
}

/// The error for an answer to a request with two texts.
fn error_for(client: &Client, server: &Loopback, body: &Value) -> Error {
    answers(server, body);
    client.embed(["a", "b"]).unwrap_err()
}

fn item(index: usize, vector: &Value) -> Value {
    json!({"object": "embedding", "index": index, "embedding": vector})
}

#[test]
fn what_cannot_be_embedded_is_refused_before_sending() {
    let server = loopback();
    let client = client(&server, "openai");
    let texts = || EmbedRequest::new(["a", "b"]);
    for (request, expected) in [
        (EmbedRequest::default(), "no texts"),
        (EmbedRequest::new(["a", "", "c"]), "the text 1 is empty"),
        (texts().batch_size(0), "batch_size is zero"),
        (texts().parallel_requests(0), "parallel_requests is zero"),
        (texts().input_type(InputType::Query), "the input type query"),
        (texts().truncation(Truncation::End), "cannot truncate"),
        (texts().omit("input"), "omits \"input\""),
        (texts().extra("input", "c"), "sets \"input\" in extra"),
        (texts().extra("model", "other"), "sets \"model\" in extra"),
        (texts().model(" "), "the model is empty"),
        (texts().timeout(std::time::Duration::ZERO), "timeout is zero"),
        (texts().idempotency_key("a\nb"), "idempotency key"),
    ] {
        let error = client.embed(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains(expected), "{expected}: {error}");
    }
    // Even if an earlier request could be sent.
    let late = EmbedRequest::new(["a", "b", "c", ""]).batch_size(1);
    let error = client.embed(late).unwrap_err();
    assert!(error.message().contains("the text 3 is empty"), "{error}");
    assert_eq!(server.request_count(), 0);
    assert_eq!(client.metrics().total.calls, 13);
}

#[test]
fn a_text_that_a_tokenizer_finds_too_long_is_refused_before_sending() {
    let server = loopback();
    let counted = |_: &str, _: &str, text: &str| Some(text.len() as u64);
    let costs = config([]).tokenizer(counted);
    let client = builder(&server, "openai").costs(costs).build().unwrap();
    let request = EmbedRequest::new(["a".to_owned(), "x".repeat(8_193)]).batch_size(1);
    let error = client.embed(request).unwrap_err();
    assert!(error.message().contains("the text 1 has 8193 tokens"), "{error}");
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, 0));
    client.embed("x".repeat(8_192)).unwrap();
}

#[test]
fn a_provider_without_embeddings_or_without_chats_says_so() {
    let server = loopback();
    let anthropic = client(&server, "anthropic");
    let error = anthropic.embed("a").unwrap_err();
    assert!(error.message().contains("no embeddings are known for anthropic"), "{error}");

    let url = server.base_url("openai");
    let profile = Profile::embeddings_only("acme", EmbeddingFormat::OpenAiCompatible, url);
    let json = serde_json::to_string(&profile).unwrap();
    assert_eq!(Profile::from_json(&json).unwrap(), std::slice::from_ref(&profile));
    let acme = Client::builder().profile(profile).api_key(KEY).model("acme-embed").build().unwrap();
    for error in [
        acme.chat("hi").unwrap_err(),
        acme.complete("hi").unwrap_err(),
        acme.stream("hi").map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains("acme has no chats, only embeddings"), "{error}");
    }
    assert_eq!(server.request_count(), 0);
    assert_eq!(&acme.embed("a").unwrap()[0], embedding("a", 16));
    // Not every server knows the member.
    assert!(server.requests()[0].json().get("encoding_format").is_none());
    let error = acme.embed(EmbedRequest::from("a").extra("output_dtype", "int8")).unwrap_err();
    assert!(error.message().contains("always read as floats"), "{error}");
}

#[test]
fn an_answer_that_is_not_one_vector_for_each_text_is_an_error() {
    let server = loopback();
    let client = client(&server, "openai");
    let (one, two) = (json!([0.5, 1.0]), json!([1.5, -2.0]));
    for (data, expected) in [
        (json!([item(0, &one)]), "1 embeddings, but the request had 2 texts"),
        (json!([]), "0 embeddings"),
        (
            json!([item(0, &one), item(1, &two), item(2, &two)]),
            "3 embeddings, but the request had 2",
        ),
        (json!([item(0, &one), item(0, &two)]), "two embeddings have the index 0"),
        (json!([item(0, &one), item(2, &two)]), "the index 2, but the response has only 2"),
        (json!([item(0, &one), {"embedding": two}]), "an embedding has no index"),
        (json!([item(0, &one), {"index": 1}]), "no embedding of text 1"),
        (
            json!([item(0, &one), item(1, &json!([1.0, null]))]),
            "text 1 has a component that is not",
        ),
        (
            json!([item(0, &json!([1e39, 1.0])), item(1, &two)]),
            "not a finite number, at position 0",
        ),
        (json!([item(0, &json!(["NaN", 1.0])), item(1, &two)]), "not a finite number"),
        (json!([item(0, &json!("AADAfw==")), item(1, &json!("AADAfw=="))]), "not a finite number"),
        (json!([item(0, &json!([])), item(1, &two)]), "text 0 is empty"),
        (json!([item(0, &one), item(1, &json!([1.0]))]), "has 1 components, but the ones before"),
        (json!([item(0, &one), item(1, &json!("????"))]), "text 1 is not valid base64"),
        (json!([item(0, &one), item(1, &json!("AAAA"))]), "not a whole number of 32-bit floats"),
        (json!([item(0, &one), item(1, &json!(7))]), "is a number, not a vector"),
    ] {
        let body = json!({"data": data, "model": "m", "usage": {"prompt_tokens": 2}});
        let error = error_for(&client, &server, &body);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.message().contains(expected), "{expected}: {error}");
    }
    let error = error_for(&client, &server, &json!({"object": "list"}));
    assert!(error.message().contains("no member \"data\""), "{error}");
    let refusal = json!({"error": {"message": "Too many requests.", "code": 429}});
    assert_eq!(error_for(&client, &server, &refusal).kind(), ErrorKind::RateLimited);
    server.clear();
    server.reply(Reply::raw(
        200,
        "application/json",
        r#"{"data": [{"index": 0, "embedding": [1.0, NaN]}]}"#,
    ));
    let error = client.embed("a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    server.reply(Reply::raw(200, "text/html", "<!DOCTYPE html><html></html>"));
    assert_eq!(client.embed("a").unwrap_err().kind(), ErrorKind::Protocol);
    server.reply(Reply::raw(200, "text/event-stream", "data: {}\n\n"));
    let error = client.embed("a").unwrap_err();
    assert!(error.message().contains("an event stream"), "{error}");
}

#[test]
fn indices_decide_the_order() {
    let server = loopback();
    let client = client(&server, "openai");
    let (one, two) = (json!([0.5, 1.0]), json!([1.5, -2.0]));
    answers(&server, &json!({"data": [item(1, &two), item(0, &one)]}));
    let embeddings = client.embed(["a", "b"]).unwrap();
    assert_eq!(embeddings.as_flat(), [0.5, 1.0, 1.5, -2.0]);
    // Without indices, the embeddings are in order.
    answers(&server, &json!({"data": [{"embedding": one}, {"embedding": two}]}));
    assert_eq!(client.embed(["a", "b"]).unwrap().as_flat(), [0.5, 1.0, 1.5, -2.0]);
}

#[test]
fn a_dimension_that_was_not_asked_for_or_that_changes_is_an_error() {
    let server = loopback();
    let client = client(&server, "openai");
    answers(&server, &json!({"data": [item(0, &json!([1.0, 2.0]))]}));
    let error = client.embed(EmbedRequest::from("a").dimensions(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("asks for embeddings of 3 components"), "{error}");

    server.clear();
    server.respond(|request| {
        let vector = match request.body_contains("text b") {
            true => json!([1.0]),
            false => json!([1.0, 2.0]),
        };
        let body = json!({"data": [item(0, &vector)]});
        Some(Reply::raw(200, "application/json", body.to_string()))
    });
    let request = EmbedRequest::new(["text a", "text b", "text c"]).batch_size(1);
    let error = client.embed(request).unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::Protocol, Some("openai")));
    assert!(error.message().contains("those of another"), "{error}");
    let parts = error.embedded();
    let first = parts.first().expect("one came first").embeddings.dimension();
    assert!(parts.iter().all(|part| part.embeddings.dimension() == first), "{parts:?}");
}

#[test]
fn an_error_of_the_provider_is_classified_as_for_chats() {
    let server = loopback();
    let client = client(&server, "openai");
    server.require_key("another");
    assert_eq!(client.embed("a").unwrap_err().kind(), ErrorKind::Authentication);
    let wrong = Client::builder().provider("openai").api_key("another").model("m");
    let wrong = wrong.base_url(format!("http://{}/v2", server.address())).build().unwrap();
    assert_eq!(wrong.embed("a").unwrap_err().kind(), ErrorKind::NotFound);
}
