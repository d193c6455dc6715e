//! `Batched`: how a run uses batches.

use std::time::Duration;

use crate::call::WaitTimes;

/// How a run uses a provider's batches.
///
/// [`Bulk::batched`](crate::bulk::Bulk::batched) uses the defaults, and
/// [`Bulk::batched_with`](crate::bulk::Bulk::batched_with) takes one.
///
/// ```
/// use tollgate::bulk::Batched;
///
/// let batched = Batched::new().max_requests(1_000).in_flight(2).fall_back_to_calls(true);
/// # let _ = batched;
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "it only has an effect if a run gets it"]
pub struct Batched {
    pub(crate) max_requests: usize,
    pub(crate) in_flight: usize,
    pub(crate) fall_back: bool,
    pub(crate) times: WaitTimes,
    pub(crate) on_deadline: OnDeadline,
}

/// What happens to a batch that has not ended by the [deadline](Batched::deadline).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDeadline {
    /// It goes on at the provider. Its items end with a [`Timeout`](crate::ErrorKind::Timeout) and
    /// count as not done: a run with the same journal waits for it again.
    #[default]
    Leave,
    /// The run cancels it and waits until the provider has ended it, which can take minutes. It
    /// reads what was answered by then. All other items have expired: they fail with a
    /// [`Timeout`](crate::ErrorKind::Timeout), or calls answer them if the run
    /// [falls back](Batched::fall_back_to_calls) to calls. If the run is stopped meanwhile, the next
    /// one submits them again.
    Cancel,
}

impl Default for Batched {
    fn default() -> Self {
        Self {
            max_requests: 5_000,
            in_flight: 4,
            fall_back: false,
            times: WaitTimes::default(),
            on_deadline: OnDeadline::default(),
        }
    }
}

impl Batched {
    /// Uses all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most requests of a batch. When the run has read as many items for a provider, it
    /// submits them. 0 counts as 1. Default: 5,000.
    ///
    /// Their requests and answers are in memory, for each batch in flight. A provider with lower
    /// limits gets several jobs for one batch.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests.max(1);
        self
    }

    /// Sets the most batches in flight at once. Each has a thread, which waits for it. 0 counts as
    /// 1. Default: 4.
    pub fn in_flight(mut self, batches: usize) -> Self {
        self.in_flight = batches.max(1);
        self
    }

    /// Sets whether a call, at the full price, answers an item that its batch did not: because the
    /// batch expired, the item failed in a way that a retry may mend, or the provider's batches do
    /// not take it. Default: `false`: such an item fails, and a run with
    /// [`repeat_failures`](crate::bulk::Journal::repeat_failures) submits it again.
    pub fn fall_back_to_calls(mut self, on: bool) -> Self {
        self.fall_back = on;
        self
    }

    /// Sets the time between the first two looks at a batch. It grows by half each time, up to
    /// [`max_poll_interval`](Self::max_poll_interval). Default: 10 s.
    pub fn poll_interval(mut self, first: Duration) -> Self {
        self.times.set_first(first);
        self
    }

    /// Sets the longest time between two looks at a batch. Default: 300 s.
    pub fn max_poll_interval(mut self, longest: Duration) -> Self {
        self.times.set_longest(longest);
        self
    }

    /// Sets how long this run waits for each batch, from its submission or from the start of a run
    /// that resumes it. [`on_deadline`](Self::on_deadline) decides what happens then. Default: as
    /// long as it takes, which is a day or a little more.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.times.limit = Some(limit);
        self
    }

    /// Sets what happens to a batch at the [deadline](Self::deadline). Default:
    /// [`OnDeadline::Leave`].
    pub fn on_deadline(mut self, on_deadline: OnDeadline) -> Self {
        self.on_deadline = on_deadline;
        self
    }
}
