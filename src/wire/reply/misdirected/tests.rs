//! What the advice says.

use super::*;
use crate::chat::Provider;
use crate::wire::header_fields;

const PAGE: &str = "<!doctype html><html><title>Welcome</title><p>secret</p>";

fn explained(url: &str, status: u16, kind: &str, body: &str) -> String {
    let headers = header_fields(&[("content-type", kind)]);
    let url = url.parse().unwrap();
    let sent = Sent { provider: Provider::from("my-gateway"), url, bytes: 123_456 };
    let reply = Reply { status, headers: &headers, body: body.as_bytes(), sent: Some(&sent) };
    let failure = match status {
        200..=299 => Failure::protocol("the response body is not JSON"),
        _ => Failure::of(reply),
    };
    let (failure, advice) = explain(failure, reply);
    failure.into_error().with_advice(advice).to_string()
}

#[test]
fn an_answer_from_a_wrong_url_names_the_url_and_the_setting() {
    let json = "application/json";
    for (status, kind, body) in [
        (200, "text/html; charset=utf-8", PAGE),
        (200, "text/html", ""),
        (404, "text/html", PAGE),
        (404, "text/plain", "404 page not found"),
        (404, "text/plain", ""),
        (404, json, ""),
        (404, json, "{}"),
        (404, json, r#"{"detail": "Not Found"}"#),
        (404, json, r#"{"error": {"code": "404", "message": "Resource not found"}}"#),
        (
            404,
            json,
            r#"{"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}"#,
        ),
        (404, json, r#"{"timestamp": "t", "status": 404, "error": "Not Found", "path": "/x"}"#),
        (404, json, r#"{"message": "no Route matched with those values"}"#),
        (
            404,
            json,
            r#"{"error": {"message": "Invalid URL (POST /chat/completions)", "type": "invalid_request_error"}}"#,
        ),
        (405, json, r#"{"detail": "Method Not Allowed"}"#),
        (403, "text/html", PAGE),
        (400, json, r#"{"error": "Unexpected endpoint or method. (POST /chat/completions)"}"#),
        (404, "text/html", "Cannot POST /chat/completions"),
    ] {
        let url = "https://llm.example:8443/chat/completions?api-key=secret-key";
        let message = explained(url, status, kind, body);
        for expected in [
            "the URL was https://llm.example:8443/chat/completions",
            "base URL",
            ".base_url(…)",
            "MY_GATEWAY_BASE_URL",
            "https://llm.example:8443/v1)?",
        ] {
            assert!(message.contains(expected), "{status} {body}: {message}");
        }
        assert!(!message.contains("secret-key"), "{message}");
    }
}

#[test]
fn the_providers_own_explanation_stays_unchanged() {
    let json = "application/json";
    for (status, body) in [
        (
            404,
            r#"{"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}"#,
        ),
        (404, r#"{"error": "model \"x\" not found, try pulling it first"}"#),
        (401, ""),
        (400, r#"{"error": "bad"}"#),
        (500, ""),
        (502, PAGE),
        (429, PAGE),
    ] {
        let message = explained("https://llm.example/chat/completions", status, json, body);
        assert!(!message.contains("the URL was"), "{status} {body}: {message}");
    }
}

#[test]
fn a_server_that_wants_tls_leads_to_advice_to_use_https() {
    let nginx = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title>";
    for body in ["Client sent an HTTP request to an HTTPS server.", nginx] {
        let message = explained("http://a.b/v1/chat/completions", 400, "text/html", body);
        assert!(message.contains("; should the base URL begin with https://?"), "{message}");
    }
}

#[test]
fn a_page_instead_of_vertex_leads_to_advice_about_the_location() {
    let url = "https://us-centrl1-aiplatform.googleapis.com/v1/projects/p/locations/us-centrl1\
               /publishers/google/models/m:generateContent";
    let message = explained(url, 404, "text/html", PAGE);
    let expected = "is the location \"us-centrl1\" right? Set it with .location(…)";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn the_advice_fits_the_path() {
    for (url, expected, other) in [
        ("https://a.b/v1/chat/completions", "URL was https://a.b/v1/chat/completions", "missing"),
        ("https://a.b/openai/v1/chat/completions", "the URL was", "missing"),
        ("https://a.b/v1beta/openai/chat/completions", "the URL was", "missing"),
        ("https://a.b/v1/messages", "the URL was", "missing"),
        ("https://a.b/api/chat/completions", "missing (https://a.b/api/v1)?", "must end"),
        (
            "https://a.b/v1/chat/completions/chat/completions",
            "must end before /chat/completions",
            "missing",
        ),
        ("https://a.b/v1/messages/v1/messages", "must end before /v1/messages", "missing"),
        ("https://a.b/v1/responses", "the URL was", "missing"),
        ("https://a.b/responses", "missing (https://a.b/v1)?", "must end"),
        ("https://a.b/v1/responses/responses", "must end before /responses", "missing"),
        ("https://a.b/v1beta/models/m:generateContent", "the URL was", "missing"),
        ("https://a.b/models/m:generateContent", "missing (https://a.b/v1beta)?", "must end"),
        (
            "https://a.b/x/tunedModels/m:streamGenerateContent",
            "missing (https://a.b/x/v1beta)?",
            "must end",
        ),
        (
            "https://a.b/v1beta/models/models/m:generateContent",
            "must end before /models/",
            "missing",
        ),
        ("https://a.b/models", "missing (https://a.b/v1)?", "models/v1"),
        ("https://a.b/embeddings", "missing (https://a.b/v1)?", "embeddings/v1"),
        ("https://a.b/m:countTokens", "the URL was", "missing"),
        ("https://a.b/models/m:countTokens", "missing (https://a.b/v1beta)?", "must end"),
        ("https://a.b/api/tags", "does not offer a list of models", "missing"),
        ("https://a.b/v1/embeddings", "does not offer embeddings", "missing"),
        ("https://a.b/moderations", "missing (https://a.b/v1)?", "moderations/v1"),
        ("https://a.b/v1/moderations", "does not offer moderation", "missing"),
        ("https://a.b/v1/chat/moderations", "does not offer moderation", "missing"),
        ("https://a.b/v1/chat/completions", "the URL was", "offer"),
        ("https://a.b/v1/responses/input_tokens", "does not offer token counts", "missing"),
        ("https://a.b/v1/messages/count_tokens", "does not offer token counts", "missing"),
        ("https://a.b/openai/deployments/d/chat/completions", "the URL was", "missing"),
        ("https://a.b/openai/deployments/d/models", "a list of models", "missing"),
        ("https://a.b/model/m/converse", "the URL was", "missing"),
        ("https://a.b/any/other", "the URL was", "missing"),
    ] {
        let message = explained(url, 404, "text/plain", "");
        assert!(message.contains(expected), "{url}: {message}");
        assert!(!message.contains(other), "{url}: {message}");
    }
}

#[test]
fn the_error_for_a_too_large_body_names_its_size() {
    let url = "https://a.b/v1/chat/completions";
    for body in ["", PAGE, r#"{"error": {"type": "request_too_large", "message": "Too big."}}"#] {
        let message = explained(url, 413, "application/json", body);
        assert!(message.contains("the request had 123456 bytes"), "{message}");
    }
    let full = r#"{"error": {"message": "prompt is too long: 5 tokens > 4 maximum"}}"#;
    let message = explained(url, 413, "application/json", full);
    assert!(!message.contains("bytes"), "{message}");
}
