//! Decides whether an item that was just read is sent, skipped, replayed or refused.

use serde::de::DeserializeOwned;

use super::{Item, Shell};
use crate::bulk::dedupe::Found;
use crate::bulk::progress::End;
use crate::bulk::task::Task;
use crate::bulk::worker::{Job, Work};
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::journal::{Entered, Known, Reader};

/// The longest id, in bytes.
const LONGEST_ID: usize = 1_024;

/// What earlier runs have done.
pub(super) struct Past {
    pub(super) reader: Reader,
    pub(super) repeat_failures: bool,
    pub(super) replay: bool,
}

/// What happens to an item that the journal has.
enum Recalled<A> {
    /// It failed, and is sent again.
    Repeats,
    /// It has an answer, which is not yielded again.
    Skips,
    /// It has this answer, which is yielded again.
    Answered(Box<A>),
    /// It failed, and is not sent again.
    Failed(Error),
}

impl Past {
    /// Decides what happens to an item, and reads its line if that is needed.
    fn recall<A: DeserializeOwned>(&mut self, id: &str, line: Known) -> Result<Recalled<A>, Error> {
        let Known { failed, same_request, offset } = line;
        if failed && self.repeat_failures {
            return Ok(Recalled::Repeats);
        }
        if !same_request {
            return Err(other_request(id));
        }
        match (failed, self.replay) {
            (true, _) => self.reader.failure(offset).map(Recalled::Failed),
            (false, true) => {
                self.reader.answer(offset).map(|answer| Recalled::Answered(Box::new(answer)))
            }
            (false, false) => Ok(Recalled::Skips),
        }
    }
}

impl<W: Task, T: Send + 'static> Shell<'_, W, T> {
    /// Sends, skips, replays or refuses an item that was just read.
    pub(super) fn read(&mut self, (id, request): Item<W>) {
        self.shared.progress.update(|counts| counts.read());
        if let Some(problem) = id_problem(&id) {
            return self.refuse(id, request, problem);
        }
        let has_print = self.past.is_some() || self.duplicates.is_some();
        let print = has_print.then(|| W::fingerprint(&request));
        match self.index.enter(&id, print) {
            Entered::New => self.begin_new(id, request, print),
            Entered::Duplicate => {
                let problem = format!(
                    "the id {id:?} occurs twice; the second item is not sent, because every item \
                     needs an id of its own"
                );
                self.refuse(id, request, problem);
            }
            Entered::Known(line) => self.known(id, request, print, line),
        }
    }

    /// Skips, replays or repeats an item that the journal has.
    fn known(
        &mut self,
        id: String,
        request: Box<W::Request>,
        print: Option<Fingerprint>,
        line: Known,
    ) {
        let Some(past) = &mut self.past else { return };
        let replay = past.replay;
        match past.recall(&id, line) {
            Ok(Recalled::Repeats) => self.begin_new(id, request, print),
            Ok(Recalled::Skips) => {
                self.shared.progress.update(|counts| counts.skipped(End::Answered));
            }
            Ok(Recalled::Answered(answer)) => {
                self.begin(id, request, print, Work::Replay(answer));
            }
            Ok(Recalled::Failed(error)) => {
                self.shared.progress.update(|counts| counts.skipped(End::Failed));
                self.keep_failure(&id, &error, &request);
                if replay {
                    let number = self.core.add();
                    self.core.finish(number, (id, Err(error)));
                }
            }
            Err(fault) => {
                self.fail_run(fault.clone());
                self.leave(id, fault);
            }
        }
    }

    /// Begins an item without a result, which a batch of an earlier run may have.
    fn begin_new(&mut self, id: String, request: Box<W::Request>, print: Option<Fingerprint>) {
        let Some(batches) = &mut self.batches else {
            return self.begin(id, request, print, Work::Call);
        };
        match batches.claim(&id) {
            Some((_, submitted)) if print != Some(submitted) => {
                let error = other_request(&id);
                self.fail_run(error.clone());
                self.leave(id, error);
            }
            claim => {
                let of = claim.map(|(number, _)| number);
                self.begin(id, request, print, Work::Batch(of));
            }
        }
    }

    /// Begins an item.
    fn begin(
        &mut self,
        id: String,
        mut request: Box<W::Request>,
        print: Option<Fingerprint>,
        work: Work<W::Answer>,
    ) {
        W::token(&mut request).get_or_insert_with(|| self.in_flight.clone());
        let mut job = Job::new(self.core.add(), id, request, print, work);
        if let (Some(duplicates), Some(print), Work::Call | Work::Batch(_)) =
            (&mut self.duplicates, print, &job.work)
        {
            job = match duplicates.find(print, job) {
                Found::First(job) => Job { leads: true, ..job },
                Found::Waits => return,
                Found::Answered(job, answer) => Job { work: Work::Same(answer), ..job },
            };
        }
        self.send(job);
    }

    /// Refuses an item for its id. The journal has no line for it, because lines go by id.
    fn refuse(&mut self, id: String, request: Box<W::Request>, problem: String) {
        let job = Job::new(self.core.add(), id, request, None, Work::Call);
        self.fail(job, Error::invalid_request(problem));
    }
}

/// Why an item is not the one that the journal has.
fn other_request(id: &str) -> Error {
    let message = format!(
        "the journal has another request for the id {id:?}, so it belongs to another job, or the \
         input has changed; use another journal"
    );
    Error::new(ErrorKind::Configuration, message)
}

/// Why an id cannot be used.
fn id_problem(id: &str) -> Option<String> {
    match id.len() {
        0 => Some("the id is empty; every item needs an id of its own".to_owned()),
        length if length <= LONGEST_ID => None,
        length => Some(format!(
            "the id has {length} bytes, but at most {LONGEST_ID} are allowed; use a shorter one"
        )),
    }
}
