//! A conversation in the terminal. Answers appear as the model writes them, with the cost below
//! each one. Ctrl-C stops the answer, not the program.
//!
//! ```text
//! cargo run --example chat
//! ```
//!
//! Ctrl-D, Ctrl-C at the prompt or `/quit` leaves; `/new` starts a new conversation. The
//! environment decides which provider it asks, see `environment/mod.rs`; the loopback provider
//! only repeats what you write.

mod environment;

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tollgate::testing::{Loopback, Reply};
use tollgate::{
    CancelToken, ChatRequest, ChatResponse, Client, CostSource, Message, StreamEvent, UsageSource,
};

/// What Ctrl-C stops: the answer in progress, if there is one.
type Current = Arc<Mutex<Option<CancelToken>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = None;
    let client = environment::client(&mut server, loopback)?.build()?;
    let current = Current::default();
    ctrlc::set_handler({
        let current = Arc::clone(&current);
        move || match &*current.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(answer) => answer.cancel(),
            None => {
                println!();
                process::exit(0);
            }
        }
    })?;

    let mut conversation = Vec::new();
    while let Some(line) = ask()? {
        match line.trim() {
            "" => {}
            "/quit" => break,
            "/new" => conversation.clear(),
            question => {
                conversation.push(Message::user(question));
                let token = CancelToken::new();
                set(&current, Some(token.clone()));
                let answer = answer(&client, &conversation, &token);
                set(&current, None);
                match answer? {
                    Some(message) => conversation.push(message),
                    // Without an answer, the question leaves the conversation, too.
                    None => drop(conversation.pop()),
                }
            }
        }
    }
    if io::stdin().is_terminal() {
        println!();
    }
    Ok(())
}

fn set(current: &Current, token: Option<CancelToken>) {
    *current.lock().unwrap_or_else(PoisonError::into_inner) = token;
}

/// The next line; `None` at the end of the input.
fn ask() -> io::Result<Option<String>> {
    if io::stdin().is_terminal() {
        print!("> ");
        io::stdout().flush()?;
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

/// Prints an answer as it arrives. Returns as much of it as arrived, if anything did: a failed
/// call ends neither the program nor the conversation.
fn answer(
    client: &Client,
    conversation: &[Message],
    token: &CancelToken,
) -> io::Result<Option<Message>> {
    let asked = Instant::now();
    let request = ChatRequest::new(conversation.iter().cloned()).cancel_token(token);
    let mut stream = match client.stream(request) {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("[{error}]\n");
            return Ok(None);
        }
    };
    let first = asked.elapsed();
    let mut out = io::stdout().lock();
    let mut end = None;
    for event in &mut stream {
        match event {
            Ok(StreamEvent::TextDelta(text) | StreamEvent::RefusalDelta(text)) => {
                write!(out, "{text}")?;
                out.flush()?;
            }
            Ok(_) => {}
            Err(error) => end = Some(error),
        }
    }
    let response = stream.partial();
    let used = used(&response, client);
    let (first, all) = (first.as_secs_f64(), response.latency.as_secs_f64());
    match end {
        None => writeln!(out, "\n[{used}; {first:.2} s to the first, {all:.2} s]\n")?,
        Some(error) if error.is_cancelled() => writeln!(out, "\n[stopped; {used}]\n")?,
        Some(error) => writeln!(out, "\n[{error}; {used}]\n")?,
    }
    Ok(if response.message.content.is_empty() { None } else { Some(response.message) })
}

/// The tokens and cost of an answer, and the cost of all answers so far.
fn used(response: &ChatResponse, client: &Client) -> String {
    let usage = response.usage;
    let about = if usage.source == UsageSource::Reported { "" } else { "about " };
    let tokens = format!("{about}{} + {} tokens", usage.prompt_tokens, usage.completion_tokens);
    let Some(cost) = response.cost else { return tokens };
    // The provider does not report the usage of an answer that was stopped.
    let is_known = matches!(cost.source, CostSource::Priced | CostSource::Reported);
    let about = if is_known { "" } else { "about " };
    format!("{tokens}, {about}{cost:.6}, {:.6} in all", client.costs().total.cost)
}

fn loopback() -> io::Result<Loopback> {
    let server = Loopback::start()?;
    server.respond(|request| {
        let said = request.messages().last()?["content"].as_str()?.to_owned();
        let reply = format!(
            "I am only the loopback provider. All I can do is repeat slowly what you said. You said: \
             {said}"
        );
        Some(Reply::text(reply).chunk_delay(Duration::from_millis(60)))
    });
    Ok(server)
}
