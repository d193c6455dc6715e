//! The threads of a run, and the channels to and from them.

use crossbeam_channel::{Receiver, Sender, unbounded};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::task::Task;
use super::worker::{Job, Report, Shared};
use crate::error::{Error, ErrorKind};

/// The threads of a run, and the ways to and from them.
pub(super) struct Workers<W: Task, T: Send + 'static> {
    most: usize,
    threads: Vec<JoinHandle<()>>,
    /// Where jobs go; `None` once no more will come.
    jobs: Option<Sender<Job<W>>>,
    queue: Receiver<Job<W>>,
    report: Sender<Report<W, T>>,
    pub(super) reports: Receiver<Report<W, T>>,
}

impl<W: Task, T: Send + 'static> Workers<W, T> {
    /// No threads yet, and later at most this many.
    pub(super) fn new(most: usize) -> Self {
        let (jobs, queue) = unbounded();
        let (report, reports) = unbounded();
        Self { most, threads: Vec::new(), jobs: Some(jobs), queue, report, reports }
    }

    /// Queues a job.
    pub(super) fn send(&self, job: Job<W>) {
        if let Some(jobs) = &self.jobs {
            // `queue` is a receiver, so it cannot fail.
            let _ = jobs.send(job);
        }
    }

    /// Takes a job back that no worker has begun.
    pub(super) fn recall(&self) -> Option<Job<W>> {
        self.queue.try_recv().ok()
    }

    /// Starts a worker if there are fewer than jobs.
    pub(super) fn start(&mut self, jobs: usize, shared: &Arc<Shared<W, T>>) -> Result<(), Error> {
        if self.threads.len() >= self.most.min(jobs) {
            return Ok(());
        }
        let (queue, report, shared) = (self.queue.clone(), self.report.clone(), Arc::clone(shared));
        let work = move || {
            for job in queue {
                if report.send(shared.work(job)).is_err() {
                    return;
                }
            }
        };
        match thread::Builder::new().name("tollgate-bulk".to_owned()).spawn(work) {
            Ok(thread) => self.threads.push(thread),
            // Those that run do its work.
            Err(_) if !self.threads.is_empty() => {}
            Err(cause) => {
                let message = format!("no thread can be started: {cause}");
                return Err(Error::new(ErrorKind::Configuration, message).with_source(cause));
            }
        }
        Ok(())
    }

    /// Waits for the workers, which end once the queue is empty.
    pub(super) fn join(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its work.
            let _ = thread.join();
        }
    }
}
