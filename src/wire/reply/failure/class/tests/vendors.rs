//! Tests of the errors of single vendors, as they send them.

use super::*;

fn check(rows: impl IntoIterator<Item = (u16, Value, ErrorKind)>) {
    for (status, body, expected) in rows {
        let failure = failed(status, &body.to_string());
        assert_eq!(failure.kind, expected, "{status} {body}");
        // An answer or a stream can contain the same error.
        if let Some(error) = body.get("error").filter(|error| error.is_string()) {
            assert_eq!(crate::wire::Failure::inside(error).kind, expected, "{error}");
        }
    }
}

#[test]
fn wrong_keys_are_recognised_under_misleading_statuses() {
    check([
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
        // LiteLLM's proxy without a database, which knows only its master key.
        (
            400,
            json!({"error": {"message": "No connected db.", "type": "no_db_connection", "param": null, "code": "400"}}),
            Authentication,
        ),
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
    ]);
}

#[test]
fn unknown_models_are_recognised_under_400() {
    check([
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
    ]);
}

#[test]
fn exhausted_quotas_are_not_rate_limits() {
    check([
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
    ]);
}

#[test]
fn rejected_content_is_recognised() {
    check([
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
    ]);
}

#[test]
fn an_exceeded_context_window_is_not_a_wrong_output_limit() {
    check([
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
    ]);
}
