//! Asks one question and prints the answer, what it used and how long it took.
//!
//! ```text
//! cargo run --example quickstart -- "What is the capital of France?"
//! ```
//!
//! With `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` set it asks that provider; with
//! `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` whatever server is there, with a key
//! or without; with none of these the loopback provider, which needs no network.
//! `TOLLGATE_MODEL` names another model than the default.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use tollgate::testing::{Loopback, Reply};
use tollgate::{Client, Provider};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let question = if words.is_empty() {
        "What is the capital of France?".to_owned()
    } else {
        words.join(" ")
    };
    match ask(&question) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(question: &str) -> Result<(), Box<dyn Error>> {
    // Kept until the answer is there: dropping it stops the server.
    let mut loopback = None;
    let builder = match provider_from_environment() {
        Some(provider) => {
            let builder = Client::builder().provider(provider).model(model(provider));
            let key = match provider {
                Provider::Anthropic => "ANTHROPIC_API_KEY",
                _ => "OPENAI_API_KEY",
            };
            // A server of one's own often asks for no key.
            if is_set(key) { builder } else { builder.without_api_key() }
        }
        None => {
            println!("No key and no base URL in the environment: asking the loopback provider.\n");
            let server = loopback.insert(start_loopback()?);
            Client::builder()
                .provider(Provider::OpenAi)
                .model(model(Provider::OpenAi))
                .api_key("not-a-real-key")
                .base_url(server.base_url(Provider::OpenAi))
        }
    };
    let client = builder.build()?;
    let response = client.chat(question)?;

    println!("{}\n", response.text().trim());
    let usage = response.usage;
    println!("model   {} ({})", response.model, response.provider);
    println!(
        "usage   {} prompt + {} completion = {} tokens",
        usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    );
    println!("finish  {}", response.finish_reason);
    println!("time    {:.1?}, {} attempt(s)", response.latency, response.attempts().len());
    Ok(())
}

fn is_set(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| !value.trim().is_empty())
}

fn provider_from_environment() -> Option<Provider> {
    [
        ("OPENAI_API_KEY", Provider::OpenAi),
        ("OPENAI_BASE_URL", Provider::OpenAi),
        ("ANTHROPIC_API_KEY", Provider::Anthropic),
        ("ANTHROPIC_BASE_URL", Provider::Anthropic),
    ]
    .into_iter()
    .find_map(|(variable, provider)| is_set(variable).then_some(provider))
}

fn model(provider: Provider) -> String {
    let default = match provider {
        Provider::Anthropic => "claude-haiku-4-5",
        _ => "gpt-4o-mini",
    };
    env::var("TOLLGATE_MODEL").unwrap_or_else(|_| default.to_owned())
}

fn start_loopback() -> std::io::Result<Loopback> {
    let server = Loopback::start()?;
    server.on(
        |request| request.body_contains("capital of France"),
        Reply::text("The capital of France is Paris."),
    );
    Ok(server)
}
