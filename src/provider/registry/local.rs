//! Servers that people run themselves. None of them needs a key unless it was set up with
//! one.

use super::{FOLLOWER, Row};
use crate::provider::{Dialect, ModelNames};

/// Servers that compile a schema into a grammar themselves (vLLM and SGLang by xgrammar,
/// the others by llama.cpp's GBNF), and so take more than OpenAI does.
const COMPILES: Dialect = Dialect { schema_subset: false, ..FOLLOWER };

pub(super) static ROWS: &[Row] = &[
    // Its `/v1` reads past `max_completion_tokens`, so that a limit would not hold.
    // `OLLAMA_API_KEY` is the key of Ollama's cloud, and is not sent to one's own server.
    Row::chat("ollama", &["ollama_chat"], "http://localhost:11434/v1", |profile| {
        profile
            .docs("https://docs.ollama.com/api/openai-compatibility")
            .host_variables(["OLLAMA_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_HOST"])
            .key_optional()
            .dialect(COMPILES)
    }),
    Row::chat("vllm", &["hosted_vllm"], "http://localhost:8000/v1", |profile| {
        profile
            .docs("https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html")
            .base_url_variables(["HOSTED_VLLM_API_BASE"])
            .key_variables(["VLLM_API_KEY", "HOSTED_VLLM_API_KEY"])
            .key_optional()
            .dialect(COMPILES)
    }),
    Row::chat("sglang", &[], "http://localhost:30000/v1", |profile| {
        profile
            .docs("https://docs.sglang.io/docs/basic_usage/openai_api_completions")
            .key_variables(["SGLANG_API_KEY"])
            .key_optional()
            .dialect(COMPILES)
    }),
    Row::chat(
        "llamacpp",
        &["llama.cpp", "llama_cpp", "llama-cpp", "llamafile"],
        "http://localhost:8080/v1",
        |profile| {
            profile
                .docs("https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md")
                .base_url_variables(["LLAMAFILE_API_BASE"])
                .key_variables(["LLAMA_API_KEY"])
                .key_optional()
                .dialect(COMPILES)
        },
    ),
    Row::chat("lmstudio", &["lm_studio", "lm-studio"], "http://localhost:1234/v1", |profile| {
        profile
            .docs("https://lmstudio.ai/docs/developer/openai-compat")
            .base_url_variables(["LM_STUDIO_API_BASE"])
            .key_variables(["LM_API_TOKEN", "LMSTUDIO_API_KEY", "LM_STUDIO_API_KEY"])
            .key_optional()
            .dialect(COMPILES)
    }),
    Row::chat(
        "litellm",
        &["litellm_proxy", "litellm-proxy"],
        "http://localhost:4000/v1",
        |profile| {
            profile
                .model_names(ModelNames::Gateway)
                .docs("https://docs.litellm.ai/docs/providers/litellm_proxy")
                .host_variables(["LITELLM_PROXY_API_BASE"])
                .key_variables(["LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"])
                .key_optional()
                .dialect(FOLLOWER)
        },
    ),
];
