//! The decisions of a run: which item is sent next, and which result is yielded. No threads, no
//! clock.

use std::collections::VecDeque;
use std::time::Instant;

use super::held::Held;
use super::pace::{Pace, Round};
use super::verdict::Again;
use super::window::Window;

/// The items of a run that have been read: those that are sent, those that wait, and the results.
#[derive(Debug)]
pub(super) struct Core<J, R> {
    window: Window<R>,
    pace: Pace,
    held: Held<J>,
    /// Items that wait for the pace: sent too early, before it fell, or not answered by their batch.
    put_back: VecDeque<J>,
    /// How many items the workers have, in flight and in their queue.
    sent: usize,
    /// How many items are in batches, or wait to be submitted. They have no pace.
    in_batches: usize,
    /// How many calls have ended that may have released money.
    released: u64,
    workers: usize,
}

/// What had happened when an item was sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Begun {
    round: Round,
    released: u64,
}

impl<J, R> Core<J, R> {
    pub(super) fn new(workers: usize, look_ahead: usize, ordered: bool) -> Self {
        Self {
            window: Window::new(look_ahead, ordered),
            pace: Pace::new(workers),
            held: Held::default(),
            put_back: VecDeque::new(),
            sent: 0,
            in_batches: 0,
            released: 0,
            workers,
        }
    }

    /// Adds an item that has been read, and returns its number.
    pub(super) fn add(&mut self) -> u64 {
        self.window.add()
    }

    /// Whether another item may be read. `for_batch` says whether it will be submitted in a batch.
    pub(super) fn may_read(&self, for_batch: bool) -> bool {
        self.window.has_room() && (for_batch || self.may_send())
    }

    /// Whether the workers may get another item. While nothing slows the run down, they also get
    /// spare ones.
    fn may_send(&self) -> bool {
        self.pace.limit().is_none_or(|limit| self.sent < limit)
    }

    /// Whether the workers have more items than the pace allows.
    pub(super) fn has_too_many(&self) -> bool {
        self.pace.limit().is_some_and(|limit| self.sent > limit)
    }

    /// Takes an item back that no worker has begun.
    pub(super) fn recall(&mut self, item: J) {
        self.sent -= 1;
        self.put_back(item);
    }

    /// Keeps an item until the pace allows it to be sent: one that a worker gave back without
    /// beginning it, or that no batch answers.
    pub(super) fn put_back(&mut self, item: J) {
        self.put_back.push_back(item);
    }

    /// An item that is sent before any other is read.
    pub(super) fn take_waiting(&mut self, now: Instant) -> Option<J> {
        if !self.may_send() {
            return None;
        }
        self.put_back.pop_front().or_else(|| self.held.take_due(now))
    }

    /// Notes that the workers get an item.
    pub(super) fn send(&mut self) -> Begun {
        self.sent += 1;
        Begun { round: self.pace.round(), released: self.released }
    }

    /// How many items the workers have.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// Notes that an item is submitted instead of sent.
    pub(super) fn enter_batch(&mut self) {
        self.in_batches += 1;
    }

    /// Notes that a batch is done with an item.
    pub(super) fn leave_batch(&mut self) {
        self.in_batches -= 1;
    }

    /// How many items are in batches, or wait to be submitted.
    pub(super) fn in_batches(&self) -> usize {
        self.in_batches
    }

    /// Notes that a worker is done with an item. `limited` says whether its call met a rate limit;
    /// `None` if there was no call.
    pub(super) fn returned(&mut self, begun: Begun, limited: Option<bool>) {
        self.sent -= 1;
        match limited {
            Some(true) => self.pace.limited(begun.round),
            Some(false) => self.pace.answered(),
            None => {}
        }
    }

    /// Notes that a call has ended that may have held money.
    pub(super) fn released(&mut self, now: Instant) {
        self.released += 1;
        self.held.call_ended(now);
    }

    /// Holds an item until it is sent again.
    pub(super) fn hold(&mut self, item: J, begun: Begun, again: Again, now: Instant) {
        let again = match again {
            // A call has ended since it was refused, or shortly before.
            Again::Released { not_before } if self.released > begun.released => {
                Again::After(not_before)
            }
            again => again,
        };
        self.held.hold(item, again, now);
    }

    /// Notes the result of an item.
    pub(super) fn finish(&mut self, number: u64, result: R) {
        self.window.finish(number, result);
    }

    /// The next result to yield.
    pub(super) fn pop(&mut self) -> Option<R> {
        self.window.pop()
    }

    /// Takes an item that no worker has, because the run stops.
    pub(super) fn take_any(&mut self) -> Option<J> {
        self.put_back.pop_front().or_else(|| self.held.take())
    }

    /// Notes that the workers' queue gave an item back, because the run stops.
    pub(super) fn unsend(&mut self) {
        self.sent -= 1;
    }

    /// When to look again, if no call ends before.
    pub(super) fn wake(&self) -> Option<Instant> {
        if self.may_send() { self.held.next_due() } else { None }
    }

    /// Whether everything that was read has been yielded.
    pub(super) fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// How many items wait, and how many calls may be in flight.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.held.len() + self.put_back.len(), self.pace.limit().unwrap_or(self.workers))
    }
}

#[cfg(test)]
mod tests;
