//! `CostEvents`: subscriptions to spending, alerts and refusals.

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

/// How many events may wait for a reader before further ones are dropped: some seconds of a busy
/// client, in about a mebibyte.
const WAITING: usize = 1024;

/// A call was charged, a budget alerted, or a budget refused a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
// Events travel behind a pointer, and nearly all of them are `Spent`.
#[allow(clippy::large_enum_variant)]
pub enum CostEvent {
    /// A call was recorded.
    Spent(CallRecord),
    /// A budget reached one of its thresholds.
    Alert(BudgetAlert),
    /// A budget refused a call, or a retry of one.
    ///
    /// Calls that are refused because they have no price or no upper bound send no event: no
    /// budget was short of money, and the error says everything. The report
    /// [counts](crate::CostReport::refused) them too.
    Refused(BudgetRefusal),
}

/// A subscription to [`CostEvent`]s, made by [`CostTracker::events`](crate::CostTracker::events).
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
/// It is an iterator that blocks for the next event. It ends when the client and all its clones
/// are gone, so loop over it in a thread that holds none of them. No call ever waits for a
/// reader: one that is 1,024 events behind [misses](Self::missed) new ones until it has caught
/// up. Dropping it ends the subscription.
#[must_use = "dropping it ends the subscription"]
pub struct CostEvents {
    receiver: Receiver<Arc<CostEvent>>,
    missed: Arc<AtomicU64>,
}

impl CostEvents {
    /// Returns the next event if one is waiting, and never blocks. `None` also means that no more
    /// will come; [`next_timeout`](Self::next_timeout) distinguishes the two.
    pub fn try_next(&mut self) -> Option<CostEvent> {
        self.receiver.try_recv().ok().map(Arc::unwrap_or_clone)
    }

    /// Waits at most `timeout` for the next event.
    ///
    /// # Errors
    ///
    /// `Timeout` if none came in time, `Disconnected` if no more will come.
    #[doc(alias = "recv_timeout")]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<CostEvent, mpsc::RecvTimeoutError> {
        self.receiver.recv_timeout(timeout).map(Arc::unwrap_or_clone).map_err(|error| match error {
            RecvTimeoutError::Timeout => mpsc::RecvTimeoutError::Timeout,
            RecvTimeoutError::Disconnected => mpsc::RecvTimeoutError::Disconnected,
        })
    }

    /// How many events were dropped since the subscription began because this reader was too far
    /// behind.
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

/// Sends events to everyone who subscribed.
#[derive(Debug)]
pub(crate) struct Events {
    /// Guards the list of readers ([`Lock::CostReaders`]). Held to read or replace the list, never
    /// while something is sent: senders work on the list as it was.
    readers: Mutex<Arc<Vec<Reader>>>,
    /// Whether there are readers, so that without them nothing is locked. Only a hint: without
    /// the lock it may lag behind the list.
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
    /// Adds a reader of everything sent from now on.
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

    /// Whether anybody reads, so that an event is worth building.
    pub(crate) fn are_read(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Sends an event to all readers without waiting for any of them. `event` is only called if
    /// there are readers.
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
    fn every_reader_sees_later_events_in_order() {
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
    fn sent_events_can_still_be_read_after_the_hub_is_gone() {
        let hub = Events::default();
        let mut events = hub.subscribe();
        hub.send(|| refused(1));
        drop(hub);
        assert_eq!(events.next(), Some(refused(1)));
        assert_eq!((events.next(), events.next()), (None, None));
        assert_eq!(events.next_timeout(Duration::MAX), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_waiting_reader_wakes_for_an_event_and_for_the_end() {
        let hub = Events::default();
        let events = hub.subscribe();
        let reader = thread::spawn(move || events.count());
        hub.send(|| refused(1));
        drop(hub);
        assert_eq!(reader.join().unwrap(), 1);
    }

    #[test]
    fn a_slow_reader_misses_events_and_blocks_nobody() {
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
    fn dropped_readers_are_removed() {
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
    fn no_event_is_lost_while_other_readers_come_and_go() {
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
