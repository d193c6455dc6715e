//! Vendors that speak OpenAI's Chat Completions, in the order of their names behind OpenAI
//! itself. Addresses and keys are those of the page in `docs`; other facts name their source.

use super::{FOLLOWER, MAX_COMPLETION, OPENAI, Row};
use crate::provider::{Auth, ModelNames};
use crate::wire::openai_chat::{
    CallIds, Dialect, ImageInput, InstructionRole, OutputLimit, ReasoningBack, ReasoningControl,
    ReasoningMember, ResponseFormats, Seed,
};

pub(super) static ROWS: &[Row] = &[
    Row::chat("openai", &[], "https://api.openai.com/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://developers.openai.com/api/reference/overview")
            .base_url_variables(["OPENAI_API_BASE"])
            .key_variables(["OPENAI_API_KEY"])
            .dialect(OPENAI)
    }),
    // As OpenAI; models of partners such as Mistral want `max_tokens`
    // (pydantic/pydantic-ai #6593).
    Row::chat(
        "azure",
        &["azure-openai", "azure_openai"],
        "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .docs(
                    "https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle",
                )
                .host_variables(["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"])
                .key_variables(["AZURE_API_KEY", "AZURE_OPENAI_API_KEY"])
                .token_variables(["AZURE_OPENAI_AD_TOKEN", "AZURE_AD_TOKEN"])
                .auth(Auth::header("api-key"))
                .dialect(Dialect { call_ids: CallIds::UpTo40, ..MAX_COMPLETION })
        },
    ),
    // The older form of the address, with the deployment as the model. 2024-10-21 is the last
    // version that is not a preview (the same page).
    Row::chat(
        "azure-deployments",
        &["azure_deployments"],
        "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/deployments/{model}?api-version={OPENAI_API_VERSION|AZURE_API_VERSION=2024-10-21}",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .docs("https://learn.microsoft.com/en-us/azure/foundry/openai/reference")
                .prices("azure")
                .host_variables(["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"])
                .key_variables(["AZURE_API_KEY", "AZURE_OPENAI_API_KEY"])
                .token_variables(["AZURE_OPENAI_AD_TOKEN", "AZURE_AD_TOKEN"])
                .auth(Auth::header("api-key"))
                .dialect(Dialect { call_ids: CallIds::UpTo40, ..MAX_COMPLETION })
        },
    ),
    // Reads past earlier reasoning (guide "Deep thinking").
    // Thinking is switched by `enable_thinking`; only a few models know `reasoning_effort`, and refuse
    // it beside a budget (the same guide).
    Row::chat(
        "alibaba",
        &["dashscope", "qwen"],
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        |profile| {
            profile
                .docs("https://www.alibabacloud.com/help/en/model-studio/base-url")
                .base_url_variables(["DASHSCOPE_BASE_URL", "DASHSCOPE_API_BASE"])
                .key_variables(["DASHSCOPE_API_KEY", "ALIBABA_API_KEY"])
                .dialect(Dialect {
                    reasoning_back: ReasoningBack::Never,
                    reasoning_control: ReasoningControl::EnableThinking,
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
    // `max_tokens` is deprecated there (cerebras_cloud_sdk 1.91).
    // Takes earlier reasoning as `reasoning` and refuses `reasoning_content` (vercel/ai
    // `packages/cerebras`).
    Row::chat("cerebras", &[], "https://api.cerebras.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://inference-docs.cerebras.ai/resources/openai")
            .base_url_variables(["CEREBRAS_API_BASE"])
            .host_variables(["CEREBRAS_BASE_URL"])
            .key_variables(["CEREBRAS_API_KEY"])
            .dialect(Dialect {
                instruction_role: InstructionRole::System,
                reasoning_member: ReasoningMember::Received,
                ..MAX_COMPLETION
            })
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
            .docs("https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility")
            .key_variables(["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"])
            .dialect(Dialect { output_limit: OutputLimit::ByModel, ..FOLLOWER })
        },
    ),
    // `parallel_tool_calls` is in its list of unsupported parameters.
    Row::chat(
        "cohere-openai",
        &["cohere-compat"],
        "https://api.cohere.ai/compatibility/v1",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .docs("https://docs.cohere.com/docs/compatibility-api")
                .key_variables(["COHERE_API_KEY", "CO_API_KEY"])
                .prices("cohere")
                .dialect(Dialect { parallel_tool_calls: false, ..FOLLOWER })
        },
    ),
    Row::chat("databricks", &[], "https://{DATABRICKS_HOST}/ai-gateway/mlflow/v1", |profile| {
        profile
            .docs("https://docs.databricks.com/aws/en/ai-gateway/query-model-services")
            .base_url_variables(["DATABRICKS_API_BASE"])
            .key_variables(["DATABRICKS_TOKEN", "DATABRICKS_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // Neither `parallel_tool_calls` nor a function's `strict` is in its schema (its OpenAPI file, in
    // tryAGI/DeepInfra).
    Row::chat("deepinfra", &["deep-infra"], "https://api.deepinfra.com/v1/openai", |profile| {
        profile
            .docs("https://docs.deepinfra.com/chat/overview")
            .base_url_variables(["DEEPINFRA_API_BASE"])
            .key_variables(["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN", "DEEPINFRA_API_TOKEN"])
            .dialect(Dialect { parallel_tool_calls: false, strict_tools: false, ..FOLLOWER })
    }),
    // V4 requires `reasoning_content` on every message of the assistant while it thinks
    // (guide "Thinking Mode"; vercel/ai `packages/deepseek`).
    // `thinking.type` switches it on, `reasoning_effort` sets how much. It has JSON mode without a
    // schema (guide "JSON Output").
    Row::chat("deepseek", &[], "https://api.deepseek.com", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://api-docs.deepseek.com/")
            .base_url_variables(["DEEPSEEK_API_BASE"])
            .key_variables(["DEEPSEEK_API_KEY"])
            .dialect(Dialect {
                reasoning_back: ReasoningBack::Always,
                reasoning_required: true,
                reasoning_control: ReasoningControl::ThinkingTypeAndEffort,
                response_formats: ResponseFormats::JsonObject,
                ..FOLLOWER
            })
    }),
    Row::chat(
        "fireworks",
        &["fireworks_ai", "fireworks-ai"],
        "https://api.fireworks.ai/inference/v1",
        |profile| {
            profile
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
    Row::chat(
        "gemini-openai",
        &["google-openai"],
        "https://generativelanguage.googleapis.com/v1beta/openai",
        |profile| {
            profile
                .docs("https://ai.google.dev/gemini-api/docs/openai")
                .key_variables(["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"])
                .prices("google")
                .dialect(FOLLOWER)
        },
    ),
    // Refuses members of messages that are not in its schema, even those of its own answers:
    // "property 'reasoning' is unsupported" (karthink/gptel #774).
    Row::chat("groq", &[], "https://api.groq.com/openai/v1", |profile| {
        profile
            .docs("https://console.groq.com/docs/openai")
            .base_url_variables(["GROQ_API_BASE"])
            .host_variables(["GROQ_BASE_URL"])
            .key_variables(["GROQ_API_KEY"])
            .dialect(Dialect { unknown_members: false, ..FOLLOWER })
    }),
    // Neither `parallel_tool_calls` nor a function's `strict` is on its page.
    Row::chat("huggingface", &["hf"], "https://router.huggingface.co/v1", |profile| {
        profile
            .docs("https://huggingface.co/docs/inference-providers/tasks/chat-completion")
            .base_url_variables(["HF_API_BASE", "HUGGINGFACE_API_BASE"])
            .key_variables(["HF_TOKEN", "HUGGINGFACE_API_KEY", "HUGGING_FACE_HUB_TOKEN"])
            .dialect(Dialect { parallel_tool_calls: false, strict_tools: false, ..FOLLOWER })
    }),
    // Answers images with 400 (juspay/neurolink, `catalog/inception-labs.json`).
    Row::chat(
        "inception",
        &["inceptionlabs", "inception-labs"],
        "https://api.inceptionlabs.ai/v1",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .docs("https://docs.inceptionlabs.ai/api-reference/chat/create-a-chat-completion")
                .base_url_variables(["INCEPTION_API_BASE"])
                .key_variables(["INCEPTION_API_KEY"])
                .dialect(Dialect { images: ImageInput::Unsupported, ..FOLLOWER })
        },
    ),
    Row::chat("meta", &["meta-model-api"], "https://api.meta.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://dev.meta.ai/docs/protocols/chat-completions")
            .base_url_variables(["META_API_BASE"])
            .key_variables(["META_API_KEY"])
            .dialect(Dialect { instruction_role: InstructionRole::System, ..MAX_COMPLETION })
    }),
    // "The complete model response must be appended to the conversation": reasoning, too.
    // `thinking.type` is `adaptive` or `disabled` (the same page).
    Row::chat("minimax", &["minimax-openai"], "https://api.minimax.io/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://platform.minimax.io/docs/api-reference/text-openai-api")
            .base_url_variables(["MINIMAX_API_BASE"])
            .key_variables(["MINIMAX_API_KEY"])
            .dialect(Dialect {
                instruction_role: InstructionRole::System,
                reasoning_back: ReasoningBack::Always,
                reasoning_control: ReasoningControl::AdaptiveThinking,
                ..MAX_COMPLETION
            })
    }),
    // Its schema is closed: it answers `stream_options`, `seed`, `max_completion_tokens` and
    // a `name` on messages with 422 (mistralai/platform-docs-public, `openapi-public-doc.yaml`
    // and "Known limitations"). Streams have usage unasked.
    Row::chat("mistral", &["mistralai"], "https://api.mistral.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://docs.mistral.ai/resources/migration-guides")
            .base_url_variables(["MISTRAL_API_BASE"])
            .key_variables(["MISTRAL_API_KEY"])
            .dialect(Dialect {
                stream_options: false,
                seed: Seed::RandomSeed,
                message_names: false,
                reasoning_back: ReasoningBack::Never,
                call_ids: CallIds::Nine,
                ..FOLLOWER
            })
    }),
    // A seed is not in its schema (its OpenAPI file, in tryAGI/Moonshot).
    // Kimi K2.5 and K2.6 know `thinking.type`, K3 `reasoning_effort`, and each reads past the other
    // (guides "Use Thinking Effort" and "Use Kimi K2 Thinking Model"). Beside tool calls it requires
    // `reasoning_content`. `parallel_tool_calls` is not in its schema.
    Row::chat("moonshot", &["moonshotai", "kimi"], "https://api.moonshot.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://platform.kimi.ai/docs/api/overview")
            .base_url_variables(["MOONSHOT_API_BASE", "KIMI_BASE_URL"])
            .key_variables(["MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"])
            .prices("moonshotai")
            .dialect(Dialect {
                seed: Seed::Unsupported,
                reasoning_required: true,
                reasoning_control: ReasoningControl::ThinkingTypeAndEffort,
                parallel_tool_calls: false,
                ..FOLLOWER
            })
    }),
    Row::chat(
        "nebius",
        &["nebius-token-factory"],
        "https://api.tokenfactory.nebius.com/v1",
        |profile| {
            profile
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
            .docs("https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion")
            .base_url_variables(["NOVITA_API_BASE"])
            .key_variables(["NOVITA_API_KEY"])
            .dialect(Dialect { reasoning_control: ReasoningControl::EnableThinking, ..FOLLOWER })
    }),
    Row::chat("nvidia", &["nvidia_nim", "nim"], "https://integrate.api.nvidia.com/v1", |profile| {
        profile
            .model_names(ModelNames::Gateway)
            .docs("https://docs.api.nvidia.com/nim/reference/llm-apis")
            .base_url_variables(["NVIDIA_NIM_API_BASE"])
            .key_variables(["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY", "NIM_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // As `ollama`.
    Row::chat("ollama-cloud", &[], "https://ollama.com/v1", |profile| {
        profile
            .docs("https://docs.ollama.com/api/openai-compatibility")
            .key_variables(["OLLAMA_API_KEY"])
            .dialect(Dialect {
                reasoning_member: ReasoningMember::Received,
                parallel_tool_calls: false,
                strict_tools: false,
                images: ImageInput::Bytes,
                files: false,
                ..FOLLOWER
            })
    }),
    // `reasoning: {effort}`; earlier reasoning goes back as `reasoning_details`, or as `reasoning` where
    // there are none (guide "Reasoning Tokens").
    Row::chat("openrouter", &[], "https://openrouter.ai/api/v1", |profile| {
        profile
            .model_names(ModelNames::Gateway)
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
    // Names on messages are not in its schema (sambanova/sambanova-python).
    Row::chat("sambanova", &[], "https://api.sambanova.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://docs.sambanova.ai/docs/en/get-started/api-keys-urls")
            .base_url_variables(["SAMBANOVA_API_BASE"])
            .key_variables(["SAMBANOVA_API_KEY"])
            .dialect(Dialect { message_names: false, ..FOLLOWER })
    }),
    Row::chat("scaleway", &[], "https://api.scaleway.ai/v1", |profile| {
        profile
            .docs("https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api/")
            .key_variables(["SCW_SECRET_KEY", "SCALEWAY_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // Usage comes with every chunk, unasked (siliconflow/langchain-siliconflow).
    // `enable_thinking`, and JSON mode without a schema (docs.siliconflow.cn/docs/api/chat-completions-post).
    Row::chat("siliconflow", &[], "https://api.siliconflow.com/v1", |profile| {
        profile
            .docs("https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions")
            .key_variables(["SILICONFLOW_API_KEY", "SILICONFLOW_CN_API_KEY"])
            .dialect(Dialect {
                stream_options: false,
                reasoning_control: ReasoningControl::EnableThinking,
                response_formats: ResponseFormats::JsonObject,
                ..FOLLOWER
            })
    }),
    Row::chat("stepfun", &[], "https://api.stepfun.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://platform.stepfun.ai/docs/en/api-reference/chat/chat-completion-create")
            .key_variables(["STEPFUN_API_KEY"])
            .dialect(FOLLOWER)
    }),
    // `strict` is in its schema of response formats only (togethercomputer/openapi).
    Row::chat(
        "together",
        &["together_ai", "togetherai", "together-ai"],
        "https://api.together.ai/v1",
        |profile| {
            profile
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
    Row::chat("upstage", &[], "https://api.upstage.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://console.upstage.ai/docs/capabilities/generate/chat")
            .key_variables(["UPSTAGE_API_KEY"])
            .dialect(FOLLOWER)
    }),
    Row::chat("venice", &["veniceai"], "https://api.venice.ai/api/v1", |profile| {
        profile
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
    // Usage comes in the last chunk, unasked (wandb/docs, `streaming.mdx`).
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
    // Refuses names on messages (BerriAI/litellm #9720).
    Row::chat("xai", &["x-ai", "grok"], "https://api.x.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://docs.x.ai/developers/quickstart")
            .base_url_variables(["XAI_API_BASE"])
            .key_variables(["XAI_API_KEY"])
            .prices("x-ai")
            .dialect(Dialect {
                message_names: false,
                reasoning_back: ReasoningBack::Never,
                ..FOLLOWER
            })
    }),
    // `thinking.type`, and JSON mode without a schema (docs.agno.com/models/providers/native/xiaomi).
    Row::chat("xiaomi", &["xiaomi_mimo", "mimo"], "https://api.xiaomimimo.com/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://platform.xiaomimimo.com/static/docs/api/chat/openai-api.md")
            .key_variables(["XIAOMI_API_KEY", "XIAOMI_MIMO_API_KEY", "MIMO_API_KEY"])
            .dialect(Dialect {
                reasoning_control: ReasoningControl::ThinkingType,
                response_formats: ResponseFormats::JsonObject,
                images: ImageInput::Bytes,
                ..FOLLOWER
            })
    }),
    // `thinking.type` is `enabled` or `disabled` (guide "Deep Thinking"). It has JSON mode without a
    // schema, and `parallel_tool_calls` is not in its schema (zai-sdk 0.2.3).
    Row::chat("zai", &["z-ai", "z.ai", "zhipu"], "https://api.z.ai/api/paas/v4", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://docs.z.ai/api-reference/introduction")
            .base_url_variables(["ZAI_API_BASE", "BIGMODEL_API_BASE"])
            .key_variables(["ZAI_API_KEY", "ZHIPU_API_KEY", "BIGMODEL_API_KEY"])
            .dialect(Dialect {
                reasoning_control: ReasoningControl::ThinkingType,
                response_formats: ResponseFormats::JsonObject,
                parallel_tool_calls: false,
                ..FOLLOWER
            })
    }),
];
