//! Tests of the classification of provider errors.

use super::*;
use crate::wire::reply::failure::tests::failed;
use serde_json::{Value, json};

fn error(kind: &str, code: Value, message: &str) -> String {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

#[test]
fn a_status_alone_has_a_class() {
    for (status, expected) in [
        (400, InvalidRequest),
        (401, Authentication),
        (402, QuotaExhausted),
        (403, Permission),
        (404, NotFound),
        (405, InvalidRequest),
        (408, Server),
        (409, Server),
        (410, NotFound),
        (413, InvalidRequest),
        (418, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimited),
        (498, Overloaded),
        (500, Server),
        (502, Server),
        (503, Overloaded),
        (504, Server),
        (520, Server),
        (529, Overloaded),
        (599, Server),
    ] {
        for body in ["", "{}", "null", "[]", "<html>oops</html>", r#"{"error": null}"#] {
            let failure = failed(status, body);
            assert_eq!(failure.kind, expected, "{status} {body}");
            assert_eq!(failure.code, None);
            assert!(!failure.message.is_empty());
        }
    }
    for status in [100, 101, 199, 600, 999] {
        let failure = failed(status, "{\"error\": {\"type\": \"overloaded_error\"}}");
        assert_eq!(failure.kind, Protocol, "{status}");
        assert!(failure.message.contains("unexpected status"), "{}", failure.message);
    }
}

#[test]
fn codes_and_messages_refine_the_status() {
    let invalid = "invalid_request_error";
    for (status, kind, code, message, expected) in [
        (400, invalid, json!(null), "Web search options not supported", InvalidRequest),
        (
            400,
            invalid,
            json!("unsupported_parameter"),
            "Use 'max_completion_tokens'",
            InvalidRequest,
        ),
        (400, invalid, json!("context_length_exceeded"), "too long", ContextWindowExceeded),
        (
            400,
            "exceed_context_size_error",
            json!(400),
            "request (9 tokens) exceeds",
            ContextWindowExceeded,
        ),
        (
            400,
            "BadRequestError",
            json!(400),
            "This model's maximum context length is 8192 tokens.",
            ContextWindowExceeded,
        ),
        (
            400,
            "BadRequestError",
            json!(400),
            "However, the model's context length is only 1024 tokens",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            json!(null),
            "This model's maximum prompt length is 131072 but",
            ContextWindowExceeded,
        ),
        (
            400,
            "too_many_prompt_tokens",
            json!(400),
            "The total length is too long.",
            ContextWindowExceeded,
        ),
        (413, "x", json!(null), "Prompt exceeds the maximum context length", ContextWindowExceeded),
        (
            413,
            "tokens",
            json!("rate_limit_exceeded"),
            "Request too large for model `l` on TPM",
            InvalidRequest,
        ),
        (
            429,
            "tokens",
            json!("rate_limit_exceeded"),
            "Request too large for gpt-4o on TPM",
            InvalidRequest,
        ),
        (400, invalid, json!("content_policy_violation"), "no", ContentPolicy),
        (400, "x", json!("content_filter"), "The response was filtered", ContentPolicy),
        (
            400,
            invalid,
            json!("invalid_prompt"),
            "Flagged as potentially violating our usage policy.",
            ContentPolicy,
        ),
        (400, invalid, json!("model_not_found"), "The requested model does not exist.", NotFound),
        (404, invalid, json!("DeploymentNotFound"), "no deployment", NotFound),
        (404, invalid, json!("model_not_found"), "no model", NotFound),
        (400, invalid, json!("invalid_api_key"), "Incorrect API key", Authentication),
        (401, invalid, json!("invalid_api_key"), "Incorrect API key", Authentication),
        (
            400,
            "INVALID_ARGUMENT",
            json!(400),
            "API key not valid. Pass a valid one.",
            Authentication,
        ),
        (401, "authentication_error", json!("invalid_request_error"), "Fails", Authentication),
        (403, "request_forbidden", json!("unsupported_country_region_territory"), "no", Permission),
        (403, "x", json!("access_terminated"), "terminated", Permission),
        (403, "x", json!(null), "Your team doesn't have any credits yet.", QuotaExhausted),
        (403, "x", json!("p"), "You have run out of credits.", QuotaExhausted),
        (400, invalid, json!("p"), "exceeded model token limit: 5", ContextWindowExceeded),
        (400, "x", json!("DataInspectionFailed"), "no", ContentPolicy),
        (
            402,
            "unknown_error",
            json!("invalid_request_error"),
            "Insufficient Balance",
            QuotaExhausted,
        ),
        (429, "requests", json!("rate_limit_exceeded"), "Rate limit reached", RateLimited),
        (429, "rate_limit_error", json!("slow_down"), "Slow down", RateLimited),
        (429, "insufficient_quota", json!("insufficient_quota"), "You exceeded", QuotaExhausted),
        (429, "insufficient_quota", json!(null), "You exceeded", QuotaExhausted),
        (
            429,
            "insufficient_quota",
            json!("credit_balance_exhausted"),
            "no credits",
            QuotaExhausted,
        ),
        (429, "x", json!("project_spend_limit_exceeded"), "spent", QuotaExhausted),
        (429, "x", json!("organization_usage_limit_exceeded"), "spent", QuotaExhausted),
        (400, invalid, json!("billing_hard_limit_reached"), "limit", QuotaExhausted),
        (429, "x", json!("billing_not_active"), "inactive", QuotaExhausted),
        (429, "engine_overloaded_error", json!(null), "busy", Overloaded),
        (503, "service_unavailable_error", json!("server_is_overloaded"), "busy", Overloaded),
        (500, "server_error", json!(null), "The server had an error", Server),
        // Gateways pass these through in either format.
        (
            400,
            invalid,
            json!("400"),
            "litellm.BadRequestError: AnthropicException - {\"error\": {\"message\": \"Your credit balance is too low to\"}}",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            json!("400"),
            "litellm.ContextWindowExceededError: too many tokens",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            json!(null),
            "Input is too long for requested model.",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            json!("invalid_prompt"),
            "Invalid prompt: we've limited access to this content for safety reasons. This type",
            ContentPolicy,
        ),
        (
            400,
            invalid,
            json!("invalid_prompt"),
            "Invalid prompt: the schema is malformed",
            InvalidRequest,
        ),
        (
            429,
            "rate_limit_error",
            json!("enforced_spend_limit_reached"),
            "Limit reached",
            QuotaExhausted,
        ),
        (429, "x", json!(null), "litellm: enforced_spend_limit_reached", QuotaExhausted),
        (401, "invalid_api_key", json!(401), "Invalid API key provided.", Authentication),
    ] {
        let failure = failed(status, &error(kind, code.clone(), message));
        assert_eq!(failure.kind, expected, "{status} {kind} {code} {message}");
        assert_eq!(failure.message, message);
        let digits = |code: &&str| code.bytes().all(|byte| byte.is_ascii_digit());
        let code = code.as_str().filter(|code| !digits(code));
        assert_eq!(failure.code.as_deref(), Some(code.unwrap_or(kind)));
    }
}

#[test]
fn anthropics_types_have_their_classes() {
    let invalid = "invalid_request_error";
    for (status, kind, message, expected) in [
        (400, invalid, "max_tokens: Field required", InvalidRequest),
        (
            400,
            invalid,
            "Your credit balance is too low to access the Anthropic API.",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            "You have reached your specified API usage limits. You will regain access on \
             2026-12-01 at 00:00 UTC.",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            "You have reached your specified workspace API usage limits.",
            QuotaExhausted,
        ),
        (
            400,
            invalid,
            "prompt is too long: 3333404 tokens > 200000 maximum",
            ContextWindowExceeded,
        ),
        (
            400,
            invalid,
            "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000",
            ContextWindowExceeded,
        ),
        (400, invalid, "Output blocked by content filtering policy", ContentPolicy),
        (401, "authentication_error", "invalid x-api-key", Authentication),
        (402, "billing_error", "", QuotaExhausted),
        (403, "permission_error", "", Permission),
        (404, "not_found_error", "model: x", NotFound),
        (409, "conflict_error", "", Server),
        (413, "request_too_large", "Request exceeds the maximum size", InvalidRequest),
        (429, "rate_limit_error", "prompt is too long for now", RateLimited),
        (500, "api_error", "Internal server error", Server),
        (504, "timeout_error", "", Server),
        (529, "overloaded_error", "Overloaded", Overloaded),
        (500, "overloaded_error", "Overloaded", Overloaded),
        (418, invalid, "", InvalidRequest),
        (401, invalid, "", Authentication),
        (503, "api_error", "", Overloaded),
        (529, "api_error", "", Overloaded),
        (200, "overloaded_error", "Overloaded", Overloaded),
        (200, "rate_limit_error", "", RateLimited),
        (200, "api_error", "", Server),
        (200, invalid, "", InvalidRequest),
        (200, "brand_new_error", "", Server),
        (418, "brand_new_error", "", InvalidRequest),
        (507, "brand_new_error", "", Server),
    ] {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}});
        let failure = failed(status, &body.to_string());
        assert_eq!(failure.kind, expected, "{status} {kind} {message}");
        assert_eq!(failure.code.as_deref(), Some(kind));
        match message {
            "" => assert!(failure.message.starts_with("the server answered with")),
            _ => assert_eq!(failure.message, message),
        }
    }
}

#[test]
fn a_spend_limit_is_not_a_rate_limit() {
    let body = json!({"type": "error", "error": {
        "type": "rate_limit_error", "message": "Limit reached",
        "details": {"error_code": "enforced_spend_limit_reached"},
    }});
    let failure = failed(429, &body.to_string());
    assert_eq!(failure.kind, QuotaExhausted);
    assert_eq!(failure.code.as_deref(), Some("enforced_spend_limit_reached"));
}

#[test]
fn messages_under_an_implausible_status_are_ignored() {
    // A key or a model can have any name.
    let failure = failed(404, &error("x", json!(null), "no model maximum context length"));
    assert_eq!(failure.kind, NotFound);
    let failure = failed(401, &error("x", json!(null), "insufficient balance"));
    assert_eq!(failure.kind, Authentication);
}

#[test]
fn every_vendors_own_error_is_classified() {
    for (status, body, expected) in [
        // Wrong keys under a misleading status.
        (
            400,
            json!({"code": "invalid-argument", "error": "Incorrect API key provided: xa***ey. You can obtain an API key from https://console.x.ai."}),
            Authentication,
        ),
        (
            400,
            json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]),
            Authentication,
        ),
        (
            400,
            json!({"error": {"code": 400, "message": "bad", "details": [{"reason": "API_KEY_INVALID"}]}}),
            Authentication,
        ),
        (
            400,
            json!({"error": {"code": 400, "message": "API key expired. Please renew the API key."}}),
            Authentication,
        ),
        (403, json!({"detail": "Invalid API key"}), Authentication),
        (
            500,
            json!({"error": {"message": "litellm.AuthenticationError: AuthenticationError: OpenAIException - no", "type": "None", "code": "500"}}),
            Authentication,
        ),
        (400, json!({"error": {"code": "InvalidApiKey", "message": "no"}}), Authentication),
        (403, json!({"error": {"message": "Your region is not supported"}}), Permission),
        // Bedrock (LiteLLM, `exception_mapping_utils.py`), Google, Fireworks, NVIDIA, Databricks,
        // GitHub, Cohere, Cloudflare: 403 or 400 for a key that is wrong, old or missing.
        (
            403,
            json!({"message": "The security token included in the request is invalid."}),
            Authentication,
        ),
        (
            403,
            json!({"Message": "Authentication failed: Please make sure your API Key is valid."}),
            Authentication,
        ),
        (
            403,
            json!([{"error": {"code": 403, "message": "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.", "status": "PERMISSION_DENIED"}}]),
            Authentication,
        ),
        (
            403,
            json!({"error": {"code": 403, "message": "Your API key was reported as leaked. Please use another API key.", "status": "PERMISSION_DENIED"}}),
            Authentication,
        ),
        (
            403,
            json!({"error": {"object": "error", "type": "invalid_request_error", "message": "The API key you provided is invalid."}}),
            Authentication,
        ),
        (
            403,
            json!({"status": 403, "title": "Forbidden", "detail": "Authorization failed"}),
            Authentication,
        ),
        (403, json!({"error_code": 403, "message": "Invalid access token."}), Authentication),
        (403, json!({"message": "Bad credentials"}), Authentication),
        (400, json!({"message": "invalid api token"}), Authentication),
        (
            400,
            json!({"success": false, "errors": [{"code": 10000, "message": "Authentication error"}]}),
            Authentication,
        ),
        (
            403,
            json!({"message": "You don't have access to the model with the specified model ID."}),
            Permission,
        ),
        // Unknown models under 400.
        (
            400,
            json!({"error": {"message": "The model `x` has been decommissioned and is no longer supported.", "type": "invalid_request_error", "code": "model_decommissioned"}}),
            NotFound,
        ),
        (
            400,
            json!({"error": {"message": "Unable to access model x.", "code": "model_not_available"}}),
            NotFound,
        ),
        (
            400,
            json!({"error": "No models loaded. Please load a model in the developer page or use the `lms load` command."}),
            NotFound,
        ),
        (
            400,
            json!({"error": {"message": "/chat/completions: Invalid model name passed in model=gpt-9. Call `/v1/models` to view available models for your key.", "type": "None", "param": "None", "code": "400"}}),
            NotFound,
        ),
        (
            400,
            json!({"error": {"message": "google/gemini-9 is not a valid model ID", "code": 400}}),
            NotFound,
        ),
        (
            400,
            json!({"error": {"message": "Model Not Exist", "type": "invalid_request_error", "code": "invalid_request_error"}}),
            NotFound,
        ),
        (
            400,
            json!({"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}),
            NotFound,
        ),
        (
            400,
            json!({"code": 20012, "message": "Model does not exist. Please check it carefully."}),
            NotFound,
        ),
        (
            400,
            json!({"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}),
            NotFound,
        ),
        (
            400,
            json!({"errors": [{"code": 5007, "message": "AiError: No such model @cf/x or task"}]}),
            NotFound,
        ),
        (400, json!({"error": {"message": "This model does not support tools"}}), InvalidRequest),
        (400, json!({"error": {"message": "The tool `x` does not exist"}}), InvalidRequest),
        // Money.
        (
            429,
            json!({"error": {"code": "1113", "message": "Insufficient balance or no resource package."}}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": {"code": "1308", "message": "Usage limit reached for 5 hour."}}),
            QuotaExhausted,
        ),
        (
            403,
            json!({"code": 30001, "message": "Sorry, your account balance is insufficient"}),
            QuotaExhausted,
        ),
        (
            400,
            json!({"error": {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."}}),
            QuotaExhausted,
        ),
        (402, json!({"error": {"message": "Insufficient credits", "code": 402}}), QuotaExhausted),
        (
            429,
            json!({"errors": [{"code": 3036, "message": "AiError: you have used up your daily free allocation of 10,000 neurons"}]}),
            QuotaExhausted,
        ),
        (
            400,
            json!({"error": {"message": "Budget has been exceeded! Current cost: 1, Max budget: 0.5", "type": "budget_exceeded", "code": "400"}}),
            QuotaExhausted,
        ),
        (
            403,
            json!({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
            QuotaExhausted,
        ),
        // Fireworks, Cohere's trial, Gemini, OpenRouter, Alibaba, Volcengine, Ollama.
        (
            412,
            json!({"error": {"message": "Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.", "code": "PRECONDITION_FAILED"}}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"message": "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free or upgrade."}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": {"code": 429, "message": "Your prepayment credits are depleted. Please go to AI Studio.", "status": "RESOURCE_EXHAUSTED"}}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": {"code": 429, "message": "Your project has exceeded its monthly spending cap.", "status": "RESOURCE_EXHAUSTED"}}),
            QuotaExhausted,
        ),
        (
            403,
            json!({"error": {"message": "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", "code": 403}}),
            QuotaExhausted,
        ),
        (
            403,
            json!({"error": {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier of the model has been exhausted."}}),
            QuotaExhausted,
        ),
        (
            403,
            json!({"error": {"code": "AccountOverdueError", "message": "overdue", "type": "Forbidden"}}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": {"code": "SetLimitExceeded", "message": "Your account has reached the set inference limit", "type": "TooManyRequests"}}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": "you (x) have reached your weekly usage limit, upgrade for higher limits"}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": {"message": "Your account is not active, please check your billing details on our website.", "code": null}}),
            QuotaExhausted,
        ),
        // Not money: the limit is per unit of time.
        (
            429,
            json!({"message": "You are using a Trial key, which is limited to 10 API calls / minute."}),
            RateLimited,
        ),
        (
            429,
            json!({"error": {"message": "Tokens per day limit exceeded - too many tokens processed.", "type": "too_many_tokens_error", "code": "token_quota_exceeded"}}),
            RateLimited,
        ),
        (
            429,
            json!({"message": "Service tier capacity exceeded for this model.", "type": "service_tier_capacity_exceeded", "code": "3505"}),
            RateLimited,
        ),
        (
            429,
            json!([{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 2.5s.", "status": "RESOURCE_EXHAUSTED"}}]),
            RateLimited,
        ),
        (
            429,
            json!({"error": {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33s"}]}}),
            RateLimited,
        ),
        (
            429,
            json!({"error": {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33s"}]}}),
            QuotaExhausted,
        ),
        (
            429,
            json!({"error": {"code": "1302", "message": "High concurrency usage of this API"}}),
            RateLimited,
        ),
        // Moderation.
        (
            400,
            json!({"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}),
            ContentPolicy,
        ),
        (
            400,
            json!({"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}),
            ContentPolicy,
        ),
        (
            403,
            json!({"code": "The caller does not have permission", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}),
            ContentPolicy,
        ),
        (
            400,
            json!({"error": {"message": "The request was rejected because it was considered high risk", "type": "content_filter"}}),
            ContentPolicy,
        ),
        (
            400,
            json!({"error": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}}),
            ContentPolicy,
        ),
        (400, json!({"error": {"code": "moderation_blocked", "message": "no"}}), ContentPolicy),
        // The context window.
        (
            400,
            json!({"error": "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"}),
            ContextWindowExceeded,
        ),
        (
            400,
            json!({"message": "tokens in request more than max tokens allowed"}),
            ContextWindowExceeded,
        ),
        (
            422,
            json!({"error": {"code": "max_tokens_exceeded", "message": "no"}}),
            ContextWindowExceeded,
        ),
        (
            400,
            json!([{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}]),
            ContextWindowExceeded,
        ),
        (
            400,
            json!({"error": "prompt too long; exceeded max context length by 20 tokens"}),
            ContextWindowExceeded,
        ),
        (
            400,
            json!({"error": {"code": "1261", "message": "Prompt exceeds max length"}}),
            ContextWindowExceeded,
        ),
        (
            413,
            json!({"error": {"code": "tokens_limit_reached", "message": "Request body too large for gpt-4o model. Max size: 8000 tokens."}}),
            ContextWindowExceeded,
        ),
        (
            400,
            json!({"error": {"message": "{\"error\": {\"code\": 400, \"message\": \"The input token count (2) exceeds the maximum number of tokens allowed (1).\"}}", "code": 400}}),
            ContextWindowExceeded,
        ),
        (
            400,
            json!({"error": {"message": "max_tokens is too large: 50000. This model supports at most 16384 completion tokens"}}),
            InvalidRequest,
        ),
        (422, json!({"error": {"message": "max_tokens must be less than 4096"}}), InvalidRequest),
        (
            400,
            json!({"object": "error", "type": "BadRequestError", "message": "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 16384 tokens and your request has 20 input tokens (32000 > 16384 - 20).", "code": 400}),
            InvalidRequest,
        ),
        (
            400,
            json!({"message": "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 8192."}),
            InvalidRequest,
        ),
        (
            429,
            json!({"error": {"message": "Too many tokens, please wait before trying again."}}),
            RateLimited,
        ),
    ] {
        let failure = failed(status, &body.to_string());
        assert_eq!(failure.kind, expected, "{status} {body}");
        // The same inside an answer or a stream, where the error is given as one.
        if let Some(error) = body.get("error").filter(|error| error.is_string()) {
            assert_eq!(super::super::Failure::inside(error).kind, expected, "{error}");
        }
    }
}
