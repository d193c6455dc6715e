//! A small model answers first. A larger one is asked only if a check does not accept the answer.
//!
//! ```text
//! cargo run --example cascade
//! ```
//!
//! The providers are servers in this program, so it needs no key. It ends with status 0 only if
//! every answer came from the expected model, and the costs add up.

use serde_json::json;
use std::process::ExitCode;

use tollgate::route::Route;
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, ChatResponse, Client, Money, ProviderConfig};

#[derive(serde::Deserialize)]
struct City {
    name: String,
    inhabitants: u64,
}

/// The questions, and the model that should answer each.
const QUESTIONS: [(&str, &str); 3] = [
    ("The capital of France?", "gpt-5-nano"),
    ("The capital of Bhutan?", "gpt-5-mini"),
    ("The capital of Atlantis?", "gpt-5"),
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("the cascade did not do what this example expects");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn city(name: &str, inhabitants: u64) -> Reply {
    let answer = json!({"name": name, "inhabitants": inhabitants});
    Reply::text(answer.to_string()).usage(60, 20)
}

/// Plays the provider: what each model answers to each question.
fn start() -> std::io::Result<Loopback> {
    let server = Loopback::start()?;
    server.respond(|request| {
        let asked = |word: &str| request.body_contains(word);
        Some(match request.model()? {
            _ if asked("France") => city("Paris", 2_100_000),
            // Not in the requested format.
            "gpt-5-nano" if asked("Bhutan") => Reply::text("It is Thimphu.").usage(60, 6),
            _ if asked("Bhutan") => city("Thimphu", 115_000),
            "gpt-5-nano" => Reply::refusal("I cannot help with that.").usage(60, 8),
            // In the format, but this program's own check does not accept it.
            "gpt-5-mini" => city("Poseidonis", 0),
            _ => city("Poseidonis", 50_000),
        })
    });
    Ok(server)
}

/// Asks all questions. Returns whether everything went as expected.
fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let server = start()?;
    let targets = ["openai/gpt-5-nano", "openai/gpt-5-mini", "openai/gpt-5"];
    let route = Route::cascade("cities", targets).accept(|answer: &ChatResponse| {
        let city: City = answer.parse().map_err(|error| error.to_string())?;
        match city.inhabitants {
            0 => Err("nobody lives there".to_owned()),
            _ => Ok(()),
        }
    });
    let provider =
        ProviderConfig::new("openai").api_key("test").base_url(server.base_url("openai"));
    let client = Client::builder().add_provider(provider).route(route).model("cities").build()?;

    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "inhabitants": {"type": "integer"}},
        "required": ["name", "inhabitants"],
        "additionalProperties": false
    });
    let (mut is_expected, mut total) = (true, Money::ZERO);
    for (question, expected) in QUESTIONS {
        let request = ChatRequest::from(question).json_schema("city", schema.clone());
        let response = client.chat(request)?;
        let (city, cost) = (response.parse::<City>()?, response.cost.ok_or("no price")?.total);
        println!("{question} {}, for {cost}", city.name);
        println!("{}\n", response.route().ok_or("no route")?);
        is_expected &= response.attempts().last().is_some_and(|last| last.model == expected);
        is_expected &= response.not_accepted().is_none();
        total += cost;
    }
    let report = client.costs().total.cost.total;
    println!("{} requests for {total}; the cost report says {report}", server.request_count());
    Ok(is_expected && total == report && server.request_count() == 6)
}
