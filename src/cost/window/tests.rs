//! Tests of windows: calendars, offsets, rolling slices and projections.

use super::*;

/// Seconds since the Unix epoch of a date and time of day in UTC.
fn at(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    days_from_civil(year, month, day) * DAY + hour * 3_600 + minute * 60 + second
}

fn offset(text: &str) -> UtcOffset {
    text.parse().unwrap()
}

fn span(window: Window, offset: UtcOffset, now: i64) -> Span {
    window.span(offset, now).unwrap()
}

#[test]
fn a_day_runs_from_midnight_to_midnight_of_its_clock() {
    let (new_year, day_before) = (at(2026, 1, 1, 0, 0, 0), at(2025, 12, 31, 0, 0, 0));
    for (text, now, start) in [
        ("Z", new_year, new_year),
        ("Z", new_year - 1, day_before),
        ("Z", new_year + DAY - 1, new_year),
        // Midnight in Kathmandu is 18:15 of the day before in UTC.
        ("+05:45", at(2025, 12, 31, 18, 15, 0), at(2025, 12, 31, 18, 15, 0)),
        ("+05:45", at(2025, 12, 31, 18, 14, 59), at(2025, 12, 30, 18, 15, 0)),
        // Midnight in Pago Pago is 11:00 of the same day in UTC.
        ("-11:00", at(2026, 1, 1, 11, 0, 0), at(2026, 1, 1, 11, 0, 0)),
        ("-11:00", at(2026, 1, 1, 10, 59, 59), at(2025, 12, 31, 11, 0, 0)),
        // Before the epoch.
        ("Z", -1, -DAY),
        ("Z", 0, 0),
        ("+05:45", -20_700, -20_700),
        ("+05:45", -20_701, -20_700 - DAY),
        ("-11:00", 39_599, 39_600 - DAY),
    ] {
        let found = span(Window::Daily, offset(text), now);
        let end = start + DAY;
        assert_eq!(
            found,
            Span { from: start, slot: start, until: end, start, end },
            "{text} {now}"
        );
    }
}

#[test]
fn a_month_is_a_calendar_month_including_leap_days() {
    for (text, now, start, days) in [
        ("Z", at(2026, 1, 31, 23, 59, 59), at(2026, 1, 1, 0, 0, 0), 31),
        ("Z", at(2026, 2, 1, 0, 0, 0), at(2026, 2, 1, 0, 0, 0), 28),
        ("Z", at(2024, 2, 29, 12, 0, 0), at(2024, 2, 1, 0, 0, 0), 29),
        ("Z", at(2024, 3, 1, 0, 0, 0), at(2024, 3, 1, 0, 0, 0), 31),
        ("Z", at(2100, 2, 28, 23, 59, 59), at(2100, 2, 1, 0, 0, 0), 28),
        ("Z", at(2100, 3, 1, 0, 0, 0), at(2100, 3, 1, 0, 0, 0), 31),
        ("Z", at(2000, 2, 29, 0, 0, 0), at(2000, 2, 1, 0, 0, 0), 29),
        ("Z", at(2025, 12, 31, 23, 59, 59), at(2025, 12, 1, 0, 0, 0), 31),
        ("Z", at(2026, 4, 30, 0, 0, 0), at(2026, 4, 1, 0, 0, 0), 30),
        ("+05:45", at(2024, 2, 29, 18, 14, 59), at(2024, 1, 31, 18, 15, 0), 29),
        ("+05:45", at(2024, 2, 29, 18, 15, 0), at(2024, 2, 29, 18, 15, 0), 31),
        ("-11:00", at(2026, 1, 1, 10, 59, 59), at(2025, 12, 1, 11, 0, 0), 31),
        ("Z", -1, at(1969, 12, 1, 0, 0, 0), 31),
        ("+05:45", -1, at(1969, 12, 31, 18, 15, 0), 31),
    ] {
        let found = span(Window::Monthly, offset(text), now);
        let end = start + days * DAY;
        assert_eq!(
            found,
            Span { from: start, slot: start, until: end, start, end },
            "{text} {now}"
        );
    }
}

#[test]
fn calendar_windows_follow_each_other_without_a_gap() {
    for window in [Window::Daily, Window::Monthly] {
        for offset in [UtcOffset::UTC, offset("+05:45"), offset("-11:00")] {
            let mut now = at(1967, 11, 5, 3, 0, 0);
            while now < at(1972, 4, 1, 0, 0, 0) {
                let this = span(window, offset, now);
                assert!(this.start <= now && now < this.end);
                assert_eq!(span(window, offset, this.start), this);
                assert_eq!(span(window, offset, this.end - 1), this);
                assert_eq!(span(window, offset, this.end).start, this.end);
                now = this.end;
            }
        }
    }
}

#[test]
fn the_total_is_one_slot_at_any_time() {
    for now in [i64::MIN, -1, 0, at(2026, 1, 1, 0, 0, 0), i64::MAX] {
        let found = span(Window::Total, UtcOffset::UTC, now);
        assert_eq!((found.from, found.slot, found.until), (0, 0, i64::MAX));
    }
}

#[test]
fn a_request_has_no_span() {
    assert_eq!(Window::Request.span(UtcOffset::UTC, 0), None);
}

/// Tries every pair of moments.
#[test]
fn spending_counts_for_the_rolling_windows_length_and_at_most_a_slice_longer() {
    for (length, slice) in [(1, 1), (7, 1), (60, 1), (61, 2), (90, 2), (600, 10), (601, 11)] {
        let window = Window::Rolling(Duration::from_secs(length));
        let length = i64::try_from(length).unwrap();
        let spans: Vec<_> =
            (-700..800).map(|now| (now, span(window, UtcOffset::UTC, now))).collect();
        for (spent_at, spent) in &spans {
            assert!(spent.from <= spent.slot && spent.slot <= *spent_at && *spent_at < spent.end);
            assert_eq!((spent.end - spent.slot, spent.start), (slice, spent_at - length));
            assert_eq!(spent.until, spent.slot + slice + length);
            for (now, this) in &spans {
                let age = now - spent_at;
                // The way a ledger counts.
                let counts = this.from <= spent.slot && spent.slot < this.until;
                if age >= 0 {
                    assert_eq!(counts, *now < spent.until, "{length}: {spent_at} at {now}");
                }
                // Later spending counts too if one window contains both.
                if age.abs() <= length {
                    assert!(counts, "{length}: {spent_at} at {now}");
                }
                if age > length + slice || -age > length + 2 * slice {
                    assert!(!counts, "{length}: {spent_at} at {now}");
                }
            }
        }
    }
}

#[test]
fn a_rolling_window_rounds_up_to_whole_seconds() {
    for (length, seconds) in [
        (Duration::ZERO, 1),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(1_500), 2),
        (Duration::from_secs(2), 2),
    ] {
        let found = span(Window::Rolling(length), UtcOffset::UTC, 100);
        assert_eq!((found.start, found.slot), (100 - seconds, 100), "{length:?}");
    }
}

#[test]
fn a_clock_set_back_finds_its_earlier_window() {
    let midnight = at(2026, 3, 1, 0, 0, 0);
    for window in [Window::Daily, Window::Monthly, Window::Rolling(Duration::from_secs(3_600))] {
        let before = span(window, UtcOffset::UTC, midnight - 1);
        let after = span(window, UtcOffset::UTC, midnight);
        assert_ne!(before.slot, after.slot);
        assert_eq!(span(window, UtcOffset::UTC, midnight - 1), before);
    }
}

#[test]
fn extreme_times_do_not_overflow() {
    let lengths = [Duration::MAX, Duration::from_secs(1), Duration::from_secs(86_400)];
    let windows = lengths.map(Window::Rolling).into_iter();
    for window in windows.chain([Window::Daily, Window::Monthly, Window::Total]) {
        for offset in [UtcOffset::UTC, UtcOffset::hours(14), UtcOffset::hours(-12)] {
            for now in [i64::MIN, i64::MIN + 1, i64::MIN / 2, i64::MAX / 2, i64::MAX] {
                let found = span(window, offset, now);
                assert!(found.from <= found.slot && found.slot <= found.until, "{window} {now}");
                let _ = window.project(offset, Money::MAX, now);
                let renewals = window.renewals(offset, now);
                assert!(renewals.len() <= 62 && renewals.is_sorted(), "{window} {now}");
            }
        }
    }
}

#[test]
fn a_projection_extends_the_average_rate() {
    let march = at(2026, 3, 1, 0, 0, 0);
    let spent = Money::dollars(10);
    for (window, now, expected) in [
        (Window::Daily, march + DAY / 2, Some(Money::dollars(20))),
        (Window::Daily, march + DAY / 4, Some(Money::dollars(40))),
        (Window::Monthly, march + 10 * DAY, Some(Money::dollars(31))),
        // 28 days.
        (Window::Monthly, march - 14 * DAY, Some(Money::dollars(20))),
        // Too early for a projection.
        (Window::Daily, march, None),
        (Window::Daily, march + DAY / 100, None),
        (Window::Daily, march + DAY / 100 + 1, Some(Money::picos(998_843_930_635_838))),
        // No end.
        (Window::Total, march, None),
        (Window::Request, march, None),
        (Window::Rolling(Duration::from_secs(60)), march, None),
    ] {
        assert_eq!(window.project(UtcOffset::UTC, spent, now), expected, "{window} {now}");
    }
    let noon = march + DAY / 2;
    assert_eq!(Window::Daily.project(UtcOffset::UTC, Money::ZERO, noon), Some(Money::ZERO));
    assert_eq!(Window::Daily.project(UtcOffset::UTC, Money::MAX, noon), Some(Money::MAX));
    let east = UtcOffset::hours(12);
    assert_eq!(Window::Daily.project(east, spent, noon), None, "it has just turned midnight there");
}

#[test]
fn a_window_is_read_in_its_stored_and_its_displayed_form() {
    let rolling = |seconds| Window::Rolling(Duration::from_secs(seconds));
    let calendar = [Window::Request, Window::Daily, Window::Monthly, Window::Total];
    for window in calendar.into_iter().chain([1, 90, 5_400, 3_600, 172_800].map(rolling)) {
        let stored = serde_json::to_string(&window).unwrap();
        for written in [stored, format!("\"{window}\"")] {
            assert_eq!(serde_json::from_str::<Window>(&written).unwrap(), window, "{written}");
        }
    }
    let read = |written: &str| serde_json::from_str::<Window>(written);
    assert_eq!(read(r#""per_request""#).unwrap(), Window::Request);
    assert_eq!(read(r#""rolling-36h""#).unwrap(), rolling(36 * 3_600));
    for wrong in [
        "weekly",
        "",
        "rolling-",
        "rolling-h",
        "rolling-1",
        "rolling-1w",
        "rolling-+1h",
        "rolling--1h",
        "rolling-1.5h",
        "rolling-1hh",
        "rolling-1é",
        "rolling-99999999999999999d",
    ] {
        let error = read(&format!("{wrong:?}")).unwrap_err().to_string();
        assert!(error.contains(&format!("unknown window {wrong:?}")), "{error}");
    }
    for wrong in ["7", r#"{"rolling":"1h"}"#, r#"{"daily":1}"#] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains(r#"one like "rolling-1h""#), "{error}");
    }
}

#[test]
fn windows_have_names() {
    let rolling = |seconds| Window::Rolling(Duration::from_secs(seconds)).to_string();
    let names = [90, 60, 5_400, 7_200, 86_400, 172_800].map(rolling);
    let expected =
        ["rolling-90s", "rolling-1m", "rolling-90m", "rolling-2h", "rolling-1d", "rolling-2d"];
    assert_eq!(names, expected);
    assert_eq!(Window::Rolling(Duration::ZERO).to_string(), "rolling-1s");
    let others = [Window::Request, Window::Daily, Window::Monthly, Window::Total];
    assert_eq!(others.map(|window| window.to_string()), ["request", "daily", "monthly", "total"]);
}
