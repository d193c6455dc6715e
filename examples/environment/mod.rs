//! The client that the environment asks for, the same for all examples.
//!
//! - `TOLLGATE_MODEL=groq/llama-3.3-70b-versatile` asks that model, of any provider that the
//!   crate knows, with the key from the provider's own variable.
//! - Without it, `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` asks that provider, and
//!   `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` the server there, with a key or without.
//! - With none of these, the loopback provider answers, which needs no key and no network.

use std::env;
use std::error::Error;

use tollgate::testing::Loopback;
use tollgate::{Client, ClientBuilder};

/// A client to set up further. `loopback` is called only where nothing else is asked for;
/// what it starts is kept in `server` and stops when that is dropped.
pub(crate) fn client(
    server: &mut Option<Loopback>,
    loopback: impl FnOnce() -> std::io::Result<Loopback>,
) -> Result<ClientBuilder, Box<dyn Error>> {
    let named = value("TOLLGATE_MODEL");
    // A name with a slash names its provider; another is for the provider found here.
    if let Some(name) = named.as_deref().filter(|name| name.contains('/')) {
        return Ok(Client::builder_for(name)?);
    }
    let Some((provider, usual)) = provider() else {
        eprintln!("No model, key or base URL in the environment: asking the loopback provider.\n");
        let server = server.insert(loopback()?);
        return Ok(Client::builder()
            .provider("openai")
            .model(named.unwrap_or_else(|| "gpt-4o-mini".to_owned()))
            .api_key("not-a-real-key")
            .base_url(server.base_url("openai")));
    };
    let model = named.unwrap_or_else(|| usual.to_owned());
    let builder = Client::builder().provider(provider).model(model);
    // A server of one's own often asks for no key.
    let key = format!("{}_API_KEY", provider.to_uppercase());
    Ok(if value(&key).is_some() { builder } else { builder.without_api_key() })
}

/// The provider that has a key or an address, and a model of it.
fn provider() -> Option<(&'static str, &'static str)> {
    let is_set = |name: &str| {
        let upper = name.to_uppercase();
        ["API_KEY", "BASE_URL"].iter().any(|kind| value(&format!("{upper}_{kind}")).is_some())
    };
    [("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5")]
        .into_iter()
        .find(|(name, _)| is_set(name))
}

fn value(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.trim().is_empty())
}
