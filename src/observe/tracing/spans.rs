//! `Spans`: the open spans of calls and their attempts.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use tracing::Span;
use tracing::dispatcher::with_default;

use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// The open spans of the calls in progress, by call id.
pub(super) struct Spans {
    /// Guards the open spans ([`Lock::TracingSpans`]). Locked for lookups only, never while the
    /// subscriber is called.
    open: Mutex<HashMap<u64, Open>>,
}

/// The spans of a call in progress.
struct Open {
    call: Arc<Span>,
    /// By the number of the attempt. A hedged call has several at once.
    attempts: Vec<(u32, Arc<Span>)>,
}

thread_local! {
    /// The call for which this thread makes an attempt, and the number of the attempt. Events of
    /// connections belong to it.
    static ATTEMPTING: Cell<Option<(u64, u32)>> = const { Cell::new(None) };
}

fn set_attempt(attempt: Option<(u64, u32)>) {
    // A thread that is ending has none left.
    let _ = ATTEMPTING.try_with(|attempting| attempting.set(attempt));
}

/// Notes that this thread makes no attempt any more.
pub(super) fn leave_attempt() {
    set_attempt(None);
}

impl Spans {
    pub(super) fn new() -> Self {
        Self { open: Mutex::new(Lock::TracingSpans, HashMap::new()) }
    }

    /// Returns how many calls have an open span.
    pub(super) fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Keeps the span of a call until it ends.
    pub(super) fn begin_call(&self, call: u64, span: Span) {
        let open = Open { call: Arc::new(span), attempts: Vec::new() };
        self.open.lock().insert(call, open);
    }

    /// Ends a call, and returns its span.
    pub(super) fn end_call(&self, call: u64) -> Option<Arc<Span>> {
        leave_attempt();
        // Dropping the spans of attempts calls the subscriber, so this is after the lock.
        let Open { call, attempts } = self.open.lock().remove(&call)?;
        drop(attempts);
        Some(call)
    }

    /// Returns the span of a call.
    pub(super) fn call(&self, call: u64) -> Option<Arc<Span>> {
        self.open.lock().get(&call).map(|open| Arc::clone(&open.call))
    }

    /// Returns the span of a call's latest attempt, or that of the call if no attempt is open.
    pub(super) fn latest(&self, call: u64) -> Option<Arc<Span>> {
        self.open.lock().get(&call).map(|open| {
            let attempt = open.attempts.last().map(|(_, attempt)| attempt);
            Arc::clone(attempt.unwrap_or(&open.call))
        })
    }

    /// Opens the span of an attempt, which this thread makes from now on. `open` gets the span of
    /// its call.
    pub(super) fn begin_attempt(&self, call: u64, number: u32, open: impl FnOnce(&Span) -> Span) {
        let Some(parent) = self.call(call) else { return };
        let mut opened = Some(Arc::new(with_its_subscriber(&parent, || open(&parent))));
        set_attempt(Some((call, number)));
        if let Some(open) = self.open.lock().get_mut(&call) {
            open.attempts.extend(opened.take().map(|opened| (number, opened)));
        }
        // If the call has ended meanwhile. Dropping a span calls the subscriber, so this is after
        // the lock.
        drop(opened);
    }

    /// Ends an attempt, and returns its span.
    pub(super) fn end_attempt(&self, call: u64, number: u32) -> Option<Arc<Span>> {
        leave_attempt();
        let mut calls = self.open.lock();
        let attempts = &mut calls.get_mut(&call)?.attempts;
        let place = attempts.iter().position(|(open, _)| *open == number)?;
        Some(attempts.swap_remove(place).1)
    }

    /// Runs `record` in the span of the attempt that this thread makes, if any.
    pub(super) fn in_attempt(&self, record: impl FnOnce()) {
        let attempt = ATTEMPTING
            .try_with(Cell::get)
            .ok()
            .flatten()
            .and_then(|(call, number)| self.attempt(call, number));
        match attempt {
            Some(attempt) => with_its_subscriber(&attempt, || attempt.in_scope(record)),
            None => record(),
        }
    }

    fn attempt(&self, call: u64, number: u32) -> Option<Arc<Span>> {
        let calls = self.open.lock();
        let mut attempts = calls.get(&call)?.attempts.iter();
        attempts.find(|(open, _)| *open == number).map(|(_, span)| Arc::clone(span))
    }
}

/// Runs `record` with the subscriber of a span. That of the thread may be another one: the attempts
/// of a hedged call run on threads of their own.
fn with_its_subscriber<T>(span: &Span, record: impl FnOnce() -> T) -> T {
    match span.with_subscriber(|(_, subscriber)| subscriber.clone()) {
        Some(subscriber) => with_default(&subscriber, record),
        None => record(),
    }
}
