//! Detects responses from a wrong URL, and says what to do about it.

use super::failure::Failure;
use super::{Reply, Sent};
use crate::error::ErrorKind;
use crate::url::Url;
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
    let path = url.path();
    let origin = format!("{}://{}", url.scheme(), url.authority());
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
    let Some(endpoint) = endpoint else { return what };
    if is_repeated(base, endpoint) {
        return format!("{what}; it must end before {}", endpoint.start());
    }
    let what = match endpoint {
        Endpoint::Fixed("/completions") => {
            format!("{what}; if the server has no text completions, use Client::chat")
        }
        _ => match endpoint.of_few_servers() {
            Some(offer) => format!("{what}; if chats work, the server does not offer {offer}"),
            None => what,
        },
    };
    if endpoint.has_no_version() || base.contains(DEPLOYMENTS) || has_version(url) {
        return what;
    }
    let version = endpoint.version();
    format!("{what}; is the {version} at its end missing ({origin}{base}{version})?")
}

/// Azure's older base URLs have their version in the query.
const DEPLOYMENTS: &str = "/openai/deployments/";

/// Returns the location in a path of Vertex AI.
fn location(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/projects/")?;
    let (_, rest) = rest.split_once("/locations/")?;
    rest.split('/').next()
}

/// An endpoint that a path ends with.
#[derive(Clone, Copy)]
enum Endpoint {
    /// The same for every model.
    Fixed(&'static str),
    /// Gemini's, with the model and this method in it.
    Gemini(&'static str),
}

impl Endpoint {
    /// The part of its path that comes right after the base URL.
    fn start(self) -> &'static str {
        match self {
            Self::Fixed(path) => path,
            Self::Gemini(_) => "/models/",
        }
    }

    /// The version that its base URL usually ends with.
    fn version(self) -> &'static str {
        match self {
            Self::Fixed(_) => "/v1",
            Self::Gemini(_) => "/v1beta",
        }
    }

    /// Ollama's own API has no version.
    fn has_no_version(self) -> bool {
        matches!(self, Self::Fixed(path) if path.starts_with("/api/"))
    }

    /// What this endpoint is for, if servers that offer chats often lack it.
    fn of_few_servers(self) -> Option<&'static str> {
        Some(match self {
            Self::Fixed(
                "/responses/input_tokens" | "/v1/messages/count_tokens" | "/v1/tokenize",
            )
            | Self::Gemini(":countTokens") => "token counts",
            Self::Fixed("/models" | "/v1/models" | "/api/tags") => "a list of models",
            Self::Fixed("/embeddings" | "/v2/embed" | "/api/embed")
            | Self::Gemini(":batchEmbedContents") => "embeddings",
            Self::Fixed("/moderations" | "/chat/moderations") => "moderation",
            _ => return None,
        })
    }
}

/// The endpoints with the same path for every model. One that ends like another comes before it.
const FIXED: [&str; 17] = [
    "/chat/completions",
    "/completions",
    "/responses/input_tokens",
    "/responses",
    "/v1/messages/count_tokens",
    "/v1/messages",
    "/v1/models",
    "/models",
    "/embeddings",
    "/chat/moderations",
    "/moderations",
    "/v2/chat",
    "/v2/embed",
    "/v1/tokenize",
    "/api/chat",
    "/api/embed",
    "/api/tags",
];

/// Gemini's methods.
const METHODS: [&str; 4] =
    [":generateContent", ":streamGenerateContent", ":countTokens", ":batchEmbedContents"];

/// Splits a path into that of the base URL and the endpoint.
fn split(path: &str) -> (&str, Option<Endpoint>) {
    for end in FIXED {
        if let Some(base) = path.strip_suffix(end) {
            return (base, Some(Endpoint::Fixed(end)));
        }
    }
    let of_gemini = METHODS.iter().find_map(|method| {
        let model = path.strip_suffix(method)?;
        let start = ["/models/", "/tunedModels/"].iter().find_map(|start| model.rfind(start))?;
        Some((&path[..start], Some(Endpoint::Gemini(method))))
    });
    of_gemini.unwrap_or((path, None))
}

/// Returns true if the path of the base URL already contains the endpoint.
fn is_repeated(base: &str, endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Fixed(end) => base.ends_with(end) || base.ends_with("/messages"),
        Endpoint::Gemini(_) => base.contains("/models"),
    }
}

/// Returns true if a part of the path is a version, such as `v1` or `v1beta`.
fn has_version(url: &Url) -> bool {
    url.path().split('/').any(|step| {
        step.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests;
