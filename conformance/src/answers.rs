//! Calls a server that answers, and checks what can be checked of any answer.

use std::fmt::Display;

use tollgate::provider::Profile;
use tollgate::{
    ChatRequest, Client, EmbedRequest, Error, ErrorKind, Message, RetryConfig, StreamEvent,
    ToolCall,
};

use crate::arguments::Arguments;
use crate::cases::weather;

/// The faults of aimock, each a header with the probability.
const FAULTS: [&str; 3] =
    ["x-aimock-chaos-drop", "x-aimock-chaos-malformed", "x-aimock-chaos-disconnect"];

/// Returns how many calls failed.
pub(crate) fn run(arguments: &Arguments) -> Result<usize, String> {
    let client = arguments.builder(&arguments.base_url).build().map_err(text)?;
    let request = |prompt: &str| {
        let mut request = ChatRequest::from(prompt);
        request.wire_format = arguments.format;
        request.max_output_tokens(32)
    };
    let mut failures = 0;
    let mut report = |name: &str, outcome: Result<String, String>| {
        if !arguments.wants(name) {
            return;
        }
        match outcome {
            Ok(answer) => println!("ok      {name}: {}", answer.replace('\n', " ")),
            Err(why) => {
                failures += 1;
                println!("FAILED  {name}: {why}");
            }
        }
    };
    let system = || request("What is the capital of France?").system("Answer in one word.");
    let tools = || request("How is the weather?").tool(weather());
    report("plain", whole(&client, &system()).map(|said| said.0));
    report("streamed", streamed(&client, &system()).map(|said| said.0));
    report("reasoning", whole(&client, &request("Please think.")).map(|said| said.0));
    report("reasoning streamed", streamed(&client, &request("Please think.")).map(|said| said.0));
    report("tools", whole(&client, &tools()).and_then(|said| results(&client, tools(), said)));
    report(
        "tools streamed",
        streamed(&client, &tools()).and_then(|said| results(&client, tools(), said)),
    );
    if arguments.faults {
        let limited = |outcome: Result<Said, Error>| match outcome {
            Err(error) if error.kind() == ErrorKind::RateLimited => Ok(error.to_string()),
            other => Err(format!("not a rate limit: {:?}", other.map(|said| said.0))),
        };
        report("an error", limited(try_whole(&client, &request("Please fail."))));
        report("an error streamed", limited(try_streamed(&client, &request("Please fail."))));
        for fault in FAULTS {
            let builder = arguments.builder(&arguments.base_url).header(fault, "1");
            let client = builder.retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
            let client = client.build().map_err(text)?;
            let fails = |outcome: Result<Said, Error>| match outcome {
                Err(error) => Ok(error.to_string()),
                Ok(said) => Err(format!("no error: {:?}", said.0)),
            };
            report(fault, fails(try_whole(&client, &system())));
            report(&format!("{fault} streamed"), fails(try_streamed(&client, &system())));
        }
    }
    if Profile::builtin(&arguments.provider).is_some_and(|it| it.embeddings.is_some()) {
        let embedded = client.embed(EmbedRequest::new(["Snow fell.", "It is cold."]));
        report(
            "embeddings",
            embedded.map_err(text).map(|rows| format!("{} of {}", rows.len(), rows.dimension())),
        );
    }
    Ok(failures)
}

/// A description of an answer, and its message.
type Said = (String, Message);

fn text(error: impl Display) -> String {
    error.to_string()
}

fn whole(client: &Client, request: &ChatRequest) -> Result<Said, String> {
    try_whole(client, request).map_err(text)
}

fn streamed(client: &Client, request: &ChatRequest) -> Result<Said, String> {
    try_streamed(client, request).map_err(text)
}

fn try_whole(client: &Client, request: &ChatRequest) -> Result<Said, Error> {
    client.chat(request).map(|answer| described(&answer))
}

fn described(answer: &tollgate::ChatResponse) -> Said {
    let mut words = format!("{:?}", answer.text());
    if !answer.message.reasoning().is_empty() {
        words += &format!(", reasoning {:?}", answer.message.reasoning());
    }
    for call in answer.tool_calls() {
        words += &format!(", {}({}) {:?}", call.name, call.arguments, call.id);
    }
    let usage = &answer.usage;
    words += &format!(
        ", {:?}, {} + {} tokens ({:?})",
        answer.finish_reason, usage.prompt_tokens, usage.completion_tokens, usage.source
    );
    (words, answer.message.clone())
}

/// Reads a stream. Its events must add up to its answer.
fn try_streamed(client: &Client, request: &ChatRequest) -> Result<Said, Error> {
    let mut stream = client.stream(request)?;
    let mut text = String::new();
    for event in stream.by_ref() {
        if let StreamEvent::TextDelta(more) = event? {
            text += &more;
        }
    }
    let answer = stream.finish()?;
    let mut said = described(&answer);
    if text != answer.text() {
        said.0 += ", BUT its events have another text";
    }
    Ok(said)
}

/// Sends the results of the calls in an answer, if there are any.
fn results(client: &Client, mut request: ChatRequest, said: Said) -> Result<String, String> {
    let (words, message) = said;
    let calls: Vec<ToolCall> = message.tool_calls().cloned().collect();
    if calls.is_empty() {
        return Ok(format!("no call: {words}"));
    }
    request.messages.push(message);
    let results = calls.iter().map(|call| Message::tool_result(call.id.as_str(), "Sunny."));
    request.messages.extend(results);
    whole(client, &request).map(|(after, _)| format!("{words}; then {after}"))
}
