//! An observer that records what it sees.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tollgate::observe::{Call, CallEnd, Lease, Observer};
use tollgate::{Attempt, BudgetAlert, Client, ClientBuilder, Wait};

#[derive(Default)]
pub(crate) struct Watcher {
    seen: Mutex<Vec<String>>,
    ids: Mutex<Vec<u64>>,
    /// All facts, as their `Debug` shows them.
    shown: Mutex<String>,
    /// Queried for everything it knows at every event.
    client: Mutex<Option<Client>>,
    drop_at_close: Mutex<bool>,
}

/// A client with an observer that queries it at every event.
pub(crate) fn watched(builder: ClientBuilder) -> (Arc<Watcher>, Client) {
    let watcher = Arc::new(Watcher::default());
    let client = builder.shared_observer(watcher.clone()).build().expect("a valid configuration");
    *watcher.client.lock().unwrap() = Some(client.clone());
    (watcher, client)
}

impl Watcher {
    /// The events since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// The ids of the calls that began.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.ids.lock().unwrap().clone()
    }

    pub(crate) fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// Drops the client, which the observer would otherwise keep.
    pub(crate) fn let_go(&self) {
        drop(self.client.lock().unwrap().take());
    }

    /// Drops the client when a connection is closed.
    pub(crate) fn drop_at_close(&self, client: Client) {
        *self.client.lock().unwrap() = Some(client);
        *self.drop_at_close.lock().unwrap() = true;
    }

    fn note(&self, what: impl Into<String>) {
        let client = self.client.lock().unwrap().clone();
        if let Some(client) = client {
            // Together these take every lock.
            let _ = (client.metrics(), client.costs(), client.pool(), client.retries_left());
        }
        self.seen.lock().unwrap().push(what.into());
    }

    fn show(&self, facts: &dyn std::fmt::Debug) {
        let _ = writeln!(self.shown.lock().unwrap(), "{facts:?}");
    }
}

impl Observer for Watcher {
    fn call_begun(&self, call: &Call<'_>) {
        self.show(call);
        self.ids.lock().unwrap().push(call.id);
        self.note("call begun");
    }

    fn attempt_begun(&self, _: &Call<'_>, number: u32) {
        self.note(format!("attempt {number} begun"));
    }

    fn attempt_ended(&self, _: &Call<'_>, attempt: &Attempt) {
        self.show(attempt);
        let how = attempt.failure.as_ref().map_or("answered", |failure| failure.kind.as_str());
        self.note(format!("attempt ended: {how}"));
    }

    fn retry_scheduled(&self, _: &Call<'_>, _: Duration, wait: Wait) {
        self.note(format!("retry by {}", wait.as_str()));
    }

    fn connection_leased(&self, lease: &Lease<'_>) {
        self.show(lease);
        self.note(if lease.reused { "leased again" } else { "leased" });
    }

    fn connection_opened(&self, origin: &str, _: Duration) {
        self.show(&origin);
        self.note("opened");
    }

    fn connection_closed(&self, origin: &str) {
        self.show(&origin);
        if *self.drop_at_close.lock().unwrap() {
            self.let_go();
            self.seen.lock().unwrap().push("dropped".to_owned());
            return;
        }
        self.note("closed");
    }

    fn first_token(&self, _: &Call<'_>, _: Duration) {
        self.note("first token");
    }

    fn call_ended(&self, _: &Call<'_>, end: &CallEnd<'_>) {
        self.show(end);
        let how = end.error.map_or("answered", |error| error.kind().as_str());
        self.note(format!("call ended: {how}"));
    }

    fn budget_alert(&self, alert: &BudgetAlert) {
        self.show(alert);
        self.note(format!("alert at {} %", alert.threshold));
    }
}
