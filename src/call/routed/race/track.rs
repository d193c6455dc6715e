//! `Track`: the attempts of a call that run at the same time.

use crossbeam_channel::{Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Instant;

use super::thread::Message;
use crate::call::target::Target;
use crate::cancel::CancelToken;
use crate::error::Attempt;
use crate::routing::Race;

/// The attempts in progress.
pub(super) struct Track<T> {
    pub(super) race: Race,
    pub(super) running: Vec<Running>,
    /// Without capacity, so that a result is either received or stays with its thread.
    pub(super) finish: (Sender<Message<T>>, Receiver<Message<T>>),
    /// The attempts that have ended and do not count.
    pub(super) ended: Vec<Attempt>,
}

/// An attempt on its thread, as seen by the call.
pub(super) struct Running {
    pub(super) number: u32,
    /// The place of its target in the route.
    pub(super) at: usize,
    pub(super) target: Target,
    pub(super) begun: Instant,
    /// Whether another attempt began because this one was silent.
    pub(super) is_hedged: bool,
    pub(super) cancel: CancelToken,
    /// `None` once the attempt has ended.
    pub(super) thread: Option<JoinHandle<()>>,
}

impl<T> Track<T> {
    /// The place of the attempt that is waited for.
    pub(super) fn first(&self) -> Option<usize> {
        self.running.iter().position(|running| self.race.is_first(running.number))
    }

    pub(super) fn next_number(&self) -> u32 {
        let running = self.running.iter().map(|running| running.number);
        let numbers = running.chain(self.ended.iter().map(|attempt| attempt.number));
        numbers.max().map_or(0, |number| number + 1)
    }

    /// Takes an attempt that has ended, and joins its thread.
    pub(super) fn take(&mut self, number: u32) -> Option<Running> {
        let place = self.running.iter().position(|running| running.number == number)?;
        let mut running = self.running.swap_remove(place);
        if let Some(thread) = running.thread.take() {
            // It has sent its result, which includes a panic, and has nothing else to do.
            let _ = thread.join();
        }
        Some(running)
    }
}

/// Whatever happens to the call, its attempts end.
impl<T> Drop for Track<T> {
    fn drop(&mut self) {
        self.running.iter().for_each(|running| running.cancel.cancel());
    }
}
