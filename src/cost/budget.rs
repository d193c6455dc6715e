//! `Budget`: which calls it limits, over what time, and in which accounts.

mod account;
mod known_provider;
mod problems;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::ledger::Line;
use super::price::fold;
use super::scope::Scope;
use super::window::Span;
use super::{Money, UtcOffset, Window};
use crate::provider;
use crate::snapshot::without_date;
use crate::tags::Tags;

/// A limit on what calls cost.
///
/// Before a call is sent, the most it can cost is reserved in every budget that applies to it.
/// When it ends, its actual cost replaces the reservation. A call that could exceed the limit is
/// refused and not sent, so no number of threads can spend more than the limit.
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Budget, Money};
///
/// let budgets = [
///     // All calls of a day together.
///     Budget::daily(Money::dollars(20)),
///     // Each customer separately, one model only; it alerts and refuses nothing.
///     Budget::monthly(Money::dollars(5)).model("gpt-4o").per_tag("customer").soft(),
///     // One customer has its own agreement.
///     Budget::rolling(Duration::from_secs(3600), Money::dollars(1)).tag("customer", "acme"),
///     // No single call may cost more than this.
///     Budget::per_request(Money::cents(25)),
/// ];
/// assert!(budgets.iter().all(|budget| budget.check().is_ok()));
/// ```
///
/// A budget with several accounts (such as [`per_tag`](Self::per_tag)) has its limit in each of
/// them. A budget applies to a call that meets all of its restrictions. Set budgets with
/// [`ClientBuilder::budget`](crate::ClientBuilder::budget) or
/// [`CostConfig::budget`](crate::CostConfig::budget).
///
/// Budgets can be stored and loaded with serde, for example from a settings file. The keys are
/// the names of the fields. An unknown key is an error, because a misspelled limit would not hold.
///
/// ```
/// # use tollgate::{Budget, Money};
/// let budget: Budget = serde_json::from_str(
///     r#"{"window": "daily", "limit": "0.50", "per_tags": ["customer"], "utc_offset": "+01:00"}"#,
/// )?;
/// assert_eq!(budget.limit, Money::cents(50));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// The time over which spending adds up.
    pub window: Window,
    /// The most that may be spent per window in each account. Zero refuses every call that
    /// costs anything. Not negative.
    pub limit: Money,
    /// The name shown to people. Accounts are named after it. Default: made of the window, the
    /// restrictions and the keys it splits accounts by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the only provider it applies to, such as `groq`; see
    /// [`provider`](Self::provider()). Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The only model it applies to, by the name in the request; see [`model`](Self::model()).
    /// Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether it applies to the dated names of that model too; see [`dated`](Self::dated()).
    /// Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dated: bool,
    /// It applies only to calls with all of these tags. Default: none, so it applies to any call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether each provider has its own account. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_provider: bool,
    /// Whether each model has its own account. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_model: bool,
    /// The tags whose values each have their own account. Default: none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub per_tags: BTreeSet<String>,
    /// Whether it only alerts and never refuses. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub soft: bool,
    /// The percentages of the limit at which to alert, in rising order. Default: 50, 80 and 100.
    #[serde(default = "default_alerts")]
    pub alerts: Vec<u16>,
    /// The offset from UTC of the clock by which days and months begin. Default: UTC.
    #[serde(default, skip_serializing_if = "is_utc")]
    pub utc_offset: UtcOffset,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
fn is_false(flag: &bool) -> bool {
    !flag
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
fn is_utc(offset: &UtcOffset) -> bool {
    *offset == UtcOffset::UTC
}

fn default_alerts() -> Vec<u16> {
    vec![50, 80, 100]
}

/// Where a budget charges a call: what a [`Line`] borrows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) account: Arc<str>,
    pub(crate) span: Span,
    /// The limit the ledger must enforce; `None` for a soft budget.
    pub(crate) limit: Option<Money>,
}

impl Charge {
    pub(crate) fn line(&self) -> Line<'_> {
        self.line_in(self.span)
    }

    /// The line for the span of another moment.
    pub(crate) fn line_in(&self, span: Span) -> Line<'_> {
        let Span { from, slot, until, .. } = span;
        Line { account: &self.account, slot, from, until, limit: self.limit }
    }
}

impl Budget {
    /// Limits spending per calendar day, in UTC unless [set otherwise](Self::utc_offset).
    pub fn daily(limit: Money) -> Self {
        Self::new(Window::Daily, limit)
    }

    /// Limits spending per calendar month, in UTC unless [set otherwise](Self::utc_offset).
    pub fn monthly(limit: Money) -> Self {
        Self::new(Window::Monthly, limit)
    }

    /// Limits spending in total, for as long as the ledger lasts: one in memory starts over with
    /// each process.
    pub fn total(limit: Money) -> Self {
        Self::new(Window::Total, limit)
    }

    /// Limits spending in any period of this length; see [`Window::Rolling`].
    pub fn rolling(length: Duration, limit: Money) -> Self {
        Self::new(Window::Rolling(length), limit)
    }

    /// Limits each attempt of each request. An attempt that may cost more is refused, and a
    /// stream that costs more anyway is stopped. Nothing adds up, so reports do not list this
    /// budget and it sends no alerts. A [soft](Self::soft) one refuses and stops nothing, but
    /// alerts for each request that reaches a threshold.
    pub fn per_request(limit: Money) -> Self {
        Self::new(Window::Request, limit)
    }

    fn new(window: Window, limit: Money) -> Self {
        Self {
            window,
            limit,
            name: None,
            provider: None,
            model: None,
            dated: false,
            tags: BTreeMap::new(),
            per_provider: false,
            per_model: false,
            per_tags: BTreeSet::new(),
            soft: false,
            alerts: default_alerts(),
            utc_offset: UtcOffset::UTC,
        }
    }

    /// Sets the name shown to people. Accounts are named after it, so changing it starts new
    /// accounts with nothing spent. Default: made of the window and scope, such as
    /// `daily [model=gpt-4o] customer`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Restricts it to the calls of one provider. `provider` is an id such as `openai` or `groq`,
    /// or another name that this crate knows for it, in upper or lower case. Default: any
    /// provider.
    ///
    /// A name of the price table ([`Prices::providers`](super::Prices::providers)) that is not
    /// a provider's id selects every provider with these prices: `google` includes `gemini` and
    /// `gemini-openai`. A provider's id selects that provider alone: `openai` does not include a
    /// gateway that is [priced](crate::ClientBuilder::price_provider) like OpenAI.
    ///
    /// [`CostConfig::build`](crate::CostConfig::build) refuses a name that no call can have: no
    /// provider has it, the price table does not list it, and no price is
    /// [set](super::Prices::set) for it. If calls need no price
    /// ([`UnknownModel`](super::UnknownModel)), it refuses only names that look misspelled.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Restricts it to one model, by the name in the request, in upper or lower case. Other names
    /// of the same model do not match: a budget for `gpt-4o` does not apply to
    /// `gpt-4o-2024-08-06`, unless it is [`dated`](Self::dated()). Default: any model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Makes it apply to the dated names of its [model](Self::model()) too: one for `gpt-4o` to
    /// `gpt-4o-2024-11-20`, one for `claude-opus-4-5` to `claude-opus-4-5-20251101`. They share its
    /// account. That account is not the one of a budget without this, so spending starts at zero if
    /// you add it. Default: only the name itself.
    #[must_use]
    pub fn dated(mut self) -> Self {
        self.dated = true;
        self
    }

    /// Restricts it to calls with this [tag](crate::ChatRequest::tag). If set several times, a
    /// call must have all of the tags. Default: any call.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Gives each provider its own account with the full limit. Default: one account for all.
    #[must_use]
    pub fn per_provider(mut self) -> Self {
        self.per_provider = true;
        self
    }

    /// Gives each model its own account with the full limit. Default: one account for all.
    #[must_use]
    pub fn per_model(mut self) -> Self {
        self.per_model = true;
        self
    }

    /// Gives each value of a tag its own account with the full limit. Calls without the tag share
    /// one more account, so leaving out the tag does not avoid the limit. With several tags, each
    /// combination of values has its own account. Default: one account for all.
    #[must_use]
    pub fn per_tag(mut self, key: impl Into<String>) -> Self {
        self.per_tags.insert(key.into());
        self
    }

    /// Only alerts, and refuses nothing: not even calls without a price or an upper bound. It
    /// also sends no output limit. Default: it refuses.
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Sets the percentages of the limit at which to alert, in rising order. Values above 100
    /// only make sense for a [soft](Self::soft) budget. Default: 50, 80 and 100.
    ///
    /// Each alert is sent once per window, across all processes that share a ledger. The first
    /// call to end after the threshold is reached sends it, even if another process spent the
    /// money. An alert is missed only if the process ends before it can send it. In a rolling
    /// window spending can fall and rise again. Its threshold alerts again when it is reached
    /// anew, at the earliest one window length after the last alert.
    #[must_use]
    pub fn alert_at(mut self, percents: impl IntoIterator<Item = u16>) -> Self {
        self.alerts = percents.into_iter().collect();
        self
    }

    /// Sets the UTC offset of the clock by which days and months begin. Default: UTC.
    #[must_use]
    pub fn utc_offset(mut self, offset: UtcOffset) -> Self {
        self.utc_offset = offset;
        self
    }
}

/// A provider's or model's name in the form in which prices compare them: lower case, trimmed.
fn name(name: &str) -> Cow<'_, str> {
    fold(name.trim())
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || name(one) == name(other)
}

/// Whether a budget for the provider `only` applies to calls to a model.
fn is_provider(only: &str, scope: &Scope) -> bool {
    is_same(only, &scope.provider)
        || match provider::canonical(only.trim()) {
            Some(id) if is_same(id, only) => false,
            Some(id) => is_same(id, &scope.provider) || is_same(only, scope.prices()),
            None => is_same(only, scope.prices()),
        }
}

impl Budget {
    /// Whether it applies to calls to a model, if they have the right tags.
    pub(super) fn covers(&self, scope: &Scope) -> bool {
        self.provider.as_deref().is_none_or(|only| is_provider(only, scope))
            && self.model.as_deref().is_none_or(|only| {
                let undated =
                    || without_date(scope.model.trim()).is_some_and(|name| is_same(only, name));
                is_same(only, &scope.model) || self.dated && undated()
            })
    }

    /// Whether these are the right tags.
    pub(super) fn has_tags(&self, tags: &Tags) -> bool {
        self.tags.is_empty() || self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Whether it has more than one account.
    pub(crate) fn is_split(&self) -> bool {
        self.per_provider || self.per_model || !self.per_tags.is_empty()
    }

    /// The span in which it charges a call at `now`, and the account, whose name
    /// [starts](Self::account_start) with `start`; `None` for a per-request budget, which adds
    /// nothing up.
    pub(super) fn line(&self, start: &Arc<str>, tags: &Tags, now: i64) -> Option<Charge> {
        let span = self.window.span(self.utc_offset, now)?;
        let limit = (!self.soft).then_some(self.limit);
        Some(Charge { account: self.account(start, tags), span, limit })
    }

    /// The alert thresholds, in percent, that spending crosses as it goes from `before` to
    /// `after`. Without any spending none is reached, even if the limit is zero.
    pub(crate) fn reached(&self, before: Money, after: Money) -> impl Iterator<Item = u16> {
        let reached = |spent: Money, percent: u16| {
            spent > Money::ZERO && spent * 100 >= self.limit * u64::from(percent)
        };
        // They are in ascending order.
        let now = self.alerts.iter().copied().take_while(move |percent| reached(after, *percent));
        now.filter(move |percent| !reached(before, *percent))
    }
}

#[cfg(test)]
mod tests;
