//! Waits until one of several streams has an event.

use std::task::Poll;
use std::time::{Duration, Instant};

use crossbeam_channel::Select;

use super::ChatStream;

/// Waits until one of several streams has something to say, and returns which: its
/// [`next`](Iterator::next) then returns at once, with an event or an error.
///
/// Streams that [have ended](ChatStream::is_ended) are passed over; `Ready(None)` when
/// all have. `Pending` when `timeout` has passed and none was ready. Where several are
/// ready, chance decides, so that a busy one keeps none waiting.
///
/// ```no_run
/// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
/// use std::task::Poll;
/// use std::time::Duration;
/// use tollgate::{StreamEvent, select};
///
/// let mut streams = [client.stream("Praise the sea.")?, client.stream("Praise the hills.")?];
/// loop {
///     match select(&streams, Duration::from_secs(1)) {
///         Poll::Ready(Some(ready)) => {
///             if let Some(StreamEvent::TextDelta(text)) = streams[ready].next().transpose()? {
///                 println!("{ready}: {text}");
///             }
///         }
///         Poll::Ready(None) => break,
///         Poll::Pending => println!("(thinking)"),
///     }
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
pub fn select<'a>(
    streams: impl IntoIterator<Item = &'a ChatStream>,
    timeout: Duration,
) -> Poll<Option<usize>> {
    let streams: Vec<_> =
        streams.into_iter().enumerate().filter(|(_, stream)| !stream.is_ended()).collect();
    let ready: Vec<_> = streams.iter().filter(|(_, stream)| stream.is_ready()).collect();
    if let Some((number, _)) = fastrand::choice(ready) {
        return Poll::Ready(Some(*number));
    }
    if streams.is_empty() {
        return Poll::Ready(None);
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
        Some((number, _)) => Poll::Ready(Some(*number)),
        None => Poll::Pending,
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
