//! Stops and ends a run.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Shell;
use crate::bulk::failures::Failures;
use crate::bulk::settings::OnCancel;
use crate::bulk::task::Task;
use crate::bulk::worker::Work;
use crate::error::Error;

impl<W: Task, T: Send + 'static> Shell<'_, W, T> {
    pub(super) fn note_cancelled(&mut self) {
        if self.shared.cancel.as_ref().is_none_or(|cancel| !cancel.is_cancelled()) {
            return;
        }
        if self.stopped.is_none() {
            self.stop(Error::cancelled());
        }
        self.leave_batches();
        // Also if the run has stopped for another reason.
        if self.on_cancel == OnCancel::Cancel {
            self.in_flight.cancel();
        }
    }

    /// Stops the run because of a file. If no item shows the error, the next one does.
    pub(super) fn fail_run(&mut self, error: Error) {
        if self.fault.is_some() {
            return;
        }
        self.fault = Some(error.clone());
        self.leave_batches();
        let next = self.first.take().or_else(|| self.items.as_mut()?.next());
        self.stop(error.clone());
        if let Some((id, _)) = next {
            self.shared.progress.update(|counts| counts.read());
            self.leave(id, error);
        }
    }

    /// Reads and sends no more items. Those that no worker has begun end with this error.
    pub(super) fn stop(&mut self, error: Error) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        (self.items, self.first) = (None, None);
        let error = self.stopped.get_or_insert(error).clone();
        while let Some(job) = self.workers.recall() {
            self.core.recall(job);
        }
        self.drop_waiting(&error);
        let mut received = Vec::new();
        while let Some(job) = self.core.take_any() {
            match job.work {
                // It is paid for.
                Work::Received(_) => received.push(job),
                _ => self.unfinished(job, error.clone()),
            }
        }
        received.into_iter().for_each(|job| self.dispatch(job));
    }

    /// Ends the run after its last item. `all_read` says whether every item was read.
    pub(super) fn end(&mut self, all_read: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.workers.join();
        self.end_batches(all_read);
        self.flush();
        if let Some(Err(fault)) = self.failures.take().map(Failures::finish) {
            self.fail_run(fault);
        }
        self.shared.progress.update(|counts| counts.run_ended(Instant::now()));
    }

    /// Ends the run at once: cancels the calls in flight and waits for the workers.
    pub(super) fn shut_down(&mut self) {
        if self.ended {
            return;
        }
        self.shared.stopped.store(true, Ordering::Relaxed);
        (self.items, self.first) = (None, None);
        self.in_flight.cancel();
        while self.workers.recall().is_some() {}
        self.end(false);
    }
}
