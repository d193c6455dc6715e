//! The most a call can use, as plain data: what the formats measure and budgets reserve.

use std::borrow::Cow;
use std::fmt;

/// The most a call can use.
///
/// What it rests on, all of it on the side of more:
///
/// - Text: a token stands for at least one byte of what it encodes. So it is with
///   byte-level BPE (OpenAI's tiktoken) and with SentencePiece under byte fallback.
///   Anthropic has published the tokenizer of Claude 2 only, which is one too, of text
///   in normalisation form NFKC; see `wire::measure::text` for what that adds. Of later ones it is
///   assumed.
/// - What providers put around the text (roles, separators, tools in another
///   notation, instructions on how to call them): published numbers where there are
///   some, and margins that the recorded responses keep with room to spare; see
///   `wire::measure::prompt`.
/// - Images: the provider's published rule; see `wire::measure::image`.
/// - Whatever enters the prompt unseen (PDFs, files by id, fetched media, searches,
///   state kept on the server): the context window, for a provider refuses what does
///   not fit. That the window is what it is said to be is for the caller to know.
/// - Output: the limit in the body, for every choice. It is assumed to hold for
///   reasoning too, as it does at OpenAI and Anthropic.
///
/// Not in it: fees other than for tokens and web searches (Anthropic's containers, what
/// a vendor takes for members of its own).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UpperBound {
    /// Input tokens; of all steps together where the provider makes several.
    pub(crate) input_tokens: u64,
    /// Output tokens, of all choices and steps together.
    pub(crate) output_tokens: u64,
    /// Whether input may be written to a cache.
    pub(crate) cache_writes: bool,
    /// Whether it may be written for an hour.
    pub(crate) cache_writes_1h: bool,
    /// Web searches billed apiece.
    pub(crate) web_searches: u64,
    /// Whether some of the input may be audio.
    pub(crate) input_audio: bool,
    /// Whether some of the input may be images.
    pub(crate) input_images: bool,
    /// Whether some of the output may be audio.
    pub(crate) output_audio: bool,
    /// Whether some of the output may be images.
    pub(crate) output_images: bool,
    /// How often the output limit may be used up: choices by prompts by steps. `None`
    /// if it was not computed from a body.
    pub(crate) answers: u64,
    /// Output tokens of each answer beyond the limit.
    pub(crate) beside_limit: u64,
    /// Whether the provider runs tools itself, whose results become input.
    pub(crate) runs_tools: bool,
    /// Whether the input is the context window, since something in it cannot be counted.
    pub(crate) is_window: bool,
}

/// What a bound is computed from, besides the body.
#[derive(Clone, Copy)]
pub(crate) struct ModelLimits<'a> {
    /// As the price table names it.
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    /// The most the model answers with where the body sets no limit, or the limit that it
    /// gets after the bound is known; see [`UpperBound::limit_within`].
    pub(crate) output_tokens: Option<u64>,
    /// The most tokens of input and output the model takes.
    pub(crate) context_window: Option<u64>,
    pub(crate) tokenizer: Option<&'a dyn Tokenizer>,
}

impl UpperBound {
    /// Whether the input may grow while the provider answers.
    pub(crate) fn input_grows(&self) -> bool {
        self.runs_tools || self.web_searches > 0
    }

    /// The output of all answers together, where each has this limit.
    pub(crate) fn output_of(&self, limit: u64) -> u64 {
        limit.saturating_add(self.beside_limit).saturating_mul(self.answers.max(1))
    }

    /// The greatest output limit under which the call makes no more than so many output
    /// tokens; 0 where there is none.
    pub(crate) fn limit_within(&self, output_tokens: u64) -> u64 {
        (output_tokens / self.answers.max(1)).saturating_sub(self.beside_limit)
    }
}

/// Why a call has no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unbounded {
    /// This enters the prompt and cannot be measured. Names kinds and members, and never
    /// what they hold.
    Input(Cow<'static, str>),
    /// Nothing limits the answer.
    Output,
    /// Nothing limits the web searches.
    WebSearches,
    /// Nothing limits how often the provider calls tools of its own.
    ToolCalls,
    /// This is billed at another price than the one that is known.
    Price(&'static str),
}

impl fmt::Display for Unbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(what) => write!(
                f,
                "the request holds {what}; its tokens cannot be counted before it is sent, and \
                 the model's context window, which would bound them, is not known: state the \
                 tokens of the prompt by ChatRequest::max_input_tokens, set the context window in \
                 the model's price, or leave it out"
            ),
            Self::Output => f.write_str(
                "nothing limits the tokens of the answer; set max_output_tokens, or the most \
                 output tokens in the model's price",
            ),
            Self::WebSearches => f.write_str(
                "nothing limits how often the provider searches the web, and every search is \
                 billed; set max_uses in the web search tool",
            ),
            Self::ToolCalls => f.write_str(
                "nothing limits how often the provider calls its own tools, and the model reads \
                 the whole prompt again after each call; set max_tool_calls by ChatRequest::extra",
            ),
            Self::Price(what) => write!(
                f,
                "the request asks for {what}, which is billed at more than the model's price, \
                 and a budget applies to it; leave it out"
            ),
        }
    }
}

/// Counts the tokens of a text as a model does.
///
/// Without one, a text counts for as many tokens as it has bytes, which is never too
/// few and for English about four times too many. A tokenizer makes the sums that are
/// reserved before a call smaller, so that more calls fit into a budget at once; what
/// is booked after it is what the provider reports either way.
///
/// It is given every text of a request by itself: each text part, each description
/// and value in a tool. Roles, names of members, images and what the provider adds of
/// its own are counted apart, so it counts the text and nothing around it.
///
/// Its counts are trusted: where they are too low, a call can cost more than was
/// reserved for it. A count for another model of the same provider is no bound.
///
/// A closure will do:
///
/// ```
/// use tollgate::cost::Tokenizer;
///
/// fn takes(_: impl Tokenizer) {}
/// takes(|_: &str, model: &str, text: &str| {
///     // A token of this local model is a character.
///     (model == "tiny-chars").then(|| text.chars().count() as u64)
/// });
/// ```
pub trait Tokenizer: Send + Sync {
    /// Counts the tokens of `text` in `model` of `provider`, which is a provider's id.
    /// `None` for a model that it does not know; then each byte counts as a token.
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
