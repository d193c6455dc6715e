//! The read buffer of a connection.

use std::mem;

/// The size of the buffer while it waits. Most answers fit, head and body, and so do the bytes of a
/// stream that arrive together.
const START: usize = 8 * 1024;

/// The size of the buffer after a read filled it. A stream's reader passes on what one read brings,
/// so this also bounds how far it reads ahead of a slow caller.
const LARGEST: usize = 16 * 1024;

/// The bytes of a response that were received but not used yet.
///
/// The buffer grows when a read fills it, because more is probably waiting. It shrinks again before
/// a wait, so that many idle connections and slow streams need little memory.
#[derive(Default)]
pub(super) struct Input {
    /// Empty before the first read.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes came with the last read.
    last: usize,
}

impl Input {
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Drops the first `length` bytes.
    pub(super) fn consume(&mut self, length: usize) {
        self.start += length.min(self.end - self.start);
    }

    /// Where the next bytes go. It is never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            let wanted = self.wanted();
            if wanted != self.bytes.len() {
                // Frees the old one first.
                self.bytes = Vec::new();
                self.bytes = vec![0; wanted];
            }
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            // What is unread may be larger than `LARGEST`, if it is a head.
            if self.end > self.bytes.len() / 2 {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
        }
        self.last = 0;
        &mut self.bytes[self.end..]
    }

    /// The size for the next read.
    fn wanted(&self) -> usize {
        let size = self.bytes.len();
        if self.last >= size {
            (size * 2).clamp(START, LARGEST.max(size))
        } else if self.last < size / 4 && size > START {
            START
        } else {
            size
        }
    }

    /// Records that `length` bytes have come.
    pub(super) fn add(&mut self, length: usize) {
        self.end += length;
        self.last = length;
    }

    /// How many bytes the buffer takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity()
    }

    /// Frees what an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        if self.start == self.end && self.bytes.len() > START {
            drop(mem::take(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bring(input: &mut Input, length: usize) -> usize {
        let room = input.room();
        let size = room.len();
        let length = length.min(size);
        room[..length].fill(7);
        input.add(length);
        size
    }

    #[test]
    fn it_grows_when_a_read_fills_it_and_shrinks_before_it_waits_again() {
        let mut input = Input::default();
        let mut sizes = Vec::new();
        for length in [100, usize::MAX, usize::MAX, usize::MAX, 5_000, 4_000, usize::MAX, 1] {
            sizes.push(bring(&mut input, length));
            let unread = input.unread().len();
            input.consume(unread);
        }
        let (low, high) = (START, LARGEST);
        assert_eq!(sizes, [low, low, high, high, high, high, low, high]);
        assert!(input.unread().is_empty());
    }

    #[test]
    fn what_is_unread_is_kept_whatever_its_size() {
        let mut input = Input::default();
        let mut expected: Vec<u8> = Vec::new();
        let mut next = 0_u8;
        for round in 0..2000 {
            let room = input.room();
            let length = room.len().min(1 + round % 700);
            for byte in &mut room[..length] {
                *byte = next;
                expected.push(next);
                next = next.wrapping_add(1);
            }
            input.add(length);
            assert_eq!(input.unread(), expected);
            // Falls behind for a while, then catches up.
            let used = if round < 600 { length / 3 } else { expected.len().min(1100) };
            input.consume(used);
            expected.drain(..used);
        }
        assert_eq!(input.unread(), expected);
        input.consume(usize::MAX);
        assert!(input.unread().is_empty());
        input.shrink();
        assert_eq!(bring(&mut input, 1), START);
    }
}
