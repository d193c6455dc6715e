//! Reads the `usage` object of OpenAI and of compatible servers.

use super::bill::Bill;
use crate::chat::{Usage, UsageSource};
use crate::money::Money;
use crate::wire::beside::Beside;
use crate::wire::json::number::Number;
use crate::wire::json::object::{Object, members};

/// The `usage` object as servers write it. Other servers than OpenAI's have the same counts
/// elsewhere; each such field names its server.
#[derive(Debug, Default)]
pub(in crate::wire) struct Report {
    prompt_tokens: Number,
    completion_tokens: Number,
    total_tokens: Number,
    prompt: Object<Details>,
    completion: Object<Details>,
    /// The names in OpenAI's Responses and at Anthropic, which some gateways pass on.
    input_tokens: Number,
    output_tokens: Number,
    /// Mistral's.
    misspelt_prompt: Object<Details>,
    /// Mistral's.
    num_cached_tokens: Number,
    /// DeepSeek's.
    prompt_cache_hit_tokens: Number,
    /// Moonshot's.
    cached_tokens: Number,
    /// Vertex AI's.
    reasoning_tokens: Number,
    cost_in_usd_ticks: Number,
    cost: Bill,
    /// DeepInfra's.
    estimated_cost: Number,
    is_byok: Number,
    cost_details: Object<CostDetails>,
    /// Other members: Groq's times, Perplexity's `search_context_size`.
    pub(super) beside: Beside,
}

members!(impl [] Report {
    "prompt_tokens" => prompt_tokens,
    "completion_tokens" => completion_tokens,
    "total_tokens" => total_tokens,
    "input_tokens" => input_tokens,
    "output_tokens" => output_tokens,
    "input_tokens_details" => prompt,
    "output_tokens_details" => completion,
    "prompt_tokens_details" => prompt,
    "completion_tokens_details" => completion,
    "prompt_token_details" => misspelt_prompt,
    "num_cached_tokens" => num_cached_tokens,
    "prompt_cache_hit_tokens" => prompt_cache_hit_tokens,
    "cached_tokens" => cached_tokens,
    "reasoning_tokens" => reasoning_tokens,
    "cost_in_usd_ticks" => cost_in_usd_ticks,
    "cost" => cost,
    "estimated_cost" => estimated_cost,
    "is_byok" => is_byok,
    "cost_details" => cost_details,
    _ => |report: &mut Self, name, members| report.beside.take(name, members),
});

/// A breakdown of the input or output tokens.
#[derive(Debug, Default)]
struct Details {
    cached_tokens: Number,
    cache_write_tokens: Number,
    /// LiteLLM's.
    cache_creation_tokens: Number,
    audio_tokens: Number,
    image_tokens: Number,
    reasoning_tokens: Number,
}

members!(Details {
    "cached_tokens" => cached_tokens,
    "cache_write_tokens" => cache_write_tokens,
    "cache_creation_tokens" => cache_creation_tokens,
    "audio_tokens" => audio_tokens,
    "image_tokens" => image_tokens,
    "reasoning_tokens" => reasoning_tokens,
});

#[derive(Debug, Default)]
struct CostDetails {
    upstream_inference_cost: Number,
}

members!(CostDetails {
    "upstream_inference_cost" => upstream_inference_cost,
});

/// Reads the `usage` object. Anything but an object with at least one of the two main counts is
/// [`Missing`](UsageSource::Missing). If one main count is missing, it is computed from the total,
/// provided that is greater than the other count; otherwise it is 0 and will be estimated. If a
/// zero can be true depends on the answer; see [`Usage::without_false_zeros`].
///
/// OpenAI's `prompt_tokens` include cached and cache-write tokens, and its `completion_tokens`
/// include reasoning, as in [`Usage`] (developers.openai.com, prompt caching guide: writes are
/// reported in `cache_write_tokens` since GPT-5.6).
///
/// Some servers leave a count out of the sum: xAI and Vertex AI omit reasoning from
/// `completion_tokens` (vercel/ai, `packages/xai/src/convert-xai-chat-usage.ts`;
/// openai/openai-python #2544), and Mistral omits audio from `prompt_tokens` (seen in a recording).
/// Their total shows it: it exceeds the sum by exactly that count. xAI can also omit cached tokens
/// from `prompt_tokens` (the same file); they are then greater than it. Any other excess in the
/// total counts as output, the more expensive side: it is most likely reasoning whose count was not
/// passed on, as with Vertex AI.
pub(in crate::wire) fn read(report: &Report) -> Usage {
    let (Object(prompt_details), Object(completion_details)) = (&report.prompt, &report.completion);
    let prompt = report.prompt_tokens.count().or(report.input_tokens.count());
    let completion = report.completion_tokens.count().or(report.output_tokens.count());
    if prompt.is_none() && completion.is_none() {
        return Usage::default();
    }
    let total = report.total_tokens.count();
    let rest = |known: Option<u64>| total?.checked_sub(known?).filter(|rest| *rest > 0);
    let (prompt, completion) = (prompt.or(rest(completion)), completion.or(rest(prompt)));
    let source = UsageSource::of(prompt.is_some(), completion.is_some());
    let mut prompt = prompt.unwrap_or(0);
    let mut completion = completion.unwrap_or(0);
    let reasoning = first(&[completion_details.reasoning_tokens, report.reasoning_tokens]);
    let prompt_audio = first(&[prompt_details.audio_tokens]);
    let cached = first(&[
        prompt_details.cached_tokens,
        report.misspelt_prompt.0.cached_tokens,
        report.num_cached_tokens,
        report.prompt_cache_hit_tokens,
        report.cached_tokens,
    ]);
    if cached > prompt {
        prompt = prompt.saturating_add(cached);
    }
    match total.unwrap_or(0).saturating_sub(prompt.saturating_add(completion)) {
        0 => {}
        gap if gap == reasoning => completion = completion.saturating_add(gap),
        gap if gap == prompt_audio || gap == cached => prompt = prompt.saturating_add(gap),
        gap => completion = completion.saturating_add(gap),
    }
    Usage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt.saturating_add(completion),
        cached_tokens: cached,
        cache_write_tokens: first(&[
            prompt_details.cache_write_tokens,
            prompt_details.cache_creation_tokens,
        ]),
        reasoning_tokens: reasoning,
        prompt_audio_tokens: prompt_audio,
        completion_audio_tokens: first(&[completion_details.audio_tokens]),
        prompt_image_tokens: first(&[prompt_details.image_tokens]),
        completion_image_tokens: first(&[completion_details.image_tokens]),
        reported_cost: reported_cost(report),
        source,
        ..Usage::default()
    }
}

/// Merges two reports on one answer: the later counts, and the earlier ones that the later report
/// lacks or has as zero. MiniMax reports zeros with most chunks (MiniMax-AI/MiniMax-M2.5 #2).
pub(super) fn merged(before: Usage, now: Usage) -> Usage {
    let (input_before, output_before) = before.known();
    let (input_now, output_now) = now.known();
    let latest = |before: u64, now: u64| if now == 0 { before } else { now };
    let prompt_tokens = latest(before.prompt_tokens, now.prompt_tokens);
    let completion_tokens = latest(before.completion_tokens, now.completion_tokens);
    // A part of a count is never greater than the count.
    let input = |before: u64, now: u64| latest(before.min(prompt_tokens), now);
    let output = |before: u64, now: u64| latest(before.min(completion_tokens), now);
    Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens.saturating_add(completion_tokens),
        cached_tokens: input(before.cached_tokens, now.cached_tokens),
        cache_write_tokens: input(before.cache_write_tokens, now.cache_write_tokens),
        reasoning_tokens: output(before.reasoning_tokens, now.reasoning_tokens),
        prompt_audio_tokens: input(before.prompt_audio_tokens, now.prompt_audio_tokens),
        completion_audio_tokens: output(
            before.completion_audio_tokens,
            now.completion_audio_tokens,
        ),
        prompt_image_tokens: input(before.prompt_image_tokens, now.prompt_image_tokens),
        completion_image_tokens: output(
            before.completion_image_tokens,
            now.completion_image_tokens,
        ),
        reported_cost: match (before.reported_cost, now.reported_cost) {
            (Some(before), Some(now)) if now.is_zero() => Some(before),
            (before, now) => now.or(before),
        },
        source: match (input_before || input_now, output_before || output_now) {
            (false, false) => UsageSource::Missing,
            (input, output) => UsageSource::of(input, output),
        },
        ..now
    }
}

/// Returns the first of these that is a count, or 0.
fn first(numbers: &[Number]) -> u64 {
    numbers.iter().find_map(|number| number.count()).unwrap_or(0)
}

/// Returns the provider's own cost.
///
/// xAI writes `cost_in_usd_ticks`, 10¹⁰ per dollar (docs.x.ai/developers/cost-tracking). OpenRouter
/// writes `cost`, the dollars charged to the account
/// (openrouter.ai/docs/use-cases/usage-accounting). With the user's own key (`is_byok`) that is
/// only OpenRouter's fee, and `cost_details` has what the upstream provider charges. Perplexity's
/// `cost` is an object, see [`Bill`]. DeepInfra writes dollars as `estimated_cost`
/// (docs.deepinfra.com/chat/overview).
fn reported_cost(report: &Report) -> Option<Money> {
    if let Some(ticks) = report.cost_in_usd_ticks.count() {
        return Some(Money::picos(PICOS_PER_TICK) * ticks);
    }
    let dollars = |number: Number| {
        let amount = Money::try_from(number.float()?).ok()?;
        (!amount.is_negative()).then_some(amount)
    };
    let charged = dollars(report.cost.0).or_else(|| dollars(report.estimated_cost))?;
    if !report.is_byok.is_yes() {
        return Some(charged);
    }
    Some(charged + dollars(report.cost_details.0.upstream_inference_cost)?)
}

/// A dollar is 10¹² pico-dollars, or 10¹⁰ ticks.
const PICOS_PER_TICK: i128 = 100;

#[cfg(test)]
mod tests;
