//! What bounds a call in time, and what identifies it.

use std::time::{Duration, Instant};
use ureq::http::HeaderValue;

use super::operation::Options;
use crate::bounds::Bounds;
use crate::config::Timeouts;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::stream::Pace;
use crate::wire::Delivery;

/// What holds for a call, whatever it takes to answer it.
pub(super) struct Limits {
    pub(super) bounds: Bounds,
    /// For a stream.
    pub(super) pace: Pace,
    /// The same for every attempt.
    pub(super) idempotency_key: Option<HeaderValue>,
}

impl Limits {
    /// Those of a call that began at `begun`. `timeouts` hold where the request says nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for limits that leave no time, and
    /// for an idempotency key that cannot be sent.
    pub(super) fn new(
        options: &Options<'_>,
        timeouts: &Timeouts,
        idempotency_keys: bool,
        delivery: Delivery,
        begun: Instant,
    ) -> Result<Self, Error> {
        let timeout = options.timeout.unwrap_or(timeouts.call);
        let whole_stream = options.stream_timeout.unwrap_or(Duration::MAX);
        for (name, limit) in [("timeout", timeout), ("stream_timeout", whole_stream)] {
            if limit.is_zero() && (name == "timeout" || delivery == Delivery::Stream) {
                return Err(Error::invalid_request(format!(
                    "the {name} is zero, so that the call could not succeed"
                )));
            }
        }
        let end = Deadline::after(begun, whole_stream);
        let deadline = match delivery {
            Delivery::Whole => Deadline::after(begun, timeout),
            Delivery::Stream => Deadline::after(begun, timeout).earlier(end),
        };
        Ok(Self {
            bounds: Bounds { deadline, cancel: options.cancel.cloned() },
            pace: Pace { gap: timeouts.gap, end },
            idempotency_key: idempotency_key(options.idempotency_key, idempotency_keys)?,
        })
    }

    /// Those of an attempt that begins now.
    pub(super) fn attempt_bounds(&self, timeouts: &Timeouts) -> Bounds {
        let mut bounds = self.bounds.clone();
        if let Some(timeout) = timeouts.attempt {
            bounds.deadline = bounds.deadline.earlier(Deadline::after(Instant::now(), timeout));
        }
        bounds
    }
}

/// The caller's own key, else a fresh one where the client is set to send them.
fn idempotency_key(own: Option<&str>, made: bool) -> Result<Option<HeaderValue>, Error> {
    let key = match own {
        Some(key) => key.to_owned(),
        None if made => format!("tollgate-{:032x}", fastrand::u128(..)),
        None => return Ok(None),
    };
    match HeaderValue::from_str(&key) {
        Ok(value) if !key.trim().is_empty() => Ok(Some(value)),
        _ => Err(Error::invalid_request(
            "the idempotency key is empty or holds a character that cannot be sent; use letters, \
             digits and dashes",
        )),
    }
}
