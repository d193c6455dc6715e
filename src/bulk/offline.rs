//! Runs whose calls need no network, to measure what a run itself costs.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::settings::Settings;
use super::shell::Shell;
use super::task::Chats;
use super::worker::Call;
use crate::chat::{ChatRequest, ChatResponse};
use crate::error::Error;
use crate::journal::Journal;

/// Runs items that all get `answer` after `delay`, and returns how many got it.
pub(crate) fn run(
    items: u64,
    workers: usize,
    answer: &ChatResponse,
    delay: Duration,
    journal: Option<&Path>,
) -> Result<u64, Error> {
    let answer = answer.clone();
    let call: Call<Chats> = Box::new(move |_| {
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        Ok(answer.clone())
    });
    let settings = Settings {
        workers,
        look_ahead: workers * 4,
        journal: journal.map(Journal::new),
        ..Settings::default()
    };
    let items = (0..items).map(|id| (id.to_string(), ChatRequest::from("Describe a teapot.")));
    let run = Shell::<Chats, ChatResponse>::start(Box::new(items), call, Box::new(Ok), settings)?;
    Ok(super::Run::new(run).map(|(_, result)| u64::from(result.is_ok())).sum())
}
