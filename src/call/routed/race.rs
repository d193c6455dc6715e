//! Attempts of one call that run at the same time: one, and its hedge if it is silent for too long.

mod thread;
mod track;

use crossbeam_channel::{RecvTimeoutError, bounded};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::fitness;
use super::{Leg, Routed, measured};
use crate::call::chat::Encoding;
use crate::call::operation::{Measurable, Operation};
use crate::call::room;
use crate::call::run::Attempting;
use crate::cancel::CancelToken;
use crate::cost::Reservation;
use crate::error::{Attempt, Decision, Error, ErrorKind, GiveUp};
use crate::retry::{Failed, Raced};
use crate::routing::{Hedge, Next, Race, Runner};
use crate::sync::none_held;
use thread::{Finished, Work};
use track::{Running, Track};

/// How long a call waits for the attempts that it has cancelled. Each wait of the library ends at
/// once; the caller's own code, such as a ledger or credentials, may not. Such an attempt is left
/// alone: its thread settles it, and ends with it.
const LAST_WORD: Duration = Duration::from_millis(25);

/// The place of a target in its route, and what is ready for it.
type Placed = (usize, Leg);

impl<F> Routed<'_, F> {
    /// Returns how long the target that was chosen may be silent before another is tried too;
    /// `None`: as long as it takes.
    pub(super) fn silence(&self) -> Option<Duration> {
        let hedge = self.route.state.rules.hedge?;
        if !self.walk.can_hedge(Instant::now()) {
            return None;
        }
        self.delay(hedge, self.walk.current())
    }

    fn delay(&self, hedge: Hedge, at: usize) -> Option<Duration> {
        let state = &self.route.state.targets[at].state;
        hedge.delay(|| state.p95(self.is_streamed(), Instant::now()))
    }

    /// Makes an attempt, and others beside it as long as it is silent. Gives the target back if no
    /// thread can be started.
    pub(super) fn race<T: Measurable>(
        &mut self,
        leg: Leg,
        number: u32,
        delay: Duration,
    ) -> Result<Result<T, Error>, Box<Leg>>
    where
        F: Attempting<Encoding, Reservation, T>,
    {
        none_held("a call waits for its attempts");
        let begun = Instant::now();
        let mut track = Track {
            race: Race::new(Runner { number, begun, delay: Some(delay) }),
            running: Vec::with_capacity(2),
            finish: bounded(0),
            ended: Vec::new(),
        };
        self.start(leg, self.walk.current(), number, begun, &mut track)?;
        Ok(self.run_race(&mut track))
    }

    fn run_race<T: Measurable>(&mut self, track: &mut Track<T>) -> Result<T, Error>
    where
        F: Attempting<Encoding, Reservation, T>,
    {
        loop {
            let (_, finished) = &track.finish;
            let message = match track.race.next(Instant::now()) {
                Next::Hedge => {
                    self.hedge(track);
                    continue;
                }
                Next::Wait(Some(until)) => finished.recv_deadline(until),
                Next::Wait(None) | Next::Over => {
                    finished.recv().map_err(|_| RecvTimeoutError::Disconnected)
                }
            };
            let finished = match message {
                Ok(Ok(finished)) => finished,
                Ok(Err((number, panic))) => {
                    track.take(number);
                    self.supersede(track);
                    resume_unwind(panic);
                }
                Err(RecvTimeoutError::Timeout) => continue,
                // The call itself has a sender.
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(ErrorKind::Protocol, "the attempts ended early"));
                }
            };
            let Some(running) = track.take(finished.number) else { continue };
            match finished.outcome {
                Ok(_) => {
                    self.supersede(track);
                    return self.decide_by(running, finished, track);
                }
                Err(_) if track.running.is_empty() => {
                    return self.decide_by(running, finished, track);
                }
                Err(_) => {}
            }
            if let Some(finished) = self.failed_beside(&running, finished, track) {
                self.supersede(track);
                return self.decide_by(running, finished, track);
            }
        }
    }

    /// Starts an attempt on a thread of its own. Gives its target back if that fails.
    fn start<T: Measurable>(
        &mut self,
        leg: Leg,
        at: usize,
        number: u32,
        begun: Instant,
        track: &mut Track<T>,
    ) -> Result<(), Box<Leg>>
    where
        F: Attempting<Encoding, Reservation, T>,
    {
        let target = leg.prepared.target.clone();
        self.observed.moved_to(&target.endpoint.server, &target.model, at);
        fitness::warn(self.caller, &target, self.observed);
        let cancel = CancelToken::child_of(self.limits.bounds.cancel.as_ref());
        let limits = self.limits.of_attempt_at(self.options, &target.endpoint.settings.timeouts);
        let slot = self.slot(at, &leg.prepared);
        let work = Work {
            caller: Arc::clone(self.caller),
            leg,
            limits: limits.ended_by(cancel.clone()),
            number,
            begun,
            streamed: self.is_streamed(),
            attempt: self.attempt,
            slot,
            observed: self.observed.on_thread(),
        };
        let thread = work.start(track.finish.0.clone()).map_err(|work| Box::new(work.leg))?;
        self.walk.begun(at);
        let (is_hedged, thread) = (false, Some(thread));
        track.running.push(Running { number, at, target, begun, is_hedged, cancel, thread });
        Ok(())
    }

    /// Starts a hedge if a target, the retry budget and the money budgets have room for one.
    fn hedge<T: Measurable>(&mut self, track: &mut Track<T>)
    where
        F: Attempting<Encoding, Reservation, T>,
    {
        let Some(place) = track.first() else { return track.race.close() };
        let (first, since) = (track.running[place].at, track.running[place].begun);
        if !self.caller.bucket.withdraw() {
            return track.race.close();
        }
        let Some((at, leg)) = self.hedge_target(first) else {
            self.caller.bucket.put_back();
            return track.race.close();
        };
        let begun = Instant::now();
        let silence = begun.saturating_duration_since(since);
        self.observed.hedged(&self.route.state.targets[at].name, silence);
        let number = track.next_number();
        if self.start(leg, at, number, begun, track).is_err() {
            self.caller.bucket.put_back();
            return track.race.close();
        }
        track.running[place].is_hedged = true;
        self.route.state.targets[first].hedged();
        self.walk.hedged(at, silence);
        let hedge = self.route.state.rules.hedge;
        let delay = hedge.and_then(|hedge| self.delay(hedge, at));
        track.race.hedged(Runner { number, begun, delay });
    }

    /// Chooses the target of a hedge, and prepares the request for it.
    fn hedge_target(&mut self, first: usize) -> Option<Placed> {
        loop {
            let cost = self.expected_cost();
            let (at, ticket) = self.walk.hedge(Instant::now(), &mut fastrand::f64, &cost)?;
            match self.prepare(at) {
                Ok((prepared, reserved)) if self.is_shorter(at, first) => {
                    drop((prepared, reserved));
                    // After the first attempt, there may be money for a longer answer.
                    self.prepared.take(at);
                    self.walk.cannot_hedge(at);
                }
                // A hedge does not wait for room in the limits.
                Ok((prepared, reserved)) => match room::try_reserve(self.caller, self.demand(at)) {
                    Ok(permit) => return Some((at, Leg { prepared, reserved, ticket, permit })),
                    Err(_) => self.walk.cannot_hedge(at),
                },
                // The money of the first attempt may be back when this target is needed.
                Err(error)
                    if matches!(error.kind(), ErrorKind::BudgetExceeded | ErrorKind::Ledger) =>
                {
                    self.walk.cannot_hedge(at);
                }
                Err(error) => self.cannot_serve(at, error),
            }
        }
    }

    /// Whether a budget makes the answer of one target shorter, and not that of the other. Such an
    /// answer would come first because it is cut short.
    fn is_shorter(&self, at: usize, other: usize) -> bool {
        let is_cut_short = |at: usize| {
            let prepared = self.prepared.get(at);
            prepared.is_some_and(|prepared| self.chat.is_cut_short(prepared))
        };
        is_cut_short(at) && !is_cut_short(other)
    }

    /// Notes that an attempt failed while another one is in progress. Gives it back if that decides
    /// the call.
    fn failed_beside<T: Measurable>(
        &mut self,
        running: &Running,
        mut finished: Finished<T>,
        track: &mut Track<T>,
    ) -> Option<Finished<T>> {
        let Err(error) = &finished.outcome else { return Some(finished) };
        let (settings, now) = (&self.caller.settings, Instant::now());
        let failed = Failed {
            error,
            policy: &settings.retry,
            retries: running.number,
            ours: settings.retry.backoff().draw(),
            left: self.limits.bounds.deadline.remaining(now),
        };
        let decision = self.walk.failed_beside(running.at, &failed, now);
        let was_first = track.race.is_first(running.number);
        track.race.failed(running.number, decision);
        if track.race.next(now) == Next::Over {
            self.decided = Some(decision);
            return Some(finished);
        }
        let change = finished.failed();
        self.report(change, running.at);
        let mut entry = self.entry(running, finished.ended, finished.resent);
        if let Err(error) = finished.outcome {
            let error = running.target.endpoint.explain(error);
            entry.failure = Some((&error).into());
            self.failed = Some(error);
        }
        // A hedge that fails changes nothing for the attempt that is waited for.
        entry.decision = was_first.then_some(Decision::FailOver);
        self.ended(running, &entry);
        track.ended.push(entry);
        None
    }

    /// Ends the race with the outcome of this attempt.
    fn decide_by<T: Measurable>(
        &mut self,
        running: Running,
        mut finished: Finished<T>,
        track: &mut Track<T>,
    ) -> Result<T, Error> {
        let Running { at, ref target, .. } = running;
        self.observed.moved_to(&target.endpoint.server, &target.model, at);
        self.walk.decided_by(at);
        self.raced = Some(Box::new(Raced {
            decisive: self.entry(&running, finished.ended, finished.resent),
            others: std::mem::take(&mut track.ended),
        }));
        match finished.outcome {
            Ok(value) => {
                let after = finished.ended.saturating_duration_since(finished.begun);
                let shown = measured(&value, after, finished.streamed);
                let change = finished.ticket.served_with(&shown, finished.ended);
                self.report(change, at);
                self.answered = Some((at, Some(finished.ticket), finished.ended));
                self.entry = finished.entry;
                Ok(value)
            }
            Err(ref error) => {
                let error = target.endpoint.explain(error.clone());
                let change = finished.failed();
                self.report(change, at);
                Err(error)
            }
        }
    }

    /// Cancels the attempts in progress, because another one has decided the call.
    fn supersede<T: Measurable>(&mut self, track: &mut Track<T>) {
        track.running.iter().for_each(|running| running.cancel.cancel());
        let until = Instant::now() + LAST_WORD;
        while !track.running.is_empty() {
            match track.finish.1.recv_deadline(until) {
                Ok(Ok(finished)) => {
                    if let Some(running) = track.take(finished.number) {
                        self.superseded(&running, Some(finished), track);
                    }
                }
                Ok(Err((number, _))) => {
                    if let Some(running) = track.take(number) {
                        self.superseded(&running, None, track);
                    }
                }
                Err(_) => break,
            }
        }
        for running in std::mem::take(&mut track.running) {
            self.superseded(&running, None, track);
        }
    }

    /// Notes what became of a cancelled attempt; `None` if nobody knows yet.
    fn superseded<T: Measurable>(
        &mut self,
        running: &Running,
        finished: Option<Finished<T>>,
        track: &mut Track<T>,
    ) {
        let now = Instant::now();
        self.walk.superseded(running.at);
        let is_answered = finished.as_ref().is_some_and(|finished| finished.outcome.is_ok());
        if running.is_hedged && !is_answered {
            let silence = now.saturating_duration_since(running.begun);
            let state = &self.route.state.targets[running.at].state;
            state.was_silent(silence, self.is_streamed(), now);
        }
        let (ended, resent) =
            finished.as_ref().map_or((now, false), |finished| (finished.ended, finished.resent));
        let mut entry = self.entry(running, ended, resent);
        let error = match finished {
            Some(finished) => {
                let (error, change) = finished.discard();
                self.report(change, running.at);
                error
            }
            None => None,
        };
        let error = running.target.endpoint.explain(error.unwrap_or_else(Error::cancelled));
        entry.failure = Some((&error).into());
        entry.decision = Some(Decision::GiveUp(GiveUp::Superseded));
        self.ended(running, &entry);
        track.ended.push(entry);
    }

    /// Tells observers that an attempt has ended that does not decide the call.
    fn ended(&mut self, running: &Running, entry: &Attempt) {
        let target = &running.target;
        self.observed.moved_to(&target.endpoint.server, &target.model, running.at);
        self.ended_at(running.at, entry);
    }

    fn entry(&self, running: &Running, ended: Instant, resent: bool) -> Attempt {
        Attempt {
            number: running.number,
            provider: running.target.endpoint.id().as_str().to_owned(),
            model: running.target.model.to_string(),
            started_after: running.begun.saturating_duration_since(self.begun),
            duration: ended.saturating_duration_since(running.begun),
            resent,
            failure: None,
            decision: None,
        }
    }
}
