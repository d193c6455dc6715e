//! Why a model has its place in a ranking.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::time::Duration;

use crate::catalogue::{ModelDate, ModelStatus};
use crate::cost::Money;

/// What decides about the place of a model. `Display` says it in words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grounds {
    pub(super) class: Class,
    /// What 1,000 such calls can be expected to cost, rounded to two digits.
    pub(crate) score: Option<Money>,
    /// What the call can be expected to cost.
    pub(crate) cost: Option<Money>,
    pub(super) quality: Option<f64>,
    pub(super) latency: Option<Duration>,
    pub(super) window: u64,
    pub(super) released: Option<ModelDate>,
    /// Of the prompt and of the answer, as expected.
    pub(super) tokens: (u64, u64),
}

/// What goes before everything else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Class {
    pub(super) rests: bool,
    /// Whether the prompt may be too long for its window.
    pub(super) tight: bool,
    pub(super) status: Option<ModelStatus>,
}

impl Class {
    fn rank(self) -> (bool, bool, u8) {
        let status = match self.status {
            None | Some(ModelStatus::Active) => 0,
            Some(ModelStatus::Preview) => 1,
            Some(ModelStatus::Deprecated | ModelStatus::Retired) => 2,
        };
        (self.rests, self.tight, status)
    }
}

impl Grounds {
    /// The better one first: by class, score, quality, latency, context window, release and cost.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let quality = |one: &Self| one.quality.unwrap_or(-1.0);
        let by_score = || order_of_amounts(self.score, other.score);
        let by_quality = || quality(other).total_cmp(&quality(self));
        // One that was not measured counts as fast, so that it is measured.
        let rest = |one: &Self| (one.latency, Reverse(one.window), Reverse(one.released));
        let by_rest = || rest(self).cmp(&rest(other));
        let by_cost = || order_of_amounts(self.cost, other.cost);
        let by_class = self.class.rank().cmp(&other.class.rank());
        by_class.then_with(by_score).then_with(by_quality).then_with(by_rest).then_with(by_cost)
    }

    /// One sentence each.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let (prompt, answer) = self.tokens;
        let mut reasons = vec![match self.score {
            Some(score) => format!(
                "{score} for 1,000 such calls ({prompt} tokens of prompt, {answer} of answer)"
            ),
            None => "its price is unknown, so it ranks behind those with a price".to_owned(),
        }];
        let mut add = |reason: String| reasons.push(reason);
        if let Some(quality) = self.quality {
            add(format!("quality {quality}"));
        }
        if let Some(latency) = self.latency {
            add(format!("latency {latency:.1?}"));
        }
        add(format!("context window {}", self.window));
        let behind = "so it ranks behind the others";
        match self.class.status {
            Some(ModelStatus::Preview) => add(format!("it is a preview, {behind}")),
            Some(ModelStatus::Deprecated) => add(format!("it is deprecated, {behind}")),
            _ => {}
        }
        if self.class.tight {
            add(format!("the prompt may be too long for its window, {behind}"));
        }
        if self.class.rests {
            add(format!("it rests after failures or a rate limit, {behind}"));
        }
        reasons
    }
}

/// The lower amount first, and unknown ones last.
fn order_of_amounts(one: Option<Money>, other: Option<Money>) -> Ordering {
    (one.is_none(), one).cmp(&(other.is_none(), other))
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reasons().join("; "))
    }
}
