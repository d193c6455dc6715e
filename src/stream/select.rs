use std::time::{Duration, Instant};

use crossbeam_channel::Select;

use super::ChatStream;

/// Waits until one of several streams has something to say, and returns which: its
/// [`next`](Iterator::next) then returns at once, with an event or an error.
///
/// Streams that [have ended](ChatStream::is_ended) are passed over. `None` when
/// `timeout` has passed, or when all have ended. Where several are ready, chance
/// decides, so that a busy one keeps none waiting.
///
/// ```no_run
/// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
/// use std::time::Duration;
/// use tollgate::select;
///
/// let mut streams = [client.stream("Praise the sea.")?, client.stream("Praise the hills.")?];
/// while let Some(ready) = select(&streams, Duration::from_secs(60)) {
///     if let Some(event) = streams[ready].next() {
///         println!("{ready}: {:?}", event?);
///     }
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
pub fn select<'a>(
    streams: impl IntoIterator<Item = &'a ChatStream>,
    timeout: Duration,
) -> Option<usize> {
    let streams: Vec<_> =
        streams.into_iter().enumerate().filter(|(_, stream)| !stream.is_ended()).collect();
    let ready: Vec<_> = streams.iter().filter(|(_, stream)| stream.is_ready()).collect();
    if let Some((number, _)) = fastrand::choice(ready) {
        return Some(*number);
    }
    if streams.is_empty() {
        return None;
    }
    let mut select = Select::new();
    for (_, stream) in &streams {
        select.recv(&stream.receiver);
    }
    let which = match Instant::now().checked_add(timeout) {
        Some(at) => select.ready_deadline(at).ok()?,
        None => select.ready(),
    };
    streams.get(which).map(|(number, _)| *number)
}

impl ChatStream {
    /// Whether the next event need not be waited for.
    fn is_ready(&self) -> bool {
        self.batch.len() > 0
            || !self.receiver.is_empty()
            || self.cancel.as_ref().is_some_and(crate::CancelToken::is_cancelled)
    }
}
