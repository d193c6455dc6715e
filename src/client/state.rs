//! What a client knows at a moment: its pool, costs, metrics, limits, targets and models.

use std::time::{Instant, SystemTime};

use super::Client;
use crate::call::Caller;
use crate::catalogue::Catalogue;
use crate::cost::{CostReport, CostTracker};
use crate::metrics::{MetricsSnapshot, Recorder};
use crate::pool::PoolStats;
use crate::routing::TargetStatus;
use crate::throttle::LimitStatus;

impl Client {
    /// The connection pool's counts, taken at one moment.
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

    /// What calls have cost so far, by model, provider, tag and day; how much of each budget is
    /// used; and the most recent calls.
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

    /// The cost tracker: for live [events](CostTracker::events), for prices on [other
    /// models](CostTracker::what_if), and to share it with other clients.
    pub fn cost_tracker(&self) -> &CostTracker {
        &self.caller.settings.costs
    }

    /// Metrics of all calls, taken at one moment: counts, durations, errors and usage, since the
    /// start and for recent minutes, by model; the pool and the budgets; and the calls that failed
    /// last or took longest.
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
        let snapshot = recorder.snapshot(now, at, pool, costs, bucket.left());
        let cache_failures = settings.cache.as_ref().map_or(0, |cache| cache.failures());
        MetricsSnapshot { targets: self.targets(), cache_failures, ..snapshot }
    }

    /// The state of every target of the client's [routes](crate::ClientBuilder::route), taken at one
    /// moment: whether it rests, how fast it is, and what its calls cost.
    ///
    /// ```no_run
    /// # use tollgate::{Client, route::Route};
    /// # let client = Client::builder().route(Route::new("r").target("openai/gpt-4o")).build()?;
    /// for target in client.targets() {
    ///     println!("{target}"); // openai/gpt-4o: 120 answered, 2 failed, 812.4ms
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn targets(&self) -> Vec<TargetStatus> {
        self.caller.routes.status(Instant::now())
    }

    /// What the client knows of models: their limits, and what they accept. That is the
    /// [catalogue](crate::ClientBuilder::catalogue) that it was built with, and what
    /// [`refresh_models`](Self::refresh_models) has added.
    ///
    /// ```
    /// # use tollgate::Client;
    /// # let client = Client::builder().provider("openai").api_key("x").build()?;
    /// let model = client.catalogue().find("openai", "gpt-4o").expect("a known model");
    /// assert_eq!(model.capabilities.images, Some(true));
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn catalogue(&self) -> Catalogue {
        self.caller.lists.catalogue()
    }

    /// The state of the client's [limits](crate::ClientBuilder::limits), taken at one moment: what is left
    /// of each, and how many callers wait. A limit that is split, for example by customer, has one
    /// entry for each that has recently made calls.
    ///
    /// ```no_run
    /// # use tollgate::{Client, Limits};
    /// # let client = Client::builder().limits(Limits::new().max_in_flight(8)).build()?;
    /// for limit in client.limits() {
    ///     println!("{limit}"); // openai: 3 of 16 in flight, 480 of 500 requests available
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn limits(&self) -> Vec<LimitStatus> {
        self.caller.limiter.as_ref().map(|limiter| limiter.status()).unwrap_or_default()
    }

    /// How many retries are left in the client's [retry budget](crate::RetryBudget).
    pub fn retries_left(&self) -> u32 {
        self.caller.bucket.left()
    }
}
