//! Classifies provider errors by their codes, messages and status.

use super::phrases;
use super::report::{QUOTA_OF_A_DAY, Report};
use crate::error::ErrorKind::{self, *};

/// What an error must contain for a row to match.
enum Says {
    /// This code or type.
    Word(&'static str),
    /// This text in its message, in lower case.
    Text(&'static str),
    /// Its message starts with this, in lower case.
    Start(&'static str),
    /// OpenRouter's moderation flag.
    Flagged,
    /// A message that the request does not fit into the context window.
    Overflow,
    /// A message that the model does not exist.
    UnknownModel,
}

/// The statuses under which a row matches. Messages only count under plausible statuses, because a
/// key or a model can have any name.
enum Under {
    Any,
    /// 400, 402, 403, 429 or none.
    Money,
    /// 400, 403, 413, 422, 500 or none.
    Content,
    /// 400, 403, 422, 500 or none: gateways use these for errors that have a status of their own.
    Wrong,
    Only(u16),
    /// No status: an error inside an answer or a stream.
    Nothing,
}

use Says::{Flagged, Overflow, Start, Text, UnknownModel, Word};
use Under::{Any, Content, Money, Nothing, Only, Wrong};

/// The table for every format. The first matching row decides; otherwise the status.
///
/// Sources besides those in the rows: OpenAI's error codes guide
/// (developers.openai.com/api/docs/guides/error-codes) and its help pages on 429 and on spend
/// limits; Anthropic's pages "Errors" and "Rate limits"; openrouter.ai/docs/api/errors; LiteLLM's
/// `exception_mapping_utils.py`.
#[rustfmt::skip]
const TABLE: &[(Says, Under, ErrorKind)] = &[
    // No money left; waiting does not help.
    (Word("insufficient_quota"), Any, QuotaExhausted), // OpenAI
    (Word("credit_balance_exhausted"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("organization_usage_limit_exceeded"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("organization_spend_limit_exceeded"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("project_spend_limit_exceeded"), Any, QuotaExhausted), // OpenAI, 2026
    (Word("billing_hard_limit_reached"), Any, QuotaExhausted), // OpenAI
    (Word("billing_not_active"), Any, QuotaExhausted), // OpenAI
    (Word("billing_error"), Any, QuotaExhausted), // Anthropic, 402
    // Anthropic's spend cap of a tier: 429 without retry-after, in `details.error_code`.
    (Word("enforced_spend_limit_reached"), Any, QuotaExhausted),
    (Text("enforced_spend_limit_reached"), Money, QuotaExhausted),
    (Text("credit balance is too low"), Money, QuotaExhausted), // Anthropic, 400
    // Anthropic, 400: limits that the customer set.
    (Text("reached your specified api usage limits"), Money, QuotaExhausted),
    (Text("reached your specified workspace api usage limits"), Money, QuotaExhausted),
    (Word("exceeded_current_quota_error"), Any, QuotaExhausted), // Moonshot
    (Text("insufficient balance"), Money, QuotaExhausted), // DeepSeek
    // xAI, under 403 and 429 (continuedev/continue #12670, #10740, Wei-Shaw/sub2api #4069).
    (Text("doesn't have any credits"), Money, QuotaExhausted),
    (Text("used all available credits"), Money, QuotaExhausted),
    (Text("run out of credits"), Money, QuotaExhausted),

    (Word("budget_exceeded"), Any, QuotaExhausted), // LiteLLM
    (Text("budget has been exceeded"), Money, QuotaExhausted), // LiteLLM
    (Word("Arrearage"), Any, QuotaExhausted), // Alibaba
    (Word("insufficient_balance"), Any, QuotaExhausted),
    (Word("not_enough_balance"), Any, QuotaExhausted), // Novita
    (Word("insufficient_credits"), Any, QuotaExhausted),
    (Word("blocked_api_access"), Any, QuotaExhausted), // Groq, a spend limit
    (Word("1113"), Any, QuotaExhausted), // Z.AI and Zhipu, under 429
    (Word("1304"), Any, QuotaExhausted), // Zhipu, the day's calls
    (Word("1308"), Any, QuotaExhausted), // Z.AI, the plan's hours
    (Word("1309"), Any, QuotaExhausted), // Z.AI, the plan has ended
    (Word("1310"), Any, QuotaExhausted), // Z.AI, the plan's week or month
    (Word("1008"), Any, QuotaExhausted), // MiniMax
    (Word("30001"), Any, QuotaExhausted), // SiliconFlow
    (Word(QUOTA_OF_A_DAY), Any, QuotaExhausted), // Google
    (Word("3036"), Any, QuotaExhausted), // Cloudflare, the day's free neurons
    (Text("daily free allocation"), Money, QuotaExhausted), // Cloudflare
    (Text("insufficient credits"), Money, QuotaExhausted), // OpenRouter
    (Text("requires more credits"), Money, QuotaExhausted), // OpenRouter
    (Text("not enough credits"), Money, QuotaExhausted),
    (Text("insufficient account balance"), Money, QuotaExhausted),
    (Text("insufficient funds"), Money, QuotaExhausted),
    (Text("balance is insufficient"), Money, QuotaExhausted), // SiliconFlow
    (Text("not enough balance"), Money, QuotaExhausted), // Novita
    (Text("monthly included credits"), Money, QuotaExhausted), // Hugging Face
    (Text("account is in good standing"), Money, QuotaExhausted), // Alibaba
    (Text("exceeded your monthly spending limit"), Money, QuotaExhausted),
    (Text("account is not active"), Money, QuotaExhausted), // OpenAI
    // Fireworks, a limit or unpaid invoices (its page "Inference Error Codes").
    (Text("reaching the monthly spending limit"), Only(412), QuotaExhausted),
    (Text("api calls / month"), Money, QuotaExhausted), // Cohere's trial keys
    (Text("credits are depleted"), Money, QuotaExhausted), // Gemini, prepaid
    (Text("monthly spending cap"), Money, QuotaExhausted), // Gemini
    (Text("key limit exceeded"), Money, QuotaExhausted), // OpenRouter
    (Word("AllocationQuota.FreeTierOnly"), Any, QuotaExhausted), // Alibaba
    (Text("free tier of the model has been exhausted"), Money, QuotaExhausted), // Alibaba
    (Word("AccountOverdueError"), Any, QuotaExhausted), // Volcengine
    (Word("SetLimitExceeded"), Any, QuotaExhausted), // Volcengine
    (Text("weekly usage limit"), Money, QuotaExhausted), // Ollama's cloud
    (Text("余额不足"), Money, QuotaExhausted), // Zhipu, "balance insufficient"
    (Text("欠费"), Money, QuotaExhausted), // Zhipu, "in arrears"

    // The context window.
    (Word("context_length_exceeded"), Any, ContextWindowExceeded), // OpenAI
    (Word("context_window_exceeded"), Any, ContextWindowExceeded),
    (Word("model_context_window_exceeded"), Any, ContextWindowExceeded), // Anthropic
    (Word("exceed_context_size_error"), Any, ContextWindowExceeded), // llama.cpp
    (Word("too_many_prompt_tokens"), Any, ContextWindowExceeded), // Perplexity (recorded)
    (Word("max_tokens_exceeded"), Content, ContextWindowExceeded), // gateways, under 422
    (Word("tokens_limit_reached"), Any, ContextWindowExceeded), // GitHub, under 413
    (Word("model_max_prompt_tokens_exceeded"), Any, ContextWindowExceeded), // GitHub Copilot
    (Word("prompt_too_long"), Any, ContextWindowExceeded),
    (Word("input_too_long"), Any, ContextWindowExceeded),
    (Word("1261"), Any, ContextWindowExceeded), // Z.AI and Zhipu
    (Word("1039"), Any, ContextWindowExceeded), // MiniMax
    (Overflow, Content, ContextWindowExceeded),

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
    (Word("moderation_blocked"), Any, ContentPolicy), // OpenAI
    (Word("content_filtered"), Any, ContentPolicy),
    (Word("PROHIBITED_CONTENT"), Any, ContentPolicy), // Gemini
    (Word("SensitiveContentDetected"), Any, ContentPolicy), // Volcengine
    (Word("InputTextSensitiveContentDetected"), Any, ContentPolicy), // Volcengine
    (Word("OutputTextSensitiveContentDetected"), Any, ContentPolicy), // Volcengine
    (Word("1301"), Any, ContentPolicy), // Z.AI and Zhipu
    (Word("1026"), Any, ContentPolicy), // MiniMax, the input
    (Word("1027"), Any, ContentPolicy), // MiniMax, the output
    (Text("content exists risk"), Content, ContentPolicy), // DeepSeek
    (Text("content violates usage guidelines"), Content, ContentPolicy), // xAI
    (Text("safety_check_type"), Content, ContentPolicy), // xAI
    (Text("considered high risk"), Content, ContentPolicy), // Moonshot
    (Text("may contain inappropriate content"), Content, ContentPolicy), // Alibaba
    (Text("content management policy"), Content, ContentPolicy), // Azure
    (Text("contentpolicyviolationerror"), Content, ContentPolicy), // LiteLLM's proxy
    (Text("敏感内容"), Content, ContentPolicy), // Zhipu, "sensitive content"
    // Cohere: "a request or response contains a deny-listed token" (its OpenAPI file,
    // `InvalidToken`). Without a word about tokens it is Groq's status.
    (Text("token"), Only(498), ContentPolicy),

    // A request larger than a whole minute's tokens; OpenAI uses 429. Waiting never helps. Groq
    // uses 413, which is clear by itself.
    (Start("request too large for"), Only(429), InvalidRequest),

    // Codes and types with one meaning under every status.
    (Word("model_not_found"), Any, NotFound), // OpenAI, Groq
    (Word("DeploymentNotFound"), Any, NotFound), // Azure
    (Word("invalid_api_key"), Any, Authentication), // OpenAI, Perplexity
    (Word("API_KEY_INVALID"), Any, Authentication), // Gemini
    (Word("UNAUTHENTICATED"), Any, Authentication), // Gemini
    (Word("InvalidApiKey"), Any, Authentication), // Alibaba
    (Word("invalid_authentication_error"), Any, Authentication), // Moonshot
    (Word("2049"), Any, Authentication), // MiniMax
    (Text("api key not valid"), Wrong, Authentication), // Gemini's compatible endpoint (recorded)
    (Text("incorrect api key"), Wrong, Authentication), // xAI, 400 (continuedev/continue #10778)
    (Text("invalid api key"), Wrong, Authentication),
    (Text("invalid api-key"), Wrong, Authentication), // Alibaba
    (Text("invalid api_key"), Wrong, Authentication),
    (Text("invalid x-api-key"), Wrong, Authentication), // Anthropic, through gateways
    (Text("api key is invalid"), Wrong, Authentication),
    (Text("api key expired"), Wrong, Authentication), // Gemini
    (Text("api key has expired"), Wrong, Authentication),
    (Text("api key not found"), Wrong, Authentication), // Gemini
    (Text("didn't provide an api key"), Wrong, Authentication), // OpenAI
    (Text("no api key"), Wrong, Authentication),
    (Text("missing api key"), Wrong, Authentication),
    (Text("no auth credentials found"), Wrong, Authentication), // OpenRouter
    (Text("invalid authentication"), Wrong, Authentication), // Moonshot
    (Text("authentication fails"), Wrong, Authentication), // DeepSeek
    (Text("authentication failed"), Wrong, Authentication),
    (Text("litellm.authenticationerror"), Wrong, Authentication), // LiteLLM
    // LiteLLM without a database, 400: any key but the master key (`user_api_key_auth.py`).
    (Word("no_db_connection"), Any, Authentication),
    (Text("authorization failed"), Wrong, Authentication), // NVIDIA, 403
    (Text("authentication error"), Wrong, Authentication), // Cloudflare
    (Text("api key you provided is invalid"), Wrong, Authentication), // Fireworks, 403
    (Text("reported as leaked"), Wrong, Authentication), // Gemini, 403
    (Text("unregistered callers"), Wrong, Authentication), // Gemini, 403, without a key
    (Text("security token included in the request"), Wrong, Authentication), // Bedrock, 403
    (Text("invalid access token"), Wrong, Authentication), // Databricks, 403; Cloudflare
    (Text("invalid api token"), Wrong, Authentication), // Cohere
    (Text("bad credentials"), Wrong, Authentication), // GitHub
    (Text("身份验证失败"), Wrong, Authentication), // Zhipu, "authentication failed"
    (Word("invalid_model"), Any, NotFound), // Perplexity, Mistral
    (Word("unknown_model"), Any, NotFound), // GitHub
    (Word("ModelNotFound"), Any, NotFound), // Alibaba
    (Word("model_not_supported"), Any, NotFound), // Hugging Face
    (Word("model_decommissioned"), Any, NotFound), // Groq, 400
    (Word("model_not_available"), Any, NotFound), // Together
    (Word("1211"), Any, NotFound), // Z.AI and Zhipu
    (Word("20012"), Any, NotFound), // SiliconFlow
    (Word("5007"), Any, NotFound), // Cloudflare
    (UnknownModel, Wrong, NotFound),
    // AWS's exceptions (its page "Troubleshooting Amazon Bedrock API Error Codes"; "Common Error
    // Types"). In streams their names begin in lower case.
    (Text("too many tokens per day"), Money, QuotaExhausted),
    (Word("ServiceQuotaExceededException"), Any, QuotaExhausted),
    (Word("ThrottlingException"), Any, RateLimited),
    (Word("ModelNotReadyException"), Any, Overloaded),
    (Word("ServiceUnavailableException"), Any, Overloaded),
    (Word("ModelTimeoutException"), Any, Server),
    (Word("ModelErrorException"), Any, Server),
    (Word("ModelStreamErrorException"), Any, Server),
    (Word("InternalServerException"), Any, Server),
    (Word("ResourceNotFoundException"), Any, NotFound),
    (Word("ExpiredTokenException"), Any, Authentication),
    (Word("UnrecognizedClientException"), Any, Authentication),
    (Word("InvalidSignatureException"), Any, Authentication),
    (Word("SignatureDoesNotMatch"), Any, Authentication),
    (Word("IncompleteSignatureException"), Any, Authentication),
    (Word("MissingAuthenticationTokenException"), Any, Authentication),
    (Word("InvalidClientTokenId"), Any, Authentication),
    (Word("AccessDeniedException"), Any, Permission),
    (Word("ValidationException"), Any, InvalidRequest),
    (Word("server_is_overloaded"), Any, Overloaded), // OpenAI
    (Word("engine_overloaded_error"), Any, Overloaded), // Moonshot
    (Word("overloaded_error"), Any, Overloaded), // Anthropic
    (Word("authentication_error"), Any, Authentication), // Anthropic
    (Word("permission_error"), Any, Permission), // Anthropic
    (Word("not_found_error"), Any, NotFound), // Anthropic
    (Word("rate_limit_error"), Any, RateLimited), // Anthropic
    (Word("timeout_error"), Any, Server), // Anthropic
    (Word("conflict_error"), Any, Server), // Anthropic
    // Anthropic, more than 32 MB. Not the context window: it is mostly images, and no tokens were
    // counted.
    (Word("request_too_large"), Any, InvalidRequest),

    // OpenAI's, if no status is more specific.
    (Word("insufficient_permissions"), Nothing, Permission),
    // Of a response that failed (`response_error.py`).
    (Word("image_content_policy_violation"), Any, ContentPolicy),
    (Word("bio_policy"), Any, ContentPolicy),
    (Word("invalid_prompt"), Nothing, InvalidRequest),
    (Word("data_residency_mismatch"), Nothing, InvalidRequest),
    (Word("invalid_image"), Nothing, InvalidRequest),
    (Word("invalid_image_format"), Nothing, InvalidRequest),
    (Word("invalid_base64_image"), Nothing, InvalidRequest),
    (Word("invalid_image_url"), Nothing, InvalidRequest),
    (Word("invalid_image_mode"), Nothing, InvalidRequest),
    (Word("image_too_large"), Nothing, InvalidRequest),
    (Word("image_too_small"), Nothing, InvalidRequest),
    (Word("image_parse_error"), Nothing, InvalidRequest),
    (Word("image_file_too_large"), Nothing, InvalidRequest),
    (Word("image_file_not_found"), Nothing, InvalidRequest),
    (Word("unsupported_image_media_type"), Nothing, InvalidRequest),
    (Word("empty_image_file"), Nothing, InvalidRequest),
    (Word("failed_to_download_image"), Nothing, InvalidRequest),
    (Word("rate_limit_exceeded"), Nothing, RateLimited),
    (Word("slow_down"), Nothing, RateLimited),
    (Word("RESOURCE_EXHAUSTED"), Nothing, RateLimited), // Gemini
    (Word("1302"), Nothing, RateLimited), // Z.AI and Zhipu
    (Word("1303"), Nothing, RateLimited), // Zhipu
    (Word("1305"), Nothing, RateLimited), // Z.AI and Zhipu
    (Word("1312"), Nothing, Overloaded), // Z.AI
    (Word("UNAVAILABLE"), Nothing, Overloaded), // Gemini
    (Text("over capacity"), Nothing, Overloaded), // Groq
    (Text("overloaded"), Nothing, Overloaded),
    (Text("rate limit"), Nothing, RateLimited),
    (Text("too many requests"), Nothing, RateLimited),
    // Both OpenAI and Anthropic use it for everything else: "may also be used for other 4XX status
    // codes" (Anthropic).
    (Word("invalid_request_error"), Nothing, InvalidRequest),
];

/// Classifies an error body under a status. An error inside an answer has no status, and is a
/// server error unless it says something known.
pub(super) fn of(status: Option<u16>, report: &Report) -> ErrorKind {
    let message = report.message.as_deref().unwrap_or_default().to_lowercase();
    let holds = |says: &Says| match says {
        Word(word) => report.is(word),
        Text(text) => message.contains(text),
        Start(text) => message.starts_with(text),
        Flagged => report.flagged,
        Overflow => phrases::is_overflow(&message),
        UnknownModel => phrases::is_unknown_model(&message),
    };
    let counts = |under: &Under| match under {
        Any => true,
        Money => matches!(status, None | Some(400 | 402 | 403 | 429)),
        Content => matches!(status, None | Some(400 | 403 | 413 | 422 | 500)),
        Wrong => matches!(status, None | Some(400 | 403 | 422 | 500)),
        Only(one) => status == Some(*one),
        Nothing => status.is_none(),
    };
    let row = TABLE.iter().find(|(says, under, _)| counts(under) && holds(says));
    row.map(|(_, _, kind)| *kind).or_else(|| status.map(by_status)).unwrap_or(Server)
}

/// Classifies a status.
///
/// 408 and 409 are [`Server`]: the server timed out or lost a lock, and the official SDKs retry
/// (`_base_client.py`). So is 499, with which Cohere says that it cancelled the request: "try the
/// request again" (docs.cohere.com/reference/errors). 498 is Groq's "flex tier capacity exceeded" (console.groq.com/docs/errors),
/// 529 Anthropic's overload. 413 is a body with too many bytes.
pub(super) fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => Authentication,
        402 => QuotaExhausted,
        403 => Permission,
        404 | 410 => NotFound,
        408 | 409 | 499 => Server,
        429 => RateLimited,
        498 | 503 | 529 => Overloaded,
        400..=499 => InvalidRequest,
        _ => Server,
    }
}

#[cfg(test)]
mod tests;
