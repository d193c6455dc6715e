//! Recognises error messages that every vendor words differently.

/// Returns true if a message (in lower case) says that the request does not fit into the model's
/// context window.
///
/// It matches fixed phrases, and messages that name an amount of input and say that it is too much.
/// Messages about a rate or the requested output do not match.
pub(super) fn is_overflow(message: &str) -> bool {
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    if has(&RATES) || has(&LARGE_OUTPUTS) {
        return false;
    }
    has(&OVERFLOWS) || (has(&AMOUNTS) && has(&TOO_MUCH) && !has(&OUTPUTS))
}

/// Limits per unit of time, whatever they count.
const RATES: [&str; 18] = [
    "rate limit",
    "ratelimit",
    "too many requests",
    "per min", // also "per minute"
    "per-min",
    "/ min",
    "/min",
    "per day",
    "per-day",
    "per hour",
    "per second",
    "please wait",
    "retry after ",
    "retry in ",
    "quota",
    "your plan",
    "(tpm)",
    "(tpd)",
];

/// Phrases that suffice on their own.
#[rustfmt::skip]
const OVERFLOWS: [&str; 36] = [
    "prompt is too long", // Anthropic (recorded), Fireworks
    "prompt too long", // Ollama
    "exceed context limit", // Anthropic, where the input fits but not with `max_tokens` behind it
    "input is too long", // Bedrock, Hugging Face
    "maximum context length", // OpenAI, DeepSeek, Mistral, Fireworks, OpenRouter, vLLM before 0.16
    "model's context length", // vLLM (harbor-framework/harbor #996), SGLang
    "maximum model length", // vLLM from 0.16 on
    "exceeds the available context size", // llama.cpp
    "larger than the max context size", // llama.cpp, older
    "context the overflows", // LM Studio, as it is written
    "greater than the context length", // LM Studio
    "context overflow",
    "exceeds the context window", // OpenAI
    "context window exceeds limit", // MiniMax
    "context window exceeded",
    "context length exceeded",
    "maximum prompt length", // xAI (cline/cline #3120)
    "exceeded model token limit", // Moonshot (MoonshotAI/kimi-cli #2011)
    "exceeds the maximum number of tokens allowed", // Gemini
    "but model only supports up to", // Vertex
    "`inputs` tokens + `max_new_tokens` must be", // text-generation-inference, Together
    "`inputs` must have less than", // text-generation-inference
    "range of input length should be", // Alibaba (QwenLM/qwen-code #98)
    "tokens in request more than max tokens allowed", // gateways of Amazon's models
    "too many tokens", // Cohere
    "too many input tokens", // Bedrock
    "#/inputtext: expected maxlength", // Bedrock, Titan
    "but the configured context size is", // DS4
    "reduce the length of the messages", // Groq, Cerebras
    "exceed max message tokens", // Volcengine
    "exceeds the limit of tokens",
    "prompt exceeds max length", // Z.AI, 1261
    "input tokens exceed the configured limit", // Azure, Databricks
    "contextwindowexceedederror", // LiteLLM's proxy
    "超长", // Zhipu, 1261
    "上下文长度", // several, "context length"
];

/// Words for an amount of input.
const AMOUNTS: [&str; 23] = [
    "context length",
    "context window",
    "context size",
    "context limit",
    "max context",
    "sequence length",
    "max_seq_len",
    "max_model_len",
    "prompt length",
    "input length",
    "input prompt",
    "length of prompt_tokens",
    "prompt tokens",
    "prompt token count",
    "input tokens",
    "input token count",
    "number of tokens in the prompt",
    "tokens in the prompt",
    "tokens in request",
    "token limit",
    "total tokens",
    "request body too large for", // GitHub Models, in tokens
    "prompt exceeds",
];

/// Words for "too much".
const TOO_MUCH: [&str; 16] = [
    "exceed",
    "too long",
    "too large",
    "too big",
    "longer than",
    "larger than",
    "greater than",
    "more than",
    "overflow",
    "less than",
    "at most",
    "is only",
    "supports up to",
    "reduce the length",
    "beyond",
    "surpass",
];

/// Messages about a too large output only, whatever else they say. vLLM also names the context
/// window (vllm-project/vllm #19861), and Cohere says "too many tokens".
const LARGE_OUTPUTS: [&str; 5] = [
    "max_tokens is too large",
    "max_tokens' is too large",
    "max_completion_tokens is too large",
    "max_completion_tokens' is too large",
    "max tokens must be less than",
];

/// Words for the requested output, or a setting of the server.
const OUTPUTS: [&str; 9] = [
    "completion tokens",
    "maximum allowed number of output tokens",
    "max_tokens is too large",
    "max_tokens must be",
    "max_completion_tokens",
    "max_output_tokens",
    "budget_tokens",
    "too small",
    "thinking budget",
];

/// Returns true if a message (in lower case) says that the model does not exist. A few words may
/// separate "model" from the verdict.
pub(super) fn is_unknown_model(message: &str) -> bool {
    if UNKNOWN_MODELS.iter().any(|phrase| message.contains(phrase)) {
        return true;
    }
    VERDICTS.iter().any(|verdict| {
        message.match_indices(verdict).any(|(at, _)| {
            let before: Vec<&str> = message[..at].split_whitespace().rev().take(6).collect();
            before.iter().any(|word| {
                let word = word.trim_matches(|char: char| !char.is_alphanumeric());
                word == "model" || word.starts_with("models/")
            })
        })
    })
}

#[rustfmt::skip]
const UNKNOWN_MODELS: [&str; 26] = [
    "model not exist", // DeepSeek
    "invalid model name", // LiteLLM, Mistral's gateways
    "invalid model:", // Mistral
    "invalid model '", // Perplexity
    "invalid model `",
    "invalid model \"",
    "is not a valid model", // OpenRouter, "is not a valid model ID"
    "no such model", // Cloudflare
    "unknown model", // GitHub, MiniMax
    "unrecognized model",
    "not found the model", // Moonshot
    "model identifier is invalid", // Bedrock
    "llm provider not provided", // LiteLLM
    "litellm.notfounderror", // LiteLLM
    "not supported by any provider", // Hugging Face
    "is not supported by provider", // Hugging Face
    "has been decommissioned", // Groq
    "invalid model identifier", // LM Studio
    "no models loaded", // LM Studio
    "unsupported model `", // Alibaba
    "unsupported model '",
    "unsupported model:",
    "unable to access model", // Together
    "could not resolve the foundation model", // Bedrock
    "could not find real modelid", // llama-swap
    "模型不存在", // Zhipu, 1211
];

const VERDICTS: [&str; 6] =
    ["does not exist", "doesn't exist", "not found", "was not found", "is not found", "not exist"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendors_message_about_a_full_context_window_is_recognised() {
        for message in [
            // OpenAI, whole and by Responses; the same from Azure, DeepSeek, vLLM, NVIDIA.
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 tokens. Please reduce the length of the messages.",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "prompt is too long: 213462 tokens > 200000 maximum",
            "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000, decrease input length or `max_tokens` and try again",
            // Gemini and Vertex.
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "Unable to submit request because the input token count is 33393 but model only supports up to 32768.",
            // Mistral.
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            // Groq and Cerebras.
            "Please reduce the length of the messages or completion.",
            "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
            // Together and text-generation-inference.
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
            "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000",
            "The prompt is too long: 140000, model maximum context length: 131071",
            "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            // Cohere.
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using a shorter prompt",
            "too many tokens: size limit exceeded by 1000 tokens. Try using shorter or fewer inputs",
            // OpenRouter.
            "This endpoint's maximum context length is 1048576 tokens. However, you requested about 1293741 tokens.",
            "Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)",
            // Zhipu and Z.AI.
            "Prompt 超长",
            "Prompt exceeds max length",
            // Alibaba, SiliconFlow, Volcengine, MiniMax.
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 204800]",
            "length of prompt_tokens (9000) must be less than max_seq_len (8192).",
            "Input length 203743 exceeds the maximum length 202752",
            "Total tokens of image and text exceed max message tokens",
            "invalid params, context window exceeds limit (2013)",
            // vLLM and SGLang.
            "You passed 5000 input tokens and requested 100 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3996 tokens.",
            "The decoder prompt (length 40000) is longer than the maximum model length of 32768.",
            "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).",
            "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            "Requested token count exceeds the model's maximum context length of 4096 tokens.",
            // llama.cpp, LM Studio, Ollama.
            "the request exceeds the available context size. try increasing the context size or enable context shift",
            "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "input is larger than the max context size. skipped",
            "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.",
            "The number of tokens to keep from the initial prompt is greater than the context length.",
            "prompt too long; exceeded max context length by 20 tokens",
            "the input length exceeds the context length",
            // Bedrock and its gateways.
            "Input is too long for requested model.",
            "tokens in request more than max tokens allowed",
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
            // Cloudflare, GitHub, Databricks, watsonx, SambaNova, LiteLLM.
            "The estimated number of input and maximum output tokens (5000) exceeded this model context window limit (4096).",
            "Request body too large for gpt-4o model. Max size: 8000 tokens.",
            "prompt token count of 140000 exceeds the limit of 128000",
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            "the number of input tokens 10000 cannot exceed the total tokens limit 8191 for this model",
            "The maximum context length of this model is 4096. However, answering your request would take 4200 tokens.",
            "litellm.ContextWindowExceededError: litellm.BadRequestError: too long",
            // Bedrock (LiteLLM, `exception_mapping_utils.py`; its Mantle, BerriAI/litellm #36546).
            "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
            "Malformed input request: #/inputText: expected maxLength: 50000, actual: 58466, please reformat your input and try again.",
            "prompt tokens (300000) exceed model maximum (262144)",
            // earendil-works/pi, `packages/ai/src/utils/overflow.ts`, and its descendants' tests.
            "Input length (265330) exceeds model's maximum context length (262144).",
            "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
            "Your input exceeds the model's context window",
            "Prompt has 256468 tokens, but the configured context size is 256000 tokens",
            "Model context limit reached. Conversation size exceeds model capacity.",
            "Token limit exceeded",
            // llama-cpp-python (abetlen/llama-cpp-python #120), llama.cpp, vLLM from 0.8 on.
            "Requested tokens (600) exceed context window of 512",
            "Context size has been exceeded.",
            "This model's maximum context length is 4096 tokens. However, you requested 100 output tokens and your prompt contains at least 4000 input tokens, for a total of at least 4100 tokens. Please reduce the length of the input prompt or the number of requested output tokens.",
            "This model's maximum context length is 4097 tokens, however you requested 5000 tokens (4500 in your prompt; 500 for the completion). Please reduce your prompt; or completion length.",
            "Input prompt (2664 tokens) is too long and exceeds limit of 2048",
        ] {
            assert!(is_overflow(&message.to_lowercase()), "{message}");
        }
    }

    #[test]
    fn similar_messages_do_not_mean_a_full_context_window() {
        for message in [
            "max_tokens is too large: 50000. This model supports at most 16384 completion tokens, whereas you provided 50000.",
            "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5",
            "`max_completion_tokens` must be less than or equal to 8192",
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
            "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 9000.",
            "Request too large for model `l` on tokens per minute (TPM): Limit 6000, Requested 9000",
            "Number of request tokens has exceeded your per-minute rate limit",
            "Too many tokens, please wait before trying again.",
            "You exceeded your current quota, please check your plan and billing details.",
            "Model context window too small (minimum is 128k tokens)",
            "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576",
            "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum",
            "Request exceeds the maximum size",
            "Invalid 'stop': array too long. Expected an array with maximum length 4",
            "temperature must be less than 2",
            // The output alone: vLLM (stepfun-ai/Step-Audio-R1 #3), Groq, Cohere, Bedrock, Gemini,
            // Alibaba, DeepSeek.
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 16384 tokens and your request has 20 input tokens (32000 > 16384 - 20).",
            "max_tokens is too large: 32000. This model's maximum context length is 16384 tokens and your request has 20 input tokens.",
            "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
            "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 8192.",
            "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096.",
            "Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) to 8193 (exclusive).",
            "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]",
            "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
            // Rates and allowances.
            "Rate limit reached on tokens per min. Limit: 40000 / min. Current: 45000 / min. Input tokens exceed it.",
            "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 26 seconds.",
            "Too many tokens per day, please wait before trying again.",
            "Total tokens used exceed what your plan allows; upgrade it",
            "Token limit exceeded for today: tokens per day (TPD): Limit 500000",
            // Too little.
            "The cached content is of 1000 tokens. The minimum token count to start caching is 4096.",
            "#/toolConfig/tools/0/name: expected maxLength: 64, actual: 70",
            "",
        ] {
            assert!(!is_overflow(&message.to_lowercase()), "{message}");
        }
    }

    #[test]
    fn every_vendors_message_about_an_unknown_model_is_recognised() {
        for message in [
            "The model `gpt-9` does not exist or you do not have access to it.",
            "The requested model 'x' does not exist",
            "/chat/completions: Invalid model name passed in model=gpt-9. Call `/v1/models` to view available models for your key.",
            "litellm.NotFoundError: OpenAIException - no",
            "LLM Provider NOT provided. Pass in the LLM provider you are trying to call. You passed model=x",
            "google/gemini-9 is not a valid model ID",
            "Invalid model: mistral-huge",
            "Invalid model 'sonar-9'. Permitted models can be found in the documentation",
            "Model Not Exist",
            "Model does not exist. Please check it carefully.",
            "模型不存在，请检查模型代码。",
            "Not found the model x or Permission denied",
            "model \"x\" not found, try pulling it first",
            "models/gemini-9 is not found for API version v1main",
            "No such model @cf/foo or task",
            "The provided model identifier is invalid.",
            "Unknown model: foo",
            "Model not found, inaccessible, and/or not deployed",
            "The requested model x is not supported by any provider you have enabled.",
            "The model `mixtral-8x7b` has been decommissioned and is no longer supported.", // Groq
            "Model x is not supported by provider y.", // Hugging Face
            "Invalid model identifier \"x\". Please specify a valid downloaded model", // LM Studio
            "No models loaded. Please load a model in the developer page or use the `lms load` command.", // LM Studio
            "Unsupported model `x` for OpenAI compatibility mode.", // Alibaba
            "Unable to access model x. Please visit https://api.together.ai/models", // Together
            "Could not resolve the foundation model from the provided model identifier.", // Bedrock
            "could not find real modelID for x",                    // llama-swap
            "Publisher Model `projects/p/locations/l/publishers/anthropic/models/x` was not found or your project does not have access to it.", // Vertex
        ] {
            assert!(is_unknown_model(&message.to_lowercase()), "{message}");
        }
        for message in [
            "Tool call id not found in model output",
            "This model does not support tools",
            "The tool `x` does not exist",
            "File file-1 not found",
            "No tool call found for function call output with call_id x",
            "The chosen model was fine, and afterwards the file that you named in it does not exist",
            "Unsupported model parameter: top_k",
            "Invocation of model ID x with on-demand throughput isn't supported.",
        ] {
            assert!(!is_unknown_model(&message.to_lowercase()), "{message}");
        }
    }
}
