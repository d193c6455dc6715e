//! `Batches`: a provider's batches.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::batch::{Batch, BatchRequest, BatchStatus};
use crate::call::{BatchOptions, BatchResults, BatchSummary, Caller, WaitTimes};
use crate::cancel::CancelToken;
use crate::chat::Provider;
use crate::error::Error;

/// The batches of a provider. Made by [`Client::batches`].
#[derive(Clone)]
#[must_use]
pub struct Batches {
    caller: Arc<Caller>,
    options: BatchOptions,
    times: WaitTimes,
}

impl Client {
    /// Works with the batches of a provider, by name or alias: many requests in one job, at about
    /// half the price, answered within a day.
    ///
    /// OpenAI, Azure, Anthropic, Gemini, Mistral, Groq, Together, Alibaba, DeepInfra, Moonshot, Nebius and
    /// Novita have them. The [guide](crate::guide::batches) shows more.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::testing::Loopback;
    /// use tollgate::{ChatRequest, Client};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Loopback::start()?; // in your program: Client::openai("gpt-4o-mini")?
    /// let client = Client::builder()
    ///     .provider("openai")
    ///     .model("gpt-4o-mini")
    ///     .api_key("sk-test")
    ///     .base_url(server.base_url("openai"))
    ///     .build()?;
    ///
    /// let batches = client.batches("openai").poll_interval(Duration::from_millis(1));
    /// let cities = ["Paris", "Rome"];
    /// let requests = cities.map(|city| (city, ChatRequest::from(format!("Describe {city}."))));
    /// let batch = batches.submit(requests)?;
    /// let stored = serde_json::to_string(&batch)?; // any process can go on from here
    ///
    /// let batch = serde_json::from_str(&stored)?;
    /// batches.wait(&batch)?;
    /// for result in batches.results(&batch)? {
    ///     let result = result?;
    ///     println!("{}: {}", result.id, result.outcome.into_chat()?.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "bulk")]
    pub fn batches(&self, provider: impl Into<Provider>) -> Batches {
        let options = BatchOptions {
            provider: Some(provider.into()),
            timeout: None,
            cancel: None,
            tags: <_>::default(),
            most: (None, None),
        };
        Batches { caller: Arc::clone(&self.caller), options, times: WaitTimes::default() }
    }
}

impl Batches {
    /// Sets the longest that each request to the provider may take, such as an upload. Default: the
    /// client's [`timeout`](crate::ClientBuilder::timeout), 600 s if not set. A download may take
    /// longer, as long as bytes come within the [idle
    /// timeout](crate::ClientBuilder::idle_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sets the token that ends any of these operations from another thread. It does not cancel the
    /// batch; [`cancel`](Self::cancel) does. Default: none.
    pub fn cancel_token(mut self, token: &CancelToken) -> Self {
        self.options.cancel = Some(token.clone());
        self
    }

    /// Tags the requests about batches, such as uploads, for metrics and observers. The cost of a
    /// batch is recorded with the tags of its own requests. Default: no tags.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.tags.insert(name.into(), value.into());
        self
    }

    /// Sets the most requests of each job of the provider, at least 1. A batch with more is split.
    /// Default: the provider's limit, such as 50,000 at OpenAI.
    pub fn max_requests(mut self, most: usize) -> Self {
        self.options.most.0 = Some(most);
        self
    }

    /// Sets the most bytes of each job of the provider, at least 1. A batch with more is split. While a
    /// job is uploaded, its bytes are in memory; at Gemini, 8 MiB of them. Default: the provider's
    /// limit, such as 200 MB at OpenAI.
    pub fn max_bytes(mut self, most: usize) -> Self {
        self.options.most.1 = Some(most);
        self
    }

    /// Sets the time between the first two looks of [`wait`](Self::wait). It grows by half each
    /// time, up to [`max_poll_interval`](Self::max_poll_interval). Default: 10 s.
    pub fn poll_interval(mut self, first: Duration) -> Self {
        self.times.set_first(first);
        self
    }

    /// Sets the longest time between two looks of [`wait`](Self::wait). Default: 300 s.
    pub fn max_poll_interval(mut self, longest: Duration) -> Self {
        self.times.set_longest(longest);
        self
    }

    /// Sets how long [`wait`](Self::wait) may take. Default: as long as the batch takes, which is a
    /// day or a little more.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.times.limit = Some(limit);
        self
    }

    /// Submits requests with an id each, and returns the handle of the batch.
    ///
    /// Each request is encoded as [`Client::chat`] or [`Client::embed`] would send it. The model
    /// must be one of this provider's; the client's own is the default for its own provider.
    /// Requests are split into jobs by endpoint and model, and by the provider's limits on count and
    /// bytes. Everything is checked before anything is sent. What does not fit into 16 MiB is kept
    /// in a temporary file meanwhile.
    ///
    /// Budgets reserve the most that each request can cost, at the price of batches. What a result
    /// costs is recorded when it is [read](Self::results); until then its reservation stays.
    ///
    /// If the answer to the creation of a job is lost, the job is looked up in the provider's list
    /// before it is created again. Anthropic's jobs have no name: there, a new job with as many
    /// requests counts as this one.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, if there is no
    /// request, an id is empty, too long or occurs twice, or the provider cannot serve a request.
    /// Otherwise as for [`Client::chat`]. If some jobs were created before the failure,
    /// [`Error::submitted`] has their handle.
    pub fn submit<I, R>(&self, requests: impl IntoIterator<Item = (I, R)>) -> Result<Batch, Error>
    where
        I: Into<String>,
        R: Into<BatchRequest>,
    {
        let requests = requests.into_iter().map(|(id, request)| (id.into(), request.into()));
        self.caller.submit_batch(&self.options, requests)
    }

    /// Finds a batch by its [id](Batch::id), for a process without the stored handle.
    ///
    /// The handle does not know the ids and the reservations of its requests. So its results have
    /// the provider's order, a missing one cannot be noticed, and costs are recorded without a
    /// reservation.
    ///
    /// # Errors
    ///
    /// As for [`Client::send`]; [`NotFound`](crate::ErrorKind::NotFound) if there is none.
    pub fn find(&self, id: impl AsRef<str>) -> Result<Batch, Error> {
        self.caller.find_batch(&self.options, id.as_ref())
    }

    /// Lists the provider's batches, the newest first. A long list comes in pages; all are read.
    ///
    /// # Errors
    ///
    /// As for [`Client::send`].
    pub fn list(&self) -> Result<Vec<BatchSummary>, Error> {
        self.caller.list_batches(&self.options)
    }

    /// Looks up how far a batch has got.
    ///
    /// # Errors
    ///
    /// As for [`Client::send`].
    pub fn status(&self, batch: &Batch) -> Result<BatchStatus, Error> {
        self.caller.batch_status(&self.options, batch)
    }

    /// Waits until a batch has ended, however it ended.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) if the [deadline](Self::deadline) passes first; the
    /// batch goes on. [`Cancelled`](crate::ErrorKind::Cancelled) if the [token](Self::cancel_token)
    /// is. Otherwise as for [`status`](Self::status), but failures that may pass are tried again
    /// until the deadline.
    pub fn wait(&self, batch: &Batch) -> Result<BatchStatus, Error> {
        self.caller.wait_for_batch(&self.options, batch, self.times, |_| {})
    }

    /// Reads the results of a batch that has ended, in the order of submission.
    ///
    /// All files of results are read before the first result is returned, and read again if they
    /// break off. What does not fit into 16 MiB is kept in a temporary file. Results are matched
    /// with requests by id. Every request has exactly one result.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the batch has not ended.
    /// [`Truncated`](crate::ErrorKind::Truncated) if a file breaks off every time. Otherwise as for
    /// [`Client::send`]. The iterator yields an error only if the temporary file or the ledger
    /// cannot be used, and then ends.
    pub fn results(&self, batch: &Batch) -> Result<BatchResults, Error> {
        self.caller.batch_results(&self.options, batch)
    }

    /// Cancels a batch, and returns how far it has got. What was answered by then is kept, and costs
    /// money. It ends only after a while: [`wait`](Self::wait) for it before reading the results.
    ///
    /// # Errors
    ///
    /// As for [`Client::send`].
    pub fn cancel(&self, batch: &Batch) -> Result<BatchStatus, Error> {
        self.caller.cancel_batch(&self.options, batch)
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("provider", &self.options.provider).finish_non_exhaustive()
    }
}
