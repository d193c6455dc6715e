//! Servers for the tests of routes.

use std::time::Duration;

use tollgate::route::{BreakerConfig, Route};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Client, ClientBuilder, ProviderConfig};

use super::{KEY, loopback, quick_retries};

pub(crate) const MODELS: [(&str, &str); 3] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("groq", "llama-3.3-70b-versatile"),
];

/// Three servers, each of another provider.
pub(crate) struct Servers(pub(crate) [Loopback; 3]);

impl Servers {
    pub(crate) fn start() -> Self {
        let servers = Self([loopback(), loopback(), loopback()]);
        for (server, (provider, _)) in servers.0.iter().zip(MODELS) {
            server.default_reply(Reply::text(format!("from {provider}")).usage(100, 10));
        }
        servers
    }

    /// A client with a route over all three, in their order.
    pub(crate) fn builder(&self, change: impl Fn(Route) -> Route) -> ClientBuilder {
        let mut builder = Client::builder().model("all").retry(quick_retries(2));
        for (server, (provider, _)) in self.0.iter().zip(MODELS) {
            builder = builder.add_provider(config(server, provider));
        }
        builder.route(change(Route::new("all").targets(names())))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder(|route| route).build().unwrap()
    }

    pub(crate) fn counts(&self) -> [u64; 3] {
        [0, 1, 2].map(|at| self.0[at].request_count())
    }
}

pub(crate) fn config(server: &Loopback, provider: &str) -> ProviderConfig {
    ProviderConfig::new(provider)
        .api_key(KEY)
        .base_url(server.base_url(provider))
        .connect_timeout(Duration::from_secs(30))
}

pub(crate) fn names() -> [String; 3] {
    MODELS.map(|(provider, model)| format!("{provider}/{model}"))
}

/// A breaker that opens with the first failure.
pub(crate) fn touchy() -> BreakerConfig {
    BreakerConfig::default().min_calls(1)
}
