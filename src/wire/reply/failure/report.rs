//! Reads code, type and message out of an error body of any shape.

use serde_json::Value;

use crate::wire::json;

/// What an error body says, whichever way it says it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) code: Option<String>,
    pub(super) kind: Option<String>,
    /// The code inside the error, and what the provider behind a gateway said.
    pub(super) inner: Vec<String>,
    pub(super) message: Option<String>,
    /// A code that is an HTTP status.
    pub(super) status: Option<u16>,
    /// OpenRouter's mark of a prompt its moderation stopped.
    pub(super) flagged: bool,
}

impl Report {
    /// Reads every shape there is:
    ///
    /// - `{"error": {"message", "type", "code"}}`: OpenAI, and Anthropic without the
    ///   code, which has its own in `details.error_code`; Azure adds
    ///   `innererror.code`, OpenRouter `metadata`;
    /// - `{"error": "text"}`: xAI, Ollama;
    /// - the same members at the top: vLLM's `{"object": "error", …}`, AWS's
    ///   `{"message"}` and `{"Message"}`;
    /// - `{"errors": [{…}]}`: Cloudflare;
    /// - `{"detail": …}`: FastAPI;
    /// - any of these in an array: Gemini's compatible endpoint.
    pub(super) fn read(body: &Value) -> Self {
        let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
        let error = body.get("error").or_else(|| body.pointer("/errors/0"));
        let within = error.filter(|error| error.is_object()).unwrap_or(body);
        let member = |name: &str| within.get(name).and_then(words);
        let message = error
            .and_then(words)
            .or_else(|| member("message"))
            .or_else(|| member("msg"))
            .or_else(|| body.get("detail").and_then(detail))
            .or_else(|| body.get("message").and_then(words))
            .or_else(|| body.get("Message").and_then(words));
        let number = within.get("code").filter(|code| code.is_number()).map(Value::to_string);
        let code = member("code").or(number);
        let status = code.as_deref().and_then(|code| code.parse().ok());
        let own = within.pointer("/details/error_code").and_then(words);
        let inner = within.pointer("/innererror/code").and_then(words);
        let mut report = Self {
            status: status.filter(|status| (400..600).contains(status)),
            // Zhipu, MiniMax and Cloudflare number their codes. LiteLLM writes the status here,
            // as text, and 0 says nothing.
            code: own.or(code.filter(|code| !repeats_status(code))),
            // Anthropic's whole body is of type `error`; LiteLLM writes `None`.
            kind: member("type").filter(|kind| kind != "error" && kind != "None"),
            inner: inner.into_iter().collect(),
            message,
            flagged: within.pointer("/metadata/reasons").is_some_and(Value::is_array),
        };
        if let Some(raw) = within.pointer("/metadata/raw").and_then(Value::as_str) {
            report.take_upstream(raw);
        }
        report
    }

    /// Adds what the provider behind OpenRouter said, its body in `metadata.raw`
    /// (openrouter.ai/docs/api/errors). OpenRouter's own message is then only
    /// "Provider returned error".
    fn take_upstream(&mut self, raw: &str) {
        let Some(body) = json::detail(raw.as_bytes()) else { return };
        // What stands in it may not hold another one: the depth is bounded.
        let error = body.get("error").unwrap_or(&body);
        let member = |name: &str| error.get(name).and_then(words);
        self.inner.extend(member("type"));
        self.inner.extend(member("code"));
        if let Some(said) = words(error).or_else(|| member("message")) {
            self.message = Some(match self.message.take() {
                Some(message) => format!("{message}: {said}"),
                None => said,
            });
        }
    }

    /// Whether the error's code or type, its inner one or an upstream's is `word`.
    pub(super) fn is(&self, word: &str) -> bool {
        let said = self.code.iter().chain(&self.kind).chain(&self.inner);
        said.into_iter().any(|said| said.eq_ignore_ascii_case(word))
    }
}

/// Whether a code is an HTTP status, or none.
fn repeats_status(code: &str) -> bool {
    matches!(code.parse(), Ok(0 | 100..=599))
}

fn words(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// FastAPI's `detail`: text, or a list of complaints. Of those only `msg` is
/// taken, as `input` repeats the request.
fn detail(value: &Value) -> Option<String> {
    let texts: Vec<_> = match value {
        Value::Array(items) => {
            items.iter().filter_map(|item| item.get("msg").and_then(words)).collect()
        }
        Value::Object(_) => value.get("message").and_then(words).into_iter().collect(),
        _ => words(value).into_iter().collect(),
    };
    (!texts.is_empty()).then(|| texts.join("; "))
}
