//! Builds a client from its settings.

use std::sync::Arc;
use std::time::Instant;

use super::Client;
use crate::call::{Caller, Endpoints, Lists, Routes};
use crate::config::{Checked, ClientBuilder, Environment};
use crate::error::Error;
use crate::memo::Memo;
use crate::metrics::Recorder;
use crate::observed::ObservedCalls;
use crate::replay::Replay;
use crate::retry::Bucket;
use crate::throttle::Limiter;
use crate::transport::{self, Transport};

impl ClientBuilder {
    /// Checks all settings, fills gaps from the environment, and makes the client. Opens no
    /// connection yet.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration), with a sentence for every mistake found.
    /// Settings that depend on the provider are checked once there is one, and root certificates
    /// once everything else is right.
    pub fn build(self) -> Result<Client, Error> {
        self.build_in(&Environment::of_process())
    }

    /// Like [`build`](Self::build), with gaps filled from this environment.
    pub(crate) fn build_in(self, environment: &Environment<'_>) -> Result<Client, Error> {
        let Checked { mut settings, own, others, routes, limits } = self.check(environment)?;
        if settings.replay.as_ref().is_some_and(Replay::is_offline) {
            // Budgets still shape the requests, and no money that is spent elsewhere refuses them.
            settings.costs = settings.costs.rehearsal();
        }
        let transport = Transport::new(&transport::Settings {
            pool: &settings.pool,
            retry_stale: settings.pool.retry_stale && settings.retry.retry_ambiguous,
            max_response_bytes: settings.max_response_bytes,
            max_response_head_bytes: settings.max_response_head_bytes,
            observers: &settings.observers,
        });
        let endpoints = Endpoints::new(own, others, &settings, &transport)?;
        let routes = Routes::new(routes, &endpoints, &settings, &transport, Instant::now())?;
        let lists = Lists::new(&settings.catalogue);
        let bucket = Bucket::new(settings.retry.budget);
        let limiter = (!limits.is_empty()).then(|| Limiter::in_memory(limits));
        if !settings.observers.is_empty() {
            settings.costs.add_listener(settings.observers.listener());
        }
        let recorder = settings.metrics.then(|| Recorder::new(Instant::now()));
        let observed = Arc::new(ObservedCalls::new(recorder, settings.observers.clone()));
        Ok(Client {
            caller: Arc::new(Caller {
                settings,
                transport,
                endpoints,
                lists,
                routes,
                warned: Memo::default(),
                bucket,
                limiter,
                observed,
            }),
        })
    }
}
