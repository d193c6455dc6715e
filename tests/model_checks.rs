//! A call that its model certainly cannot serve is refused before it is sent, and the error says
//! what to do.

mod support;

use serde_json::json;
use std::sync::{Arc, Mutex};
use support::{KEY, builder, loopback};
use tollgate::catalogue::{Capabilities, Catalogue, Model, ModelStatus};
use tollgate::observe::{Call, Observer};
use tollgate::route::Route;
use tollgate::{
    Budget, ChatRequest, Client, CostConfig, Document, Error, ErrorKind, Image, Message, Money,
    Price, Prices, ProviderConfig, ReasoningEffort, ResponseFormat, Tool,
};

fn image() -> ChatRequest {
    Message::user("secret").with(Image::from_bytes("image/png", b"\x89PNG\r\n\x1a\n")).into()
}

fn document() -> ChatRequest {
    Message::user("secret").with(Document::from_bytes("application/pdf", b"%PDF-1.7")).into()
}

fn tool() -> ChatRequest {
    ChatRequest::from("secret").tool(Tool::function("f", "d", json!({"type": "object"})))
}

fn schema() -> ChatRequest {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    ChatRequest::from("secret").response_format(ResponseFormat::json_schema("answer", schema))
}

fn effort(effort: ReasoningEffort) -> ChatRequest {
    ChatRequest::from("secret").reasoning_effort(effort)
}

/// The error of a request that must not be sent, at a provider's own address.
fn refused(provider: &str, model: &str, request: ChatRequest) -> Error {
    let server = loopback();
    let client = builder(&server, provider).check_models(true).model(model).build().unwrap();
    let error = client.chat(&request).unwrap_err();
    assert_eq!(client.stream(&request).err().unwrap().to_string(), error.to_string());
    assert_eq!((server.request_count(), server.connections().opened), (0, 0), "{error}");
    assert_eq!(client.costs().total.cost.total, Money::ZERO);
    assert!(error.attempts().is_empty() && !error.is_retryable());
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

#[test]
fn what_the_catalogue_rules_out_is_refused_with_its_reason_and_nothing_is_sent() {
    let text = || "one more word ".repeat(100_000);
    for (provider, model, request, why) in [
        ("openai", "gpt-3.5-turbo", image(), "the request has images"),
        ("openai", "o1-mini", tool(), "the request has tools"),
        ("openai", "gpt-4-turbo", schema(), "has a JSON schema"),
        ("openai", "gpt-4o", effort(ReasoningEffort::Low), "sets a reasoning effort"),
        ("openai", "gpt-5", effort(ReasoningEffort::None), "the reasoning effort \"none\""),
        ("openai", "gpt-5", ChatRequest::from("secret").temperature(0.2), "sets a temperature"),
        (
            "openai",
            "o3-mini",
            ChatRequest::from("secret").top_p(0.2),
            "sets a temperature or top_p",
        ),
        (
            "openai",
            "gpt-4o",
            ChatRequest::from("secret").max_output_tokens(16_385),
            "at most 16384",
        ),
        ("openai", "gpt-3.5-turbo", document(), "the request has documents"),
        ("openai", "gpt-4o", text().into(), "the context window holds 128000"),
        ("anthropic", "claude-opus-4-6", effort(ReasoningEffort::XHigh), "only \"none\", \"low\""),
        ("anthropic", "claude-opus-5", ChatRequest::from("secret").temperature(0.2), "temperature"),
        ("anthropic", "claude-haiku-4-5", text().into(), "the context window holds 200000"),
        ("groq", "llama-3.1-8b-instant", image(), "the request has images"),
    ] {
        let error = refused(provider, model, request);
        let kind = match why.contains("window") {
            true => ErrorKind::ContextWindowExceeded,
            false => ErrorKind::InvalidRequest,
        };
        assert_eq!((error.kind(), error.provider()), (kind, Some(provider)), "{error}");
        assert!(error.message().contains(why), "{model}: {error}");
        assert!(error.to_string().contains("ClientBuilder::check_models(false)"), "{error}");
    }
}

#[test]
fn what_the_model_can_do_or_may_be_able_to_do_is_sent() {
    for (provider, model, request) in [
        ("openai", "gpt-4o", image()),
        ("openai", "gpt-4o", ChatRequest::from("secret").temperature(0.2)),
        // The default is accepted.
        ("openai", "gpt-5", ChatRequest::from("secret").temperature(1.0)),
        // It accepts a temperature while it does not reason.
        ("openai", "gpt-5.1", ChatRequest::from("secret").temperature(0.2)),
        ("openai", "gpt-4o", ChatRequest::from("secret").max_output_tokens(16_384)),
        ("openai", "a-model-of-tomorrow", image()),
        ("anthropic", "claude-opus-4-6", effort(ReasoningEffort::Max)),
        // Tokenizers have long tokens for spaces.
        ("openai", "gpt-4o", " ".repeat(1_000_000).into()),
        // Retired by the calendar, but the provider may still serve it.
        ("openai", "gpt-5-codex", "secret".into()),
        // Cohere caps the limit.
        ("cohere", "command-a-03-2025", ChatRequest::from("secret").max_output_tokens(100_000)),
        ("gemini", "gemini-2.5-flash", ChatRequest::from("secret").max_output_tokens(100_000)),
        // A gateway may read documents itself, and drops what a model does not accept.
        ("openrouter", "openai/gpt-3.5-turbo", image()),
        // A deployment's name says nothing about its model.
        ("azure", "gpt-3.5-turbo", image()),
    ] {
        let server = loopback();
        let client = builder(&server, provider).check_models(true).model(model).build().unwrap();
        client.chat(request).unwrap_or_else(|error| panic!("{provider}/{model}: {error}"));
        assert_eq!(server.request_count(), 1);
    }
}

#[test]
fn behind_another_base_url_only_what_the_program_sets_is_checked() {
    let server = loopback();
    let own = |name: &'static str| {
        Model::new("openai", name).capabilities(Capabilities::default().images(false))
    };
    let catalogue = || Catalogue::builtin().set(own("our-7b"));
    let ask = |client: &Client, model: &str| client.chat(image().model(model)).is_ok();
    let client = builder(&server, "openai").catalogue(catalogue()).build().unwrap();
    assert!(ask(&client, "gpt-3.5-turbo"));
    assert!(!ask(&client, "our-7b"));
    let client = builder(&server, "openai").catalogue(catalogue()).check_models(false);
    let client = client.build().unwrap();
    assert!(ask(&client, "gpt-3.5-turbo") && ask(&client, "our-7b"));
    // The program knows better than the table.
    let can =
        Model::new("openai", "gpt-3.5-turbo").capabilities(Capabilities::default().images(true));
    let client = builder(&server, "openai").catalogue(Catalogue::builtin().set(can));
    let client = client.check_models(true).build().unwrap();
    assert!(ask(&client, "gpt-3.5-turbo"));
}

#[test]
fn the_error_names_models_that_can_serve_the_call() {
    let error = refused("openai", "gpt-3.5-turbo", image());
    let text = error.to_string();
    assert!(text.contains("leave that out, or use "), "{text}");
    let long = ChatRequest::from("hi").max_output_tokens(100_000);
    let text = refused("openai", "gpt-3.5-turbo", long).to_string();
    assert!(text.contains("lower max_output_tokens, or use "), "{text}");
    let named: Vec<_> = text.split([' ', ',', ';']).filter(|word| word.contains('/')).collect();
    assert!(!named.is_empty() && named.len() <= 3, "{text}");
    for name in named {
        let (provider, model) = name.split_once('/').unwrap();
        let model = Catalogue::builtin().find(provider, model).unwrap();
        assert_eq!(model.capabilities.images, Some(true), "{text}");
    }
}

#[test]
fn a_retired_model_is_refused_with_its_successor() {
    let server = loopback();
    let catalogue = Catalogue::builtin()
        .parse(r#"{"openai": {"gpt-4o": {"status": "retired", "successor": "gpt-6-luna"}}}"#)
        .unwrap();
    let client = builder(&server, "openai").model("gpt-4o").catalogue(catalogue).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(text.contains("the model is retired; use its successor gpt-6-luna"), "{text}");
    assert_eq!(server.request_count(), 0);
}

#[derive(Default)]
struct Deprecations(Mutex<Vec<String>>);

impl Observer for Deprecations {
    fn model_deprecated(&self, call: &Call<'_>, model: &Model) {
        let successor = model.successor.as_deref().unwrap_or("nothing");
        let retires = model.retires.map_or_else(String::new, |date| format!(" on {date}"));
        let seen = format!("{}/{}{retires} for {successor}", call.provider, call.model);
        self.0.lock().unwrap().push(seen);
    }
}

#[test]
fn a_deprecated_model_warns_once_for_each_client_and_model() {
    let server = loopback();
    let mut old = Model::new("openai", "old")
        .capabilities(Capabilities::default().status(ModelStatus::Deprecated));
    old.successor = Some("new".into());
    let catalogue = Catalogue::builtin().set(old);
    let build = |check: bool| {
        let seen = Arc::new(Deprecations::default());
        let builder = builder(&server, "openai").catalogue(catalogue.clone());
        let builder = match check {
            true => builder.check_models(true),
            false => builder,
        };
        (builder.shared_observer(seen.clone()).build().unwrap(), seen)
    };
    for (check, expected) in [
        (true, &["openai/old for new", "openai/gpt-4o on 2027-01-14 for gpt-6-luna"][..]),
        // An unknown server's gpt-4o may be another model.
        (false, &["openai/old for new"]),
    ] {
        let (client, seen) = build(check);
        for model in ["old", "gpt-4o", "old", "gpt-4o", "gpt-6-sol"] {
            client.chat(ChatRequest::from("hi").model(model)).unwrap();
        }
        assert_eq!(*seen.0.lock().unwrap(), expected);
    }
}

#[test]
fn a_deprecated_model_of_several_routes_warns_once() {
    let server = loopback();
    let seen = Arc::new(Deprecations::default());
    let old = Capabilities::default().status(ModelStatus::Deprecated);
    let client = builder(&server, "openai")
        .catalogue(Catalogue::builtin().set(Model::new("openai", "old").capabilities(old)))
        .route(Route::new("one").target("openai/old"))
        .route(Route::new("other").target("openai/old"))
        .shared_observer(seen.clone())
        .build()
        .unwrap();
    for model in ["one", "other", "old"] {
        client.chat(ChatRequest::from("hi").model(model)).unwrap();
    }
    assert_eq!(*seen.0.lock().unwrap(), ["openai/old for nothing"]);
}

#[test]
fn a_route_skips_by_the_same_rules() {
    let (first, second) = (loopback(), loopback());
    let build = |check: Option<bool>| {
        let mut builder = Client::builder()
            .add_provider(ProviderConfig::new("groq").api_key(KEY).base_url(first.base_url("groq")))
            .add_provider(
                ProviderConfig::new("openai").api_key(KEY).base_url(second.base_url("openai")),
            )
            .route(Route::new("all").target("groq/llama-3.1-8b-instant").target("openai/gpt-4o"));
        if let Some(check) = check {
            builder = builder.check_models(check);
        }
        builder.build().unwrap()
    };
    for (check, counts) in [(Some(true), (0, 1)), (None, (1, 1)), (Some(false), (2, 1))] {
        build(check).chat(image().model("all")).unwrap();
        assert_eq!((first.request_count(), second.request_count()), counts, "{check:?}");
    }
}

#[test]
fn the_catalogue_decides_over_the_name_what_a_request_looks_like() {
    let catalogue = Catalogue::builtin()
        .parse(
            r#"{"openai": {
                "our-reasoner": {"newer_parameters": true},
                "gpt-7-compatible": {"newer_parameters": false},
                "our-pro": {"api": "responses"}
            }}"#,
        )
        .unwrap();
    for (model, path, member, role) in [
        ("our-reasoner", "/v1/chat/completions", "max_completion_tokens", "developer"),
        ("gpt-7-compatible", "/v1/chat/completions", "max_tokens", "system"),
        // The name decides about a model that the catalogue does not know.
        ("gpt-7", "/v1/chat/completions", "max_completion_tokens", "developer"),
        ("gpt-4o", "/v1/chat/completions", "max_tokens", "system"),
        ("our-pro", "/v1/responses", "max_output_tokens", "system"),
        ("gpt-5-pro", "/v1/responses", "max_output_tokens", "developer"),
    ] {
        let server = loopback();
        let client = builder(&server, "openai").catalogue(catalogue.clone()).build().unwrap();
        let request = ChatRequest::from("hi").system("x").model(model).max_output_tokens(7);
        client.chat(request).unwrap();
        let sent = support::last(&server);
        let body = sent.json();
        assert_eq!((sent.path(), &body[member]), (path, &json!(7)), "{model}");
        if let Some(first) = body["messages"].get(0) {
            assert_eq!(first["role"], role, "{model}");
        }
    }
}

#[test]
fn a_budget_reserves_up_to_the_window_that_the_catalogue_knows() {
    let server = loopback();
    let price = Price::per_million(Money::dollars(1), Money::dollars(1));
    let limits = Capabilities::default().context_window(10_000).max_output(500);
    let known = Catalogue::builtin().set(Model::new("openai", "our-7b").capabilities(limits));
    for (catalogue, expected) in
        [(Catalogue::builtin(), Some(ErrorKind::CostUnknown)), (known, None)]
    {
        let costs = CostConfig::default()
            .prices(Prices::builtin().set("openai", "our-7b", price.clone()))
            .budget(Budget::total(Money::dollars(1)));
        let client = builder(&server, "openai").model("our-7b").catalogue(catalogue).costs(costs);
        let client = client.build().unwrap();
        let error = client.chat(document()).err();
        assert_eq!(error.as_ref().map(Error::kind), expected, "{error:?}");
    }
}
