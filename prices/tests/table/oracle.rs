//! Compares prices, names and base URLs with genai-prices.

use genai_prices::{PriceRequest, Usage as TheirUsage};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};
use tollgate::{Money, Price, Prices, Usage};

use crate::differences::{LISTED, ROUNDED, UNPRICED};
use crate::generate::ADDED;

const TIERS: [Option<&str>; 7] = [
    None,
    Some("default"),
    Some("flex"),
    Some("priority"),
    Some("fast"),
    Some("batch"),
    Some("no such tier"),
];

/// 2026-11-01.
const NOW: u64 = 1_793_491_200;

fn data() -> Vec<Value> {
    let text = std::fs::read_to_string(crate::data()).expect("the data can be read");
    serde_json::from_str(&text).expect("the data is JSON")
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The model that genai-prices finds, as `provider/model`, and the price of a usage: for input, for
/// output and in total.
type Theirs = (String, Result<[f64; 3], genai_prices::Error>);

fn theirs(
    provider: &str,
    model: &str,
    usage: &Usage,
    tier: Option<&str>,
    seconds: u64,
) -> Option<Theirs> {
    let counts = [
        ("input_tokens", usage.prompt_tokens),
        ("output_tokens", usage.completion_tokens),
        ("cache_read_tokens", usage.cached_tokens),
        ("cache_write_tokens", usage.cache_write_tokens),
        ("cache_write_1h_tokens", usage.cache_write_1h_tokens),
        ("output_reasoning_tokens", usage.reasoning_tokens),
        ("input_audio_tokens", usage.prompt_audio_tokens),
        ("output_audio_tokens", usage.completion_audio_tokens),
        ("input_image_tokens", usage.prompt_image_tokens),
        ("output_image_tokens", usage.completion_image_tokens),
        ("web_searches", usage.web_searches),
        // Cached tokens are text.
        ("cache_audio_read_tokens", 0),
        ("cache_image_read_tokens", 0),
        ("cache_audio_write_tokens", 0),
        ("cache_image_write_tokens", 0),
    ];
    let mut their_usage = TheirUsage::new();
    for (name, count) in counts {
        #[allow(clippy::cast_precision_loss)]
        their_usage.insert(name, count as f64);
    }
    let mut request = PriceRequest::new(model, &their_usage)
        .with_provider_id(provider)
        .with_timestamp(at(seconds));
    match tier {
        Some("batch") => request = request.with_price_context("processing", "batch"),
        Some(tier) => request = request.with_price_context("service_tier", tier),
        None => {}
    }
    match genai_prices::calculate(&request) {
        Ok(found) => {
            let prices = [found.input_price, found.output_price, found.total_price];
            Some((format!("{}/{}", found.provider_id, found.model_id), Ok(prices)))
        }
        Err(error) if error.kind() == genai_prices::ErrorKind::ModelNotFound => None,
        Err(error) => Some((String::new(), Err(error))),
    }
}

fn ours(price: &Price, usage: &Usage, tier: Option<&str>, seconds: u64) -> [Money; 3] {
    let cost = price.cost(usage, tier, at(seconds));
    assert_eq!(cost.total, cost.items());
    let input = cost.input + cost.cached_input + cost.cache_write + cost.input_media;
    [input, cost.output + cost.reasoning + cost.output_media, cost.total]
}

/// Whether they agree up to float rounding, plus `picos` pico-dollars per token.
fn agree(ours: [Money; 3], theirs: [f64; 3], usage: &Usage, picos: f64) -> bool {
    #[allow(clippy::cast_precision_loss)]
    let slack = usage.total_tokens as f64 * picos * 1e-12;
    ours.iter().zip(theirs).all(|(ours, theirs)| {
        (ours.as_dollars() - theirs).abs() <= theirs.abs() * 1e-12 + slack + 1e-15
    })
}

/// Usages of every kind, with wholes at least the sum of their parts.
fn usages(sizes: &BTreeSet<u64>) -> Vec<Usage> {
    let mut usages = Vec::new();
    for prompt in [0, 1, 7, 1_000, 123_457, 1_000_000, 1_000_000_000] {
        usages.push(usage(prompt, prompt / 3));
    }
    for size in sizes {
        for prompt in [size - 1, *size, size + 1] {
            usages.push(with_parts(prompt, 4_321));
        }
    }
    usages.push(usage(0, 1));
    usages.push(with_parts(0, 0));
    usages.push(with_parts(99_991, 70_001));
    let all_cached = usage(5_000, 10);
    usages.push(parts(all_cached, |usage| usage.cached_tokens = 5_000));
    usages.push(parts(all_cached, |usage| usage.cache_write_tokens = 5_000));
    usages.push(parts(all_cached, |usage| {
        (usage.cache_write_tokens, usage.cache_write_1h_tokens) = (5_000, 5_000);
    }));
    usages.push(parts(usage(9, 9), |usage| usage.web_searches = 1_000));
    usages
}

fn usage(prompt: u64, completion: u64) -> Usage {
    let mut usage = Usage::default();
    usage.prompt_tokens = prompt;
    usage.completion_tokens = completion;
    usage.total_tokens = prompt + completion;
    usage
}

fn parts(mut usage: Usage, set: impl FnOnce(&mut Usage)) -> Usage {
    set(&mut usage);
    usage
}

/// A usage with some of everything.
fn with_parts(prompt: u64, completion: u64) -> Usage {
    parts(usage(prompt, completion), |usage| {
        usage.cached_tokens = prompt / 2;
        usage.cache_write_tokens = prompt / 4;
        usage.cache_write_1h_tokens = prompt / 9;
        usage.prompt_audio_tokens = prompt / 8;
        usage.prompt_image_tokens = prompt / 16;
        usage.reasoning_tokens = completion / 2;
        usage.completion_audio_tokens = completion / 5;
        usage.completion_image_tokens = completion / 7;
        usage.web_searches = 3;
    })
}

/// The prompt sizes and the times at which any price changes.
fn turns(value: &Value, sizes: &mut BTreeSet<u64>, times: &mut BTreeSet<u64>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| turns(value, sizes, times)),
        Value::Object(members) => {
            sizes.extend(members.get("start").and_then(Value::as_u64));
            if let Some(date) = members.get("start_date").and_then(Value::as_str) {
                let start = start_of(date);
                times.extend([start - 1, start]);
            }
            for name in ["start_time", "end_time"] {
                if let Some(time) = members.get(name).and_then(Value::as_str) {
                    let field = |at: usize| time[at..at + 2].parse::<u64>().expect("digits");
                    let second = NOW + field(0) * 3_600 + field(3) * 60 + field(6);
                    times.extend([second - 1, second]);
                }
            }
            members.values().for_each(|value| turns(value, sizes, times));
        }
        _ => {}
    }
}

/// Counted day by day, so that it shares nothing with the code under test.
fn start_of(date: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| date[range].parse::<u64>().expect("digits");
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = |year: u64| year % 4 == 0;
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30];
    let months: u64 = lengths.iter().zip(1..month).map(|(length, _)| length).sum();
    (years + months + day - 1) * 86_400
}

/// Names that a matcher accepts, and some that it may or may not accept.
fn names(matcher: &Value, names: &mut Vec<String>) {
    for (kind, value) in matcher.as_object().expect("an object") {
        match (kind.as_str(), value) {
            (_, Value::Array(values)) => values.iter().for_each(|value| self::names(value, names)),
            ("regex", _) => {
                for pattern in crate::patterns::patterns(matcher) {
                    let digits = pattern.replace("####-##-##", "2026-11-05");
                    names.push(digits.replace("########", "20261105").replace(['#', '*'], "7"));
                }
            }
            (_, value) => {
                let text = value.as_str().expect("a literal");
                let near = match names.len() % 8 {
                    0 => format!("{text}-2026-11-05"),
                    1 => format!("{text}-20261105"),
                    2 => format!("{text}@20261105"),
                    3 => format!("{text}-tts"),
                    4 => format!("{text}x"),
                    5 => format!("x{text}"),
                    6 => format!("us.{text}-v1:0"),
                    _ => text.to_uppercase(),
                };
                names.extend([text.to_owned(), format!("{text}-1"), near]);
            }
        }
    }
}

#[test]
fn every_model_costs_the_same_in_genai_prices() {
    let prices = Prices::builtin();
    let mut compared = 0;
    let mut unpriced = Vec::new();
    let mut unreached = Vec::new();
    let mut rounded = BTreeSet::new();
    for provider in data() {
        let id = provider["id"].as_str().expect("a provider has an id");
        for model in provider["models"].as_array().expect("a provider has models") {
            let key = format!("{id}/{}", model["id"].as_str().expect("a model has an id"));
            let mut known = Vec::new();
            names(&model["match"], &mut known);
            let empty = usage(0, 0);
            let reaches = |name: &&String| {
                theirs(id, name, &empty, None, NOW).is_some_and(|(found, _)| found == key)
            };
            let Some(name) = known.iter().find(reaches) else {
                unreached.push(key);
                continue;
            };
            let Some(price) = prices.find(id, name) else {
                unpriced.push(key);
                continue;
            };
            let (mut sizes, mut times) = (BTreeSet::new(), BTreeSet::from([NOW]));
            turns(model, &mut sizes, &mut times);
            let tiers =
                if model.get("price_variants").is_some() { &TIERS[..] } else { &TIERS[..1] };
            for usage in usages(&sizes) {
                for (&seconds, &tier) in
                    times.iter().flat_map(|time| tiers.iter().map(move |tier| (time, tier)))
                {
                    let (_, theirs) =
                        theirs(id, name, &usage, tier, seconds).expect("it was found");
                    let theirs = theirs.unwrap_or_else(|error| panic!("{key} {usage:?}: {error}"));
                    let ours = ours(&price, &usage, tier, seconds);
                    compared += 1;
                    if agree(ours, theirs, &usage, 0.0) {
                        continue;
                    }
                    rounded.insert(key.clone());
                    assert!(
                        agree(ours, theirs, &usage, 0.5),
                        "{key} {tier:?} at {seconds}: {ours:?} here, {theirs:?} there for {usage:?}"
                    );
                }
            }
        }
    }
    assert!(compared > 50_000, "only {compared} prices compared");
    assert_eq!(unpriced, UNPRICED);
    assert_eq!(unreached, [""; 0]);
    assert_eq!(rounded.iter().map(String::as_str).collect::<Vec<_>>(), ROUNDED);
}

#[test]
fn every_name_finds_the_same_model_in_genai_prices() {
    let prices = Prices::builtin();
    let probe = with_parts(99_991, 70_001);
    let mut compared = 0;
    let mut listed = BTreeSet::new();
    // At any provider: some serve the models of another.
    let name_of = |model: &str| model.split_once('/').map(|(_, name)| name.to_owned());
    let unpriced = |model: &str| UNPRICED.iter().any(|known| name_of(known) == name_of(model));
    let providers = data();
    for provider in &providers {
        let id = provider["id"].as_str().expect("a provider has an id");
        let mut known = vec![String::new(), "no-such-model".to_owned(), "x".repeat(5_000)];
        let fallbacks = provider["fallback_model_providers"].as_array().into_iter().flatten();
        let named = |name: &Value| providers.iter().find(|other| other["id"] == *name);
        for provider in fallbacks.filter_map(named).chain([provider]) {
            for model in provider["models"].as_array().expect("a provider has models") {
                known.push(model["id"].as_str().expect("a model has an id").to_owned());
                names(&model["match"], &mut known);
            }
        }
        for name in known {
            // With a tier, because only a model's own provider has its tiers.
            let theirs = theirs(id, &name, &probe, Some("batch"), NOW);
            let ours = prices.find(id, &name);
            match (&theirs, &ours) {
                (None, None) => {}
                (Some((model, Ok(theirs))), Some(price)) => {
                    let ours = self::ours(price, &probe, Some("batch"), NOW);
                    let slack = if ROUNDED.contains(&model.as_str()) { 0.5 } else { 0.0 };
                    let same = agree(ours, *theirs, &probe, slack);
                    assert!(same, "{id} {name:?}: {ours:?} {theirs:?}");
                }
                (Some((model, _)), None) if unpriced(model) => {}
                (None, Some(_)) => {
                    listed.insert(format!("{id}/{name}"));
                }
                _ => panic!("{id} {name:?}: {theirs:?} there, {ours:?} here"),
            }
            compared += 1;
        }
    }
    assert!(compared > 10_000, "only {compared} names compared");
    assert_eq!(listed.iter().map(String::as_str).collect::<Vec<_>>(), LISTED);
}

#[test]
fn parts_beyond_the_whole_are_an_error_in_genai_prices_and_cut_here() {
    let prices = Prices::builtin();
    let price = prices.find("openai", "gpt-5").expect("it is in the table");
    let too_much = parts(usage(80, 10), |usage| usage.cached_tokens = 90);
    let (_, refused) = theirs("openai", "gpt-5", &too_much, None, NOW).expect("it is known");
    assert!(refused.is_err());
    let cut = parts(usage(80, 10), |usage| usage.cached_tokens = 80);
    let (_, same) = theirs("openai", "gpt-5", &cut, None, NOW).expect("it is known");
    let ours = ours(&price, &too_much, None, NOW);
    assert!(agree(ours, same.expect("it has a price"), &cut, 0.0));
}

#[test]
fn every_provider_name_finds_the_same_provider_in_genai_prices() {
    let prices = Prices::builtin();
    let there = genai_prices::Calculator::bundled();
    for provider in data() {
        let id = provider["id"].as_str().expect("a provider has an id");
        let models = prices.models(id).count();
        let theirs = there.find_provider(Some(id), None).expect("no limit").expect("it is known");
        let without = UNPRICED.iter().filter(|model| model.starts_with(&format!("{id}/"))).count();
        let added = ADDED.iter().filter(|(provider, _)| *provider == id).count();
        assert_eq!(models + without, theirs.models().count() + added, "{id}");
    }
    for (name, model) in [
        ("OpenAI", "gpt-4o"),
        (" openai ", "gpt-4o"),
        ("gcp.vertex_ai", "gemini-2.5-pro"),
        ("aws.bedrock", "amazon.nova-lite-v1:0"),
        ("mistral_ai", "mistral-large-latest"),
        ("xai", "grok-4.3"),
        ("together_ai", "deepseek-ai/DeepSeek-V3"),
        ("huggingface-groq", "openai/gpt-oss-120b"),
        ("nobody", "gpt-4o"),
    ] {
        let found = crate::known(name, model).is_some();
        assert_eq!(prices.find(name, model).is_some(), found, "{name} {model}");
    }
}

#[test]
fn base_urls_find_the_same_provider_in_genai_prices() {
    let there = genai_prices::Calculator::bundled();
    for url in [
        "https://api.openai.com/v1",
        "https://api.anthropic.com",
        "https://api.mistral.ai/v1",
        "https://api.groq.com/openai/v1",
        "https://api.x.ai/v1",
        "https://api.deepseek.com",
        "https://openrouter.ai/api/v1",
        "https://api.together.xyz/v1",
        "https://api.fireworks.ai/inference/v1",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "https://europe-west4-aiplatform.googleapis.com/v1",
        "https://bedrock-runtime.eu-west-1.amazonaws.com",
        "https://mine.openai.azure.com/openai/deployments/x",
        "https://mine.services.ai.azure.com/models",
        "https://api.cloudflare.com/client/v4/accounts/42/ai/v1",
        "https://api.cloudflare.com/client/v4/zones",
        "https://dbc-1.cloud.databricks.com/serving-endpoints",
        "https://dbc-1.cloud.databricks.com/elsewhere",
        "https://router.huggingface.co/groq/openai/v1",
        "https://router.huggingface.co/v1",
        "https://api.moonshot.cn/v1",
        "https://api.minimaxi.com/v1",
        "https://open.bigmodel.cn/api/paas/v4",
        "https://api.perplexity.ai",
        "http://localhost:11434/v1",
        "https://example.org",
    ] {
        let theirs =
            there.find_provider(None, Some(url)).expect("no limit").map(|found| found.id());
        assert_eq!(Prices::provider_of(url), theirs, "{url}");
    }
}
