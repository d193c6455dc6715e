//! An attempt that a thread of its own makes.

use crossbeam_channel::{SendError, Sender, bounded};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::cache::Slot;
use crate::call::Caller;
use crate::call::chat::Encoding;
use crate::call::operation::{self, Measurable, OngoingAttempt};
use crate::call::routed::{Leg, measured};
use crate::call::time_limits::CallTimeLimits;
use crate::cost::Reservation;
use crate::error::Error;
use crate::observed::ObservedOnThread;
use crate::routing::{Change, Ticket};

/// An attempt, as its thread makes it. It borrows nothing, because the call may leave it alone.
pub(super) struct Work<F> {
    pub(super) caller: Arc<Caller>,
    pub(super) leg: Leg,
    pub(super) limits: CallTimeLimits,
    pub(super) number: u32,
    pub(super) begun: Instant,
    pub(super) streamed: bool,
    pub(super) attempt: F,
    /// Where the cache keeps the answer, if it does.
    pub(super) slot: Option<Slot>,
    pub(super) observed: Option<ObservedOnThread>,
}

/// How an attempt ended.
pub(super) struct Finished<T> {
    pub(super) number: u32,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    pub(super) streamed: bool,
    pub(super) resent: bool,
    pub(super) ticket: Ticket,
    /// The answer as the cache keeps it, and where.
    pub(super) entry: Option<(Slot, Vec<u8>)>,
    pub(super) outcome: Result<T, Error>,
}

/// What a thread sends: how its attempt ended, or the number of one that panicked.
pub(super) type Message<T> = Result<Finished<T>, (u32, Box<dyn Any + Send>)>;

impl<F: Send + 'static> Work<F> {
    /// Starts the attempt on a thread of its own, which sends how it ended.
    ///
    /// # Errors
    ///
    /// The same work, if no thread can be started.
    pub(super) fn start<T: Measurable>(
        self,
        finish: Sender<Message<T>>,
    ) -> Result<JoinHandle<()>, Box<Self>>
    where
        F: Fn(OngoingAttempt<'_, '_, Encoding>, Reservation) -> Result<T, Error>,
    {
        // Handed over only once the thread exists, so that nothing is lost if it cannot start.
        let (hand_over, taken) = bounded::<Self>(1);
        let thread = thread::Builder::new().name("tollgate-hedge".to_owned()).spawn(move || {
            if let Ok(work) = taken.recv() {
                work.run(&finish);
            }
        });
        match thread {
            Ok(thread) => match hand_over.send(self) {
                Ok(()) => Ok(thread),
                Err(SendError(work)) => Err(Box::new(work)),
            },
            Err(_) => Err(Box::new(self)),
        }
    }

    /// Makes the attempt, and sends how it ended. If the call has left it alone, settles it here.
    fn run<T: Measurable>(self, finish: &Sender<Message<T>>)
    where
        F: Fn(OngoingAttempt<'_, '_, Encoding>, Reservation) -> Result<T, Error>,
    {
        let number = self.number;
        // A panic of the caller's own code belongs to the thread that called.
        let message = catch_unwind(AssertUnwindSafe(|| self.attempt()));
        match finish.send(message.map_err(|panic| (number, panic))) {
            Ok(()) | Err(SendError(Err(_))) => {}
            Err(SendError(Ok(finished))) => drop(finished.discard()),
        }
    }

    fn attempt<T: Measurable>(self) -> Finished<T>
    where
        F: Fn(OngoingAttempt<'_, '_, Encoding>, Reservation) -> Result<T, Error>,
    {
        let Self { caller, leg, limits, number, begun, streamed, attempt, slot, observed } = self;
        let Leg { prepared, reserved, ticket, permit } = leg;
        if let Some(observed) = observed {
            observed.attempt_begun(number);
        }
        let mut second = caller.bucket.second_sending();
        let (outcome, entry) =
            operation::attempt(permit, reserved, streamed, |reserved, unkept| {
                let ongoing = OngoingAttempt {
                    caller: &caller,
                    prepared: &prepared,
                    limits: &limits,
                    retries: number,
                    second: &mut second,
                    recorded: None,
                    slot: slot.as_ref(),
                    unkept,
                };
                attempt(ongoing, reserved)
            });
        let (entry, resent, ended) = (slot.zip(entry), second.is_taken(), Instant::now());
        Finished { number, begun, ended, streamed, resent, ticket, entry, outcome }
    }
}

impl<T: Measurable> Finished<T> {
    /// Notes a failure at its target.
    pub(super) fn failed(&mut self) -> Option<Change> {
        let Err(error) = &self.outcome else { return None };
        let after = self.ended.saturating_duration_since(self.begun);
        self.ticket.failed(error, after, self.streamed, self.ended)
    }

    /// Ends an attempt that does not count. Returns its failure, if it was not answered too.
    pub(super) fn discard(mut self) -> (Option<Error>, Option<Change>) {
        let change = self.failed();
        match self.outcome {
            Ok(value) => {
                let after = self.ended.saturating_duration_since(self.begun);
                let shown = measured(&value, after, self.streamed);
                let change = self.ticket.served_with(&shown, self.ended);
                self.ticket.billed(value.discard());
                (None, change)
            }
            Err(error) => (Some(error), change),
        }
    }
}
