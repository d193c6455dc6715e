//! Tests of how a model's price is found by its name.

use super::*;
use std::collections::HashSet;

fn cost(prices: &Prices, provider: &str, model: &str) -> Option<String> {
    prices.find(provider, model).map(|price| total(&price, None, 1_793_491_200))
}

#[test]
fn every_line_of_the_table_can_be_read() {
    let (mut models, mut with_output) = (0, 0);
    for provider in Prices::providers() {
        let section = table::section(provider).unwrap();
        assert_eq!(section.name, provider);
        let mut names = HashSet::new();
        for entry in section.entries() {
            assert!(names.insert(entry.name), "{provider} {} occurs twice", entry.name);
            let price = entry.price();
            assert_eq!(price.is_none(), entry.is_unpriced(), "{provider} {}", entry.name);
            let output = price.and_then(|price| price.max_output_tokens());
            with_output += usize::from(output.is_some_and(|tokens| tokens > 0));
            models += 1;
        }
    }
    assert!(models > 2_000 && with_output > 400, "{models} {with_output}");
    assert!(day::read(Prices::builtin().date()).is_some());
}

#[test]
fn older_model_families_have_prices() {
    let prices = Prices::builtin();
    for (provider, model) in [
        ("openai", "gpt-3.5-turbo"),
        ("openai", "gpt-3.5-turbo-0125"),
        ("openai", "gpt-3.5-turbo-16k"),
        ("openai", "gpt-3.5-turbo-instruct"),
        ("openai", "gpt-4"),
        ("openai", "gpt-4-0613"),
        ("openai", "gpt-4-32k"),
        ("openai", "gpt-4-turbo"),
        ("openai", "davinci-002"),
        ("openai", "babbage-002"),
        ("openai", "text-davinci-003"),
        ("openai", "text-curie-001"),
        ("anthropic", "claude-2.1"),
        ("anthropic", "claude-v1"),
        ("anthropic", "claude-instant-1.2"),
        ("anthropic", "claude-3-opus-20240229"),
        ("google", "gemini-1.5-pro"),
    ] {
        assert!(prices.find(provider, model).is_some(), "{provider} {model}");
    }
}

#[test]
fn a_model_is_found_by_its_names_and_dates_in_any_case() {
    let prices = Prices::builtin();
    let same = cost(&prices, "openai", "gpt-5.2");
    for model in ["GPT-5.2", "gpt-5.2-2025-12-11", "gpt-5.2-20251211"] {
        assert_eq!(cost(&prices, "openai", model), same, "{model}");
    }
    assert!(same.is_some());
    assert_eq!(cost(&prices, " OpenAI ", "gpt-5.2"), same);
    // A model that another provider serves too has its standard price there, and no tiers.
    let azure = prices.find("azure.ai.openai", "gpt-5.2").unwrap();
    let openai = prices.find("openai", "gpt-5.2").unwrap();
    let now = 1_793_491_200;
    assert_eq!(total(&azure, None, now), total(&openai, None, now));
    assert_ne!(total(&azure, Some("batch"), now), total(&openai, Some("batch"), now));
    assert_eq!(prices.find("x_ai", "grok-4.3"), prices.find("x-ai", "grok-4.3"));
}

#[test]
fn models_not_billed_by_tokens_have_no_price() {
    let prices = Prices::builtin();
    for (provider, model) in [("openai", "whisper-1"), ("openai", "no-such"), ("nobody", "gpt-4o")]
    {
        assert_eq!(prices.find(provider, model), None, "{provider} {model}");
        assert_eq!(prices.find(provider, model), None, "{provider} {model}, remembered");
    }
    assert_eq!(Prices::empty().find("openai", "gpt-4o"), None);
}

#[test]
fn a_price_that_was_set_takes_precedence_over_the_table() {
    let base = Prices::builtin();
    let prices = base
        .clone()
        .set("openai", "GPT-5.2", price("7", "0"))
        .set("openai", "gpt-99", price("8", "0"))
        .set("Our-Proxy", "tuned", price("9", "0"))
        .set("openai", "gpt-4o", price("5", "0"));
    for (provider, model, expected) in [
        ("openai", "gpt-5.2", Some("$7.00")),
        ("openai", "gpt-5.2-20251211", Some("$7.00")),
        ("openai", "gpt-99", Some("$8.00")),
        ("openai", "gpt-99-2030-01-31", Some("$8.00")),
        ("openai", "gpt-99@20300131", Some("$8.00")),
        ("openai", "gpt-99-mini", None),
        ("our-proxy", "Tuned", Some("$9.00")),
        ("our-proxy", "gpt-5.2", None),
        ("openai", "gpt-4o", Some("$5.00")),
    ] {
        assert_eq!(cost(&prices, provider, model).as_deref(), expected, "{provider} {model}");
    }
    // The table lists this snapshot separately.
    let snapshot = "gpt-4o-2024-05-13";
    assert_eq!(cost(&prices, "openai", snapshot), cost(&base, "openai", snapshot));
    // The same model at another provider has another price.
    assert_eq!(cost(&prices, "azure", "gpt-5.2"), cost(&base, "azure", "gpt-5.2"));
    // An older clone does not change.
    assert_ne!(cost(&base, "openai", "gpt-5.2").as_deref(), Some("$7.00"));
    let own = Prices::empty().set("openai", "m", price("1", "0"));
    assert_eq!(cost(&own, "openai", "m-2026-11-01").as_deref(), Some("$1.00"));
    let again = own.set("openai", "M", price("2", "0"));
    assert_eq!(cost(&again, "openai", "m").as_deref(), Some("$2.00"));
}

#[test]
fn models_lists_those_of_the_table_and_those_that_were_set() {
    let prices = Prices::builtin().set("openai", "gpt-99", Price::free());
    let prices = prices.set("openai", "gpt-4o", Price::free());
    let models: Vec<&str> = prices.models("openai").collect();
    assert!(models.contains(&"gpt-4o") && models.contains(&"gpt-99"), "{models:?}");
    assert!(!models.contains(&"whisper-1"));
    assert_eq!(models.len(), models.iter().collect::<HashSet<_>>().len());
    for provider in Prices::providers() {
        for model in prices.models(provider) {
            assert!(prices.find(provider, model).is_some(), "{provider} {model}");
        }
    }
    assert_eq!(prices.models("nobody").count(), 0);
    let own = Prices::empty().set("ours", "b", Price::free()).set("ours", "a", Price::free());
    assert_eq!(own.models("OURS").collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn the_lookup_cache_is_bounded() {
    let prices = Prices::builtin();
    for number in 0..5_000 {
        assert_eq!(prices.find("nobody", &format!("model-{number}")), None);
        assert!(prices.remembered() <= 1_000);
    }
    let before = prices.remembered();
    assert_eq!(prices.find("nobody", &"x".repeat(10_000)), None);
    assert_eq!(prices.find(&"x".repeat(10_000), "m"), None);
    assert_eq!(prices.remembered(), before);
}

#[test]
fn concurrent_lookups_agree() {
    let prices = Prices::builtin();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let prices = prices.clone();
            scope.spawn(move || {
                for round in 0..300 {
                    let model = ["gpt-4o", "gpt-5", "no-such"][(thread + round) % 3];
                    let found = prices.find("openai", model).is_some();
                    assert_eq!(found, model != "no-such");
                    prices.find("nobody", &format!("{thread}-{round}"));
                }
            });
        }
    });
}
