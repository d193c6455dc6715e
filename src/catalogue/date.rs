//! Dates as precise as they are known.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::time::calendar::{DAY, civil_from_days};
use crate::time::rfc3339;

/// A day, a month or a year: as precise as a source has it. A year comes before its months, and a
/// month before its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelDate {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
}

impl ModelDate {
    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1, if it is known.
    pub fn month(self) -> Option<u8> {
        self.month
    }

    /// The day of the month, from 1, if it is known.
    pub fn day(self) -> Option<u8> {
        self.day
    }

    /// Reads the form of the table: two digits each, such as `251211`, `2512` or `25`.
    pub(super) fn short(text: &str) -> Option<Self> {
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u8>().ok();
        let year = 2000 + u16::from(part(0..2)?);
        Self::new(year, part(2..4), part(4..6))
    }

    fn new(year: u16, month: Option<u8>, day: Option<u8>) -> Option<Self> {
        let is_month = month.is_none_or(|month| (1..=12).contains(&month));
        let is_day = day.is_none_or(|day| month.is_some() && (1..=31).contains(&day));
        (is_month && is_day).then_some(Self { year, month, day })
    }

    /// The day of a moment, in UTC.
    pub(super) fn on(at: SystemTime) -> Self {
        Self::of(rfc3339::seconds(at))
    }

    /// The day of a second since the epoch, in UTC.
    pub(crate) fn of(seconds_since_epoch: i64) -> Self {
        let (year, month, day) = civil_from_days(seconds_since_epoch.div_euclid(DAY));
        let byte = |part: i64| u8::try_from(part).ok();
        Self { year: u16::try_from(year).unwrap_or(0), month: byte(month), day: byte(day) }
    }
}

impl fmt::Display for ModelDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        for part in [self.month, self.day].into_iter().flatten() {
            write!(f, "-{part:02}")?;
        }
        Ok(())
    }
}

impl FromStr for ModelDate {
    type Err = String;

    /// Reads `2026-11-27`, `2026-11` or `2026`.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.split('-');
            let mut next = |length: usize| match parts.next() {
                None => Some(None),
                Some(part) if part.len() == length => part.parse().ok().map(Some),
                Some(_) => None,
            };
            let (year, month, day) = (next(4)?, next(2)?, next(2)?);
            let (month, day): (Option<u16>, Option<u16>) = (month, day);
            let byte = |part: Option<u16>| part.map(|part| u8::try_from(part).unwrap_or(u8::MAX));
            if text.split('-').count() > 3 {
                return None;
            }
            Self::new(year?, byte(month), byte(day))
        };
        read().ok_or_else(|| {
            format!("{text:?} is not a date; write it as 2026-11-27, 2026-11 or 2026")
        })
    }
}

impl TryFrom<String> for ModelDate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ModelDate> for String {
    fn from(date: ModelDate) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_precise_as_they_are_written() {
        for (short, long) in [
            ("251211", "2025-12-11"),
            ("2512", "2025-12"),
            ("25", "2025"),
            ("240229", "2024-02-29"),
        ] {
            let date = ModelDate::short(short).unwrap();
            assert_eq!(date.to_string(), long);
            assert_eq!(long.parse(), Ok(date));
        }
        for wrong in
            ["", "25", "20251", "2025-13", "2025-00", "2025-1", "2025-12-32", "2025-12-11-1", "x"]
        {
            assert!(wrong.parse::<ModelDate>().unwrap_err().contains("2026-11-27"), "{wrong}");
        }
    }

    #[test]
    fn dates_are_in_order() {
        let date = |text: &str| text.parse::<ModelDate>().unwrap();
        assert!(date("2025") < date("2025-01"));
        assert!(date("2025-01") < date("2025-01-01"));
        assert!(date("2025-01-31") < date("2025-02"));
        assert_eq!(ModelDate::of(0), date("1970-01-01"));
        assert_eq!(ModelDate::of(1_764_201_600), date("2025-11-27"));
    }
}
