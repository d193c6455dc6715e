//! Writes the price table from the data of genai-prices. Maximum outputs, and context windows
//! that are missing there, come from LiteLLM.
//!
//! It leaves out what a chat client cannot use: prices for hours of audio, characters, pages,
//! pixels, messages and storage searches; for video and citations, which usage does not count
//! separately; for cached audio and images, because usage does not say how much was cached; and
//! Perplexity's and OpenRouter's prices by kind of search and by route, which answers do not name.
//! Models that only have such prices stay in the table without a price, so that no other model is
//! mistaken for them.
//!
//! Rates are rounded to whole pico-dollars per token. 27 rates of the data are finer: noise of the
//! arithmetic they come from (0.18000000000000002), or sixths and twelfths (0.0833333333333333).
//! Rounding changes them by a millionth of a dollar per million tokens at most.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use crate::patterns::{addresses, patterns};

/// The version of the crate genai-prices, and the day it was published.
const GENAI_PRICES: (&str, &str) = ("0.2.1", "2026-10-30");

/// The version of LiteLLM whose `model_prices_and_context_window_backup.json` was used.
const LITELLM: &str = "1.106.2";

/// The prices that are taken over: their names in the data and in the table. The first two have no
/// name in the table.
const TAKEN: [(&str, &str); 12] = [
    ("input_mtok", ""),
    ("output_mtok", ""),
    ("cache_read_mtok", "cached"),
    ("cache_write_mtok", "write"),
    ("cache_write_1h_mtok", "write-1h"),
    ("output_reasoning_mtok", "reasoning"),
    ("input_audio_mtok", "audio-in"),
    ("output_audio_mtok", "audio-out"),
    ("input_image_mtok", "image-in"),
    ("output_image_mtok", "image-out"),
    ("requests_kcount", "request"),
    ("web_searches_kcount", "search"),
];

/// The prices that are left out.
pub(crate) const LEFT_OUT: [&str; 12] = [
    "audio_hours",
    "cache_audio_read_mtok",
    "cache_image_read_mtok",
    "input_annotated_document_kpages",
    "input_audio_hours",
    "input_document_kpages",
    "input_mchars",
    "input_text_messages_kcount",
    "input_video_mtok",
    "output_citation_mtok",
    "output_video_mtok",
    "storage_searches_kcount",
];

/// Models that the data lacks, by provider, added after its own:
///
/// - Claude Instant at LiteLLM's price for it at Bedrock (`anthropic.claude-instant-v1`), which was
///   Anthropic's too.
/// - Mistral's moderation at the price of `mistral-moderation-2411` in its documentation
///   (mistralai/platform-docs-public, `src/schema/models/models/mistral-moderation-24-11.ts`). The
///   same folder lists the model of 2026-03 as free. The table does not follow it, because a budget
///   must not rest on a price that is too low.
pub(crate) const ADDED: [(&str, &str); 3] = [
    ("anthropic", "claude-instant|claude-instant*|100000|8191|0.8 2.4"),
    ("aws", "anthropic.claude-instant|anthropic.claude-instant*|100000|8191|0.8 2.4"),
    ("mistral", "mistral-moderation|mistral-moderation*|||0.1 0"),
];

/// Where LiteLLM lists the models of the data's providers: its name for the provider, and the
/// prefix of its model names.
const LITELLM_PROVIDERS: [(&str, &[(&str, &str)]); 24] = [
    ("anthropic", &[("anthropic", "")]),
    ("aws", &[("bedrock", ""), ("bedrock_converse", "")]),
    ("azure", &[("azure", "azure/"), ("azure_ai", "azure_ai/")]),
    ("baseten", &[("baseten", "baseten/")]),
    ("cerebras", &[("cerebras", "cerebras/")]),
    ("cloudflare", &[("cloudflare", "cloudflare/")]),
    ("cohere", &[("cohere", ""), ("cohere_chat", "")]),
    ("databricks", &[("databricks", "databricks/")]),
    ("deepseek", &[("deepseek", "deepseek/"), ("deepseek", "")]),
    ("fireworks", &[("fireworks_ai", "fireworks_ai/")]),
    ("github-copilot", &[("github_copilot", "github_copilot/")]),
    ("google", &[("gemini", "gemini/"), ("vertex_ai-language-models", "")]),
    ("groq", &[("groq", "groq/")]),
    ("meta", &[("meta", "meta/")]),
    ("minimax", &[("minimax", "minimax/")]),
    ("mistral", &[("mistral", "mistral/")]),
    ("moonshotai", &[("moonshot", "moonshot/")]),
    ("novita", &[("novita", "novita/")]),
    ("openai", &[("openai", ""), ("text-completion-openai", "")]),
    ("ovhcloud", &[("ovhcloud", "ovhcloud/")]),
    ("perplexity", &[("perplexity", "perplexity/")]),
    ("together", &[("together_ai", "together_ai/")]),
    ("x-ai", &[("xai", "xai/")]),
    ("zai", &[("zai", "zai/")]),
];

/// The context window and the maximum output of a model, by provider and name.
type Limits = HashMap<(String, String), (Option<u64>, Option<u64>)>;

/// Builds the table from genai-prices' `prices.json` and LiteLLM's data; without the latter, with
/// the limits of the present table.
pub(crate) fn table(data: &str, litellm: Option<&str>, present: &str) -> String {
    let providers: Vec<Value> = serde_json::from_str(data).expect("the data is JSON");
    let limits = litellm.map_or_else(|| limits_of_table(present), |text| limits(text, &providers));
    let (version, date) = GENAI_PRICES;
    let mut table = format!(
        "genai-prices {version} of {date}; maximum outputs, and context windows missing there, \
         of LiteLLM {LITELLM}\n\
         Copyright (c) Pydantic Services Inc. 2025 to present (github.com/pydantic/genai-prices) \
         and (c) 2023 Berri AI (github.com/BerriAI/litellm), both under the MIT License, whose \
         text is in LICENSE-MIT\n"
    );
    for provider in &providers {
        let id = text(provider, "id");
        let aliases = provider.get("provider_match").map_or_else(Vec::new, patterns).join(" ");
        let addresses = addresses(text(provider, "api_pattern")).join(" ");
        let fallbacks: Vec<&str> = provider["fallback_model_providers"]
            .as_array()
            .map(|names| names.iter().map(|name| name.as_str().expect("a name")).collect())
            .unwrap_or_default();
        writeln!(table, "\n[{id}|{aliases}|{addresses}|{}]", fallbacks.join(" "))
            .expect("writing to a string");
        for model in list(&provider["models"]) {
            let name = text(model, "id");
            let key = (id.to_owned(), name.to_owned());
            let (window, output) = limits.get(&key).copied().unwrap_or_default();
            let window = model["context_window"].as_u64().or(window);
            // A maximum output above the context window means that the maximum is unknown.
            let output = output.filter(|output| window.is_none_or(|window| *output <= window));
            let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
            let (window, output) = (number(window), number(output));
            let patterns = model_patterns(name, &model["match"]);
            let price = price(model);
            assert!(!name.contains(['|', ' ']) && !name.starts_with('['), "{name}");
            writeln!(table, "{name}|{patterns}|{window}|{output}|{price}")
                .expect("writing to a string");
        }
        for (_, line) in ADDED.iter().filter(|(provider, _)| *provider == id) {
            writeln!(table, "{line}").expect("writing to a string");
        }
    }
    table
}

/// The patterns of a model, with `=` for its own name; empty if there are no others.
fn model_patterns(name: &str, matcher: &Value) -> String {
    let mut written: Vec<String> = Vec::new();
    for pattern in patterns(matcher) {
        let pattern = if pattern == name.to_lowercase() { "=".to_owned() } else { pattern };
        if !written.contains(&pattern) {
            written.push(pattern);
        }
    }
    if written == ["="] { String::new() } else { written.join(" ") }
}

/// When a price begins to apply, in the form of the table. Dates sort like texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Always,
    Since(String),
    Daily(String),
}

fn when(entry: &Value) -> When {
    let Some(constraint) = entry.get("constraint").filter(|value| !value.is_null()) else {
        return When::Always;
    };
    let members: Vec<&str> =
        constraint.as_object().expect("members").keys().map(String::as_str).collect();
    match members.as_slice() {
        ["start_date"] => When::Since(text(constraint, "start_date").to_owned()),
        ["start_time", "end_time"] => {
            let time = |name| {
                let time = text(constraint, name).strip_suffix(":00Z");
                time.unwrap_or_else(|| panic!("a time of day is not a minute's: {constraint}"))
            };
            When::Daily(format!("{}-{}", time("start_time"), time("end_time")))
        }
        _ => panic!("an unknown constraint: {constraint}"),
    }
}

/// The name of the service tier that a variant is for; `None` for variants that are left out.
fn tier(variant: &Value) -> Option<&str> {
    let when = variant["when"].as_object().expect("a variant has conditions");
    let conditions: Vec<(&str, &str)> = when
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().expect("a condition is a word")))
        .collect();
    match conditions.as_slice() {
        [("processing", "batch")] => Some("batch"),
        [("service_tier", "default")] => {
            assert!(prices(variant).is_empty(), "the default tier is standard: {variant}");
            None
        }
        [("service_tier", tier @ ("flex" | "priority" | "fast"))] => Some(tier),
        [("search_type" | "route", _)] => None,
        _ => panic!("an unknown variant: {variant}"),
    }
}

fn prices(entry: &Value) -> &Map<String, Value> {
    entry["prices"].as_object().expect("prices are an object")
}

/// All prices of a model: first the standard sheet and the service tiers, then what changes at each
/// date, then what applies at times of day.
fn price(model: &Value) -> String {
    let standard: Vec<(When, &Map<String, Value>)> = match &model["prices"] {
        Value::Array(entries) => entries.iter().map(|entry| (when(entry), prices(entry))).collect(),
        flat => vec![(When::Always, flat.as_object().expect("prices are an object"))],
    };
    assert!(standard.is_sorted_by_key(|(when, _)| matches!(when, When::Daily(_))), "{model}");
    let dates = standard.iter().filter(|(when, _)| !matches!(when, When::Daily(_)));
    assert!(dates.map(|(when, _)| when).is_sorted_by(|a, b| a < b), "out of order: {model}");
    let empty = Vec::new();
    let variants = model.get("price_variants").map_or(&empty, list);
    let variants: Vec<(&str, When, &Map<String, Value>)> = variants
        .iter()
        .filter_map(|variant| Some((tier(variant)?, when(variant), prices(variant))))
        .collect();

    let unpriced = |prices: &Map<String, Value>| {
        !prices.is_empty() && prices.keys().all(|key| LEFT_OUT.contains(&key.as_str()))
    };
    if standard.iter().any(|(_, prices)| unpriced(prices)) {
        assert!(
            standard.iter().all(|(_, prices)| unpriced(prices))
                && variants.iter().all(|(_, _, prices)| unpriced(prices)),
            "{model}"
        );
        return "-".to_owned();
    }

    let mut starts: BTreeSet<&When> = standard.iter().map(|(when, _)| when).collect();
    starts.extend(variants.iter().map(|(_, when, _)| when));
    let daily = starts.iter().any(|start| matches!(start, When::Daily(_)));
    assert!(!daily || variants.is_empty(), "times of the day and tiers: {model}");

    let mut written = String::new();
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    for start in ordered(starts, &standard) {
        let holds =
            |when: &When| when == start || (when <= start && !matches!(when, When::Daily(_)));
        let (_, base) =
            standard.iter().rev().find(|(when, _)| holds(when)).expect("the first holds");
        let mut now = BTreeMap::from([("", sheet(base))]);
        let mut order = vec![""];
        for (tier, when, _) in &variants {
            if holds(when) && !order.contains(tier) {
                order.push(tier);
                now.insert(tier, sheet(&overlaid(base, &variants, tier, holds)));
            }
        }
        assert!(last.keys().all(|tier| now.contains_key(tier)), "a tier ends: {model}");
        // Times of day do not build on one another, so each is written in full.
        let whole = matches!(start, When::Daily(_));
        let changed: Vec<&str> =
            order.into_iter().filter(|tier| whole || last.get(tier) != now.get(tier)).collect();
        if !changed.is_empty() {
            match start {
                When::Always => {}
                When::Since(when) | When::Daily(when) => {
                    write!(written, " @{when}").expect("writing to a string");
                }
            }
        }
        for tier in changed {
            if !tier.is_empty() {
                write!(written, " {tier}:").expect("writing to a string");
            }
            write!(written, " {}", now[tier]).expect("writing to a string");
        }
        last = now;
    }
    written.trim_start().to_owned()
}

/// The starts by date, then the times of day in the order of the data, where the last one counts.
fn ordered<'a>(
    starts: BTreeSet<&'a When>,
    standard: &'a [(When, &Map<String, Value>)],
) -> Vec<&'a When> {
    let dates = starts.into_iter().filter(|when| !matches!(when, When::Daily(_)));
    let times = standard.iter().map(|(when, _)| when).filter(|when| matches!(when, When::Daily(_)));
    dates.chain(times).collect()
}

/// The standard prices overlaid with those of a tier, taking the first of each that applies.
fn overlaid(
    base: &Map<String, Value>,
    variants: &[(&str, When, &Map<String, Value>)],
    tier: &str,
    holds: impl Fn(&When) -> bool,
) -> Map<String, Value> {
    let mut prices = base.clone();
    for (name, when, over) in variants.iter().rev() {
        if *name == tier && holds(when) {
            prices.extend(over.iter().map(|(key, price)| (key.clone(), price.clone())));
        }
    }
    prices
}

/// The rates for every prompt size.
fn sheet(prices: &Map<String, Value>) -> String {
    for key in prices.keys() {
        let taken = TAKEN.iter().any(|(name, _)| name == key);
        assert!(taken || LEFT_OUT.contains(&key.as_str()), "an unknown price: {key}");
    }
    let tiers = |price: &Value| -> Vec<(u64, f64)> {
        let tiers = price.get("tiers").map(list).into_iter().flatten();
        let tier = |tier: &Value| {
            let start = tier["start"].as_u64().expect("a tier starts at a whole number");
            (start, tier["price"].as_f64().expect("a price is a number"))
        };
        tiers.map(tier).collect()
    };
    let taken = || TAKEN.iter().filter_map(|(key, _)| prices.get(*key));
    let starts: BTreeSet<u64> = taken().flat_map(tiers).map(|(start, _)| start).collect();
    let mut written = String::new();
    for start in std::iter::once(None).chain(starts.into_iter().map(Some)) {
        if let Some(start) = start {
            write!(written, " >{start} ").expect("writing to a string");
        }
        let rate = |key: &str| -> Option<f64> {
            let price = prices.get(key)?;
            let base = price.get("base").unwrap_or(price).as_f64().expect("a price is a number");
            let above = tiers(price).into_iter().rev().find(|(from, _)| start >= Some(*from));
            Some(above.map_or(base, |(_, price)| price))
        };
        let [input, output] = ["input_mtok", "output_mtok"].map(|key| rate(key).unwrap_or(0.0));
        write!(written, "{} {}", decimal(input, 6), decimal(output, 6))
            .expect("writing to a string");
        for (key, name) in &TAKEN[2..] {
            let Some(rate) = rate(key) else { continue };
            let rate = match key.ends_with("_kcount") {
                true => decimal(rate / 1_000.0, 12),
                false => decimal(rate, 6),
            };
            write!(written, " {name}={rate}").expect("writing to a string");
        }
    }
    written
}

/// A number with at most `digits` digits after the point.
fn decimal(number: f64, digits: usize) -> String {
    assert!(number.is_finite() && number >= 0.0, "{number} is no price");
    let written = format!("{number:.digits$}");
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// LiteLLM's limits for the models of the data. Looks up each of its names among those of the same
/// provider, as genai-prices does. If several match, the largest output counts, so that it bounds
/// all of them.
fn limits(litellm: &str, providers: &[Value]) -> Limits {
    let models: Map<String, Value> = serde_json::from_str(litellm).expect("LiteLLM's data is JSON");
    let mut limits = Limits::new();
    for (provider, places) in LITELLM_PROVIDERS {
        assert!(providers.iter().any(|known| text(known, "id") == provider), "{provider}");
        for (name, model) in &models {
            let place = places.iter().find(|(litellm, prefix)| {
                model["litellm_provider"] == *litellm && name.starts_with(prefix)
            });
            let Some((_, prefix)) = place else { continue };
            let Some((owner, id)) = crate::known(provider, &name[prefix.len()..]) else { continue };
            if owner != provider {
                continue;
            }
            let (window, output) = limits.entry((owner, id)).or_default();
            *window = (*window).max(model["max_input_tokens"].as_u64());
            *output = (*output).max(model["max_output_tokens"].as_u64());
        }
    }
    limits
}

fn limits_of_table(table: &str) -> Limits {
    let mut limits = Limits::new();
    let mut provider = "";
    for line in table.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        match (line.strip_prefix('['), fields.as_slice()) {
            (Some(head), _) => provider = head.split('|').next().unwrap_or_default(),
            (None, [name, _, window, output, _]) => {
                let numbers = (window.parse().ok(), output.parse().ok());
                limits.insert((provider.to_owned(), (*name).to_owned()), numbers);
            }
            _ => {}
        }
    }
    limits
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}
