//! Decides what an ended call is charged. Pure.

use std::time::SystemTime;

use super::price::Tier;
use super::record::CallOutcome;
use super::{Cost, CostSource, Money, Price, UnreportedUsage};
use crate::error::{Error, ErrorKind, Phase};
use crate::upper_bound::UpperBound;
use crate::usage::{Usage, UsageSource};

/// Everything needed to price a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The price of the model that served it; `None` if unknown.
    pub(super) price: Option<&'a Price>,
    /// The most it could use.
    pub(super) bound: &'a UpperBound,
    /// Whether the plan stated the most input it could use, and the most output.
    pub(super) stated: (bool, bool),
    /// What was reserved for it.
    pub(super) reserved: Money,
    /// The estimated input tokens.
    pub(super) expected_input: u64,
    /// The requested tier.
    pub(super) asked_tier: Option<&'a str>,
    /// The tier that served it, if the answer names it.
    pub(super) served_tier: Option<&'a str>,
    /// When it began. The prices of that moment apply.
    pub(super) at: SystemTime,
    pub(super) unreported: UnreportedUsage,
    pub(super) trust_reported: bool,
}

impl Terms<'_> {
    /// The cost of an answer, whole or partial. `None` if no price is known.
    pub(super) fn answered(&self, usage: &Usage, outcome: CallOutcome) -> Option<Cost> {
        self.cost(usage, &self.charge(usage), outcome)
    }

    /// The usage charged for an answer, and its cost as [`answered`](Self::answered) returns it.
    pub(super) fn settled(&self, usage: &Usage, outcome: CallOutcome) -> (Usage, Option<Cost>) {
        let charged = self.charge(usage);
        let cost = self.cost(usage, &charged, outcome);
        (charged.usage, cost)
    }

    fn cost(&self, usage: &Usage, charged: &Charged, outcome: CallOutcome) -> Option<Cost> {
        let reported = usage.reported_cost.filter(|bill| !bill.is_negative());
        let Some(price) = self.price else {
            let total = reported?;
            return Some(Cost { total, source: CostSource::Reported, ..Cost::default() });
        };
        let Charged { usage: ref charged, known, source } = *charged;
        let tier = self.served_tier.or(self.asked_tier);
        let mut cost = Cost { source, ..price.cost(charged, tier, self.at) };
        if source == CostSource::Bound {
            cost.total = cost.total.max(self.most(price, charged, known));
        }
        let Some(total) = reported.filter(|_| self.trust_reported) else { return Some(cost) };
        // A bill in the middle of a stream is not final, and a bill of zero next to missing
        // counts does not count as one.
        let is_final =
            known == (true, true) || (outcome != CallOutcome::Broken && !total.is_zero());
        Some(match is_final {
            true => Cost { total, source: CostSource::Reported, ..cost },
            false => Cost { total: cost.total.max(total), ..cost },
        })
    }

    /// The cost of a call that was sent and got no answer.
    pub(super) fn unanswered(&self) -> Option<Cost> {
        let price = self.price?;
        let Charged { usage, known, source } = self.charge(&Usage::default());
        let mut cost = Cost { source, ..price.cost(&usage, self.asked_tier, self.at) };
        if source == CostSource::Bound {
            cost.total = cost.total.max(self.most(price, &usage, known)).max(self.reserved);
        }
        Some(cost)
    }

    /// The usage charged for a call that was sent and got no answer.
    pub(super) fn lost(&self) -> Usage {
        Usage { source: UsageSource::Estimated, ..self.charge(&Usage::default()).usage }
    }

    /// The usage charged for an answer.
    pub(super) fn charged(&self, usage: &Usage) -> Usage {
        self.charge(usage).usage
    }

    fn charge(&self, usage: &Usage) -> Charged {
        let mut known = usage.known();
        if known == (true, true) {
            return self.charge_reported(usage);
        }
        let is_most = self.is_most();
        // A provider that runs tools itself adds their results to the input while it answers,
        // and counts them at the end.
        if is_most && !known.1 && self.bound.input_grows() {
            known.0 = false;
        }
        let stated = (known.0 || self.stated.0, known.1 || self.stated.1);
        let (input, output) = (usage.prompt_tokens, usage.completion_tokens);
        let missing = usage.source == UsageSource::Missing;
        let guess = if missing { self.expected_input } else { input };
        let min_output = self.bound.output_tokens.max(output);
        let (unreported_input, unreported_output) = match self.unreported {
            UnreportedUsage::Reserved | UnreportedUsage::Received => {
                let all = missing || self.unreported == UnreportedUsage::Reserved;
                let most_output = if all { min_output } else { bytes(output).min(min_output) };
                (
                    if stated.0 { self.bound.input_tokens.max(input) } else { guess },
                    if stated.1 { most_output } else { output },
                )
            }
            UnreportedUsage::Estimate => (guess, output),
            UnreportedUsage::Nothing => (0, 0),
        };
        let mut charged = *usage;
        charged.prompt_tokens = if known.0 { input } else { unreported_input };
        charged.completion_tokens = if known.1 { output } else { unreported_output };
        charged.total_tokens = charged.prompt_tokens.saturating_add(charged.completion_tokens);
        let source = match is_most && stated == (true, true) {
            true => CostSource::Bound,
            false => CostSource::Estimated,
        };
        if is_most && !known.1 {
            charged.web_searches = charged.web_searches.max(self.bound.web_searches);
        }
        Charged { usage: charged, known, source }
    }

    /// Whether unreported usage is charged at its upper bound.
    fn is_most(&self) -> bool {
        matches!(self.unreported, UnreportedUsage::Reserved | UnreportedUsage::Received)
    }

    /// What is charged if the provider reported all counts.
    fn charge_reported(&self, usage: &Usage) -> Charged {
        let known = (true, true);
        if usage.source != UsageSource::OtherModel {
            return Charged { usage: *usage, known, source: CostSource::Priced };
        }
        if !self.is_most() || !self.stated.1 {
            return Charged { usage: *usage, known, source: CostSource::Estimated };
        }
        // The other model may be more expensive, by an unknown factor. Charge four times the
        // output, up to the bound.
        let output = usage.completion_tokens;
        let completion_tokens = output.saturating_mul(4).min(self.bound.output_tokens.max(output));
        let total_tokens = usage.prompt_tokens.saturating_add(completion_tokens);
        let usage = Usage { completion_tokens, total_tokens, ..*usage };
        Charged { usage, known, source: CostSource::Bound }
    }

    /// The most that the charged tokens can have cost. Unreported tokens may have been of the
    /// most expensive kind, in the most expensive tier that can have served them.
    fn most(&self, price: &Price, charged: &Usage, known: (bool, bool)) -> Money {
        let bound = UpperBound {
            input_tokens: charged.prompt_tokens,
            output_tokens: charged.completion_tokens,
            web_searches: charged.web_searches,
            ..*self.bound
        };
        let tier = match self.served_tier {
            Some(served) => Tier::Served(served),
            None => Tier::Asked(self.asked_tier),
        };
        let most = price.at_most_beside(charged, known, &bound, tier, self.at);
        match known == (false, false) && self.unreported == UnreportedUsage::Reserved {
            true => most.max(self.reserved),
            false => most,
        }
    }
}

/// What is charged, and how it was determined.
struct Charged {
    usage: Usage,
    /// Whether the final input count is known, and the final output count.
    known: (bool, bool),
    source: CostSource,
}

/// The bytes behind an estimate of one token for every four bytes. Each byte may have been a
/// token.
fn bytes(estimated_tokens: u64) -> u64 {
    estimated_tokens.saturating_mul(4)
}

/// Whether a call that failed with `error` may have been billed.
///
/// It was not if the request was never fully sent, or if the provider answered with an error:
/// no provider bills a failed request. A gateway that gave up on its upstream does not know
/// what the upstream did: 408, 502 and 504 (RFC 9110, section 15.6), and Cloudflare's 520 and
/// 524 (developers.cloudflare.com/support, "5xx errors").
pub(super) fn may_be_billed(error: &Error) -> bool {
    match error.phase() {
        Some(
            Phase::Encode
            | Phase::CacheWait
            | Phase::LimitWait
            | Phase::PoolWait
            | Phase::Resolve
            | Phase::Connect
            | Phase::Tls,
        ) => {
            return false;
        }
        // Cut off within the body. A cancelled request may have been sent in full.
        Some(Phase::Send) if !error.is_cancelled() => return false,
        _ => {}
    }
    match (error.kind(), error.status()) {
        (_, Some(408 | 502 | 504 | 520 | 524)) => true,
        (_, Some(300..)) => false,
        // The answer began well, and then something else came.
        (
            ErrorKind::Protocol
            | ErrorKind::Truncated
            | ErrorKind::Timeout
            | ErrorKind::Connection
            | ErrorKind::Cancelled
            | ErrorKind::BudgetExceeded,
            _,
        ) => true,
        // The provider reported the error in place of an answer.
        (_, Some(_)) => false,
        // Refused by this crate.
        (ErrorKind::InvalidRequest | ErrorKind::Configuration | ErrorKind::CostUnknown, None) => {
            false
        }
        (_, None) => true,
    }
}

#[cfg(test)]
mod tests;
