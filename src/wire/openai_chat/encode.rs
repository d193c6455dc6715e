//! Encodes the body of a chat completion request.

use serde_json::{Map, Value, json};

use super::dialect::{Dialect, InstructionRole, OutputLimit, Prefill, ResponseFormats, Seed};
use super::{messages, reasoning, tools};
use crate::chat::{ChatRequest, ResponseFormat, Role};
use crate::error::Error;
use crate::wire::body::{Body, Opening};
use crate::wire::format::Path;
use crate::wire::json::set;
use crate::wire::{Delivery, Target, json, schema, tool_turns, validate};

/// Builds the body of a chat completion request.
///
/// [`max_output_tokens`](ChatRequest::max_output_tokens) goes into the member that the dialect
/// names, unless [`extra`](ChatRequest::extra) has either of the two: OpenAI rejects both together,
/// and a deployment whose name hides its model needs this override.
///
/// Requests that every server would reject are rejected here, with advice.
pub(in crate::wire) fn encode<'a>(
    request: &'a ChatRequest,
    target: Target<'a>,
    delivery: Delivery,
) -> Result<Body<'a>, Error> {
    let Target { model, dialect, .. } = target;
    validate::validate(request, model)?;
    tool_turns::check(&request.messages)?;
    let opening = opening(request, target);
    // The size of most requests; a short one has fewer members.
    let mut body = Map::with_capacity(if opening.is_some() { 0 } else { 7 });
    if opening.is_none() {
        set(&mut body, "model", Some(model));
        set(&mut body, "messages", Some(messages::encode(&request.messages, target)?));
    }
    set(&mut body, "tools", tools::encode(request, dialect)?);
    set(&mut body, "tool_choice", tools::encode_choice(request));
    set(&mut body, "parallel_tool_calls", tools::encode_parallel(request, dialect)?);
    set(&mut body, "response_format", response_format(request, dialect)?);
    let limit = request.max_output_tokens;
    if limit.is_some() && !LIMITS.iter().any(|limit| request.extra.contains_key(limit[0])) {
        set(&mut body, limit_member(target)[0], limit);
    }
    set(&mut body, "n", request.n);
    if request.logprobs.is_some() && !dialect.log_probabilities {
        return Err(Error::invalid_request(
            "the request asks for log probabilities, which this provider does not support; leave \
             logprobs unset",
        ));
    }
    set(&mut body, "logprobs", request.logprobs.map(|_| true));
    set(&mut body, "top_logprobs", request.logprobs.filter(|more| *more > 0));
    set(&mut body, "temperature", request.temperature);
    set(&mut body, "top_p", request.top_p);
    set(&mut body, "stop", (!request.stop.is_empty()).then(|| request.stop.clone()));
    if let Some(seed) = request.seed {
        set(&mut body, seed_member(dialect)?, Some(seed));
    }
    if let Some(effort) = request.reasoning_effort {
        reasoning::write(effort, dialect.reasoning_control, &mut body)?;
    }
    delivery.write_with_usage(request, dialect, &mut body)?;
    json::merge(&mut body, &request.extra);
    Ok(match opening {
        Some(opening) => Body::new(opening, body),
        None => body.into(),
    })
}

/// Returns the model and the messages if they are plain.
fn opening<'a>(request: &'a ChatRequest, target: Target<'a>) -> Option<Opening<'a>> {
    let Target { model, dialect, .. } = target;
    let ends_with = |role| request.messages.last().is_some_and(|last| last.role == role);
    let is_marked = dialect.prefill != Prefill::Unmarked && ends_with(Role::Assistant);
    // `extra` can replace any member.
    if is_marked || dialect.reasoning_required || !request.extra.is_empty() {
        return None;
    }
    Opening::new(model, &request.messages, instruction_role(target))
}

/// The two names of the output limit. Newer models accept only the second.
const LIMITS: [Path; 2] = [&["max_tokens"], &["max_completion_tokens"]];

/// Returns the one that a model accepts.
pub(super) fn limit_member(target: Target<'_>) -> Path {
    match target.dialect.output_limit {
        OutputLimit::ByModel => LIMITS[usize::from(target.traits.newer_parameters)],
        OutputLimit::MaxTokens => LIMITS[0],
        OutputLimit::MaxCompletionTokens => LIMITS[1],
    }
}

/// Returns the role of system messages.
pub(in crate::wire) fn instruction_role(target: Target<'_>) -> &'static str {
    match target.dialect.instruction_role {
        InstructionRole::ByModel if target.traits.newer_parameters => "developer",
        InstructionRole::ByModel | InstructionRole::System => "system",
    }
}

/// Returns the member for a seed.
pub(in crate::wire) fn seed_member(dialect: &Dialect) -> Result<&'static str, Error> {
    match dialect.seed {
        Seed::Seed => Ok("seed"),
        Seed::RandomSeed => Ok("random_seed"),
        Seed::Unsupported => Err(Error::invalid_request(
            "the request has a seed, which this provider does not support; remove it",
        )),
    }
}

/// The `response_format` member.
pub(in crate::wire) fn response_format(
    request: &ChatRequest,
    dialect: &Dialect,
) -> Result<Option<Value>, Error> {
    let refused = match (&request.response_format, dialect.response_formats) {
        (Some(ResponseFormat::JsonSchema(_)), ResponseFormats::JsonObject) => Some(
            "this provider cannot enforce a JSON Schema; use ResponseFormat::JsonObject \
             and describe the schema in the prompt",
        ),
        (Some(ResponseFormat::JsonObject), ResponseFormats::JsonSchema) => {
            Some("this provider has no JSON mode without a schema; use ResponseFormat::json_schema")
        }
        _ => None,
    };
    if let Some(refused) = refused {
        return Err(Error::invalid_request(refused));
    }
    Ok(match &request.response_format {
        None => None,
        Some(ResponseFormat::Text) => Some(json!({"type": "text"})),
        Some(ResponseFormat::JsonObject) => Some(json!({"type": "json_object"})),
        Some(ResponseFormat::JsonSchema(format)) => {
            if format.name.is_empty() {
                return Err(Error::invalid_request(
                    "the response format's JSON Schema has no name, which OpenAI requires; give it one",
                ));
            }
            let mut schema = Map::new();
            schema.insert("name".to_owned(), format.name.as_str().into());
            if let Some(description) = &format.description {
                schema.insert("description".to_owned(), description.as_str().into());
            }
            let strict = format.strict == Some(true);
            let answer = schema::of_answer(format, strict, tools::subset(dialect))?;
            schema.insert("schema".to_owned(), answer);
            if let Some(strict) = format.strict {
                schema.insert("strict".to_owned(), strict.into());
            }
            Some(json!({"type": "json_schema", "json_schema": schema}))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, ReasoningEffort, Tool, ToolChoice};
    use crate::upper_bound::ModelLimits;
    use crate::wire::Wire;

    fn encoded(request: &ChatRequest, model: &str) -> Value {
        let body = encode(request, Target::openai(model), Delivery::Whole).unwrap();
        body.into_members().into()
    }

    #[test]
    fn a_bare_prompt_becomes_only_model_and_messages() {
        assert_eq!(
            encoded(&"Hi".into(), "gpt-4o"),
            json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]})
        );
    }

    #[test]
    fn every_field_is_written() {
        let parameters = json!({"type": "object", "properties": {}});
        let request = ChatRequest::from("Hi")
            .system("Be brief.")
            .tool(Tool::function("f", "does f", parameters.clone()))
            .tool_choice(ToolChoice::Function("f".into()))
            .parallel_tool_calls(false)
            .response_format(ResponseFormat::json_schema("s", json!({"type": "object"})))
            .max_output_tokens(7)
            .temperature(0.5)
            .top_p(0.25)
            .stop("a")
            .stop("b")
            .seed(-3)
            .reasoning_effort(ReasoningEffort::XHigh)
            .tag("customer", "acme")
            .extra("seed", 4)
            .extra("response_format", json!({"json_schema": {"strict": false}}))
            .extra("user", "u");
        assert_eq!(
            encoded(&request, "gpt-4o"),
            json!({
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Hi"},
                ],
                "tools": [{"type": "function", "function": {
                    "name": "f", "description": "does f", "parameters": parameters,
                }}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": false,
                "response_format": {"type": "json_schema", "json_schema": {
                    "name": "s",
                    "schema": {"type": "object", "properties": {}, "required": [],
                        "additionalProperties": false},
                    "strict": false,
                }},
                "max_tokens": 7,
                "temperature": 0.5,
                "top_p": 0.25,
                "stop": ["a", "b"],
                "seed": 4,
                "reasoning_effort": "xhigh",
                "user": "u",
            })
        );
    }

    #[test]
    fn a_schema_keeps_the_order_of_its_members() {
        let schema = r#"{"type":"object","properties":{"reasoning":{"type":"string"},"answer":{"type":"string"},"aside":{"type":"null"}},"required":["reasoning","answer","aside"],"additionalProperties":false}"#;
        let parsed: Value = serde_json::from_str(schema).unwrap();
        let request = ChatRequest::from("Hi")
            .tool(Tool::function("f", "d", parsed.clone()))
            .response_format(ResponseFormat::json_schema("s", parsed))
            .extra("b", 1)
            .extra("a", 2);
        // A stored request keeps the order too.
        let stored = serde_json::to_string(&request).unwrap();
        let loaded: ChatRequest = serde_json::from_str(&stored).unwrap();
        for wire in [Wire::OpenAiChat, Wire::Anthropic] {
            for request in [&request, &loaded] {
                let body = wire.members(request, Target::openai("m"), Delivery::Whole).unwrap();
                let body = String::from_utf8(json::write(&body).unwrap()).unwrap();
                assert_eq!(body.matches(schema).count(), 2, "{body}");
                assert!(body.starts_with(r#"{"model":"m","#), "{body}");
                assert!(body.ends_with(r#""b":1,"a":2}"#), "{body}");
            }
        }
    }

    #[test]
    fn plain_messages_have_the_same_bytes_and_bound_as_values() {
        let hi = || ChatRequest::from("a \"quoted\"\nline, ünïcode \u{1}");
        let asked = || hi().system("Be brief.").message(Message::assistant("")).message("And?");
        let tool = Tool::function("f", "does f", json!({"type": "object"}));
        for request in [
            hi(),
            asked(),
            hi().message(Message::assistant("Once")),
            asked().tool(tool).max_output_tokens(7).temperature(0.5).stop("a").seed(-3),
            asked().response_format(ResponseFormat::JsonObject).n(2),
            hi().reasoning_effort(ReasoningEffort::Low).omit("reasoning_effort"),
        ] {
            // A member of `extra` that adds nothing rules an opening out.
            let valued = request.clone().extra("user", Value::Null);
            for delivery in [Delivery::Whole, Delivery::Stream] {
                if delivery == Delivery::Stream && request.n.is_some() {
                    continue;
                }
                let encode = |request| {
                    let target = Target::openai("o3-mini");
                    Wire::OpenAiChat.encode(request, target, delivery, false).unwrap()
                };
                let limits = ModelLimits {
                    provider: "openai",
                    model: "o3-mini",
                    output_tokens: Some(100),
                    context_window: Some(10_000),
                    tokenizer: None,
                };
                let [plain, valued] = [encode(&request), encode(&valued)];
                assert_eq!(plain.upper_bound(&limits), valued.upper_bound(&limits));
                let [plain, valued] = [plain, valued].map(|it| text(it.into_bytes()));
                assert_eq!(plain, valued.replace(r#","user":null"#, ""));
            }
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn newer_models_get_their_own_limit_and_role() {
        let request = ChatRequest::from("Hi").system("Be brief.").max_output_tokens(7);
        let body = encoded(&request, "o3-mini");
        assert_eq!(body["messages"][0]["role"], "developer");
        assert_eq!(body["max_completion_tokens"], 7);
        assert_eq!(body.get("max_tokens"), None);
        // A deployment whose name does not show the model.
        let body = encoded(&request.extra("max_completion_tokens", 5), "prod");
        assert_eq!(body["max_completion_tokens"], 5);
        assert_eq!(body.get("max_tokens"), None);
    }

    #[test]
    fn simple_formats_are_written() {
        for (format, expected) in [
            (ResponseFormat::Text, json!({"type": "text"})),
            (ResponseFormat::JsonObject, json!({"type": "json_object"})),
        ] {
            let request = ChatRequest::from("Hi").response_format(format);
            assert_eq!(encoded(&request, "m")["response_format"], expected);
        }
    }

    #[test]
    fn invalid_requests_are_rejected_before_sending() {
        let hi = || ChatRequest::from("the secret prompt");
        for (request, expected) in [
            (hi().response_format(ResponseFormat::json_schema("", json!({}))), "has no name"),
            (hi().parallel_tool_calls(true), "parallel_tool_calls is set but"),
        ] {
            let body = encode(&request, Target::openai("gpt-4o"), Delivery::Whole);
            let error = body.map(Body::into_members).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
            assert!(error.message().contains(expected), "{expected}: {}", error.message());
            assert!(!error.message().contains("secret"));
        }
    }
}
