//! What a client does with its cache.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::entry::{self, Answer, Stored};
use super::flight::{Joined, Lead, Message};
use super::{Kept, Key, Mode, StoreError};
use crate::bounds::Bounds;
use crate::error::Error;
use crate::key::Secrets;
use crate::replay::{Request, Response, Rules};

/// Called when the store fails.
pub(crate) type Report = Box<dyn Fn(&StoreError) + Send + Sync>;

/// The cache of a client.
pub(crate) struct Ready {
    pub(super) kept: Arc<Kept>,
    pub(super) mode: Mode,
    pub(super) ttl: Option<Duration>,
    pub(super) sampled: bool,
    pub(super) rules: Rules,
    pub(super) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(super) report: Report,
    /// How often the store has failed.
    pub(super) failures: AtomicU64,
}

/// What the cache has for a call.
pub(crate) enum Found {
    /// The answer to the request at this place in the list of keys.
    Answer { place: usize, response: Response, took: Duration },
    /// None. The answer of the provider is kept here; `None` if it is not stored.
    Nothing(Option<Arc<Miss>>),
}

/// A call without an answer in the cache. While it exists, equal calls wait for it.
pub(crate) struct Miss {
    cache: Arc<Ready>,
    /// Whether its answer is stored.
    writes: bool,
    lead: Option<Lead>,
}

/// Where the answer to one request is kept.
#[derive(Clone)]
pub(crate) struct Slot {
    miss: Arc<Miss>,
    key: Key,
}

impl Ready {
    /// How a call with this mode of its own uses the cache. `is_sampled` says whether it asks for
    /// varied answers.
    pub(crate) fn mode(&self, own: Option<Mode>, is_sampled: bool) -> Mode {
        Mode::of_call(own, self.mode, is_sampled, self.sampled)
    }

    pub(crate) fn key(&self, request: &Request<'_>) -> Key {
        Key::of(request, &self.rules)
    }

    /// How often the store has failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Finds the answer to one of these requests, the earliest in the list first. If an equal call is
    /// in progress, waits for its answer. `first` says how the wait ends.
    ///
    /// # Errors
    ///
    /// If the call is out of time, or cancelled, while it waits.
    pub(crate) fn find(
        self: &Arc<Self>,
        keys: &[Key],
        mode: Mode,
        bounds: &Bounds,
    ) -> Result<Found, Error> {
        let flights = &self.kept.flights;
        let seen = flights.answered();
        let mut may_be_new = mode.reads();
        loop {
            if std::mem::take(&mut may_be_new) {
                if let Some(found) = self.stored(keys) {
                    return Ok(found);
                }
            }
            let lead = match keys.first().filter(|_| mode.joins()) {
                None => None,
                Some(first) => Some(match flights.join(*first) {
                    Joined::Lead(lead) => lead,
                    Joined::Follower(follower) => match follower.wait(bounds)? {
                        Message::Lead(lead) => lead,
                        Message::Answer(key, answer) => {
                            let place = keys.iter().position(|own| *own == key);
                            if let Some(found) = place.and_then(|at| self.read(at, &answer)) {
                                return Ok(found);
                            }
                            // That of another target of a route.
                            continue;
                        }
                    },
                }),
            };
            // Another call may have stored its answer between the look and the lead.
            if mode.reads() && lead.is_some() && flights.answered() != seen {
                if let Some(found) = self.stored(keys) {
                    return Ok(found);
                }
            }
            let writes = mode.writes();
            let is_used = writes || lead.is_some();
            let miss = || Arc::new(Miss { cache: Arc::clone(self), writes, lead });
            return Ok(Found::Nothing(is_used.then(miss)));
        }
    }

    /// The stored answer to one of these requests.
    fn stored(&self, keys: &[Key]) -> Option<Found> {
        keys.iter().enumerate().find_map(|(place, key)| match &*self.kept {
            Kept { store: super::Backing::Memory(memory), .. } => {
                self.read(place, &memory.get(*key)?)
            }
            Kept { store, .. } => match store.shared()?.get(*key) {
                Ok(sealed) => self.read(place, entry::unseal(&sealed?)?),
                Err(error) => {
                    self.failed(&error);
                    None
                }
            },
        })
    }

    fn read(&self, place: usize, entry: &[u8]) -> Option<Found> {
        let Stored { response, took } = entry::read(entry, (self.clock)(), self.ttl)?;
        Some(Found::Answer { place, response, took })
    }

    fn failed(&self, error: &StoreError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        (self.report)(error);
    }
}

impl Miss {
    /// Where the answer to the request with this key is kept.
    pub(crate) fn slot(self: &Arc<Self>, key: Key) -> Slot {
        Slot { miss: Arc::clone(self), key }
    }
}

impl Slot {
    /// Writes an answer as it is stored, without `secrets` if it leaves the process. `None` if it
    /// cannot be stored.
    pub(crate) fn entry<P: AsRef<[u8]>>(
        &self,
        answer: &Answer<'_, P>,
        secrets: &Secrets,
    ) -> Option<Vec<u8>> {
        let cache = &self.miss.cache;
        let now = (cache.clock)();
        if cache.kept.is_local() {
            return answer.write(now);
        }
        let hidden = &cache.rules.hidden;
        if hidden.is_empty() {
            return answer.write_without(secrets, now);
        }
        let mut all = secrets.clone();
        all.add_all(hidden);
        answer.write_without(&all, now)
    }

    /// Stores a complete answer, and passes it to the calls that wait for it.
    pub(crate) fn store(&self, entry: Vec<u8>) {
        let Miss { cache, writes, lead } = &*self.miss;
        let entry = Arc::new(entry);
        if *writes {
            match &cache.kept.store {
                super::Backing::Memory(memory) => memory.put(self.key, Arc::clone(&entry)),
                store => {
                    let sealed = entry::seal(entry.to_vec());
                    let stored =
                        store.shared().map(|store| store.put(self.key, &sealed, cache.ttl));
                    if let Some(Err(error)) = stored {
                        cache.failed(&error);
                    }
                }
            }
        }
        if let Some(lead) = lead {
            lead.answered(self.key, &entry);
        }
    }

    /// Lets another call make the request: the answer does not come soon.
    pub(crate) fn resign(&self) {
        if let Some(lead) = &self.miss.lead {
            lead.resign();
        }
    }
}

/// The answer to a stream, while it is read. Dropping it before [`finish`](Self::finish) stores
/// nothing.
pub(crate) struct Tape {
    slot: Slot,
    secrets: Arc<Secrets>,
    status: u16,
    headers: Vec<(&'static str, Vec<u8>)>,
    pieces: Vec<Vec<u8>>,
    pub(crate) until_close: bool,
    begun: Instant,
}

impl Tape {
    /// A tape that begins with the head of a response to a request sent at `begun`.
    pub(crate) fn new<'a>(
        slot: Slot,
        secrets: &Arc<Secrets>,
        status: u16,
        headers: impl Iterator<Item = (&'static str, &'a [u8])>,
        begun: Instant,
    ) -> Self {
        Self {
            slot,
            secrets: Arc::clone(secrets),
            status,
            headers: headers.map(|(name, value)| (name, value.to_vec())).collect(),
            pieces: Vec::new(),
            until_close: false,
            begun,
        }
    }

    /// Adds a piece. An empty one only marks the end.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        if !piece.is_empty() {
            self.pieces.push(piece.to_vec());
        }
    }

    /// Stores the answer, which is complete.
    pub(crate) fn finish(self) {
        let Self { slot, secrets, status, headers, pieces, until_close, begun } = self;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &value[..])).collect();
        let (headers, pieces, took) = (&headers[..], &pieces[..], begun.elapsed());
        let answer = Answer { status, headers, pieces, streamed: true, until_close, took };
        if let Some(entry) = slot.entry(&answer, &secrets) {
            slot.store(entry);
        }
    }

    /// Lets another call make the request: the reader of this stream waits for its caller.
    pub(crate) fn stalled(&self) {
        self.slot.resign();
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("mode", &self.mode).finish_non_exhaustive()
    }
}
