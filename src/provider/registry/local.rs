//! Servers that people run themselves. They need no key unless set up with one.

use super::{FOLLOWER, Row};
use crate::embed::EmbeddingFormat;
use crate::provider::{
    Dialect, ImageInput, ModelNames, ReasoningControl, ReasoningMember, ResponseFormats,
};

/// Servers that compile a schema into a grammar themselves (vLLM and SGLang with xgrammar, the
/// others with llama.cpp's GBNF), and so accept more than OpenAI does.
const COMPILES: Dialect = Dialect { schema_subset: false, ..FOLLOWER };

pub(super) static ROWS: &[Row] = &[
    // The address is the default of Ollama's own client, as is `OLLAMA_HOST`
    // (`Host` in ollama/ollama `envconfig/config.go`); LiteLLM has the other two variables.
    // `OLLAMA_API_KEY` is the key for Ollama's cloud, and is not sent to a local server.
    Row::ollama("ollama", &["ollama_chat"], "http://127.0.0.1:11434", |profile| {
        profile
            .embeddings(EmbeddingFormat::Ollama)
            .docs("https://docs.ollama.com/api/chat")
            .host_variables(["OLLAMA_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_HOST"])
            .key_optional()
    }),
    // Its `/v1` ignores `max_completion_tokens`, so that a limit would not apply.
    // It ignores `parallel_tool_calls` and `strict`, accepts images only by their bytes, and no other
    // parts (ollama/ollama, `openai/openai.go`). Reasoning comes and goes back as `reasoning`.
    Row::chat("ollama-openai", &[], "http://127.0.0.1:11434/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.ollama.com/api/openai-compatibility")
            .host_variables(["OLLAMA_HOST"])
            .key_optional()
            .prices("ollama")
            .dialect(Dialect {
                reasoning_member: ReasoningMember::Received,
                parallel_tool_calls: false,
                strict_tools: false,
                images: ImageInput::Bytes,
                files: false,
                ..COMPILES
            })
    }),
    // Templates know either `reasoning_effort` (gpt-oss) or `enable_thinking` (Qwen); reasoning comes
    // and goes back as `reasoning` (`vllm/entrypoints/openai/chat_completion/protocol.py`).
    Row::chat("vllm", &["hosted_vllm"], "http://localhost:8000/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html")
            .base_url_variables(["HOSTED_VLLM_API_BASE"])
            .key_variables(["VLLM_API_KEY", "HOSTED_VLLM_API_KEY"])
            .key_optional()
            .dialect(Dialect {
                reasoning_member: ReasoningMember::Received,
                reasoning_control: ReasoningControl::EffortAndChatTemplate,
                ..COMPILES
            })
    }),
    // Like vLLM, with `reasoning_content` (docs.sglang.io, "Reasoning Parser").
    Row::chat("sglang", &[], "http://localhost:30000/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.sglang.io/docs/basic_usage/openai_api_completions")
            .key_variables(["SGLANG_API_KEY"])
            .key_optional()
            .dialect(Dialect {
                reasoning_control: ReasoningControl::EffortAndChatTemplate,
                ..COMPILES
            })
    }),
    // Like SGLang (`tools/server/README.md`, `chat_template_kwargs`).
    Row::chat(
        "llamacpp",
        &["llama.cpp", "llama_cpp", "llama-cpp", "llamafile"],
        "http://localhost:8080/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                .docs("https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md")
                .base_url_variables(["LLAMAFILE_API_BASE"])
                .key_variables(["LLAMA_API_KEY"])
                .key_optional()
                .dialect(Dialect {
                    reasoning_control: ReasoningControl::EffortAndChatTemplate,
                    ..COMPILES
                })
        },
    ),
    // Answers `json_object` with 400 (lmstudio-ai/docs, `openai-compat`).
    Row::chat("lmstudio", &["lm_studio", "lm-studio"], "http://localhost:1234/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://lmstudio.ai/docs/developer/openai-compat")
            .base_url_variables(["LM_STUDIO_API_BASE"])
            .key_variables(["LM_API_TOKEN", "LMSTUDIO_API_KEY", "LM_STUDIO_API_KEY"])
            .key_optional()
            .dialect(Dialect { response_formats: ResponseFormats::JsonSchema, ..COMPILES })
    }),
    Row::chat(
        "litellm",
        &["litellm_proxy", "litellm-proxy"],
        "http://localhost:4000/v1",
        |profile| {
            profile
                .model_names(ModelNames::Gateway)
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                .docs("https://docs.litellm.ai/docs/providers/litellm_proxy")
                .host_variables(["LITELLM_PROXY_API_BASE"])
                .key_variables(["LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"])
                .key_optional()
                .dialect(Dialect {
                    // docs.litellm.ai/docs/completion/prompt_caching
                    cache_points: true,
                    ..FOLLOWER
                })
        },
    ),
];
