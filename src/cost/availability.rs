//! When a refused call would fit into its budgets.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::SystemTime;

use super::ledger::Balance;
use super::{Money, UtcOffset, Window};
use crate::time::rfc3339;

/// When a call that a budget [refused](super::BudgetRefusal) would fit into all budgets that
/// apply to it, at today's prices and if nothing else is spent until then.
///
/// Money reserved for calls in progress may be released when they end. Until then it counts as
/// spent when they began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Availability {
    /// From this time, whatever the calls in progress end up costing.
    From(#[serde(with = "rfc3339::text")] SystemTime),
    /// Once calls in progress release enough of their reservations. If nothing else is in the
    /// way, `earliest` is the time of the refusal.
    OnceReleased {
        /// The call cannot fit before this time.
        #[serde(with = "rfc3339::text")]
        earliest: SystemTime,
        /// From this time the call fits even if they release nothing. `None` if it then never fits.
        #[serde(default, with = "rfc3339::optional")]
        latest: Option<SystemTime>,
    },
    /// Never: the call may cost more than a limit, or more than what is left of a
    /// [total](Window::Total).
    Never,
    /// Unknown, because the ledger could not be read.
    #[default]
    Unknown,
}

/// When a call fits under one limit, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Never, even if everything reserved is released.
    Never,
    /// Once spent and reserved money leave enough.
    Later {
        /// If everything reserved is released.
        earliest: i64,
        /// If everything reserved is spent.
        latest: Option<i64>,
    },
    /// After the last moment that was checked.
    Unknown,
}

impl Fit {
    /// When `limit` leaves `needed` free. `balances` are those at the moments of [`moments`], in
    /// the same order.
    pub(super) fn of(
        window: Window,
        limit: Money,
        needed: Money,
        balances: &[(i64, Balance)],
    ) -> Self {
        if needed > limit {
            return Self::Never;
        }
        let (mut earliest, mut latest) = (None, None);
        for &(moment, balance) in balances {
            if balance.spent + needed <= limit {
                earliest = earliest.or(Some(moment));
            }
            if balance.committed() + needed <= limit {
                latest = Some(moment);
                break;
            }
        }
        match earliest {
            Some(earliest) => Self::Later { earliest, latest },
            None if window == Window::Total => Self::Never,
            None => Self::Unknown,
        }
    }
}

/// The moments at which a call may fit under a limit: now, and whenever earlier spending stops
/// counting.
pub(super) fn moments(window: Window, offset: UtcOffset, now: i64) -> Vec<i64> {
    let mut moments = vec![now];
    moments.extend(window.renewals(offset, now));
    moments
}

impl Availability {
    /// Combines the fits under each limit for a call that was refused at `at`.
    pub(super) fn of(fits: impl IntoIterator<Item = Fit>, at: SystemTime) -> Self {
        let now = rfc3339::seconds(at);
        let (mut earliest, mut latest) = (now, Some(now));
        let mut unknown = false;
        for fit in fits {
            match fit {
                Fit::Never => return Self::Never,
                Fit::Unknown => unknown = true,
                Fit::Later { earliest: first, latest: last } => {
                    earliest = earliest.max(first);
                    latest = latest.zip(last).map(|(one, other)| one.max(other));
                }
            }
        }
        // The refusal keeps the fraction of its second.
        let time = |moment: i64| if moment == now { Some(at) } else { rfc3339::instant(moment) };
        match (time(earliest), latest.map(time)) {
            _ if unknown => Self::Unknown,
            (Some(earliest), Some(Some(latest))) if earliest == latest => Self::From(latest),
            (Some(earliest), latest) => Self::OnceReleased { earliest, latest: latest.flatten() },
            // Too far in the future for a `SystemTime`.
            (None, _) => Self::Never,
        }
    }
}

impl Availability {
    /// Writes the end of a refusal's sentence, for a refusal at `at`.
    pub(super) fn fmt_ending(&self, f: &mut fmt::Formatter<'_>, at: SystemTime) -> fmt::Result {
        let time = rfc3339::rounded_up;
        match *self {
            Self::From(from) => write!(f, "; it will fit from {}", time(from)),
            Self::OnceReleased { earliest, latest } => {
                f.write_str("; it will fit once calls in progress release enough")?;
                if earliest > at {
                    write!(f, ", not before {}", time(earliest))?;
                }
                match latest {
                    Some(latest) => write!(f, ", by {} at the latest", time(latest)),
                    None => Ok(()),
                }
            }
            Self::Never => f.write_str("; waiting will not help"),
            Self::Unknown => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
