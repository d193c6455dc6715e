//! Dates and times of day in UTC, as the table and price files write them.

use crate::time::calendar::{DAY, civil_from_days, days_from_civil, month_length};

/// The seconds of a day.
pub(super) const LENGTH: u64 = DAY.unsigned_abs();

/// The first second that can be written: the start of year 1.
pub(super) const FIRST: i64 = -62_135_596_800;

/// The last second that can be written: the end of year 9999.
pub(super) const LAST: i64 = 253_402_300_799;

/// Parses `2026-12-01` or `2026-12-01T08:30:00Z` into seconds since the Unix epoch.
pub(super) fn read(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, i64::from(read_time(time.strip_suffix('Z')?)?)),
        None => (text, 0),
    };
    let [year, month, date] = fields(date, '-', [4, 2, 2])?;
    is_date(year, month, date).then(|| days_from_civil(year, month, date) * DAY + time)
}

/// Parses `08:30` or `08:30:15` into the second of the day.
pub(super) fn read_time(text: &str) -> Option<u32> {
    let [hour, minute, second] = match text.len() {
        5 => fields(text, ':', [2, 2]).map(|[hour, minute]| [hour, minute, 0])?,
        _ => fields(text, ':', [2, 2, 2])?,
    };
    let all = hour * 3_600 + minute * 60 + second;
    (hour < 24 && minute < 60 && second < 60).then(|| u32::try_from(all).ok())?
}

/// The inverse of [`read`].
pub(super) fn write(seconds: i64) -> String {
    let (year, month, date) = civil_from_days(seconds.div_euclid(DAY));
    let day = format!("{year:04}-{month:02}-{date:02}");
    match u32::try_from(seconds.rem_euclid(DAY)) {
        Ok(0) | Err(_) => day,
        Ok(second) => format!("{day}T{}:{:02}Z", write_minute(second), second % 60),
    }
}

/// The inverse of [`read_time`].
pub(super) fn write_time(second: u32) -> String {
    match second % 60 {
        0 => write_minute(second),
        rest => format!("{}:{rest:02}", write_minute(second)),
    }
}

fn write_minute(second: u32) -> String {
    format!("{:02}:{:02}", second / 3_600, second / 60 % 60)
}

/// Whether the Gregorian calendar has this day.
pub(super) fn is_date(year: i64, month: i64, day: i64) -> bool {
    year >= 1 && month_length(year, month).is_some_and(|length| (1..=length).contains(&day))
}

/// Parses numbers of exactly these lengths between separators.
fn fields<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next()?;
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = digits.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2026-12-01", 1_796_083_200),
            ("2026-12-01T08:30:15Z", 1_796_113_815),
            ("1969-12-31T23:59:59Z", -1),
            ("0001-01-01", FIRST),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(read(text), Some(seconds), "{text}");
            assert_eq!(write(seconds), text);
        }
        for day in 0..150_000 {
            assert_eq!(read(&write(day * DAY)), Some(day * DAY));
        }
    }

    #[test]
    fn invalid_dates_and_times_are_refused() {
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "26-01-01",
            "2026-01-01-01",
            "+026-01-01",
            "0000-01-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T01:00:00",
            "٢٠٢٦-01-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for text in ["", "1:00", "24:00", "12:60", "12:00:60", "12", "12:000"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_read_and_written() {
        for (text, second) in [("00:00", 0), ("16:30", 59_400), ("23:59:59", 86_399)] {
            assert_eq!(read_time(text), Some(second));
            assert_eq!(write_time(second), text);
        }
        assert_eq!(read_time("16:30:00"), Some(59_400));
    }
}
