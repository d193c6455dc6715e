//! The subscription to cost events: spending, alerts and refusals.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use serde::{Deserialize, Serialize};

use super::{BudgetAlert, BudgetRefusal, CallRecord};
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// How many events may wait for a reader before further ones are dropped: some seconds
/// of a busy client, in about a mebibyte.
const WAITING: usize = 1024;

/// Something that happened to the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
// Events travel behind a pointer, and a call is what nearly all of them are.
#[allow(clippy::large_enum_variant)]
pub enum CostEvent {
    /// A call was booked.
    Spent(CallRecord),
    /// A budget reached one of its thresholds.
    Alert(BudgetAlert),
    /// A budget refused a call, or a further attempt of one.
    ///
    /// None is sent of a call that was refused because its price is not known or nothing
    /// bounds what it can use: no budget is short of money then, and there is nothing to tell
    /// but the error. The report [counts](crate::CostReport::refused) these, too.
    Refused(BudgetRefusal),
}

/// What happens to the money, as it happens: made by
/// [`CostTracker::events`](crate::CostTracker::events).
///
/// ```
/// use tollgate::{CostEvent, CostTracker, Usage};
///
/// let costs = CostTracker::new();
/// let mut events = costs.events();
/// costs.track_usage("openai", "gpt-4o-mini", &Usage::reported(1_000, 200))?;
/// match events.try_next() {
///     Some(CostEvent::Spent(call)) => println!("{}: {:?}", call.model, call.cost),
///     Some(CostEvent::Alert(alert)) => println!("{alert}"),
///     Some(CostEvent::Refused(refusal)) => println!("{refusal}"),
///     _ => {}
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// An iterator that waits for the next event, and ends when the client and all its clones
/// are gone; a loop over it belongs into a thread that holds none of them. A reader that
/// falls behind by 1,024 events [misses](Self::missed) those that follow until it
/// has caught up: no call ever waits for it. Dropping it ends the subscription.
#[must_use = "events are only kept for one who reads them"]
pub struct CostEvents {
    receiver: Receiver<Arc<CostEvent>>,
    missed: Arc<AtomicU64>,
}

impl CostEvents {
    /// The next event if one waits, without waiting for it. `None` also when no more will
    /// come; [`next_timeout`](Self::next_timeout) tells the two apart.
    pub fn try_next(&mut self) -> Option<CostEvent> {
        self.receiver.try_recv().ok().map(Arc::unwrap_or_clone)
    }

    /// Waits for the next event for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Timeout` when none came in time, `Disconnected` when no more will come.
    #[doc(alias = "recv_timeout")]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<CostEvent, mpsc::RecvTimeoutError> {
        self.receiver.recv_timeout(timeout).map(Arc::unwrap_or_clone).map_err(|error| match error {
            RecvTimeoutError::Timeout => mpsc::RecvTimeoutError::Timeout,
            RecvTimeoutError::Disconnected => mpsc::RecvTimeoutError::Disconnected,
        })
    }

    /// How many events were dropped since the subscription began, because too many waited
    /// for this reader.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Iterator for CostEvents {
    type Item = CostEvent;

    fn next(&mut self) -> Option<CostEvent> {
        self.receiver.recv().ok().map(Arc::unwrap_or_clone)
    }
}

impl FusedIterator for CostEvents {}

impl fmt::Debug for CostEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostEvents")
            .field("waiting", &self.receiver.len())
            .field("missed", &self.missed())
            .finish()
    }
}

/// Where events are handed to those who read them.
#[derive(Debug)]
pub(crate) struct Events {
    /// Guards who reads ([`Lock::CostReaders`]). Held to look the readers up and to change them, never while
    /// something is sent: senders work on the list as it was.
    readers: Mutex<Arc<Vec<Reader>>>,
    /// Whether there are readers, so that without them nothing is locked. A hint: it may
    /// lag behind the list for those who do not hold the lock.
    any: AtomicBool,
}

impl Default for Events {
    fn default() -> Self {
        let readers = Mutex::new(Lock::CostReaders, Arc::default());
        Self { readers, any: AtomicBool::new(false) }
    }
}

#[derive(Debug, Clone)]
struct Reader {
    sender: Sender<Arc<CostEvent>>,
    missed: Arc<AtomicU64>,
}

impl Events {
    /// A reader of all that is sent from now on.
    pub(crate) fn subscribe(&self) -> CostEvents {
        let (sender, receiver) = bounded(WAITING);
        let missed = Arc::new(AtomicU64::new(0));
        let reader = Reader { sender, missed: Arc::clone(&missed) };
        let mut readers = self.readers.lock();
        let others = readers.iter().cloned();
        *readers = Arc::new(others.chain([reader]).collect());
        self.any.store(true, Ordering::Release);
        drop(readers);
        CostEvents { receiver, missed }
    }

    /// Whether anybody reads, so that an event is worth making.
    pub(crate) fn are_read(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Hands an event to all who read, without waiting for any of them.
    /// It is made only where somebody does.
    pub(crate) fn send(&self, event: impl FnOnce() -> CostEvent) {
        if !self.are_read() {
            return;
        }
        let readers = Arc::clone(&self.readers.lock());
        let event = Arc::new(event());
        let mut gone = Vec::new();
        for reader in readers.iter() {
            match reader.sender.try_send(Arc::clone(&event)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    reader.missed.fetch_add(1, Ordering::Relaxed);
                }
                Err(TrySendError::Disconnected(_)) => gone.push(reader.sender.clone()),
            }
        }
        if !gone.is_empty() {
            self.forget(&gone);
        }
    }

    fn forget(&self, gone: &[Sender<Arc<CostEvent>>]) {
        let mut readers = self.readers.lock();
        let is_gone = |reader: &&Reader| gone.iter().any(|gone| gone.same_channel(&reader.sender));
        let left: Vec<Reader> = readers.iter().filter(|reader| !is_gone(reader)).cloned().collect();
        self.any.store(!left.is_empty(), Ordering::Release);
        *readers = Arc::new(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Money;
    use std::collections::BTreeMap;
    use std::thread;
    use std::time::SystemTime;

    fn refused(model: usize) -> CostEvent {
        CostEvent::Refused(BudgetRefusal {
            at: SystemTime::UNIX_EPOCH,
            provider: "openai".into(),
            model: model.to_string(),
            tags: BTreeMap::new(),
            budget: "daily".into(),
            account: String::new(),
            limit: Money::ZERO,
            spent: Money::ZERO,
            reserved: Money::ZERO,
            needed: Money::ZERO,
            ends: None,
            available: Default::default(),
        })
    }

    #[test]
    fn every_reader_sees_what_comes_after_it_began_and_in_order() {
        let hub = Events::default();
        hub.send(|| refused(0));
        let mut early = hub.subscribe();
        hub.send(|| refused(1));
        let mut late = hub.subscribe();
        hub.send(|| refused(2));
        assert_eq!((early.try_next(), early.try_next()), (Some(refused(1)), Some(refused(2))));
        assert_eq!((early.try_next(), late.try_next()), (None, Some(refused(2))));
        assert_eq!(late.next_timeout(Duration::ZERO), Err(mpsc::RecvTimeoutError::Timeout));
        hub.send(|| refused(3));
        assert_eq!(late.next_timeout(Duration::MAX), Ok(refused(3)));
    }

    #[test]
    fn what_was_sent_is_still_read_when_the_hub_is_gone_and_then_no_more() {
        let hub = Events::default();
        let mut events = hub.subscribe();
        hub.send(|| refused(1));
        drop(hub);
        assert_eq!(events.next(), Some(refused(1)));
        assert_eq!((events.next(), events.next()), (None, None));
        assert_eq!(events.next_timeout(Duration::MAX), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_waiting_reader_is_woken_by_an_event_and_by_the_end() {
        let hub = Events::default();
        let events = hub.subscribe();
        let reader = thread::spawn(move || events.count());
        hub.send(|| refused(1));
        drop(hub);
        assert_eq!(reader.join().unwrap(), 1);
    }

    #[test]
    fn one_who_does_not_read_misses_events_and_holds_nobody_up() {
        let hub = Events::default();
        let (mut slow, mut quick) = (hub.subscribe(), hub.subscribe());
        for number in 0..WAITING + 7 {
            hub.send(|| refused(number));
            assert_eq!(quick.try_next(), Some(refused(number)));
        }
        assert_eq!((slow.missed(), quick.missed()), (7, 0));
        assert_eq!(slow.try_next(), Some(refused(0)));
        hub.send(|| refused(WAITING + 7));
        assert_eq!(slow.missed(), 7);
        drop(hub);
        let last = slow.by_ref().last();
        assert_eq!(last, Some(refused(WAITING + 7)));
    }

    #[test]
    fn readers_that_are_gone_are_forgotten() {
        let hub = Events::default();
        let (gone, mut stays) = (hub.subscribe(), hub.subscribe());
        drop(gone);
        hub.send(|| refused(1));
        assert_eq!(hub.readers.lock().len(), 1);
        assert_eq!(stays.try_next(), Some(refused(1)));
        drop(stays);
        hub.send(|| refused(2));
        assert!(hub.readers.lock().is_empty() && !hub.any.load(Ordering::Acquire));
        let mut again = hub.subscribe();
        hub.send(|| refused(3));
        assert_eq!(again.try_next(), Some(refused(3)));
    }

    #[test]
    fn nothing_is_lost_between_many_senders_and_readers_who_come_and_go() {
        let hub = Events::default();
        let mut steady = hub.subscribe();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|number| hub.send(|| refused(number))));
                scope.spawn(|| (0..200).for_each(|_| drop(hub.subscribe())));
            }
        });
        let mut seen = 0;
        while steady.try_next().is_some() {
            seen += 1;
        }
        assert_eq!((seen, steady.missed()), (800, 0));
    }
}
