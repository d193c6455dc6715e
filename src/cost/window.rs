//! `Window`: the period over which a budget adds up.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::time::Duration;

use super::{Money, UtcOffset};
use crate::time::calendar::{DAY, civil_from_days, days_from_civil};

/// How many slices a rolling window is divided into. Its limit may apply for up to one slice
/// longer than its length.
const SLICES: i64 = 60;

/// A projection needs one part in this many of the window to have passed. Before that, a single
/// call would decide it.
const FIRST_PART: i64 = 100;

/// The period over which a [`Budget`](super::Budget) adds up.
///
/// It is stored as `"daily"` or, in serde's form of [`Duration`],
/// `{"rolling": {"secs": 3600, "nanos": 0}}`. In formats that people write, its `Display` form
/// works too: `"rolling-1h"`, with the unit `d`, `h`, `m` or `s`; and `"per_request"` for
/// `"request"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Window {
    /// Each request on its own.
    Request,
    /// A calendar day, from midnight to midnight.
    Daily,
    /// A calendar month.
    Monthly,
    /// All time.
    Total,
    /// The last period of this length, at any moment. The length is rounded up to whole seconds
    /// and divided into 60 slices of at least a second. No period of this length sees more
    /// spending than the limit; spending may count for up to one slice longer.
    Rolling(Duration),
}

/// A window at one moment. All values are seconds since the Unix epoch; `from`, `slot` and
/// `until` are those of a [`Line`](super::ledger::Line).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    /// The first slot that counts.
    pub(crate) from: i64,
    /// The slot that is charged now.
    pub(crate) slot: i64,
    /// When that slot stops counting.
    pub(crate) until: i64,
    /// Since when all spending counts: the start of the calendar window, one length ago for a
    /// rolling window, always for the total.
    pub(crate) start: i64,
    /// When the next span begins: at the end of the calendar window or of the rolling window's
    /// slice; never for the total.
    pub(crate) end: i64,
}

impl Window {
    /// The window at `now`, with calendar days that begin as `offset` says; `None` for a request,
    /// which adds nothing up.
    pub(crate) fn span(self, offset: UtcOffset, now: i64) -> Option<Span> {
        let calendar = |(start, end)| Span { from: start, slot: start, until: end, start, end };
        match self {
            Self::Request => None,
            Self::Daily => Some(calendar(day(offset, now))),
            Self::Monthly => Some(calendar(month(offset, now))),
            Self::Total => {
                Some(Span { from: 0, slot: 0, until: i64::MAX, start: i64::MIN, end: i64::MAX })
            }
            Self::Rolling(length) => {
                let length = whole_seconds(length);
                let slice = slice(length);
                let start = now.saturating_sub(length);
                // Spending in the very second in which the last full length began may lie
                // within it.
                let (from, slot) = (floor(start, slice), floor(now, slice));
                let end = slot.saturating_add(slice);
                Some(Span { from, slot, until: end.saturating_add(length), start, end })
            }
        }
    }

    /// When the window of a span ends, in seconds since the Unix epoch. `None` for a total, which
    /// does not end, and for a rolling window, which moves on.
    pub(crate) fn ends(self, span: &Span) -> Option<i64> {
        matches!(self, Self::Daily | Self::Monthly).then_some(span.end)
    }

    /// The moments after `now` at which spending up to now stops counting, in order: the end of
    /// the calendar window, or for each slice of a rolling window, the end of that slice plus the
    /// window's length.
    pub(crate) fn renewals(self, offset: UtcOffset, now: i64) -> Vec<i64> {
        let Some(span) = self.span(offset, now) else { return Vec::new() };
        let Self::Rolling(length) = self else { return self.ends(&span).into_iter().collect() };
        let length = whole_seconds(length);
        let slice = slice(length);
        let next = |slot: &i64| slot.checked_add(slice).filter(|next| *next <= span.slot);
        std::iter::successors(Some(span.from), next)
            .map(|slot| slot.saturating_add(slice).saturating_add(length))
            .collect()
    }

    /// What will be spent by the end of the calendar window at the average rate so far. `None` in
    /// the first hundredth of the window, where a single call would decide it, and for windows
    /// without an end.
    pub(crate) fn project(self, offset: UtcOffset, spent: Money, now: i64) -> Option<Money> {
        let (start, end) = match self {
            Self::Daily => day(offset, now),
            Self::Monthly => month(offset, now),
            Self::Request | Self::Total | Self::Rolling(_) => return None,
        };
        let (length, elapsed) = (end.saturating_sub(start), now.saturating_sub(start));
        if elapsed <= length / FIRST_PART {
            return None;
        }
        let (length, elapsed) = (i128::from(length), i128::from(elapsed));
        let spent = spent.as_picos();
        let (whole, rest) = (spent / elapsed, spent % elapsed);
        Some(Money::picos(whole.saturating_mul(length).saturating_add(rest * length / elapsed)))
    }
}

impl Window {
    /// Parses a name as `Display` writes it.
    fn named(name: &str) -> Option<Self> {
        match name {
            "request" | "per_request" => return Some(Self::Request),
            "daily" => return Some(Self::Daily),
            "monthly" => return Some(Self::Monthly),
            "total" => return Some(Self::Total),
            _ => {}
        }
        let length = name.strip_prefix("rolling-")?;
        let digits = length.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &length[digits.len()..] {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        // `parse` would accept a sign too.
        let count: u64 =
            digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())??;
        Some(Self::Rolling(Duration::from_secs(count.checked_mul(unit)?)))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The stored form.
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Stored {
            Request,
            Daily,
            Monthly,
            Total,
            Rolling(Duration),
        }

        /// Any form that people may write.
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a window is \"daily\", \"monthly\", \"total\", \"request\", one like \
                         \"rolling-1h\", or {\"rolling\": {\"secs\": 3600, \"nanos\": 0}}"
        )]
        enum Written {
            Name(String),
            Stored(Stored),
        }

        // Binary formats cannot tell which of the two forms a value has.
        let stored = if deserializer.is_human_readable() {
            match Written::deserialize(deserializer)? {
                Written::Stored(stored) => stored,
                Written::Name(name) => {
                    return Self::named(&name).ok_or_else(|| {
                        D::Error::custom(format!(
                            "unknown window {name:?}; use \"daily\", \"monthly\", \"total\", \
                             \"request\" or one like \"rolling-1h\""
                        ))
                    });
                }
            }
        } else {
            Stored::deserialize(deserializer)?
        };
        Ok(match stored {
            Stored::Request => Self::Request,
            Stored::Daily => Self::Daily,
            Stored::Monthly => Self::Monthly,
            Stored::Total => Self::Total,
            Stored::Rolling(length) => Self::Rolling(length),
        })
    }
}

/// Its name in accounts and errors: `daily`, `rolling-90s`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => f.write_str("request"),
            Self::Daily => f.write_str("daily"),
            Self::Monthly => f.write_str("monthly"),
            Self::Total => f.write_str("total"),
            Self::Rolling(length) => {
                let seconds = whole_seconds(*length);
                let (size, unit) = [(DAY, 'd'), (3_600, 'h'), (60, 'm')]
                    .into_iter()
                    .find(|(size, _)| seconds % size == 0)
                    .unwrap_or((1, 's'));
                write!(f, "rolling-{}{unit}", seconds / size)
            }
        }
    }
}

/// The day that contains `now`: its midnight and the next.
fn day(offset: UtcOffset, now: i64) -> (i64, i64) {
    let midnight = floor(now.saturating_add(offset.seconds()), DAY);
    let start = midnight.saturating_sub(offset.seconds());
    (start, start.saturating_add(DAY))
}

/// The month that contains `now`: its first midnight and that of the next month.
fn month(offset: UtcOffset, now: i64) -> (i64, i64) {
    let (year, month, _) = civil_from_days(now.saturating_add(offset.seconds()).div_euclid(DAY));
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let midnight = |(year, month)| {
        days_from_civil(year, month, 1).saturating_mul(DAY).saturating_sub(offset.seconds())
    };
    (midnight((year, month)), midnight(next))
}

/// The seconds of a rolling window, rounded up, at least 1.
fn whole_seconds(length: Duration) -> i64 {
    let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_add(i64::from(length.subsec_nanos() > 0)).max(1)
}

/// The seconds of one slice of a rolling window.
fn slice(length: i64) -> i64 {
    length / SLICES + i64::from(length % SLICES > 0)
}

/// The greatest multiple of `step` not after `instant`, or `i64::MIN` if it would overflow.
fn floor(instant: i64, step: i64) -> i64 {
    instant.checked_sub(instant.rem_euclid(step)).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests;
