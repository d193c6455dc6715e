//! The requests: each feature of a request once, and some together.

use serde_json::{Value, json};
use tollgate::chat::{CacheTtl, Format, Function, JsonSchema, Provenance};
use tollgate::embed::{InputType, Truncation};
use tollgate::{
    ChatRequest, Document, EmbedRequest, Image, ImageDetail, Message, Part, Reasoning,
    ReasoningEffort, ResponseFormat, Role, Tool, ToolCall, ToolChoice, ToolResult,
};

/// How a request is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Stream,
    Completion,
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) request: ChatRequest,
    pub(crate) delivery: Delivery,
}

/// A PNG of one pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\
    \x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82";

/// The smallest file that calls itself a PDF.
const PDF: &[u8] = b"%PDF-1.4\n%%EOF\n";

pub(crate) fn weather() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city's name"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    });
    // OpenAI's file says that Responses require `strict`.
    Tool::function("weather", "The weather in a city", schema).strict(false)
}

fn person() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "languages": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "age", "languages"],
        "additionalProperties": false,
    })
}

fn call(id: &str) -> ToolCall {
    ToolCall::new(id, "weather", r#"{"city":"Oslo"}"#)
}

/// Reasoning as this provider sends it.
fn reasoning(provider: &str, format: Format) -> Reasoning {
    let mut reasoning = Reasoning::new("The user wants to know how cold it is.");
    reasoning.provenance = Some(Provenance::new(provider, format));
    // Mistral's thinking has none.
    reasoning.signature = (provider != "mistral").then(|| "c2lnbmF0dXJl".to_owned());
    if format == Format::OpenAiResponses {
        reasoning.signature = None;
        reasoning.id = Some("rs_1".to_owned());
        reasoning.encrypted = Some("ZW5jcnlwdGVk".to_owned());
    }
    reasoning
}

/// The calls' ids: Mistral wants nine letters and digits.
const FIRST: &str = "call00001";
const SECOND: &str = "call00002";

pub(crate) fn all(provider: &str, format: Format) -> Vec<Case> {
    let hi = || ChatRequest::from("Hello.");
    let asked = || Message::user("How cold is it in Oslo?");
    let used = |messages: Vec<Message>| ChatRequest::new(messages).tool(weather());
    let whole = [
        ("plain", hi()),
        ("system", hi().system("Answer in one word.")),
        (
            "turns",
            ChatRequest::new([
                Message::system("Answer in one word."),
                Message::user("The capital of France?"),
                Message::assistant("Paris."),
                Message::user("And of Italy?"),
            ]),
        ),
        (
            "two system messages",
            ChatRequest::new([
                Message::system("Answer in one word."),
                Message::system("Answer in French."),
                Message::user("The capital of Italy?"),
            ]),
        ),
        ("several text parts", Message::new(Role::User, ["One.", "Two."]).into()),
        ("a named speaker", Message::user("Hello.").named("alice").into()),
        ("max output tokens", hi().max_output_tokens(20)),
        ("temperature and top_p", hi().temperature(0.5).top_p(0.9)),
        ("temperature", hi().temperature(0.0)),
        ("one stop sequence", hi().stop("END")),
        ("stop sequences", hi().stop("END").stop("STOP")),
        ("seed", hi().seed(7)),
        ("log probabilities", hi().logprobs(2)),
        ("two choices", hi().n(2)),
        ("a tool", hi().tool(weather())),
        ("a strict tool", hi().tool(weather().strict(true))),
        (
            "a tool without description",
            hi().tool(
                Function::new("now", json!({"type": "object", "properties": {}}))
                    .strict(false)
                    .into(),
            ),
        ),
        (
            "a tool without strict",
            hi().tool(Tool::function(
                "now",
                "The time",
                json!({"type": "object", "properties": {}}),
            )),
        ),
        ("tool choice auto", hi().tool(weather()).tool_choice(ToolChoice::Auto)),
        ("tool choice none", hi().tool(weather()).tool_choice(ToolChoice::None)),
        ("tool choice required", hi().tool(weather()).tool_choice(ToolChoice::Required)),
        (
            "tool choice by name",
            hi().tool(weather()).tool_choice(ToolChoice::Function("weather".to_owned())),
        ),
        ("no parallel calls", hi().tool(weather()).parallel_tool_calls(false)),
        (
            "a tool's result",
            used(vec![
                asked(),
                Message::new(Role::Assistant, [call(FIRST)]),
                Message::tool_result(FIRST, "-7 degrees"),
            ]),
        ),
        (
            "results of two calls",
            used(vec![
                asked(),
                Message::new(
                    Role::Assistant,
                    [Part::text("I look it up."), call(FIRST).into(), call(SECOND).into()],
                ),
                Message::tool_result(FIRST, "-7 degrees"),
                Message::tool_result(SECOND, r#"{"degrees": -7}"#),
                Message::assistant("It is -7 degrees."),
                Message::user("And tomorrow?"),
            ]),
        ),
        (
            "a tool's failure",
            used(vec![
                asked(),
                Message::new(Role::Assistant, [call(FIRST)]),
                Message::tool_error(FIRST, "no such city"),
            ]),
        ),
        (
            "an image as a tool's result",
            used(vec![
                asked(),
                Message::new(Role::Assistant, [call(FIRST)]),
                Message::new(
                    Role::Tool,
                    [ToolResult::new(FIRST, "A picture.")
                        .with(Image::from_bytes("image/png", PIXEL))],
                ),
            ]),
        ),
        (
            "an image",
            Message::user("What is this?").with(Image::from_bytes("image/png", PIXEL)).into(),
        ),
        (
            "an image with detail",
            Message::user("What is this?")
                .with(Image::from_bytes("image/png", PIXEL).detail(ImageDetail::Low))
                .into(),
        ),
        (
            "an image by URL",
            Message::user("What is this?")
                .with(Image::from_url("https://example.com/cat.png"))
                .into(),
        ),
        (
            "a PDF",
            Message::user("Sum it up.")
                .with(Document::from_bytes("application/pdf", PDF).name("report.pdf"))
                .into(),
        ),
        (
            "a text document",
            Message::user("Sum it up.")
                .with(Document::from_bytes("text/plain", b"Snow fell.").name("notes.txt"))
                .into(),
        ),
        (
            "a document by URL",
            Message::user("Sum it up.")
                .with(Document::from_url("https://example.com/report.pdf"))
                .into(),
        ),
        (
            "a document by id",
            Message::user("Sum it up.")
                .with(Document::from_file_id("6f1c3a52-0b1e-4c55-9d0e-3a7c5d2f8e11"))
                .into(),
        ),
        (
            "JSON",
            ChatRequest::from("A person as JSON.").response_format(ResponseFormat::JsonObject),
        ),
        ("a schema", ChatRequest::from("A person.").json_schema("person", person())),
        (
            "a schema that is not strict",
            ChatRequest::from("A person.").response_format(
                JsonSchema::new("person", person()).description("Someone").strict(false),
            ),
        ),
        (
            "a schema and tools",
            ChatRequest::from("A person.").json_schema("person", person()).tool(weather()),
        ),
        ("no reasoning", hi().reasoning_effort(ReasoningEffort::None)),
        ("low reasoning", hi().reasoning_effort(ReasoningEffort::Low)),
        ("high reasoning", hi().reasoning_effort(ReasoningEffort::High)),
        (
            "reasoning sent back",
            ChatRequest::new([
                asked(),
                Message::new(
                    Role::Assistant,
                    [Part::from(reasoning(provider, format)), Part::text("Very cold.")],
                ),
                Message::user("How cold exactly?"),
            ]),
        ),
        (
            "reasoning and a call sent back",
            used(vec![
                asked(),
                Message::new(
                    Role::Assistant,
                    [Part::from(reasoning(provider, format)), call(FIRST).into()],
                ),
                Message::tool_result(FIRST, "-7 degrees"),
            ]),
        ),
        (
            "a refusal sent back",
            ChatRequest::new([
                Message::user("Do something bad."),
                Message::new(Role::Assistant, [Part::Refusal("I cannot do that.".to_owned())]),
                Message::user("Why?"),
            ]),
        ),
        (
            "a cache point",
            ChatRequest::new([
                Message::system("A long text.").with(Part::CachePoint(CacheTtl::Short)),
                Message::user("Sum it up."),
            ]),
        ),
    ];
    let streams = [
        ("plain", hi()),
        ("a tool", hi().tool(weather())),
        ("a schema", ChatRequest::from("A person.").json_schema("person", person())),
    ];
    let completions = [
        ("plain", hi()),
        ("settings", hi().max_output_tokens(20).temperature(0.5).top_p(0.9).stop("END").seed(7)),
        ("log probabilities", hi().logprobs(2)),
        ("two choices", hi().n(2)),
        ("suffix", hi().extra("suffix", " Goodbye.")),
    ];
    let case = |delivery| move |(name, request)| Case { name, request, delivery };
    let whole = whole.into_iter().map(case(Delivery::Whole));
    let streams = streams.into_iter().map(case(Delivery::Stream));
    // Few others have text completions.
    let completions = completions.into_iter().filter(|_| provider == "openai");
    let completions = completions.map(case(Delivery::Completion));
    whole.chain(streams).chain(completions).collect()
}

pub(crate) fn embeddings(provider: &str) -> [(&'static str, EmbedRequest); 7] {
    let two = || EmbedRequest::new(["Snow fell.", "It is cold."]);
    // Cohere's models need an input type.
    let typed = |request: EmbedRequest| match provider {
        "cohere" => request.input_type(InputType::Document),
        _ => request,
    };
    [
        ("one text", typed(EmbedRequest::from("Snow fell."))),
        ("two texts", typed(two())),
        ("dimensions", typed(two().dimensions(256))),
        ("a query", two().input_type(InputType::Query)),
        ("a document", two().input_type(InputType::Document)),
        ("truncation", typed(two().truncation(Truncation::End))),
        ("no truncation", typed(two().truncation(Truncation::Off))),
    ]
}
