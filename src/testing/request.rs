//! A request that reached the loopback provider.

use serde_json::Value;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::http::{Head, Message};
use super::{bedrock, gemini, vertex};

/// A request that reached the loopback provider.
///
/// Cloning is cheap. `Debug` hides the body and the header values, so that a failing test does not
/// print a prompt or a key.
#[derive(Clone)]
pub struct Request(Arc<Inner>);

struct Inner {
    head: Head,
    body: Vec<u8>,
    connection: u64,
    json: OnceLock<Value>,
    /// The model in a path that encodes it.
    decoded_model: OnceLock<Option<String>>,
}

impl Request {
    pub(super) fn new(message: Message, connection: u64) -> Self {
        let Message { head, body } = message;
        let (json, decoded_model) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { head, body, connection, json, decoded_model }))
    }

    /// The method, such as `POST`.
    pub fn method(&self) -> &str {
        &self.0.head.method
    }

    /// The path and the query.
    pub(super) fn target(&self) -> &str {
        &self.0.head.target
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The part after the `?`, if any.
    pub fn query(&self) -> Option<&str> {
        self.target().split_once('?').map(|(_, query)| query)
    }

    /// The headers in the order they came, with names in lower case.
    pub fn headers(&self) -> &[(String, String)] {
        &self.0.head.headers
    }

    /// The first header of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers().iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The key, from `authorization: Bearer …`, `x-api-key` or `x-goog-api-key`; with a signature of
    /// AWS's, the id of the access key.
    pub fn api_key(&self) -> Option<&str> {
        let bearer =
            |value: &'_ str| value.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("bearer "));
        let own = ["x-api-key", "x-goog-api-key"].into_iter().find_map(|name| self.header(name));
        let signed = || {
            let (_, rest) = self.header("authorization")?.split_once(" Credential=")?;
            rest.split('/').next()
        };
        own.or_else(signed).or_else(|| {
            self.header("authorization").filter(|value| bearer(value)).map(|value| &value[7..])
        })
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The body as JSON; [`Value::Null`] if it is not JSON.
    pub fn json(&self) -> &Value {
        self.0.json.get_or_init(|| serde_json::from_slice(&self.0.body).unwrap_or_default())
    }

    /// The requested model.
    pub fn model(&self) -> Option<&str> {
        let model = self.json().get("model").and_then(Value::as_str);
        let path = self.path();
        model
            .or_else(|| vertex::parts(path).map(|parts| parts.model))
            .or_else(|| gemini::model(path))
            .or_else(|| self.0.decoded_model.get_or_init(|| bedrock::model(path)).as_deref())
    }

    /// The messages of the request, or the input items of OpenAI's Responses; empty for a text
    /// completion.
    pub fn messages(&self) -> &[Value] {
        let body = self.json();
        let messages =
            ["messages", "input", "contents"].into_iter().find_map(|name| body.get(name));
        messages.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Whether the request asks for a stream.
    pub fn is_stream(&self) -> bool {
        // Ollama streams unless a request says otherwise (docs/api.md).
        let usual = self.path().ends_with("/api/chat");
        let stream = self.json().get("stream").and_then(Value::as_bool).unwrap_or(usual);
        let path = self.path();
        stream || gemini::is_stream(path) || vertex::is_stream(path) || bedrock::is_stream(path)
    }

    /// Whether the body contains `text`, either in one of its JSON strings, without escapes, or in
    /// its raw bytes.
    pub fn body_contains(&self, text: &str) -> bool {
        let mut found = false;
        strings(self.json(), &mut |string| found |= string.contains(text));
        found || String::from_utf8_lossy(self.body()).contains(text)
    }

    /// The number of its connection; the first one accepted is 1.
    pub fn connection(&self) -> u64 {
        self.0.connection
    }

    pub(super) fn head(&self) -> &Head {
        &self.0.head
    }

    /// Whether a stream in OpenAI's format should end with its usage.
    pub(super) fn includes_usage(&self) -> bool {
        self.json().pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true)
    }

    /// How many bytes of text the model would read.
    pub(super) fn prompt_bytes(&self) -> usize {
        let mut bytes = 0;
        let fields = [
            "system",
            "instructions",
            "systemInstruction",
            "messages",
            "input",
            "contents",
            "prompt",
            "tools",
            "toolConfig",
        ];
        for field in fields {
            if let Some(value) = self.json().get(field) {
                strings(value, &mut |string| bytes += string.len());
            }
        }
        bytes
    }
}

/// Visits every string in `value`. serde_json limits its depth.
fn strings(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(string) => visit(string),
        Value::Array(values) => values.iter().for_each(|value| strings(value, visit)),
        Value::Object(map) => map.values().for_each(|value| strings(value, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("model", &self.model())
            .field("messages", &self.messages().len())
            .field("stream", &self.is_stream())
            .field("body", &format_args!("[{} bytes]", self.body().len()))
            .field("connection", &self.connection())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request as the server would have read it.
    pub(crate) fn request(path: &str, headers: &[(&str, &str)], body: &Value) -> Request {
        let headers = headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let head = Head { method: "POST".into(), target: path.into(), minor: 1, headers };
        Request::new(Message { head, body: body.to_string().into_bytes() }, 1)
    }

    #[test]
    fn a_request_exposes_its_parts() {
        let body = serde_json::json!({"model": "m", "stream": true, "messages": [{"content": "say \"hé\""}]});
        let request = request("/v1/chat/completions?a=b", &[("authorization", "bearer k1")], &body);
        assert_eq!(request.path(), "/v1/chat/completions");
        assert_eq!(request.query(), Some("a=b"));
        assert_eq!(request.api_key(), Some("k1"));
        assert_eq!((request.model(), request.messages().len()), (Some("m"), 1));
        assert!(request.is_stream() && !request.includes_usage());
        assert!(request.body_contains("say \"hé\"") && !request.body_contains("Say"));
        assert_eq!(request.prompt_bytes(), 9);
    }

    #[test]
    fn debug_hides_the_prompt_and_the_key() {
        let body = serde_json::json!({"model": "m", "messages": [{"content": "secret"}]});
        let text = format!("{:?}", request("/x", &[("x-api-key", "sk-1")], &body));
        assert!(!text.contains("secret") && !text.contains("sk-1"), "{text}");
    }

    #[test]
    fn an_invalid_body_is_null_json() {
        for body in ["", "[", "\"text\"", "[1]", "{\"messages\": 1, \"model\": 2, \"stream\": 3}"] {
            let message = Message { head: Head::default(), body: body.into() };
            let request = Request::new(message, 1);
            assert_eq!(request.model(), None);
            assert!(request.messages().is_empty() && !request.is_stream());
        }
    }
}
