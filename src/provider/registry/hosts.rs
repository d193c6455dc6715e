//! Hosts and gateways that serve models of many publishers with OpenAI's Chat Completions, by name.
//! Addresses and keys come from the page in `docs`; other facts name their source.

use super::{FOLLOWER, Row};
use crate::embed::EmbeddingFormat;
use crate::provider::{BatchFormat, BatchProfile, ModelNames};
use crate::wire::openai_chat::{
    Dialect, ImageInput, OutputLimit, Prefill, ReasoningBack, ReasoningControl, ReasoningMember,
    ResponseFormats,
};

pub(super) static ROWS: &[Row] = &[
    // Ignores earlier reasoning (guide "Deep thinking").
    // `enable_thinking` switches thinking on. Only a few models support `reasoning_effort`, and they
    // refuse it together with a budget (the same guide).
    Row::chat(
        "alibaba",
        &["dashscope", "qwen"],
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                // 50,000 requests and 500 MB, at half the price, also of embeddings
                // (help.aliyun.com/en/model-studio/batch-inference, and its page on the
                // OpenAI-compatible Batch API for both base URLs).
                .batches(BatchProfile::new(BatchFormat::OpenAi, 50_000, 500_000_000).embeddings())
                .docs("https://www.alibabacloud.com/help/en/model-studio/base-url")
                .base_url_variables(["DASHSCOPE_BASE_URL", "DASHSCOPE_API_BASE"])
                .key_variables(["DASHSCOPE_API_KEY", "ALIBABA_API_KEY"])
                .dialect(Dialect {
                    reasoning_back: ReasoningBack::Never,
                    reasoning_control: ReasoningControl::EnableThinking,
                    // alibabacloud.com/help/en/model-studio/partial-mode
                    prefill: Prefill::Partial,
                    ..FOLLOWER
                })
        },
    ),
    Row::chat("baseten", &[], "https://inference.baseten.co/v1", |profile| {
        profile
            .docs("https://docs.baseten.co/reference/inference-api/chat-completions")
            .base_url_variables(["BASETEN_API_BASE"])
            .key_variables(["BASETEN_API_KEY"])
            .dialect(FOLLOWER)
    }),
    Row::chat("chutes", &[], "https://llm.chutes.ai/v1", |profile| {
        profile
            .docs("https://chutes.ai/docs/guides/reasoning-models")
            .key_variables(["CHUTES_API_KEY"])
            .dialect(FOLLOWER)
    }),
    Row::chat(
        "cloudflare",
        &["cloudflare-workers-ai", "workers-ai"],
        "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        |profile| {
            profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility")
            .key_variables(["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"])
            .dialect(Dialect { output_limit: OutputLimit::ByModel, ..FOLLOWER })
        },
    ),
    Row::chat("databricks", &[], "https://{DATABRICKS_HOST}/ai-gateway/mlflow/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.databricks.com/aws/en/ai-gateway/query-model-services")
            .base_url_variables(["DATABRICKS_API_BASE"])
            .key_variables(["DATABRICKS_TOKEN", "DATABRICKS_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // Neither `parallel_tool_calls` nor a function's `strict` is in its schema (its OpenAPI file, in
    // tryAGI/DeepInfra).
    Row::chat("deepinfra", &["deep-infra"], "https://api.deepinfra.com/v1/openai", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            // 50,000 lines and 200 MB, at "20% below real-time pricing". Not for Responses
            // (docs.deepinfra.com, "Introduction to Batch API").
            .batches(
                BatchProfile::new(BatchFormat::OpenAi, 50_000, 200_000_000)
                    .embeddings()
                    .price_percent(80),
            )
            .docs("https://docs.deepinfra.com/chat/overview")
            .base_url_variables(["DEEPINFRA_API_BASE"])
            .key_variables(["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN", "DEEPINFRA_API_TOKEN"])
            .dialect(Dialect { parallel_tool_calls: false, strict_tools: false, ..FOLLOWER })
    }),
    Row::chat(
        "fireworks",
        &["fireworks_ai", "fireworks-ai"],
        "https://api.fireworks.ai/inference/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                .docs("https://docs.fireworks.ai/tools-sdks/openai-compatibility")
                .base_url_variables(["FIREWORKS_API_BASE"])
                .host_variables(["FIREWORKS_BASE_URL"])
                .key_variables([
                    "FIREWORKS_API_KEY",
                    "FIREWORKS_AI_API_KEY",
                    "FIREWORKSAI_API_KEY",
                    "FIREWORKS_AI_TOKEN",
                ])
                .dialect(FOLLOWER)
        },
    ),
    Row::chat("friendli", &["friendliai"], "https://api.friendli.ai/serverless/v1", |profile| {
        profile
            .docs("https://friendli.ai/docs/openapi/model-apis/chat-completions")
            .base_url_variables(["FRIENDLI_API_BASE"])
            .key_variables(["FRIENDLI_TOKEN", "FRIENDLIAI_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // "Gemini only implements the chat-completion API" (IBM/AI-SDK-Db2-IBMi #32).
    Row::chat(
        "gemini-openai",
        &["google-openai"],
        "https://generativelanguage.googleapis.com/v1beta/openai",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                .docs("https://ai.google.dev/gemini-api/docs/openai")
                .key_variables(["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"])
                .prices("google")
                .dialect(Dialect { text_completions: false, ..FOLLOWER })
        },
    ),
    // Refuses message members that are not in its schema, even those of its own answers:
    // "property 'reasoning' is unsupported" (karthink/gptel #774). Text completions are not supported
    // (the page in `docs`, "Currently Unsupported OpenAI Features").
    Row::chat("groq", &[], "https://api.groq.com/openai/v1", |profile| {
        profile
            // 50,000 lines, half the price, and 200 MB (console.groq.com/docs/batch). The reference
            // of `POST /files` allows 100 MB (groq-python, `files.create`); the smaller number is
            // safe.
            .batches(BatchProfile::new(BatchFormat::OpenAi, 50_000, 100_000_000))
            .docs("https://console.groq.com/docs/openai")
            .base_url_variables(["GROQ_API_BASE"])
            .host_variables(["GROQ_BASE_URL"])
            .key_variables(["GROQ_API_KEY"])
            .dialect(Dialect { unknown_members: false, text_completions: false, ..FOLLOWER })
    }),
    // Neither `parallel_tool_calls` nor a function's `strict` is on its page.
    Row::chat("huggingface", &["hf"], "https://router.huggingface.co/v1", |profile| {
        profile
            .docs("https://huggingface.co/docs/inference-providers/tasks/chat-completion")
            .base_url_variables(["HF_API_BASE", "HUGGINGFACE_API_BASE"])
            .key_variables(["HF_TOKEN", "HUGGINGFACE_API_KEY", "HUGGING_FACE_HUB_TOKEN"])
            .dialect(Dialect { parallel_tool_calls: false, strict_tools: false, ..FOLLOWER })
    }),
    Row::chat(
        "nebius",
        &["nebius-token-factory"],
        "https://api.tokenfactory.nebius.com/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                // Half the price, up to 5,000,000 requests and 10 GB
                // (docs.tokenfactory.nebius.com/ai-models-inference/batch-inference). Smaller jobs,
                // because each is in memory while it is uploaded.
                .batches(BatchProfile::new(BatchFormat::OpenAi, 100_000, 500_000_000))
                .docs("https://docs.tokenfactory.nebius.com/api-reference/introduction")
                .base_url_variables(["NEBIUS_API_BASE"])
                .key_variables(["NEBIUS_API_KEY"])
                .dialect(FOLLOWER)
        },
    ),
    // `enable_thinking` (the same page).
    Row::chat("novita", &["novita-ai"], "https://api.novita.ai/openai/v1", |profile| {
        profile
            .model_names(ModelNames::Gateway)
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            // 50,000 requests and 100 MB (novita.ai/docs/guides/llm-batch-api). It names no discount, so
            // budgets count the full price.
            .batches(BatchProfile::new(BatchFormat::OpenAi, 50_000, 100_000_000).price_percent(100))
            .docs("https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion")
            .base_url_variables(["NOVITA_API_BASE"])
            .key_variables(["NOVITA_API_KEY"])
            .dialect(Dialect { reasoning_control: ReasoningControl::EnableThinking, ..FOLLOWER })
    }),
    Row::chat("nvidia", &["nvidia_nim", "nim"], "https://integrate.api.nvidia.com/v1", |profile| {
        profile
            .model_names(ModelNames::Gateway)
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.api.nvidia.com/nim/reference/llm-apis")
            .base_url_variables(["NVIDIA_NIM_API_BASE"])
            .key_variables(["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY", "NIM_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // "ollama.com acts as a remote Ollama host" (docs.ollama.com/cloud). It has chat models only: its
    // `/api/tags` lists no model for embeddings, and `/v1/embeddings` is a 404 (ollama/ollama #17129,
    // #14496).
    Row::ollama("ollama-cloud", &[], "https://ollama.com", |profile| {
        profile.docs("https://docs.ollama.com/cloud").key_variables(["OLLAMA_API_KEY"])
    }),
    // Like `ollama-openai`.
    Row::chat("ollama-cloud-openai", &[], "https://ollama.com/v1", |profile| {
        profile
            .docs("https://docs.ollama.com/api/openai-compatibility")
            .key_variables(["OLLAMA_API_KEY"])
            .prices("ollama-cloud")
            .dialect(Dialect {
                reasoning_member: ReasoningMember::Received,
                parallel_tool_calls: false,
                strict_tools: false,
                images: ImageInput::Bytes,
                files: false,
                ..FOLLOWER
            })
    }),
    // `reasoning: {effort}`. Earlier reasoning goes back as `reasoning_details`, or as `reasoning` if
    // there are none (guide "Reasoning Tokens").
    Row::chat("openrouter", &[], "https://openrouter.ai/api/v1", |profile| {
        profile
            .model_names(ModelNames::Gateway)
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://openrouter.ai/docs/quickstart")
            .base_url_variables(["OPENROUTER_API_BASE"])
            .key_variables(["OPENROUTER_API_KEY", "OR_API_KEY"])
            .dialect(Dialect {
                // openrouter.ai/docs/features/prompt-caching, "Anthropic Claude".
                cache_points: true,
                reasoning_member: ReasoningMember::Received,
                reasoning_control: ReasoningControl::ReasoningObject,
                ..FOLLOWER
            })
    }),
    Row::chat("ovhcloud", &[], "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", |profile| {
        profile
            .docs("https://docs.ovhcloud.com/en/guides/public-cloud/ai-machine-learning/ai-endpoints-getting-started")
            .key_variables(["OVH_AI_ENDPOINTS_ACCESS_TOKEN", "OVHCLOUD_API_KEY", "OVH_API_KEY"])
            .key_optional()
            .dialect(FOLLOWER)
    }),
    // Ignores a `reasoning_effort` in Chat Completions (its page, "Known issues").
    Row::chat("poe", &[], "https://api.poe.com/v1", |profile| {
        profile
            .docs("https://creator.poe.com/docs/external-applications/openai-compatible-api")
            .key_variables(["POE_API_KEY"])
            .dialect(Dialect { reasoning_control: ReasoningControl::Unsupported, ..FOLLOWER })
    }),
    Row::chat("requesty", &[], "https://router.requesty.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Gateway)
            .docs("https://github.com/requestyai/skills/blob/main/requesty-api-integration/docs/api-reference.md")
            .key_variables(["REQUESTY_API_KEY"])
            .dialect(FOLLOWER)
    }),
    Row::chat("scaleway", &[], "https://api.scaleway.ai/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api/")
            .key_variables(["SCW_SECRET_KEY", "SCALEWAY_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // Every chunk reports usage, without being asked (siliconflow/langchain-siliconflow).
    // `enable_thinking`, and JSON mode without a schema (docs.siliconflow.cn/docs/api/chat-completions-post).
    Row::chat("siliconflow", &[], "https://api.siliconflow.com/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions")
            .key_variables(["SILICONFLOW_API_KEY", "SILICONFLOW_CN_API_KEY"])
            .dialect(Dialect {
                stream_options: false,
                reasoning_control: ReasoningControl::EnableThinking,
                response_formats: ResponseFormats::JsonObject,
                ..FOLLOWER
            })
    }),
    // `strict` is in its schema of response formats only (togethercomputer/openapi).
    Row::chat(
        "together",
        &["together_ai", "togetherai", "together-ai"],
        "https://api.together.ai/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                // Up to 50,000 requests and 100 MB. Only a few models have a discount, and the list
                // changes: "models not listed run at standard rates"
                // (docs.together.ai/docs/inference/batch/overview). So budgets count the full price.
                .batches(
                    BatchProfile::new(BatchFormat::Together, 50_000, 100_000_000)
                        .price_percent(100),
                )
                .docs("https://docs.together.ai/docs/inference/openai-compatibility")
                .base_url_variables(["TOGETHER_AI_API_BASE"])
                .host_variables(["TOGETHER_BASE_URL"])
                .key_variables([
                    "TOGETHER_API_KEY",
                    "TOGETHERAI_API_KEY",
                    "TOGETHER_AI_API_KEY",
                    "TOGETHER_AI_TOKEN",
                ])
                .dialect(Dialect { strict_tools: false, ..FOLLOWER })
        },
    ),
    Row::chat("venice", &["veniceai"], "https://api.venice.ai/api/v1", |profile| {
        profile
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.venice.ai/api-reference/endpoint/chat/completions")
            .key_variables(["VENICE_API_KEY", "VENICE_AI_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // `reasoning: {effort}` (its page "Reasoning").
    Row::chat(
        "vercel-ai-gateway",
        &["vercel", "vercel_ai_gateway"],
        "https://ai-gateway.vercel.sh/v1",
        |profile| {
            profile
                .model_names(ModelNames::Gateway)
                .docs("https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions")
                .key_variables([
                    "AI_GATEWAY_API_KEY",
                    "VERCEL_AI_GATEWAY_API_KEY",
                    "VERCEL_OIDC_TOKEN",
                ])
                .dialect(Dialect {
                    reasoning_member: ReasoningMember::Received,
                    reasoning_control: ReasoningControl::ReasoningObject,
                    ..FOLLOWER
                })
        },
    ),
    // The last chunk reports usage, without being asked (wandb/docs, `streaming.mdx`).
    // `chat_template_kwargs.enable_thinking` (anomalyco/models.dev, `providers/wandb`).
    Row::chat(
        "wandb",
        &["wandb-inference", "weights-and-biases"],
        "https://api.inference.wandb.ai/v1",
        |profile| {
            profile
                .docs("https://docs.wandb.ai/inference/api-reference/chat-completions")
                .key_variables(["WANDB_API_KEY"])
                .dialect(Dialect {
                    stream_options: false,
                    reasoning_control: ReasoningControl::ChatTemplate,
                    ..FOLLOWER
                })
        },
    ),
];
