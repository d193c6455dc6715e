//! Property tests: no call costs more than its upper bound.

use super::*;
use crate::upper_bound::UpperBound;
use fastrand::Rng;

const TIERS: [Option<&str>; 5] = [None, Some("default"), Some("batch"), Some("flex"), Some("auto")];

fn at_most(price: &Price, bound: &UpperBound, asked: Option<&str>, now: SystemTime) -> Money {
    let [most] = price.at_most(bound, [bound.output_tokens], asked, now);
    most
}

/// A price with some of everything, in which any rate may be the highest.
fn any_price(rng: &mut Rng) -> Price {
    let mut price = any_rates(rng);
    for _ in 0..rng.usize(..3) {
        price = price.above(rng.u64(..2_000), any_rates(rng));
    }
    for name in ["batch", "flex", "priority"] {
        if rng.bool() {
            price =
                price.service_tier(name, any_rates(rng).above(rng.u64(..2_000), any_rates(rng)));
        }
    }
    if rng.bool() {
        price = price.since(at(rng.u64(..2_000)), any_rates(rng));
    }
    price
}

fn any_rates(rng: &mut Rng) -> Price {
    let amount = |rng: &mut Rng| Money::picos(i128::from(rng.u64(..20)) * 1_000_000);
    let mut price = Price::per_million(amount(rng), amount(rng));
    let setters = [
        Price::cached_input,
        Price::cache_write,
        Price::cache_write_1h,
        Price::reasoning,
        Price::input_audio,
        Price::output_audio,
        Price::input_image,
        Price::output_image,
        Price::request,
        Price::web_search,
    ];
    for set in setters {
        if rng.bool() {
            price = set(price, amount(rng));
        }
    }
    price
}

fn any_bound(rng: &mut Rng) -> UpperBound {
    UpperBound {
        input_tokens: rng.u64(..3_000),
        output_tokens: rng.u64(..3_000),
        cache_writes: rng.bool(),
        cache_writes_1h: rng.bool(),
        web_searches: rng.u64(..3),
        input_audio: rng.bool(),
        input_images: rng.bool(),
        output_audio: rng.bool(),
        output_images: rng.bool(),
        ..UpperBound::default()
    }
}

/// A usage within the bound, often at its edge, with parts that may exceed the whole.
fn any_usage(rng: &mut Rng, bound: &UpperBound) -> Usage {
    let up_to = |rng: &mut Rng, most: u64| if rng.bool() { most } else { rng.u64(..=most) };
    let prompt = up_to(rng, bound.input_tokens);
    let completion = up_to(rng, bound.output_tokens);
    let mut usage = Usage::reported(prompt, completion);
    let part = |rng: &mut Rng, allowed: bool, whole: u64| match allowed && rng.bool() {
        true => up_to(rng, whole + 9),
        false => 0,
    };
    usage.cached_tokens = part(rng, true, prompt);
    usage.reasoning_tokens = part(rng, true, completion);
    usage.cache_write_tokens = part(rng, bound.cache_writes || bound.cache_writes_1h, prompt);
    usage.cache_write_1h_tokens = match (bound.cache_writes, bound.cache_writes_1h) {
        (false, true) => usage.cache_write_tokens,
        (_, allowed) => part(rng, allowed, prompt),
    };
    usage.prompt_audio_tokens = part(rng, bound.input_audio, prompt);
    usage.prompt_image_tokens = part(rng, bound.input_images, prompt);
    usage.completion_audio_tokens = part(rng, bound.output_audio, completion);
    usage.completion_image_tokens = part(rng, bound.output_images, completion);
    usage.web_searches = rng.u64(..=bound.web_searches);
    usage
}

#[test]
fn no_usage_within_a_bound_costs_more_than_the_bound() {
    let mut rng = Rng::with_seed(11);
    let mut met = 0;
    for _ in 0..20_000 {
        let (price, bound, now) = (any_price(&mut rng), any_bound(&mut rng), at(rng.u64(..3_000)));
        let asked = rng.choice(TIERS).unwrap();
        let most = at_most(&price, &bound, asked, now);
        for _ in 0..8 {
            let usage = any_usage(&mut rng, &bound);
            let mut served = vec![asked.filter(|tier| *tier != "auto"), None, Some("default")];
            if matches!(asked, None | Some("auto")) {
                served.extend([Some("priority"), Some("flex")]);
            }
            for tier in served {
                let cost = price.cost(&usage, tier, now).total;
                assert!(cost <= most, "{cost} > {most}: {price:?} {bound:?} {usage:?} {tier:?}");
                met += usize::from(cost == most && !cost.is_zero());
            }
        }
    }
    // The bound is tight, not just a high number.
    assert!(met > 10_000, "{met}");
}

#[test]
fn no_usage_costs_more_than_its_known_part_and_the_bound_of_the_rest() {
    let mut rng = Rng::with_seed(13);
    for _ in 0..20_000 {
        let (price, bound, now) = (any_price(&mut rng), any_bound(&mut rng), at(rng.u64(..3_000)));
        let asked = rng.choice(TIERS).unwrap();
        let mut served = vec![asked.filter(|tier| *tier != "auto"), None, Some("default")];
        if matches!(asked, None | Some("auto")) {
            served.extend([Some("priority"), Some("flex")]);
        }
        for _ in 0..4 {
            let usage = any_usage(&mut rng, &bound);
            for known in [(false, false), (true, false), (false, true)] {
                let most = price.at_most_beside(&usage, known, &bound, Tier::Asked(asked), now);
                for tier in &served {
                    let cost = price.cost(&usage, *tier, now).total;
                    assert!(cost <= most, "{cost} > {most}: {price:?} {bound:?} {usage:?}");
                }
                if let Some(tier) = rng.choice(&served).copied().flatten() {
                    let tier = Tier::Served(tier);
                    let most_served = price.at_most_beside(&usage, known, &bound, tier, now);
                    let Tier::Served(tier) = tier else { unreachable!() };
                    assert!(price.cost(&usage, Some(tier), now).total <= most_served);
                    assert!(most_served <= most, "{most_served} > {most}: {price:?} {bound:?}");
                }
            }
            // If nothing is known, the whole bound applies.
            let all = price.at_most_beside(&usage, (false, false), &bound, Tier::Asked(asked), now);
            assert_eq!(all, at_most(&price, &bound, asked, now));
        }
    }
}

#[test]
fn a_call_without_a_tier_may_be_served_in_the_most_expensive_one() {
    let price = price("1", "10")
        .service_tier("priority", price("2", "20"))
        .service_tier("batch", price("9", "90"));
    let bound = UpperBound { input_tokens: 1_000_000, ..UpperBound::default() };
    for (asked, most) in [
        (None, "2"),
        (Some("auto"), "2"),
        (Some("priority"), "2"),
        (Some("default"), "1"),
        (Some("standard"), "1"),
        (Some("batch"), "9"),
    ] {
        assert_eq!(at_most(&price, &bound, asked, at(0)), dollars(most), "{asked:?}");
    }
}

#[test]
fn the_output_that_fits_an_amount_is_exact() {
    let mut rng = Rng::with_seed(12);
    for _ in 0..50_000 {
        let (price, bound, now) = (any_price(&mut rng), any_bound(&mut rng), at(rng.u64(..3_000)));
        let asked = rng.choice(TIERS).unwrap();
        let amount = Money::picos(i128::from(rng.u64(..200_000)));
        let tokens = price.output_within(&bound, amount, asked, now);
        let with =
            |output_tokens| at_most(&price, &UpperBound { output_tokens, ..bound }, asked, now);
        if tokens > 0 {
            assert!(with(tokens) <= amount, "{tokens} are too many: {price:?} {bound:?}");
        }
        if tokens < u64::MAX {
            assert!(with(tokens + 1) > amount, "{tokens} are too few: {price:?} {bound:?}");
        }
    }
}

#[test]
fn free_output_fits_without_limit_but_none_fits_if_the_input_costs_too_much() {
    let bound = UpperBound { input_tokens: 1_000_000, ..UpperBound::default() };
    let within = |price: &Price, amount| price.output_within(&bound, dollars(amount), None, at(0));
    assert_eq!(within(&price("1", "0"), "1"), u64::MAX);
    assert_eq!(within(&price("1", "0"), "0.99"), 0);
    assert_eq!(within(&price("1", "2"), "1"), 0);
    assert_eq!(within(&price("1", "2"), "1.000002"), 1);
    assert_eq!(within(&price("1", "2"), "-1"), 0);
}

#[test]
fn bounds_beyond_the_range_saturate() {
    let bound =
        UpperBound { input_tokens: u64::MAX, output_tokens: u64::MAX, ..UpperBound::default() };
    let expensive = Price::per_million(Money::MAX, Money::MAX);
    assert_eq!(at_most(&expensive, &bound, None, at(0)), Money::MAX);
    assert_eq!(expensive.output_within(&bound, Money::dollars(1), None, at(0)), 0);
    let one = UpperBound { input_tokens: 0, ..bound };
    assert_eq!(expensive.output_within(&one, Money::MAX, None, at(0)), 9_223_372_036_854_775_808);
}

#[test]
fn a_smaller_prompt_may_be_the_more_expensive_one() {
    let price = price("10", "10").above(1_000_000, super::price("1", "20"));
    let bound = UpperBound { input_tokens: 2_000_000, output_tokens: 0, ..UpperBound::default() };
    assert_eq!(at_most(&price, &bound, None, at(0)), Money::dollars(10));
    let bound = UpperBound { output_tokens: 1_000_000, ..bound };
    assert_eq!(at_most(&price, &bound, None, at(0)), Money::dollars(22));
    // At the boundary itself the larger tier is out of reach.
    let bound = UpperBound { input_tokens: 1_000_000, ..bound };
    assert_eq!(at_most(&price, &bound, None, at(0)), Money::dollars(20));
}

#[test]
fn a_batch_costs_its_listed_price_otherwise_a_share_of_the_standard_one() {
    let usage = Usage { web_searches: 1, ..Usage::reported(1_000_000, 1_000_000) };
    let total = |price: &Price| price.of_batch(50).cost(&usage, None, at(0)).total;
    let standard = price("2", "8").web_search(dollars("1")).request(dollars("3"));
    // Searches and requests have no discount.
    assert_eq!(total(&standard), dollars("9"));
    let large = standard.clone().above(500_000, price("4", "16"));
    assert_eq!(total(&large), dollars("10"));
    let listed = standard.service_tier("batch", price("0.5", "0.25"));
    assert_eq!(total(&listed), dollars("0.75"));
    // It has no other tier, whatever the answer says.
    let named = listed.of_batch(50).cost(&usage, Some("priority"), at(0)).total;
    assert_eq!(named, dollars("0.75"));
    // Half of a rate is rounded up.
    let odd = price("0.000003", "0").of_batch(50);
    assert_eq!(odd.cost(&Usage::reported(1, 0), None, at(0)).total, Money::picos(2));
}
