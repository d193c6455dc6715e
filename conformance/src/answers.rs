//! Calls a server that answers, and checks what can be checked of any answer.

use serde_json::{Value, json};
use std::fmt::Debug;
use tollgate::provider::Profile;
use tollgate::{
    ChatRequest, ChatResponse, Client, EmbedRequest, Error, ErrorKind, Message, StreamEvent,
    ToolCall,
};

use crate::arguments::Arguments;
use crate::cases::weather;
use crate::report::{Outcome, Report};

/// The faults of aimock, each a header with the probability.
const FAULTS: [&str; 3] =
    ["x-aimock-chaos-drop", "x-aimock-chaos-malformed", "x-aimock-chaos-disconnect"];

/// What the fixtures of a scripted server say.
pub(crate) const PARIS: &str = "Paris it is, said the mock.";
pub(crate) const CITIES: [&str; 2] = [r#"{"city":"Oslo"}"#, r#"{"city":"Rome"}"#];
const TOKENS: (u64, u64) = (11, 7);

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let calls = Calls::new(arguments)?;
    chats(&calls, report);
    if arguments.faults {
        faults(&calls, report)?;
    }
    if arguments.errors {
        errors(arguments, report)?;
    }
    others(&calls, report);
    Ok(())
}

pub(crate) struct Calls<'a> {
    pub(crate) client: Client,
    arguments: &'a Arguments,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(arguments: &'a Arguments) -> Result<Self, String> {
        Ok(Self { client: arguments.client(&arguments.base_url)?, arguments })
    }

    pub(crate) fn request(&self, prompt: &str) -> ChatRequest {
        let mut request = ChatRequest::from(prompt);
        request.wire_format = self.arguments.format;
        request.max_output_tokens(32)
    }

    pub(crate) fn capital(&self) -> ChatRequest {
        self.request("What is the capital of France?").system("Answer in one word.")
    }
}

fn chats(calls: &Calls<'_>, report: &mut Report) {
    let client = &calls.client;
    let scripted = calls.arguments.scripted;
    let think = || calls.request("Please think.");
    let tools = || calls.request("How is the weather?").tool(weather());
    for streamed in [false, true] {
        let ask = |request: &ChatRequest| {
            if streamed { by_stream(client, request) } else { client.chat(request) }
        };
        let name = |case: &str| format!("{case}{}", if streamed { ", streamed" } else { "" });
        let expect = |right: bool, answer: &ChatResponse| {
            let usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens);
            // aimock's Ollama reports no tokens.
            let counted = usage == TOKENS || calls.arguments.provider == "ollama";
            if !scripted || right && counted {
                Outcome::Accepted(described(answer))
            } else {
                Outcome::Rejected(format!("another answer: {}", described(answer)))
            }
        };
        report.run(&name("plain"), || {
            outcome(ask(&calls.capital()), |answer| expect(answer.text() == PARIS, answer))
        });
        report.run(&name("reasoning"), || {
            outcome(ask(&think()), |answer| {
                expect(answer.text() == "42" && !answer.message.reasoning().is_empty(), answer)
            })
        });
        report.run(&name("tools"), || {
            outcome(ask(&tools()), |answer| {
                let arguments = answer.tool_calls().map(|call| call.arguments.as_str());
                if !arguments.eq(CITIES) && scripted {
                    return expect(false, answer);
                }
                let requested: Vec<ToolCall> = answer.tool_calls().cloned().collect();
                if requested.is_empty() {
                    return Outcome::Accepted(format!("no call: {}", described(answer)));
                }
                let mut request = tools();
                request.messages.push(answer.message.clone());
                let results =
                    requested.iter().map(|call| Message::tool_result(&*call.id, "Sunny."));
                request.messages.extend(results);
                outcome(ask(&request), |after| expect(after.text() == "Sunny in both.", after))
            })
        });
    }
}

/// Faults that aimock makes: an error, answers that end too early, and broken ones.
fn faults(calls: &Calls<'_>, report: &mut Report) -> Result<(), String> {
    let client = &calls.client;
    for (case, prompt, kind) in [
        ("an error", "Please fail.", ErrorKind::RateLimited),
        ("an unknown prompt", "Nobody expects this.", ErrorKind::NotFound),
    ] {
        let request = calls.request(prompt);
        report.run(case, || failure(client.chat(&request), &[kind]));
        report.run(&format!("{case}, streamed"), || failure(by_stream(client, &request), &[kind]));
    }
    for (case, prompt) in [
        ("a stream cut short", "Please stop early."),
        ("a stream that breaks off", "Please hang up."),
    ] {
        let broken = [ErrorKind::Truncated, ErrorKind::Connection];
        report.run(case, || failure(by_stream(client, &calls.request(prompt)), &broken));
    }
    for fault in FAULTS {
        let builder = calls.arguments.builder(&calls.arguments.base_url).header(fault, "1");
        let client = builder.build().map_err(|error| error.to_string())?;
        report.run(fault, || failure(client.chat(calls.capital()), &[]));
        report.run(&format!("{fault}, streamed"), || {
            failure(by_stream(&client, &calls.capital()), &[])
        });
    }
    Ok(())
}

/// Mistakes of a caller, at a server that checks keys and models.
fn errors(arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let no_key: fn(&mut Arguments) = |arguments| "sk-wrong".clone_into(&mut arguments.key);
    let no_model: fn(&mut Arguments) = |arguments| "no-such".clone_into(&mut arguments.model);
    for (case, change, kinds) in [
        ("a wrong key", no_key, [ErrorKind::Authentication].as_slice()),
        ("an unknown model", no_model, &[ErrorKind::NotFound, ErrorKind::InvalidRequest]),
    ] {
        let mut arguments = arguments.clone();
        change(&mut arguments);
        let calls = Calls::new(&arguments)?;
        let request = calls.request("Hello.");
        report.run(case, || failure(calls.client.chat(&request), kinds));
        report.run(&format!("{case}, streamed"), || {
            failure(by_stream(&calls.client, &request), kinds)
        });
    }
    Ok(())
}

/// What is no chat.
fn others(calls: &Calls<'_>, report: &mut Report) {
    let Calls { client, arguments } = calls;
    let profile = Profile::builtin(&arguments.provider);
    if profile.is_some_and(|profile| profile.embeddings.is_some()) {
        let model = arguments.embedding_model.as_ref().unwrap_or(&arguments.model);
        for texts in [1, 3] {
            report.run(&format!("embeddings of {texts}"), || {
                let texts = ["Snow fell.", "It is cold.", "Ice."].into_iter().take(texts);
                let count = texts.len();
                let mut request = EmbedRequest::new(texts).model(model);
                if ["cohere", "bedrock"].contains(&&*arguments.provider) {
                    request = request.input_type(tollgate::embed::InputType::Document);
                }
                outcome(client.embed(request), |rows| {
                    let said = format!("{} of {}", rows.len(), rows.dimension());
                    if rows.len() == count {
                        Outcome::Accepted(said)
                    } else {
                        Outcome::Rejected(said)
                    }
                })
            });
        }
    }
    report.run("models", || {
        outcome(client.models(&*arguments.provider), |models| {
            let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).take(5).collect();
            if ids.is_empty() {
                return Outcome::Rejected("an empty list".to_owned());
            }
            Outcome::Accepted(format!("{}: {}", models.len(), ids.join(", ")))
        })
    });
    report.run("token count", || {
        let count = client.count_tokens(calls.capital());
        outcome(count, |count| Outcome::Accepted(format!("{count:?}")))
    });
    if arguments.moderation {
        report.run("moderation", || {
            let body = json!({"model": "omni-moderation-latest", "input": "Some text."});
            outcome(client.post("/moderations", body), |answer| {
                let body: Value = answer.json().unwrap_or_default();
                match body["results"][0]["flagged"].as_bool() {
                    Some(flagged) => Outcome::Accepted(format!("flagged: {flagged}")),
                    None => Outcome::Rejected(body.to_string()),
                }
            })
        });
    }
}

/// An error without attempts was raised before anything was sent.
pub(crate) fn outcome<T>(called: Result<T, Error>, check: impl FnOnce(&T) -> Outcome) -> Outcome {
    match called {
        Ok(answer) => check(&answer),
        Err(error) if error.attempts().is_empty() => Outcome::Refused(error.to_string()),
        Err(error) => Outcome::Rejected(error.to_string()),
    }
}

/// The call must fail, with one of these kinds if there are any.
pub(crate) fn failure<T: Debug>(called: Result<T, Error>, kinds: &[ErrorKind]) -> Outcome {
    match called {
        Err(error) if kinds.is_empty() || kinds.contains(&error.kind()) => {
            Outcome::Accepted(format!("{}: {error}", error.kind()))
        }
        Err(error) => Outcome::Rejected(format!("not {kinds:?} but {}: {error}", error.kind())),
        Ok(_) => Outcome::Rejected("the call succeeds".to_owned()),
    }
}

pub(crate) fn described(answer: &ChatResponse) -> String {
    let mut words = format!("{:?}", answer.text());
    if !answer.message.reasoning().is_empty() {
        words += &format!(", reasoning {:?}", answer.message.reasoning());
    }
    for call in answer.tool_calls() {
        words += &format!(", {}({}) {:?}", call.name, call.arguments, call.id);
    }
    let usage = &answer.usage;
    words
        + &format!(
            ", {:?}, {} + {} tokens ({:?})",
            answer.finish_reason, usage.prompt_tokens, usage.completion_tokens, usage.source
        )
}

/// Reads a stream. Its events must add up to its answer.
pub(crate) fn by_stream(client: &Client, request: &ChatRequest) -> Result<ChatResponse, Error> {
    let mut stream = client.stream(request)?;
    let mut text = String::new();
    for event in stream.by_ref() {
        if let StreamEvent::TextDelta(more) = event? {
            text += &more;
        }
    }
    let answer = stream.finish()?;
    assert_eq!(text, answer.text(), "the events of a stream add up to its answer");
    Ok(answer)
}
