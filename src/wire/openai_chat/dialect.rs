//! How a server's Chat Completions differ from OpenAI's, as data.

use serde::{Deserialize, Serialize};

/// How a server's Chat Completions differ from OpenAI's. The default is what suits
/// OpenAI itself and most servers that follow it.
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
        unknown_members: true,
        call_ids: CallIds::Any,
        unsigned_thinking: true,
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

/// When the reasoning in an answer goes back to the server with the conversation.
///
/// It goes back in the member that it came in, and only where that is
/// `reasoning_content`: no server is known to require what it sent as `reasoning`.
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
