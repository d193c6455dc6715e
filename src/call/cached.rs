//! Calls that the cache may answer: no network, no wait for limits, no retry, and nothing charged.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::Caller;
use super::chat::{Chat, Encoding};
use super::operation::{Measurable, Operation};
use super::prepared::Prepared;
use super::replayed::{self, Above};
use super::run::{Attempting, Begun, Completed};
use super::target::Target;
use crate::answer_source::AnswerSource;
use crate::bounds::Bounds;
use crate::cache::{self, Answer, Found, Key, Miss, Mode, Slot};
use crate::config::Cascade;
use crate::cost::Reservation;
use crate::error::Error;
use crate::key::Secrets;
use crate::observed::ObservedCall;
use crate::replay::Request;
use crate::routing::RouteState;
use crate::transport::Incoming;

/// What a request says about the cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// The mode that it sets.
    pub(super) mode: Option<Mode>,
    /// Whether it asks for varied answers.
    pub(super) is_sampled: bool,
}

/// How a call uses the cache.
#[derive(Clone, Copy)]
pub(super) struct Caching<'a> {
    cache: &'a Arc<cache::Ready>,
    mode: Mode,
}

impl<'a> Caching<'a> {
    /// `None` if the call does not use the cache. Recordings take its place: an answer from the cache
    /// would not be recorded.
    pub(super) fn of(caller: &'a Caller, operation: &impl Operation) -> Option<Self> {
        let cache = caller.settings.cache.as_ref()?;
        if caller.settings.replay.is_some() {
            return None;
        }
        let Wish { mode, is_sampled } = operation.caching()?;
        let mode = cache.mode(mode, is_sampled);
        (mode != Mode::Off).then_some(Self { cache, mode })
    }

    /// The same, if what the cache has cannot be used: asks the provider, and replaces it.
    fn again(self) -> Option<Self> {
        self.mode.writes().then_some(Self { mode: Mode::Refresh, ..self })
    }

    fn find(
        self,
        keys: &[Key],
        bounds: &Bounds,
        observed: &mut ObservedCall,
    ) -> Result<Found, Error> {
        let found = self.cache.find(keys, self.mode, bounds)?;
        if self.mode.reads() && matches!(found, Found::Nothing(_)) {
            observed.missed();
        }
        Ok(found)
    }
}

/// Asked about a request once it is encoded, before anything is reserved for it.
pub(super) enum Gate<'a> {
    /// Everything is reserved.
    Open,
    /// Nothing is reserved if the cache has the answer.
    Look {
        caching: Caching<'a>,
        bounds: &'a Bounds,
        observed: &'a mut ObservedCall,
        /// The key of the request, and what the cache has.
        found: Option<(Key, Found)>,
    },
    /// Nothing is reserved, whatever the request is.
    Closed,
}

impl Gate<'_> {
    /// Whether nothing is to be reserved for the request.
    ///
    /// # Errors
    ///
    /// If the call is out of time, or cancelled, while it waits for an equal one.
    pub(super) fn is_free<'r>(
        &mut self,
        request: impl FnOnce() -> Request<'r>,
    ) -> Result<bool, Error> {
        match self {
            Self::Open => Ok(false),
            Self::Closed => Ok(true),
            Self::Look { caching, bounds, observed, found } => {
                let key = caching.cache.key(&request());
                let has = caching.find(&[key], bounds, observed)?;
                let is_free = matches!(has, Found::Answer { .. });
                *found = Some((key, has));
                Ok(is_free)
            }
        }
    }
}

/// A request that is ready to be sent, or its answer.
pub(super) enum Prepare<O: Operation, T> {
    Ready((Prepared<O::Content>, O::Reserved), Option<Slot>),
    Answered(Box<Completed<T>>),
}

/// Prepares a request for a target, or answers it from the cache.
///
/// # Errors
///
/// As for [`Operation::prepare`], and if the call is out of time or cancelled.
pub(super) fn prepare<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    target: Target,
    bounds: &Bounds,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    observed: &mut ObservedCall,
) -> Result<Prepare<O, T>, Error> {
    let Begun { caller, operation, .. } = *call;
    let mut caching = Caching::of(caller, operation);
    loop {
        let Some(now) = caching else {
            let ready = operation.prepare(caller, target, observed.tags(), &mut Gate::Open);
            return ready.map(|ready| Prepare::Ready(ready, None));
        };
        let tags = observed.tags().clone();
        let mut gate = Gate::Look { caching: now, bounds, observed, found: None };
        let (prepared, reserved) = operation.prepare(caller, target.clone(), &tags, &mut gate)?;
        let Gate::Look { found, .. } = gate else { continue };
        match found {
            Some((_, Found::Answer { response, took, .. })) => {
                let found = replayed::Found::new(0, prepared, reserved, response);
                match answer(call, &found, took, None, attempt, observed)? {
                    Some(completed) => return Ok(Prepare::Answered(completed.into())),
                    None => caching = now.again(),
                }
            }
            Some((key, Found::Nothing(miss))) => {
                let slot = miss.map(|miss| miss.slot(key));
                return Ok(Prepare::Ready((prepared, reserved), slot));
            }
            None => return Ok(Prepare::Ready((prepared, reserved), None)),
        }
    }
}

/// Where the answers of a route's targets are kept.
pub(super) struct Slots {
    miss: Arc<Miss>,
    /// The keys of the requests, with the places of their targets.
    keys: Vec<(usize, Key)>,
}

impl Slots {
    /// Where the answer of a target is kept.
    pub(super) fn of(&self, place: usize) -> Option<Slot> {
        let (_, key) = self.keys.iter().find(|(own, _)| *own == place)?;
        Some(self.miss.slot(*key))
    }
}

/// What the cache has for a call to a route.
pub(super) enum Routed<T> {
    Answered(Box<Completed<T>>),
    Live(Option<Slots>),
}

/// Answers a call to a route with a stored answer of one of these targets, the earliest first.
/// A cascade judges it like a live one.
///
/// # Errors
///
/// If the call is out of time or cancelled.
pub(super) fn route<T: Measurable>(
    call: &Begun<'_, Chat<'_>>,
    targets: impl FnOnce() -> Vec<(usize, Target)>,
    cascade: Option<(&Cascade, &RouteState)>,
    attempt: impl Attempting<Encoding, Reservation, T>,
    observed: &mut ObservedCall,
) -> Result<Routed<T>, Error> {
    let Begun { caller, operation, .. } = *call;
    let Some(mut caching) = Caching::of(caller, operation) else { return Ok(Routed::Live(None)) };
    let limits = call.limits(&caller.settings.timeouts)?;
    limits.check()?;
    let mut ready = Vec::new();
    for (place, target) in targets() {
        // A target that cannot serve the call is not asked anyway.
        let prepared = operation.prepare(caller, target, observed.tags(), &mut Gate::Closed);
        if let Ok((prepared, reserved)) = prepared {
            let key = caching.cache.key(&prepared.recorded_as());
            ready.push((place, key, prepared, reserved));
        }
    }
    let places: Vec<_> = ready.iter().map(|(place, key, ..)| (*place, *key)).collect();
    let mut keys: Vec<Key> = places.iter().map(|(_, key)| *key).collect();
    loop {
        let found = caching.find(&keys, &limits.bounds, observed);
        match found.map_err(|error| limits.name_limit(error))? {
            Found::Nothing(miss) => {
                return Ok(Routed::Live(miss.map(|miss| Slots { miss, keys: places })));
            }
            Found::Answer { place: at, response, took } => {
                let (place, _, prepared, reserved) = ready.remove(at);
                keys.remove(at);
                let found = replayed::Found::new(place, prepared, reserved, response);
                let answered = answer(call, &found, took, cascade, attempt, observed)?;
                match (answered, caching.again()) {
                    (Some(completed), _) => return Ok(Routed::Answered(completed.into())),
                    (None, None) => return Ok(Routed::Live(None)),
                    (None, Some(again)) => caching = again,
                }
            }
        }
    }
}

/// Answers a call with a stored response. `None` if it cannot be read after all, or if the cascade
/// does not accept it.
///
/// # Errors
///
/// If the call is out of time or cancelled.
fn answer<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    found: &replayed::Found<O>,
    took: Duration,
    cascade: Option<(&Cascade, &RouteState)>,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    observed: &mut ObservedCall,
) -> Result<Option<Completed<T>>, Error> {
    observed.cached(took);
    let (found, above, source) = (slice::from_ref(found), Above::Unrecorded, AnswerSource::Cached);
    match replayed::answer(call, found, above, cascade, source, attempt, observed) {
        Ok(Some(completed)) => return Ok(Some(completed)),
        Err(error) if error.is_cancelled() || error.is_timeout() => return Err(error),
        // Another version of the crate may have stored what this one does not read.
        Ok(None) | Err(_) => {}
    }
    observed.live();
    observed.missed();
    Ok(None)
}

/// A response as the cache keeps it in this slot, after the provider `took` so long; `None` if it
/// cannot be kept.
pub(super) fn entry_of(
    incoming: &Incoming,
    took: Duration,
    slot: &Slot,
    secrets: &Secrets,
) -> Option<Vec<u8>> {
    if !(200..300).contains(&incoming.status) {
        return None;
    }
    let mut headers = [("", &b""[..]); 4];
    let mut found = 0;
    for (place, header) in headers.iter_mut().zip(incoming.headers.lasting()) {
        *place = header;
        found += 1;
    }
    let answer = Answer {
        status: incoming.status,
        headers: &headers[..found],
        pieces: &[&incoming.body],
        streamed: false,
        until_close: false,
        took,
    };
    slot.entry(&answer, secrets)
}
