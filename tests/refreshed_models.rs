//! What a provider's own list adds to the client's catalogue, to selections and to automatic routes.

mod support;

use serde_json::{Value, json};
use std::thread;
use support::routes::{Servers, config};
use support::{loopback, quick_retries};
use tollgate::catalogue::{Catalogue, Needs, Refreshed};
use tollgate::route::Route;
use tollgate::testing::{Loopback, Reply};
use tollgate::{Client, ClientBuilder, CostConfig, ErrorKind, ModelsRequest, Prices};

const MODELS: &str = r#"{
  "groq": {
    "llama-small": { "context_window": 32000, "max_output": 8000, "tools": true },
    "llama-old": { "context_window": 32000, "max_output": 8000 }
  }
}"#;

const PRICES: &str = r#"{
  "groq": {
    "llama-small": { "input": 0.1, "output": 0.1 }, "llama-old": { "input": 0.2, "output": 0.2 },
    "llama-new": { "input": 0.01, "output": 0.01 }
  }
}"#;

fn builder(server: &Loopback) -> ClientBuilder {
    Client::builder()
        .add_provider(config(server, "groq"))
        .catalogue(Catalogue::empty().parse(MODELS).unwrap())
        .costs(CostConfig::default().prices(Prices::empty().parse(PRICES).unwrap()))
        .route(Route::auto("best").needs(Needs::new().providers(["groq"])))
        .model("best")
        .retry(quick_retries(0))
}

fn list(server: &Loopback, models: &Value) {
    let reply = Reply::raw(200, "application/json", json!({"data": models}).to_string());
    server.on(|request| request.path().ends_with("/models"), reply);
}

fn listing() -> Value {
    json!([
        {"id": "llama-small", "context_window": 64_000},
        {"id": "llama-new", "context_window": 128_000, "max_completion_tokens": 9_000},
    ])
}

#[test]
fn a_list_adds_models_and_says_what_is_new_and_what_is_gone() {
    let server = loopback();
    list(&server, &listing());
    server.default_reply(Reply::text("hello"));
    let client = builder(&server).build().unwrap();
    assert_eq!(client.chat("hi").unwrap().model, "llama-small");

    let Refreshed { provider, listed, new, gone, .. } = client.refresh_models("groq").unwrap();
    assert_eq!((provider.as_str(), listed), ("groq", 2));
    assert_eq!((new, gone), (vec!["llama-new".to_owned()], vec!["llama-old".to_owned()]));
    let catalogue = client.catalogue();
    let small = catalogue.find("groq", "llama-small").unwrap().capabilities;
    // What the program has set goes before the list.
    assert_eq!((small.context_window, small.tools), (Some(32_000), Some(true)));
    let new = catalogue.find("groq", "llama-new").unwrap().capabilities;
    assert_eq!((new.context_window, new.max_output, new.tools), (Some(128_000), Some(9_000), None));
    assert!(catalogue.find("groq", "llama-old").is_some());

    // Selections and automatic routes see it at once.
    assert_eq!(client.select(&Needs::new()).best().unwrap().name(), "groq/llama-new");
    assert_eq!(client.chat("hi").unwrap().model, "llama-new");
    let statuses = client.targets();
    let answered = |name: &str| statuses.iter().find(|one| one.name == name).unwrap().answered;
    assert_eq!(answered("groq/llama-small"), 1, "its counts stay");

    let again = client.refresh_models("groq").unwrap();
    assert!(again.new.is_empty() && again.listed == 2);
}

#[test]
fn a_later_list_replaces_the_earlier_one() {
    let server = loopback();
    let client = builder(&server).build().unwrap();
    list(&server, &json!([{"id": "llama-new"}]));
    client.refresh_models("groq").unwrap();
    server.clear();
    list(&server, &json!([{"id": "llama-newer"}]));
    let refreshed = client.refresh_models("groq").unwrap();
    assert_eq!(refreshed.new, ["llama-newer"]);
    assert_eq!(refreshed.gone, ["llama-new", "llama-old", "llama-small"]);
    assert!(client.catalogue().find("groq", "llama-new").is_none());
}

#[test]
fn a_list_that_cannot_be_read_leaves_the_catalogue_as_it_was() {
    let server = loopback();
    server.on(|_| true, Reply::status(503));
    let client = builder(&server).build().unwrap();
    let error = client.refresh_models("groq").unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::Overloaded, Some("groq")));
    assert_eq!(client.catalogue().models("groq").count(), 2);
    let error = Client::builder().build().unwrap().refresh_models(ModelsRequest::new());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn all_providers_that_can_be_called_are_refreshed() {
    let servers = Servers::start();
    for server in &servers.0 {
        list(server, &json!([{"id": "a-model"}]));
    }
    servers.0[1].clear();
    servers.0[1].default_reply(Reply::status(404));
    let client = servers.client();
    let results = client.refresh_all_models();
    let ids = |results: &[Result<Refreshed, tollgate::Error>]| -> Vec<(String, bool)> {
        let id = |result: &Result<Refreshed, tollgate::Error>| match result {
            Ok(refreshed) => (refreshed.provider.to_string(), true),
            Err(error) => (error.provider().unwrap_or_default().to_owned(), false),
        };
        results.iter().map(id).collect()
    };
    let first: Vec<_> = ids(&results).into_iter().take(3).collect();
    let expected = [("openai", true), ("anthropic", false), ("groq", true)];
    assert_eq!(first, expected.map(|(id, is_ok)| (id.to_owned(), is_ok)));
}

#[test]
fn threads_that_refresh_at_once_lose_no_list() {
    let servers = Servers::start();
    for (server, name) in servers.0.iter().zip(["m-openai", "m-anthropic", "m-groq"]) {
        list(server, &json!([{"id": name}]));
    }
    let client = servers.client();
    thread::scope(|scope| {
        for provider in ["openai", "anthropic", "groq"] {
            let client = &client;
            scope
                .spawn(move || (0..5).for_each(|_| drop(client.refresh_models(provider).unwrap())));
        }
    });
    for provider in ["openai", "anthropic", "groq"] {
        assert!(client.catalogue().find(provider, &format!("m-{provider}")).is_some());
    }
}
