//! Requests that only count the tokens of a chat.
//!
//! | format | endpoint | body |
//! |---|---|---|
//! | Anthropic (platform.claude.com/docs/en/api/messages/count_tokens) | `/v1/messages/count_tokens` | the message's, without the members that do not change the input |
//! | Bedrock (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html) | `/model/{model}/count-tokens` | Converse's members that the page lists, in `input.converse` |
//! | Cohere (docs.cohere.com/reference/tokenize) | `/v1/tokenize` | one text |
//! | Gemini (ai.google.dev/api/tokens) | `/models/{model}:countTokens` | the whole request in `generateContentRequest`, which repeats the model |
//! | Gemini on Vertex (docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens) | `…/{model}:countTokens` | the members that the page lists |
//! | Claude on Vertex (docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/count-tokens) | `…/anthropic/models/count-tokens:rawPredict` | Anthropic's, with the model |
//! | OpenAI Responses (developers.openai.com/api/reference/resources/responses/subresources/input_tokens) | `/responses/input_tokens` | the members that the page lists |

mod cohere;

use serde_json::{Map, Value};

use super::json::bounded::Detail;
use super::{Delivery, Failure, Target, Wire, failed, gemini, json, vertex, write};
use crate::chat::ChatRequest;
use crate::error::Error;

/// The members of Anthropic's messages that `count_tokens` refuses as "extra inputs". They shape
/// the output or the handling of a request.
const ANTHROPIC_REFUSES: &[&str] = &[
    "container",
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
];

/// The members of Converse that `CountTokens` accepts (`ConverseTokensRequest`).
const BEDROCK_ACCEPTS: &[&str] =
    &["messages", "system", "toolConfig", "additionalModelRequestFields"];

/// The members that OpenAI's `input_tokens` accepts.
const OPENAI_ACCEPTS: &[&str] = &[
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "personality",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

/// The members that Vertex AI's `countTokens` accepts beside the model.
const VERTEX_ACCEPTS: &[&str] = &["contents", "generationConfig", "systemInstruction", "tools"];

/// A request that counts tokens.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The path below the base URL.
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// Reads the answer.
    pub(crate) decode: fn(body: &[u8]) -> Result<Decoded, Failure>,
}

/// A provider's count.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) input_tokens: u64,
    pub(crate) cached_tokens: Option<u64>,
    pub(crate) extra: Map<String, Value>,
}

/// Encodes a chat to count its tokens.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the target cannot express the chat, or
/// cannot count.
pub(crate) fn encode(
    wire: Wire,
    request: &ChatRequest,
    target: Target<'_>,
) -> Result<Encoded, Error> {
    let body = || wire.members(request, target, Delivery::Whole);
    let (path, body) = match wire {
        Wire::Anthropic => {
            let mut body = body()?;
            body.retain(|name, _| !ANTHROPIC_REFUSES.contains(&&**name));
            ("/v1/messages/count_tokens".to_owned(), body)
        }
        Wire::VertexClaude => {
            let mut body = body()?;
            body.retain(|name, _| !ANTHROPIC_REFUSES.contains(&&**name));
            let model = target.model.rsplit('/').next().unwrap_or_default();
            body.insert("model".to_owned(), model.into());
            ("/publishers/anthropic/models/count-tokens:rawPredict".to_owned(), body)
        }
        Wire::VertexGemini => {
            let mut body = body()?;
            if body.contains_key("cachedContent") {
                return Err(Error::invalid_request(
                    "Vertex AI cannot count the tokens of a request with cached content; count \
                     it without, and add the count of the cache",
                ));
            }
            body.retain(|name, _| VERTEX_ACCEPTS.contains(&&**name));
            (vertex::method_path(target.model, "countTokens"), body)
        }
        Wire::OpenAiResponses => {
            let mut body = body()?;
            body.retain(|name, _| OPENAI_ACCEPTS.contains(&&**name));
            ("/responses/input_tokens".to_owned(), body)
        }
        Wire::Gemini => {
            let mut inner = Map::new();
            inner.insert("model".to_owned(), gemini::resource(target.model).into());
            inner.extend(body()?);
            let mut body = Map::new();
            body.insert("generateContentRequest".to_owned(), inner.into());
            (gemini::method_path(target.model, "countTokens"), body)
        }
        Wire::Bedrock => {
            let mut converse = body()?;
            converse.retain(|name, _| BEDROCK_ACCEPTS.contains(&&**name));
            let input = json::object_of!("converse": converse.into());
            let path = wire.path(target.model, Delivery::Whole);
            let path = path.trim_end_matches("converse");
            (format!("{path}count-tokens"), Map::from_iter([("input".to_owned(), input)]))
        }
        Wire::Cohere => return cohere::encode(request, target),
        Wire::OpenAiChat => {
            let provider = target.provider;
            let advice = match provider.as_str() {
                "openai" | "azure" => "set wire_format to Format::OpenAiResponses to count there",
                _ => "send the request and read the usage of its answer",
            };
            return Err(Error::invalid_request(format!(
                "{provider} cannot count the tokens of a Chat Completions request; {advice}"
            )));
        }
        Wire::Ollama => {
            return Err(Error::invalid_request(
                "Ollama cannot count tokens; send the request and read the usage of its answer",
            ));
        }
        Wire::OpenAiCompletions => {
            return Err(Error::invalid_request(
                "no provider counts the tokens of a text completion; send the request and read the \
                 usage of its answer",
            ));
        }
    };
    Ok(Encoded { path, body: write(&body)?, decode })
}

/// Reads a count: `input_tokens`, Gemini's `totalTokens`, or Bedrock's `inputTokens`.
pub(crate) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Detail = json::read(body, &mut repaired)?;
    let Value::Object(mut members) = read.value else {
        return Err(Failure::protocol("the response has more members than any count of tokens"));
    };
    let mut take = |name: &str| {
        let count = json::count(members.get(name)?)?;
        members.shift_remove(name);
        Some(count)
    };
    let cached_tokens = take("cachedContentTokenCount");
    let names = ["input_tokens", "totalTokens", "inputTokens"];
    match names.into_iter().find_map(take) {
        Some(input_tokens) => Ok(Decoded { input_tokens, cached_tokens, extra: members }),
        None => {
            let missing = || Failure::protocol("the response has no count of tokens");
            Err(failed::report(&Value::Object(members)).unwrap_or_else(missing))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Provider, Tool};
    use serde_json::json;

    fn request() -> ChatRequest {
        ChatRequest::new([Message::system("Be brief."), Message::user("hi")])
            .temperature(0.5)
            .max_output_tokens(100)
            .tool(Tool::function("now", "Tells the time", json!({"type": "object"})))
    }

    fn encoded(wire: Wire, target: Target<'_>) -> (String, Value) {
        // The Responses API has no stop sequences.
        let stop = (wire != Wire::OpenAiResponses).then(|| "END".to_owned());
        let request = ChatRequest { stop: stop.into_iter().collect(), ..request() };
        let encoded = encode(wire, &request, target).unwrap();
        (encoded.path, serde_json::from_slice(&encoded.body).unwrap())
    }

    #[test]
    fn the_input_is_encoded_as_for_a_chat_and_the_output_settings_are_not() {
        let (path, body) = encoded(Wire::Anthropic, Target::anthropic("claude-haiku-4-5"));
        assert_eq!(path, "/v1/messages/count_tokens");
        let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["model", "system", "messages", "tools"]);

        let (path, body) = encoded(Wire::Bedrock, Target::bedrock("amazon.nova-lite-v1:0"));
        assert_eq!(path, "/model/amazon.nova-lite-v1%3A0/count-tokens");
        let converse = body["input"]["converse"].as_object().unwrap();
        let names: Vec<_> = converse.keys().map(String::as_str).collect();
        assert_eq!(names, ["messages", "system", "toolConfig"]);
        assert_eq!(decode(br#"{"inputTokens": 7}"#).unwrap().input_tokens, 7);

        let (path, body) = encoded(Wire::Gemini, Target::gemini("gemini-2.5-flash"));
        assert_eq!(path, "/models/gemini-2.5-flash:countTokens");
        let inner = &body["generateContentRequest"];
        assert_eq!(inner["model"], "models/gemini-2.5-flash");
        assert_eq!(inner["contents"][0]["parts"][0]["text"], "hi");
        assert_eq!(inner["generationConfig"]["temperature"], 0.5);

        let vertex = |model| Target { provider: &Provider::VERTEX, ..Target::gemini(model) };
        let (path, body) = encoded(Wire::VertexGemini, vertex("gemini-2.5-flash"));
        assert_eq!(path, "/publishers/google/models/gemini-2.5-flash:countTokens");
        let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, VERTEX_ACCEPTS);
        let (path, body) = encoded(Wire::VertexClaude, vertex("anthropic/claude-haiku-4-5"));
        assert_eq!(path, "/publishers/anthropic/models/count-tokens:rawPredict");
        assert_eq!(body["model"], "claude-haiku-4-5");
        assert!(body.get("max_tokens").is_none() && body.get("stream").is_none(), "{body}");

        let (path, body) = encoded(Wire::OpenAiResponses, Target::openai("gpt-5"));
        assert_eq!(path, "/responses/input_tokens");
        assert!(body.get("store").is_none() && body.get("max_output_tokens").is_none(), "{body}");
        assert!(body.get("input").is_some() && body.get("tools").is_some(), "{body}");
    }

    #[test]
    fn a_format_without_a_count_names_the_alternative() {
        let elsewhere = Target { provider: &"groq".into(), ..Target::openai("m") };
        for (target, advice) in
            [(Target::openai("gpt-4o"), "Format::OpenAiResponses"), (elsewhere, "the usage")]
        {
            let error = encode(Wire::OpenAiChat, &request(), target).unwrap_err();
            assert!(error.message().contains(advice), "{error}");
        }
        let error = encode(Wire::OpenAiCompletions, &request(), Target::openai("davinci-002"));
        assert!(error.unwrap_err().message().contains("text completion"));
    }

    #[test]
    fn a_count_is_read_in_every_form() {
        for (body, input_tokens, cached_tokens, extra) in [
            (json!({"input_tokens": 14}), 14, None, json!({})),
            (
                json!({"object": "response.input_tokens", "input_tokens": 11}),
                11,
                None,
                json!({"object": "response.input_tokens"}),
            ),
            (
                json!({"totalTokens": 8, "cachedContentTokenCount": 3, "promptTokensDetails": []}),
                8,
                Some(3),
                json!({"promptTokensDetails": []}),
            ),
        ] {
            let extra = extra.as_object().unwrap().clone();
            let decoded = decode(body.to_string().as_bytes());
            assert_eq!(decoded, Ok(Decoded { input_tokens, cached_tokens, extra }), "{body}");
        }
        for (body, expected) in [
            (r#"{"error": {"message": "no such model"}}"#, "no such model"),
            ("{}", "has no count of tokens"),
            (r#"{"input_tokens": -1}"#, "has no count of tokens"),
            ("[]", "is an array"),
        ] {
            let failure = decode(body.as_bytes()).unwrap_err();
            assert!(failure.message.contains(expected), "{body}: {}", failure.message);
        }
    }
}
