//! Ctrl-C cancels the calls in progress, and the program cleans up after them.
//!
//! ```text
//! cargo run --example cancel -- "Write a very long story."
//! ```
//!
//! One token covers every call of the program, here three at once; `ctrl_c/mod.rs` connects it to
//! Ctrl-C. A second Ctrl-C ends the program at once. The environment decides which provider it
//! asks, see `environment/mod.rs`; the loopback provider takes a minute for every answer.

mod ctrl_c;
mod environment;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ctrl_c::INTERRUPTED;
use tollgate::testing::{Loopback, Reply};
use tollgate::{CancelToken, ChatRequest, Client};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let question = env::args().nth(1).unwrap_or_else(|| "Write a very long story.".to_owned());
    let mut server = None;
    let client = environment::client(&mut server, loopback)?.build()?;

    let interrupted = ctrl_c::token()?;

    println!("Asking three questions at once; press Ctrl-C to stop.");
    thread::scope(|scope| {
        for number in 1..=3 {
            let (client, question, interrupted) = (&client, &question, &interrupted);
            scope.spawn(move || ask(client, number, question, interrupted));
        }
    });
    let pool = client.pool().total;
    println!("Done; {} connections in use, {} idle.", pool.active, pool.idle);
    Ok(if interrupted.is_cancelled() { INTERRUPTED.into() } else { ExitCode::SUCCESS })
}

fn ask(client: &Client, number: u32, question: &str, interrupted: &CancelToken) {
    let begun = Instant::now();
    let request = ChatRequest::from(question).cancel_token(interrupted);
    match client.chat(request) {
        Ok(response) => println!("{number}: {}", response.text().trim()),
        Err(error) if error.is_cancelled() => {
            println!("{number}: stopped after {:.1?}", begun.elapsed());
        }
        Err(error) => println!("{number}: {error}"),
    }
}

fn loopback() -> std::io::Result<Loopback> {
    let server = Loopback::start()?;
    server.default_reply(Reply::text("Once upon a time.").delay(Duration::from_secs(60)));
    Ok(server)
}
