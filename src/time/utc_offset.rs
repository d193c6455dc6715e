//! A fixed offset from UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// The offsets that are in use anywhere, in minutes: −12:00 to +14:00 (IANA time zone
/// database, `Etc/GMT+12` and `Pacific/Kiritimati`).
const RANGE: std::ops::RangeInclusive<i16> = -12 * 60..=14 * 60;

/// How far a clock on the wall is ahead of UTC. Default: not at all.
///
/// It is fixed: where clocks change in summer, days begin an hour off for half of the
/// year. Read from and written as RFC 3339 writes it, `+05:45` or `Z`, in text and by serde
/// alike.
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
    /// None: the calendar of UTC.
    pub const UTC: Self = Self { minutes: 0 };

    /// So many hours ahead of UTC, behind it where negative. What no place has, less than
    /// −12 or more than 14, is refused where it is used.
    pub const fn hours(hours: i8) -> Self {
        Self { minutes: hours as i16 * 60 }
    }

    /// So many minutes ahead of UTC, behind it where negative. What no place has, less than
    /// −12 hours or more than 14, is refused where it is used.
    pub const fn minutes(minutes: i16) -> Self {
        Self { minutes }
    }

    /// The offset in seconds.
    pub(crate) fn seconds(self) -> i64 {
        i64::from(self.minutes) * 60
    }

    /// What is wrong with it.
    pub(crate) fn problem(self) -> Option<String> {
        (!RANGE.contains(&self.minutes))
            .then(|| format!("the UTC offset {self} is nowhere; it must be -12:00 to +14:00"))
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

/// As RFC 3339 writes it: `+05:45`, `-11:00`, and `Z` for none.
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

/// Reads `+05:45`, `-11:00`, `Z`.
impl FromStr for UtcOffset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text.trim()).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!(
                    "{text:?} is no UTC offset; write \"Z\" or hours and minutes from -12:00 to \
                     +14:00, such as \"+05:45\""
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
    fn offsets_are_read_back_as_they_are_written() {
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
    fn what_is_no_offset_is_refused() {
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
            assert!(offset.problem().unwrap().contains("is nowhere"), "{offset}");
        }
    }
}
