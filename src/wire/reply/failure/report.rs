//! Reads code, type and message from an error body of any shape.

use serde_json::Value;
use std::time::Duration;

use super::wait;
use crate::wire::json;

/// The content of an error body of any shape.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) code: Option<String>,
    pub(super) kind: Option<String>,
    /// Inner codes, and those of the provider behind a gateway.
    pub(super) inner: Vec<String>,
    pub(super) message: Option<String>,
    /// A code that is an HTTP status.
    pub(super) status: Option<u16>,
    /// OpenRouter's flag for a prompt that its moderation stopped.
    pub(super) flagged: bool,
    /// How long to wait.
    pub(super) wait: Option<Duration>,
}

impl Report {
    /// Reads every known shape:
    ///
    /// - `{"error": {"message", "type", "code"}}`: OpenAI, and Anthropic, whose code is in
    ///   `details.error_code`; Azure adds `innererror.code`, OpenRouter `metadata`;
    /// - `{"message", "id", "error_type"}`: Cohere;
    /// - `{"error": "text"}`: xAI, Ollama;
    /// - the same members at the top: vLLM's `{"object": "error", …}`, AWS's
    ///   `{"message"}` and `{"Message"}`;
    /// - `{"errors": [{…}]}`: Cloudflare;
    /// - `{"detail": …}`: FastAPI, and as the message of an error: Mistral;
    /// - `{"title", "detail"}`: problem details (RFC 9457), NVIDIA; with `errors` by field,
    ///   ASP.NET;
    /// - `{"error": "Bad Request", "message": …}`: Spring, NestJS;
    /// - `{"Error": {…}}`, `{"Response": {"Error": {…}}}`, `{"fault": {"faultstring"}}`: AWS,
    ///   Tencent
    ///   and Apigee;
    /// - `{"base_resp": {"status_code", "status_msg"}}`: MiniMax;
    /// - any of these in an array: Gemini's compatible endpoint;
    /// - any of these as the text of a message: gateways in front of Gemini.
    pub(super) fn read(body: &Value) -> Self {
        let mut report = Self::of(body);
        // A nested report must not contain another one, which bounds the depth.
        let nested = report.message.as_deref().filter(|text| text.starts_with(['{', '[']));
        if let Some(nested) = nested.and_then(|text| json::detail(text.as_bytes())) {
            let nested = Self::of(&nested);
            let words = [nested.code, nested.kind].into_iter().flatten().chain(nested.inner);
            report.inner.extend(words);
            report.message = nested.message.or(report.message);
            report.wait = report.wait.or(nested.wait);
        }
        report
    }

    fn of(body: &Value) -> Self {
        let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
        let places = ["/error", "/errors/0", "/Error", "/Response/Error", "/fault"];
        let error = places.iter().find_map(|place| body.pointer(place));
        // Spring and NestJS name the status here, and the reason is in the message.
        let error = error.filter(|error| {
            let is_bare = error.as_str().is_some_and(is_reason_phrase);
            !(is_bare
                && ["message", "detail"]
                    .iter()
                    .any(|name| body.get(*name).and_then(said).is_some()))
        });
        let within = error.filter(|error| error.is_object()).or_else(|| body.get("base_resp"));
        let within = within.unwrap_or(body);
        let member = |name: &str| within.get(name).and_then(words);
        let described = body.get("error_description").and_then(words);
        let message = described
            .clone()
            .or_else(|| error.and_then(words))
            .or_else(|| within.get("message").and_then(said))
            .or_else(|| {
                let names =
                    ["msg", "status_msg", "detail", "Message", "description", "faultstring"];
                names.iter().find_map(|name| said(within.get(*name)?))
            })
            .or_else(|| said(within.get("errors")?))
            .or_else(|| {
                let names = [
                    "detail",
                    "message",
                    "Message",
                    "error_msg",
                    "errorMessage",
                    "error",
                    "title",
                    "reason",
                ];
                names.iter().find_map(|name| said(body.get(*name)?))
            });
        let message = match (message, body.get("errors").and_then(fields)) {
            (Some(message), Some(fields)) => Some(format!("{message} {fields}")),
            (message, fields) => message.or(fields),
        };
        let number = ["code", "status_code"].iter().find_map(|name| within.get(*name));
        let number = number.filter(|code| code.is_number()).map(Value::to_string);
        let code = member("code").or_else(|| member("Code")).or(number);
        let status = code.as_deref().and_then(|code| code.parse().ok());
        let status = status.filter(|status| (400..600).contains(status));
        let own = within.pointer("/details/error_code").and_then(words);
        // OAuth's name for it (RFC 6749 section 5.2).
        let own = own.or_else(|| described.and_then(|_| error.and_then(words)));
        let details = within.get("details").and_then(Value::as_array);
        let reasons = details.into_iter().flatten().filter_map(|one| words(one.get("reason")?));
        let inner = within.pointer("/innererror/code").and_then(words);
        let is_daily = details.into_iter().flatten().any(is_quota_of_a_day);
        let is_daily = is_daily.then(|| QUOTA_OF_A_DAY.to_owned());
        // `google.rpc.Status` has a reason in its details, and a word beside a code that is the
        // status.
        let googles = reasons
            .clone()
            .next()
            .or_else(|| member("status").filter(|word| RPC_CODES.contains(&word.as_str())));
        let mut report = Self {
            status,
            // Zhipu, MiniMax and Cloudflare have numeric codes. LiteLLM writes the status here, as
            // text; 0 means nothing.
            code: own
                .or(code.filter(|code| !repeats_status(code) && code != "None"))
                .or_else(|| awss_code(&member("__type")?)),
            // The type of Anthropic's whole body is `error`; LiteLLM writes `None`.
            // Cohere writes `error_type`.
            kind: member("type")
                .filter(|kind| kind != "error" && kind != "None")
                .or_else(|| member("error_type"))
                .or(googles),
            inner: inner
                .into_iter()
                .chain(member("status"))
                .chain(reasons)
                .chain(is_daily)
                .collect(),
            flagged: within.pointer("/metadata/reasons").is_some_and(Value::is_array),
            wait: wait::read(within, message.as_deref()).or_else(|| wait::read(body, None)),
            message,
        };
        if let Some(raw) = within.pointer("/metadata/raw").and_then(Value::as_str) {
            report.take_upstream(raw);
        }
        report
    }

    /// Adds what the provider behind OpenRouter said: its body is in `metadata.raw`
    /// (openrouter.ai/docs/api/errors). OpenRouter's own message is then only "Provider returned
    /// error".
    fn take_upstream(&mut self, raw: &str) {
        let Some(body) = json::detail(raw.as_bytes()) else { return };
        let body = body.as_array().and_then(|items| items.first()).unwrap_or(&body);
        // A nested report must not contain another one, which bounds the depth.
        let error = body.get("error").unwrap_or(body);
        let member = |name: &str| error.get(name).and_then(words);
        let names = ["type", "code", "status"];
        self.inner.extend(names.iter().filter_map(|name| member(name)));
        let upstream = words(error).or_else(|| said(error.get("message")?));
        self.wait = self.wait.or_else(|| wait::read(error, upstream.as_deref()));
        if let Some(upstream) = upstream {
            self.message = Some(match self.message.take() {
                Some(message) => format!("{message}: {upstream}"),
                None => upstream,
            });
        }
    }

    /// Returns true if the error's code or type, an inner one or the upstream provider's is `word`.
    pub(super) fn is(&self, word: &str) -> bool {
        let said = self.code.iter().chain(&self.kind).chain(&self.inner);
        said.into_iter().any(|said| said.eq_ignore_ascii_case(word))
    }
}

/// Reads the name of an exception of AWS's, which can have a namespace before it and a URL after it
/// (smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, "Operation error serialization").
pub(super) fn awss_code(text: &str) -> Option<String> {
    let name = text.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default().trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Returns true if a text is only the name of a status (RFC 9110 section 15).
fn is_reason_phrase(text: &str) -> bool {
    const PHRASES: [&str; 16] = [
        "bad request",
        "unauthorized",
        "payment required",
        "forbidden",
        "not found",
        "method not allowed",
        "request timeout",
        "conflict",
        "payload too large",
        "unprocessable entity",
        "unprocessable content",
        "too many requests",
        "internal server error",
        "bad gateway",
        "service unavailable",
        "gateway timeout",
    ];
    PHRASES.contains(&&*text.trim().to_lowercase())
}

/// Reads what is wrong with each field of a request, as ASP.NET lists it in problem details:
/// `{"errors": {"model": ["The model field is required."]}}`.
fn fields(value: &Value) -> Option<String> {
    let fields = value.as_object()?.iter().take(20);
    let fields = fields.filter_map(|(name, problem)| Some(format!("{name}: {}", list(problem)?)));
    let fields: Vec<_> = fields.collect();
    (!fields.is_empty()).then(|| fields.join("; "))
}

/// Google's codes (googleapis/googleapis `google/rpc/code.proto`).
const RPC_CODES: [&str; 16] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
];

/// Marks a daily quota that is used up. Google still asks for a wait of seconds, which does not
/// help.
pub(super) const QUOTA_OF_A_DAY: &str = "google.rpc.QuotaFailure of a day";

/// Returns true if a detail is a daily quota (`google.rpc.QuotaFailure`), such as
/// `GenerateRequestsPerDayPerProjectPerModel-FreeTier` (in google-gemini/gemini-cli
/// `packages/core/src/utils/googleQuotaErrors.ts`).
fn is_quota_of_a_day(detail: &Value) -> bool {
    let violations = detail.get("violations").and_then(Value::as_array);
    violations.into_iter().flatten().any(|violation| {
        let id = violation.get("quotaId").and_then(Value::as_str).unwrap_or_default();
        id.contains("PerDay") || id.contains("Daily")
    })
}

/// Returns true if a code is an HTTP status, or none.
fn repeats_status(code: &str) -> bool {
    matches!(code.parse(), Ok(0 | 100..=599))
}

fn words(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads an explanation: a text, a complaint, a list of either, or an object around one
/// (`{"detail": […]}`, `{"message": "…"}`).
fn said(value: &Value) -> Option<String> {
    match value {
        Value::Object(around) => complaint(value).or_else(|| {
            let inner = ["detail", "message", "error"].iter().find_map(|name| around.get(*name));
            match inner? {
                inner @ Value::Object(_) => {
                    complaint(inner).or_else(|| words(inner.get("message")?))
                }
                inner => list(inner),
            }
        }),
        value => list(value),
    }
}

/// Joins the texts and complaints of a list, or returns a text.
fn list(value: &Value) -> Option<String> {
    let Value::Array(items) = value else { return words(value) };
    let texts = items.iter().take(20).filter_map(|item| {
        words(item).or_else(|| complaint(item)).or_else(|| words(item.get("message")?))
    });
    let texts: Vec<_> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Reads a FastAPI complaint: what is wrong, and where, without the prefix that all complaints
/// share. Nothing else is read, because `input` repeats the request.
fn complaint(value: &Value) -> Option<String> {
    let message = value.get("msg").and_then(words)?;
    let steps = value.get("loc").and_then(Value::as_array);
    let steps = steps.into_iter().flatten().take(12).filter_map(|step| match step {
        Value::String(name) => Some(name.clone()),
        Value::Number(index) => Some(index.to_string()),
        _ => None,
    });
    let steps: Vec<_> = steps.skip_while(|step| step == "body").collect();
    Some(match steps.as_slice() {
        [] => message,
        steps => format!("{}: {message}", steps.join(".")),
    })
}
