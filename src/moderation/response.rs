//! `Moderation`: what a provider found in each input, and what it cost.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

use crate::answer_source::AnswerSource;
use crate::chat::Provider;
use crate::cost::Cost;
use crate::error::{Attempt, RateLimit};
use crate::usage::Usage;

/// The verdicts on the inputs of a [`ModerationRequest`](super::ModerationRequest), in their order.
///
/// ```
/// # fn show(moderation: &tollgate::Moderation) {
/// for result in moderation {
///     for category in result.flagged_categories() {
///         println!("{}: {:?}", category.name, category.score);
///     }
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Moderation {
    /// One result for each text or conversation; one for texts and images that are judged together.
    pub results: Vec<ModerationResult>,
    /// The model that judged, as the provider names it.
    pub model: String,
    /// The provider.
    pub provider: Provider,
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The tokens of the call. OpenAI does not report them, so they are an estimate;
    /// [`source`](Usage::source) says so.
    pub usage: Usage,
    /// What it cost: zero at OpenAI, where moderation is free. `None` if the price is not known.
    pub cost: Option<Cost>,
    /// The provider's id of the HTTP request. Quote it to the provider's support.
    pub request_id: Option<String>,
    /// The limits from the rate-limit headers.
    pub rate_limit: RateLimit,
    /// The time from the call to the answer, waits and retries included.
    pub latency: Duration,
    /// The attempts in order; the last one got the answer.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The response body, unchanged.
    pub(crate) raw: String,
    #[serde(default, skip_serializing_if = "AnswerSource::is_live")]
    pub(crate) source: AnswerSource,
}

/// The verdict on one input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModerationResult {
    /// Whether the input violates the provider's policy in any category. Mistral does not report
    /// it, so there it is whether any category is flagged.
    pub flagged: bool,
    /// The categories in the provider's order.
    pub categories: Vec<ModerationCategory>,
}

/// The verdict on one input in one category.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModerationCategory {
    /// The provider's own name, such as OpenAI's `hate/threatening` or Mistral's
    /// `violence_and_threats`.
    pub name: String,
    /// Whether the input violates the policy in this category.
    pub flagged: bool,
    /// How sure the model is, from 0 to 1, if the provider says.
    pub score: Option<f64>,
    /// The kinds of input that the score applies to, `text` and `image`. OpenAI only; otherwise
    /// empty. OpenAI judges images in some categories and texts in all.
    pub applied_input_types: Vec<String>,
}

impl Moderation {
    /// What answered: the provider, the [cache](crate::Cache) or a [recording](crate::Replay). If the
    /// provider did not, the [`cost`](Self::cost) is what its answer would have cost.
    pub fn source(&self) -> AnswerSource {
        self.source
    }

    /// Returns true if any input is flagged.
    pub fn any_flagged(&self) -> bool {
        self.results.iter().any(|result| result.flagged)
    }

    /// Returns the response body unchanged, in the provider's own format.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Returns the response body as JSON, for members that have no field here. Null if it is not
    /// JSON.
    pub fn raw_json(&self) -> Value {
        serde_json::from_str(self.raw.trim_start_matches('\u{feff}')).unwrap_or_default()
    }
}

impl ModerationResult {
    /// Returns a category by the provider's name for it.
    pub fn category(&self, name: &str) -> Option<&ModerationCategory> {
        self.categories.iter().find(|category| category.name == name)
    }

    /// Returns the flagged categories, in the provider's order.
    pub fn flagged_categories(&self) -> impl Iterator<Item = &ModerationCategory> {
        self.categories.iter().filter(|category| category.flagged)
    }
}

impl<'a> IntoIterator for &'a Moderation {
    type Item = &'a ModerationResult;
    type IntoIter = std::slice::Iter<'a, ModerationResult>;

    fn into_iter(self) -> Self::IntoIter {
        self.results.iter()
    }
}

/// Shows the size of the body, not its content.
impl fmt::Debug for Moderation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moderation")
            .field("results", &self.results)
            .field("model", &self.model)
            .field("provider", &self.provider)
            .field("id", &self.id)
            .field("usage", &self.usage)
            .field("cost", &self.cost)
            .field("request_id", &self.request_id)
            .field("rate_limit", &self.rate_limit)
            .field("latency", &self.latency)
            .field("attempts", &self.attempts)
            .field("raw", &format_args!("[{} bytes]", self.raw.len()))
            .finish()
    }
}
