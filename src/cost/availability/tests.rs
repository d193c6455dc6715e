//! Tests of when a refused call fits its budgets again.

use super::*;
use std::time::{Duration, UNIX_EPOCH};

const DAY: i64 = 86_400;

fn picos(picos: i128) -> Money {
    Money::picos(picos)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn rolling(seconds: u64) -> Window {
    Window::Rolling(Duration::from_secs(seconds))
}

/// Spent and reserved money, by time.
type Spending = &'static [(i64, i128, i128)];

/// A ledger's balance at each moment, after this spending.
fn balances(window: Window, now: i64, spending: Spending) -> Vec<(i64, Balance)> {
    let balance = |moment: i64| {
        let span = window.span(UtcOffset::UTC, moment).unwrap();
        let counts = |then: i64| {
            let slot = window.span(UtcOffset::UTC, then).unwrap().slot;
            span.from <= slot && slot < span.until
        };
        let sum = |amount: fn(&(i64, i128, i128)) -> i128| {
            picos(spending.iter().filter(|spent| counts(spent.0)).map(amount).sum())
        };
        (moment, Balance { spent: sum(|spent| spent.1), reserved: sum(|spent| spent.2) })
    };
    moments(window, UtcOffset::UTC, now).into_iter().map(balance).collect()
}

#[test]
fn a_call_fits_once_enough_spending_has_left_the_window() {
    let later = |earliest, latest: Option<i64>| Fit::Later { earliest, latest };
    let always = |moment| later(moment, Some(moment));
    // With a limit of a hundred. A rolling hour has slices of a minute.
    for (window, now, spending, needed, expected) in [
        (Window::Daily, 500, &[(10, 90, 0)][..], 10, always(500)),
        (Window::Daily, 500, &[(10, 90, 0)], 11, always(DAY)),
        (Window::Daily, 500, &[(10, 0, 90)], 11, later(500, Some(DAY))),
        (Window::Daily, 500, &[(10, 50, 40)], 60, later(DAY, Some(DAY))),
        (Window::Daily, 500, &[(10, 50, 40)], 101, Fit::Never),
        (Window::Monthly, 500, &[(10, 99, 0)], 2, always(31 * DAY)),
        (Window::Total, 500, &[(10, 50, 0)], 51, Fit::Never),
        (Window::Total, 500, &[(10, 50, 10)], 51, Fit::Never),
        (Window::Total, 500, &[(10, 50, 10)], 50, later(500, None)),
        // The first slice leaves 3,660 seconds after it began, the next a minute later.
        (rolling(3_600), 3_000, &[(10, 40, 0), (70, 40, 0)], 30, always(3_660)),
        (rolling(3_600), 3_000, &[(10, 40, 0), (70, 40, 0)], 61, always(3_720)),
        (rolling(3_600), 3_000, &[(59, 40, 0), (60, 40, 0)], 61, always(3_720)),
        (rolling(3_600), 3_000, &[(2_990, 100, 0)], 1, always(2_940 + 3_660)),
        // Not at the next slice, where nothing changes.
        (rolling(3_600), 3_599, &[(1_800, 100, 0)], 1, always(1_800 + 3_660)),
        (rolling(3_600), 3_000, &[(10, 40, 0), (70, 0, 40)], 30, later(3_000, Some(3_660))),
        (rolling(3_600), 3_000, &[(10, 80, 0), (70, 0, 20)], 90, later(3_660, Some(3_720))),
        (rolling(1), 100, &[(100, 100, 0)], 1, always(102)),
        // Slices of two seconds, which do not divide the length.
        (rolling(61), 1_001, &[(1_000, 100, 0)], 100, always(1_063)),
        // Spent by a clock that runs ahead, for as long as it counts together with now.
        (rolling(60), 1_000, &[(1_030, 100, 0)], 1, Fit::Unknown),
    ] {
        let balances = balances(window, now, spending);
        let found = Fit::of(window, picos(100), picos(needed), &balances);
        assert_eq!(found, expected, "{window} at {now}: {spending:?}, {needed} needed");
    }
}

#[test]
fn a_call_fits_once_it_fits_into_every_budget() {
    let later = |earliest, latest| Fit::Later { earliest, latest };
    let once = |earliest, latest: Option<u64>| Availability::OnceReleased {
        earliest: at(earliest),
        latest: latest.map(at),
    };
    for (fits, expected) in [
        (vec![later(10, Some(10))], Availability::From(at(10))),
        (vec![later(500, Some(500)), later(10, Some(10))], Availability::From(at(500))),
        (vec![later(10, Some(500))], once(10, Some(500))),
        (vec![later(20, Some(500)), later(10, Some(900))], once(20, Some(900))),
        (vec![later(10, None)], once(10, None)),
        (vec![later(10, None), later(500, Some(500))], once(500, None)),
        (vec![later(10, Some(500)), later(900, Some(900))], Availability::From(at(900))),
        (vec![later(10, Some(10)), Fit::Never], Availability::Never),
        (vec![Fit::Unknown, Fit::Never], Availability::Never),
        (vec![later(10, Some(10)), Fit::Unknown], Availability::Unknown),
        // Further away than a `SystemTime` can say.
        (vec![later(i64::MAX, Some(i64::MAX))], Availability::Never),
        (vec![later(10, Some(i64::MAX))], once(10, None)),
    ] {
        assert_eq!(Availability::of(fits.clone(), at(10)), expected, "{fits:?}");
    }
    // The refusal itself is not rounded to a whole second.
    let now = at(10) + Duration::from_millis(300);
    let fit = Availability::of([later(10, Some(500))], now);
    let expected = Availability::OnceReleased { earliest: now, latest: Some(at(500)) };
    assert_eq!(fit, expected);
}

#[test]
fn a_stored_availability_reads_back_unchanged() {
    for available in [
        Availability::From(at(10)),
        Availability::OnceReleased { earliest: at(10), latest: None },
        Availability::OnceReleased { earliest: at(10), latest: Some(at(500)) },
        Availability::Never,
        Availability::Unknown,
    ] {
        let stored = serde_json::to_string(&available).unwrap();
        assert_eq!(serde_json::from_str::<Availability>(&stored).unwrap(), available, "{stored}");
    }
}
