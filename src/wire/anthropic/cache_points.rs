//! Checks the number and order of a request's cache points.

use serde_json::{Map, Value};

use crate::chat::{ChatRequest, Part, Tool};
use crate::error::Error;

/// "A maximum of 4 blocks with cache_control may be provided" (Anthropic's page "Prompt
/// caching"; Wei-Shaw/sub2api #176).
const MOST: usize = 4;

/// Checks a body's cache points, including those in `extra` and native tools.
///
/// # Errors
///
/// If there are more than Anthropic allows, or a one-hour point comes after a shorter one: "a
/// ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that
/// blocks are processed in the following order: tools, system, messages" (headroomlabs-ai/headroom
/// #2939).
pub(super) fn check(request: &ChatRequest, body: &Map<String, Value>) -> Result<(), Error> {
    // Few requests have several, and the body can be large.
    let parts = request.messages.iter().flat_map(|message| &message.content);
    let points = parts.filter(|part| match part {
        Part::CachePoint(_) | Part::Other { .. } => true,
        Part::ToolResult(result) => {
            result.content.iter().any(|part| matches!(part, Part::CachePoint(_)))
        }
        _ => false,
    });
    let native = request.tools.iter().filter(|tool| matches!(tool, Tool::Native(_)));
    let extra = ["tools", "system", "messages", "cache_control"];
    let extra = extra.iter().any(|name| request.extra.contains_key(*name));
    if points.count() + native.count() < 2 && !extra {
        return Ok(());
    }
    let mut found = Vec::new();
    for name in ["tools", "system", "messages"] {
        if let Some(value) = body.get(name) {
            collect(value, 0, &mut found);
        }
    }
    let automatic = usize::from(body.get("cache_control").is_some_and(Value::is_object));
    if found.len() + automatic > MOST {
        return Err(Error::invalid_request(format!(
            "the request has {} cache points, but Anthropic allows {MOST}; keep those after the \
             longest stable parts, such as the system prompt and the last message",
            found.len() + automatic
        )));
    }
    let short = found.iter().position(|is_hour| !is_hour);
    if short.is_some_and(|short| found[short..].contains(&true)) {
        return Err(Error::invalid_request(
            "a cache point of one hour comes after one of five minutes, which Anthropic rejects; \
             put those of one hour first (tools, then system, then messages)",
        ));
    }
    Ok(())
}

/// Collects for each marked block, in order, if it is kept for an hour. Blocks are nested at most
/// in a result in a message.
fn collect(value: &Value, depth: usize, found: &mut Vec<bool>) {
    match value {
        Value::Array(items) => {
            items.iter().for_each(|item| collect(item, depth, found));
        }
        Value::Object(block) => {
            if let Some(content @ Value::Array(_)) = block.get("content").filter(|_| depth < 3) {
                collect(content, depth + 1, found);
            }
            if let Some(Value::Object(control)) = block.get("cache_control") {
                found.push(control.get("ttl").is_some_and(|ttl| ttl == "1h"));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::chat::{CacheTtl, ChatRequest, Message, Part, Tool, ToolCall, ToolResult};
    use crate::wire::{Delivery, Target, Wire};
    use serde_json::json;

    const SHORT: Part = Part::CachePoint(CacheTtl::Short);
    const HOUR: Part = Part::CachePoint(CacheTtl::OneHour);

    fn problem(request: &ChatRequest) -> Option<String> {
        let outcome = Wire::Anthropic.members(request, Target::anthropic("m"), Delivery::Whole);
        outcome.err().map(|error| error.message().to_owned())
    }

    fn points(count: usize) -> ChatRequest {
        ChatRequest::new((0..count).map(|_| Message::user("a").with(SHORT)))
    }

    #[test]
    fn too_many_cache_points_are_rejected_with_their_number() {
        let marked = || {
            Tool::Native(json!({"name": "n", "type": "x", "cache_control": {"type": "ephemeral"}}))
        };
        let result = ToolResult::new("c", "r").with(SHORT);
        for (request, found) in [
            (points(4), None),
            (points(5), Some(5)),
            (points(9), Some(9)),
            (points(4).system("s"), None),
            (points(4).tool(marked()), Some(5)),
            (points(4).extra("cache_control", json!({"type": "ephemeral"})), Some(5)),
            (
                points(4)
                    .message(Message::assistant("").with(ToolCall::new("c", "f", "{}")))
                    .message(Message::new(crate::chat::Role::Tool, [result])),
                Some(5),
            ),
            // Two at the same position count as one.
            (points(4).message(Message::new(crate::chat::Role::User, [SHORT])), None),
        ] {
            let problem = problem(&request);
            let expected = found.map(|found| format!("has {found} cache points"));
            match (&problem, expected) {
                (None, None) => {}
                (Some(problem), Some(expected)) => {
                    assert!(problem.contains(&expected), "{problem}");
                }
                (problem, expected) => panic!("{problem:?} {expected:?}"),
            }
        }
    }

    #[test]
    fn one_hour_points_must_come_before_five_minute_points() {
        let user = |part| Message::user("a").with(part);
        assert_eq!(problem(&ChatRequest::new([user(HOUR), user(SHORT)])), None);
        for request in [
            ChatRequest::new([user(SHORT), user(HOUR)]),
            ChatRequest::new([Message::system("s").with(SHORT), user(HOUR)]),
        ] {
            assert!(problem(&request).unwrap().contains("one hour first"));
        }
    }
}
