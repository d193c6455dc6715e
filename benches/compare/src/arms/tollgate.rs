//! tollgate with everything on: pool, retries, deadline, a budget, metrics, typed response.

use tollgate::route::{Balanced, Route, RouteTarget};
use tollgate::{Budget, Client, ClientBuilder, Money, ProviderConfig, StreamEvent, Tls};

use super::{Arm, TIMEOUT};
use crate::failure::Failure;
use crate::server::AUTHORITY;
use crate::server::answers::{KEY, MODEL, QUESTION};

pub struct Tollgate {
    client: Client,
}

impl Tollgate {
    pub fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self { client: builder(url).build()? })
    }

    /// By a route over the servers at these base URLs, separated by commas.
    pub fn of_route(urls: &str) -> Result<Self, Failure> {
        let target = |(at, url): (usize, &str)| {
            let provider = ProviderConfig::new("openai").api_key(KEY).base_url(url);
            RouteTarget::of(provider, MODEL).name(format!("server {at}"))
        };
        let targets: Vec<_> = urls.split(',').enumerate().map(target).collect();
        let route = Route::new("all").targets(targets).strategy(Balanced);
        let budget = Budget::daily(Money::dollars(1_000_000));
        let builder = Client::builder().timeout(TIMEOUT).budget(budget).route(route).model("all");
        Ok(Self { client: builder.build()? })
    }
}

/// The setup of a client of the server at this base URL.
pub fn builder(url: &str) -> ClientBuilder {
    Client::builder()
        .provider("openai")
        .model(MODEL)
        .api_key(KEY)
        .base_url(url)
        .timeout(TIMEOUT)
        .budget(Budget::daily(Money::dollars(1_000_000)))
        .tls(Tls::Roots(AUTHORITY.to_vec()))
}

impl Arm for Tollgate {
    fn chat(&mut self) -> Result<String, Failure> {
        Ok(self.client.chat(QUESTION)?.text())
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        let mut stream = self.client.stream(QUESTION)?;
        let mut length = 0;
        for event in &mut stream {
            if let StreamEvent::TextDelta(text) = event? {
                length += text.len();
            }
        }
        let response = stream.finish()?;
        // The usage came, and was priced.
        if response.cost.is_none() { Err("a stream without its cost".into()) } else { Ok(length) }
    }
}
