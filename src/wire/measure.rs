//! Measures the most that a request can use, before it is sent.

mod image;
mod prompt;
mod responses;
mod size;
#[cfg(test)]
mod tests;
mod text;

use serde_json::{Map, Value};

use crate::upper_bound::{ModelLimits, Unbounded, UpperBound};
use crate::wire::Wire;
use crate::wire::body::Body;
use crate::wire::format::Path;
pub(in crate::wire) use prompt::Prompt;
pub(in crate::wire) use text::tokens as text_tokens;

/// Measures the request body as sent, whichever setting produced each member.
///
/// # Errors
///
/// [`Unbounded`] if nothing bounds the request; its text says why and what to do.
pub(in crate::wire) fn measure(
    body: &Body<'_>,
    wire: Wire,
    basis: &ModelLimits<'_>,
    stated: Option<u64>,
) -> Result<UpperBound, Unbounded> {
    let format = wire.format();
    let mut prompt = (format.measure)(&body.members, basis);
    for (role, text) in body.texts() {
        prompt.plain_message(role, text);
    }
    let body = &body.members;
    if let Some(what) = prompt.surcharge {
        return Err(Unbounded::Price(what));
    }
    if prompt.unlimited_tools {
        return Err(Unbounded::ToolCalls);
    }
    let choices = choices(body);
    let is_window = prompt.unseen.is_some() && stated.is_none();
    // The caller can state what only the provider could count.
    let window = match (stated, basis.context_window) {
        (Some(stated), Some(window)) => Some(stated.min(window)),
        (stated, window) => stated.filter(|_| prompt.unseen.is_some()).or(window),
    };
    let input_tokens = match (prompt.unseen, window) {
        (Some(what), None) => return Err(Unbounded::Input(what)),
        (Some(_), Some(window)) => {
            window.saturating_mul(prompt.prompts).saturating_mul(prompt.steps)
        }
        (None, _) => prompt
            .tokens
            .min(basis.context_window.unwrap_or(u64::MAX).saturating_mul(prompt.prompts))
            .saturating_mul(prompt.steps),
    };
    let limit =
        output_limit(body, format.output_limits).or(basis.output_tokens).or(basis.context_window);
    let limit = limit.ok_or(Unbounded::Output)?.max(thinking_budget(body));
    let limit = limit.min(basis.context_window.unwrap_or(u64::MAX));
    let [output_audio, output_images] = modalities(body, ["audio", "image"]);
    let answers = choices.saturating_mul(prompt.prompts).saturating_mul(prompt.steps);
    Ok(UpperBound {
        input_tokens,
        output_tokens: limit.saturating_add(prompt.beside_output).saturating_mul(answers),
        answers,
        beside_limit: prompt.beside_output,
        runs_tools: prompt.steps > 1,
        is_window,
        cache_writes: prompt.cache_writes,
        cache_writes_1h: prompt.cache_writes_1h,
        web_searches: match prompt.web_searches {
            Some(searches) => searches.saturating_mul(choices),
            None => return Err(Unbounded::WebSearches),
        },
        input_audio: prompt.input_audio,
        // Assume the most expensive kind of input.
        input_images: true,
        output_audio,
        output_images,
    })
}

/// Returns the output limit for one choice that a body sets; the greater if it sets two. `None` if
/// it sets none, or if one of them is not a limit, such as -1 for llama.cpp.
pub(super) fn output_limit(body: &Map<String, Value>, paths: &'static [Path]) -> Option<u64> {
    let mut limits = stated_limits(body, paths).map(rounded_up);
    let first = limits.next()??;
    limits.try_fold(first, |most, limit| Some(limit?.max(most)))
}

/// Returns true if a body says anything about an output limit, even that there is none. A null says
/// nothing.
pub(super) fn states_limit(body: &Map<String, Value>, paths: &'static [Path]) -> bool {
    stated_limits(body, paths).next().is_some()
}

fn stated_limits<'a>(
    body: &'a Map<String, Value>,
    paths: &'static [Path],
) -> impl Iterator<Item = &'a Value> {
    let inside = |(name, value): (&'a String, &'a Value)| {
        let (_, rest) =
            paths.iter().filter_map(|path| path.split_first()).find(|(first, _)| name == *first)?;
        rest.iter().try_fold(value, |value, name| value.get(name))
    };
    body.iter().filter_map(inside).filter(|value| !value.is_null())
}

/// Returns the members with these names, by linear search. A body has few members, and hashing one
/// name takes as long as thirty comparisons.
fn members<'a, const N: usize>(
    body: &'a Map<String, Value>,
    names: [&'static str; N],
) -> impl Iterator<Item = &'a Value> {
    body.iter().filter(move |(name, _)| names.contains(&name.as_str())).map(|(_, value)| value)
}

/// Returns the thinking budget. It is part of `max_tokens`, except with interleaved thinking: then
/// it covers all thinking in a turn and can be larger (Anthropic's page "Extended thinking",
/// "Interleaved thinking").
pub(super) fn thinking_budget(body: &Map<String, Value>) -> u64 {
    members(body, ["thinking"])
        .next()
        .and_then(|thinking| thinking.get("budget_tokens"))
        .and_then(rounded_up)
        .unwrap_or(0)
}

/// Returns how many answers are generated and billed: the greater of `n` and `best_of` (OpenAI's
/// API reference of completions, `best_of`), or Gemini's `candidateCount`.
fn choices(body: &Map<String, Value>) -> u64 {
    let stated = members(body, ["n", "best_of"]);
    let stated = stated.chain(generation(body, "candidateCount")).filter_map(rounded_up).max();
    stated.unwrap_or(1).max(1)
}

/// Returns which of these modalities the answer may have.
fn modalities<const N: usize>(body: &Map<String, Value>, names: [&str; N]) -> [bool; N] {
    let stated = members(body, ["modalities"]).chain(generation(body, "responseModalities"));
    let all = stated.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    all.fold([false; N], |mut found, modality| {
        for (found, name) in found.iter_mut().zip(names) {
            *found |= modality.eq_ignore_ascii_case(name);
        }
        found
    })
}

/// Returns the values of a member of Gemini's `generationConfig`.
fn generation<'a>(
    body: &'a Map<String, Value>,
    name: &'static str,
) -> impl Iterator<Item = &'a Value> {
    members(body, ["generationConfig"]).filter_map(move |config| config.get(name))
}

/// Returns a count, rounded up; `None` if it is not a number, or negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rounded_up(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        // The cast saturates.
        value.as_f64().filter(|number| *number >= 0.0).map(|number| number.ceil() as u64)
    })
}
