//! What the name of a model says about it.
//!
//! The catalogue knows most models. This module is the fallback for the names it does not know: own
//! deployments, fine-tuned models, new models, other servers. It is the only place where the crate
//! guesses from the name of a chat model, and [`FAMILIES`] has all guesses.

use serde::{Deserialize, Serialize};
use std::ops::{Bound, RangeBounds};

use crate::wildcard;

/// How a model is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelApi {
    /// As a chat.
    Chat,
    /// As a chat, which its provider serves only in OpenAI's Responses API.
    Responses,
    /// As a completion of plain text, OpenAI's legacy format.
    Completions,
    /// For embeddings.
    Embeddings,
}

/// How a request sets how much a model thinks, where a provider's models differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Thinking {
    /// By name, such as `low`: adaptive thinking at Anthropic, a thinking level at Google.
    Level,
    /// As a number of tokens.
    Budget,
}

/// What a request to a model depends on besides its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) api: ModelApi,
    /// True if it needs OpenAI's newer parameters: `max_completion_tokens` instead of `max_tokens`,
    /// and the role `developer` instead of `system`.
    pub(crate) newer_parameters: bool,
    /// True if it can return encrypted reasoning in the Responses API.
    pub(crate) encrypted_reasoning: bool,
    /// `None` if unknown; each wire format has its own default.
    pub(crate) thinking: Option<Thinking>,
    pub(crate) budgets: Budgets,
    /// Whether it is a Gemini from version 3 on; `None` if it is no Gemini.
    pub(crate) gemini_3: Option<bool>,
    /// True if it never thinks, so a reasoning effort is an error.
    pub(crate) never_thinks: bool,
    /// True if thinking cannot be turned off.
    pub(crate) always_thinks: bool,
    /// True if it accepts a system instruction.
    pub(crate) system_instruction: bool,
    pub(crate) images: ImageRule,
}

/// The thinking budgets that a model accepts, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budgets {
    pub(crate) least: u32,
    pub(crate) most: u32,
    /// True if thinking can be turned off.
    pub(crate) off: bool,
}

/// How OpenAI counts the tokens of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageRule {
    /// gpt-4o-mini, which counts more tokens at a lower price.
    Mini,
    /// All other models up to GPT-5.5.
    Capped,
    /// Later models, other vendors' models, and custom names.
    Other,
}

/// Models with common traits. A later row overrides an earlier one.
struct Family {
    /// Patterns of [`wildcard::matches`]: for the name in lower case, without a vendor or `ft:`
    /// before it and a variant behind a colon.
    names: &'static [&'static str],
    /// Which of their versions, after this text.
    versions: Option<(&'static str, Versions)>,
    set: fn(&mut Traits),
}

/// From the first version to before the second.
type Versions = (Bound<Version>, Bound<Version>);

/// Major and minor.
type Version = (u32, u32);

const fn family(names: &'static [&'static str], set: fn(&mut Traits)) -> Family {
    Family { names, versions: None, set }
}

impl Family {
    const fn from(self, after: &'static str, first: Version) -> Self {
        let versions = (Bound::Included(first), Bound::Unbounded);
        Self { versions: Some((after, versions)), ..self }
    }

    const fn before(self, after: &'static str, end: Version) -> Self {
        let versions = (Bound::Unbounded, Bound::Excluded(end));
        Self { versions: Some((after, versions)), ..self }
    }

    const fn between(self, after: &'static str, first: Version, end: Version) -> Self {
        let versions = (Bound::Included(first), Bound::Excluded(end));
        Self { versions: Some((after, versions)), ..self }
    }

    /// Returns true if a model belongs to it. `name` is cut, `whole` is not.
    fn has(&self, name: &str, whole: &str) -> bool {
        self.names.iter().any(|pattern| wildcard::matches(pattern, name))
            && self.versions.is_none_or(|(after, versions)| {
                version(whole, after).is_some_and(|version| versions.contains(&version))
            })
    }
}

/// All guesses by name.
///
/// - OpenAI's newer models (the o-series, GPT-5 and later) reject `max_tokens` and read
///   instructions from the role `developer`. All others get `max_tokens` and `system`. OpenAI still
///   accepts both for its older models, and compatible servers often support nothing else:
///   llama.cpp ignored `max_completion_tokens` until February 2026 (ggml-org/llama.cpp #13700,
///   #19831), and llama-cpp-python still does (abetlen/llama-cpp-python #1907). OpenAI's reference
///   calls `max_tokens` "not compatible with o-series models", and gpt-5 answers it with a 400
///   `unsupported_parameter`. The rule is from vercel/ai,
///   `packages/openai/src/openai-language-model-capabilities.ts`: `gpt-5-chat…` does not reason and
///   counts as older. Azure's `gpt-35-turbo` is not version 35. `o1-mini` and `o1-preview`, which
///   supported neither role, are shut down and get no exception.
/// - Encrypted reasoning: OpenAI's reasoning models, as in vercel/ai
///   (`openai-responses-language-model.ts`), and xAI's, which send it only on request (docs.x.ai,
///   "Reasoning").
/// - Responses only: the models that openai-python lists in `ResponsesModel` but not in
///   `ChatModel`, and those for which LiteLLM's `model_prices_and_context_window.json` lists
///   `/v1/responses` but not chat. Chat Completions rejects such a model: "This model is only
///   supported in v1/responses and not in v1/chat/completions" (avante-corp/avante.nvim #2225).
/// - Text completions only: `gpt-3.5-turbo-instruct` (`gpt-35-…` at Azure), `davinci-002` and
///   `babbage-002`, and the earlier GPT-3 models, all since shut down.
/// - Claude: adaptive thinking from 4.6 on, and for Claudes without a version in their name, which
///   are assumed to be later; a budget before (Vercel's page "Anthropic Reasoning").
/// - Gemini: levels from 3 on, and for names without a version, which refer to later models
///   (`gemini-flash-latest`); budgets for 2.5, with the ranges of ai.google.dev/gemini-api/docs/thinking,
///   "Thinking budgets"; no thinking before.
/// - Gemma takes no system instruction (vercel/ai `convert-to-google-messages.ts`, `isGemmaModel`).
/// - gpt-oss: "the trace cannot be fully disabled" (Ollama's docs/capabilities/thinking.mdx).
/// - Images: OpenAI's page "Images and vision", "Calculating costs".
const FAMILIES: &[Family] = &[
    family(&["gpt-*"], newer).from("gpt-", (5, 0)),
    family(&["gpt-35-*", "gpt-#-chat*"], |it| {
        (it.newer_parameters, it.encrypted_reasoning) = (false, false);
    }),
    family(&["o#", "o#-*", "o##", "o##-*"], newer),
    family(
        &["*-pro", "*-pro-*", "*-codex", "*-codex-*", "*-cyber", "*-cyber-*", "*-deep-research*"],
        |it| {
            if it.newer_parameters {
                it.api = ModelApi::Responses;
            }
        },
    ),
    family(&["computer-use-preview*", "codex-mini*", "gpt-daybreak-*"], |it| {
        it.api = ModelApi::Responses;
    }),
    family(
        &[
            "gpt-3.5-turbo-instruct*",
            "gpt-35-turbo-instruct*",
            "text-davinci-*",
            "text-curie-*",
            "text-babbage-*",
            "text-ada-*",
            "code-davinci-*",
            "code-cushman-*",
            "davinci-002",
            "babbage-002",
            "davinci",
            "curie",
            "babbage",
            "ada",
        ],
        |it| it.api = ModelApi::Completions,
    ),
    family(&["grok-*"], |it| it.encrypted_reasoning = true),
    family(&["gpt-oss*"], |it| it.always_thinks = true),
    family(&["*claude*"], |it| it.thinking = Some(Thinking::Level)),
    family(&["*claude*"], |it| it.thinking = Some(Thinking::Budget)).before("claude", (4, 6)),
    family(&["gemini-*"], |it| {
        (it.gemini_3, it.thinking) = (Some(true), Some(Thinking::Level));
    }),
    family(&["gemini-*"], before_3).before("gemini-", (3, 0)),
    family(
        &[
            "gemini-pro",
            "gemini-pro-vision",
            "gemini-ultra",
            "gemini-exp-*",
            "gemini-embedding-001",
            "gemini-robotics-er-1*",
        ],
        before_3,
    ),
    family(&["gemini-robotics-er-*"], |it| {
        (it.gemini_3, it.never_thinks) = (Some(true), false);
    })
    .from("er-", (2, 0)),
    family(&["gemini-*"], |it| {
        (it.thinking, it.never_thinks) = (Some(Thinking::Budget), false);
    })
    .between("gemini-", (2, 5), (2, 6)),
    family(&["gemini-2.5-flash-lite*"], |it| it.budgets.least = 512),
    family(&["gemini-2.5-pro*"], |it| {
        it.budgets = Budgets { least: 128, most: 32_768, off: false };
    }),
    family(&["gemma-*"], |it| it.system_instruction = false),
    family(&["gpt-4*", "chatgpt-4o*", "o1*", "o3*", "o4*", "computer-use*", "codex-mini*"], |it| {
        it.images = ImageRule::Capped;
    }),
    family(&["gpt-4#*", "o1#*", "o3#*", "o4#*"], |it| it.images = ImageRule::Other),
    family(&["gpt-5*"], |it| it.images = ImageRule::Capped).between("gpt-", (5, 0), (5, 6)),
    family(&["gpt-4o-mini*"], |it| it.images = ImageRule::Mini),
];

fn before_3(it: &mut Traits) {
    (it.gemini_3, it.never_thinks) = (Some(false), true);
}

fn newer(it: &mut Traits) {
    (it.newer_parameters, it.encrypted_reasoning) = (true, true);
}

impl Traits {
    /// A model of which nothing is known.
    const UNKNOWN: Self = Self {
        api: ModelApi::Chat,
        newer_parameters: false,
        encrypted_reasoning: false,
        thinking: None,
        budgets: Budgets { least: 1, most: 24_576, off: true },
        gemini_3: None,
        never_thinks: false,
        always_thinks: false,
        system_instruction: true,
        images: ImageRule::Other,
    };

    /// Guesses from a name. Names with a date, a vendor (`openai/o3-mini`) or a fine-tuning
    /// (`ft:gpt-4o:acme::abc`) count as their base model.
    pub(crate) fn of_name(model: &str) -> Self {
        let whole = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let whole = whole.strip_prefix("ft:").unwrap_or(&whole);
        let name = whole.split(':').next().unwrap_or(whole);
        let mut traits = Self::UNKNOWN;
        for family in FAMILIES.iter().filter(|family| family.has(name, whole)) {
            (family.set)(&mut traits);
        }
        // A name with a vendor belongs to a gateway, which offers the model as a chat too.
        if traits.api == ModelApi::Completions && model.contains('/') {
            traits.api = ModelApi::Chat;
        }
        traits
    }
}

/// Returns the version in a name: the first number after `after`, and the one behind it. `None` if
/// the first word with a digit in front is no number, or longer than a version.
fn version(name: &str, after: &str) -> Option<Version> {
    let (_, rest) = name.split_once(after)?;
    let mut words = rest.split(|character: char| !character.is_ascii_alphanumeric());
    let number = |word: &str| word.parse().ok().filter(|_| word.len() <= 2);
    let starts_with_digit = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let major = number(words.find(starts_with_digit)?)?;
    Some((major, words.next().and_then(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
