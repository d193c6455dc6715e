//! What the two sources say about one model, as one.
//!
//! models.dev has families, dates and what the models of most providers accept; LiteLLM has
//! retirements, successors, efforts and the newest models. Where both speak, the larger limit and
//! the wider capability count, so that a check refuses only what neither allows. Dates are those
//! of models.dev; retirements are only in LiteLLM.

use serde_json::Value;
use std::collections::BTreeSet;

/// What is known of a model. `None` where no source says.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Facts {
    pub(crate) family: Option<String>,
    pub(crate) context_window: Option<u64>,
    pub(crate) max_input: Option<u64>,
    pub(crate) max_output: Option<u64>,
    pub(crate) tools: Option<bool>,
    pub(crate) parallel_tools: Option<bool>,
    pub(crate) schema: Option<bool>,
    pub(crate) reasoning: Option<bool>,
    pub(crate) temperature: Option<bool>,
    pub(crate) open_weights: Option<bool>,
    /// Whether it takes OpenAI's newer parameters.
    pub(crate) newer_parameters: Option<bool>,
    /// Whether thinking takes a budget of tokens, not a level.
    pub(crate) thinking_budget: Option<bool>,
    /// In the order of `EFFORTS`; empty if no source says.
    pub(crate) efforts: BTreeSet<usize>,
    /// Letters of `MODALITIES`.
    pub(crate) input: BTreeSet<char>,
    /// Letters of modalities that a source rules out.
    pub(crate) not_input: BTreeSet<char>,
    /// Whether a source lists all modalities of the input.
    pub(crate) input_is_complete: bool,
    pub(crate) output: BTreeSet<char>,
    pub(crate) kind: Kind,
    pub(crate) knowledge: Option<String>,
    pub(crate) released: Option<String>,
    pub(crate) status: Option<char>,
    pub(crate) retires: Option<String>,
    pub(crate) successor: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    #[default]
    Chat,
    /// A chat, in an API that no source names.
    ChatByName,
    /// A chat that OpenAI serves only in the Responses API.
    Responses,
    /// Legacy text completions only.
    Completions,
    Embedding,
}

/// The efforts by LiteLLM's names.
pub(crate) const EFFORTS: [(&str, char); 7] = [
    ("none", 'n'),
    ("minimal", 'i'),
    ("low", 'l'),
    ("medium", 'm'),
    ("high", 'h'),
    ("xhigh", 'x'),
    ("max", 'a'),
];

/// The modalities by the names of both sources.
const MODALITIES: [(&str, char); 7] = [
    ("text", 't'),
    ("image", 'i'),
    ("audio", 'a'),
    ("video", 'v'),
    ("pdf", 'd'),
    ("code", 't'),
    ("embedding", 'e'),
];

/// Reads a model of models.dev. `None` for what the crate cannot call, such as image generators.
pub(crate) fn of_models_dev(model: &Value) -> Option<Facts> {
    let input = modalities(&model["modalities"]["input"]);
    let output = modalities(&model["modalities"]["output"]);
    let family = model["family"].as_str().map(str::to_owned);
    let is_embedding = family.as_deref().is_some_and(|family| family.contains("embedding"))
        || model["id"].as_str().is_some_and(|id| id.contains("embed"));
    if !output.contains(&'t') || !input.contains(&'t') {
        return None;
    }
    let positive = |value: &Value| value.as_u64().filter(|tokens| *tokens > 0);
    let text = |name: &str| model[name].as_str().map(str::to_owned);
    let status = match model["status"].as_str() {
        Some("deprecated") => Some('-'),
        Some("alpha" | "beta") => Some('~'),
        Some(other) => panic!("an unknown status: {other}"),
        None => None,
    };
    Some(Facts {
        family,
        context_window: positive(&model["limit"]["context"]),
        max_input: positive(&model["limit"]["input"]),
        max_output: positive(&model["limit"]["output"]).filter(|_| !is_embedding),
        tools: model["tool_call"].as_bool(),
        schema: model["structured_output"].as_bool(),
        reasoning: model["reasoning"].as_bool(),
        temperature: model["temperature"].as_bool(),
        open_weights: model["open_weights"].as_bool(),
        knowledge: text("knowledge"),
        released: text("release_date"),
        status,
        kind: if is_embedding { Kind::Embedding } else { Kind::ChatByName },
        input_is_complete: true,
        input,
        output,
        ..Facts::default()
    })
}

/// Reads a model of LiteLLM. `None` for what the crate cannot call.
pub(crate) fn of_litellm(
    name: &str,
    model: &Value,
    names: impl Fn(&str) -> String,
) -> Option<Facts> {
    // The names of other providers have a prefix.
    let is_claude = name.starts_with("claude");
    let endpoints: Vec<&str> = model["supported_endpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(Value::as_str)
        .collect();
    let has = |end: &str| endpoints.contains(&end);
    let kind = match model["mode"].as_str() {
        Some("chat") if has("/v1/responses") && !has("/v1/chat/completions") => Kind::Responses,
        Some("chat") if endpoints.is_empty() => Kind::ChatByName,
        Some("chat") => Kind::Chat,
        Some("responses") => Kind::Responses,
        Some("completion") => Kind::Completions,
        Some("embedding") => Kind::Embedding,
        _ => return None,
    };
    let flag = |name: &str| model[name].as_bool();
    let tokens = |name: &str| {
        let value = &model[name];
        value.as_u64().or_else(|| value.as_f64().map(|tokens| tokens as u64)).filter(|n| *n > 0)
    };
    let mut input = modalities(&model["supported_modalities"]);
    let input_is_complete = !input.is_empty();
    let mut not_input = BTreeSet::new();
    for (name, letter) in [
        ("supports_vision", 'i'),
        ("supports_image_input", 'i'),
        ("supports_embedding_image_input", 'i'),
        ("supports_pdf_input", 'd'),
        ("supports_audio_input", 'a'),
        ("supports_video_input", 'v'),
    ] {
        match flag(name) {
            Some(true) => drop(input.insert(letter)),
            Some(false) => drop(not_input.insert(letter)),
            None => {}
        }
    }
    not_input.retain(|letter| !input.contains(letter));
    let mut output = modalities(&model["supported_output_modalities"]);
    if flag("supports_audio_output") == Some(true) {
        output.insert('a');
    }
    let mut efforts = BTreeSet::new();
    let has_flags = EFFORTS
        .iter()
        .any(|(name, _)| flag(&format!("supports_{name}_reasoning_effort")) == Some(true));
    for (at, (name, _)) in EFFORTS.iter().enumerate() {
        let listed = model["reasoning_effort_levels"].as_array();
        let flagged = flag(&format!("supports_{name}_reasoning_effort"));
        // All models with any effort have these three (LiteLLM's `reasoning_effort` page).
        let is_usual = matches!(*name, "low" | "medium" | "high") && has_flags;
        let is_listed = listed.is_some_and(|levels| levels.iter().any(|level| level == *name));
        if is_listed || listed.is_none() && (flagged == Some(true) || is_usual) {
            efforts.insert(at);
        }
    }
    // At Anthropic, LiteLLM marks the Claudes with adaptive thinking. Elsewhere it says nothing of
    // some.
    let thinking_budget = match flag("supports_adaptive_thinking") {
        Some(adaptive) => Some(!adaptive),
        None => (is_claude && flag("supports_reasoning") == Some(true)).then_some(true),
    };
    let retires = model["deprecation_date"].as_str().map(str::to_owned);
    Some(Facts {
        max_input: tokens("max_input_tokens"),
        max_output: tokens("max_output_tokens").filter(|_| kind != Kind::Embedding),
        tools: flag("supports_function_calling"),
        parallel_tools: flag("supports_parallel_function_calling"),
        schema: flag("supports_response_schema"),
        reasoning: flag("supports_reasoning"),
        temperature: flag("supports_sampling_params"),
        thinking_budget,
        efforts,
        input,
        not_input,
        input_is_complete,
        output,
        kind,
        retires,
        successor: model["successor_model"].as_str().map(names),
        ..Facts::default()
    })
}

impl Facts {
    /// Sets what holds for OpenAI's own models: those that reason reject `max_tokens` (its API
    /// reference, `max_tokens`: "not compatible with o-series models") and take instructions from
    /// the role `developer` ("With o1 models and newer, `developer` messages replace the previous
    /// `system` messages"). The o-series has three efforts (`reasoning_effort`: "All models before
    /// gpt-5.1 … do not support none", and `minimal` came with gpt-5).
    pub(crate) fn set_openai(&mut self, name: &str) {
        if self.kind != Kind::Embedding && self.kind != Kind::Completions {
            self.newer_parameters = self.reasoning;
        }
        if name.starts_with('o') && self.reasoning == Some(true) && self.efforts.is_empty() {
            self.efforts = BTreeSet::from([2, 3, 4]);
        }
    }
}

/// Puts both together.
pub(crate) fn merged(
    models_dev: Option<Facts>,
    litellm: Option<Facts>,
    window: Option<u64>,
) -> Facts {
    let mut facts = match (models_dev, litellm) {
        (Some(ours), Some(theirs)) => both(ours, theirs),
        (ours, theirs) => ours.or(theirs).expect("a model of one source"),
    };
    facts.context_window = facts.context_window.max(window);
    complete(&mut facts);
    facts
}

fn both(ours: Facts, theirs: Facts) -> Facts {
    let either = |a: Option<bool>, b: Option<bool>| match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, None) => None,
    };
    Facts {
        family: ours.family,
        context_window: ours.context_window,
        max_input: ours.max_input.max(theirs.max_input),
        max_output: ours.max_output.max(theirs.max_output),
        tools: either(ours.tools, theirs.tools),
        parallel_tools: theirs.parallel_tools,
        schema: either(ours.schema, theirs.schema),
        reasoning: either(ours.reasoning, theirs.reasoning),
        temperature: either(ours.temperature, theirs.temperature),
        open_weights: ours.open_weights,
        newer_parameters: None,
        thinking_budget: theirs.thinking_budget,
        efforts: theirs.efforts,
        input: &ours.input | &theirs.input,
        not_input: BTreeSet::new(),
        input_is_complete: true,
        output: &ours.output | &theirs.output,
        kind: match theirs.kind {
            Kind::ChatByName => ours.kind,
            kind => kind,
        },
        knowledge: ours.knowledge,
        released: ours.released,
        status: ours.status,
        retires: theirs.retires,
        successor: theirs.successor,
    }
}

/// A window is at least as large as its input, and all text models take and write text.
fn complete(facts: &mut Facts) {
    facts.context_window = facts.context_window.max(facts.max_input);
    if facts.max_input == facts.context_window {
        facts.max_input = None;
    }
    facts.input.insert('t');
    if facts.kind == Kind::Embedding {
        facts.output = BTreeSet::from(['e']);
    } else {
        facts.output.insert('t');
    }
}

fn modalities(list: &Value) -> BTreeSet<char> {
    let names = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    names
        .map(|name| {
            let known = MODALITIES.iter().find(|(known, _)| *known == name);
            known.unwrap_or_else(|| panic!("an unknown modality: {name}")).1
        })
        .collect()
}
