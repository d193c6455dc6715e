//! Times as text: RFC 3339 in UTC, to the millisecond.

use serde::{Deserialize, Deserializer, Serializer, de};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::UtcOffset;
use crate::time::calendar::{self, civil_from_days, days_from_civil};

/// The milliseconds of a day.
const DAY: i64 = calendar::DAY * 1_000;

/// The years that RFC 3339 can write, 0000 to 9999, in milliseconds since the epoch. Times beyond
/// are clamped.
const RANGE: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

/// Such as `2026-11-23T17:08:00.250Z`, or without the fraction if it is zero.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let millis = since_epoch(at);
    let second = millis.rem_euclid(DAY) / 1_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let fraction = match millis.rem_euclid(1_000) {
        0 => String::new(),
        fraction => format!(".{fraction:03}"),
    };
    format!("{}T{hour:02}:{minute:02}:{second:02}{fraction}Z", date(millis.div_euclid(DAY)))
}

/// For people, to the minute: `2026-11-24 00:00 UTC`.
pub(crate) fn minute(at: SystemTime) -> String {
    let text = rfc3339(at);
    format!("{} {} UTC", &text[..10], &text[11..16])
}

/// For people, rounded up to a whole second: `2026-11-24 00:00 UTC`, with seconds if they are not
/// zero.
pub(crate) fn rounded_up(at: SystemTime) -> String {
    let up = Duration::from_millis(999);
    let text = rfc3339(at.checked_add(up).unwrap_or(at));
    match &text[16..19] {
        ":00" => format!("{} {} UTC", &text[..10], &text[11..16]),
        _ => format!("{} {} UTC", &text[..10], &text[11..19]),
    }
}

/// For people, the time of day in UTC: `17:08:00`.
pub(crate) fn time(at: SystemTime) -> String {
    rfc3339(at)[11..19].to_owned()
}

/// The day that contains `at`, counted from 1970-01-01.
pub(crate) fn day(at: SystemTime, offset: UtcOffset) -> i64 {
    (since_epoch(at) + offset.seconds() * 1_000).div_euclid(DAY)
}

/// A day counted from 1970-01-01, as `2026-11-23`.
pub(crate) fn date(day: i64) -> String {
    let (year, month, day) = civil_from_days(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Parses the output of [`rfc3339`].
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let fields = text.strip_suffix('Z')?;
    let (fields, fraction) = fields.split_once('.').unwrap_or((fields, "000"));
    let bytes = fields.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() != 19
        || fraction.len() != 3
        || marks.iter().any(|(at, mark)| bytes[*at] != *mark)
    {
        return None;
    }
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<i64>().ok())?
    };
    let field = |from: usize, to: usize| number(fields.get(from..to)?);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = days * DAY + (hour * 3_600 + minute * 60 + second) * 1_000 + number(fraction)?;
    let distance = Duration::from_millis(millis.unsigned_abs());
    match millis {
        0.. => UNIX_EPOCH.checked_add(distance),
        _ => UNIX_EPOCH.checked_sub(distance),
    }
}

/// Whole milliseconds since the epoch, clamped to [`RANGE`].
fn since_epoch(at: SystemTime) -> i64 {
    let millis = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let up = u128::from(before.subsec_nanos() % 1_000_000 > 0);
            i64::try_from(before.as_millis() + up).map_or(i64::MIN, |millis| -millis)
        }
    };
    millis.clamp(RANGE.0, RANGE.1)
}

/// Seconds since the Unix epoch, rounded down.
pub(crate) fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            whole.saturating_neg().saturating_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

/// The time this many seconds after the Unix epoch, if it can be represented.
pub(crate) fn instant(seconds: i64) -> Option<SystemTime> {
    if seconds == i64::MAX || seconds == i64::MIN {
        return None;
    }
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) }
}

/// The error for other texts.
const EXPECTED: &str = "expected a time such as \"2026-11-23T17:08:00Z\"";

/// For serde: `#[serde(with = "rfc3339::text")]`.
pub(crate) mod text {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        at: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(*at))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        source: D,
    ) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(source)?;
        parse(&text).ok_or_else(|| de::Error::custom(EXPECTED))
    }
}

/// For serde: `#[serde(with = "rfc3339::optional")]`.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        at: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.serialize_some(&rfc3339(*at)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        source: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let Some(text) = Option::<String>::deserialize(source)? else { return Ok(None) };
        let at = parse(&text);
        at.map(Some).ok_or_else(|| de::Error::custom(EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> SystemTime {
        let distance = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }

    #[test]
    fn times_read_back_to_the_millisecond() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_696_004_797_000, "2023-09-29T16:26:37Z"),
            (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (RANGE.0, "0000-01-01T00:00:00Z"),
            (RANGE.1, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(at(millis)), text);
            assert_eq!(parse(text), Some(at(millis)), "{text}");
        }
        assert_eq!(rfc3339(at(-1) + Duration::from_nanos(1)), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(at(1) + Duration::from_nanos(1)), "1970-01-01T00:00:00.001Z");
        assert_eq!(rfc3339(at(i64::MAX)), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(at(i64::MIN + 1)), "0000-01-01T00:00:00Z");
        assert_eq!(minute(at(1_696_004_797_000)), "2023-09-29 16:26 UTC");
        assert_eq!(time(at(1_696_004_797_999)), "16:26:37");
    }

    #[test]
    fn texts_that_are_no_times_give_none() {
        for text in [
            "",
            "Z",
            "2026-02-29T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01 00:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0ßZ",
            "２０２6-01-01T00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_begin_by_the_local_clock() {
        let late = at(1_696_031_999_999); // 2023-09-29T23:59:59.999Z
        for (hours, expected) in [(0, "2023-09-29"), (1, "2023-09-30"), (-12, "2023-09-29")] {
            assert_eq!(date(day(late, UtcOffset::hours(hours))), expected, "{hours}");
        }
        assert_eq!(date(day(at(-1), UtcOffset::UTC)), "1969-12-31");
        assert_eq!(date(day(at(RANGE.1), UtcOffset::hours(14))), "10000-01-01");
    }
}
