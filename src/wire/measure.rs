//! The most a request can use, measured before it is sent.

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
use crate::wire::format::Path;
pub(in crate::wire) use prompt::Prompt;

/// Measures a request as it is sent, whoever wrote which member.
///
/// # Errors
///
/// Where there is no bound, says why and what to do.
pub(in crate::wire) fn measure(
    body: &Map<String, Value>,
    wire: Wire,
    basis: &ModelLimits<'_>,
    stated: Option<u64>,
) -> Result<UpperBound, Unbounded> {
    let format = wire.format();
    let prompt = format.measure(body, basis);
    if let Some(what) = prompt.surcharge {
        return Err(Unbounded::Price(what));
    }
    if prompt.unlimited_tools {
        return Err(Unbounded::ToolCalls);
    }
    let choices = choices(body);
    let is_window = prompt.unseen.is_some() && stated.is_none();
    // Stated by the caller, who knows what the provider alone can count.
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
        output_limit(body, format.output_limits()).or(basis.output_tokens).or(basis.context_window);
    let limit = limit.ok_or(Unbounded::Output)?.max(thinking_budget(body));
    let limit = limit.min(basis.context_window.unwrap_or(u64::MAX));
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
        // Whichever part of the prompt is dearest, all of it may be.
        input_images: true,
        output_audio: modality(body, "audio"),
        output_images: modality(body, "image"),
    })
}

/// The output limit that a body states for one choice. `None` where it states none, or one that
/// is no limit, such as llama.cpp's -1, even beside another. Of two limits the greater.
pub(super) fn output_limit(body: &Map<String, Value>, paths: &'static [Path]) -> Option<u64> {
    let mut limits = stated_limits(body, paths).map(whole);
    let first = limits.next()??;
    limits.try_fold(first, |most, limit| Some(limit?.max(most)))
}

/// Whether a body says anything about an output limit, even that there is none. A null says
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

/// The members of these names. By a look at all, for a body has few: a map hashes a name in
/// the time of thirty such looks.
fn members<'a, const N: usize>(
    body: &'a Map<String, Value>,
    names: [&'static str; N],
) -> impl Iterator<Item = &'a Value> {
    body.iter().filter(move |(name, _)| names.contains(&name.as_str())).map(|(_, value)| value)
}

/// The budget of thoughts, which lies within `max_tokens` but with interleaved
/// thinking, where it is that of all thoughts in a turn and may be more (Anthropic's
/// page "Extended thinking", "Interleaved thinking").
pub(super) fn thinking_budget(body: &Map<String, Value>) -> u64 {
    members(body, ["thinking"])
        .next()
        .and_then(|thinking| thinking.get("budget_tokens"))
        .and_then(whole)
        .unwrap_or(0)
}

/// How many answers are generated and billed: `n`, or `best_of` where that is more
/// (OpenAI's API reference of completions, `best_of`).
fn choices(body: &Map<String, Value>) -> u64 {
    let stated = members(body, ["n", "best_of"]).filter_map(whole).max();
    stated.unwrap_or(1).max(1)
}

fn modality(body: &Map<String, Value>, name: &str) -> bool {
    let modalities = members(body, ["modalities"]).next().and_then(Value::as_array);
    modalities.is_some_and(|all| all.iter().any(|modality| modality == name))
}

/// A count, rounded up; none where it is no number, or less than nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        // The cast stops at the ends of the range.
        value.as_f64().filter(|number| *number >= 0.0).map(|number| number.ceil() as u64)
    })
}
