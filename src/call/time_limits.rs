//! The time limits and the idempotency key of a call.

use std::time::{Duration, Instant};

use super::operation::Options;
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::config::Timeouts;
use crate::deadline::TimeLimit;
use crate::error::{Error, Phase};
use crate::header::HeaderValue;
use crate::stream::Pace;
use crate::wire::Delivery;

/// The limits of a call, the same for all its attempts.
pub(super) struct CallTimeLimits {
    pub(super) bounds: Bounds,
    /// The limit of the whole call; for a stream, until its first event. It sets `bounds`.
    call: TimeLimit,
    attempt: Option<Duration>,
    pub(super) first_token: Option<Duration>,
    idle: Duration,
    /// The limit of a whole stream.
    end: TimeLimit,
    /// The same for every attempt.
    pub(super) idempotency_key: Option<HeaderValue>,
}

impl CallTimeLimits {
    /// The limits of a call that started at `begun`. `timeouts` apply where the request sets none.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a limit of zero, and for an
    /// idempotency key that a header cannot carry.
    pub(super) fn new(
        options: &Options<'_>,
        timeouts: &Timeouts,
        idempotency_keys: bool,
        delivery: Delivery,
        begun: Instant,
    ) -> Result<Self, Error> {
        let streams = delivery == Delivery::Stream;
        let own = if streams { options.limits } else { options.limits.of_whole_call() };
        if let Some(setting) = own.zeros().next() {
            return Err(Error::invalid_request(format!(
                "the {setting} is zero; the call could never succeed; set more than zero, or leave \
                 it unset"
            )));
        }
        let timeouts = own.over(timeouts);
        let whole = TimeLimit::after("timeout", options.since.unwrap_or(begun), timeouts.call);
        let (setting, stream) = timeouts.stream;
        let end = TimeLimit::after(setting, begun, stream);
        let call = if streams { whole.earlier(end) } else { whole };
        Ok(Self {
            bounds: Bounds { deadline: call.deadline, cancel: options.cancel.cloned() },
            call,
            attempt: timeouts.attempt,
            first_token: timeouts.first_token,
            idle: timeouts.idle,
            end,
            idempotency_key: idempotency_key(options.idempotency_key, idempotency_keys)?,
        })
    }

    /// Checks that an attempt may begin.
    ///
    /// # Errors
    ///
    /// If the deadline has passed or the caller has cancelled the call. Cancelled later, the
    /// request could have been sent, and would be charged.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.bounds.deadline.is_past(Instant::now()) {
            return Err(self.name_limit(Error::timeout(Phase::Encode)));
        }
        if self.bounds.is_cancelled() {
            return Err(Error::cancelled().with_phase(Phase::Encode));
        }
        Ok(())
    }

    /// The limits of an attempt at another provider of the same call. `timeouts` apply to the
    /// attempt where the request sets none.
    pub(super) fn of_attempt_at(&self, options: &Options<'_>, timeouts: &Timeouts) -> Self {
        let timeouts = options.limits.over(timeouts);
        Self {
            bounds: self.bounds(self.call),
            call: self.call,
            attempt: timeouts.attempt,
            first_token: timeouts.first_token,
            idle: timeouts.idle,
            end: self.end,
            idempotency_key: self.idempotency_key.clone(),
        }
    }

    /// The same limits for a step of a call after this many answers. An idempotency key stands for
    /// one answer, so each step has a key of its own.
    pub(super) fn after_answers(mut self, answers: u32) -> Self {
        if answers > 0 {
            let key = self.idempotency_key.as_ref();
            let next =
                |key: &HeaderValue| HeaderValue::new(format!("{}-{}", key.as_str(), answers + 1));
            self.idempotency_key = key.and_then(next);
        }
        self
    }

    /// The same limits for an attempt that this token can end too.
    pub(super) fn ended_by(mut self, cancel: CancelToken) -> Self {
        self.bounds.cancel = Some(cancel);
        self
    }

    /// The limit of an attempt that starts now.
    pub(super) fn attempt(&self) -> TimeLimit {
        match self.attempt {
            Some(timeout) => {
                self.call.earlier(TimeLimit::after("attempt_timeout", Instant::now(), timeout))
            }
            None => self.call,
        }
    }

    /// The limit of the whole call; for a stream, until its first event.
    pub(super) fn whole(&self) -> TimeLimit {
        self.call
    }

    /// The bounds of an attempt within this limit.
    pub(super) fn bounds(&self, limit: TimeLimit) -> Bounds {
        Bounds { deadline: limit.deadline, cancel: self.bounds.cancel.clone() }
    }

    /// The time limits of a stream whose first event is due by `begin`.
    pub(super) fn pace(&self, begin: TimeLimit) -> Pace {
        Pace { begin, idle: self.idle, end: self.end }
    }

    /// Names the setting that ended a call by timeout, unless it is already named.
    pub(super) fn name_limit(&self, error: Error) -> Error {
        error.with_limit(self.call.setting, self.call.value)
    }
}

/// The caller's own key, otherwise a fresh one if the client sends them.
fn idempotency_key(own: Option<&str>, made: bool) -> Result<Option<HeaderValue>, Error> {
    let key = match own {
        Some(key) => key.to_owned(),
        None if made => format!("tollgate-{:032x}", fastrand::u128(..)),
        None => return Ok(None),
    };
    match HeaderValue::new(key) {
        Some(value) if !value.as_str().trim().is_empty() => Ok(Some(value)),
        _ => Err(Error::invalid_request(
            "the idempotency key is empty or contains a character that a header cannot carry; use \
             letters, digits and dashes",
        )),
    }
}
