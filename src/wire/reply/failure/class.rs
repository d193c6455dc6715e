//! Classifies provider errors by their codes, messages and status.

use super::report::Report;
use crate::error::ErrorKind::{self, *};

/// What an error must say for a row to hold.
enum Says {
    /// This code or type.
    Word(&'static str),
    /// This in its message, in lower case.
    Text(&'static str),
    /// This at the beginning of its message, in lower case.
    Start(&'static str),
    /// OpenRouter's mark of moderation.
    Flagged,
}

/// The statuses under which a row holds. Words are only believed where they
/// belong: a key or a model may be named like anything.
enum Under {
    Any,
    /// 400, 402, 403, 429 or none.
    Money,
    /// 400, 403, 413, 422, 500 or none.
    Content,
    Only(u16),
    /// None: an error inside an answer or a stream.
    Nothing,
}

use Says::{Flagged, Start, Text, Word};
use Under::{Any, Content, Money, Nothing, Only};

/// The table, for every format; the first row that holds decides, and after it the
/// status.
///
/// Sources beside those in the rows: OpenAI's error codes guide
/// (developers.openai.com/api/docs/guides/error-codes) and its help pages on 429
/// and on spend limits; Anthropic's pages "Errors" and "Rate limits";
/// openrouter.ai/docs/api/errors; LiteLLM's `exception_mapping_utils.py`.
#[rustfmt::skip]
const TABLE: &[(Says, Under, ErrorKind)] = &[
    // Money is used up; waiting does not help.
    (Word("insufficient_quota"), Any, QuotaExhausted), // OpenAI
    (Word("credit_balance_exhausted"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("organization_usage_limit_exceeded"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("organization_spend_limit_exceeded"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("project_spend_limit_exceeded"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("billing_hard_limit_reached"), Any, QuotaExhausted), // OpenAI
    (Word("billing_not_active"), Any, QuotaExhausted), // OpenAI
    (Word("billing_error"), Any, QuotaExhausted), // Anthropic, 402
    // Anthropic's cap of a tier: 429 without retry-after, in `details.error_code`.
    (Word("enforced_spend_limit_reached"), Any, QuotaExhausted),
    (Text("enforced_spend_limit_reached"), Money, QuotaExhausted),
    (Text("credit balance is too low"), Money, QuotaExhausted), // Anthropic, 400
    // Anthropic, 400: limits one set oneself.
    (Text("reached your specified api usage limits"), Money, QuotaExhausted),
    (Text("reached your specified workspace api usage limits"), Money, QuotaExhausted),
    (Word("exceeded_current_quota_error"), Any, QuotaExhausted), // Moonshot
    (Text("insufficient balance"), Money, QuotaExhausted), // DeepSeek
    // xAI, under 403 and 429 (continuedev/continue #12670, #10740, Wei-Shaw/sub2api #4069).
    (Text("doesn't have any credits"), Money, QuotaExhausted),
    (Text("used all available credits"), Money, QuotaExhausted),
    (Text("run out of credits"), Money, QuotaExhausted),

    // The context window.
    (Word("context_length_exceeded"), Any, ContextWindowExceeded), // OpenAI
    (Word("exceed_context_size_error"), Any, ContextWindowExceeded), // llama.cpp
    (Word("too_many_prompt_tokens"), Any, ContextWindowExceeded), // Perplexity (recorded)
    (Text("prompt is too long"), Content, ContextWindowExceeded), // Anthropic (recorded)
    // Anthropic: the input fits, but not with `max_tokens` behind it.
    (Text("exceed context limit"), Content, ContextWindowExceeded),
    (Text("input is too long for requested model"), Content, ContextWindowExceeded), // Bedrock
    (Text("maximum context length"), Content, ContextWindowExceeded), // OpenAI, DeepSeek, vLLM before 0.16
    (Text("model's context length"), Content, ContextWindowExceeded), // vLLM (harbor-framework/harbor #996)
    (Text("exceeds the available context size"), Content, ContextWindowExceeded), // llama.cpp
    (Text("maximum prompt length"), Content, ContextWindowExceeded), // xAI (cline/cline #3120)
    (Text("exceeded model token limit"), Content, ContextWindowExceeded), // Moonshot (MoonshotAI/kimi-cli #2011)
    // text-generation-inference
    (Text("`inputs` tokens + `max_new_tokens` must be"), Content, ContextWindowExceeded),
    (Text("contextwindowexceedederror"), Content, ContextWindowExceeded), // LiteLLM's proxy

    // The content policy.
    (Flagged, Any, ContentPolicy), // OpenRouter
    (Word("content_policy_violation"), Any, ContentPolicy), // OpenAI
    (Word("content_filter"), Any, ContentPolicy), // Azure, outer
    (Word("ResponsibleAIPolicyViolation"), Any, ContentPolicy), // Azure, inner
    (Word("data_inspection_failed"), Any, ContentPolicy), // Alibaba
    (Word("DataInspectionFailed"), Any, ContentPolicy), // Alibaba
    (Text("blocked by content filtering policy"), Content, ContentPolicy), // Anthropic
    (Text("violating our usage policy"), Content, ContentPolicy), // OpenAI, `invalid_prompt`
    // OpenAI, `invalid_prompt` again (microsoft/PyRIT #1463); the code has other causes too.
    (Text("limited access to this content for safety reasons"), Content, ContentPolicy),
    (Text("result of our safety system"), Content, ContentPolicy), // OpenAI

    // A request larger than a whole minute's tokens, at OpenAI under 429; waiting
    // never helps. Groq has 413 for it, which says the same by itself.
    (Start("request too large for"), Only(429), InvalidRequest),

    // Codes and types that mean one thing, whatever the status.
    (Word("model_not_found"), Any, NotFound), // OpenAI, Groq
    (Word("DeploymentNotFound"), Any, NotFound), // Azure
    (Word("invalid_api_key"), Any, Authentication), // OpenAI, Perplexity
    (Text("api key not valid"), Only(400), Authentication), // Gemini's compatible endpoint (recorded)
    (Word("server_is_overloaded"), Any, Overloaded), // OpenAI
    (Word("engine_overloaded_error"), Any, Overloaded), // Moonshot
    (Word("overloaded_error"), Any, Overloaded), // Anthropic
    (Word("authentication_error"), Any, Authentication), // Anthropic
    (Word("permission_error"), Any, Permission), // Anthropic
    (Word("not_found_error"), Any, NotFound), // Anthropic
    (Word("rate_limit_error"), Any, RateLimited), // Anthropic
    (Word("timeout_error"), Any, Server), // Anthropic
    (Word("conflict_error"), Any, Server), // Anthropic
    // Anthropic, more than 32 MB. Not the context window: mostly it is images, and
    // no tokens were counted.
    (Word("request_too_large"), Any, InvalidRequest),

    // OpenAI's, where no status says it better.
    (Word("insufficient_permissions"), Nothing, Permission),
    (Word("rate_limit_exceeded"), Nothing, RateLimited),
    (Word("slow_down"), Nothing, RateLimited),
    // Both OpenAI's and Anthropic's for everything else: "may also be used for other
    // 4XX status codes" (Anthropic).
    (Word("invalid_request_error"), Nothing, InvalidRequest),
];

/// The class of what a body says under a status. An error inside an answer has
/// none, and is the server's when it says nothing known.
pub(super) fn of(status: Option<u16>, report: &Report) -> ErrorKind {
    let message = report.message.as_deref().unwrap_or_default().to_lowercase();
    let holds = |says: &Says| match says {
        Word(word) => report.is(word),
        Text(text) => message.contains(text),
        Start(text) => message.starts_with(text),
        Flagged => report.flagged,
    };
    let counts = |under: &Under| match under {
        Any => true,
        Money => matches!(status, None | Some(400 | 402 | 403 | 429)),
        Content => matches!(status, None | Some(400 | 403 | 413 | 422 | 500)),
        Only(one) => status == Some(*one),
        Nothing => status.is_none(),
    };
    let row = TABLE.iter().find(|(says, under, _)| counts(under) && holds(says));
    row.map(|(_, _, kind)| *kind).or_else(|| status.map(by_status)).unwrap_or(Server)
}

/// The class of a status.
///
/// 408 and 409 are [`Server`]: the server timed out or lost a lock, and the
/// official SDKs try again (`_base_client.py`). 498 is Groq's "flex tier capacity
/// exceeded" (console.groq.com/docs/errors), 529 Anthropic's overload. 413 is a
/// body too large in bytes.
pub(super) fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => Authentication,
        402 => QuotaExhausted,
        403 => Permission,
        404 | 410 => NotFound,
        408 | 409 => Server,
        429 => RateLimited,
        498 | 503 | 529 => Overloaded,
        400..=499 => InvalidRequest,
        _ => Server,
    }
}

#[cfg(test)]
mod tests;
