//! `Bulk`: the settings of a run, and how it starts.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use super::OnBudget;
use super::batched::Batched;
use super::run::Run;
use super::shell::Shell;
use super::task::{Chats, Embeds, Task};
use crate::call::Caller;
use crate::cancel::CancelToken;
use crate::chat::{ChatRequest, ChatResponse};
use crate::embed::{EmbedRequest, Embeddings};
use crate::error::{Error, ErrorKind};
use crate::journal::Journal;

/// How many workers a run has, unless the caller sets another number.
const WORKERS: usize = 8;

/// How many items are read for each worker: one in flight, and spare ones for the time that the
/// caller needs for a result.
const AHEAD: usize = 4;

/// The fewest items that are read ahead. With fewer, a few workers with fast calls would run out of
/// items while the caller's thread wakes up.
const LEAST_AHEAD: usize = 32;

/// Many calls: how many at once, what happens to failures, and where their results are kept.
///
/// [`Client::bulk`](crate::Client::bulk) makes one. [`chat`](Self::chat) and [`embed`](Self::embed)
/// start it.
///
/// ```
/// use tollgate::testing::Loopback;
/// use tollgate::{ChatRequest, Client};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Loopback::start()?; // in your program: Client::openai("gpt-4o-mini")?
/// let client = Client::builder()
///     .model("openai/gpt-4o-mini")
///     .api_key("test")
///     .base_url(server.base_url("openai"))
///     .build()?;
///
/// let cities = ["Paris", "Rome", "Oslo"];
/// let requests = cities.map(|city| (city, ChatRequest::from(format!("Describe {city}."))));
/// for (city, result) in client.bulk().workers(2).chat(requests)? {
///     println!("{city}: {}", result?.text());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a run starts with `chat` or `embed`"]
pub struct Bulk {
    caller: Arc<Caller>,
    settings: Settings,
}

/// The settings of a run.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) workers: usize,
    /// The most items that have been read and not yielded; 0 for the default.
    pub(super) look_ahead: usize,
    pub(super) ordered: bool,
    pub(super) on_budget: OnBudget,
    pub(super) cancel: Option<CancelToken>,
    pub(super) on_cancel: OnCancel,
    pub(super) journal: Option<Journal>,
    pub(super) failures: Option<PathBuf>,
    pub(super) deduplicate: bool,
    pub(super) total: Option<u64>,
    pub(super) stop_on: Option<StopOn>,
    /// How to use batches, if the run does.
    pub(super) batched: Option<(Batched, Arc<Caller>)>,
}

impl Settings {
    /// The most items that have been read and not yielded.
    pub(super) fn look_ahead(&self) -> usize {
        match (self.look_ahead, &self.batched) {
            (0, Some((batched, _))) => batched.max_requests.saturating_mul(batched.in_flight),
            (0, None) => self.workers.saturating_mul(AHEAD).max(LEAST_AHEAD),
            (items, _) => items,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: WORKERS,
            look_ahead: 0,
            ordered: false,
            on_budget: OnBudget::default(),
            cancel: None,
            on_cancel: OnCancel::default(),
            journal: None,
            failures: None,
            deduplicate: false,
            total: None,
            stop_on: None,
            batched: None,
        }
    }
}

/// Whether an error ends the run.
pub(super) type StopOn = Arc<dyn Fn(&Error) -> bool + Send + Sync>;

/// What cancelling a run does to the calls and [batches](Bulk::batched) in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnCancel {
    /// Calls finish, and their results are yielded. Batches go on at the provider. Their items end as
    /// cancelled, and a run with the same journal reads their results.
    #[default]
    Finish,
    /// They are cancelled. The provider may bill calls all the same, and the next run makes them
    /// again. Of a batch, the next run reads what was answered by then, and submits the rest again.
    Cancel,
}

impl Bulk {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        Self { caller, settings: Settings::default() }
    }

    /// Sets the most calls in flight at once. Each has a thread of its own. More than the
    /// [pool](crate::PoolConfig::max_per_origin) has connections would wait for each other.
    /// Default: 8.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers;
        self
    }

    /// Yields results in the order of the items. A slow call then holds up those after it, and once
    /// the [look-ahead](Self::look_ahead) is used up, no call starts until it ends. Default: results
    /// are yielded as they come.
    pub fn ordered(mut self) -> Self {
        self.settings.ordered = true;
        self
    }

    /// Sets the most items that have been read and whose results have not been yielded. It bounds
    /// the memory of a run. Default: four times the number of workers, but at least 32, which is also
    /// what 0 means.
    pub fn look_ahead(mut self, items: usize) -> Self {
        self.settings.look_ahead = items;
        self
    }

    /// Sets what happens when a [budget](crate::Budget) refuses an item. Default:
    /// [`OnBudget::Stop`].
    pub fn on_budget(mut self, on_budget: OnBudget) -> Self {
        self.settings.on_budget = on_budget;
        self
    }

    /// Stops the run at the first error that `stops` accepts, such as a wrong key, with which all
    /// other items would fail too. The item counts as not done. Default: no error stops the run.
    ///
    /// ```no_run
    /// # use tollgate::{ChatRequest, Client, ErrorKind};
    /// # let client = Client::openai("gpt-4o-mini")?;
    /// # let requests: Vec<(u32, ChatRequest)> = Vec::new();
    /// let bulk = client.bulk().stop_on(|error| error.kind() == ErrorKind::Authentication);
    /// for (id, result) in bulk.chat(requests)? {
    ///     println!("{id}: {}", result?.text());
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn stop_on(mut self, stops: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.settings.stop_on = Some(Arc::new(stops));
        self
    }

    /// Sets a token that ends the run early, for example at Ctrl-C. No further call starts. Items
    /// that were read and not sent end with an error of kind
    /// [`Cancelled`](crate::ErrorKind::Cancelled). Default: none.
    pub fn cancel_token(mut self, token: impl Into<CancelToken>) -> Self {
        self.settings.cancel = Some(token.into());
        self
    }

    /// Sets what cancelling does to the calls and batches in flight. A request with a cancel token of its own is
    /// cancelled by that token alone. Default: [`OnCancel::Finish`].
    pub fn on_cancel(mut self, on_cancel: OnCancel) -> Self {
        self.settings.on_cancel = on_cancel;
        self
    }

    /// Keeps a journal, from which a later run resumes. Default: none.
    pub fn journal(mut self, journal: impl Into<Journal>) -> Self {
        self.settings.journal = Some(journal.into());
        self
    }

    /// Writes the items that fail to this file, with their requests, as JSON lines that
    /// [`JsonLines`](super::JsonLines) reads as [`FailedItem`](super::FailedItem)s. The file is
    /// replaced when the run ends. With a journal, it also has the items that failed in an earlier
    /// run and are not repeated. Default: none.
    pub fn failures(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.failures = Some(path.into());
        self
    }

    /// Sends equal requests once, and gives all of them the same answer. If the request fails, those
    /// that wait for it fail too; later ones are sent again. Tags, time limits and keys do not count.
    /// The answers of the last 10,000 different requests are kept in memory; a request that comes
    /// again later is sent again. Default: every request is sent.
    pub fn deduplicate(mut self, on: bool) -> Self {
        self.settings.deduplicate = on;
        self
    }

    /// Sets how many items there are, for [`Progress`](super::Progress). Default: what the iterator
    /// says, if it knows its length.
    pub fn total(mut self, items: u64) -> Self {
        self.settings.total = Some(items);
        self
    }

    /// Submits the items in the providers' batches instead of calling: about half the price, and the
    /// results come within a day. Default: every item is a call.
    ///
    /// Journal, failures, progress, budgets, order, deduplication and maps work as for calls. With a
    /// journal, a run that was stopped or killed finds its batches again and pays for nothing twice.
    /// The [guide](crate::guide::bulk) says more.
    ///
    /// ```no_run
    /// # use tollgate::{ChatRequest, Client};
    /// # let client = Client::openai("gpt-4o-mini")?;
    /// # let requests: Vec<(u32, ChatRequest)> = Vec::new();
    /// for (id, result) in client.bulk().batched().journal("night.journal").chat(requests)? {
    ///     println!("{id}: {}", result?.text());
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    #[doc(alias = "batch")]
    pub fn batched(self) -> Self {
        self.batched_with(Batched::default())
    }

    /// Like [`batched`](Self::batched), with settings of its own. The [look-ahead](Self::look_ahead)
    /// is then by default as many items as the batches in flight may have.
    pub fn batched_with(mut self, batched: Batched) -> Self {
        self.settings.batched = Some((batched, Arc::clone(&self.caller)));
        self
    }

    /// Starts chats. The requests are read on the thread that iterates over the results, when there
    /// is room for another one. An id is anything that can be written as text, and must be unique.
    ///
    /// Dropping the [`Run`] cancels the calls in flight and waits for the workers. Batches go on at the
    /// provider.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if there is no worker, or the journal or the file
    /// of failures cannot be used. The first item is read for that.
    pub fn chat<'a, I, K, Q>(self, requests: I) -> Result<Run<'a, ChatResponse>, Error>
    where
        I: IntoIterator<Item = (K, Q)>,
        I::IntoIter: 'a,
        K: ToString,
        Q: Into<ChatRequest>,
    {
        self.start::<Chats, _, _, _, _>(requests, Ok)
    }

    /// Starts chats, and makes a value of the program's own from each answer. That happens on the
    /// workers' threads. An error fails the item: the journal and the file of failures have it like
    /// the failure of a call.
    ///
    /// ```no_run
    /// # use tollgate::{ChatRequest, Client, Error};
    /// #[derive(serde::Deserialize)]
    /// struct City {
    ///     inhabitants: u64,
    /// }
    /// # let client = Client::openai("gpt-4o-mini")?;
    /// # let requests: Vec<(u32, ChatRequest)> = Vec::new();
    /// for (id, city) in client.bulk().chat_map(requests, |answer| answer.parse::<City>())? {
    ///     println!("{id}: {}", city?.inhabitants);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`chat`](Self::chat).
    pub fn chat_map<'a, I, K, Q, T, E>(
        self,
        requests: I,
        map: impl Fn(ChatResponse) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Run<'a, T>, Error>
    where
        I: IntoIterator<Item = (K, Q)>,
        I::IntoIter: 'a,
        K: ToString,
        Q: Into<ChatRequest>,
        T: Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.start::<Chats, _, _, _, _>(requests, move |answer| map(answer).map_err(rejected))
    }

    /// Starts embeddings, as [`chat`](Self::chat) starts chats. A request with many texts is split
    /// and sent in parallel; for one request at a time and worker, set
    /// [`parallel_requests`](EmbedRequest::parallel_requests) to 1.
    ///
    /// # Errors
    ///
    /// As for [`chat`](Self::chat).
    pub fn embed<'a, I, K, Q>(self, requests: I) -> Result<Run<'a, Embeddings>, Error>
    where
        I: IntoIterator<Item = (K, Q)>,
        I::IntoIter: 'a,
        K: ToString,
        Q: Into<EmbedRequest>,
    {
        self.start::<Embeds, _, _, _, _>(requests, Ok)
    }

    fn start<'a, W, I, K, Q, T>(
        self,
        requests: I,
        map: impl Fn(W::Answer) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<Run<'a, T>, Error>
    where
        W: Task,
        I: IntoIterator<Item = (K, Q)>,
        I::IntoIter: 'a,
        K: ToString,
        Q: Into<W::Request>,
        T: Send + 'static,
    {
        let mut settings = self.settings;
        if settings.workers == 0 {
            return Err(Error::new(
                ErrorKind::Configuration,
                "workers is 0; a run needs at least one worker",
            ));
        }
        let items = requests.into_iter();
        if settings.total.is_none() {
            let (least, most) = items.size_hint();
            settings.total = most.filter(|most| *most == least).and_then(|n| n.try_into().ok());
        }
        let items = items.map(|(id, request)| (id.to_string(), Box::new(request.into())));
        let call = move |request: &W::Request| W::call(&self.caller, request);
        Shell::<'a, W, T>::start(Box::new(items), Box::new(call), Box::new(map), settings)
            .map(Run::new)
    }
}

/// The error of an item whose answer the program rejects.
fn rejected(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    match error.into().downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => {
            let message = format!("the program rejects the answer: {error}");
            Error::new(ErrorKind::Protocol, message)
                .with_retry_hints(None, Some(false))
                .with_source(error)
        }
    }
}
