//! The client that the environment asks for, the same for all examples.
//!
//! With `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` set it is that provider's; with
//! `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` that of whatever server is there, with
//! a key or without; with none of these that of the loopback provider, which needs
//! no network. `TOLLGATE_MODEL` names another model than the default.

use std::env;

use tollgate::testing::Loopback;
use tollgate::{Client, ClientBuilder, Provider};

/// A client to set up further. `loopback` is called only where nothing else is
/// asked for, and what it starts is kept in `server`: dropping that stops it.
pub(crate) fn client(
    server: &mut Option<Loopback>,
    loopback: impl FnOnce() -> std::io::Result<Loopback>,
) -> std::io::Result<ClientBuilder> {
    let Some(provider) = provider() else {
        eprintln!("No key and no base URL in the environment: asking the loopback provider.\n");
        let server = server.insert(loopback()?);
        return Ok(Client::builder()
            .provider(Provider::OpenAi)
            .model(model(Provider::OpenAi))
            .api_key("not-a-real-key")
            .base_url(server.base_url(Provider::OpenAi)));
    };
    let builder = Client::builder().provider(provider).model(model(provider));
    let key = match provider {
        Provider::Anthropic => "ANTHROPIC_API_KEY",
        _ => "OPENAI_API_KEY",
    };
    // A server of one's own often asks for no key.
    Ok(if is_set(key) { builder } else { builder.without_api_key() })
}

fn provider() -> Option<Provider> {
    [
        ("OPENAI_API_KEY", Provider::OpenAi),
        ("OPENAI_BASE_URL", Provider::OpenAi),
        ("ANTHROPIC_API_KEY", Provider::Anthropic),
        ("ANTHROPIC_BASE_URL", Provider::Anthropic),
    ]
    .into_iter()
    .find_map(|(variable, provider)| is_set(variable).then_some(provider))
}

fn is_set(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| !value.trim().is_empty())
}

fn model(provider: Provider) -> String {
    let default = match provider {
        Provider::Anthropic => "claude-haiku-4-5",
        _ => "gpt-4o-mini",
    };
    env::var("TOLLGATE_MODEL").unwrap_or_else(|_| default.to_owned())
}
