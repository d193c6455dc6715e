//! A limit to what calls cost: which calls it is for, over which time, and in which
//! accounts it is kept.

mod account;
mod known_provider;
mod problems;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ledger::Line;
use super::price::fold;
use super::window::Span;
use super::{Money, UtcOffset, Window};
use crate::provider;

/// A limit to what calls cost.
///
/// Before a call is sent, the most that it can cost is reserved in every budget that it
/// falls under; when it ends, what it did cost is booked. So no number of threads spends
/// more than the limit. A call that would, is refused and not sent.
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Budget, Money};
///
/// let budgets = [
///     // All calls of a day together.
///     Budget::daily(Money::dollars(20)),
///     // Each customer for itself, one model only; warns and lets pass.
///     Budget::monthly(Money::dollars(5)).model("gpt-4o").per_tag("customer").soft(),
///     // One customer has an agreement of its own.
///     Budget::rolling(Duration::from_secs(3600), Money::dollars(1)).tag("customer", "acme"),
///     // No single call may cost more than this.
///     Budget::per_request(Money::cents(25)),
/// ];
/// assert!(budgets.iter().all(|budget| budget.check().is_ok()));
/// ```
///
/// A budget for several accounts ([`per_tag`](Self::per_tag) and the like) has its limit
/// in each of them. A call falls under a budget if it fits all that the budget is
/// restricted to. Set them by [`ClientBuilder::budget`](crate::ClientBuilder::budget) or
/// [`CostConfig::budget`](crate::CostConfig::budget).
///
/// It can be stored and loaded, from a file of settings, say, by the names of the fields.
/// What is misspelled there is refused, for it would be a limit that is not kept.
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
    /// The time over which it sums up.
    pub window: Window,
    /// The most that may be spent in the window, in each account. Nothing is a limit too:
    /// what costs anything is refused then. Not negative.
    pub limit: Money,
    /// What people know it by; its accounts are named after it. Default: made of the
    /// window, what it is restricted to, and what it has accounts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the only provider whose calls it applies to, such as `groq`; see
    /// [`provider`](Self::provider()). Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The only model whose calls fall under it, by the name in the request; see
    /// [`model`](Self::model()). Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only calls with all of these tags fall under it. Default: any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether each provider has an account of its own. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_provider: bool,
    /// Whether each model has an account of its own. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_model: bool,
    /// The tags of which each value has an account of its own. Default: none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub per_tags: BTreeSet<String>,
    /// Whether it warns only and refuses nothing. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub soft: bool,
    /// At how many percent of the limit to tell, rising. Default: 50, 80 and 100.
    #[serde(default = "default_alerts")]
    pub alerts: Vec<u16>,
    /// How far the clock by which days and months begin is ahead of UTC. Default: not at
    /// all.
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

/// What decides under which budgets a call falls, and in which accounts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) provider: &'a str,
    /// The provider's name in the price table.
    pub(crate) price_provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) tags: &'a BTreeMap<String, String>,
}

/// Where a budget charges a call: what a [`Line`] borrows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) account: String,
    pub(crate) span: Span,
    /// What the ledger is to keep to; `None` of a soft budget.
    pub(crate) limit: Option<Money>,
}

impl Charge {
    pub(crate) fn line(&self) -> Line<'_> {
        self.line_in(self.span)
    }

    /// The line at another moment, whose span is this.
    pub(crate) fn line_in(&self, span: Span) -> Line<'_> {
        let Span { from, slot, until, .. } = span;
        Line { account: &self.account, slot, from, until, limit: self.limit }
    }
}

impl Budget {
    /// So much a day of the calendar, of UTC unless [set](Self::utc_offset).
    pub fn daily(limit: Money) -> Self {
        Self::new(Window::Daily, limit)
    }

    /// So much a month of the calendar, of UTC unless [set](Self::utc_offset).
    pub fn monthly(limit: Money) -> Self {
        Self::new(Window::Monthly, limit)
    }

    /// So much in all. Over how long is the ledger's affair: one in memory begins anew with
    /// each process.
    pub fn total(limit: Money) -> Self {
        Self::new(Window::Total, limit)
    }

    /// So much in any time of this length; see [`Window::Rolling`].
    pub fn rolling(length: Duration, limit: Money) -> Self {
        Self::new(Window::Rolling(length), limit)
    }

    /// So much for each attempt of each request: one that may cost more is refused, and a stream
    /// that comes to cost more all the same is stopped. It sums nothing up, so that it is in
    /// no report, and has no alerts unless it is [soft](Self::soft): then it refuses and
    /// stops nothing, and alerts tell of each request that reaches a share of it.
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
            tags: BTreeMap::new(),
            per_provider: false,
            per_model: false,
            per_tags: BTreeSet::new(),
            soft: false,
            alerts: default_alerts(),
            utc_offset: UtcOffset::UTC,
        }
    }

    /// Sets what people know it by. Its accounts are named after it, so another name is
    /// another account with nothing spent. Default: made of the window and the scope, such
    /// as `daily [model=gpt-4o] customer`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Restricts it to the calls of one provider, by its id, such as `openai` or `groq`, or
    /// another name that the crate has for it, in any case. Default: any provider.
    ///
    /// A name of the price table ([`Prices::providers`](super::Prices::providers)) that is no
    /// provider's id applies to all providers with these prices: `google` to `gemini-openai`,
    /// for example. Where the name is an id, only the id counts: `openai` does not apply to a
    /// gateway that is [priced](crate::ClientBuilder::price_provider) like OpenAI.
    ///
    /// [`CostConfig::build`](crate::CostConfig::build) refuses a name that no call can have:
    /// one that is not a provider's, not in the price table, and for which no price is
    /// [set](super::Prices::set). If calls need no price
    /// ([`UnknownModel`](super::UnknownModel)), it refuses only names that look misspelled.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Restricts it to one model, by the name that requests ask for, in letters of any case.
    /// Its other names are other models to it: a budget for `gpt-4o` is none for
    /// `gpt-4o-2024-08-06`. Default: any.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Restricts it to calls with this [tag](crate::ChatRequest::tag). Of several, a call
    /// must have all. Default: any call.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Gives each provider an account of its own, with the limit in each. Default: one
    /// account for all.
    #[must_use]
    pub fn per_provider(mut self) -> Self {
        self.per_provider = true;
        self
    }

    /// Gives each model an account of its own, with the limit in each. Default: one
    /// account for all.
    #[must_use]
    pub fn per_model(mut self) -> Self {
        self.per_model = true;
        self
    }

    /// Gives each value of a tag an account of its own, with the limit in each. Calls
    /// without the tag share one more, so that leaving it out is no way around the limit.
    /// Of several, each combination has one. Default: one account for all.
    #[must_use]
    pub fn per_tag(mut self, key: impl Into<String>) -> Self {
        self.per_tags.insert(key.into());
        self
    }

    /// Makes it warn only: it tells what is spent and refuses nothing, not even what has no
    /// price or no bound, and has no output limit sent. Default: it refuses.
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Sets at how many percent of the limit to tell, in rising order; above 100 are of use
    /// to a [soft](Self::soft) budget. Default: 50, 80 and 100.
    ///
    /// Each is told once in a window, for all processes that share a ledger: by the first call
    /// to end once so much is spent, were it another's money that went beyond, such as that
    /// of a process that died. That the process ends before it has told is the only way to
    /// miss one. Of a rolling window, in which what is spent sinks as well, a threshold is told
    /// again when it is reached anew, once its length has passed since.
    #[must_use]
    pub fn alert_at(mut self, percents: impl IntoIterator<Item = u16>) -> Self {
        self.alerts = percents.into_iter().collect();
        self
    }

    /// Sets by which clock days and months begin. Default: UTC.
    #[must_use]
    pub fn utc_offset(mut self, offset: UtcOffset) -> Self {
        self.utc_offset = offset;
        self
    }
}

/// The name of a provider or a model, as prices compare them: in lower case, without blanks
/// around it.
fn name(name: &str) -> Cow<'_, str> {
    fold(name.trim())
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || name(one) == name(other)
}

/// Whether a budget for the provider `only` applies to a call.
fn is_provider(only: &str, facts: &Facts<'_>) -> bool {
    is_same(only, facts.provider)
        || match provider::canonical(only.trim()) {
            Some(id) => is_same(id, facts.provider),
            None => is_same(only, facts.price_provider),
        }
}

impl Budget {
    /// Whether it applies to a call.
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> bool {
        self.provider.as_deref().is_none_or(|only| is_provider(only, facts))
            && self.model.as_deref().is_none_or(|only| is_same(only, facts.model))
            && self.tags.iter().all(|(key, value)| facts.tags.get(key) == Some(value))
    }

    /// Whether it has more accounts than one.
    pub(crate) fn is_split(&self) -> bool {
        self.per_provider || self.per_model || !self.per_tags.is_empty()
    }

    /// Where it charges a call at `now`; `None` if it is for each request on its own, which
    /// needs no books.
    pub(crate) fn line(&self, facts: &Facts<'_>, now: i64) -> Option<Charge> {
        let span = self.window.span(self.utc_offset, now)?;
        let limit = (!self.soft).then_some(self.limit);
        Some(Charge { account: self.account(facts), span, limit })
    }

    /// Which of its alerts, in percent, are reached by spending that went from `before` to
    /// `after`. Nothing spent reaches none, even of a limit of nothing.
    pub(crate) fn reached(&self, before: Money, after: Money) -> impl Iterator<Item = u16> {
        let reached = |spent: Money, percent: u16| {
            spent > Money::ZERO && spent * 100 >= self.limit * u64::from(percent)
        };
        self.alerts
            .iter()
            .copied()
            .filter(move |percent| reached(after, *percent) && !reached(before, *percent))
    }
}

#[cfg(test)]
mod tests;
