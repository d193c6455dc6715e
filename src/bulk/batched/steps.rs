//! What the journal keeps of a batch while it is submitted, and what a later run makes of it.
//!
//! Each step is on the disk before the next one is taken: what will be submitted before anything is
//! sent, what a job will be recognized by before it is created, and its id after.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;

use super::super::task::Task;
use super::super::worker::Shared;
use crate::batch::{Batch, Mark, SubmissionLog};
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::journal;

/// A step of a submission.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// This batch will be submitted. Its requests are these items, in its order.
    Submits { batch: Batch, items: Vec<(String, Fingerprint)> },
    /// This job will be created.
    Creates { job: usize, mark: Mark },
    /// This job has this id.
    Created { job: usize, id: String },
    /// This job was not created, and will not be.
    Dropped { job: usize },
}

/// A batch of an earlier run that is not over.
pub(crate) struct Interrupted {
    pub(crate) name: String,
    /// Where the journal's lines about it begin.
    pub(crate) since: u64,
    /// Jobs without an id may exist if they have a mark.
    pub(crate) batch: Batch,
    pub(crate) marks: Vec<Option<Mark>>,
    /// Which jobs were dropped.
    pub(crate) dropped: Vec<bool>,
    /// Its items, in the order of the batch.
    pub(crate) items: Vec<(String, Fingerprint)>,
}

impl Interrupted {
    /// Puts the steps of a batch together.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if they do not fit together.
    pub(crate) fn of_steps(
        name: String,
        since: u64,
        steps: impl IntoIterator<Item = Result<Step, Error>>,
    ) -> Result<Self, Error> {
        let mut steps = steps.into_iter();
        let damaged = || {
            let message = format!(
                "the journal's lines of the batch {name:?} are damaged: they do not fit together; \
                 use another journal"
            );
            Error::new(ErrorKind::Configuration, message)
        };
        let Some(Step::Submits { batch, items }) = steps.next().transpose()? else {
            return Err(damaged());
        };
        if items.len() != batch.items.len() {
            return Err(damaged());
        }
        let jobs = batch.parts.len();
        let (name, marks, dropped) = (name.clone(), vec![None; jobs], vec![false; jobs]);
        let mut this = Self { name, since, batch, marks, dropped, items };
        for step in steps {
            let step = step?;
            let (Step::Creates { job, .. } | Step::Created { job, .. } | Step::Dropped { job }) =
                &step
            else {
                return Err(damaged());
            };
            let job = *job;
            if job >= jobs {
                return Err(damaged());
            }
            match step {
                Step::Creates { mark, .. } => this.marks[job] = Some(mark),
                Step::Created { id, .. } => this.batch.parts[job].id = id,
                _ => (this.marks[job], this.dropped[job]) = (None, true),
            }
        }
        Ok(this)
    }
}

/// Writes the steps of one batch to the journal, if there is one.
pub(super) struct Log<W: Task, T> {
    pub(super) shared: Arc<Shared<W, T>>,
    pub(super) name: String,
    /// The items of the batch, for its first step.
    pub(super) items: Vec<(String, Fingerprint)>,
    /// Why a step could not be written.
    pub(super) fault: Option<Error>,
}

impl<W: Task, T> Log<W, T> {
    pub(super) fn write(&mut self, step: &Step) -> Result<(), Error> {
        let Some(journal) = &self.shared.journal else { return Ok(()) };
        let line = journal::batch_step(&self.name, Some(step));
        let written = line.and_then(|line| journal.append_and_sync(&line, Instant::now()));
        written.inspect_err(|fault| self.fault = Some(fault.clone()))
    }
}

impl<W: Task, T> SubmissionLog for Log<W, T> {
    fn submits(&mut self, batch: &Batch) -> Result<(), Error> {
        let items = std::mem::take(&mut self.items);
        self.write(&Step::Submits { batch: batch.clone(), items })
    }

    fn creates(&mut self, job: usize, mark: &Mark) -> Result<(), Error> {
        self.write(&Step::Creates { job, mark: mark.clone() })
    }

    fn created(&mut self, job: usize, id: &str) -> Result<(), Error> {
        self.write(&Step::Created { job, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn submits(items: usize) -> Value {
        let part = json!({"id": "", "endpoint": "chat"});
        let item = |number: usize| json!({"id": format!("i{number}"), "charge": {"at": 0}});
        let ids = (0..items).map(|number| json!([format!("i{number}"), format!("{number:032x}")]));
        json!({"submits": {
            "batch": {
                "provider": "openai",
                "parts": [part, part, part],
                "items": (0..2).map(item).collect::<Vec<_>>(),
            },
            "items": ids.collect::<Vec<_>>(),
        }})
    }

    fn of(steps: &[Value]) -> Result<Interrupted, Error> {
        let step = |step: &Value| Ok(serde_json::from_value(step.clone()).unwrap());
        Interrupted::of_steps("one".to_owned(), 0, steps.iter().map(step))
    }

    #[test]
    fn the_steps_say_which_jobs_exist_may_exist_and_do_not() {
        let mark = json!({"name": "file-1"});
        let steps = [
            submits(2),
            json!({"creates": {"job": 0, "mark": mark}}),
            json!({"created": {"job": 0, "id": "batch-1"}}),
            json!({"creates": {"job": 1, "mark": mark}}),
            json!({"dropped": {"job": 1}}),
            json!({"creates": {"job": 2, "mark": mark}}),
        ];
        let Interrupted { batch, marks, dropped, items, .. } = of(&steps).unwrap();
        let ids: Vec<_> = batch.parts.iter().map(|part| part.id.as_str()).collect();
        assert_eq!(ids, ["batch-1", "", ""]);
        assert!(marks[1].is_none() && marks[2].is_some());
        assert_eq!((dropped, items.len()), (vec![false, true, false], 2));
        let nothing_sent = of(&steps[..1]).unwrap();
        assert!(nothing_sent.marks.iter().all(Option::is_none));
    }

    #[test]
    fn steps_that_do_not_fit_together_are_refused() {
        let created = |job: usize| json!({"created": {"job": job, "id": "batch-1"}});
        for steps in [
            vec![],
            vec![created(0)],
            vec![submits(1)],
            vec![submits(2), created(3)],
            vec![submits(2), submits(2)],
        ] {
            let error = of(&steps).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{steps:?}");
        }
    }
}
