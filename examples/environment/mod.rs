//! Makes the client of every example, from environment variables.
//!
//! - `TOLLGATE_MODEL=groq/llama-3.3-70b-versatile` selects a model of any known provider. The key
//!   comes from the provider's own variable.
//! - Without it, `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` selects that provider, and
//!   `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` selects a server, with or without a key.
//! - With none of these, the loopback provider answers. It needs no key and no network.

use std::env;
use std::error::Error;

use tollgate::testing::Loopback;
use tollgate::{Client, ClientBuilder};

/// Returns a client builder, for the example to configure further. If the environment selects no
/// provider, it calls `loopback` and keeps the server in `server`; dropping that stops the server.
pub(crate) fn client(
    server: &mut Option<Loopback>,
    loopback: impl FnOnce() -> std::io::Result<Loopback>,
) -> Result<ClientBuilder, Box<dyn Error>> {
    let named = value("TOLLGATE_MODEL");
    // A name with a slash names its provider; any other goes to the provider found below.
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
    // A server that you run yourself often needs no key.
    let key = format!("{}_API_KEY", provider.to_uppercase());
    Ok(if value(&key).is_some() { builder } else { builder.without_api_key() })
}

/// The provider with a key or an address in the environment, and a model of it.
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
