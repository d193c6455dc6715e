//! The client, and how it is made from its settings.

use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::bounds::Bounds;
use crate::call::{Caller, Endpoint, Endpoints};
use crate::chat::{ChatRequest, ChatResponse};
use crate::config::{Checked, ClientBuilder, Environment, cleaned, shown_url};
use crate::cost::{CostReport, CostTracker};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::metrics::{MetricsSnapshot, Recorder};
use crate::observed::ObservedCalls;
use crate::pool::PoolStats;
use crate::provider::{self, Provider};
use crate::raw::{RawRequest, RawResponse};
use crate::retry::Bucket;
use crate::stream::ChatStream;
use crate::transport::{self, Transport};

/// A client of one provider or many.
///
/// Cheap to clone; all clones share one pool of connections, and calls may be made
/// from any number of threads at once. A request's
/// [model](ChatRequest::model) may name another provider than the client's own; all providers
/// share the pool, the retries, the ledger and the metrics.
///
/// ```no_run
/// use tollgate::Client;
///
/// # fn main() -> Result<(), tollgate::Error> {
/// let client = Client::openai("gpt-4o-mini")?;
/// let response = client.chat("What is the capital of France?")?;
/// println!("{} ({} tokens)", response.text(), response.usage.total_tokens);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    caller: Arc<Caller>,
}

impl Client {
    /// Begins to set up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client of any provider that the crate knows, with every default: `provider/model`,
    /// the key from the provider's usual variable.
    ///
    /// What stands before the first slash is the provider, by its name or an alias. All
    /// that follows is the model's own name, slashes included.
    ///
    /// ```no_run
    /// use tollgate::Client;
    ///
    /// let client = Client::new("groq/llama-3.3-70b-versatile")?; // key in GROQ_API_KEY
    /// let gateway = Client::new("openrouter/anthropic/claude-sonnet-4.5")?;
    /// let local = Client::new("ollama/llama3.2")?; // no key
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) for a name without a provider or
    /// with one that is not known, with the nearest names; else as
    /// [`ClientBuilder::build`].
    pub fn new(model: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder_for(model)?.build()
    }

    /// Begins to set up a client of `provider/model`, as [`new`](Self::new) reads it.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) for a name without a provider or
    /// with one that is not known.
    pub fn builder_for(model: impl AsRef<str>) -> Result<ClientBuilder, Error> {
        let model = cleaned(model.as_ref()).map_err(|stray| {
            let message = format!("the model's name holds {stray}; write provider/model");
            Error::new(ErrorKind::Configuration, message)
        })?;
        let name = provider::split(&model)?;
        Ok(Self::builder().provider(name.provider).model(name.model))
    }

    /// A client of OpenAI with every default, the key from `OPENAI_API_KEY`.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn openai(model: impl Into<String>) -> Result<Self, Error> {
        Self::builder().provider(Provider::OPENAI).model(model).build()
    }

    /// A client of Anthropic with every default, the key from `ANTHROPIC_API_KEY`.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn anthropic(model: impl Into<String>) -> Result<Self, Error> {
        Self::builder().provider(Provider::ANTHROPIC).model(model).build()
    }

    /// Asks the model, and waits for the whole answer.
    ///
    /// OpenAI's models that only do text completions (`gpt-3.5-turbo-instruct`,
    /// `davinci-002`, `babbage-002`) are asked as by [`complete`](Self::complete).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) before anything is sent when
    /// the request asks for what the provider cannot do; otherwise what the last
    /// attempt ended with, see [`Error::kind`].
    pub fn chat(&self, request: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        self.caller.whole(&request.into(), false)
    }

    /// Completes a prompt by OpenAI's text completions, whatever the model.
    ///
    /// A single user message is sent as the prompt, unchanged. A conversation is rendered as one
    /// text, with `User:` and `Assistant:` before each turn. What that
    /// interface has beyond chat (`suffix`, `echo`, `best_of`, …) goes into
    /// [`extra`](ChatRequest::extra).
    ///
    /// # Errors
    ///
    /// As [`chat`](Self::chat); tools, images and the like are refused before
    /// sending, and so is a provider that has no text completions.
    pub fn complete(&self, prompt: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        self.caller.whole(&prompt.into(), true)
    }

    /// Asks the model, and hands out the answer while it is written.
    ///
    /// Returns once the first event is there, so that whatever fails before it is
    /// tried again and then an error here; afterwards nothing is. The
    /// [timeout](ClientBuilder::timeout) bounds the whole stream, unless a
    /// [stream timeout](ClientBuilder::stream_timeout) does; the
    /// [idle timeout](ClientBuilder::idle_timeout) bounds the time between tokens.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// for delta in client.stream("Write a long story.")?.text() {
    ///     print!("{}", delta?);
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`chat`](Self::chat), until the first event.
    pub fn stream(&self, request: impl Into<ChatRequest>) -> Result<ChatStream, Error> {
        self.caller.stream(&request.into(), false)
    }

    /// Completes a prompt as [`complete`](Self::complete), and hands out the answer
    /// while it is written, as [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete), until the first event.
    pub fn complete_stream(&self, prompt: impl Into<ChatRequest>) -> Result<ChatStream, Error> {
        self.caller.stream(&prompt.into(), true)
    }

    /// Sends a request to any endpoint of a provider, such as one that the crate does not
    /// model, with this client's connections, retries, deadline, cancelling, errors and
    /// metrics.
    ///
    /// It is not priced: [`costs`](Self::costs) does not know it, and a `POST` to which a
    /// budget applies that is not soft is refused. A `GET` is taken to be free.
    ///
    /// ```no_run
    /// # use tollgate::{Client, RawRequest};
    /// let client = Client::builder().provider("openai").build()?;
    /// let models = client.send(RawRequest::get("/models").provider("groq"))?;
    /// println!("{}", models.text());
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`chat`](Self::chat), and [`Budget`](crate::ErrorKind::BudgetExceeded) where a budget
    /// applies.
    pub fn send(&self, request: RawRequest) -> Result<RawResponse, Error> {
        self.caller.raw(&request)
    }

    /// [Sends](Self::send) a `GET` to a path below the base URL of the client's own provider.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn get(&self, path: impl Into<String>) -> Result<RawResponse, Error> {
        self.send(RawRequest::get(path))
    }

    /// [Sends](Self::send) a `POST` of JSON to a path below the base URL of the client's own
    /// provider.
    ///
    /// ```no_run
    /// # use serde_json::{Value, json};
    /// # let client = tollgate::Client::openai("gpt-4o-mini")?;
    /// let body = json!({"model": "text-embedding-3-small", "input": "some text"});
    /// let answer: Value = client.post("/embeddings", body)?.json()?;
    /// println!("{}", answer["data"][0]["embedding"]);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn post(
        &self,
        path: impl Into<String>,
        body: impl Into<Value>,
    ) -> Result<RawResponse, Error> {
        self.send(RawRequest::post(path, body))
    }

    /// Opens connections to the client's own provider ahead of the first call, all at once, until `connections`
    /// are at rest or the pool has no room for more. Returns how many it opened.
    ///
    /// # Errors
    ///
    /// As for a call that cannot connect. Those that could be opened stay open.
    /// [`Configuration`](crate::ErrorKind::Configuration) for a client without a provider of
    /// its own.
    pub fn warm_up(&self, connections: usize) -> Result<usize, Error> {
        let Caller { endpoints, transport, .. } = &*self.caller;
        let Some(Endpoint { settings, origin, .. }) = endpoints.own().map(|own| &**own) else {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the client has no provider of its own to connect to; call \
                 ClientBuilder::provider",
            ));
        };
        let deadline = Deadline::after(Instant::now(), settings.timeouts.call);
        let bounds = Bounds { deadline, cancel: None };
        transport.warm_up(origin, connections, &bounds).map_err(|error| {
            error.hide(&settings.secrets).with_provider(settings.profile.id.as_str())
        })
    }

    /// What the pool of connections holds and has done, all at this moment.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// let pool = client.pool().total;
    /// println!("{} in use, {} idle, {} waiting", pool.active, pool.idle, pool.waiting);
    /// println!("99 % waited at most {:?}", pool.waits.quantile(0.99));
    /// ```
    pub fn pool(&self) -> PoolStats {
        self.caller.transport.pool_stats()
    }

    /// What calls have cost so far, by model, provider, tag and day, how far the budgets
    /// are used up, and the last calls.
    ///
    /// ```
    /// # use tollgate::{Client, Provider};
    /// # let builder = Client::builder().provider(Provider::OPENAI).api_key("sk-test");
    /// # let client = builder.build()?;
    /// let costs = client.costs();
    /// println!("{} for {} calls", costs.total.cost, costs.total.calls);
    /// println!("{costs}"); // a table; csv() and json() are for programs
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn costs(&self) -> CostReport {
        self.cost_tracker().report()
    }

    /// What keeps track of the costs: for live [events](CostTracker::events), prices on
    /// [other models](CostTracker::what_if), and to share it with other clients.
    pub fn cost_tracker(&self) -> &CostTracker {
        &self.caller.settings.costs
    }

    /// What calls did, all at this moment: how many, how long, how they failed, what they
    /// used; since the start and of late, by model; the pool, the budgets, and the calls
    /// that failed last and took longest.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// let metrics = client.metrics();
    /// println!("{metrics}"); // a table
    /// println!("99 % took at most {:?}", metrics.total.latency.quantile(0.99));
    /// println!("{}", metrics.prometheus()); // for a scraper
    /// ```
    pub fn metrics(&self) -> MetricsSnapshot {
        let Caller { settings, transport, bucket, observed, .. } = &*self.caller;
        let (pool, costs) = (transport.pool_stats(), settings.costs.report().into());
        let (now, at) = (Instant::now(), SystemTime::now());
        let recorder = observed.recorder.clone().unwrap_or_else(|| Recorder::new(now));
        recorder.snapshot(now, at, pool, costs, bucket.left())
    }

    /// How many retries the client's [budget](crate::RetryBudget) has left.
    pub fn retries_left(&self) -> u32 {
        self.caller.bucket.left()
    }
}

/// Shows the base URL without its query, which may hold a key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { settings, endpoints, .. } = &*self.caller;
        let own = endpoints.own().map(|own| &own.settings);
        f.debug_struct("Client")
            .field("provider", &own.map(|own| own.profile.id.as_str()))
            .field("model", &settings.model)
            .field("base_url", &own.map(|own| shown_url(&own.base)))
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Checks all settings, with the environment for those not set, and makes the
    /// client. Opens no connection yet.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration), naming every mistake that it can
    /// see, a sentence each. What depends on the provider is checked once there is one, and
    /// root certificates once all else is right.
    pub fn build(self) -> Result<Client, Error> {
        let Checked { settings, own, others } = self.check(&Environment::of_process())?;
        let transport = Transport::new(&transport::Settings {
            pool: &settings.pool,
            retry_stale: settings.pool.retry_stale && settings.retry.retry_ambiguous,
            max_response_bytes: settings.max_response_bytes,
            max_response_head_bytes: settings.max_response_head_bytes,
            observers: &settings.observers,
        });
        let endpoints = Endpoints::new(own, others, &settings, &transport)?;
        let bucket = Bucket::new(settings.retry.budget);
        if !settings.observers.is_empty() {
            settings.costs.add_listener(settings.observers.listener());
        }
        let recorder = settings.metrics.then(|| Recorder::new(Instant::now()));
        let observed = Arc::new(ObservedCalls::new(recorder, settings.observers.clone()));
        Ok(Client { caller: Arc::new(Caller { settings, transport, endpoints, bucket, observed }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>() {}
        shared::<Client>();
    }
}
