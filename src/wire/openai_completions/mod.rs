//! OpenAI's text completions, `POST /completions`: a prompt in, its continuation out. OpenAI
//! deprecated them, but a few models have no other endpoint, and many local servers offer them.

mod stream;

use serde_json::{Map, Value};

use crate::chat::{ChatRequest, Format, Image, Message, Part, Provider, ResponseFormat, Role};
use crate::error::Error;
use crate::wire::body::Body;
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::{Endpoint, WireFormat, no_betas};
use crate::wire::framing::Framing;
use crate::wire::json::object::members;
use crate::wire::json::set;
use crate::wire::json::string::Written;
use crate::wire::measure::Prompt;
use crate::wire::openai_chat::{Envelope, seed_member};
use crate::wire::{AnswerBody, Decoded, Delivery, Failure, Target, json, validate};
use stream::Stream;

/// `POST /completions`
pub(super) static COMPLETIONS: WireFormat = WireFormat {
    inventor: Provider::OPENAI,
    endpoint: Endpoint::Fixed("/completions"),
    required: &["model", "prompt", "stream"],
    encode: |request, target, delivery| encode(request, target, delivery).map(Body::from),
    betas: no_betas,
    output_limits: &[&["max_tokens"], &["max_completion_tokens"]],
    output_limit: |_| &["max_tokens"],
    measure: |body, limits| Prompt::openai(body, limits),
    decode,
    framing: Framing::Events,
    fold: |limit| Box::new(Stream::new(limit)),
};

/// The output limit if the caller sets none. The endpoint's own default is 16
/// (`CompletionCreateParams.max_tokens` in openai-python), which truncates nearly every answer.
const DEFAULT_MAX_TOKENS: u32 = 1024;

/// Ends an answer before the model writes the user's next turn too.
const NEXT_TURN: &str = "\nUser:";

/// OpenAI rejects more than four stop sequences (API reference, `stop`).
const MAX_STOPS: usize = 4;

/// Builds the body of a text completion.
///
/// A request with a single user message is sent as that text. Any other request becomes a dialogue:
///
/// ```text
/// Answer in one word.
///
/// User: What is the capital of France?
/// Assistant: Paris.
/// User: And of Italy?
/// Assistant:
/// ```
///
/// System messages come first, wherever they were. If the last message is the assistant's, it stays
/// open for the model to continue. A dialogue also stops at `"\nUser:"`, in addition to the
/// caller's stop sequences, unless there are already four. (vercel/ai,
/// `packages/openai/src/completion/`, does nearly the same.)
pub(super) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    let Target { model, dialect, .. } = target;
    check_supported(request, delivery)?;
    validate::validate(request, model)?;
    let mut stop = request.stop.clone();
    let prompt = match request.messages.as_slice() {
        [only] if only.role == Role::User => text(only)?,
        messages => {
            if stop.len() < MAX_STOPS {
                stop.push(NEXT_TURN.to_owned());
            }
            dialogue(messages)?
        }
    };
    let mut body = Map::new();
    set(&mut body, "model", Some(model));
    set(&mut body, "prompt", Some(prompt));
    set(&mut body, "max_tokens", Some(request.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS)));
    set(&mut body, "n", request.n);
    set(&mut body, "logprobs", request.logprobs);
    set(&mut body, "temperature", request.temperature);
    set(&mut body, "top_p", request.top_p);
    set(&mut body, "stop", (!stop.is_empty()).then_some(stop));
    if let Some(seed) = request.seed {
        set(&mut body, seed_member(dialect)?, Some(seed));
    }
    delivery.write_with_usage(request, dialect, &mut body)?;
    json::merge(&mut body, &request.extra);
    Ok(body)
}

fn check_supported(request: &ChatRequest, delivery: Delivery) -> Result<(), Error> {
    let tools = !request.tools.is_empty()
        || request.tool_choice.is_some()
        || request.parallel_tool_calls.is_some();
    let format = !matches!(request.response_format, None | Some(ResponseFormat::Text));
    for (given, what) in [
        (tools, "tools"),
        (format, "a response format other than text"),
        (request.reasoning_effort.is_some(), "a reasoning effort"),
    ] {
        if given {
            return Err(refuse(what));
        }
    }
    // "Results cannot be streamed." (API reference, `best_of`)
    let best_of = request.extra.get("best_of").and_then(Value::as_f64).unwrap_or(1.0);
    if delivery == Delivery::Stream && best_of > 1.0 {
        return Err(Error::invalid_request(
            "best_of cannot be streamed; call chat() instead of stream(), or remove it",
        ));
    }
    Ok(())
}

fn refuse(what: &str) -> Error {
    Error::invalid_request(format!(
        "text completions do not support {what}; use a chat model, or remove it"
    ))
}

fn dialogue(messages: &[Message]) -> Result<String, Error> {
    let mut prompt = String::new();
    for message in messages.iter().filter(|message| message.role == Role::System) {
        prompt.push_str(&text(message)?);
        prompt.push_str("\n\n");
    }
    let mut answering = false;
    for message in messages {
        let speaker = match message.role {
            Role::System => continue,
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::Tool => return Err(refuse("tool results")),
        };
        if answering {
            prompt.push('\n');
        }
        prompt.push_str(&format!("{speaker}: {}", text(message)?));
        answering = message.role == Role::Assistant;
        if !answering {
            prompt.push('\n');
        }
    }
    if !answering {
        prompt.push_str("Assistant:");
    }
    Ok(prompt)
}

/// Returns true if a model generated this image, in its own message; see [`Part`].
fn is_made(image: &Image, message: &Message) -> bool {
    message.role == Role::Assistant && image.opaque.is_some()
}

/// Returns the text of a message. Refusals and the transcripts of audio count as text.
fn text(message: &Message) -> Result<String, Error> {
    let mut text = String::new();
    for part in &message.content {
        match part {
            Part::Text(words) => text.push_str(&words.text),
            Part::Refusal(words) => text.push_str(words),
            Part::Audio(audio) => text.push_str(&audio.transcript),
            Part::Other { provenance: Some(provenance), .. }
                if provenance.format == Format::OpenAiChat =>
            {
                return Err(refuse("audio and other parts in OpenAI's own format"));
            }
            // These are only useful where they came from; see `Part`.
            Part::Reasoning(_) | Part::CachePoint(_) | Part::Other { .. } => {}
            Part::Image(image) if is_made(image, message) => {}
            Part::Image(_) => return Err(refuse("images")),
            Part::Document(_) => return Err(refuse("documents")),
            Part::ToolCall(_) => return Err(refuse("tool calls")),
            Part::ToolResult(_) => return Err(refuse("tool results")),
        }
    }
    Ok(text)
}

#[derive(Default)]
struct Choice<'a> {
    text: Written<'a>,
}

members!(impl [] Choice<'de> {
    "text" => text,
});

/// Decodes a text completion: one choice, with its text unchanged, leading space included.
pub(super) fn decode(body: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let (envelope, choice) = Envelope::read::<Choice<'_>>(body, &mut repaired)?;
    let content = match choice.text {
        Written::Text(text) if !text.is_empty() => Some(Part::text(text)),
        _ => None,
    };
    let finish_reason = finish_reason(envelope.finish_reason.as_deref());
    envelope.decoded(Message::new(Role::Assistant, content), finish_reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{
        CacheTtl, Document, FinishReason, Image, ReasoningEffort, Tool, ToolCall, ToolChoice, Usage,
    };
    use crate::error::ErrorKind;
    use serde_json::json;

    fn encoded(request: &ChatRequest) -> Value {
        Value::Object(encode(request, Target::openai("davinci-002"), Delivery::Whole).unwrap())
    }

    #[test]
    fn a_single_prompt_is_sent_unchanged() {
        assert_eq!(
            encoded(&" Once upon\na time ".into()),
            json!({"model": "davinci-002", "prompt": " Once upon\na time ", "max_tokens": 1024})
        );
        let parts = Message::user("a").with(Part::CachePoint(CacheTtl::Short)).with("b");
        assert_eq!(encoded(&parts.into())["prompt"], "ab");
    }

    #[test]
    fn every_field_is_written() {
        let request = ChatRequest::from("Hi")
            .max_output_tokens(5)
            .temperature(0.5)
            .top_p(0.5)
            .stop("x")
            .seed(1)
            .response_format(ResponseFormat::Text)
            .tag("a", "b")
            .extra("best_of", 2);
        assert_eq!(
            encoded(&request),
            json!({
                "model": "davinci-002", "prompt": "Hi", "max_tokens": 5, "temperature": 0.5,
                "top_p": 0.5, "stop": ["x"], "seed": 1, "best_of": 2,
            })
        );
    }

    #[test]
    fn a_conversation_becomes_a_dialogue() {
        let turns = [
            Message::user("France?"),
            Message::assistant("Paris."),
            Message::system("One word."),
            Message::user("Italy?"),
        ];
        let request = ChatRequest::new(turns);
        let body = encoded(&request);
        assert_eq!(
            body["prompt"],
            "One word.\n\nUser: France?\nAssistant: Paris.\nUser: Italy?\nAssistant:"
        );
        assert_eq!(body["stop"], json!(["\nUser:"]));
        let open = ChatRequest::new([Message::user("Count."), Message::assistant("1, 2,")]);
        assert_eq!(encoded(&open)["prompt"], "User: Count.\nAssistant: 1, 2,");
        let instructed = ChatRequest::from("Hi").system("Be brief.");
        assert_eq!(encoded(&instructed)["prompt"], "Be brief.\n\nUser: Hi\nAssistant:");
        let full = request.stop("a").stop("b").stop("c").stop("d");
        assert_eq!(encoded(&full)["stop"], json!(["a", "b", "c", "d"]));
    }

    #[test]
    fn unsupported_requests_are_rejected() {
        let hi = || ChatRequest::from("secret");
        let with = |part: Part| ChatRequest::from(Message::user("secret").with(part));
        for (request, expected) in [
            (hi().tool(Tool::function("f", "d", json!({}))), "tools"),
            (hi().tool_choice(ToolChoice::Auto), "tools"),
            (hi().response_format(ResponseFormat::JsonObject), "response format"),
            (hi().reasoning_effort(ReasoningEffort::Low), "reasoning effort"),
            (with(Image::from_url("https://secret").into()), "images"),
            (with(Document::from_file_id("secret").into()), "documents"),
            (with(ToolCall::new("secret", "f", "{}").into()), "tool calls"),
            (with(Part::native(Format::OpenAiChat, json!("secret"))), "OpenAI's own"),
            (ChatRequest::new([Message::tool_result("c", "secret")]), "tool results"),
            (ChatRequest::new(Vec::<Message>::new()), "no messages"),
            (hi().temperature(f64::NAN), "temperature"),
        ] {
            let error =
                encode(&request, Target::openai("davinci-002"), Delivery::Whole).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(expected), "{expected}: {}", error.message());
            assert!(!error.message().contains("secret"));
        }
    }

    #[test]
    fn an_answer_is_read_unchanged() {
        let body = json!({
            "id": "cmpl-1", "object": "text_completion", "model": "davinci-002",
            "choices": [{"text": "\n\n there", "index": 0, "logprobs": null, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        });
        let decoded = decode(body.to_string().as_bytes().into()).unwrap();
        assert_eq!(decoded.message, Message::assistant("\n\n there"));
        assert_eq!(decoded.finish_reason, FinishReason::Length);
        assert_eq!(decoded.finish_reason_raw.as_deref(), Some("length"));
        assert_eq!(decoded.usage, Usage::reported(1, 2));
        assert_eq!(
            (decoded.model.as_str(), decoded.id.as_deref()),
            ("davinci-002", Some("cmpl-1"))
        );
    }

    #[test]
    fn minimal_answers_succeed_and_failed_ones_are_errors() {
        let thin =
            decode(r#"{"choices": [{"text": null, "finish_reason": "stop"}]}"#.into()).unwrap();
        assert_eq!(thin.message.content, []);
        assert_eq!(thin.finish_reason, FinishReason::Stop);
        let odd =
            decode(r#"{"id": 1, "id": 2, "choices": [{"text": "a", "finish_reason": 7}]}"#.into());
        let odd = odd.unwrap();
        assert_eq!((odd.message, odd.id.as_deref()), (Message::assistant("a"), Some("2")));
        for (body, kind) in [
            (r#"{"choices": []}"#, ErrorKind::Protocol),
            (r#"{"error": {"code": 503, "message": "busy"}}"#, ErrorKind::Overloaded),
            ("", ErrorKind::Protocol),
        ] {
            assert_eq!(decode(body.as_bytes().into()).unwrap_err().kind, kind, "{body}");
        }
    }
}
