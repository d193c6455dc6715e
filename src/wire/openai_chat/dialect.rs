//! How a server's Chat Completions or Messages API differs from the original, as data.

use serde::{Deserialize, Serialize};

/// How a server's wire format differs from the original. The default suits the inventor of the
/// format and most compatible servers. Servers with Anthropic's format use only the fields that say
/// so.
///
/// It has only what a *request* depends on. Answers need no fields, because all known spellings are
/// read from every server: reasoning in `reasoning_content`, `reasoning` and content parts; usage
/// in the body, in the choice (Moonshot) and in `x_groq` (Groq); the provider's own cost in `cost`
/// (OpenRouter, Requesty), `cost.total_cost` (Perplexity), `estimated_cost` (DeepInfra) and
/// `cost_in_usd_ticks` (xAI); and all header names for rate limits and request ids. No two servers
/// use the same name for different things, so a field could only be wrong.
///
/// The built-in providers have their own dialects. In code, start from the default:
///
/// ```
/// use tollgate::provider::{Dialect, OutputLimit, Seed};
///
/// let mut dialect = Dialect::default();
/// dialect.output_limit = OutputLimit::MaxTokens;
/// dialect.seed = Seed::RandomSeed;
/// dialect.stream_options = false;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Dialect {
    /// The member that limits the output. Default: [`OutputLimit::ByModel`].
    pub output_limit: OutputLimit,
    /// The role of system messages. Default: [`InstructionRole::ByModel`].
    pub instruction_role: InstructionRole,
    /// Whether a streaming request asks for usage with `stream_options`. Servers with a closed
    /// schema reject the member. Default: true.
    pub stream_options: bool,
    /// How a seed is sent. Default: [`Seed::Seed`].
    pub seed: Seed,
    /// Whether messages can have a `name`. If false, names are left out. Default: true.
    pub message_names: bool,
    /// When reasoning goes back to the server. Default:
    /// [`ReasoningBack::WithToolCalls`].
    pub reasoning_back: ReasoningBack,
    /// Whether strict schemas are limited to OpenAI's subset of JSON Schema. If true, unsupported
    /// limits move into the description, and a schema without an equivalent is an error. Servers
    /// that compile schemas themselves, such as vLLM, support more. Default: true.
    pub schema_subset: bool,
    /// Whether the server supports [cache points](crate::Part::CachePoint), as `cache_control` of
    /// content parts. If false, they are left out. Default: false.
    pub cache_points: bool,
    /// Whether unmodelled members of an answer go back to the provider that sent them; see
    /// [`Opaque`](crate::Opaque). Servers that reject unknown members can reject even their own.
    /// Default: true.
    pub unknown_members: bool,
    /// The ids of tool calls that the server accepts. Other ids, from another provider, are
    /// replaced in the request. Default: [`CallIds::Any`].
    pub call_ids: CallIds,
    /// For Anthropic's format: whether thinking without a signature goes back to the provider that
    /// sent it. Default: true.
    pub unsigned_thinking: bool,
    /// How a request sets the reasoning effort, in either format. Default:
    /// [`ReasoningControl::Standard`].
    pub reasoning_control: ReasoningControl,
    /// Which reasoning goes back. Default: [`ReasoningMember::ReasoningContent`].
    pub reasoning_member: ReasoningMember,
    /// Whether a message that must have reasoning (see [`reasoning_back`](Self::reasoning_back))
    /// gets blank reasoning if it has none, because another provider or the caller wrote it.
    /// Default: false.
    pub reasoning_required: bool,
    /// Whether tools can have `strict`. If false, it is left out, and the model may deviate from
    /// the schema. Default: true.
    pub strict_tools: bool,
    /// Whether requests can allow or forbid parallel tool calls. If false, a request that forbids
    /// them is an error, and one that allows them, the default everywhere, omits the member.
    /// Default: true.
    pub parallel_tool_calls: bool,
    /// The response formats that the server supports. Requests with others are an error. Default:
    /// [`ResponseFormats::All`].
    pub response_formats: ResponseFormats,
    /// How the server accepts images. Requests with others are an error. Default:
    /// [`ImageInput::Any`].
    pub images: ImageInput,
    /// Whether the server accepts files, such as PDFs. If false, requests with files are an error.
    /// Plain text documents are sent as text to every server. Default: true.
    pub files: bool,
    /// How files are written. Default: [`FileParts::File`].
    pub file_parts: FileParts,
    /// Whether requests can ask for log probabilities. If false, such a request is an error.
    /// Default: true.
    pub log_probabilities: bool,
    /// Whether a model's refusal goes back as a refusal. If false, it goes back as text. Default:
    /// true.
    pub refusals: bool,
    /// How a request asks the model to continue its last message. Default:
    /// [`Prefill::Unmarked`].
    pub prefill: Prefill,
    /// Whether a user or system message may come right after a tool result. If false, such a
    /// conversation is an error. Default: true.
    pub user_after_tool_result: bool,
    /// Whether the server has text completions. If false,
    /// [`Client::complete`](crate::Client::complete) is an error. Default: true.
    pub text_completions: bool,
}

impl Dialect {
    /// OpenAI's own dialect.
    pub(crate) const OPENAI: Self = Self {
        output_limit: OutputLimit::ByModel,
        instruction_role: InstructionRole::ByModel,
        stream_options: true,
        seed: Seed::Seed,
        message_names: true,
        reasoning_back: ReasoningBack::WithToolCalls,
        schema_subset: true,
        cache_points: false,
        unknown_members: true,
        call_ids: CallIds::Any,
        unsigned_thinking: true,
        reasoning_control: ReasoningControl::Standard,
        reasoning_member: ReasoningMember::ReasoningContent,
        reasoning_required: false,
        strict_tools: true,
        parallel_tool_calls: true,
        response_formats: ResponseFormats::All,
        images: ImageInput::Any,
        files: true,
        file_parts: FileParts::File,
        log_probabilities: true,
        refusals: true,
        prefill: Prefill::Unmarked,
        user_after_tool_result: true,
        text_completions: true,
    };
}

impl Default for Dialect {
    fn default() -> Self {
        Self::OPENAI
    }
}

/// The member that limits the output of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputLimit {
    /// `max_completion_tokens` for OpenAI's models that reject `max_tokens`, and `max_tokens` for
    /// all others.
    ByModel,
    /// `max_tokens`. Some servers ignore the other name, so the limit would not hold; Ollama's
    /// `/v1` is one.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// The role of system messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstructionRole {
    /// `developer` for OpenAI's newer models, and `system` for all others.
    ByModel,
    /// `system`.
    System,
}

/// How a seed is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Seed {
    /// As `seed`.
    Seed,
    /// As `random_seed`, like Mistral.
    RandomSeed,
    /// Not supported: a request with a seed is an error.
    Unsupported,
}

/// The ids of tool calls that a server accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallIds {
    /// Any text.
    Any,
    /// At most 40 bytes, like OpenAI.
    UpTo40,
    /// Nine letters and digits, like Mistral.
    Nine,
}

/// How a request sets the reasoning effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningControl {
    /// Like the inventor of the format: `reasoning_effort` in Chat Completions; a budget or
    /// adaptive thinking in Anthropic's format, depending on the model's name.
    Standard,
    /// `reasoning: {effort}`, like OpenRouter.
    ReasoningObject,
    /// `enable_thinking`, like Qwen on Alibaba's servers.
    EnableThinking,
    /// `chat_template_kwargs: {enable_thinking}`, like W&B.
    ChatTemplate,
    /// `reasoning_effort` and `chat_template_kwargs: {enable_thinking}`, like vLLM. A model's
    /// template uses the one it supports.
    EffortAndChatTemplate,
    /// `thinking: {type}`, `enabled` or `disabled`, like Z.ai.
    ThinkingType,
    /// `thinking: {type}`, `adaptive` or `disabled`, like MiniMax in both formats.
    AdaptiveThinking,
    /// `thinking: {type}`, plus `reasoning_effort` if enabled, like DeepSeek.
    ThinkingTypeAndEffort,
    /// For Anthropic's format: `thinking: {type}`, `enabled` or `disabled`, plus
    /// `output_config: {effort}` if enabled, like DeepSeek.
    OutputConfig,
    /// Not supported: a request with an effort is an error.
    Unsupported,
}

/// How a server's requests hold files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileParts {
    /// As a part of type `file`, by id or as bytes. A file by URL is an error.
    File,
    /// By URL or as bytes in a part of type `document_url`, and by id in a part of type `file`, like
    /// Mistral.
    DocumentUrl,
}

/// Which reasoning goes back to the server; see [`ReasoningBack`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningMember {
    /// Reasoning that came as `reasoning_content`.
    ReasoningContent,
    /// Reasoning that came as `reasoning_content` or `reasoning`, each in its own member.
    Received,
    /// Reasoning that came as `thinking` parts of the content, as such parts, like Mistral.
    ThinkingParts,
}

/// The response formats that a server supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormats {
    /// JSON with and without a schema.
    All,
    /// Only JSON without a schema.
    JsonObject,
    /// Only JSON with a schema.
    JsonSchema,
}

/// How a server accepts images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageInput {
    /// By URL, or as bytes in a data URL.
    Any,
    /// Only as bytes.
    Bytes,
    /// Not supported.
    Unsupported,
}

/// How a request asks the model to continue its last message, for a conversation that ends with an
/// assistant message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prefill {
    /// Not at all: the server continues every such message, or none.
    Unmarked,
    /// `prefix: true` in that message, like Mistral.
    Prefix,
    /// `partial: true` in that message, like Moonshot and Alibaba.
    Partial,
}

/// When the reasoning in an answer goes back to the server with the conversation.
///
/// It goes back in the member that it came in, if [`ReasoningMember`] allows that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningBack {
    /// Never: the server rejects it.
    Never,
    /// With messages that have tool calls.
    WithToolCalls,
    /// With every assistant message.
    Always,
}
