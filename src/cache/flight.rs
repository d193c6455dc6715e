//! Equal calls at the same time: one of them leads, and the others wait for its answer.
//!
//! ```text
//! join ──► Lead ──► answered    everyone who waits gets the answer
//!   │        └────► dropped     the call failed: the first who waits leads now
//!   └────► Follower ──► wait    within the limits of the waiting call
//! ```

use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Key;
use super::key::ByKey;
use crate::bounds::Bounds;
use crate::error::{Error, Phase};
use crate::sync::Lock;
use crate::sync::none_held;
use crate::sync::ordered::Mutex;

/// The calls that others may wait for.
pub(super) struct Flights {
    /// Guards the list ([`Lock::CacheFlights`]). Invariant: a key is in it while a call leads, and
    /// whoever takes a waiting call out of it sends it a message.
    state: Mutex<State>,
    /// How many calls have published their answers.
    answered: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Who waits for each leading call, in their order.
    waiting: ByKey<VecDeque<Waiting>>,
    next: u64,
}

struct Waiting {
    id: u64,
    messages: Sender<Message>,
}

/// What a waiting call gets.
pub(super) enum Message {
    /// The answer of an equal call. Its key is that of the target that answered.
    Answer(Key, Arc<Vec<u8>>),
    /// The call that was waited for has failed, or was cancelled.
    Lead(Lead),
}

/// How a call joins the calls with its key.
pub(super) enum Joined {
    Lead(Lead),
    Follower(Follower),
}

/// The right to make the request for a key. Dropping it passes it on.
pub(super) struct Lead {
    flights: Arc<Flights>,
    key: Key,
    is_over: AtomicBool,
}

/// A call that waits.
pub(super) struct Follower {
    flights: Arc<Flights>,
    key: Key,
    id: u64,
    messages: Receiver<Message>,
}

impl Flights {
    pub(super) fn new() -> Arc<Self> {
        let state = Mutex::new(Lock::CacheFlights, State::default());
        Arc::new(Self { state, answered: AtomicU64::new(0) })
    }

    /// A number that changes whenever an answer is published. Whoever reads it, finds nothing in the
    /// store, and leads although it has changed since, has to look into the store again.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// Leads the calls with this key, or waits for the one that leads.
    pub(super) fn join(self: &Arc<Self>, key: Key) -> Joined {
        let mut state = self.state.lock();
        let id = state.next;
        match state.waiting.entry(key) {
            Entry::Vacant(place) => {
                place.insert(VecDeque::new());
                drop(state);
                Joined::Lead(self.lead(key))
            }
            Entry::Occupied(mut waiting) => {
                let (messages, receiver) = bounded(1);
                waiting.get_mut().push_back(Waiting { id, messages });
                state.next += 1;
                drop(state);
                let flights = Arc::clone(self);
                Joined::Follower(Follower { flights, key, id, messages: receiver })
            }
        }
    }

    fn lead(self: &Arc<Self>, key: Key) -> Lead {
        Lead { flights: Arc::clone(self), key, is_over: AtomicBool::new(false) }
    }
}

impl Lead {
    /// Passes the answer to all who wait. `key` is that of the target that answered. Only the first
    /// answer counts.
    pub(super) fn answered(&self, key: Key, answer: &Arc<Vec<u8>>) {
        if self.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        self.flights.answered.fetch_add(1, Ordering::Release);
        let waiting = self.flights.state.lock().waiting.remove(&self.key);
        for Waiting { messages, .. } in waiting.into_iter().flatten() {
            // Each has room for its only message.
            let _ = messages.try_send(Message::Answer(key, Arc::clone(answer)));
        }
    }

    /// Lets the first who waits lead: this call does not answer soon.
    pub(super) fn resign(&self) {
        if self.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        let next = {
            let mut state = self.flights.state.lock();
            let next = state.waiting.get_mut(&self.key).and_then(VecDeque::pop_front);
            if next.is_none() {
                state.waiting.remove(&self.key);
            }
            next
        };
        if let Some(Waiting { messages, .. }) = next {
            let _ = messages.try_send(Message::Lead(self.flights.lead(self.key)));
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.resign();
    }
}

impl Follower {
    /// Waits for the answer, or for the right to lead.
    ///
    /// # Errors
    ///
    /// If the waiting call is out of time or cancelled.
    pub(super) fn wait(self, bounds: &Bounds) -> Result<Message, Error> {
        none_held("a call waits for an equal one");
        let (cancelled, _listening) = bounds.cancelled();
        select! {
            recv(self.messages) -> message => message.map_err(|_| Error::cancelled()),
            recv(cancelled) -> _ => Err(Error::cancelled().with_phase(Phase::CacheWait)),
            recv(bounds.deadline.channel()) -> _ => Err(Error::timeout(Phase::CacheWait)),
        }
    }
}

impl Drop for Follower {
    /// If it has been sent the right to lead, it passes that on.
    fn drop(&mut self) {
        let was_waiting = {
            let mut state = self.flights.state.lock();
            state.waiting.get_mut(&self.key).is_some_and(|waiting| {
                let place = waiting.iter().position(|one| one.id == self.id);
                place.and_then(|place| waiting.remove(place)).is_some()
            })
        };
        if !was_waiting {
            // Taken out of the list, so its message has come, or will come at once.
            drop(self.messages.recv());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;
    use crate::deadline::Deadline;
    use crate::error::ErrorKind;
    use std::thread;
    use std::time::{Duration, Instant};

    const KEY: Key = Key(7);

    fn lead(flights: &Arc<Flights>) -> Lead {
        match flights.join(KEY) {
            Joined::Lead(lead) => lead,
            Joined::Follower(_) => panic!("another call leads"),
        }
    }

    fn follow(flights: &Arc<Flights>) -> Follower {
        match flights.join(KEY) {
            Joined::Lead(_) => panic!("no call leads"),
            Joined::Follower(follower) => follower,
        }
    }

    fn unbounded() -> Bounds {
        Bounds { deadline: Deadline::never(), cancel: None }
    }

    fn is_empty(flights: &Flights) -> bool {
        flights.state.lock().waiting.is_empty()
    }

    #[test]
    fn all_who_wait_get_the_answer() {
        let flights = Flights::new();
        let (seen, leader) = (flights.answered(), lead(&flights));
        let followers: Vec<_> = (0..3).map(|_| follow(&flights)).collect();
        leader.answered(Key(8), &Arc::new(b"answer".to_vec()));
        drop(leader);
        for follower in followers {
            let Ok(Message::Answer(key, answer)) = follower.wait(&unbounded()) else {
                panic!("no answer")
            };
            assert_eq!((key, &answer[..]), (Key(8), &b"answer"[..]));
        }
        assert!(is_empty(&flights) && flights.answered() != seen);
    }

    #[test]
    fn one_who_waits_leads_after_a_failure_and_the_others_go_on_waiting() {
        let flights = Flights::new();
        let leader = lead(&flights);
        let (first, second) = (follow(&flights), follow(&flights));
        drop(leader);
        let Ok(Message::Lead(next)) = first.wait(&unbounded()) else { panic!("it does not lead") };
        let third = follow(&flights);
        next.answered(KEY, &Arc::default());
        for follower in [second, third] {
            assert!(matches!(follower.wait(&unbounded()), Ok(Message::Answer(KEY, _))));
        }
        drop(next);
        assert!(is_empty(&flights));
    }

    #[test]
    fn a_call_that_stops_waiting_passes_the_lead_on() {
        let flights = Flights::new();
        let leader = lead(&flights);
        let (first, second, third) = (follow(&flights), follow(&flights), follow(&flights));
        drop(second);
        drop(leader);
        // The first leads, but does not know yet.
        drop(first);
        assert!(matches!(third.wait(&unbounded()), Ok(Message::Lead(_))));
        assert!(is_empty(&flights));
    }

    #[test]
    fn waiting_ends_with_the_deadline_and_by_cancelling() {
        let flights = Flights::new();
        let leader = lead(&flights);
        let over =
            Bounds { deadline: Deadline::after(Instant::now(), Duration::ZERO), cancel: None };
        let error = follow(&flights).wait(&over).err().expect("an error");
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::CacheWait)));
        let token = CancelToken::new();
        token.cancel();
        let cancelled = Bounds { cancel: Some(token), ..unbounded() };
        assert!(follow(&flights).wait(&cancelled).err().expect("an error").is_cancelled());
        assert_eq!(flights.state.lock().waiting[&KEY].len(), 0);
        drop(leader);
        assert!(is_empty(&flights));
    }

    #[test]
    fn however_threads_meet_one_leads_at_a_time_and_nobody_waits_forever() {
        let flights = Flights::new();
        let leading = AtomicU64::new(0);
        thread::scope(|scope| {
            for number in 0..8_u64 {
                let (flights, leading) = (&flights, &leading);
                scope.spawn(move || {
                    for turn in 0..500 {
                        let lead = match flights.join(KEY) {
                            Joined::Lead(lead) => lead,
                            // Gives up at once.
                            Joined::Follower(follower) if (number + turn) % 3 == 0 => {
                                drop(follower);
                                continue;
                            }
                            Joined::Follower(follower) => match follower.wait(&unbounded()) {
                                Ok(Message::Lead(lead)) => lead,
                                Ok(Message::Answer(..)) => continue,
                                Err(error) => panic!("{error}"),
                            },
                        };
                        assert_eq!(leading.fetch_add(1, Ordering::SeqCst), 0);
                        leading.fetch_sub(1, Ordering::SeqCst);
                        if turn % 2 == 0 {
                            lead.answered(KEY, &Arc::default());
                        }
                    }
                });
            }
        });
        assert!(is_empty(&flights));
    }
}
