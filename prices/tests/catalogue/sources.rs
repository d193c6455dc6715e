//! The names of tollgate's providers in models.dev's and in LiteLLM's data.

/// A provider: its id here, its id in models.dev, and in LiteLLM's data the value of
/// `litellm_provider` with the prefix of its models' names.
pub(crate) struct Source {
    pub(crate) provider: &'static str,
    pub(crate) models_dev: Option<&'static str>,
    pub(crate) litellm: &'static [(&'static str, &'static str)],
}

const fn source(
    provider: &'static str,
    models_dev: Option<&'static str>,
    litellm: &'static [(&'static str, &'static str)],
) -> Source {
    Source { provider, models_dev, litellm }
}

/// In the order of the table: by id.
pub(crate) const SOURCES: [Source; 47] = [
    source("alibaba", Some("alibaba"), &[("dashscope", "dashscope/")]),
    source("anthropic", Some("anthropic"), &[("anthropic", "")]),
    source("azure", Some("azure"), &[("azure", "azure/"), ("azure_ai", "azure_ai/")]),
    source("baseten", Some("baseten"), &[("baseten", "baseten/")]),
    source("bedrock", Some("amazon-bedrock"), &[("bedrock", ""), ("bedrock_converse", "")]),
    source("cerebras", Some("cerebras"), &[("cerebras", "cerebras/")]),
    source("chutes", Some("chutes"), &[]),
    source("cloudflare", Some("cloudflare-workers-ai"), &[("cloudflare", "cloudflare/")]),
    source("cohere", Some("cohere"), &[("cohere", ""), ("cohere_chat", "")]),
    source("databricks", Some("databricks"), &[("databricks", "databricks/")]),
    source("deepinfra", Some("deepinfra"), &[("deepinfra", "deepinfra/")]),
    source("deepseek", Some("deepseek"), &[("deepseek", "deepseek/"), ("deepseek", "")]),
    source("fireworks", Some("fireworks-ai"), &[("fireworks_ai", "fireworks_ai/")]),
    source("friendli", Some("friendli"), &[("friendliai", "friendliai/")]),
    source("gemini", Some("google"), &[("gemini", "gemini/")]),
    source("groq", Some("groq"), &[("groq", "groq/")]),
    source("huggingface", Some("huggingface"), &[]),
    source("inception", Some("inception"), &[]),
    // LiteLLM has only rerankers of Jina's.
    source("jina", None, &[("jina_ai", "jina_ai/"), ("jina_ai", "")]),
    source("meta", Some("llama"), &[("meta", "meta/")]),
    source("minimax", Some("minimax"), &[("minimax", "minimax/")]),
    source("mistral", Some("mistral"), &[("mistral", "mistral/")]),
    source("moonshot", Some("moonshotai"), &[("moonshot", "moonshot/")]),
    source("nebius", Some("nebius"), &[("nebius", "nebius/")]),
    source("novita", Some("novita-ai"), &[("novita", "novita/")]),
    source("nvidia", Some("nvidia"), &[("nvidia_nim", "nvidia_nim/")]),
    source("ollama-cloud", Some("ollama-cloud"), &[]),
    source("openai", Some("openai"), &[("openai", ""), ("text-completion-openai", "")]),
    source("openrouter", Some("openrouter"), &[("openrouter", "openrouter/")]),
    source("ovhcloud", Some("ovhcloud"), &[("ovhcloud", "ovhcloud/")]),
    source("perplexity", Some("perplexity"), &[("perplexity", "perplexity/")]),
    source("poe", Some("poe"), &[]),
    source("requesty", Some("requesty"), &[]),
    source("sambanova", None, &[("sambanova", "sambanova/")]),
    source("scaleway", Some("scaleway"), &[("scaleway", "scaleway/")]),
    source("siliconflow", Some("siliconflow"), &[]),
    source("stepfun", Some("stepfun"), &[]),
    source("together", Some("togetherai"), &[("together_ai", "together_ai/")]),
    source("upstage", Some("upstage"), &[]),
    source("venice", Some("venice"), &[]),
    source("vercel-ai-gateway", Some("vercel"), &[("vercel_ai_gateway", "vercel_ai_gateway/")]),
    source(
        "vertex",
        Some("google-vertex"),
        &[
            ("vertex_ai-language-models", ""),
            ("vertex_ai-anthropic_models", "vertex_ai/"),
            ("vertex_ai-embedding-models", ""),
        ],
    ),
    source("voyage", None, &[("voyage", "voyage/")]),
    source("wandb", Some("wandb"), &[("wandb", "wandb/")]),
    source("xai", Some("xai"), &[("xai", "xai/")]),
    source("xiaomi", Some("xiaomi"), &[]),
    source("zai", Some("zai"), &[("zai", "zai/")]),
];

/// Providers whose models are those of another: a second format, or a second way to reach it.
pub(crate) const SAME_AS: [(&str, &str); 8] = [
    ("azure-deployments", "azure"),
    ("cohere-openai", "cohere"),
    ("deepseek-anthropic", "deepseek"),
    ("gemini-openai", "gemini"),
    ("minimax-anthropic", "minimax"),
    ("moonshot-anthropic", "moonshot"),
    ("ollama-cloud-openai", "ollama-cloud"),
    ("zai-anthropic", "zai"),
];

/// Servers that run whatever model they are given. The catalogue has none of their models.
pub(crate) const LOCAL: [&str; 7] =
    ["litellm", "llamacpp", "lmstudio", "ollama", "ollama-openai", "sglang", "vllm"];
