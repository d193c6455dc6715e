//! The most a call can use, reckoned before it is sent.

mod image;
mod prompt;
mod size;
#[cfg(test)]
mod tests;
mod text;
mod tokenizer;

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

use crate::wire::Wire;
use prompt::Prompt;
pub use tokenizer::Tokenizer;

/// The most a call can use.
///
/// What it rests on, all of it on the side of more:
///
/// - Text: a token stands for at least one byte of what it encodes. So it is with
///   byte-level BPE (OpenAI's tiktoken) and with SentencePiece under byte fallback.
///   Anthropic has published the tokenizer of Claude 2 only, which is one too, of text
///   in normalisation form NFKC; see [`text`] for what that adds. Of later ones it is
///   assumed.
/// - What providers put around the text (roles, separators, tools in another
///   notation, instructions on how to call them): published numbers where there are
///   some, and margins that the recorded responses keep with room to spare; see
///   [`prompt`].
/// - Images: the provider's published rule; see [`image`].
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
    /// How often the output limit may be used up: choices by prompts by steps. None
    /// where it was not reckoned from a body.
    pub(crate) answers: u64,
    /// Output tokens of each answer beyond the limit.
    pub(crate) beside_limit: u64,
    /// Whether the provider runs tools itself, whose results become input.
    pub(crate) runs_tools: bool,
}

/// What a bound is reckoned from, beside the body.
#[derive(Clone, Copy)]
pub(crate) struct ModelLimits<'a> {
    pub(crate) wire: Wire,
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
    /// Reckons the bound of a request as it is sent, whoever wrote which member.
    ///
    /// # Errors
    ///
    /// Where there is no bound, says why and what to do.
    pub(crate) fn of(
        body: &Map<String, Value>,
        basis: &ModelLimits<'_>,
    ) -> Result<Self, Unbounded> {
        let prompt = Prompt::of(body, basis);
        if let Some(what) = prompt.surcharge {
            return Err(Unbounded::Price(what));
        }
        let choices = choices(body);
        let input_tokens = match (prompt.unseen, basis.context_window) {
            (Some(what), None) => return Err(Unbounded::Input(what)),
            (Some(_), Some(window)) => {
                window.saturating_mul(prompt.prompts).saturating_mul(prompt.steps)
            }
            (None, window) => prompt
                .tokens
                .min(window.unwrap_or(u64::MAX).saturating_mul(prompt.prompts))
                .saturating_mul(prompt.steps),
        };
        let limit = output_limit(body).or(basis.output_tokens).or(basis.context_window);
        let limit = limit.ok_or(Unbounded::Output)?.max(thinking_budget(body));
        let limit = limit.min(basis.context_window.unwrap_or(u64::MAX));
        let answers = choices.saturating_mul(prompt.prompts).saturating_mul(prompt.steps);
        Ok(Self {
            input_tokens,
            output_tokens: limit.saturating_add(prompt.beside_output).saturating_mul(answers),
            answers,
            beside_limit: prompt.beside_output,
            runs_tools: prompt.steps > 1,
            cache_writes: prompt.cache_writes,
            cache_writes_1h: prompt.cache_writes_1h,
            web_searches: match prompt.web_searches {
                Some(searches) => searches.saturating_mul(choices),
                None => return Err(Unbounded::WebSearches),
            },
            input_audio: prompt.input_audio,
            // Whichever part of the prompt is dearest, all of it may be.
            input_images: true,
            output_audio: modality(body, "audio"),
            output_images: modality(body, "image"),
        })
    }

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

/// The members that limit the output of one choice.
pub(crate) const OUTPUT_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// The output limit a body states, for one choice; none where it states none, or one
/// that is no limit, as -1 is to llama.cpp, be it beside another. Of two limits the greater.
pub(crate) fn output_limit(body: &Map<String, Value>) -> Option<u64> {
    let mut limits = stated_limits(body).map(whole);
    let first = limits.next()??;
    limits.try_fold(first, |most, limit| Some(limit?.max(most)))
}

/// Whether a body says anything of an output limit, be it that there is none. A null says
/// nothing.
pub(crate) fn states_limit(body: &Map<String, Value>) -> bool {
    stated_limits(body).next().is_some()
}

/// The members of these names. By a look at all, for a body has few: a map hashes a name in
/// the time of thirty such looks.
fn members<'a, const N: usize>(
    body: &'a Map<String, Value>,
    names: [&'static str; N],
) -> impl Iterator<Item = &'a Value> {
    body.iter().filter(move |(name, _)| names.contains(&name.as_str())).map(|(_, value)| value)
}

fn stated_limits(body: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    members(body, OUTPUT_LIMITS).filter(|value| !value.is_null())
}

/// The budget of thoughts, which lies within `max_tokens` but with interleaved
/// thinking, where it is that of all thoughts in a turn and may be more (Anthropic's
/// page "Extended thinking", "Interleaved thinking").
pub(crate) fn thinking_budget(body: &Map<String, Value>) -> u64 {
    members(body, ["thinking"])
        .next()
        .and_then(|thinking| thinking.get("budget_tokens"))
        .and_then(whole)
        .unwrap_or(0)
}

/// How many answers are generated and billed: `n`, or `best_of` where that is more
/// (OpenAI's API reference of completions, `best_of`).
fn choices(body: &Map<String, Value>) -> u64 {
    let stated = members(body, ["n", "best_of"]).filter_map(whole).max();
    stated.unwrap_or(1).max(1)
}

fn modality(body: &Map<String, Value>, name: &str) -> bool {
    let modalities = members(body, ["modalities"]).next().and_then(Value::as_array);
    modalities.is_some_and(|all| all.iter().any(|modality| modality == name))
}

/// A count, rounded up; none where it is no number, or less than nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        // The cast stops at the ends of the range.
        value.as_f64().filter(|number| *number >= 0.0).map(|number| number.ceil() as u64)
    })
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
    /// This is billed at another price than the one that is known.
    Price(&'static str),
}

impl fmt::Display for Unbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(what) => write!(
                f,
                "the request holds {what}; its tokens cannot be counted before it is sent, and \
                 the model's context window, which would bound them, is not known: set the \
                 context window in the model's price, or leave it out"
            ),
            Self::Output => f.write_str(
                "nothing limits the tokens of the answer; set max_output_tokens, or the most \
                 output tokens in the model's price",
            ),
            Self::WebSearches => f.write_str(
                "nothing limits how often the provider searches the web, and every search is \
                 billed; set max_uses in the web search tool",
            ),
            Self::Price(what) => write!(
                f,
                "the request asks for {what}, which is billed at more than the model's price, \
                 and a budget bears on it; leave it out"
            ),
        }
    }
}
