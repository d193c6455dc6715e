//! One account of a limit: its buckets, and the calls in flight.

use std::time::Instant;

use super::Amount;
use super::bucket::Bucket;
use super::gradient::Gradient;
use super::learned::{Learned, UsedUp};
use super::rule::{Allowance, InFlight, Rule};
use super::status::{LimitLevel, LimitStatus};
use super::store::{Allowed, Full, Report};

/// The state of one account.
#[derive(Debug)]
pub(super) struct Account {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    learned: Option<Learned>,
    in_flight: u32,
    most: Most,
}

/// How many calls may be in flight.
#[derive(Debug)]
enum Most {
    Any,
    Fixed(u32),
    Adaptive(Gradient),
}

impl Most {
    fn limit(&self) -> Option<u32> {
        match self {
            Self::Any => None,
            Self::Fixed(limit) => Some(*limit),
            Self::Adaptive(gradient) => Some(gradient.limit()),
        }
    }
}

impl Account {
    pub(super) fn new(allowance: &Allowance, now: Instant) -> Self {
        let (requests, tokens, learned, most) = match *allowance {
            Allowance::Set { requests, tokens, in_flight } => {
                let bucket = |rate| Bucket::new(rate, now);
                let most = match in_flight {
                    InFlight::Any => Most::Any,
                    InFlight::AtMost(limit) => Most::Fixed(limit),
                    InFlight::Adaptive(limit) => Most::Adaptive(Gradient::new(limit)),
                };
                (requests.map(bucket), tokens.map(bucket), None, most)
            }
            Allowance::Learned => (None, None, Some(Learned::default()), Most::Any),
        };
        Self { requests, tokens, learned, in_flight: 0, most }
    }

    /// What keeps this amount from being reserved now, if `ahead` other requests come first.
    pub(super) fn full(&self, amount: Amount, ahead: u64, now: Instant) -> Option<Full> {
        let requests = self.requests.as_ref().map(|bucket| {
            let at = bucket.fit_after(ahead, now);
            let allowed = Allowed::Requests(bucket.rate().per_minute);
            Full { allowed, fit_at: Some(at), could_fit_at: at }
        });
        let tokens = self.tokens.as_ref().map(|bucket| Full {
            allowed: Allowed::Tokens(bucket.rate().per_minute),
            fit_at: Some(bucket.fit_at(amount.tokens(), now)),
            could_fit_at: bucket.could_fit_at(amount.tokens(), now),
        });
        let learned = self.learned.as_ref().and_then(|learned| {
            let UsedUp { quantity, fit_at } = learned.used_up(amount, ahead, now)?;
            let (allowed, could_fit_at) = match quantity {
                Some((name, limit)) => {
                    // The next response may say something else.
                    let at = if learned.is_settled() { fit_at } else { now };
                    (Allowed::Reported(name, limit), at)
                }
                None => (Allowed::Later, fit_at),
            };
            Some(Full { allowed, fit_at: Some(fit_at), could_fit_at })
        });
        let rates = [requests, tokens, learned].into_iter().flatten();
        let latest = rates.filter(|full| full.fit_at > Some(now)).max_by_key(|full| full.fit_at);
        match self.most.limit() {
            // A call in flight can end at any time.
            Some(limit) if self.in_flight >= limit => {
                let could_fit_at = latest.map_or(now, |full| full.could_fit_at);
                Some(Full { allowed: Allowed::InFlight(limit), fit_at: None, could_fit_at })
            }
            _ => latest,
        }
    }

    pub(super) fn reserve(&mut self, id: u64, amount: Amount, now: Instant) {
        if let Some(requests) = &mut self.requests {
            requests.take(1, now);
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.reserve(id, amount.tokens(), now);
        }
        if let Some(learned) = &mut self.learned {
            learned.reserve(id, amount, now);
        }
        self.in_flight += 1;
        if let Most::Adaptive(gradient) = &mut self.most {
            gradient.in_flight(self.in_flight);
        }
    }

    /// Ends a reservation that used this many tokens. `None` counts all that it reserved.
    pub(super) fn settle(&mut self, id: u64, used: Option<u64>, now: Instant) {
        if let Some(tokens) = &mut self.tokens {
            tokens.settle(id, used, now);
        }
        if let Some(learned) = &mut self.learned {
            learned.settle(id);
        }
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Learns from a response.
    pub(super) fn learn(&mut self, id: u64, report: &Report<'_>, now: Instant) {
        if let Some(learned) = &mut self.learned {
            if let Some(headers) = report.headers {
                learned.read(id, headers, now);
            }
            if let Some(wait) = report.refused_for {
                learned.refused(wait, now);
            }
        }
        if let Most::Adaptive(gradient) = &mut self.most {
            if let Some((after, streamed)) = report.answered {
                gradient.answered(after, streamed, now);
            }
            if report.overloaded {
                gradient.overloaded();
            }
        }
    }

    /// Whether it is as a new one, so that nobody misses it.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        let is_full =
            |bucket: &Option<Bucket>| bucket.as_ref().is_none_or(|bucket| bucket.is_fresh(now));
        self.in_flight == 0
            && !matches!(self.most, Most::Adaptive(_))
            && is_full(&self.requests)
            && is_full(&self.tokens)
            && self.learned.as_ref().is_none_or(|learned| learned.is_fresh(now))
    }

    pub(super) fn status(&self, rule: &Rule, account: &str, now: Instant) -> LimitStatus {
        let available = |bucket: &Bucket| LimitLevel {
            limit: bucket.rate().per_minute,
            available: bucket.available(now),
        };
        let mut status = LimitStatus {
            name: rule.name.clone(),
            account: account.to_owned(),
            is_learned: self.learned.is_some(),
            requests: self.requests.as_ref().map(available),
            tokens: self.tokens.as_ref().map(available),
            input_tokens: None,
            output_tokens: None,
            in_flight: self.in_flight,
            max_in_flight: self.most.limit(),
            waiting: 0,
            closed_for: None,
        };
        if let Some(learned) = &self.learned {
            let parts = [
                &mut status.requests,
                &mut status.tokens,
                &mut status.input_tokens,
                &mut status.output_tokens,
            ];
            for (part, known) in parts.into_iter().zip(learned.available(now)) {
                *part = known.map(|(limit, available)| LimitLevel { limit, available });
            }
            status.closed_for = learned.closed_for(now);
        }
        status
    }
}
