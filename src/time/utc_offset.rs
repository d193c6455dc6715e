//! `UtcOffset`: a fixed offset from UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// All offsets in use, in minutes: −12:00 to +14:00 (IANA time zone
/// database, `Etc/GMT+12` and `Pacific/Kiritimati`).
const RANGE: std::ops::RangeInclusive<i16> = -12 * 60..=14 * 60;

/// How far a local clock is ahead of UTC. Default: zero.
///
/// The offset is fixed: where clocks change in summer, days begin an hour off for part of the
/// year. Text and serde use the form of RFC 3339, `+05:45` or `Z`.
///
/// ```
/// use tollgate::cost::UtcOffset;
///
/// let kathmandu: UtcOffset = "+05:45".parse()?;
/// assert_eq!(kathmandu, UtcOffset::minutes(5 * 60 + 45));
/// assert_eq!(UtcOffset::hours(-11).to_string(), "-11:00");
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// UTC itself.
    pub const UTC: Self = Self { minutes: 0 };

    /// Creates an offset of this many hours ahead of UTC, or behind if negative. Offsets outside
    /// −12 to +14 hours are refused where they are used.
    pub const fn hours(hours: i8) -> Self {
        Self { minutes: hours as i16 * 60 }
    }

    /// Creates an offset of this many minutes ahead of UTC, or behind if negative. Offsets outside
    /// −12 to +14 hours are refused where they are used.
    pub const fn minutes(minutes: i16) -> Self {
        Self { minutes }
    }

    /// The offset in seconds.
    pub(crate) fn seconds(self) -> i64 {
        i64::from(self.minutes) * 60
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(self) -> Option<String> {
        (!RANGE.contains(&self.minutes))
            .then(|| format!("the UTC offset {self} does not exist; use -12:00 to +14:00"))
    }

    fn read(text: &str) -> Option<Self> {
        if matches!(text, "Z" | "z") {
            return Some(Self::UTC);
        }
        let (negative, time) = match text.strip_prefix('+') {
            Some(time) => (false, time),
            None => (true, text.strip_prefix('-')?),
        };
        let (hours, minutes) = time.split_once(':')?;
        let digits = |text: &str| {
            let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse::<i16>().ok())?
        };
        let (hours, minutes) = (digits(hours)?, digits(minutes)?);
        let minutes = (minutes < 60).then_some(hours * 60 + minutes)?;
        let offset = Self { minutes: if negative { -minutes } else { minutes } };
        offset.problem().is_none().then_some(offset)
    }
}

/// The form of RFC 3339: `+05:45`, `-11:00`, and `Z` for zero.
impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.minutes == 0 {
            return f.write_str("Z");
        }
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let minutes = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Parses `+05:45`, `-11:00` or `Z`.
impl FromStr for UtcOffset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text.trim()).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!(
                    "{text:?} is not a UTC offset; write \"Z\" or hours and minutes from -12:00 \
                     to +14:00, such as \"+05:45\""
                ),
            )
        })
    }
}

impl Serialize for UtcOffset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_read_back_unchanged() {
        for (text, minutes) in [
            ("Z", 0),
            ("+01:00", 60),
            ("+05:45", 345),
            ("-03:30", -210),
            ("-11:00", -660),
            ("-00:30", -30),
            ("+14:00", 840),
            ("-12:00", -720),
        ] {
            let offset: UtcOffset = text.parse().unwrap();
            assert_eq!(offset, UtcOffset::minutes(minutes), "{text}");
            assert_eq!(offset.to_string(), text);
            let stored = serde_json::to_string(&offset).unwrap();
            assert_eq!(serde_json::from_str::<UtcOffset>(&stored).unwrap(), offset);
        }
        assert_eq!("+00:00".parse::<UtcOffset>().unwrap(), UtcOffset::UTC);
        assert_eq!(UtcOffset::hours(-11).seconds(), -39_600);
    }

    #[test]
    fn texts_that_are_no_offsets_are_refused() {
        for text in [
            "",
            "5",
            "05:45",
            "+5:45",
            "+0545",
            "+05:60",
            "+14:01",
            "-12:01",
            "+24:00",
            "+05:45:00",
            "UTC",
            "+-5:00",
        ] {
            let error = text.parse::<UtcOffset>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
            assert!(serde_json::from_str::<UtcOffset>(&format!("{text:?}")).is_err(), "{text}");
        }
        for offset in
            [UtcOffset::hours(15), UtcOffset::hours(i8::MIN), UtcOffset::minutes(i16::MIN)]
        {
            assert!(offset.problem().unwrap().contains("does not exist"), "{offset}");
        }
    }
}
