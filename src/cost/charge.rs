//! What a call is charged once it has ended, decided on values alone.

use std::time::SystemTime;

use super::bound::Bound;
use super::{Cost, CostSource, Money, Price, Unreported};
use crate::chat::{Usage, UsageSource};
use crate::error::{Error, ErrorKind, Phase};

/// What there is to price a call by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// Of the model that served it; `None` where that is not known.
    pub(super) price: Option<&'a Price>,
    /// The most it could use.
    pub(super) bound: &'a Bound,
    /// What was reserved for it.
    pub(super) reserved: Money,
    /// Its input, as a guess.
    pub(super) expected_input: u64,
    /// The tier that served it, or was asked for.
    pub(super) service_tier: Option<&'a str>,
    /// When it began: prices of that moment hold.
    pub(super) at: SystemTime,
    pub(super) unreported: Unreported,
    pub(super) believe_reported: bool,
}

impl Terms<'_> {
    /// The cost of an answer, whole or in part. `None` where no price is known.
    pub(super) fn answered(&self, usage: &Usage) -> Option<Cost> {
        let reported = usage.reported_cost.filter(|bill| !bill.is_negative());
        let Some(price) = self.price else {
            let total = reported?;
            return Some(Cost { total, source: CostSource::Reported, ..Cost::default() });
        };
        let (charged, source) = self.charged(usage);
        let cost = Cost { source, ..price.cost(&charged, self.service_tier, self.at) };
        match reported {
            Some(total) if self.believe_reported => {
                Some(Cost { total, source: CostSource::Reported, ..cost })
            }
            _ => Some(cost),
        }
    }

    /// The cost of a call that was sent and got no answer.
    pub(super) fn unanswered(&self) -> Option<Cost> {
        let cost = self.price?.cost(&self.lost(), self.service_tier, self.at);
        Some(match self.rule() {
            // Whatever it was that made it the most: a cache written, a dearer tier.
            Unreported::AtMost => {
                Cost { total: cost.total.max(self.reserved), source: CostSource::Bound, ..cost }
            }
            _ => Cost { source: CostSource::Estimated, ..cost },
        })
    }

    /// What is charged that was not reported. Where no bound was reckoned, since no budget
    /// bears on the call, there is no most that it can have cost.
    fn rule(&self) -> Unreported {
        let unbounded = self.bound.input_tokens == 0 && self.bound.output_tokens == 0;
        match self.unreported {
            Unreported::AtMost if unbounded => Unreported::Estimate,
            rule => rule,
        }
    }

    /// The usage that is charged of a call that was sent and got no answer.
    pub(super) fn lost(&self) -> Usage {
        let (input, output) = match self.rule() {
            Unreported::AtMost => (self.bound.input_tokens, self.bound.output_tokens),
            Unreported::Estimate => (self.expected_input, 0),
            Unreported::Nothing => (0, 0),
        };
        Usage { source: UsageSource::Estimated, ..Usage::reported(input, output) }
    }

    /// The usage that is charged, where not all of it was reported, and how it was found.
    pub(super) fn charged(&self, usage: &Usage) -> (Usage, CostSource) {
        let input_reported = match usage.source {
            UsageSource::Reported => return (*usage, CostSource::Priced),
            UsageSource::EstimatedOutput | UsageSource::OtherModel => true,
            UsageSource::EstimatedInput | UsageSource::Estimated | UsageSource::Missing => false,
        };
        let missing = usage.source == UsageSource::Missing;
        let mut charged = *usage;
        let source = match self.rule() {
            Unreported::AtMost => {
                if !input_reported {
                    charged.prompt_tokens = self.bound.input_tokens.max(usage.prompt_tokens);
                }
                // A token was estimated for every four bytes, and is a byte at least.
                let bytes = usage.completion_tokens.saturating_mul(4);
                charged.completion_tokens = match missing {
                    true => self.bound.output_tokens,
                    false => bytes.min(self.bound.output_tokens.max(usage.completion_tokens)),
                };
                CostSource::Bound
            }
            Unreported::Estimate => {
                if missing {
                    charged.prompt_tokens = self.expected_input;
                }
                CostSource::Estimated
            }
            Unreported::Nothing => {
                charged.completion_tokens = 0;
                if !input_reported {
                    charged.prompt_tokens = 0;
                }
                CostSource::Estimated
            }
        };
        charged.total_tokens = charged.prompt_tokens.saturating_add(charged.completion_tokens);
        (charged, source)
    }
}

/// Whether a call that failed like this may have been billed.
///
/// Not if it was never sent whole, and not if the provider answered with an error: none
/// of them bills a failed request. A gateway that gave up on what is behind it says nothing of what
/// that did: 408, 502 and 504 (RFC 9110, section 15.6), and 520 and 524 of Cloudflare's
/// (developers.cloudflare.com/support, "5xx errors").
pub(super) fn may_be_billed(error: &Error) -> bool {
    match error.phase() {
        Some(Phase::Encode | Phase::PoolWait | Phase::Resolve | Phase::Connect | Phase::Tls) => {
            return false;
        }
        // Cut off within the body. One that is cancelled may have been sent whole.
        Some(Phase::Send) if !error.is_cancelled() => return false,
        _ => {}
    }
    match (error.kind(), error.status()) {
        (_, Some(408 | 502 | 504 | 520 | 524)) => true,
        (_, Some(300..)) => false,
        // The answer was good, and then something else came.
        (
            ErrorKind::Protocol
            | ErrorKind::Truncated
            | ErrorKind::Timeout
            | ErrorKind::Connection
            | ErrorKind::Cancelled
            | ErrorKind::Budget,
            _,
        ) => true,
        // Told so in place of an answer.
        (_, Some(_)) => false,
        // Refused by this crate.
        (ErrorKind::InvalidRequest | ErrorKind::Configuration, None) => false,
        (_, None) => true,
    }
}

#[cfg(test)]
mod tests;
