//! Detects responses from a wrong URL, and says what to do about it.

use ureq::http::Uri;

use super::failure::Failure;
use super::{Reply, Sent};
use crate::error::ErrorKind;
use crate::wire::json;

/// Adds the called URL to a failure if the response does not seem to come from the provider's API:
/// an HTML page, a status without an explanation, or a phrase with which servers report an unknown
/// path. The provider's own explanation stays unchanged; advice is then returned separately.
pub(super) fn explain(mut failure: Failure, reply: Reply<'_>) -> (Failure, Option<String>) {
    let Some(sent) = reply.sent else { return (failure, None) };
    let advice = if reply.status == 413 && failure.kind == ErrorKind::InvalidRequest {
        let advice = format!(
            "the request had {} bytes; send less, or upload large files and refer to them by id",
            sent.bytes
        );
        if failure.code.is_some() {
            return (failure, Some(advice));
        }
        advice
    } else if mentions(&failure.message, &WANTS_TLS) {
        "should the base URL begin with https://?".to_owned()
    } else if is_misdirected(&failure, reply) {
        if reply.status < 300 && !failure.message.contains("HTML") {
            failure.message = format!("the server answered with an HTML page: {}", failure.message);
        }
        advice(sent)
    } else {
        return (failure, None);
    };
    failure.message = format!("{}; {advice}", failure.message.trim_end_matches('.'));
    (failure, None)
}

fn is_misdirected(failure: &Failure, reply: Reply<'_>) -> bool {
    let by_status = match reply.status {
        404 | 405 => {
            is_page(reply) || json::detail(reply.body).is_none() || is_bare(&failure.message)
        }
        400 | 403 | 410 => is_page(reply),
        // The body of a stream is not kept, but its reader put this into the message.
        200..=299 => {
            failure.kind == ErrorKind::Protocol
                && (is_page(reply) || failure.message.contains("an HTML page"))
        }
        _ => false,
    };
    by_status
        || failure.code.as_deref().is_some_and(|code| code == "unknown_url")
        || begins_with(&failure.message, &NO_SUCH_PATH)
}

/// Returns true if a response is an HTML page. The body of a stream is not kept, and its content
/// type is only used if there is no body: some servers label JSON and event streams as HTML.
fn is_page(reply: Reply<'_>) -> bool {
    if !reply.body.trim_ascii().is_empty() {
        return is_markup(reply.body);
    }
    let kind = reply.header("content-type");
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// Returns true if a body starts like HTML and XML, and unlike JSON and event streams.
pub(in crate::wire) fn is_markup(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.trim_ascii_start().starts_with(b"<")
}

/// Returns true if a message says no more than its status.
fn is_bare(message: &str) -> bool {
    let message = message.trim_end_matches(['.', '!']).to_ascii_lowercase();
    BARE.contains(&message.as_str()) || message.ends_with("no explanation")
}

fn mentions(message: &str, phrases: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    phrases.iter().any(|phrase| message.contains(phrase))
}

/// What TLS servers (Go and nginx) answer to a request without TLS.
const WANTS_TLS: [&str; 2] =
    ["http request to an https server", "plain http request was sent to https port"];

fn begins_with(message: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| {
        message.get(..phrase.len()).is_some_and(|start| start.eq_ignore_ascii_case(phrase))
    })
}

const BARE: [&str; 14] = [
    "not found", // FastAPI, Spring, Anthropic
    "404 not found",
    "404 page not found", // Go, and so Ollama
    "page not found",
    "resource not found", // Azure
    "file not found",     // llama.cpp
    "route not found",
    "endpoint not found",
    "path not found",
    "url not found",
    "the requested url was not found on the server", // Flask
    "no route matched with those values",            // Kong
    "method not allowed",
    "405 method not allowed",
];

/// How the messages of servers without this path start, whatever their status.
const NO_SUCH_PATH: [&str; 6] = [
    "unknown request url",           // OpenAI
    "unrecognized request url",      // OpenAI
    "invalid url (",                 // OpenAI
    "unexpected endpoint or method", // LM Studio, under 200
    "cannot post /",                 // Express
    "no static resource",            // Spring
];

/// Returns the called URL without its query, which can hold a key, and how to change it.
fn advice(sent: &Sent) -> String {
    let url = &sent.url;
    let (scheme, path) = (url.scheme_str().unwrap_or("https"), url.path());
    let origin =
        format!("{scheme}://{}", url.authority().map_or("", |authority| authority.as_str()));
    let what = format!(
        "the URL was {origin}{path}; check the base URL, set by .base_url(…) or the \
         environment variable {}",
        sent.provider.base_url_variable()
    );
    // Google answers with a page if a region does not exist.
    if let Some(location) = location(path) {
        return format!(
            "{what}; is the location {location:?} right? Set it with .location(…) or the \
             environment variable GOOGLE_VERTEX_LOCATION"
        );
    }
    let (base, endpoint) = split(path);
    let what = match path.ends_with("/completions") && !path.ends_with("/chat/completions") {
        true => format!("{what}; if the server has no text completions, use Client::chat"),
        false => what,
    };
    match endpoint {
        Some(endpoint) if is_repeated(base, endpoint) => {
            format!("{what}; it must end before {}", endpoint.start())
        }
        // Ollama's own API has no version.
        Some(Endpoint::Fixed(OLLAMA)) => what,
        _ if has_version(url) => what,
        _ => {
            let version = endpoint.map_or("/v1", Endpoint::version);
            format!("{what}; is the {version} at its end missing ({origin}{base}{version})?")
        }
    }
}

/// Returns the location in a path of Vertex AI.
fn location(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/projects/")?;
    let (_, rest) = rest.split_once("/locations/")?;
    rest.split('/').next()
}

/// The endpoint of Ollama's own API.
const OLLAMA: &str = "/api/chat";

/// An endpoint that a path ends with.
#[derive(Clone, Copy)]
enum Endpoint {
    /// The same for every model.
    Fixed(&'static str),
    /// Gemini's, with the model in it.
    Gemini,
}

impl Endpoint {
    /// The part of its path that comes right after the base URL.
    fn start(self) -> &'static str {
        match self {
            Self::Fixed(path) => path,
            Self::Gemini => "/models/",
        }
    }

    /// The version that its base URL usually ends with.
    fn version(self) -> &'static str {
        match self {
            Self::Fixed(_) => "/v1",
            Self::Gemini => "/v1beta",
        }
    }
}

/// Splits a path into that of the base URL and the endpoint.
fn split(path: &str) -> (&str, Option<Endpoint>) {
    let fixed =
        ["/chat/completions", "/completions", "/responses", "/v1/messages", "/v2/chat", OLLAMA];
    for end in fixed {
        if let Some(base) = path.strip_suffix(end) {
            return (base, Some(Endpoint::Fixed(end)));
        }
    }
    let methods = [":generateContent", ":streamGenerateContent"];
    let of_gemini = methods.iter().find_map(|method| {
        let model = path.strip_suffix(method)?;
        let start = ["/models/", "/tunedModels/"].iter().find_map(|start| model.rfind(start))?;
        Some((&path[..start], Some(Endpoint::Gemini)))
    });
    of_gemini.unwrap_or((path, None))
}

/// Returns true if the path of the base URL already contains the endpoint.
fn is_repeated(base: &str, endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Fixed(end) => base.ends_with(end) || base.ends_with("/messages"),
        Endpoint::Gemini => base.contains("/models"),
    }
}

/// Returns true if a part of the path is a version, such as `v1` or `v1beta`.
fn has_version(url: &Uri) -> bool {
    url.path().split('/').any(|step| {
        step.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
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
            (
                "https://a.b/v1/chat/completions",
                "URL was https://a.b/v1/chat/completions",
                "missing",
            ),
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
        ] {
            let message = explained(url, 404, "text/plain", "");
            assert!(message.contains(expected), "{url}: {message}");
            assert!(!message.contains(other), "{url}: {message}");
        }
    }

    #[test]
    fn the_error_for_a_too_large_body_names_its_size() {
        let url = "https://a.b/v1/chat/completions";
        for body in ["", PAGE, r#"{"error": {"type": "request_too_large", "message": "Too big."}}"#]
        {
            let message = explained(url, 413, "application/json", body);
            assert!(message.contains("the request had 123456 bytes"), "{message}");
        }
        let full = r#"{"error": {"message": "prompt is too long: 5 tokens > 4 maximum"}}"#;
        let message = explained(url, 413, "application/json", full);
        assert!(!message.contains("bytes"), "{message}");
    }
}
