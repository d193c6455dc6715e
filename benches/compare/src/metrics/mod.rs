//! What counting calls takes: of each call, of whoever looks, and of a whole call.

mod chats;
mod naive;
mod recording;
mod report;
mod snapshots;

pub use report::metrics;

/// Does one thing so many times, to be looked at by a profiler.
pub fn repeat(name: &str, times: usize) {
    match name {
        "snapshot" => snapshots::repeat(times),
        _ => recording::repeat(name, times),
    }
}
