//! Limits learned from the headers of a provider's responses.

use std::time::{Duration, Instant};

use super::Amount;
use crate::error::{Quota, RateLimit};

/// How long a quota takes to refill until its headers show it. Almost all are per minute.
const REFILL: Duration = Duration::from_secs(60);

/// The longest time that a header can make a quota refill in.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The limits that a provider reports for one model and key.
///
/// Each response says how much is left. It does not count requests that were sent later, so their
/// reservations are subtracted. From there a quota is assumed to refill evenly until the
/// reset, as the token buckets of OpenAI, Anthropic and Groq do (platform.openai.com/docs/guides/
/// rate-limits, docs.anthropic.com/en/api/rate-limits, console.groq.com/docs/rate-limits). At a
/// provider that refills all at once, a call can be sent too early. It is then refused with a
/// time to wait, and nobody sends before that time.
#[derive(Debug, Default)]
pub(super) struct Learned {
    quotas: [Option<Known>; 4],
    /// The provider refused a call and asked to wait until this time.
    closed_until: Option<Instant>,
    /// The latest reservation whose response was read.
    last: Option<u64>,
    /// The reservations whose response has not come yet.
    open: Vec<(u64, [u64; 4])>,
}

/// A quota, as a bucket whose time to refill is known.
#[derive(Debug, Clone, Copy)]
struct Known {
    limit: u64,
    /// How long an empty bucket takes to fill.
    refill: Duration,
    full_at: Instant,
}

/// The quantities that are limited, in the order of [`RateLimit`].
const QUANTITIES: [&str; 4] = ["requests", "tokens", "input tokens", "output tokens"];

/// What a reservation takes of each quantity.
fn parts(amount: Amount) -> [u64; 4] {
    [1, amount.tokens(), amount.input, amount.output]
}

impl Known {
    fn time(self, units: u64) -> Duration {
        let units = u128::from(units.min(self.limit));
        let nanos = (self.refill.as_nanos() * units).div_ceil(u128::from(self.limit));
        u64::try_from(nanos).map_or(self.refill, Duration::from_nanos)
    }

    fn missing(self, now: Instant) -> Duration {
        self.full_at.saturating_duration_since(now)
    }

    fn fit_at(self, units: u64, now: Instant) -> Instant {
        now + (self.missing(now) + self.time(units)).saturating_sub(self.refill)
    }

    fn take(&mut self, units: u64, now: Instant) {
        self.full_at = self.full_at.max(now) + self.time(units);
    }
}

/// A quantity that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsedUp {
    /// Which quantity it is, and its limit; `None` if the provider only named a time.
    pub(super) quantity: Option<(&'static str, u64)>,
    pub(super) fit_at: Instant,
}

impl Learned {
    /// What keeps this amount, after `ahead` other requests, from being sent now.
    pub(super) fn used_up(&self, amount: Amount, ahead: u64, now: Instant) -> Option<UsedUp> {
        let mut parts = parts(amount);
        parts[0] += ahead;
        let quotas = self.quotas.iter().zip(parts).zip(QUANTITIES);
        let quotas = quotas.filter_map(|((known, units), name)| {
            let known = (*known)?;
            let fit_at = known.fit_at(units, now);
            Some(UsedUp { quantity: Some((name, known.limit)), fit_at })
        });
        let closed = self.closed_until.map(|fit_at| UsedUp { quantity: None, fit_at });
        quotas.chain(closed).filter(|it| it.fit_at > now).max_by_key(|it| it.fit_at)
    }

    pub(super) fn reserve(&mut self, id: u64, amount: Amount, now: Instant) {
        let parts = parts(amount);
        for (known, units) in self.quotas.iter_mut().zip(parts) {
            if let Some(known) = known {
                known.take(units, now);
            }
        }
        self.open.push((id, parts));
    }

    /// Ends a reservation. What it used shows in the headers of the next response.
    pub(super) fn settle(&mut self, id: u64) {
        self.open.retain(|(open, _)| *open != id);
    }

    /// Reads the headers of the response to a reservation.
    pub(super) fn read(&mut self, id: u64, headers: &RateLimit, now: Instant) {
        if self.last.is_some_and(|last| id < last) || *headers == RateLimit::default() {
            return;
        }
        self.last = Some(id);
        let RateLimit { requests, tokens, input_tokens, output_tokens } = *headers;
        let quotas = [requests, tokens, input_tokens, output_tokens];
        for (at, (known, quota)) in self.quotas.iter_mut().zip(quotas).enumerate() {
            let later = self.open.iter().filter(|(open, _)| *open > id);
            let later = later.fold(0_u64, |sum, (_, parts)| sum.saturating_add(parts[at]));
            *known = learn(*known, quota, later, now).or(*known);
        }
    }

    /// Notes that the provider refused a call and asked to wait.
    pub(super) fn refused(&mut self, wait: Duration, now: Instant) {
        let until = now + wait.min(LONGEST);
        self.closed_until = Some(self.closed_until.map_or(until, |before| before.max(until)));
    }

    /// The limit of each quantity that is known, and how many units fit now.
    pub(super) fn available(&self, now: Instant) -> [Option<(u64, u64)>; 4] {
        self.quotas.map(|known| {
            let known = known?;
            let left = known.refill.saturating_sub(known.missing(now)).as_nanos();
            let left = left * u128::from(known.limit) / known.refill.as_nanos().max(1);
            Some((known.limit, u64::try_from(left).unwrap_or(u64::MAX)))
        })
    }

    /// Whether all responses have been read.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// How long the provider asks to wait.
    pub(super) fn closed_for(&self, now: Instant) -> Option<Duration> {
        let left = self.closed_until?.saturating_duration_since(now);
        Some(left).filter(|left| !left.is_zero())
    }

    /// Whether nothing depends on it any more.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.open.is_empty()
            && self.closed_for(now).is_none()
            && self.quotas.iter().flatten().all(|known| known.full_at <= now)
    }
}

/// What a quota's headers say, with `later` units that they do not count yet.
fn learn(before: Option<Known>, quota: Quota, later: u64, now: Instant) -> Option<Known> {
    let remaining = quota.remaining?;
    let limit = quota.limit.or(before.map(|known| known.limit)).unwrap_or(remaining);
    let limit = limit.max(remaining).max(1);
    let used = limit - remaining;
    // Many providers round the reset to seconds, so it shows nothing while little is used.
    let shown = quota.reset.filter(|reset| !reset.is_zero() && used >= limit / 2 && used > 0);
    let refill = match shown {
        Some(reset) => {
            let nanos = reset.min(LONGEST).as_nanos() * u128::from(limit) / u128::from(used);
            u64::try_from(nanos).map_or(LONGEST, Duration::from_nanos).min(LONGEST)
        }
        None => before.map_or(REFILL, |known| known.refill),
    };
    let mut known = Known { limit, refill, full_at: now };
    known.take(used, now);
    known.take(later, now);
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn quota(limit: u64, remaining: u64, reset: u64) -> Quota {
        Quota {
            limit: Some(limit),
            remaining: Some(remaining),
            reset: Some(Duration::from_secs(reset)),
        }
    }

    fn tokens(input: u64, output: u64) -> Amount {
        Amount { input, output, needed_output: output, expected_input: input }
    }

    #[test]
    fn nothing_is_limited_before_the_first_response() {
        let now = Instant::now();
        let learned = Learned::default();
        assert_eq!(learned.used_up(tokens(1_000_000, 0), 1_000, now), None);
        assert!(learned.is_fresh(now));
    }

    #[test]
    fn a_quota_refills_evenly_until_the_reset() {
        let now = Instant::now();
        let mut learned = Learned::default();
        let headers = RateLimit { requests: quota(60, 0, 60), ..RateLimit::default() };
        learned.reserve(1, tokens(1, 1), now);
        learned.settle(1);
        learned.read(1, &headers, now);
        let used_up = learned.used_up(tokens(1, 1), 0, now).unwrap();
        assert_eq!((used_up.quantity, used_up.fit_at), (Some(("requests", 60)), now + SECOND));
        let third = learned.used_up(tokens(1, 1), 2, now).unwrap();
        assert_eq!(third.fit_at, now + SECOND * 3);
        assert_eq!(learned.used_up(tokens(1, 1), 0, now + SECOND), None);
        assert_eq!(learned.available(now + SECOND * 30), [Some((60, 30)), None, None, None]);
    }

    #[test]
    fn reservations_that_the_response_does_not_count_are_taken_off() {
        let now = Instant::now();
        let mut learned = Learned::default();
        for id in 1..=3 {
            learned.reserve(id, tokens(100, 400), now);
        }
        let headers = RateLimit { tokens: quota(2_000, 1_500, 15), ..RateLimit::default() };
        learned.settle(1);
        learned.read(1, &headers, now);
        assert_eq!(learned.available(now)[1], Some((2_000, 500)));
        assert!(learned.used_up(tokens(100, 400), 0, now).is_none());
        assert!(learned.used_up(tokens(101, 400), 0, now).is_some());
        // An older response that comes late says nothing new.
        let newer = RateLimit { tokens: quota(2_000, 1_000, 30), ..RateLimit::default() };
        learned.settle(3);
        learned.read(3, &newer, now);
        learned.settle(2);
        learned.read(2, &headers, now);
        assert_eq!(learned.available(now)[1], Some((2_000, 1_000)));
    }

    #[test]
    fn a_slow_refill_is_learned_once_half_is_used() {
        let now = Instant::now();
        let mut learned = Learned::default();
        // Groq's requests are per day, and its reset is rounded.
        let at = |remaining, reset| RateLimit {
            requests: quota(1_440, remaining, reset),
            ..RateLimit::default()
        };
        learned.read(1, &at(1_439, 60), now);
        assert_eq!(learned.used_up(tokens(0, 0), 0, now), None);
        learned.read(2, &at(0, 86_400), now);
        let used_up = learned.used_up(tokens(0, 0), 0, now).unwrap();
        assert_eq!(used_up.fit_at, now + SECOND * 60);
    }

    #[test]
    fn a_refusal_closes_it_for_the_time_that_the_provider_names() {
        let now = Instant::now();
        let mut learned = Learned::default();
        learned.refused(SECOND * 20, now);
        learned.refused(SECOND * 10, now);
        let used_up = learned.used_up(tokens(0, 0), 0, now).unwrap();
        assert_eq!(used_up, UsedUp { quantity: None, fit_at: now + SECOND * 20 });
        assert_eq!(learned.closed_for(now + SECOND * 5), Some(SECOND * 15));
        assert_eq!(learned.used_up(tokens(0, 0), 0, now + SECOND * 20), None);
    }

    #[test]
    fn an_amount_above_the_limit_needs_all_of_it() {
        let now = Instant::now();
        let mut learned = Learned::default();
        let headers = RateLimit { output_tokens: quota(1_000, 500, 30), ..RateLimit::default() };
        learned.read(1, &headers, now);
        let used_up = learned.used_up(tokens(0, 9_000), 0, now).unwrap();
        assert_eq!(used_up.quantity, Some(("output tokens", 1_000)));
        assert_eq!(used_up.fit_at, now + SECOND * 30);
    }

    #[test]
    fn strange_headers_do_not_overflow() {
        let now = Instant::now();
        let mut learned = Learned::default();
        for (limit, remaining, reset) in
            [(0, 0, 0), (0, u64::MAX, 9), (u64::MAX, 0, 4_000_000_000), (1, 5, 1)]
        {
            let quota = quota(limit, remaining, reset);
            let headers = RateLimit { requests: quota, tokens: quota, ..RateLimit::default() };
            learned.read(1, &headers, now);
            let used_up = learned.used_up(tokens(u64::MAX, u64::MAX), u64::MAX - 1, now);
            assert!(used_up.is_none_or(|it| it.fit_at <= now + LONGEST * 2), "{used_up:?}");
            let _ = learned.available(now);
        }
        let unknown = Quota { remaining: None, ..quota(5, 0, 9) };
        let headers = RateLimit { input_tokens: unknown, ..RateLimit::default() };
        let mut learned = Learned::default();
        learned.read(1, &headers, now);
        assert_eq!(learned.used_up(tokens(9, 9), 0, now), None);
    }
}
