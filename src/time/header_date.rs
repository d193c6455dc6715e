//! Parses dates in response headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::calendar::{DAY, days_from_civil, month_length};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Parses an HTTP date (RFC 9110 section 5.6.7) in its three forms:
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and
/// `Sun Nov  6 08:49:37 1994`. A two-digit year that would be more than 50 years after `now` is
/// in the past century, as that section says. The weekday must be valid but need not match the
/// date.
pub(crate) fn http_date(text: &str, now: SystemTime) -> Option<SystemTime> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (year, month, day, time) = match words.as_slice() {
        [weekday, day, month, year, time, "GMT"] => {
            DAYS.contains(&weekday.strip_suffix(',')?).then_some(())?;
            (digits(year, 4)?, month_number(month)?, digits(day, 2)?, time)
        }
        [weekday, date, time, "GMT"] => {
            LONG_DAYS.contains(&weekday.strip_suffix(',')?).then_some(())?;
            let mut date = date.split('-');
            let (day, month, year) = (date.next()?, date.next()?, date.next()?);
            date.next().is_none().then_some(())?;
            (full_year(digits(year, 2)?, now), month_number(month)?, digits(day, 2)?, time)
        }
        [weekday, month, day, time, year] => {
            DAYS.contains(weekday).then_some(())?;
            let day = digits(day, day.len().min(2))?;
            (digits(year, 4)?, month_number(month)?, day, time)
        }
        _ => return None,
    };
    moment(year, month, day, clock(time)?)
}

/// Parses an RFC 3339 date-time, such as `2026-01-27T22:28:55Z`. Ignores fractions of a second.
pub(crate) fn rfc3339(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    date.next().is_none().then_some(())?;

    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    (!fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let (sign, zone) = zone.split_at(1);
            let (hours, minutes) = zone.split_once(':')?;
            let seconds = digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    let time = clock(time)? - offset;
    moment(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?, time)
}

/// The second of the day at `08:49:37`. A leap second counts as the first of the next minute.
fn clock(time: &str) -> Option<i64> {
    let mut fields = time.split(':');
    let (hour, minute, second) = (fields.next()?, fields.next()?, fields.next()?);
    fields.next().is_none().then_some(())?;
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// A number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn month_number(name: &str) -> Option<i64> {
    let index = MONTHS.iter().position(|month| *month == name)?;
    i64::try_from(index + 1).ok()
}

/// The year with these last two digits that is at most 50 years after `now`.
fn full_year(year: i64, now: SystemTime) -> i64 {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let days = i64::try_from(seconds / 86_400).unwrap_or(0);
    // A mean Gregorian year has 365.2425 days.
    let this_year = 1970 + days * 10_000 / 3_652_425;
    let year = this_year - this_year.rem_euclid(100) + year;
    if year > this_year + 50 { year - 100 } else { year }
}

fn moment(year: i64, month: i64, day: i64, second: i64) -> Option<SystemTime> {
    if !(1..=month_length(year, month)?).contains(&day) {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * DAY + second;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds {
        0.. => UNIX_EPOCH.checked_add(distance),
        _ => UNIX_EPOCH.checked_sub(distance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// 2023-09-29 16:26:37, the time used in the SDKs' tests.
    const NOW: u64 = 1_696_004_797;

    #[test]
    fn the_three_forms_of_rfc_9110_agree() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(http_date(text, at(NOW)), Some(at(784_111_777)), "{text}");
        }
        assert_eq!(http_date("Fri, 29 Sep 2023 16:26:37 GMT", at(NOW)), Some(at(NOW)));
    }

    #[test]
    fn two_digit_years_are_near_now() {
        for (year, expected) in [("23", 2023), ("73", 2073), ("74", 1974), ("99", 1999)] {
            let short = format!("Friday, 01-Mar-{year} 00:00:00 GMT");
            let long = format!("Fri, 01 Mar {expected} 00:00:00 GMT");
            assert_eq!(http_date(&short, at(NOW)), http_date(&long, at(NOW)), "{year}");
        }
    }

    #[test]
    fn rfc_3339_dates_are_parsed_with_any_offset() {
        for text in [
            "2023-09-29T16:26:37Z",
            "2023-09-29t16:26:37.25z",
            "2023-09-29 16:26:37+00:00",
            "2023-09-29T18:26:37+02:00",
            "2023-09-29T10:56:37.000001-05:30",
            "2023-09-30T00:26:37+08:00",
        ] {
            assert_eq!(rfc3339(text), Some(at(NOW)), "{text}");
        }
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), Some(UNIX_EPOCH));
        assert_eq!(rfc3339("1969-12-31T23:59:59Z"), Some(UNIX_EPOCH - Duration::from_secs(1)));
    }

    #[test]
    fn texts_that_are_no_dates_give_none() {
        for text in [
            "",
            "Zun, 29 Sep 2023 16:26:27 GMT",
            "Fri, 29 Sep 100000 16:26:57 GMT",
            "Fri, 29 Sep 2023 16:26:57",
            "Fri, 29 Sep 2023 16:26:57 CET",
            "Fri 29 Sep 2023 16:26:57 GMT",
            "Fri, 29 Sep 2023 24:00:00 GMT",
            "Fri, 29 Sep 2023 16:60:00 GMT",
            "Fri, 29 Sep 2023 16:26 GMT",
            "Fri, 29 Sep 2023 +6:26:57 GMT",
            "Fri, 30 Feb 2024 16:26:57 GMT",
            "Wed, 29 Feb 2023 16:26:57 GMT",
            "Fri, 00 Sep 2023 16:26:57 GMT",
            "Friday, 29-Sep-2023 16:26:57 GMT",
            "Friday, 29-Sep-23-1 16:26:57 GMT",
            "Fri Sep  29 2023 16:26:57",
            "Sun Nov 006 08:49:37 1994",
            "2023-09-29",
            "2023-09-29T16:26:37",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-09-29T16:26:37+0200",
            "2023-09-29T16:26:37.Z",
            "2023-09-29T16:26:37Zulu",
            "-2023-09-29T16:26:37Z",
            "２０２３-09-29T16:26:37Z",
        ] {
            assert_eq!(http_date(text, at(NOW)), None, "{text}");
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    /// Checks against days that are counted one by one.
    #[test]
    fn every_day_of_five_centuries_is_parsed() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let mut weekday = 3;
        for number in 0..182_622_u64 {
            let expected = Some(at(number * 86_400 + 45_296));
            let name = MONTHS[month - 1];
            let text = format!("{}, {day:02} {name} {year} 12:34:56 GMT", DAYS[weekday]);
            assert_eq!(http_date(&text, at(0)), expected, "{text}");
            let text = format!("{} {name} {day:>2} 12:34:56 {year}", DAYS[weekday]);
            assert_eq!(http_date(&text, at(0)), expected, "{text}");
            let text = format!("{year}-{month:02}-{day:02}T12:34:56Z");
            assert_eq!(rfc3339(&text), expected, "{text}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let lengths = [31, 28 + i32::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            weekday = (weekday + 1) % 7;
            if day > lengths[month - 1] {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!((year, month, day), (2470, 1, 1));
    }
}
