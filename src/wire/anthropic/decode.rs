//! Decodes a response's body.

use serde_json::{Map, Value, json};

use crate::chat::{
    FinishReason, Format, Message, Opaque, Part, Provenance, Reasoning, Role, Text, ToolCall,
    Usage, UsageSource,
};
use crate::wire::beside::Beside;
use crate::wire::finish_reason::finish_reason;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::exact;
use crate::wire::json::object::{Object, members};
use crate::wire::{AnswerBody, Decoded, Failure, MAX_PARTS, failed, json as wire};

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
const PROVENANCE: Provenance = Provenance::inventor(Format::Anthropic);

/// The members of a message that are read (`message.py`). From servers that imitate the format,
/// everything but the content can be missing, null or malformed.
#[derive(Default)]
struct Body {
    kind: Detail,
    content: Content,
    stop_reason: Detail,
    usage: Detail,
    model: Detail,
    id: Detail,
    error: Detail,
    /// Some gateways put the error here.
    message: Detail,
    /// Other members: `stop_sequence`, `container`, `context_management`.
    beside: Beside,
}

members!(impl [] Body {
    "type" => kind,
    "content" => content,
    "stop_reason" => stop_reason,
    "usage" => usage,
    "model" => model,
    "id" => id,
    "error" => error,
    "message" => message,
    _ => |body: &mut Self, name, members| body.beside.take(name, members),
});

/// Decodes the body of a successful response. A body with `type: error` is classified only by the
/// type of its error, like errors inside a stream.
pub(in crate::wire) fn decode(received: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let Object(body) = wire::read::<Object<Body>>(received, &mut repaired)?;
    if failed::is_error(&body.error.value) {
        return Err(Failure::inside(&body.error.value));
    }
    let content = match body.content.value {
        _ if body.kind.value == "error" => None,
        Value::Array(blocks) if blocks.len() <= MAX_PARTS => Some(blocks),
        Value::Array(_) => return Err(Failure::too_many_parts()),
        _ if body.content.exceeded => return Err(Failure::too_many_parts()),
        _ => None,
    };
    let Some(content) = content else {
        if body.kind.value == "error" {
            return Err(Failure::inside(&json!({"message": body.message.value})));
        }
        return Err(wire::detail(received.bytes).as_ref().and_then(failed::report).unwrap_or_else(
            || Failure::protocol("the response body is not a message: it has no content list"),
        ));
    };
    let calls_with_floats = content.iter().any(|block| exact::has_float(block) && is_call(block));
    let content =
        if calls_with_floats { exact_content(received).unwrap_or(content) } else { content };
    let is_empty = |block: &Value| block.is_null() || block.as_object().is_some_and(Map::is_empty);
    let blocks = content.into_iter().filter(|block| !is_empty(block));
    let mut message = Message::new(Role::Assistant, blocks.map(part));
    let stop_reason = wire::text(body.stop_reason.value);
    if let Some(failure) = stop_reason.as_deref().and_then(|raw| failed::ending(raw, "")) {
        return Err(failure);
    }
    if message.is_blank() && stop_reason.is_none() {
        return Err(Failure::protocol(failed::NO_ANSWER));
    }
    let finish_reason = finish_reason(stop_reason.as_deref());
    keep_unfinished(&mut message.content, finish_reason);
    Ok(Decoded {
        usage: believed(usage(&body.usage.value), !message.is_blank(), finish_reason),
        message,
        finish_reason,
        finish_reason_raw: stop_reason,
        service_tier: body.usage.value.get("service_tier").cloned().and_then(wire::text),
        model: wire::text(body.model.value).unwrap_or_default(),
        id: wire::text(body.id.value),
        extra: extra(body.beside, beside_counts(body.usage.value)),
        logprobs: String::new(),
    })
}

/// Marks thinking that was cut off before its signature, so that it is kept but never sent:
/// Anthropic rejects it, and no other server needs partial thinking.
pub(super) fn keep_unfinished(parts: &mut [Part], finish_reason: FinishReason) {
    let cut_off = matches!(finish_reason, FinishReason::Length | FinishReason::Other);
    if let (true, Some(Part::Reasoning(last))) = (cut_off, parts.last_mut()) {
        if last.signature.is_none() && last.encrypted.is_none() {
            last.provenance = None;
        }
    }
}

fn is_call(block: &Value) -> bool {
    block.get("type").is_some_and(|kind| kind == "tool_use")
}

/// Parses the content of a body whose calls have numbers that a value cannot represent, with these
/// [marked](exact).
fn exact_content(received: AnswerBody<'_>) -> Option<Vec<Value>> {
    let marked = exact::marked(received.text?, Some("input"))?;
    let Object(body): Object<Body> = serde_json::from_str(&marked).ok()?;
    let Value::Array(mut blocks) = body.content.value else { return None };
    blocks.iter_mut().filter(|block| !is_call(block)).for_each(exact::round);
    Some(blocks)
}

/// Decodes one content block. Blocks without their own part are kept unchanged: server tools and
/// their results, MCP, compaction.
pub(super) fn part(block: Value) -> Part {
    let own = block.as_object().and_then(|block| match text(block, "type")? {
        "text" => Some(Part::Text(Text {
            citations: block
                .get("citations")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            ..Text::from(text(block, "text")?)
        })),
        "thinking" => {
            let signature = text(block, "signature").filter(|signature| !signature.is_empty());
            Some(Part::Reasoning(Reasoning {
                text: text(block, "thinking")?.to_owned(),
                signature: signature.map(str::to_owned),
                ..reasoning(block)
            }))
        }
        "redacted_thinking" => {
            let encrypted = Some(text(block, "data")?.to_owned());
            Some(Part::Reasoning(Reasoning { encrypted, ..reasoning(block) }))
        }
        "tool_use" => tool_call(block).map(Part::ToolCall),
        _ => None,
    });
    own.unwrap_or_else(|| Part::Other { provenance: Some(PROVENANCE), value: block })
}

/// Returns a message's other members, besides content and counts.
pub(super) fn extra(message: Beside, usage: Beside) -> Map<String, Value> {
    let mut extra = Map::new();
    message.add_to(&mut extra);
    usage.nest_in("usage", &mut extra);
    extra
}

/// The members of a usage report that are counts.
pub(super) const COUNTS: [&str; 9] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
    "service_tier",
];

/// Returns the other members of a usage report, such as `inference_geo`.
pub(super) fn beside_counts(usage: Value) -> Beside {
    let mut beside = Beside::default();
    if let Value::Object(members) = usage {
        let others = members.into_iter().filter(|(name, _)| !COUNTS.contains(&name.as_str()));
        others.for_each(|(name, value)| beside.insert(&name, value));
    }
    beside
}

fn reasoning(block: &Map<String, Value>) -> Reasoning {
    let extra = beside(block, &["type", "thinking", "signature", "data"]);
    Reasoning { provenance: Some(PROVENANCE), extra, ..Reasoning::default() }
}

pub(super) fn tool_call(block: &Map<String, Value>) -> Option<ToolCall> {
    let arguments = match block.get("input") {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(input) => exact::unmarked(input.to_string()),
    };
    let members = beside(block, &["type", "id", "name", "input"]);
    let opaque = (!members.is_empty()).then(|| Opaque::new(PROVENANCE, members).into());
    let call = ToolCall::new(text(block, "id")?, text(block, "name")?, arguments);
    Some(ToolCall { opaque, ..call })
}

/// Returns the unmodelled members of a block.
fn beside(block: &Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let others = block.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Converts the counts to our form. Malformed counts are treated as missing, because they must not
/// cost an answer that was paid for. If `input_tokens` or `output_tokens` is missing it is
/// estimated; without both, the usage is [`Missing`](UsageSource::Missing).
///
/// `input_tokens` excludes cached tokens: the whole input is the sum of `input_tokens`,
/// `cache_creation_input_tokens` and `cache_read_input_tokens` (`message.py`). `output_tokens`
/// includes thinking (`output_tokens_details.py`).
///
/// The totals exclude compaction, which is billed but only listed in `iterations` (vercel/ai
/// `convert-anthropic-usage.ts`; recorded by pydantic-ai: 229 input tokens in total, 55,196 in the
/// compaction). So its counts are added, cache counts included. The same applies to iterations of
/// type `advisor_message`, which are billed at another model's price (the same file):
/// [`OtherModel`](UsageSource::OtherModel).
pub(super) fn usage(value: &Value) -> Usage {
    let Some(members) = value.as_object() else { return Usage::default() };
    let total = Counts::of(members);
    let source = match (total.input, total.output) {
        (None, None) => return Usage::default(),
        (input, output) => UsageSource::of(input.is_some(), output.is_some()),
    };
    let mut sum = Usage { source, ..Usage::default() };
    total.add_to(&mut sum);
    for iteration in total.iterations {
        let kind = iteration.get("type").and_then(Value::as_str);
        let is_advice = kind == Some("advisor_message");
        if let (true, Some(members)) =
            (is_advice || kind == Some("compaction"), iteration.as_object())
        {
            Counts::of(members).add_to(&mut sum);
        }
        if is_advice && source == UsageSource::Reported {
            sum.source = UsageSource::OtherModel;
        }
    }
    sum.total_tokens = sum.prompt_tokens.saturating_add(sum.completion_tokens);
    sum
}

/// The counts of a usage object. One pass over its few members is faster than a search for each
/// name.
#[derive(Default)]
struct Counts<'a> {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    thinking: u64,
    web_searches: u64,
    iterations: &'a [Value],
}

impl<'a> Counts<'a> {
    fn of(members: &'a Map<String, Value>) -> Self {
        let within = |value: &Value, name| value.get(name).and_then(wire::count).unwrap_or(0);
        let mut counts = Self::default();
        for (name, value) in members {
            match name.as_str() {
                "input_tokens" => counts.input = wire::count(value),
                "output_tokens" => counts.output = wire::count(value),
                "cache_read_input_tokens" => counts.cache_read = wire::count(value).unwrap_or(0),
                "cache_creation_input_tokens" => {
                    counts.cache_write = wire::count(value).unwrap_or(0);
                }
                "cache_creation" => {
                    counts.cache_write_1h = within(value, "ephemeral_1h_input_tokens");
                }
                "output_tokens_details" => counts.thinking = within(value, "thinking_tokens"),
                "server_tool_use" => counts.web_searches = within(value, "web_search_requests"),
                "iterations" => {
                    counts.iterations = value.as_array().map(Vec::as_slice).unwrap_or_default();
                }
                _ => {}
            }
        }
        counts
    }

    fn add_to(&self, usage: &mut Usage) {
        let input = self.input.unwrap_or(0).saturating_add(self.cache_read);
        for (sum, more) in [
            (&mut usage.prompt_tokens, input.saturating_add(self.cache_write)),
            (&mut usage.cached_tokens, self.cache_read),
            (&mut usage.cache_write_tokens, self.cache_write),
            (&mut usage.cache_write_1h_tokens, self.cache_write_1h),
            (&mut usage.completion_tokens, self.output.unwrap_or(0)),
            (&mut usage.reasoning_tokens, self.thinking),
            (&mut usage.web_searches, self.web_searches),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Marks zeros that cannot be true as unreported. The whole input counts, so `input_tokens` may be
/// 0 if all of it came from a cache. Zeros are true for a refusal before any output, which is not
/// billed (Claude's release notes: "you are no longer billed for a request when it returns
/// `stop_reason: \"refusal\"` without Claude having generated any output").
pub(super) fn believed(usage: Usage, wrote: bool, finish_reason: FinishReason) -> Usage {
    match !wrote && finish_reason == FinishReason::Refusal {
        true => usage,
        false => usage.without_false_zeros(wrote),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
