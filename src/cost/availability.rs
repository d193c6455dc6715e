//! When a call that was refused would fit into its budgets.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::SystemTime;

use super::ledger::Balance;
use super::{Money, UtcOffset, Window};
use crate::time::rfc3339;

/// When a call that a budget [refused](super::BudgetRefusal) would fit into all of the budgets
/// that apply to it, at today's prices and if nothing else is spent until then.
///
/// Money that is reserved for calls under way may come back when they end. It counts as spent
/// when they began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Availability {
    /// From this time on, whatever the calls under way cost of what is reserved for them.
    From(#[serde(with = "rfc3339::text")] SystemTime),
    /// Once calls under way give back enough of what is reserved for them. Where nothing else
    /// is in the way, `earliest` is the time of the refusal.
    OnceReleased {
        /// Not before.
        #[serde(with = "rfc3339::text")]
        earliest: SystemTime,
        /// From this time on even if they give nothing back. `None` where it never fits then.
        #[serde(default, with = "rfc3339::optional")]
        latest: Option<SystemTime>,
    },
    /// Never: it may cost more than a limit, or than what is left of a
    /// [total](Window::Total).
    Never,
    /// Not known: the ledger could not be read.
    #[default]
    Unknown,
}

/// From when on a call fits under one limit, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Never, whatever is given back.
    Never,
    /// At the moments at which what is spent and what is reserved leave enough.
    Later {
        /// If all that is reserved is given back.
        earliest: i64,
        /// If all of it is spent.
        latest: Option<i64>,
    },
    /// After the last moment that was looked at.
    Unknown,
}

impl Fit {
    /// When a limit in a window leaves enough for a call that needs so much. `balances` are
    /// those at the moments of [`moments`], in their order.
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

/// The moments at which a call may fit under a limit: now, and whenever something that was
/// spent by now counts no longer.
pub(super) fn moments(window: Window, offset: UtcOffset, now: i64) -> Vec<i64> {
    let mut moments = vec![now];
    moments.extend(window.renewals(offset, now));
    moments
}

impl Availability {
    /// Of a call that was refused `at` a time, and fits so under each of its limits.
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
        // The refusal itself has the fraction of its second.
        let time = |moment: i64| if moment == now { Some(at) } else { rfc3339::instant(moment) };
        match (time(earliest), latest.map(time)) {
            _ if unknown => Self::Unknown,
            (Some(earliest), Some(Some(latest))) if earliest == latest => Self::From(latest),
            (Some(earliest), latest) => Self::OnceReleased { earliest, latest: latest.flatten() },
            // Beyond all time.
            (None, _) => Self::Never,
        }
    }
}

impl Availability {
    /// Ends the sentence of a refusal at a time.
    pub(super) fn ends(&self, f: &mut fmt::Formatter<'_>, at: SystemTime) -> fmt::Result {
        let time = rfc3339::rounded_up;
        match *self {
            Self::From(from) => write!(f, "; it fits from {} on", time(from)),
            Self::OnceReleased { earliest, latest } => {
                f.write_str("; it fits once enough of what is reserved is free again")?;
                if earliest > at {
                    write!(f, ", after {}", time(earliest))?;
                }
                match latest {
                    Some(latest) => write!(f, ", or else from {} on", time(latest)),
                    None => Ok(()),
                }
            }
            Self::Never => f.write_str("; waiting does not help"),
            Self::Unknown => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
