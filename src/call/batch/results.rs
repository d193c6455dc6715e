//! `BatchResults`: reads the results of a batch in the order of submission.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::decode::Known;
use super::{BatchOptions, Service};
use crate::batch::{Batch, BatchOutcome, BatchResult, BatchState, Collected, Seen};
use crate::call::Caller;
use crate::error::{Error, ErrorKind};
use crate::spool::{self, Piece, Spool};
use crate::wire::Failure;
use crate::wire::batch::{Job, Line, Outcome};

/// How often a file of results is read, if it breaks off.
const READS: u32 = 4;

/// How long to wait before reading a file again, after its first break.
const BEFORE_READ: Duration = Duration::from_secs(1);

/// The results of a batch, in the order of submission.
///
/// Made by [`Batches::results`](crate::Batches::results). The files of results are already read
/// completely, and kept on disk if they are large. Each step decodes one result and records its
/// cost.
///
/// Every request of the batch comes exactly once. One that the provider returned no result for is
/// [`Failed`](BatchOutcome::Failed), [`Expired`](BatchOutcome::Expired) or
/// [`Cancelled`](BatchOutcome::Cancelled), as the batch ended.
#[must_use = "each step records the cost of a result"]
pub struct BatchResults {
    service: Service,
    batch: Batch,
    jobs: Vec<JobEnd>,
    spool: Spool,
    /// Where each request's result is; `None` if there is none.
    lines: Vec<Option<Place>>,
    next: usize,
    duplicates: usize,
    unknown: usize,
}

/// Where a result is.
#[derive(Debug, Clone, Copy)]
struct Place {
    piece: Piece,
    part: usize,
    /// The number of its file among those of its part.
    file: usize,
}

/// How a job ended.
struct JobEnd {
    state: BatchState,
    refusal: Option<Failure>,
}

impl Caller {
    /// Reads the results of a batch.
    pub(crate) fn batch_results(
        self: &Arc<Self>,
        options: &BatchOptions,
        batch: &Batch,
    ) -> Result<BatchResults, Error> {
        let service = Service::of(self, options, batch)?;
        let mut results = BatchResults {
            service,
            batch: batch.clone(),
            jobs: Vec::new(),
            spool: Spool::default(),
            lines: batch.items.iter().map(|_| None).collect(),
            next: 0,
            duplicates: 0,
            unknown: 0,
        };
        results.read_all()?;
        Ok(results)
    }
}

impl BatchResults {
    /// How many further results the provider returned for requests that already had one. The first
    /// result counts.
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// How many results belong to no request of the batch. They are left out.
    pub fn unknown_ids(&self) -> usize {
        self.unknown
    }

    /// Reads all files of all jobs.
    fn read_all(&mut self) -> Result<(), Error> {
        let mut jobs = Vec::new();
        for part in &self.batch.parts {
            let job = self.service.job(&part.id)?;
            if !job.state.is_final() {
                return Err(Error::invalid_request(format!(
                    "the batch {} is still {}, so it has no results yet; call Batches::wait first",
                    part.id, job.state
                )));
            }
            jobs.push(job);
        }
        let mut collected = Collected::new(&self.batch.items);
        for (part, mut job) in jobs.into_iter().enumerate() {
            let mut seen = HashSet::new();
            for line in std::mem::take(&mut job.lines) {
                self.note(&line, (part, 0), &mut collected, &mut seen)?;
            }
            for (file, path) in job.files.iter().enumerate() {
                self.read(path, (part, file), &mut collected)?;
            }
            let Job { state, refusal, .. } = job;
            self.jobs.push(JobEnd { state, refusal });
        }
        Ok(())
    }

    /// Reads a file. If it breaks off, it is read again from its start; what was already read is
    /// not noted twice.
    fn read(
        &mut self,
        path: &str,
        from: (usize, usize),
        collected: &mut Collected,
    ) -> Result<(), Error> {
        let mut wait = BEFORE_READ;
        for read in 1.. {
            let broken = match self.read_once(path, from, collected) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let again = broken.is_retryable() || broken.kind() == ErrorKind::Truncated;
            if !again {
                return Err(broken);
            }
            if read == READS {
                let id = &self.batch.parts[from.0].id;
                return Err(broken.about(&format!(
                    "the results of the batch {id} broke off {READS} times; read them again later"
                )));
            }
            self.service.sleep(wait)?;
            wait = wait.saturating_mul(2);
        }
        Ok(())
    }

    fn read_once(
        &mut self,
        path: &str,
        from: (usize, usize),
        collected: &mut Collected,
    ) -> Result<(), Error> {
        let before = (self.duplicates, self.unknown);
        // Of this reading alone: what an earlier one noted comes again.
        let mut seen = HashSet::new();
        let mut download = self.service.download(path)?;
        loop {
            let line = match download.line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) => {
                    (self.duplicates, self.unknown) = before;
                    return Err(error);
                }
            };
            if let Err(error) = self.note(&line, from, collected, &mut seen) {
                (self.duplicates, self.unknown) = before;
                return Err(error);
            }
        }
    }

    /// Notes a result.
    ///
    /// # Errors
    ///
    /// [`Truncated`](ErrorKind::Truncated) if the line is not JSON: the file was cut off in it.
    fn note(
        &mut self,
        line: &str,
        (part, file): (usize, usize),
        collected: &mut Collected,
        seen: &mut HashSet<u64>,
    ) -> Result<(), Error> {
        let Line { id, .. } =
            self.service.interface.result(line).map_err(|_| {
                Error::new(ErrorKind::Truncated, "a line of the results is incomplete")
            })?;
        let Some(id) = id else {
            self.unknown += 1;
            return Ok(());
        };
        let is_new = seen.insert(hash(&id));
        let place = match collected.note(&id) {
            Seen::First(place) => place,
            Seen::Again(place) => {
                let noted = self.lines.get(place).copied().flatten();
                let is_same = noted.is_some_and(|noted| (noted.part, noted.file) == (part, file));
                self.duplicates += usize::from(!is_new || !is_same);
                return Ok(());
            }
            Seen::Unknown => {
                self.unknown += 1;
                return Ok(());
            }
        };
        let piece = self.spool.push(line.as_bytes());
        let piece = piece.map_err(|error| spool::failed(error, "written"))?;
        if place >= self.lines.len() {
            self.lines.resize(place + 1, None);
        }
        self.lines[place] = Some(Place { piece, part, file });
        Ok(())
    }

    /// The result of a request.
    fn result(&mut self, place: usize) -> Result<BatchResult, Error> {
        let Self { service, batch, lines, spool, jobs, .. } = self;
        let count = lines.len();
        let item = batch.items.get(place);
        let (line, part) = match lines[place] {
            Some(Place { piece, part, .. }) => {
                let mut line = Vec::with_capacity(piece.len());
                let read = spool.read(piece, &mut line);
                read.map_err(|error| spool::failed(error, "read"))?;
                (service.interface.result(&String::from_utf8_lossy(&line)).ok(), part)
            }
            None => (None, item.map_or(0, |item| item.part)),
        };
        let id = item.map(|item| item.id.clone());
        let id = id.or_else(|| line.as_ref()?.id.clone()).unwrap_or_default();
        let end = &jobs[part];
        let known = Known { batch, part: &batch.parts[part], item, place, count };
        let outcome = match line {
            // Some servers list the cancelled requests of a job as failed.
            Some(Line { outcome: Outcome::Failed(failure), .. })
                if end.state == BatchState::Cancelled
                    && is_cancellation(failure.code.as_deref()) =>
            {
                service.without_result(BatchOutcome::Cancelled, &known)?
            }
            Some(line) => service.outcome(line, &known)?,
            None => match end.state {
                BatchState::Expired => service.without_result(BatchOutcome::Expired, &known)?,
                BatchState::Cancelled => service.without_result(BatchOutcome::Cancelled, &known)?,
                BatchState::Failed => {
                    let unexplained =
                        || Failure::protocol("the provider refused the batch and gave no reason");
                    let failure = end.refusal.clone().unwrap_or_else(unexplained);
                    service.refused(failure, &known)?
                }
                _ => {
                    let error = Error::new(
                        ErrorKind::Protocol,
                        "the batch has ended, but the provider returned no result for this request; \
                         submit it again",
                    );
                    let error = error.with_provider(batch.provider().as_str());
                    service.without_result(BatchOutcome::Failed(error), &known)?
                }
            },
        };
        Ok(BatchResult { id, outcome })
    }
}

fn is_cancellation(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.contains("cancel"))
}

fn hash(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

impl Iterator for BatchResults {
    type Item = Result<BatchResult, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.next;
        if place >= self.lines.len() {
            return None;
        }
        self.next += 1;
        let result = self.result(place);
        if result.is_err() {
            self.next = self.lines.len();
        }
        Some(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.lines.len() - self.next;
        (left, Some(left))
    }
}

impl std::fmt::Debug for BatchResults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchResults")
            .field("batch", &self.batch)
            .field("read", &self.next)
            .finish_non_exhaustive()
    }
}
