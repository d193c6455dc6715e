use serde_json::{Value, json};

use crate::error::ErrorKind;
use crate::provider::{Failure, Reply, json, redirect};

/// Why a response of a status other than 2xx is not an answer.
///
/// The table is [`classify`]. Sources: OpenAI's error codes guide
/// (developers.openai.com/api/docs/guides/error-codes) and its help pages on 429
/// and on spend limits; openrouter.ai/docs/api/errors; console.groq.com/docs/errors;
/// Azure's `innererror`; LiteLLM's `exception_mapping_utils.py`; and for the rest
/// the recordings and issues named below.
pub(in crate::provider) fn failure(reply: Reply<'_>) -> Failure {
    match reply.status {
        300..=399 => redirect::redirect(reply),
        400..=599 => match serde_json::from_slice::<Value>(reply.body) {
            Ok(body) => Said::read(&body).failure(Some(reply.status)),
            Err(_) => {
                let text = json::excerpt(reply.body);
                let message = if text.is_empty() { "no body".to_owned() } else { text };
                Said { message: Some(message), ..Said::default() }.failure(Some(reply.status))
            }
        },
        status => Failure::protocol(format!(
            "the server answered with status {status}, which has no meaning here"
        )),
    }
}

/// The failure that an `error` member under status 200 means: classed by the
/// status in its code, as OpenRouter writes it, or by its code and type. One that
/// says nothing known is [`Server`](ErrorKind::Server), as the request was taken.
pub(in crate::provider) fn under_200(error: Value) -> Failure {
    let said = Said::read(&json!({ "error": error }));
    let status = said.status;
    said.failure(status)
}

/// What an error body says, whichever way it says it.
#[derive(Default)]
struct Said {
    code: Option<String>,
    kind: Option<String>,
    /// The code in Azure's `innererror`.
    inner: Option<String>,
    message: Option<String>,
    /// A code that is an HTTP status.
    status: Option<u16>,
    /// OpenRouter's mark of a prompt its moderation stopped.
    flagged: bool,
}

impl Said {
    /// Reads `{"error": {…}}` (OpenAI), `{"error": "text"}`, the error's members
    /// at the top (vLLM's `{"object": "error", …}`), `{"errors": [{…}]}`,
    /// `{"detail": …}` (FastAPI), and any of them in an array (Gemini's compatible
    /// endpoint).
    fn read(body: &Value) -> Self {
        let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
        let error = body.get("error").or_else(|| body.pointer("/errors/0"));
        let within = error.filter(|error| error.is_object()).unwrap_or(body);
        let text = |name: &str| within.get(name).and_then(string);
        let message = error
            .and_then(string)
            .or_else(|| text("message"))
            .or_else(|| text("msg"))
            .or_else(|| body.get("detail").and_then(detail))
            .or_else(|| body.get("message").and_then(string));
        let number = within.get("code").and_then(Value::as_u64);
        let code = text("code").or_else(|| number.map(|number| number.to_string()));
        let status = code.as_deref().and_then(|code| code.parse().ok());
        Self {
            status: status.filter(|status| (400..600).contains(status)),
            // LiteLLM writes the status here, as text.
            code: code.filter(|code| !code.bytes().all(|byte| byte.is_ascii_digit())),
            kind: text("type"),
            inner: within.pointer("/innererror/code").and_then(string),
            message,
            flagged: within.pointer("/metadata/reasons").is_some_and(Value::is_array),
        }
    }

    /// The provider's code is its `code`, or its `type` where the code is null or
    /// only repeats the status.
    fn failure(self, status: Option<u16>) -> Failure {
        let kind = classify(status, &self);
        let message = self.message.unwrap_or_else(|| "the error body holds no message".to_owned());
        Failure { kind, code: self.code.or(self.kind), message }
    }

    fn is(&self, words: &[&str]) -> bool {
        [&self.code, &self.kind, &self.inner]
            .into_iter()
            .flatten()
            .any(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// FastAPI's `detail`: text, or a list of complaints. Of those only `msg` is
/// taken, as `input` repeats the request.
fn detail(value: &Value) -> Option<String> {
    let texts: Vec<_> = match value {
        Value::Array(items) => {
            items.iter().filter_map(|item| item.get("msg").and_then(string)).collect()
        }
        Value::Object(_) => value.get("message").and_then(string).into_iter().collect(),
        _ => string(value).into_iter().collect(),
    };
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Money is used up: OpenAI's four codes of 2026 and its older ones, Moonshot's.
const QUOTA: &[&str] = &[
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_usage_limit_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "exceeded_current_quota_error",
];

/// The same said in words: DeepSeek; xAI, under 403 and 429 (continuedev/continue
/// #12670, #10740, Wei-Shaw/sub2api #4069).
const QUOTA_TEXT: &[&str] = &[
    "insufficient balance",
    "doesn't have any credits",
    "used all available credits",
    "run out of credits",
];

/// OpenAI; llama.cpp; Perplexity (recorded).
const CONTEXT: &[&str] =
    &["context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens"];

/// OpenAI, DeepSeek, and vLLM before 0.16; vLLM since (harbor-framework/harbor
/// #996); llama.cpp; xAI (cline/cline #3120); Moonshot (MoonshotAI/kimi-cli #2011);
/// text-generation-inference; LiteLLM's proxy.
const CONTEXT_TEXT: &[&str] = &[
    "maximum context length",
    "model's context length",
    "exceeds the available context size",
    "maximum prompt length",
    "exceeded model token limit",
    "`inputs` tokens + `max_new_tokens` must be",
    "contextwindowexceedederror",
];

/// OpenAI; Azure, outer and inner; Alibaba's compatible mode.
const POLICY: &[&str] = &[
    "content_policy_violation",
    "content_filter",
    "ResponsibleAIPolicyViolation",
    "data_inspection_failed",
    "DataInspectionFailed",
];

/// OpenAI's `invalid_prompt` of reasoning models, and its safety system.
const POLICY_TEXT: &[&str] = &["violating our usage policy", "result of our safety system"];

/// Gemini's compatible endpoint answers a bad key with 400 (recorded).
const BAD_KEY_TEXT: &[&str] = &["api key not valid"];

/// A request larger than a whole minute's tokens, which OpenAI sends as 429 and
/// Groq as 413, both with `rate_limit_exceeded`. Waiting never helps.
const TOO_LARGE_TEXT: &str = "request too large for";

/// The table: first what codes and words say under any status, then the status.
///
/// 408 and 409 are [`Server`](ErrorKind::Server): the server timed out or lost a
/// lock, and the official SDKs try again (`_base_client.py`). 498 is Groq's "flex
/// tier capacity exceeded". 413 is a body too large in bytes, unless the words
/// say that it is the context window.
fn classify(status: Option<u16>, said: &Said) -> ErrorKind {
    let message = said.message.as_deref().unwrap_or_default().to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let may_be_money = matches!(status, Some(400 | 402 | 403 | 429) | None);
    let may_be_content = matches!(status, Some(400 | 403 | 413 | 422 | 500) | None);
    if said.is(QUOTA) || may_be_money && says(QUOTA_TEXT) {
        return ErrorKind::QuotaExhausted;
    }
    if said.is(CONTEXT) || may_be_content && says(CONTEXT_TEXT) {
        return ErrorKind::ContextWindowExceeded;
    }
    if said.flagged || said.is(POLICY) || may_be_content && says(POLICY_TEXT) {
        return ErrorKind::ContentPolicy;
    }
    if said.is(&["model_not_found", "DeploymentNotFound"]) {
        return ErrorKind::NotFound;
    }
    if said.is(&["invalid_api_key"]) || status == Some(400) && says(BAD_KEY_TEXT) {
        return ErrorKind::Authentication;
    }
    if said.is(&["server_is_overloaded", "engine_overloaded_error", "overloaded_error"]) {
        return ErrorKind::Overloaded;
    }
    match status {
        Some(401) => ErrorKind::Authentication,
        Some(402) => ErrorKind::QuotaExhausted,
        Some(403) => ErrorKind::Permission,
        Some(404 | 410) => ErrorKind::NotFound,
        Some(408 | 409) => ErrorKind::Server,
        Some(429) if message.starts_with(TOO_LARGE_TEXT) => ErrorKind::InvalidRequest,
        Some(429) => ErrorKind::RateLimited,
        Some(498 | 503 | 529) => ErrorKind::Overloaded,
        Some(400..=499) => ErrorKind::InvalidRequest,
        Some(_) => ErrorKind::Server,
        None => without_status(said),
    }
}

/// By code or type alone, OpenAI's own names, where there is no status.
fn without_status(said: &Said) -> ErrorKind {
    if said.is(&["authentication_error"]) {
        ErrorKind::Authentication
    } else if said.is(&["permission_error", "insufficient_permissions"]) {
        ErrorKind::Permission
    } else if said.is(&["not_found_error"]) {
        ErrorKind::NotFound
    } else if said.is(&["rate_limit_error", "rate_limit_exceeded", "slow_down"]) {
        ErrorKind::RateLimited
    } else if said.is(&["invalid_request_error"]) {
        ErrorKind::InvalidRequest
    } else {
        ErrorKind::Server
    }
}

#[cfg(test)]
mod tests;
