//! Vendors that serve their own models with OpenAI's Chat Completions: OpenAI first, the others by
//! name. Addresses and keys come from the page in `docs`; other facts name their source.

use super::{FOLLOWER, MAX_COMPLETION, OPENAI, Row};
use crate::provider::{
    Auth, BatchFormat, BatchProfile, EmbeddingFormat, ModelNames, ModerationFormat,
};
use crate::wire::openai_chat::{
    CallIds, Dialect, FileParts, ImageInput, InstructionRole, Prefill, ReasoningBack,
    ReasoningControl, ReasoningMember, ResponseFormats, Seed,
};

/// "The file can contain up to 50,000 requests, and can be up to 200 MB in size" (OpenAI's API
/// reference, `POST /batches`, and for Azure
/// learn.microsoft.com/azure/foundry/reference/rest/batches-create-batch). Half the price (both).
const OPENAI_BATCHES: BatchProfile =
    BatchProfile::new(BatchFormat::OpenAi, 50_000, 200_000_000).responses().embeddings();

/// "Maximum batch file size: 512 MB. Maximum requests per batch: 100,000"
/// (docs.mistral.ai/resources/known-limitations). The guide allows a million requests; the smaller
/// number is safe. Half the price (docs.mistral.ai/studio-api/batch-processing).
const MISTRAL_BATCHES: BatchProfile =
    BatchProfile::new(BatchFormat::Mistral, 100_000, 512_000_000).embeddings();

pub(super) static ROWS: &[Row] = &[
    Row::chat("openai", &[], "https://api.openai.com/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .embeddings(EmbeddingFormat::OpenAi)
            .moderation(ModerationFormat::OpenAi)
            .batches(OPENAI_BATCHES)
            .docs("https://developers.openai.com/api/reference/overview")
            .base_url_variables(["OPENAI_API_BASE"])
            .key_variables(["OPENAI_API_KEY"])
            .dialect(OPENAI)
    }),
    // Like OpenAI, but models of partners such as Mistral want `max_tokens`
    // (pydantic/pydantic-ai #6593).
    Row::chat(
        "azure",
        &["azure-openai", "azure_openai"],
        "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .embeddings(EmbeddingFormat::OpenAi)
                .batches(OPENAI_BATCHES)
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
                .embeddings(EmbeddingFormat::OpenAi)
                .docs("https://learn.microsoft.com/en-us/azure/foundry/openai/reference")
                .prices("azure")
                .host_variables(["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"])
                .key_variables(["AZURE_API_KEY", "AZURE_OPENAI_API_KEY"])
                .token_variables(["AZURE_OPENAI_AD_TOKEN", "AZURE_AD_TOKEN"])
                .auth(Auth::header("api-key"))
                .dialect(Dialect { call_ids: CallIds::UpTo40, ..MAX_COMPLETION })
        },
    ),
    // `max_tokens` is deprecated there (cerebras_cloud_sdk 1.91).
    // Accepts earlier reasoning as `reasoning` and refuses `reasoning_content` (vercel/ai
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
    // `parallel_tool_calls` is in its list of unsupported parameters. It has "chat completions" and
    // "text embeddings generation" (docs.cohere.com/changelog/compatibility-api), no text completions.
    Row::chat(
        "cohere-openai",
        &["cohere-compat"],
        "https://api.cohere.ai/compatibility/v1",
        |profile| {
            profile
                .model_names(ModelNames::Plain)
                .embeddings(EmbeddingFormat::OpenAiCompatible)
                .docs("https://docs.cohere.com/docs/compatibility-api")
                .key_variables(["COHERE_API_KEY", "CO_API_KEY"])
                .prices("cohere")
                .dialect(Dialect {
                    parallel_tool_calls: false,
                    text_completions: false,
                    ..FOLLOWER
                })
        },
    ),
    // V4 requires `reasoning_content` on every assistant message while it thinks (guide "Thinking
    // Mode"; vercel/ai `packages/deepseek`).
    // `thinking.type` switches thinking on, `reasoning_effort` sets how much. JSON mode takes no
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
    // "The complete model response must be appended to the conversation": reasoning as well.
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
    // and "Known limitations"). It has neither log probabilities nor refusals, and documents are
    // `document_url`. Efforts depend on the model: Mistral Large 4 knows more of them than `high` and
    // `none` (docs.mistral.ai/inference/conversations/reasoning). Streams always report usage. Thinking goes back with every message: "Do not strip `ThinkChunk` from assistant
    // messages" (docs.mistral.ai, /studio/conversations/reasoning, "Multi-turn conversations").
    // Without `prefix` it rejects a last message of the assistant (huggingface/smolagents #757).
    // It answers 400, "Unexpected role 'user' after role 'tool'", to a user message right after a
    // tool result (datapizza-labs/datapizza-ai #98; `_validate_message_order` in mistral-common
    // accepts only an assistant or tool message there). It completes text at `/fim/completions` alone
    // (mistralai/client-python, `docs/sdks/fim`).
    Row::chat("mistral", &["mistralai"], "https://api.mistral.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .embeddings(EmbeddingFormat::Mistral)
            .moderation(ModerationFormat::Mistral)
            .batches(MISTRAL_BATCHES)
            .docs("https://docs.mistral.ai/resources/migration-guides")
            .base_url_variables(["MISTRAL_API_BASE"])
            .key_variables(["MISTRAL_API_KEY"])
            .dialect(Dialect {
                stream_options: false,
                seed: Seed::RandomSeed,
                message_names: false,
                reasoning_back: ReasoningBack::Always,
                reasoning_member: ReasoningMember::ThinkingParts,
                unknown_members: false,
                call_ids: CallIds::Nine,
                file_parts: FileParts::DocumentUrl,
                log_probabilities: false,
                refusals: false,
                prefill: Prefill::Prefix,
                user_after_tool_result: false,
                text_completions: false,
                ..FOLLOWER
            })
    }),
    // A seed is not in its schema (its OpenAPI file, in tryAGI/Moonshot).
    // Kimi K2.5 and K2.6 support `thinking.type`, K3 `reasoning_effort`, and each ignores the other
    // (guides "Use Thinking Effort" and "Use Kimi K2 Thinking Model"). With tool calls it requires
    // `reasoning_content`. `parallel_tool_calls` is not in its schema.
    Row::chat("moonshot", &["moonshotai", "kimi"], "https://api.moonshot.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            // 100 MB, "saving 40% on inference costs" (platform.kimi.ai/docs/guide/use-batch-api). No page
            // limits the number of requests.
            .batches(BatchProfile::new(BatchFormat::OpenAi, 50_000, 100_000_000).price_percent(60))
            .docs("https://platform.kimi.ai/docs/api/overview")
            .base_url_variables(["MOONSHOT_API_BASE", "KIMI_BASE_URL"])
            .key_variables(["MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"])
            .prices("moonshotai")
            .dialect(Dialect {
                seed: Seed::Unsupported,
                // platform.kimi.ai/docs/guide/use-partial-mode-feature-of-kimi-api
                prefill: Prefill::Partial,
                reasoning_required: true,
                reasoning_control: ReasoningControl::ThinkingTypeAndEffort,
                parallel_tool_calls: false,
                ..FOLLOWER
            })
    }),
    // Turns must alternate (its error `invalid_message`), names are not in its schema (perplexityai SDK
    // 0.46.1), and JSON mode needs a schema (docs.perplexity.ai, "Structured Outputs"). It has no text
    // completions (getmaxim.ai/bifrost/guides/providers/perplexity).
    Row::chat("perplexity", &["perplexity_ai"], "https://api.perplexity.ai", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .embeddings(EmbeddingFormat::Perplexity)
            .docs("https://docs.perplexity.ai/api-reference/chat-completions-post")
            .base_url_variables(["PERPLEXITY_BASE_URL", "PERPLEXITY_API_BASE"])
            .key_variables(["PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"])
            .dialect(Dialect {
                message_names: false,
                reasoning_back: ReasoningBack::Never,
                response_formats: ResponseFormats::JsonSchema,
                text_completions: false,
                ..FOLLOWER
            })
    }),
    // Names on messages are not in its schema (sambanova/sambanova-python).
    Row::chat("sambanova", &[], "https://api.sambanova.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .embeddings(EmbeddingFormat::OpenAiCompatible)
            .docs("https://docs.sambanova.ai/docs/en/get-started/api-keys-urls")
            .base_url_variables(["SAMBANOVA_API_BASE"])
            .key_variables(["SAMBANOVA_API_KEY"])
            .dialect(Dialect { message_names: false, ..FOLLOWER })
    }),
    Row::chat("stepfun", &[], "https://api.stepfun.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://platform.stepfun.ai/docs/en/api-reference/chat/chat-completion-create")
            .key_variables(["STEPFUN_API_KEY"])
            .dialect(FOLLOWER)
    }),
    Row::chat("upstage", &[], "https://api.upstage.ai/v1", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .docs("https://console.upstage.ai/docs/capabilities/generate/chat")
            .key_variables(["UPSTAGE_API_KEY"])
            .dialect(FOLLOWER)
    }),
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
    // `thinking.type` is `enabled` or `disabled` (guide "Deep Thinking"). JSON mode takes no schema,
    // and `parallel_tool_calls` is not in its schema (zai-sdk 0.2.3).
    Row::chat("zai", &["z-ai", "z.ai", "zhipu"], "https://api.z.ai/api/paas/v4", |profile| {
        profile
            .model_names(ModelNames::Plain)
            .embeddings(EmbeddingFormat::OpenAiCompatible)
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
