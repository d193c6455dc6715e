//! Waits until one of several streams has an event.

use std::time::{Duration, Instant};

use crossbeam_channel::Select;

use super::ChatStream;

/// What [`select`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// The stream with this index is ready: its [`next`](Iterator::next) returns at once, with
    /// an event or an error.
    Ready(usize),
    /// No stream was ready in time.
    TimedOut,
    /// All streams have ended.
    AllEnded,
}

/// Waits for at most `timeout` until one of several streams has an event or an error.
///
/// It skips streams that [have ended](ChatStream::is_ended). If several are ready, it picks one
/// at random, so that a busy stream cannot starve the others.
///
/// ```no_run
/// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
/// use std::time::Duration;
/// use tollgate::{Selected, StreamEvent, select};
///
/// let mut streams = [client.stream("Praise the sea.")?, client.stream("Praise the hills.")?];
/// loop {
///     match select(&streams, Duration::from_secs(1)) {
///         Selected::Ready(ready) => {
///             if let Some(StreamEvent::TextDelta(text)) = streams[ready].next().transpose()? {
///                 println!("{ready}: {text}");
///             }
///         }
///         Selected::AllEnded => break,
///         Selected::TimedOut => println!("(thinking)"),
///     }
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
pub fn select<'a>(
    streams: impl IntoIterator<Item = &'a ChatStream>,
    timeout: Duration,
) -> Selected {
    let streams: Vec<_> =
        streams.into_iter().enumerate().filter(|(_, stream)| !stream.is_ended()).collect();
    let ready: Vec<_> = streams.iter().filter(|(_, stream)| stream.is_ready()).collect();
    if let Some((number, _)) = fastrand::choice(ready) {
        return Selected::Ready(*number);
    }
    if streams.is_empty() {
        return Selected::AllEnded;
    }
    let mut select = Select::new();
    for (_, stream) in &streams {
        select.recv(&stream.receiver);
    }
    let which = match Instant::now().checked_add(timeout) {
        Some(at) => select.ready_deadline(at).ok(),
        None => Some(select.ready()),
    };
    match which.and_then(|which| streams.get(which)) {
        Some((number, _)) => Selected::Ready(*number),
        None => Selected::TimedOut,
    }
}

impl ChatStream {
    /// Whether the next event need not be waited for.
    fn is_ready(&self) -> bool {
        // Also when the reader has hung up.
        let has_come = || {
            let mut select = Select::new();
            select.recv(&self.receiver);
            select.try_ready().is_ok()
        };
        self.batch.len() > 0
            || has_come()
            || self.cancel.as_ref().is_some_and(crate::CancelToken::is_cancelled)
    }
}
