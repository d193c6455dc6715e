//! The upper bound on what a call can use. Wire formats compute it; budgets reserve it.

use std::borrow::Cow;
use std::fmt;

/// The upper bound on what a call can use.
///
/// Every assumption errs on the high side:
///
/// - Text: a token stands for at least one byte. That holds for byte-level BPE (OpenAI's tiktoken)
///   and for SentencePiece with byte fallback. Anthropic has published only the tokenizer of Claude
///   2, for which it holds too, on text in NFKC; `wire::measure::text` says what that adds. For its
///   later tokenizers it is assumed.
/// - What providers add around the text (roles, separators, tools in another notation, instructions
///   on how to call them): published numbers if there are any, otherwise margins that the recorded
///   responses stay well below; see `wire::measure::prompt`.
/// - Images: the provider's published rule; see `wire::measure::image`.
/// - Content that only the provider sees (PDFs, files by id, fetched media, searches, state kept on
///   the server): the context window, because a provider rejects what does not fit. The caller is
///   responsible for the window being right.
/// - Output: the limit in the body, for every choice. It is assumed to cover reasoning too, as at
///   OpenAI and Anthropic.
///
/// Not included: fees other than for tokens and web searches, such as Anthropic's containers or a
/// vendor's own extras.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UpperBound {
    /// Input tokens, of all steps together if the provider runs several.
    pub(crate) input_tokens: u64,
    /// Output tokens, of all choices and steps together.
    pub(crate) output_tokens: u64,
    /// True if input may be written to a cache.
    pub(crate) cache_writes: bool,
    /// True if input may be written to a one-hour cache.
    pub(crate) cache_writes_1h: bool,
    /// Web searches, each billed.
    pub(crate) web_searches: u64,
    /// True if some of the input may be audio.
    pub(crate) input_audio: bool,
    /// True if some of the input may be images.
    pub(crate) input_images: bool,
    /// True if some of the output may be audio.
    pub(crate) output_audio: bool,
    /// True if some of the output may be images.
    pub(crate) output_images: bool,
    /// How often the output limit can be used up: choices × prompts × steps. 0 if no body was
    /// measured.
    pub(crate) answers: u64,
    /// Output tokens of each answer on top of the limit.
    pub(crate) beside_limit: u64,
    /// True if the provider runs tools itself, whose results become input.
    pub(crate) runs_tools: bool,
    /// True if the input bound is the context window, because some content cannot be counted.
    pub(crate) is_window: bool,
}

/// What the bound depends on besides the body.
#[derive(Clone, Copy)]
pub(crate) struct ModelLimits<'a> {
    /// The provider's name in the price table.
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    /// The most output tokens of the model, used if the body sets no limit; or the limit that is
    /// chosen once the bound is known, see [`UpperBound::limit_within`].
    pub(crate) output_tokens: Option<u64>,
    /// The context window: the most tokens of input and output together.
    pub(crate) context_window: Option<u64>,
    pub(crate) tokenizer: Option<&'a dyn Tokenizer>,
}

impl UpperBound {
    /// Returns true if the input can grow while the provider answers.
    pub(crate) fn input_grows(&self) -> bool {
        self.runs_tools || self.web_searches > 0
    }

    /// Returns the output of all answers together if each has this limit.
    pub(crate) fn output_of(&self, limit: u64) -> u64 {
        limit.saturating_add(self.beside_limit).saturating_mul(self.answers.max(1))
    }

    /// Returns the greatest output limit that keeps the call within this many output tokens; 0 if
    /// there is none.
    pub(crate) fn limit_within(&self, output_tokens: u64) -> u64 {
        (output_tokens / self.answers.max(1)).saturating_sub(self.beside_limit)
    }
}

/// Why a call has no upper bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unbounded {
    /// This content cannot be measured. The text names kinds and members, never their content.
    Input(Cow<'static, str>),
    /// Nothing limits the answer.
    Output,
    /// Nothing limits the web searches.
    WebSearches,
    /// Nothing limits how often the provider calls its own tools.
    ToolCalls,
    /// This is billed at a price that is not known.
    Price(&'static str),
}

impl fmt::Display for Unbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(what) => write!(
                f,
                "the request contains {what}, whose tokens cannot be counted in advance, and the \
                 model's context window is unknown; set ChatRequest::max_input_tokens, set the \
                 context window in the model's price, or leave it out"
            ),
            Self::Output => f.write_str(
                "nothing limits the tokens of the answer; set max_output_tokens, or max_output in \
                 the model's price",
            ),
            Self::WebSearches => f.write_str(
                "nothing limits the number of web searches, and each is billed; set max_uses in \
                 the web search tool",
            ),
            Self::ToolCalls => f.write_str(
                "nothing limits how often the provider calls its own tools, and the model reads \
                 the whole prompt again after each call; set max_tool_calls by ChatRequest::extra",
            ),
            Self::Price(what) => write!(
                f,
                "the request asks for {what}, which costs more than the model's listed price, and \
                 a budget applies to it; leave it out"
            ),
        }
    }
}

/// Counts the tokens of a text as a model does.
///
/// Without a tokenizer, each byte of text counts as a token. That is never too low, and about four
/// times too high for English. A tokenizer lowers the amounts that are reserved before a call, so
/// more calls fit into a budget at once. The amount booked after a call is what the provider
/// reports either way.
///
/// It gets every text of a request separately: each text part, each description and value in a
/// tool. Roles, member names, images and what the provider adds are counted elsewhere, so count
/// only the text.
///
/// Its counts are trusted. If they are too low, a call can cost more than was reserved. A count for
/// another model, even of the same provider, is not a bound.
///
/// A closure works too:
///
/// ```
/// use tollgate::cost::Tokenizer;
///
/// fn takes(_: impl Tokenizer) {}
/// takes(|_: &str, model: &str, text: &str| {
///     // This local model's tokens are characters.
///     (model == "tiny-chars").then(|| text.chars().count() as u64)
/// });
/// ```
pub trait Tokenizer: Send + Sync {
    /// Counts the tokens of `text` for a model; `provider` is the provider's id. `None` for an
    /// unknown model; then each byte counts as a token.
    fn count(&self, provider: &str, model: &str, text: &str) -> Option<u64>;
}

impl<F> Tokenizer for F
where
    F: Fn(&str, &str, &str) -> Option<u64> + Send + Sync,
{
    fn count(&self, provider: &str, model: &str, text: &str) -> Option<u64> {
        self(provider, model, text)
    }
}
