//! Tests the upper bounds of recorded requests against what their providers billed.

use std::path::PathBuf;

use super::*;

/// Returns the input tokens that a provider billed for a recorded request.
fn billed(kind: &str, text: &str) -> Option<u64> {
    let mut usage = Map::new();
    let mut take = |value: &Value| {
        for place in ["/usage", "/message/usage", "/x_groq/usage", "/usageMetadata", "/delta/usage"]
        {
            if let Some(Value::Object(found)) = value.pointer(place) {
                usage.extend(found.clone());
            }
        }
    };
    if kind == "json" {
        take(&serde_json::from_str(text).ok()?);
    } else {
        for data in text.lines().filter_map(|line| line.strip_prefix("data:")) {
            if let Ok(value) = serde_json::from_str(data) {
                take(&value);
            }
        }
    }
    let input = |usage: &Value| {
        let count = |name: &str| usage.get(name).and_then(Value::as_u64);
        let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"];
        let cached: u64 = cached.iter().filter_map(|name| count(name)).sum();
        let googles =
            || Some(count("promptTokenCount")? + count("toolUsePromptTokenCount").unwrap_or(0));
        let coheres = usage.pointer("/billed_units/input_tokens").and_then(Value::as_u64);
        coheres
            .or_else(|| count("prompt_tokens"))
            .or_else(|| Some(count("input_tokens")? + cached))
            .or_else(googles)
    };
    let usage = Value::Object(usage);
    // If the provider ran several steps, they are listed, and the total is not always their sum.
    let steps = usage.get("iterations").and_then(Value::as_array);
    let steps = steps.map_or(0, |steps| steps.iter().filter_map(input).sum());
    Some(input(&usage)?.max(steps))
}

/// Restores the length of long strings. A recording stores only their start and length.
fn pad(value: &mut Value) {
    match value {
        Value::String(text) => {
            let cut = text.find("...<").and_then(|at| {
                let length = text[at + 4..].strip_suffix(" chars, truncated here>")?;
                Some((at, length.parse::<usize>().ok()?))
            });
            if let Some((at, length)) = cut {
                text.truncate(at);
                let missing = length.saturating_sub(text.chars().count());
                text.extend(std::iter::repeat_n('A', missing));
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(pad),
        Value::Object(members) => members.values_mut().for_each(pad),
        _ => {}
    }
}

#[test]
fn no_recorded_prompt_exceeds_its_bound() {
    let Some(folder) = std::env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) else {
        eprintln!("skipped: TOLLGATE_RECORDINGS does not name the folder of recordings");
        return;
    };
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let (mut ratios, mut unseen) = (Vec::new(), 0);
    for entry in index["entries"].as_array().unwrap() {
        let word = |name: &str| entry[name].as_str().unwrap_or_default();
        let path = word("url").split('?').next().unwrap_or_default();
        let wire = if path.ends_with("/chat/completions") {
            Wire::OpenAiChat
        } else if path.ends_with("/completions") {
            Wire::OpenAiCompletions
        } else if path.ends_with("/messages") {
            Wire::Anthropic
        } else if path.ends_with("/v2/chat") {
            Wire::Cohere
        } else if path.ends_with("enerateContent") {
            Wire::Gemini
        } else {
            continue;
        };
        let mut request = entry["request_body"].clone();
        pad(&mut request);
        let (Value::Object(body), true) = (request, entry["status"] == 200) else { continue };
        let text = std::fs::read_to_string(folder.join(word("file"))).unwrap();
        let Some(billed) = billed(word("kind"), &text) else { continue };
        let in_path = path.rsplit('/').next().and_then(|last| last.split(':').next());
        let model = body.get("model").and_then(Value::as_str).or(in_path).unwrap_or_default();
        let mut basis = Basis { output_tokens: Some(1), ..basis(wire, model) };
        let bound = of(&body, &basis).or_else(|_| {
            unseen += 1;
            // No recorded model has a smaller window.
            basis.context_window = Some(128_000);
            of(&body, &basis)
        });
        let input_tokens = match bound {
            Ok(bound) => bound.input_tokens,
            Err(Unbounded::WebSearches) => continue,
            Err(why) => panic!("{}: {why}", word("file")),
        };
        assert!(input_tokens >= billed, "{}: {input_tokens} < {billed}", word("file"));
        if basis.context_window.is_none() {
            ratios.push((input_tokens * 100 / billed.max(1), billed));
        }
    }
    assert!(ratios.len() > 150, "{}", ratios.len());
    for least in [0, 100, 1000] {
        let mut percent: Vec<_> =
            ratios.iter().filter(|(_, billed)| *billed >= least).map(|(ratio, _)| *ratio).collect();
        percent.sort_unstable();
        if let (Some(first), Some(middle)) = (percent.first(), percent.get(percent.len() / 2)) {
            eprintln!(
                "{} prompts of {least} tokens or more: the bound is {middle} % in the median, \
                 {first} % at least",
                percent.len()
            );
        }
    }
    eprintln!("{unseen} prompts are bounded by the context window only");
}
