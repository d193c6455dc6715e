//! Asks one question. Prints the answer, its tokens, its cost and how long it took.
//!
//! ```text
//! cargo run --example quickstart -- "What is the capital of France?"
//! ```
//!
//! The environment decides which provider it asks, see `environment/mod.rs`.

mod environment;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use tollgate::testing::{Loopback, Reply};

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
    let mut server = None;
    let client = environment::client(&mut server, loopback)?.build()?;
    let response = client.chat(question)?;

    println!("{}\n", response.complete_text()?.trim());
    let usage = response.usage;
    println!("model   {} ({})", response.model, response.provider);
    println!(
        "usage   {} prompt + {} completion = {} tokens",
        usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    );
    if let Some(cost) = response.cost {
        println!("cost    {cost}");
    }
    println!("finish  {}", response.finish_reason);
    println!("time    {:.1?}, {} attempt(s)", response.latency, response.attempts().len());
    Ok(())
}

fn loopback() -> std::io::Result<Loopback> {
    let server = Loopback::start()?;
    server.on(
        |request| request.body_contains("capital of France"),
        Reply::text("The capital of France is Paris."),
    );
    Ok(server)
}
