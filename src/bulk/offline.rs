//! Runs without a network, to measure what a run itself costs.

use super::Run;
use super::settings::Settings;
use super::shell::Shell;
use super::task::Chats;
use crate::chat::{ChatRequest, ChatResponse};
use crate::error::Error;
use crate::journal::Journal;

/// Runs items in bulk whose calls are `call`, and returns how many got an answer.
///
/// # Errors
///
/// If the journal cannot be used.
pub fn run_bulk(
    ids: impl Iterator<Item = String> + 'static,
    workers: usize,
    call: impl Fn() -> ChatResponse + Send + Sync + 'static,
    journal: Option<Journal>,
) -> Result<u64, Error> {
    let settings = Settings { workers, journal, ..Settings::default() };
    let items = ids.map(|id| (id, Box::new(ChatRequest::from("Describe a teapot."))));
    let call = Box::new(move |_: &ChatRequest| Ok(call()));
    let run = Shell::<Chats, ChatResponse>::start(Box::new(items), call, Box::new(Ok), settings)?;
    Ok(Run::new(run).map(|(_, result)| u64::from(result.is_ok())).sum())
}
