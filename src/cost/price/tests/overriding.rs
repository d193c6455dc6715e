//! Tests of prices that users load from JSON.

use super::*;
use crate::error::ErrorKind;
use serde_json::json;

#[test]
fn every_price_of_the_table_can_be_stored_and_loaded() {
    let mut providers = serde_json::Map::new();
    for provider in Prices::providers() {
        let section = table::section(provider).unwrap();
        let models: serde_json::Map<String, serde_json::Value> = section
            .entries()
            .filter_map(|entry| {
                Some((entry.name.to_owned(), serde_json::to_value(entry.price()?).unwrap()))
            })
            .collect();
        providers.insert(provider.to_owned(), models.into());
    }
    let file = serde_json::to_string(&providers).unwrap();
    let loaded = Prices::empty().parse(&file).unwrap();
    for provider in Prices::providers() {
        for entry in table::section(provider).unwrap().entries() {
            let stored = loaded.find(provider, entry.name);
            assert_eq!(stored.as_deref(), entry.price().as_ref(), "{provider} {}", entry.name);
        }
    }
}

#[test]
fn every_member_of_a_price_is_read() {
    let prices = Prices::empty().parse(
        r#"{"p": {"m": {
            "input": 1, "output": "2.50", "cached_input": 0.1, "cache_write": 1.25,
            "cache_write_1h": 2, "reasoning": 3, "input_audio": 4, "output_audio": 5,
            "input_image": 6, "output_image": 7, "request": 0.01, "web_search": "0.02",
            "above": {"2000": {"input": 9, "output": 9}},
            "service_tiers": {"batch": {"input": 1, "output": 1, "above": {"5": {"input": 2, "output": 2}}}},
            "since": {"2027-01-01": {"input": 3, "output": 3, "service_tiers": {"flex": {"input": 1, "output": 0}}}},
            "daily": {"22:00-04:30": {"input": 0, "output": 0}},
            "context_window": 4000, "max_output": 1000
        }}}"#,
    );
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let since = super::price("3", "3").service_tier("flex", super::price("1", "0"));
    let expected = super::price("1", "2.5")
        .cached_input(dollars("0.1"))
        .cache_write(dollars("1.25"))
        .cache_write_1h(dollars("2"))
        .reasoning(dollars("3"))
        .input_audio(dollars("4"))
        .output_audio(dollars("5"))
        .input_image(dollars("6"))
        .output_image(dollars("7"))
        .request(dollars("0.01"))
        .web_search(dollars("0.02"))
        .above(2_000, super::price("9", "9"))
        .service_tier("batch", super::price("1", "1").above(5, super::price("2", "2")))
        .since(at(1_798_761_600), since)
        .daily(minutes(22 * 60), minutes(4 * 60 + 30), Price::free())
        .context_window(4_000)
        .max_output(1_000);
    assert_eq!(*prices.unwrap().find("p", "m").unwrap(), expected);
}

#[test]
fn bad_prices_are_refused_with_their_position() {
    let in_model = |price: &str| format!("{{\"openai\":\n{{\"gpt-7\": {price}\n}}}}");
    for (json, parts) in [
        ("{".to_owned(), &["line 1"][..]),
        ("[]".to_owned(), &["expected an object", "line 1"]),
        ("{} x".to_owned(), &["trailing", "line 1"]),
        (in_model("{}"), &["\"openai\"", "\"gpt-7\"", "missing", "`input`", "line 2"]),
        (in_model(r#"{"input": 1}"#), &["`output`", "line 2"]),
        (in_model(r#"{"input": 1, "output": 1, "cached": 1}"#), &["`cached`", "cached_input"]),
        (in_model(r#"{"input": 1, "input": 1, "output": 1}"#), &["duplicate", "`input`"]),
        (in_model(r#"{"input": "free", "output": 1}"#), &["\"free\"", "amount of dollars"]),
        (in_model(r#"{"input": null, "output": 1}"#), &["null", "amount of dollars"]),
        (in_model(r#"{"input": -1, "output": 1}"#), &["input is negative"]),
        (in_model(r#"{"input": 1, "output": 1, "request": -1}"#), &["request is negative"]),
        (in_model(r#"{"input": 1, "output": 1, "max_output": 1.5}"#), &["1.5", "u64"]),
        (
            in_model(r#"{"input": 1, "output": 1, "above": {"x": {"input": 1, "output": 1}}}"#),
            &["\"x\"", "tokens"],
        ),
        (
            in_model(
                r#"{"input": 1, "output": 1, "above": {"5": {"input": 1, "output": 1, "max_output": 1}}}"#,
            ),
            &["a price in above", "max_output", "one level up"],
        ),
        (
            in_model(
                r#"{"input": 1, "output": 1, "service_tiers": {"flex": {"input": 1, "output": 1, "since": {"2027-01-01": {"input": 1, "output": 1}}}}}"#,
            ),
            &["a price in service_tiers", "since"],
        ),
        (
            in_model(
                r#"{"input": 1, "output": 1, "since": {"2027-01-01": {"input": 1, "output": 1, "daily": {"01:00-02:00": {"input": 1, "output": 1}}}}}"#,
            ),
            &["a price in since or daily", "daily"],
        ),
        (
            in_model(
                r#"{"input": 1, "output": 1, "since": {"2027-02-30": {"input": 1, "output": 1}}}"#,
            ),
            &["2027-02-30", "write a date"],
        ),
        (
            in_model(r#"{"input": 1, "output": 1, "daily": {"1-2": {"input": 1, "output": 1}}}"#),
            &["\"1-2\"", "write a period"],
        ),
        (
            in_model(
                r#"{"input": 1, "output": 1, "service_tiers": {"flex": {"input": 1, "output": 1}, "Flex": {"input": 1, "output": 1}}}"#,
            ),
            &["\"Flex\"", "twice"],
        ),
        (
            in_model("{\"input\": 1, \"output\": 1},\n\"GPT-7\": {\"input\": 2, \"output\": 2}"),
            &["\"openai\"", "\"GPT-7\" occurs twice", "remove one", "line 3"],
        ),
        ("{\"a\": {},\n\"A\": {}}".to_owned(), &["\"A\" occurs twice", "line 2"]),
    ] {
        let error = Prices::empty().parse(&json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        for part in parts {
            assert!(error.message().contains(part), "{part} is not in: {error}\n{json}");
        }
        assert_eq!(error.message().matches(" at line ").count(), 1, "{error}");
    }
}

#[test]
fn a_price_file_is_loaded_and_a_missing_one_is_named() {
    let error = Prices::builtin().load("no/such/prices.json").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("no/such/prices.json"), "{error}");

    let file = std::env::temp_dir().join(format!("tollgate-prices-{}.json", std::process::id()));
    std::fs::write(&file, r#"{"openai": {"gpt-7": {"input": 1, "output": 2}}}"#).unwrap();
    let loaded = Prices::builtin().load(&file);
    std::fs::write(&file, r#"{"openai": 7}"#).unwrap();
    let bad = Prices::builtin().load(&file).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    assert!(loaded.unwrap().find("openai", "gpt-7").is_some());
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(bad.message().contains(name) && bad.message().contains("line 1"), "{bad}");
}

#[test]
fn no_json_makes_the_parser_panic() {
    let mut rng = fastrand::Rng::with_seed(13);
    let whole = json!({"openai": {"gpt-7": {
        "input": 1.25, "output": "10", "above": {"2000": {"input": 9, "output": 9}},
        "since": {"2027-01-01": {"input": 3, "output": 3}}, "daily": {"22:00-04:30": {"input": 0, "output": 0}},
    }}})
    .to_string();
    for _ in 0..20_000 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(b' '..b'~');
        }
        let _ = Prices::empty().parse(&String::from_utf8(bytes).unwrap());
    }
}
