//! The items that wait: for a budget's window, for money that calls release, or after a rate limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::verdict::Again;

/// Items that are sent again later, first come first served.
#[derive(Debug)]
pub(super) struct Held<J> {
    items: VecDeque<(Due, J)>,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    /// From when on the end of another call makes it due.
    released_from: Option<Instant>,
}

/// How long an item waits at most before it asks again. Asking is free, and the clock may be set
/// meanwhile.
const LONGEST: Duration = Duration::from_secs(300);

/// How often an item asks that waits for other calls. Those of another process give no sign.
const POLL: Duration = Duration::from_secs(1);

impl<J> Default for Held<J> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<J> Held<J> {
    pub(super) fn hold(&mut self, item: J, again: Again, now: Instant) {
        let due = match again {
            Again::After(wait) => Due { at: now + wait.min(LONGEST), released_from: None },
            Again::Released { not_before } => {
                let from = now + not_before.min(LONGEST);
                Due { at: from + POLL, released_from: Some(from) }
            }
        };
        self.items.push_back((due, item));
    }

    /// Notes that a call has ended: the first item that waits for that is due now.
    pub(super) fn call_ended(&mut self, now: Instant) {
        let waits = |(due, _): &&mut (Due, J)| due.released_from.is_some_and(|from| from <= now);
        if let Some((due, _)) = self.items.iter_mut().find(waits) {
            *due = Due { at: now, released_from: None };
        }
    }

    /// Takes the first item that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<J> {
        let place = self.items.iter().position(|(due, _)| due.at <= now)?;
        self.items.remove(place).map(|(_, item)| item)
    }

    /// When the next item is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.items.iter().map(|(due, _)| due.at).min()
    }

    /// Takes any item, due or not.
    pub(super) fn take(&mut self) -> Option<J> {
        self.items.pop_front().map(|(_, item)| item)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_item_is_due_after_its_wait() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.hold("late", Again::After(SECOND * 20), now);
        held.hold("soon", Again::After(SECOND * 5), now);
        held.hold("tomorrow", Again::After(SECOND * 86_400), now);
        assert_eq!(held.next_due(), Some(now + SECOND * 5));
        assert_eq!(held.take_due(now + SECOND * 4), None);
        assert_eq!(held.take_due(now + SECOND * 20), Some("late"), "first come, first served");
        assert_eq!(held.take_due(now + SECOND * 20), Some("soon"));
        // It asks again earlier, in case the clock was set.
        assert_eq!(held.take_due(now + LONGEST), Some("tomorrow"));
        assert_eq!((held.len(), held.next_due()), (0, None));
    }

    #[test]
    fn the_end_of_a_call_releases_one_item() {
        let (mut held, now) = (Held::default(), Instant::now());
        for name in ["first", "second"] {
            held.hold(name, Again::Released { not_before: Duration::ZERO }, now);
        }
        held.hold("not yet", Again::Released { not_before: SECOND }, now);
        held.hold("by time", Again::After(SECOND * 9), now);
        held.call_ended(now);
        assert_eq!((held.take_due(now), held.take_due(now)), (Some("first"), None));
        held.call_ended(now);
        held.call_ended(now);
        assert_eq!((held.take_due(now), held.take_due(now)), (Some("second"), None));
        held.call_ended(now + SECOND);
        assert_eq!(held.take_due(now + SECOND), Some("not yet"));
        held.call_ended(now + SECOND);
        assert_eq!(held.take_due(now + SECOND), None);
        // Without a sign it asks by itself.
        held.hold("alone", Again::Released { not_before: Duration::ZERO }, now);
        assert_eq!(held.take_due(now + POLL), Some("alone"));
    }
}
