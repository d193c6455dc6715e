//! Tests of prices: tiers, dates, and the times of day.

mod bounds;
mod finding;
mod overriding;

use super::*;

/// The time this many seconds after the Unix epoch.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn dollars(text: &str) -> Money {
    text.parse().unwrap()
}

fn price(input: &str, output: &str) -> Price {
    Price::per_million(dollars(input), dollars(output))
}

fn total(price: &Price, tier: Option<&str>, seconds: u64) -> String {
    price.cost(&Usage::reported(1_000_000, 1_000_000), tier, at(seconds)).to_string()
}

#[test]
fn the_served_tier_decides_and_a_tier_without_a_price_is_standard() {
    let price = price("1", "2")
        .service_tier("batch", price("0.5", "1"))
        .service_tier("Priority", price("2", "4").above(500_000, super::tests::price("4", "8")));
    for (tier, shown) in [
        (None, "$3.00"),
        (Some("default"), "$3.00"),
        (Some("flex"), "$3.00"),
        (Some("batch"), "$1.50"),
        (Some("priority"), "$12.00"),
        (Some("PRIORITY"), "$12.00"),
    ] {
        assert_eq!(total(&price, tier, 0), shown, "{tier:?}");
    }
    let small = price.cost(&Usage::reported(500_000, 0), Some("priority"), at(0));
    assert_eq!(small.total, Money::dollars(1));
}

#[test]
fn a_time_of_day_takes_precedence_over_the_latest_date() {
    let hour = |hour: u64| Duration::from_secs(hour * 3_600);
    let price = price("1", "0")
        .daily(hour(1), hour(4), super::tests::price("9", "0"))
        .since(at(2 * 86_400), super::tests::price("3", "0"))
        .since(at(86_400), super::tests::price("2", "0").service_tier("flex", Price::free()));
    for (seconds, tier, shown) in [
        (0, None, "$1.00"),
        (3_600, None, "$9.00"),
        (4 * 3_600, None, "$1.00"),
        (86_399, None, "$1.00"),
        (86_400, None, "$2.00"),
        (86_400, Some("flex"), "$0.00"),
        (86_400 + 3_600, Some("flex"), "$9.00"),
        (2 * 86_400, Some("flex"), "$3.00"),
        (9 * 86_400 + 2 * 3_600, None, "$9.00"),
    ] {
        assert_eq!(total(&price, tier, seconds), shown, "{seconds} {tier:?}");
    }
    let again = price.since(at(2 * 86_400), super::tests::price("7", "0"));
    assert_eq!(total(&again, None, 2 * 86_400), "$7.00");
    let before = again.cost(
        &Usage::reported(1_000_000, 0),
        None,
        SystemTime::UNIX_EPOCH - Duration::from_millis(1),
    );
    assert_eq!(before.total, Money::dollars(1));
}

#[test]
fn a_price_ignores_the_providers_own_bill() {
    let mut usage = Usage::reported(1_000_000, 0);
    usage.reported_cost = Some(dollars("0.25"));
    let cost = price("1", "2").cost(&usage, None, at(0));
    assert_eq!((cost.total, cost.source), (Money::dollars(1), CostSource::Priced));
}

#[test]
fn a_price_keeps_what_was_set() {
    let price = price("1", "2").context_window(400_000).max_output(128_000);
    assert_eq!(price.context_window_tokens(), Some(400_000));
    assert_eq!(price.max_output_tokens(), Some(128_000));
    assert_eq!(Price::free().max_output_tokens(), None);
    assert_eq!(total(&Price::free().request(dollars("0.012")), None, 0), "$0.012");
}
