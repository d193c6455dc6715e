//! How a server's Chat Completions or Messages differ from the original, as data.

use serde::{Deserialize, Serialize};

/// How a server's wire format differs from the original. The default is what suits the
/// inventor of the format and most servers that follow it. Servers of Anthropic's format use
/// only the fields that say so.
///
/// It holds what a *request* must know. What an answer holds needs no field, because all known
/// spellings are read from every server: reasoning in `reasoning_content`, `reasoning` and
/// content parts; usage in the body, in the choice (Moonshot) and in `x_groq` (Groq); the
/// provider's own bill in `cost` (OpenRouter, Requesty), `cost.total_cost` (Perplexity),
/// `estimated_cost` (DeepInfra) and `cost_in_usd_ticks` (xAI); and all names of headers for
/// rate limits and request ids. No two servers give one name two meanings, so a field could only
/// be wrong.
///
/// A built-in provider's row fills it in. In code it is built from the default:
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
    /// The role that instructions are sent in. Default: [`InstructionRole::ByModel`].
    pub instruction_role: InstructionRole,
    /// Whether a stream asks for its usage, by `stream_options`. Servers with a closed
    /// schema refuse the member. Default: true.
    pub stream_options: bool,
    /// How a seed is sent. Default: [`Seed::Seed`].
    pub seed: Seed,
    /// Whether messages may have a `name`. Where not, names are left out. Default: true.
    pub message_names: bool,
    /// When reasoning goes back to the server. Default:
    /// [`ReasoningBack::WithToolCalls`].
    pub reasoning_back: ReasoningBack,
    /// Whether a strict schema must keep to OpenAI's subset of JSON Schema: what it lacks
    /// then goes into the description, and what has no equivalent is refused. Servers that
    /// compile schemas themselves, such as vLLM, take more. Default: true.
    pub schema_subset: bool,
    /// Whether it takes [cache points](crate::Part::CachePoint), as `cache_control` of content
    /// parts. Where not, they are left out. Default: false.
    pub cache_points: bool,
    /// Whether members of an answer that this crate does not model go back to the provider that
    /// sent them, see [`Opaque`](crate::Opaque). Servers that refuse what they do not know may
    /// refuse even their own. Default: true.
    pub unknown_members: bool,
    /// Which ids of tool calls it takes. Others, of another provider, are replaced in the
    /// request. Default: [`CallIds::Any`].
    pub call_ids: CallIds,
    /// Of Anthropic's format: whether thinking that has no signature goes back to the provider
    /// that sent it. Default: true.
    pub unsigned_thinking: bool,
    /// How a reasoning effort is requested, in either format. Default:
    /// [`ReasoningControl::Standard`].
    pub reasoning_control: ReasoningControl,
    /// Which reasoning goes back. Default: [`ReasoningMember::ReasoningContent`].
    pub reasoning_member: ReasoningMember,
    /// Whether a message that must hold reasoning, see [`reasoning_back`](Self::reasoning_back),
    /// gets a blank one where it has none, because another provider or the caller wrote it.
    /// Default: false.
    pub reasoning_required: bool,
    /// Whether tools may have `strict`. Where not, it is left out, and the model may not keep to
    /// the schema. Default: true.
    pub strict_tools: bool,
    /// Whether a request can say whether the model may call several tools at once. Where not, a
    /// request that forbids it is refused before it is sent, and one that allows it, which is
    /// the default everywhere, leaves the member out. Default: true.
    pub parallel_tool_calls: bool,
    /// Which response formats it takes. Others are refused before they are sent. Default:
    /// [`ResponseFormats::All`].
    pub response_formats: ResponseFormats,
    /// How it takes images. Others are refused before they are sent. Default:
    /// [`ImageInput::Any`].
    pub images: ImageInput,
    /// Whether it takes files, such as a PDF. Where not, they are refused before they are sent;
    /// documents of plain text go as text everywhere. Default: true.
    pub files: bool,
}

impl Dialect {
    /// OpenAI's own.
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
    /// `max_completion_tokens` for OpenAI's models that refuse `max_tokens`, and
    /// `max_tokens` for all others.
    ByModel,
    /// `max_tokens`. Some servers read past the other, so that the limit would not hold:
    /// Ollama's `/v1` does.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// The role that instructions are sent in.
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
    /// As `random_seed`, as Mistral takes it.
    RandomSeed,
    /// Not at all: a request with a seed is refused before it is sent.
    Unsupported,
}

/// Which ids of tool calls a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallIds {
    /// Any text.
    Any,
    /// At most 40 bytes, as OpenAI.
    UpTo40,
    /// Nine letters and digits, as Mistral.
    Nine,
}

/// How a reasoning effort is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningControl {
    /// As the inventor of the format has it: `reasoning_effort` in Chat Completions; in
    /// Anthropic's format a budget or adaptive thinking, by the model's name.
    Standard,
    /// `reasoning: {effort}`, as OpenRouter.
    ReasoningObject,
    /// `enable_thinking`, as Qwen on Alibaba's servers.
    EnableThinking,
    /// `chat_template_kwargs: {enable_thinking}`, as W&B.
    ChatTemplate,
    /// `reasoning_effort` and `chat_template_kwargs: {enable_thinking}`, of which a model's
    /// template uses the one it knows, as vLLM.
    EffortAndChatTemplate,
    /// `thinking: {type}`, `enabled` or `disabled`, as Z.ai.
    ThinkingType,
    /// `thinking: {type}`, `adaptive` or `disabled`, as MiniMax in both formats.
    AdaptiveThinking,
    /// `thinking: {type}`, and `reasoning_effort` where it is enabled, as DeepSeek.
    ThinkingTypeAndEffort,
    /// Of Anthropic's format: `thinking: {type}`, `enabled` or `disabled`, and
    /// `output_config: {effort}` where it is enabled, as DeepSeek.
    OutputConfig,
    /// Not at all: a request with an effort is refused before it is sent.
    Unsupported,
}

/// Which reasoning goes back to the server, see [`ReasoningBack`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningMember {
    /// What came as `reasoning_content`.
    ReasoningContent,
    /// What came as `reasoning_content` or as `reasoning`, each in its own member.
    Received,
}

/// Which response formats a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormats {
    /// JSON with and without a schema.
    All,
    /// JSON without a schema only.
    JsonObject,
    /// JSON with a schema only.
    JsonSchema,
}

/// How a server takes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageInput {
    /// By URL, and by their bytes in a data URL.
    Any,
    /// By their bytes only.
    Bytes,
    /// Not at all.
    Unsupported,
}

/// When the reasoning in an answer goes back to the server with the conversation.
///
/// It goes back in the member that it came in, as far as [`ReasoningMember`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningBack {
    /// Never: the server refuses it.
    Never,
    /// With messages that hold tool calls.
    WithToolCalls,
    /// With every message of the assistant.
    Always,
}
