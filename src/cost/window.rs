//! The time windows over which budgets add up.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::time::Duration;

use super::{Money, UtcOffset};
use crate::time::calendar::{DAY, civil_from_days, days_from_civil};

/// Into how many slices of time a rolling window is cut: its limit may be felt longer
/// than its length by one of them.
const SLICES: i64 = 60;

/// Before this share of a window is over, one part in so many, a projection would say
/// more of chance than of the rate.
const FIRST_PART: i64 = 100;

/// The time over which a [`Budget`](super::Budget) sums up.
///
/// It is stored as `"daily"` or, in the words of [`Duration`],
/// `{"rolling": {"secs": 3600, "nanos": 0}}`. Of files that people write, its `Display` is
/// read as well: `"rolling-1h"`, with `d`, `h`, `m` or `s` for the unit; and `"per_request"`
/// for `"request"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Window {
    /// No time: each request on its own.
    Request,
    /// The day of the calendar, from midnight to midnight.
    Daily,
    /// The month of the calendar, however many days it has.
    Monthly,
    /// All the time there is.
    Total,
    /// The last so long, at any moment. Rounded up to whole seconds and kept in 60
    /// slices, of a second at least: within no window of this length is more spent than
    /// the limit, and what was spent counts up to a slice longer.
    Rolling(Duration),
}

/// What a window is at one moment. All are seconds since the Unix epoch; `from`, `slot`
/// and `until` are those of a [`Line`](super::ledger::Line).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    /// The first slot that counts.
    pub(crate) from: i64,
    /// The slot that is charged now.
    pub(crate) slot: i64,
    /// From when on that slot counts no longer.
    pub(crate) until: i64,
    /// From when on all that is spent counts: the start of the calendar's window, one
    /// length ago for a rolling one, ever for the total.
    pub(crate) start: i64,
    /// When there is another span: at the end of the calendar's window or of the rolling
    /// one's slice, and never for the total.
    pub(crate) end: i64,
}

impl Window {
    /// What it is at `now`, where the calendar's day begins as `offset` says; `None` for a
    /// request, which needs no books.
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
                // What was spent in the very second in which the last full length began
                // may lie within it.
                let (from, slot) = (floor(start, slice), floor(now, slice));
                let end = slot.saturating_add(slice);
                Some(Span { from, slot, until: end.saturating_add(length), start, end })
            }
        }
    }

    /// When the window of a span ends, in seconds since the Unix epoch; `None` of one that
    /// does not: the total, and a rolling window, which moves on.
    pub(crate) fn ends(self, span: &Span) -> Option<i64> {
        matches!(self, Self::Daily | Self::Monthly).then_some(span.end)
    }

    /// The moments after `now` from which on something that was spent by then counts no
    /// longer, in order: the end of the calendar's window, and of a rolling one, for each of
    /// its slices, its end and then a length of the window.
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

    /// What will have been spent at the end of the calendar's window if it goes on as
    /// it went since its beginning. `None` in the first hundredth of the window, where
    /// one call would say everything, and for windows that have no end.
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
    /// The one of that name, as `Display` writes it.
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
        // `parse` would take a sign as well.
        let count: u64 =
            digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())??;
        Some(Self::Rolling(Duration::from_secs(count.checked_mul(unit)?)))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// As it is stored.
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Stored {
            Request,
            Daily,
            Monthly,
            Total,
            Rolling(Duration),
        }

        /// As it may be written.
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

        // Other formats cannot tell of what kind a value is.
        let stored = if deserializer.is_human_readable() {
            match Written::deserialize(deserializer)? {
                Written::Stored(stored) => stored,
                Written::Name(name) => {
                    return Self::named(&name).ok_or_else(|| {
                        D::Error::custom(format!(
                            "there is no window {name:?}; it is \"daily\", \"monthly\", \
                             \"total\", \"request\" or one like \"rolling-1h\""
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

/// The day that `now` is in: its midnight and the next.
fn day(offset: UtcOffset, now: i64) -> (i64, i64) {
    let midnight = floor(now.saturating_add(offset.seconds()), DAY);
    let start = midnight.saturating_sub(offset.seconds());
    (start, start.saturating_add(DAY))
}

/// The month that `now` is in: the midnight it begins with and that of the next.
fn month(offset: UtcOffset, now: i64) -> (i64, i64) {
    let (year, month, _) = civil_from_days(now.saturating_add(offset.seconds()).div_euclid(DAY));
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let midnight = |(year, month)| {
        days_from_civil(year, month, 1).saturating_mul(DAY).saturating_sub(offset.seconds())
    };
    (midnight((year, month)), midnight(next))
}

/// The seconds of a rolling window, at least one.
fn whole_seconds(length: Duration) -> i64 {
    let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_add(i64::from(length.subsec_nanos() > 0)).max(1)
}

/// The seconds of one of its slices.
fn slice(length: i64) -> i64 {
    length / SLICES + i64::from(length % SLICES > 0)
}

/// The greatest multiple of `step` that is not after `instant`; the first there is where
/// that lies before all time.
fn floor(instant: i64, step: i64) -> i64 {
    instant.checked_sub(instant.rem_euclid(step)).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests;
