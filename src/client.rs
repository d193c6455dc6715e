//! The life of a call, from top to bottom.

mod admission;
mod call;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::bounds::Bounds;
use crate::chat::{ChatRequest, ChatResponse};
use crate::config::{ClientBuilder, Environment, Settings, cleaned, shown_url};
use crate::cost::{CostReport, CostTracker, Reservation};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::metrics::{Recorder, Snapshot};
use crate::observed::{Answer, Ended, Endpoint, ObservedCall, ObservedCalls};
use crate::pool::PoolStats;
use crate::provider::{self, Format, Provider};
use crate::retry::{Bucket, Retrier, SecondSending, Tried};
use crate::stream::ChatStream;
use crate::transport::{self, Headers, Transport};
use crate::wire::{Delivery, Wire};
use call::{Call, Means};

/// A client of one provider.
///
/// Cheap to clone; all clones share one pool of connections, and calls may be made
/// from any number of threads at once.
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
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    headers: Headers,
    transport: Transport,
    /// The retries left to all calls together.
    bucket: Bucket,
    watch: Arc<ObservedCalls>,
    endpoint: Arc<Endpoint>,
}

/// Makes one attempt with what was set aside for it.
type Attempt<T> =
    fn(&Call, Means<'_>, u32, &mut SecondSending<'_>, Reservation) -> Result<T, Error>;

/// How a call is delivered, and what an attempt at it is.
struct Way<T> {
    delivery: Delivery,
    attempt: Attempt<T>,
}

/// Ends a call that failed.
fn failed(watched: ObservedCall, error: Error) -> Error {
    watched.end(&Ended { error: Some(&error), attempts: error.attempts(), ..Ended::default() });
    error
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
        self.call(request.into(), None)
    }

    /// Completes a prompt by OpenAI's text completions, whatever the model.
    ///
    /// A single user message is the prompt as it stands; a conversation is
    /// rendered as one, `User:` and `Assistant:` before each turn. What that
    /// interface has beyond chat (`suffix`, `echo`, `best_of`, …) goes into
    /// [`extra`](ChatRequest::extra).
    ///
    /// # Errors
    ///
    /// As [`chat`](Self::chat); tools, images and the like are refused before
    /// sending, and so is a provider that has no text completions.
    pub fn complete(&self, prompt: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        self.call(prompt.into(), Some(self.completions()?))
    }

    /// Asks the model, and hands out the answer while it is written.
    ///
    /// Returns once the first event is there, so that whatever fails before it is
    /// tried again and then an error here; afterwards nothing is. The
    /// [timeout](ClientBuilder::timeout) bounds the time until then, and from then on
    /// the [gap timeout](ClientBuilder::gap_timeout) the time between tokens.
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
        self.open(request.into(), None)
    }

    /// Completes a prompt as [`complete`](Self::complete), and hands out the answer
    /// while it is written, as [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete), until the first event.
    pub fn complete_stream(&self, prompt: impl Into<ChatRequest>) -> Result<ChatStream, Error> {
        self.open(prompt.into(), Some(self.completions()?))
    }

    fn completions(&self) -> Result<Wire, Error> {
        let profile = &self.inner.settings.profile;
        match profile.format {
            Format::OpenAiChat => Ok(Wire::OpenAiCompletions),
            Format::Anthropic => Err(Error::invalid_request(
                "this provider has no text completions; use chat() instead",
            )
            .with_provider(profile.id.as_str())),
        }
    }

    /// Opens connections ahead of the first call, all at once, until `connections`
    /// are at rest or the pool has no room for more. Returns how many it opened.
    ///
    /// # Errors
    ///
    /// As for a call that cannot connect. Those that could be opened stay open.
    pub fn warm_up(&self, connections: usize) -> Result<usize, Error> {
        let settings = &self.inner.settings;
        let deadline = Deadline::after(Instant::now(), settings.timeout);
        let bounds = Bounds { deadline, cancel: None };
        self.inner.transport.warm_up(connections, &bounds).map_err(|error| {
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
        self.inner.transport.pool_stats()
    }

    /// What calls have cost so far, by model, provider, tag and day, how far the budgets
    /// are used up, and the last calls.
    ///
    /// ```
    /// # use tollgate::{Client, Provider};
    /// # let builder = Client::builder().provider(Provider::OPENAI).api_key("sk-…");
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
        &self.inner.settings.costs
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
    pub fn metrics(&self) -> Snapshot {
        let Inner { settings, transport, bucket, watch, .. } = &*self.inner;
        let (pool, costs) = (transport.pool_stats(), settings.costs.report().into());
        let (now, at) = (Instant::now(), SystemTime::now());
        let recorder = watch.recorder.clone().unwrap_or_else(|| Recorder::new(now));
        recorder.snapshot(now, at, pool, costs, bucket.left())
    }

    /// How many retries the client's [budget](crate::RetryBudget) has left.
    pub fn retries_left(&self) -> u32 {
        self.inner.bucket.left()
    }

    fn call(&self, request: ChatRequest, wire: Option<Wire>) -> Result<ChatResponse, Error> {
        let begun = Instant::now();
        let way = Way { delivery: Delivery::Whole, attempt: Call::attempt };
        let (watched, ran) = self.watched(&request, wire, way, begun);
        let tried = match ran {
            Ok((_, tried)) => tried,
            Err(error) => return Err(failed(watched, error)),
        };
        let latency = begun.elapsed();
        let response = ChatResponse { latency, attempts: tried.attempts, ..tried.value };
        watched.end(&Ended {
            answer: Some(Answer::from(&response)),
            attempts: &response.attempts,
            ..Ended::default()
        });
        Ok(response)
    }

    fn open(&self, request: ChatRequest, wire: Option<Wire>) -> Result<ChatStream, Error> {
        let begun = Instant::now();
        let way = Way { delivery: Delivery::Stream, attempt: Call::begin };
        let (watched, ran) = self.watched(&request, wire, way, begun);
        let (call, tried) = match ran {
            Ok(ran) => ran,
            Err(error) => return Err(failed(watched, error)),
        };
        let (provider, model) = (self.inner.settings.profile.id.clone(), call.into_model());
        ChatStream::new(tried, provider, model, request.cancel_token, begun, watched)
    }

    /// Runs a call, and has it watched.
    fn watched<T>(
        &self,
        request: &ChatRequest,
        wire: Option<Wire>,
        way: Way<T>,
        begun: Instant,
    ) -> (ObservedCall, Result<(Call, Tried<T>), Error>) {
        let settings = &self.inner.settings;
        let model = request.model.as_ref().or(settings.model.as_ref());
        let wire = wire.unwrap_or_else(|| Call::wire(settings.profile.format, model));
        let streamed = way.delivery == Delivery::Stream;
        let model = model.map(String::as_str);
        let Inner { watch, endpoint, .. } = &*self.inner;
        let named = model.unwrap_or_default();
        let watched = watch.begin(endpoint, named, wire, streamed, &request.tags, begun);
        let ran = self
            .run(request, model, wire, way, begun, &watched)
            .map_err(|error| error.with_provider(settings.profile.id.as_str()));
        (watched, ran)
    }

    /// Runs a call, attempt after attempt.
    fn run<T>(
        &self,
        request: &ChatRequest,
        model: Option<&str>,
        wire: Wire,
        Way { delivery, attempt }: Way<T>,
        begun: Instant,
        watched: &ObservedCall,
    ) -> Result<(Call, Tried<T>), Error> {
        let Inner { settings, headers, transport, bucket, .. } = &*self.inner;
        let (call, reservation) = Call::prepare(settings, request, model, wire, delivery, begun)?;
        if call.bounds.deadline.is_past(Instant::now()) {
            return Err(Error::timeout(Phase::Encode));
        }
        // Later it could have been sent, and would be charged.
        if call.bounds.is_cancelled() {
            return Err(Error::cancelled().with_phase(Phase::Encode));
        }
        let retrier = Retrier {
            policy: &settings.retry,
            bucket,
            backoff: settings.retry.backoff(),
            sleeper: &*settings.sleeper,
            clock: &Instant::now,
            bounds: &call.bounds,
            begun,
            // The attempt that is answered by a stream ends with that.
            ended: &|attempt| {
                if delivery == Delivery::Whole || attempt.failure.is_some() {
                    watched.attempt_ended(attempt);
                }
            },
        };
        let means = Means { settings, headers, transport };
        let mut first = Some(reservation);
        let tried = retrier.run(|retries, second| {
            watched.attempt_begun(retries);
            let reservation = first.take().map_or_else(|| call.admit_again(settings), Ok)?;
            attempt(&call, means, retries, second, reservation)
        })?;
        Ok((call, tried))
    }
}

/// Shows the base URL without its query, which may hold a key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("provider", &self.inner.settings.profile.id)
            .field("model", &self.inner.settings.model)
            .field("base_url", &shown_url(&self.inner.settings.base))
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
        let mut settings = self.check(&Environment::of_process())?;
        let transport = Transport::new(&transport::Settings {
            base: &settings.base,
            connect_timeout: settings.connect_timeout,
            pool: &settings.pool,
            retry_stale: settings.pool.retry_stale && settings.retry.retry_ambiguous,
            proxy: settings.proxy.as_ref(),
            tls: settings.tls.as_ref(),
            max_response_bytes: settings.max_response_bytes,
            max_response_head_bytes: settings.max_response_head_bytes,
            observers: &settings.observers,
        })?;
        let headers = Headers::new(mem::take(&mut settings.headers), &settings.base);
        let bucket = Bucket::new(settings.retry.budget);
        if !settings.observers.is_empty() {
            settings.costs.add_listener(settings.observers.listener());
        }
        let watch = Arc::new(ObservedCalls::new(
            settings.metrics.then(|| Recorder::new(Instant::now())),
            settings.observers.clone(),
        ));
        let server = transport::host_and_port(&settings.base);
        let endpoint = Arc::new(Endpoint::new(settings.profile.id.clone(), server));
        let inner = Inner { settings, headers, transport, bucket, watch, endpoint };
        Ok(Client { inner: Arc::new(inner) })
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
